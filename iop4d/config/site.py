"""The sections of the site file as frozen dataclasses.

Every key is a field; ``key(...)`` gives its default, its check and the sentence that documents it.
``docs/site-file.md`` must mention each key: a test compares them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from iop4d.config.alerting import Alerts, Atel, Channel, Rule, Summary, Tag
from iop4d.config.keys import Check, above, at_least, key, one_of, port_from


@dataclass(frozen=True, kw_only=True)
class SiteInfo:
    """``[site]``: who this is."""

    name: str = key("Name of the site, in mails and on the page.", "iop4d")
    url: str = key("Address at which people reach the web page; used for links in mails.", "")


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """``[daemon]``: how the work is done."""

    workers: int = key("Worker processes; 0 takes one for each core.", 0, check=at_least(0))
    settle: float = key(
        "Seconds for which a file's size and time must stand still before it is read, after the "
        "system said that its writer closed it or moved it in.", 0.5, check=at_least(0))
    settle_unannounced: float = key(
        "The same for a file that a scan found without such a word.", 2.0, check=at_least(0))
    scan_interval: float = key(
        "Seconds between full scans of the archives' folders.", 30.0, check=above(0))
    deadline: float = key(
        "Seconds after which a worker that still works at a frame is killed.", 120.0,
        check=above(0))
    disk_min: float = key(
        "Gigabytes of free space on the site's disk below which nothing new is begun; it goes on "
        "at half as much again.", 2.0, check=at_least(0))
    max_attempts: int = key(
        "Times that a job is tried when its worker crashes or hangs, then it is set aside.", 2,
        check=at_least(1))
    first: tuple[str, ...] = key(
        "Sources whose frames go before all others, by any of their names: targets of opportunity. "
        "Those of a firing alert do so by themselves.", ())
    recycle_after: int = key(
        "Jobs after which a worker process is replaced by a fresh one.", 1000, check=at_least(1))
    worker_memory: int = key(
        "Megabytes of memory that a worker may allocate.", 2048, check=at_least(256))


@dataclass(frozen=True, kw_only=True)
class Masters:
    """``[masters]``: bias, dark and flat."""

    min_frames: int = key("Fewest frames that make a master.", 3, check=at_least(1))
    max_age: float = key(
        "Days that a master of another night may be away, before or after.", 30.0,
        check=at_least(0))
    debounce: float = key(
        "Seconds to wait for more frames of the same kind before a master is built.", 3.0,
        check=at_least(0))
    clip: float = key("Sigmas at which the combination clips.", 4.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class Astrometry:
    """``[astrometry]``: how the field is found."""

    index: tuple[Path, ...] = key("Folders of astrometry.net index files.", ())
    stars: int = key("Brightest stars handed to the solver.", 60, check=at_least(4))
    radius: float = key(
        "Degrees about the header's pointing in which the field is looked for.", 2.0,
        check=above(0))
    scale_tolerance: float = key(
        "Fraction by which the true pixel scale may differ from the instrument's.", 0.05,
        check=above(0))
    timeout: float = key("Seconds for one attempt to solve.", 4.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class Photometry:
    """``[photometry]``: apertures, in sigmas of the PSF (sigma = FWHM / 2.355)."""

    aperture: float = key("Radius of the aperture, in sigmas.", 3.0, check=above(0))
    annulus_inner: float = key("Inner radius of the sky annulus, in sigmas.", 5.0, check=above(0))
    annulus_outer: float = key("Outer radius of the sky annulus, in sigmas.", 9.0, check=above(0))
    detection: float = key("Detection threshold, in sigmas of the sky.", 5.0, check=above(0))
    previews: bool = key("Write a preview picture of every reduced frame.", True)
    reduced: bool = key("Write the reduced frames.", True)


#: Ways to compute a polarisation; see ``science.polarimetry``.
METHODS = ("auto", "ensemble", "plain", "fit", "fit-k", "ratio", "sum", "ordinary",
           "extraordinary")


@dataclass(frozen=True, kw_only=True)
class Polarimetry:
    """``[polarimetry]``: how frames form groups, and what is computed of them."""

    longest: float = key(
        "Minutes between the first and the last frame of a group.", 40.0, check=above(0))
    gap: float = key(
        "Minutes between two frames after which the later one begins a new group.", 15.0,
        check=above(0))
    field_stars: int = key(
        "Most field stars that are measured on a frame taken through a polariser.", 40,
        check=at_least(0))
    fewest_field_stars: int = key(
        "Fewest field stars by which the frames of a polariser group are normalised; with fewer "
        "the plain form is reported.", 4, check=at_least(1))
    transparency: float = key(
        "Scatter of the transparency from frame to frame, in magnitudes, where no field star tells "
        "it.", 0.02, check=at_least(0))
    variability: float = key(
        "By how much a target may change within a group, in magnitudes per hour (1 sigma): through "
        "a polariser a change looks like polarisation, so it enters the error.", 0.03,
        check=at_least(0))
    method: dict[str, str] = key(
        "The method that is reported, by instrument or 'instrument/source', where it is not to be "
        "chosen by itself: auto, ensemble, plain, fit, fit-k, ratio, sum, ordinary, "
        "extraordinary.", {},
        check=("values of " + ", ".join(METHODS)
               + " (the last two were 'left' and 'right' before)",
               lambda value: set(value.values()) <= set(METHODS)))


_HOURS: Check = ("hours of UTC, such as '18:30-05:30'", lambda value: not value or bool(
    re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value)))


@dataclass(frozen=True, kw_only=True)
class Archive:
    """``[[archive]]``: a place where raw frames appear, here or on a server."""

    name: str = key("Name of the archive.")
    kind: str = key("What it is: a folder (directory), or a server (ftp, sftp).", "directory",
                    check=one_of("directory", "ftp", "sftp"))
    path: Path = key(
        "The folder, absolute or beside the site file; of a server the one to which its frames are "
        "fetched, a folder for each night. Unset: raw/ and the archive's name.", Path())
    telescope: str = key("Telescope whose frames these are; empty: as the frames say.", "")
    files: str = key(
        "Regular expression that the names of frames match.",
        r"(?i)^[^.~].*\.(fits?|fts)(\.gz|\.fz)?$")
    sources: tuple[str, ...] = key(
        "Only files whose names begin with one of these words, and calibration frames (bias, dark, "
        "flat); empty: all.", ())
    polling: bool = key(
        "Look at the folder by time only; network mounts are found out by themselves.", False)
    read_only: bool = key("Take the right to write from raw files, once they are complete.", False)
    host: str = key("The server.", "")
    port: int = key("Its port; 0: 21 of ftp, 990 with tls = implicit, 22 of sftp.", 0,
                    check=port_from(0))
    user: str = key("Login name.", "anonymous")
    password_file: Path | None = key("File that holds the password.", None)
    password_env: str = key("Environment variable that holds the password.", "")
    password_credential: str = key(
        "Credential of the service manager that holds the password.", "")
    key_file: Path | None = key("Private key by which to log in (sftp).", None)
    known_hosts: Path | None = key(
        "File with the keys of hosts (sftp); unset: ~/.ssh/known_hosts.", None)
    host_key: str = key("The host's key as a fingerprint, SHA256:... (sftp).", "")
    tls: str = key("none, explicit (AUTH TLS) or implicit (ftp).", "none",
                   check=one_of("none", "explicit", "implicit"))
    ca_file: Path | None = key("Certificates to trust besides the system's (ftp).", None)
    tls_max: str = key("Newest version of TLS to use, 1.2 for some older servers (ftp).", "",
                       check=one_of("", "1.2", "1.3"))
    nights: str = key(
        "Folder of a night on the server, its date in braces: /{night:%Y%m%d}, or "
        "/data/{night:%y%m%d}_CAFOS.", "/{night:%Y%m%d}")
    encoding: str = key("Encoding of names on the server.", "utf-8")
    poll: float = key("Seconds between looks at the server while the telescope observes.", 60.0,
                      check=above(0))
    poll_day: float = key("The same by day.", 900.0, check=above(0))
    hours: str = key(
        "When it observes, hours of UTC as 18:30-05:30; empty: while the sun is down there.", "",
        check=_HOURS)
    lookback: int = key("Nights before the present one that are looked at as well.", 3,
                        check=at_least(0))
    settle: float = key(
        "Seconds between two looks that must agree on a file's size and time before it is fetched; "
        "of a folder on a network mount, for which a file must stand still.",
        30.0, check=at_least(0))
    parallel: int = key("Files that are fetched at a time.", 2, check=at_least(1))
    bandwidth: float = key("Most kilobytes a second, of all files together; 0: no limit.", 0.0,
                           check=at_least(0))
    timeout: float = key("Seconds within which the server must answer or send on.", 60.0,
                         check=above(0))
    connect_timeout: float = key("Seconds within which it must be connected and logged in.", 20.0,
                                 check=above(0))

    @property
    def is_remote(self) -> bool:
        """Whether its frames have to be fetched."""
        return self.kind != "directory"


@dataclass(frozen=True, kw_only=True)
class Camera:
    """``[[camera]]``: an instrument that needs no code."""

    name: str = key("Name of the instrument.")
    telescope: str = key("Name of the telescope.")
    identify: dict[str, str] = key(
        "Cards and the values that they must have for a frame to be this camera's.")
    scale: float = key("Arcseconds per pixel at binning 1.", check=above(0))
    gain: float = key("Electrons per ADU.", 1.0, check=above(0))
    read_noise: float = key("Read noise in electrons.", 0.0, check=at_least(0))
    saturation: float = key("ADU at and above which a pixel is saturated.", 65535.0,
                            check=above(0))
    masters: tuple[str, ...] = key(
        "Masters that a science frame needs, of bias, dark, flat; none: [].", ("bias", "flat"),
        check=("a list of bias, dark, flat",
               lambda value: set(value) <= {"bias", "dark", "flat"}))
    kind: str = key("Card that tells the kind of frame; empty: all are science frames.", "")
    kinds: dict[str, str] = key(
        "What the kind card says, and which of bias, dark, flat, science that is.", {},
        check=("values of bias, dark, flat, science (which 'light' was before)",
               lambda value: set(value.values()) <= {"bias", "dark", "flat", "science"}))
    band: str = key("Card that names the filter.", "FILTER")
    bands: dict[str, str] = key(
        "What the filter card says, and the band's name in the catalogue; "
        "a filter that is not listed is its own name.", {})
    exptime: str = key("Card with the exposure time in seconds.", "EXPTIME")
    time: str = key("Card with the time (UTC), as ISO text, or a number: JD or MJD.", "DATE-OBS")
    time_is: str = key("What that time is: start, middle or end of the exposure.", "start",
                       check=one_of("start", "middle", "end"))
    ra: str = key("Card with the right ascension of the pointing; empty: none.", "RA")
    dec: str = key("Card with the declination of the pointing; empty: none.", "DEC")
    ra_unit: str = key("Unit of a plain number in the RA card: deg or hour. "
                       "Sexagesimal text is always hours.", "deg", check=one_of("deg", "hour"))
    object: str = key("Card that names the object.", "OBJECT")
    binning: str = key("Card with the binning; empty: always 1.", "")
    latitude: float = key("Latitude of the telescope in degrees, north positive.", float("nan"))
    longitude: float = key("Longitude in degrees, east positive.", float("nan"))
    height: float = key("Height above the sea in metres.", 0.0)


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_DATE: Check = ("a date such as 2023-09-28, or nothing",
                lambda value: not value or _is_date(value))
_TWO: Check = ("two numbers, or nothing", lambda value: len(value) in (0, 2))
_TWO_ABOVE_0: Check = ("two numbers above 0, or nothing",
                       lambda value: len(value) in (0, 2) and all(number > 0 for number in value))
_NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Polarimeter:
    """``[[polarimeter]]``: an installation's own constants of an instrument."""

    instrument: str = key("Name of the instrument.")
    since: str = key("First night (the noon before it) from which they hold; empty: always.", "",
                     check=_DATE)
    until: str = key("Night (the noon before it) from which they no longer hold; empty: never.", "",
                     check=_DATE)
    q0: float = key("Instrumental q in percent; unset: as shipped.", _NAN)
    q0_err: float = key("Its error.", _NAN, check=at_least(0))
    u0: float = key("Instrumental u in percent; unset: as shipped.", _NAN)
    u0_err: float = key("Its error.", _NAN, check=at_least(0))
    angle: float = key("Degrees added to chi; unset: as shipped.", _NAN)
    angle_err: float = key("Its error.", _NAN, check=at_least(0))
    pair_offset: tuple[float, ...] = key(
        "Ordinary minus extraordinary image of a star, x and y, in pixels at binning 1; unset: as "
        "shipped.",
        (), check=_TWO)
    pair_tolerance: tuple[float, ...] = key(
        "By how much a pair may differ from that, x and y, in pixels at binning 1; unset: as "
        "shipped.", (), check=_TWO_ABOVE_0)
    sky_angle: float = key(
        "Position angle of the image's upward direction, degrees; unset: as shipped.", _NAN)
    sky_angle_err: float = key("Its error.", _NAN, check=at_least(0))


