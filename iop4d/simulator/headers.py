"""What is to be exposed, and the header and the file name that each camera's program gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from astropy.io import fits

from iop4d.model.units import isot_of_jd, sexagesimal
from iop4d.simulator.camera import Window


@dataclass(frozen=True, kw_only=True)
class Shot:
    """An exposure. ``kind``: BIAS, DARK, FLAT or LIGHT; ``object`` and ``number`` of a LIGHT.

    ``plate_deg``: position of the polariser or the half-wave plate, None in photometry; ``window``:
    what is read of the CCD. ``flipped`` and ``fts``: habits of DIPOL's program, see NightPlan.
    """

    kind: str
    instrument: str
    jd_start: float
    exptime_s: float
    binning: int
    window: Window
    band: str = ""
    object: str = ""
    number: int = 1
    plate_deg: float | None = None
    pointing_deg: tuple[float, float] | None = None
    flipped: bool = False
    fts: bool = False


#: JD(UTC) of 2023-01-11, until when the camera of the 1.5 m telescope called itself Andor.
_NAMED_JD = 2459955.5
_OSN_POLARISERS = {-45.0: "_45", 0.0: "0", 45.0: "45", 90.0: "90"}


def filter_of(shot: Shot) -> str:
    """``R``, or through a polariser ``R_45``, ``R0``, ``R45``, ``R90``."""
    return shot.band + ("" if shot.plate_deg is None else _OSN_POLARISERS[shot.plate_deg])


def osn_name(shot: Shot) -> str:
    """``BLLac-0001R.fit``, ``BLLac-0001R0.fit``."""
    return f"{shot.object or shot.kind.capitalize()}-{shot.number:04d}{filter_of(shot)}.fit"


def osn_header(shot: Shot) -> fits.Header:
    """The header of a frame."""
    cards = fits.Header()
    telescope = "T150-OSN" if shot.instrument == "AndorT150" else "T90-OSN"
    cards["TELESCOP"] = (telescope, "telescope used to acquire this image")
    cards["INSTRUME"] = (_camera(shot), "instrument or camera used")
    cards["JD"] = (round(shot.jd_start, 8), "Julian date at the start of exposure")
    cards["DATE-OBS"] = (isot_of_jd(shot.jd_start), "UT date and time of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "exposure time in seconds")
    cards["IMAGETYP"] = (shot.kind, "type of image")
    cards["OBJECT"] = f"{shot.object} {filter_of(shot)}" if shot.object else shot.kind.capitalize()
    if shot.band:
        cards["FILTER"] = (filter_of(shot), "filter used")
    if shot.pointing_deg is not None:
        ra, dec = shot.pointing_deg
        cards["OBJCTRA"] = (sexagesimal(ra, hours=True, digits=0, separator=" "),
                            "nominal right ascension")
        cards["OBJCTDEC"] = (sexagesimal(dec, digits=0, separator=" "), "nominal declination")
    cards["XBINNING"] = shot.binning
    cards["YBINNING"] = shot.binning
    cards["CCD-TEMP"] = (-100.0, "CCD temperature at start of exposure in C")
    return cards


def _camera(shot: Shot) -> str:
    if shot.instrument == "AndorT150" and shot.jd_start < _NAMED_JD:
        return "Andor"
    return shot.instrument


_CAFOS_FILTERS = {"B": "JohnsonB", "V": "JohnsonV", "R": "CousinsR", "I": "CousinsI"}
#: What INSPOROT says at each position of the half-wave plate.
_CAFOS_ROTATION = {0.0: 0.0, 22.5: 22.48, 45.0: 44.98, 67.5: 67.48}
_CAFOS_WORDS = {"BIAS": "bias", "DARK": "dark", "FLAT": "flat", "LIGHT": "sci"}
_CAFOS_KINDS = {**_CAFOS_WORDS, "LIGHT": "science"}
_CAFOS_FREE = "free      "  # as the real cards are padded


def cafos_name(shot: Shot) -> str:
    """``caf-20250913-21:43:38-sci-agui.fits``: the start of the exposure, to the second."""
    day, time = isot_of_jd(shot.jd_start).split("T")
    return f"caf-{day.replace('-', '')}-{time[:8]}-{_CAFOS_WORDS[shot.kind]}-agui.fits"


def cafos_header(shot: Shot) -> fits.Header:
    """The header of a frame."""
    window, start = shot.window, isot_of_jd(shot.jd_start)
    cards = fits.Header()
    cards["TELESCOP"] = ("CA-2.2", "Telescope name")
    cards["INSTRUME"] = ("CAFOS 2.2", "Instrument name")
    cards["DATE"] = (start, "UT-time of start of exposure")
    cards["DATE-OBS"] = (start, "UT-time of start of exposure")
    cards["MJD-OBS"] = (round(shot.jd_start - 2400000.5, 5), "MJD of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "Total exposure time in seconds")
    cards["IMAGETYP"] = (_CAFOS_KINDS[shot.kind], "Type of image")
    cards["OBJECT"] = _cafos_object(shot)
    if shot.pointing_deg is not None:
        cards["RA"] = (round(shot.pointing_deg[0], 6), "Right ascension in degrees")
        cards["DEC"] = (round(shot.pointing_deg[1], 6), "Declination in degrees")
    cards["INSFLNAM"] = (_CAFOS_FILTERS[shot.band] if shot.band else _CAFOS_FREE, "Filter")
    cards["INSGRNAM"] = (_CAFOS_FREE, "Grism")
    cards["INSTRMOD"] = ("Polarizer" if shot.plate_deg is not None else "Direct", "Mode")
    cards["INSPOFPI"] = ("Wollaston" if shot.plate_deg is not None else "FREE", "Analyser")
    cards["INSPOROT"] = (_CAFOS_ROTATION[shot.plate_deg or 0.0], "Rotation of the half-wave plate")
    cards["CCDBINX"] = (shot.binning, "Binning in x")
    cards["CCDBINY"] = (shot.binning, "Binning in y")
    last = (window.x + window.nx, window.y + window.ny)
    cards["DATASEC"] = f"[{window.x + 1},{window.y + 1},{last[0]},{last[1]}]"
    cards["CCDSENS"] = (1.43, "e-/ADU")
    cards["CCDSAT"] = (90000.0, "Saturation in e-")
    return cards


def _cafos_object(shot: Shot) -> str:
    """``BLLac 0.0 deg``: the position of the plate stands in the name."""
    if not shot.object:
        return shot.kind.lower()
    return shot.object + ("" if shot.plate_deg is None else f" {shot.plate_deg:.1f} deg")


_DIPOL_FILTERS = {"R": "Red", "V": "Green", "B": "Blue"}
_DIPOL_KINDS = {"BIAS": "Bias Frame", "DARK": "Dark Frame", "FLAT": "Flat Field",
                "LIGHT": "Light Frame"}
_TELESCOPE_JD = 2460228.5  # 2023-10-11: TELESCOP was empty before
_POINTING_JD = 2460676.5  # 2025-01-01: no pointing before


def dipol_object(name: str) -> str:
    """An object's name as DIPOL's observers type it: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


