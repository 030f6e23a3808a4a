"""Headers and names of frames of the OSN's CCDs, as the real ones look."""

from __future__ import annotations

from astropy.io import fits

from iop4d.simulator.shot import Shot, iso, sexagesimal

#: JD(UTC) of 2023-01-11, until when the camera of the 1.5 m telescope called itself Andor.
_NAMED_JD = 2459955.5
_POLAROIDS = {-45.0: "_45", 0.0: "0", 45.0: "45", 90.0: "90"}


def filter_of(shot: Shot) -> str:
    """``R``, or through a polaroid ``R_45``, ``R0``, ``R45``, ``R90``."""
    return shot.band + ("" if shot.plate_deg is None else _POLAROIDS[shot.plate_deg])


def name(shot: Shot) -> str:
    """``BLLac-0001R.fit``, ``BLLac-0001R0.fit``."""
    return f"{shot.object or shot.kind.capitalize()}-{shot.number:04d}{filter_of(shot)}.fit"


def header(shot: Shot) -> fits.Header:
    """The header of a frame."""
    cards = fits.Header()
    telescope = "T150-OSN" if shot.instrument == "AndorT150" else "T90-OSN"
    cards["TELESCOP"] = (telescope, "telescope used to acquire this image")
    cards["INSTRUME"] = (_camera(shot), "instrument or camera used")
    cards["JD"] = (round(shot.jd_start, 8), "Julian date at the start of exposure")
    cards["DATE-OBS"] = (iso(shot.jd_start), "UT date and time of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "exposure time in seconds")
    cards["IMAGETYP"] = (shot.kind, "type of image")
    cards["OBJECT"] = f"{shot.object} {filter_of(shot)}" if shot.object else shot.kind.capitalize()
    if shot.band:
        cards["FILTER"] = (filter_of(shot), "filter used")
    if shot.pointing_deg is not None:
        ra, dec = shot.pointing_deg
        cards["OBJCTRA"] = (sexagesimal(ra / 15.0), "nominal right ascension")
        cards["OBJCTDEC"] = (sexagesimal(dec, sign=True), "nominal declination")
    cards["XBINNING"] = shot.binning
    cards["YBINNING"] = shot.binning
    cards["CCD-TEMP"] = (-100.0, "CCD temperature at start of exposure in C")
    return cards


def _camera(shot: Shot) -> str:
    if shot.instrument == "AndorT150" and shot.jd_start < _NAMED_JD:
        return "Andor"
    return shot.instrument
