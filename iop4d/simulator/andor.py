"""Headers and names of AndorT90 frames, as the real ones look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from astropy.io import fits

_EPOCH = 2440587.5  # JD of 1970-01-01T00:00 UTC


def iso(jd: float) -> str:
    """JD(UTC) as DATE-OBS has it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - _EPOCH)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def header(*, kind: str, jd_start: float, exptime_s: float, binning: int = 2, band: str = "",
           name: str = "", pointing_deg: tuple[float, float] | None = None) -> fits.Header:
    """The header of a frame. ``kind``: BIAS, FLAT or LIGHT."""
    cards = fits.Header()
    cards["TELESCOP"] = ("T90-OSN", "telescope used to acquire this image")
    cards["INSTRUME"] = ("AndorT90", "instrument or camera used")
    cards["JD"] = (round(jd_start, 8), "Julian date at the start of exposure")
    cards["DATE-OBS"] = (iso(jd_start), "UT date and time of start of exposure")
    cards["EXPTIME"] = (exptime_s, "exposure time in seconds")
    cards["IMAGETYP"] = (kind, "type of image")
    cards["OBJECT"] = name
    if band:
        cards["FILTER"] = (band, "filter used")
    if pointing_deg is not None:
        cards["OBJCTRA"] = (sexagesimal(pointing_deg[0] / 15.0), "nominal right ascension")
        cards["OBJCTDEC"] = (sexagesimal(pointing_deg[1], sign=True), "nominal declination")
    cards["XBINNING"] = binning
    cards["YBINNING"] = binning
    cards["CCD-TEMP"] = (-100.0, "CCD temperature at start of exposure in C")
    return cards


def sexagesimal(value: float, *, sign: bool = False) -> str:
    """``22 02 43``, or with its sign ``+42 16 40``."""
    seconds = round(abs(value) * 3600)
    text = f"{seconds // 3600:02d} {seconds // 60 % 60:02d} {seconds % 60:02d}"
    return f"{'-' if value < 0 else '+'}{text}" if sign else text
