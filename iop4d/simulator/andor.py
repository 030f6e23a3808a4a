"""Headers and names of AndorT90 frames, as the real ones are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from astropy.io import fits

from iop4d.simulator.camera import Camera

_JD_UNIX_EPOCH = 2440587.5

#: The camera binned 2x2, as it is mostly used: 1024 x 1024 px of 0.774 arcsec, 13.2 arcmin.
ANDOR_T90 = Camera()


def iso(jd: float) -> str:
    """JD(UTC) as DATE-OBS has it, to the millisecond."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - _JD_UNIX_EPOCH)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def header(*, camera: Camera, kind: str, jd_start: float, exptime_s: float, band: str | None,
           name: str, pointing_deg: tuple[float, float] | None) -> fits.Header:
    """The header of a frame.

    ``kind``: bias, flat or light; ``name``: for OBJECT, as the observer typed it;
    ``pointing_deg``: ICRS (RA, Dec) at which the telescope was told to point.
    """
    cards = fits.Header()
    cards["DATE-OBS"] = (iso(jd_start), "YYYY-MM-DDThh:mm:ss observation start, UT")
    cards["JD"] = (round(jd_start, 8), "Julian Date at start of exposure")
    cards["EXPTIME"] = (exptime_s, "Exposure time in seconds")
    cards["EXPOSURE"] = (exptime_s, "Exposure time in seconds")
    cards["SET-TEMP"] = (-80.0, "CCD temperature setpoint in C")
    cards["CCD-TEMP"] = (-80.0, "CCD temperature at start of exposure in C")
    cards["XBINNING"] = (camera.binning, "Binning factor in width")
    cards["YBINNING"] = (camera.binning, "Binning factor in height")
    cards["XORGSUBF"] = (0, "Subframe X position in binned pixels")
    cards["YORGSUBF"] = (0, "Subframe Y position in binned pixels")
    if band is not None:
        cards["FILTER"] = (band, "Filter used when taking image")
    cards["IMAGETYP"] = (kind.upper(), "Type of image")
    if pointing_deg is not None:
        cards["OBJCTRA"] = (sexagesimal(pointing_deg[0] / 15.0 % 24.0), "Nominal RA of center")
        cards["OBJCTDEC"] = (sexagesimal(pointing_deg[1], signed=True), "Nominal Dec of center")
    cards["OBJECT"] = name
    cards["TELESCOP"] = ("T90-OSN", "Telescope used to acquire this image")
    cards["INSTRUME"] = ("AndorT90", "Detector instrument name")
    return cards


def sexagesimal(value: float, *, signed: bool = False) -> str:
    """``22 02 43`` of hours, ``+42 16 40`` of degrees."""
    seconds = round(abs(value) * 3600)
    if not signed:
        seconds %= 86400  # hours: a moment before 24 is 0
    sign = ("-" if value < 0 else "+") if signed else ""
    return f"{sign}{seconds // 3600:02d} {seconds // 60 % 60:02d} {seconds % 60:02d}"


def file_name(word: str, number: int, band: str | None) -> str:
    """``BLLac-0001R.fit``, ``Bias-0001.fit``."""
    return f"{word}-{number:04d}{band or ''}.fit"
