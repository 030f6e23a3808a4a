"""The sections of the site file as frozen dataclasses.

Every key is a field; ``key(...)`` gives its default, its check and the sentence that documents it.
``docs/site-file.md`` must mention each key: a test compares them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

from iop4d.config.alerting import Alerts, Atel, Rule, Summary, Tag
from iop4d.config.archive import Archive, FolderArchive, FtpArchive, SftpArchive
from iop4d.config.camera import Camera
from iop4d.config.channel import (
    AppriseChannel,
    Channel,
    EmailChannel,
    PluginChannel,
    TelegramChannel,
    WebhookChannel,
)
from iop4d.config.keys import (
    DATE,
    Check,
    above,
    at_least,
    below,
    between,
    key,
    network,
    one_of,
    or_nothing,
    port_from,
)
from iop4d.config.operations import Backup, Prune
from iop4d.config.store import Place, Store
from iop4d.config.triggers import Triggers
from iop4d.config.want import Want
from iop4d.config.workers import Workers

#: A name of a node.
NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class SiteInfo:
    """``[site]``: the name of the site."""

    name: str = key("Name of the site, in messages and on the web pages.", "iop4d")
    url: str = key("Address of the web pages, for links in messages; empty: no links.", "")
    node: str = key(
        "Name of this daemon among several that share one PostgreSQL database, each with archives "
        "of its own (docs/postgresql.md); empty: it has its database alone.", "",
        check=("a name of letters, digits, ., - and _, or nothing",
               lambda value: not value or bool(NODE.fullmatch(value))))
    aavso_observer: str = key(
        "Code of the group's observer at the AAVSO, for files in its format; empty: XXX, which is "
        "to be replaced before a file is sent.", "",
        check=("2 to 5 letters or digits, or nothing",
               lambda value: not value or bool(re.fullmatch(r"[A-Za-z0-9]{2,5}", value))))


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """``[daemon]``: how the work is done."""

    workers: int = key("Worker processes; 0: one for each core.", 0, check=between(0, 256))
    settle: float = key(
        "Seconds for which size and time of a file must not change before it is read, after the "
        "system reported that it was closed or moved in.", 0.5, check=at_least(0))
    settle_after_scan: float = key(
        "The same for a file that a scan found, without such an event of the system.", 2.0,
        check=at_least(0))
    scan_interval: float = key(
        "Seconds between full scans of the archives' folders.", 30.0, check=above(0))
    job_timeout: float = key(
        "Seconds after which a worker that has not finished its job is killed.", 120.0,
        check=above(0))
    min_free_gb: float = key(
        "Gigabytes of free space on the site's disk below which no new job starts; work resumes "
        "at one and a half times as many.", 2.0, check=at_least(0))
    max_attempts: int = key(
        "Attempts at a job whose worker crashes or hangs; then its frame is quarantined.", 2,
        check=at_least(1))
    priority_targets: tuple[str, ...] = key(
        "Sources whose frames are reduced before all others, by any of their names: targets of "
        "opportunity. Sources with an active alert or trigger always are.", ())
    max_jobs_per_worker: int = key(
        "Jobs after which a worker process is replaced by a new one.", 1000, check=at_least(1))
    group_reads: bool = key(
        "Whether the group of the database's files may read them, so that its accounts can use the "
        "commands that only read; hashes of the pages' passwords are in it. Else their owner alone "
        "may.", False)
    worker_memory_mb: int = key(
        "Megabytes of memory that a worker may allocate.", 2048, check=at_least(256))


@dataclass(frozen=True, kw_only=True)
class Masters:
    """``[masters]``: bias, dark and flat."""

    min_frames: int = key("Minimum number of frames of a master.", 3, check=at_least(1))
    max_age_days: float = key(
        "Maximum days between a science frame and a master of another night, before or after.",
        30.0, check=at_least(0))
    build_delay: float = key(
        "Seconds without a further frame of the same kind before a master is built.", 3.0,
        check=at_least(0))
    clip_sigma: float = key("Sigmas beyond which pixels are clipped when frames are combined.",
                            4.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class Astrometry:
    """``[astrometry]``: how the field is found."""

    index: tuple[Path, ...] = key("Folders of index files of astrometry.net.", ())
    max_stars: int = key("Maximum number of stars for the solver, the brightest ones.", 60,
                         check=at_least(4))
    search_radius: float = key(
        "Degrees around the header's pointing within which the field is searched.", 2.0,
        check=above(0))
    scale_tolerance: float = key(
        "Fraction by which the pixel scale may differ from the instrument's.", 0.05,
        check=above(0))
    timeout: float = key("Seconds for one attempt to solve.", 4.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class Photometry:
    """``[photometry]``: apertures, in sigmas of the PSF (sigma = FWHM / 2.355)."""

    aperture: float = key("Radius of the aperture, in sigmas of the PSF.", 3.0, check=above(0))
    annulus_inner: float = key("Inner radius of the sky annulus, in sigmas of the PSF.", 5.0,
                               check=above(0))
    annulus_outer: float = key("Outer radius of the sky annulus, in sigmas of the PSF.", 9.0,
                               check=above(0))
    detection_sigma: float = key("Detection threshold, in sigmas of the sky.", 5.0,
                                 check=above(0))
    spectral_index_minutes: float = key(
        "Maximum minutes between two results of different bands that make a spectral index.", 30.0,
        check=above(0))
    write_previews: bool = key("Write a preview picture of every reduced frame.", True)
    write_reduced: bool = key("Write the reduced frames.", True)
    wrong_datasum: str = key(
        "What becomes of a file whose pixels do not agree with its card DATASUM: refuse; flag: "
        "measured with the flag pixels_doubtful, and left out of masters; ignore: as if it had no "
        "such card.", "refuse", check=one_of("refuse", "flag", "ignore"))


#: Ways to compute a polarisation; see ``science.polarimetry``.
_MEASURED = ("ensemble", "plain", "fit", "fit-k", "ratio", "sum", "ordinary", "extraordinary",
             "analysers")
METHODS = ("auto", *_MEASURED, *(f"{name}-isp" for name in _MEASURED))


@dataclass(frozen=True, kw_only=True)
class Polarimetry:
    """``[polarimetry]``: how frames form groups, and how the polarisation is computed."""

    max_duration_minutes: float = key(
        "Maximum minutes between the first and the last frame of a group.", 40.0, check=above(0))
    max_gap_minutes: float = key(
        "Minutes between two frames beyond which the later one begins a new group.", 15.0,
        check=above(0))
    max_field_stars: int = key(
        "Maximum number of field stars that are measured on a frame behind a polariser.", 40,
        check=at_least(0))
    min_field_stars: int = key(
        "Minimum number of field stars that normalise the frames of a polariser group; with fewer "
        "the method 'plain' is reported.", 4, check=at_least(1))
    transparency_scatter: float = key(
        "Magnitudes of scatter of the transparency from frame to frame, where no field star "
        "measures it.", 0.02, check=at_least(0))
    variability: float = key(
        "Change of a target within a group that the errors allow for, in magnitudes per hour (1 "
        "sigma): behind a polariser, a change looks like polarisation.", 0.03, check=at_least(0))
    interstellar: float = key(
        "Percent of polarisation by the dust before the field stars (1 sigma of q and of u) that "
        "the errors allow for behind a polariser, where the catalogue knows neither it nor the "
        "extinction of the field.", 1.2, check=at_least(0))
    method: dict[str, str] = key(
        "The method that is reported, by instrument or 'instrument/source', instead of the "
        "automatic choice: " + ", ".join(METHODS) + ".", {},
        check=("values of " + ", ".join(METHODS),
               lambda value: set(value.values()) <= set(METHODS)))

_TWO: Check = ("two numbers, or nothing", lambda value: len(value) in (0, 2))
_TWO_ABOVE_0: Check = ("two numbers above 0, or nothing",
                       lambda value: len(value) in (0, 2) and all(number > 0 for number in value))
_NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Polarimeter:
    """``[[polarimeter]]``: an installation's own constants of an instrument."""

    instrument: str = key("Name of the instrument.")
    since: str = key("First night (from the noon before it) of these values; empty: always.", "",
                     check=DATE)
    until: str = key(
        "First night (from the noon before it) after these values; empty: until today.", "",
        check=DATE)
    q0: float = key("Instrumental q in percent; unset: as shipped.", _NAN,
                    check=between(-100, 100))
    q0_err: float = key("Error of q0 in percent.", _NAN, check=at_least(0))
    u0: float = key("Instrumental u in percent; unset: as shipped.", _NAN,
                    check=between(-100, 100))
    u0_err: float = key("Error of u0 in percent.", _NAN, check=at_least(0))
    zero_angle: float = key("Degrees that are added to chi; unset: as shipped.", _NAN,
                            check=between(-360, 360))
    zero_angle_err: float = key("Error of zero_angle in degrees.", _NAN, check=at_least(0))
    pair_offset: tuple[float, ...] = key(
        "Ordinary minus extraordinary image of a star, x and y, in pixels at binning 1; unset: as "
        "shipped.", (), check=_TWO)
    pair_tolerance: tuple[float, ...] = key(
        "Maximum deviation of a pair from that offset, x and y, in pixels at binning 1; unset: as "
        "shipped.", (), check=_TWO_ABOVE_0)
    sky_angle: float = key(
        "Position angle of the image's upward direction in degrees; unset: as shipped.", _NAN)
    sky_angle_err: float = key("Error of sky_angle in degrees.", _NAN, check=at_least(0))