def dipol_name(shot: Shot) -> str:
    """``BLLac_IAR-0001R.fit``, or ``BLLac_R_IAR-0001.fts``; frames of masters by their kind."""
    what = dipol_object(shot.object) if shot.object else shot.kind.capitalize()
    if shot.fts:
        return "_".join(filter(None, (what, shot.band, "IAR"))) + f"-{shot.number:04d}.fts"
    return f"{what}_IAR-{shot.number:04d}{shot.band}.fit"


def dipol_header(shot: Shot) -> fits.Header:
    """The header of a frame."""
    cards = fits.Header()
    cards["TELESCOP"] = ("T90-OSN" if shot.jd_start >= _TELESCOPE_JD else "",
                         "telescope used to acquire this image")
    cards["INSTRUME"] = ("ASI Camera (1)", "instrument or camera used")
    cards["JD"] = (round(shot.jd_start, 8), "Julian date at the start of exposure")
    cards["DATE-OBS"] = (isot_of_jd(shot.jd_start), "UT date and time of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "exposure time in seconds")
    cards["IMAGETYP"] = (_DIPOL_KINDS[shot.kind], "type of image")
    if shot.object:
        cards["OBJECT"] = f"{dipol_object(shot.object)}_{shot.band}_IAR"
        cards["NOTES"] = "" if shot.plate_deg is None else f"{shot.plate_deg:g} deg"
    else:
        cards["OBJECT"] = shot.kind.capitalize()
    if shot.band:
        cards["FILTER"] = (_DIPOL_FILTERS[shot.band], "filter used")
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


_PRISMS = {0.0: "P1-", 45.0: "P3-"}
_IRAF_KINDS = {"BIAS": "zero", "DARK": "dark", "FLAT": "flat", "LIGHT": "object"}


def prisms_name(shot: Shot) -> str:
    """``oj287p1-r0001.fits``, as an observer with IRAF names it."""
    filter_ = _PRISMS.get(shot.plate_deg, "") + shot.band if shot.plate_deg is not None \
        else shot.band
    return f"{shot.object or _IRAF_KINDS[shot.kind]}{filter_}{shot.number:04d}.fits".lower()


def prisms_header(shot: Shot) -> fits.Header:
    """The header of a frame: no instrument, date and time apart."""
    day, time = isot_of_jd(shot.jd_start).split("T")
    cards = fits.Header()
    cards["OBSERVAT"] = ("Two Prisms", "observatory")
    cards["DATE-OBS"] = (day, "UT date")
    cards["UT"] = (time, "UT at exposure start")
    cards["EXPTIME"] = (shot.exptime_s, "integration time in seconds")
    cards["IMAGETYP"] = (_IRAF_KINDS[shot.kind], "IRAF image type")
    cards["OBJECT"] = shot.object
    if shot.band:
        prism = "" if shot.plate_deg is None else _PRISMS[shot.plate_deg]
        cards["FILTER"] = (f"{prism}{shot.band}", "filter")
    if shot.pointing_deg is not None:
        ra, dec = shot.pointing_deg
        cards["RA"] = sexagesimal(ra, hours=True, digits=0)
        cards["DEC"] = sexagesimal(dec, digits=0)
    cards["BINNING"] = f"{shot.binning}*{shot.binning}"
    return cards
