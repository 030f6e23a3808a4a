"""The cards that iop4d itself writes into its products, with what they mean and their units."""

from __future__ import annotations

import re
from collections.abc import Mapping

from iop4d.fits.cards import Value
from iop4d.model.errors import FrameError

_OF_BOTH = {
    "BUNIT": "Unit of the pixels",
    "TELESCOP": "Telescope",
    "INSTRUME": "Instrument, as iop4d names it",
    "FILTER": "Band",
    "EXPTIME": "[s] Exposure time",
    "NIGHT": "Date of the evening of the night",
    "BINNING": "Binning of the detector",
    "MBIAS": "Master bias that was subtracted",
    "MDARK": "Master dark that was subtracted",
    "MPATTERN": "Fixed pattern that was subtracted",
    "MFLAT": "Master flat by which was divided",
    "SOFTWARE": "Program that wrote this file",
}

#: Cards of a reduced frame besides its WCS.
OF_REDUCED: Mapping[str, str] = _OF_BOTH | {
    "OBJECT": "Object",
    "DATE-OBS": "Start of the exposure, UTC",
    "TIMESYS": "Time scale of this header",
    "MJD-OBS": "[d] Start of the exposure, MJD(UTC)",
    "OBSMODE": "photometry or polarimetry",
    "POLANGLE": "[deg] Position of polariser or half-wave plate",
    "WCSRMS": "[pixel] Residual of the stars of the WCS",
    "WCSSTARS": "Stars of the WCS",
    "NSTARS": "Stars found",
    "FWHM": "[pixel] FWHM of the PSF",
    "FWHMSEC": "[arcsec] FWHM of the PSF",
    "SKY": "[adu] Level of the sky",
    "SKYSIGMA": "[adu] Noise of the sky in a pixel",
    "APRADIUS": "[pixel] Radius of the aperture",
    "ANINNER": "[pixel] Inner radius of the annulus",
    "ANOUTER": "[pixel] Outer radius of the annulus",
    "AIRMASS": "Airmass at mid-exposure",
    "BJD-TDB": "[d] Mid-exposure, BJD(TDB)",
    "ZP": "[mag] Zero point of 1 adu/s",
    "ZPERR": "[mag] Random error of the zero point",
    "ZPSTARS": "Calibrators of the zero point",
    "ZPFOR": "Source whose calibrators these are",
    "RAWFILE": "Name of the raw file",
}

#: Cards of a master.
OF_MASTER: Mapping[str, str] = _OF_BOTH | {
    "IMAGETYP": "Kind of master",
    "EXPTIME": "[s] Median exposure time of the frames",
    "NCOMBINE": "Frames combined",
    "LEVEL": "Median of the pixels",
    "SCATTER": "Scatter of the pixels",
    "NHOT": "Hot pixels",
    "NBAD": "Pixels that are not used",
}

#: Cards of a WCS, by pattern.
OF_WCS: Mapping[str, str] = {
    r"WCSAXES[AB]?": "Axes of the WCS",
    r"WCSNAME[AB]?": "What the WCS is of",
    r"CTYPE1[AB]?": "Right ascension, gnomonic projection",
    r"CTYPE2[AB]?": "Declination, gnomonic projection",
    r"CUNIT[12][AB]?": "Unit of the coordinate",
    r"CRVAL1[AB]?": "[deg] Right ascension of the reference pixel",
    r"CRVAL2[AB]?": "[deg] Declination of the reference pixel",
    r"CRPIX1[AB]?": "[pixel] Reference pixel, x from 1",
    r"CRPIX2[AB]?": "[pixel] Reference pixel, y from 1",
    r"CD[12]_[12][AB]?": "[deg/pixel] Scale and rotation",
    r"RADESYS[AB]?": "Frame of the coordinates",
    r"[AB]_ORDER": "Order of the SIP polynomial",
    r"[AB]_\d_\d": "SIP distortion",
}


def refuse_product(header: Mapping[str, Value]) -> None:
    """Raise FrameError for a reduced frame or a master of iop4d: its cards are those of a frame."""
    program = str(header.get("SOFTWARE", ""))
    if program.startswith("iop4d "):
        raise FrameError(f"was written by {program}: a product of raw frames, and no raw frame")


def comments_of(cards: Mapping[str, Value], named: Mapping[str, str]) -> dict[str, str]:
    """What each card says: of ``named`` ones, and of those of a WCS."""
    return {name: named.get(name) or next(
        (said for pattern, said in OF_WCS.items() if re.fullmatch(pattern, name)), "")
        for name in cards}