_COLOUR: Check = ("two bands such as B-V",
                  lambda value: bool(re.fullmatch(r"[A-Za-z]+-[A-Za-z]+", value)))


@dataclass(frozen=True, kw_only=True)
class ColourTerm:
    """``[[colour_term]]``: how an instrument's band differs from the catalogue's."""

    instrument: str = key("Name of the instrument.")
    band: str = key("Band, as in the catalogue.")
    colour: str = key("Colour that the term holds for: two bands of the catalogue, such as B-V.",
                      check=_COLOUR)
    term: float = key(
        "Catalogue minus instrumental magnitude grows by this with the colour, mag per mag.",
        check=("a number from -1 to 1", lambda value: -1 <= value <= 1))
    term_err: float = key("Error of the term.", 0.0, check=at_least(0))
    since: str = key("First night (from the noon before it) of this term; empty: always.", "",
                     check=DATE)
    until: str = key(
        "First night (from the noon before it) after this term; empty: until today.", "",
        check=DATE)


@dataclass(frozen=True, kw_only=True)
class Web:
    """``[web]``: the live web pages."""

    host: str = key("Address of the server's socket; 0.0.0.0: reachable from other machines.",
                    "127.0.0.1")
    port: int = key("Port of the server.", 8765, check=port_from(0))
    threads: int = key("Threads that serve pages.", 32, check=at_least(4))
    max_streams: int = key(
        "Maximum number of live streams, half of the threads at most; further pages poll.", 12,
        check=at_least(0))
    read: str = key(
        "What people read who are not signed in: everybody reads all pages; results: sources, "
        "light curves and results alone; signed-in: nothing.", "everybody",
        check=one_of("everybody", "results", "signed-in"))
    allow_retry: str = key(
        "Who may retry failed frames with the page's button: local (browsers on this machine, and "
        "editors), all, or none.", "local", check=one_of("local", "all", "none"))
    metrics: str = key(
        "Who may read /metrics: local: programs on this machine; all; token: none of them; and in "
        "each case whoever has an account or a token. none: there are no metrics.", "local",
        check=one_of("local", "all", "token", "none"))
    trusted_proxy: str = key(
        "Address or network of the web server that passes requests on, such as 127.0.0.1; its "
        "X-Forwarded headers are believed. Empty: none.", "", check=or_nothing(network))
    prefix: str = key(
        "Path below which the web server shows the pages, such as /iop4d. Empty: the root.", "",
        check=or_nothing(below))
    ask_mast: bool = key(
        "Whether editors may have the page for calibrators ask MAST for the Pan-STARRS stars of a "
        "field, over the network; needs astroquery.", False)
    public_sources: tuple[str, ...] = key(
        "Sources with a public page for telegrams, by any of their names; \"*\": all of them.", ())
    mailbox: Path | None = key("Folder of mails that the pages show (the demo's).", None)