@dataclass(frozen=True, kw_only=True)
class Web:
    """``[web]``: the live page."""

    host: str = key("Address to listen at; 0.0.0.0 for all.", "127.0.0.1")
    port: int = key("Port to listen at.", 8765, check=port_from(0))
    threads: int = key("Threads that serve pages.", 32, check=at_least(4))
    streams: int = key("Most live streams at once; beyond it pages poll. "
                       "At most half the threads.", 12, check=at_least(0))
    retry: str = key(
        "Who may have frames tried again by the page's button: local (browsers on this machine), "
        "all, or none.", "local", check=one_of("local", "all", "none"))
    mailbox: Path | None = key("Folder of mails to show on the page (the demo's).", None)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A whole site file. ``root`` is its folder, to which every path in it is relative."""

    root: Path
    site: SiteInfo = SiteInfo()
    daemon: Daemon = Daemon()
    masters: Masters = Masters()
    astrometry: Astrometry = Astrometry()
    photometry: Photometry = Photometry()
    polarimetry: Polarimetry = Polarimetry()
    alerts: Alerts = Alerts()
    atel: Atel = Atel()
    summary: Summary = Summary()
    web: Web = Web()
    archive: tuple[Archive, ...] = ()
    camera: tuple[Camera, ...] = ()
    polarimeter: tuple[Polarimeter, ...] = ()
    rule: tuple[Rule, ...] = ()
    tag: tuple[Tag, ...] = ()
    channel: tuple[Channel, ...] = ()

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.root / "iop4d.db"

    @property
    def lock(self) -> Path:
        """The file that a running daemon holds locked."""
        return self.root / "iop4d.lock"

    def folder(self, name: str) -> Path:
        """One of the site's folders: raw, masters, reduced, previews, logs."""
        return self.root / name


#: Sections that stand once, and those that stand any number of times ([[...]]).
TABLES: dict[str, type] = {
    "site": SiteInfo, "daemon": Daemon, "masters": Masters, "astrometry": Astrometry,
    "photometry": Photometry, "polarimetry": Polarimetry, "alerts": Alerts, "atel": Atel,
    "summary": Summary, "web": Web,
}
ARRAYS: dict[str, type] = {"archive": Archive, "camera": Camera, "polarimeter": Polarimeter,
                           "rule": Rule, "tag": Tag, "channel": Channel}


def keys_of(section: type) -> dict[str, str]:
    """The keys of a section with the sentence that documents each."""
    return {f.name: f.metadata["doc"] for f in fields(section)}
