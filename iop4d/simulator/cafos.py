"""Headers and names of CAFOS frames, as the real ones look."""

from __future__ import annotations

from astropy.io import fits

from iop4d.simulator.shot import Shot, iso

_FILTERS = {"B": "JohnsonB", "V": "JohnsonV", "R": "CousinsR", "I": "CousinsI"}
#: What INSPOROT says at each position of the half-wave plate.
_ROTATION = {0.0: 0.0, 22.5: 22.48, 45.0: 44.98, 67.5: 67.48}
_WORDS = {"BIAS": "bias", "DARK": "dark", "FLAT": "flat", "LIGHT": "sci"}
_KINDS = {**_WORDS, "LIGHT": "science"}
_FREE = "free      "  # as the real cards are padded


def name(shot: Shot) -> str:
    """``caf-20250913-21:43:38-sci-agui.fits``: the start of the exposure, to the second."""
    day, time = iso(shot.jd_start).split("T")
    return f"caf-{day.replace('-', '')}-{time[:8]}-{_WORDS[shot.kind]}-agui.fits"


def header(shot: Shot) -> fits.Header:
    """The header of a frame."""
    window, start = shot.window, iso(shot.jd_start)
    cards = fits.Header()
    cards["TELESCOP"] = ("CA-2.2", "Telescope name")
    cards["INSTRUME"] = ("CAFOS 2.2", "Instrument name")
    cards["DATE"] = (start, "UT-time of start of exposure")
    cards["DATE-OBS"] = (start, "UT-time of start of exposure")
    cards["MJD-OBS"] = (round(shot.jd_start - 2400000.5, 5), "MJD of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "Total exposure time in seconds")
    cards["IMAGETYP"] = (_KINDS[shot.kind], "Type of image")
    cards["OBJECT"] = _object(shot)
    if shot.pointing_deg is not None:
        cards["RA"] = (round(shot.pointing_deg[0], 6), "Right ascension in degrees")
        cards["DEC"] = (round(shot.pointing_deg[1], 6), "Declination in degrees")
    cards["INSFLNAM"] = (_FILTERS[shot.band] if shot.band else _FREE, "Filter")
    cards["INSGRNAM"] = (_FREE, "Grism")
    cards["INSTRMOD"] = ("Polarizer" if shot.plate_deg is not None else "Direct", "Mode")
    cards["INSPOFPI"] = ("Wollaston" if shot.plate_deg is not None else "FREE", "Analyser")
    cards["INSPOROT"] = (_ROTATION[shot.plate_deg or 0.0], "Rotation of the half-wave plate")
    cards["CCDBINX"] = (shot.binning, "Binning in x")
    cards["CCDBINY"] = (shot.binning, "Binning in y")
    last = (window.x + window.nx, window.y + window.ny)
    cards["DATASEC"] = f"[{window.x + 1},{window.y + 1},{last[0]},{last[1]}]"
    cards["CCDSENS"] = (1.43, "e-/ADU")
    cards["CCDSAT"] = (90000.0, "Saturation in e-")
    return cards


def _object(shot: Shot) -> str:
    """``BLLac 0.0 deg``: the position of the plate stands in the name."""
    if not shot.object:
        return shot.kind.lower()
    return shot.object + ("" if shot.plate_deg is None else f" {shot.plate_deg:.1f} deg")