@dataclass(frozen=True, kw_only=True)
class WrongRule:
    """A rule of the site file that is not used, and why."""

    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """A whole site file. ``root`` is its folder, to which every path in it is relative.

    ``wrong_rules``: those of the file that are not among ``rule``, where that was asked for.
    """

    root: Path
    site: SiteInfo = SiteInfo()
    daemon: Daemon = Daemon()
    workers: Workers = Workers()
    masters: Masters = Masters()
    astrometry: Astrometry = Astrometry()
    photometry: Photometry = Photometry()
    polarimetry: Polarimetry = Polarimetry()
    alerts: Alerts = Alerts()
    atel: Atel = Atel()
    summary: Summary = Summary()
    web: Web = Web()
    store: Store = Store()
    backup: Backup = Backup()
    prune: Prune = Prune()
    triggers: Triggers = Triggers()
    archive: tuple[Archive, ...] = ()
    camera: tuple[Camera, ...] = ()
    polarimeter: tuple[Polarimeter, ...] = ()
    colour_term: tuple[ColourTerm, ...] = ()
    rule: tuple[Rule, ...] = ()
    tag: tuple[Tag, ...] = ()
    want: tuple[Want, ...] = ()
    channel: tuple[Channel, ...] = ()
    wrong_rules: tuple[WrongRule, ...] = ()

    @property
    def database(self) -> Place:
        """Where what is known is kept."""
        return self.store.place(self.root, self.site.node)

    @property
    def lock(self) -> Path:
        """The file that a running daemon holds locked."""
        return self.root / "iop4d.lock"

    @property
    def backups(self) -> Path:
        """The folder of its backups."""
        return self.backup.folder or self.root / "backups"

    def folder(self, name: str) -> Path:
        """One of the site's folders: raw, masters, reduced, previews, logs."""
        return self.root / name


#: Sections that stand once, and those that stand any number of times ([[...]]).
TABLES: dict[str, type] = {
    "site": SiteInfo, "daemon": Daemon, "workers": Workers, "masters": Masters,
    "astrometry": Astrometry, "photometry": Photometry, "polarimetry": Polarimetry,
    "alerts": Alerts, "atel": Atel, "summary": Summary, "web": Web, "store": Store,
    "backup": Backup, "prune": Prune, "triggers": Triggers,
}
#: Those of a list have a class for each kind, by the key ``kind``; others have one class, "".
ARRAYS: dict[str, dict[str, type]] = {
    "archive": {"folder": FolderArchive, "ftp": FtpArchive, "sftp": SftpArchive},
    "camera": {"": Camera}, "polarimeter": {"": Polarimeter},
    "colour_term": {"": ColourTerm}, "rule": {"": Rule}, "tag": {"": Tag},
    "want": {"": Want},
    "channel": {"email": EmailChannel, "telegram": TelegramChannel, "webhook": WebhookChannel,
                "apprise": AppriseChannel, "*": PluginChannel},
}


def keys_of(section: type) -> dict[str, str]:
    """The keys of a section with the sentence that documents each."""
    return {f.name: f.metadata["doc"] for f in fields(section)}
