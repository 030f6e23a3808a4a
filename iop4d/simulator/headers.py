"""Headers and names of raw frames of the five instruments, as the real ones look."""

from __future__ import annotations

from dataclasses import dataclass

from astropy.io import fits

from iop4d.simulator.andor import iso, sexagesimal


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What a header has to tell. ``kind``: BIAS, DARK, FLAT or LIGHT; ``origin``: (x, y) of the
    window; ``angle``: of the polaroid or plate, None in photometry."""

    kind: str
    jd_start: float
    exptime_s: float
    shape: tuple[int, int]
    binning: int
    object: str = ""
    band: str = ""
    angle: float | None = None
    pointing_deg: tuple[float, float] | None = None
    origin: tuple[int, int] = (0, 0)
    number: int = 1
    flipped: bool = False


_POLAROID = {-45.0: "_45", 0.0: "0", 45.0: "45", 90.0: "90"}


def osn_header(shot: Shot, *, telescop: str, instrume: str) -> fits.Header:
    """Of the Sierra Nevada CCDs: the polaroid's angle is in FILTER."""
    cards = fits.Header()
    cards["TELESCOP"] = (telescop, "telescope used to acquire this image")
    cards["INSTRUME"] = (instrume, "instrument or camera used")
    cards["JD"] = (round(shot.jd_start, 8), "Julian date at the start of exposure")
    cards["DATE-OBS"] = (iso(shot.jd_start), "UT date and time of start of exposure")
    cards["EXPTIME"] = (shot.exptime_s, "exposure time in seconds")
    cards["IMAGETYP"] = (shot.kind, "type of image")
    cards["OBJECT"] = f"{shot.object} {_osn_filter(shot)}".strip()
    if shot.band:
        cards["FILTER"] = (_osn_filter(shot), "filter used")
    if shot.pointing_deg is not None:
        cards["OBJCTRA"] = (sexagesimal(shot.pointing_deg[0] / 15.0), "nominal right ascension")
        cards["OBJCTDEC"] = (sexagesimal(shot.pointing_deg[1], sign=True), "nominal declination")
    cards["XBINNING"] = shot.binning
    cards["YBINNING"] = shot.binning
    return cards


def osn_name(shot: Shot) -> str:
    """``BLLac-0001R_45.fit``."""
    return f"{shot.object}-{shot.number:04d}{_osn_filter(shot)}.fit"


def _osn_filter(shot: Shot) -> str:
    return shot.band + ("" if shot.angle is None else _POLAROID[shot.angle])


_CAFOS_KINDS = {"BIAS": "bias", "FLAT": "flat", "LIGHT": "science"}


def cafos_header(shot: Shot) -> fits.Header:
    """Of CAFOS: plate angles a little off, padded values, the window in DATASEC."""
    ny, nx = shot.shape
    x, y = shot.origin
    polarimetry = shot.angle is not None
    cards = fits.Header()
    cards["TELESCOP"] = "CA-2.2"
    cards["INSTRUME"] = "CAFOS 2.2"
    cards["DATE"] = (iso(shot.jd_start + shot.exptime_s / 86400), "file creation")
    cards["DATE-OBS"] = iso(shot.jd_start)
    cards["MJD-OBS"] = round(shot.jd_start - 2400000.5, 5)
    cards["EXPTIME"] = shot.exptime_s
    cards["IMAGETYP"] = _CAFOS_KINDS[shot.kind]
    cards["OBJECT"] = shot.object + (f" {shot.angle} deg" if polarimetry else "")
    cards["INSFLNAM"] = f"Cousins{shot.band}" if shot.band else "free      "
    cards["INSGRNAM"] = "free      "
    cards["INSTRMOD"] = "Polarizer" if polarimetry else "Direct"
    cards["INSPOFPI"] = "Wollaston" if polarimetry else "FREE"
    cards["INSPOROT"] = max((shot.angle or 0.0) - 0.02, 0.0)
    if shot.pointing_deg is not None:
        cards["RA"], cards["DEC"] = shot.pointing_deg
    cards["CCDBINX"] = shot.binning
    cards["CCDBINY"] = shot.binning
    cards["DATASEC"] = f"[{x + 1},{y + 1},{x + nx},{y + ny}]"
    cards["CCDSENS"] = (1.43, "electrons per ADU")
    cards["CCDSAT"] = (90000, "saturation in electrons")
    return cards


def cafos_name(shot: Shot) -> str:
    """``caf-20250913-21:43:38-sci-agui.fits``, with - for :."""
    when = iso(shot.jd_start)
    kind = {"BIAS": "bias", "FLAT": "flat", "LIGHT": "sci"}[shot.kind]
    return f"caf-{when[:10].replace('-', '')}-{when[11:19].replace(':', '-')}-{kind}-agui.fits"


_DIPOL_KINDS = {"BIAS": "Bias Frame", "DARK": "Dark Frame", "FLAT": "Flat Field",
                "LIGHT": "Light Frame"}
_DIPOL_FILTERS = {"R": "Red", "V": "Green", "B": "Blue"}


def dipol_header(shot: Shot) -> fits.Header:
    """Of DIPOL: the plate's angle in NOTES, the window's origin in XORGSUBF and YORGSUBF."""
    cards = fits.Header()
    cards["TELESCOP"] = "T90-OSN"
    cards["INSTRUME"] = "ASI Camera (1)"
    cards["JD"] = round(shot.jd_start, 8)
    cards["DATE-OBS"] = iso(shot.jd_start)
    cards["EXPTIME"] = shot.exptime_s
    cards["IMAGETYP"] = _DIPOL_KINDS[shot.kind]
    cards["OBJECT"] = f"{shot.object}_{shot.band}_IAR" if shot.kind == "LIGHT" else shot.object
    if shot.band:
        cards["FILTER"] = _DIPOL_FILTERS[shot.band]
    if shot.angle is not None:
        cards["NOTES"] = f"{shot.angle:g} deg"
    if shot.pointing_deg is not None:
        cards["TELRA"] = (shot.pointing_deg[0] / 15.0, "hours")
        cards["TELDEC"] = (shot.pointing_deg[1], "degrees")
    cards["XBINNING"] = shot.binning
    cards["YBINNING"] = shot.binning
    cards["XORGSUBF"], cards["YORGSUBF"] = shot.origin
    cards["FLIPSTAT"] = "Flip" if shot.flipped else ""
    return cards


def dipol_name(shot: Shot) -> str:
    """``BLLac_IAR-0001R.fit``."""
    return f"{shot.object}_IAR-{shot.number:04d}{shot.band}.fit"
