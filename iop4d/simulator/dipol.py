"""Headers and names of DIPOL frames, as the real ones look."""

from __future__ import annotations

import re

from astropy.io import fits

from iop4d.simulator.shot import Shot, iso

_FILTERS = {"R": "Red", "V": "Green", "B": "Blue"}
_KINDS = {"BIAS": "Bias Frame", "DARK": "Dark Frame", "FLAT": "Flat Field", "LIGHT": "Light Frame"}
_TELESCOPE_JD = 2460228.5  # 2023-10-11: TELESCOP was empty before
_POINTING_JD = 2460676.5  # 2025-01-01: no pointing before


def plain(name: str) -> str:
    """An object's name as DIPOL's observers type it: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


def name(shot: Shot) -> str:
    """``BLLac_IAR-0001R.fit``, or ``BLLac_R_IAR-0001.fts``; frames of masters by their kind."""
    what = plain(shot.object) if shot.object else shot.kind.capitalize()
    if shot.fts:
        return "_".join(filter(None, (what, shot.band, "IAR"))) + f"-{shot.number:04d}.fts"
    return f"{what}_IAR-{shot.number:04d}{shot.band}.fit"


def header(shot: Shot) -> fits.Header:
    """The header of a frame."""
    cards = fits.Header()
    cards["TELESCOP"] = ("T90-OSN" if shot.jd_start >= _TELESCOPE_JD else "",
                         "telescope used to acquire this image")
    cards["INSTRUME"] = ("ASI Camera (1)", "instrument or camera used")
    cards["JD"] = (round(shot.jd_start, 8), "Julian date at the start of exposure")
    cards["DATE-OBS"] = (iso(shot.jd_start), "UT date and time of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "exposure time in seconds")
    cards["IMAGETYP"] = (_KINDS[shot.kind], "type of image")
    if shot.object:
        cards["OBJECT"] = f"{plain(shot.object)}_{shot.band}_IAR"
        cards["NOTES"] = "" if shot.plate_deg is None else f"{shot.plate_deg:g} deg"
    else:
        cards["OBJECT"] = shot.kind.capitalize()
    if shot.band:
        cards["FILTER"] = (_FILTERS[shot.band], "filter used")
    if shot.pointing_deg is not None and shot.jd_start >= _POINTING_JD:
        cards["TELRA"] = (round(shot.pointing_deg[0] / 15.0, 7), "right ascension in hours")
        cards["TELDEC"] = (round(shot.pointing_deg[1], 6), "declination in degrees")
    cards["XBINNING"] = shot.binning
    cards["YBINNING"] = shot.binning
    cards["XORGSUBF"] = (shot.window.x, "x of the first pixel, in binned pixels")
    cards["YORGSUBF"] = (shot.window.y, "y of the first pixel, in binned pixels")
    cards["FLIPSTAT"] = "Flip" if shot.flipped else ""
    cards["SET-TEMP"] = (-10.0, "CCD temperature set point in C")
    return cards
