"""The reduced frame on disk: calibrated pixels, and a header that tells all that was done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import iop4d
from iop4d.fits.cards import Value
from iop4d.fits.write import write_image
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import Reduced, ReduceRequest

_JD_2000 = 2451544.5  # JD of 2000-01-01T00:00
_MJD_ZERO = 2400000.5


def write_reduced(path: Path, image: NDArray[np.float32], reduced: Reduced,
                  request: ReduceRequest) -> None:
    """Write the calibrated image [y, x], ADU with sky, NaN where bad."""
    cards: dict[str, Value] = {
        **_of_frame(request.facts),
        **reduced.wcs,
        **_two_beams(reduced),
        "WCSRMS": reduced.wcs_rms_px, "WCSSTARS": reduced.n_matched,
        "NSTARS": reduced.n_detected,
        "FWHM": reduced.fwhm_px, "FWHMSEC": reduced.fwhm_arcsec,
        "SKY": reduced.sky, "SKYSIGMA": reduced.sky_sigma,
        "APRADIUS": reduced.aperture_px, "ANINNER": reduced.annulus_px[0],
        "ANOUTER": reduced.annulus_px[1], "AIRMASS": reduced.airmass, "BJD-TDB": reduced.bjd_tdb,
        **_zero_point(reduced),
        "RAWFILE": request.path.name,
        **{f"M{ref.kind.upper()}": ref.path.name for ref in request.masters},
        "SOFTWARE": f"iop4d {iop4d.__version__}",
    }
    write_image(path, image, cards, history=reduced.warnings, digest=False)


def _of_frame(facts: FrameFacts) -> dict[str, Value]:
    return {
        "BUNIT": "adu", "OBJECT": facts.object, "TELESCOP": facts.telescope,
        "INSTRUME": facts.instrument, "FILTER": facts.band or "", "EXPTIME": facts.exptime_s,
        "DATE-OBS": _iso(facts.jd_start), "TIMESYS": "UTC",
        "MJD-OBS": facts.jd_start - _MJD_ZERO, "NIGHT": facts.night, "BINNING": facts.binning,
        "OBSMODE": facts.mode, **_polariser(facts),
    }


def _polariser(facts: FrameFacts) -> dict[str, Value]:
    return {} if facts.polariser_deg is None else {"POLANGLE": facts.polariser_deg}


def _two_beams(reduced: Reduced) -> dict[str, Value]:
    """WCS A of the extraordinary images, B of the ordinary ones (FITS standard, 8.2.1)."""
    if not reduced.wcs_ordinary:
        return {}
    both = (("A", reduced.wcs), ("B", reduced.wcs_ordinary))
    return {"WCSNAMEA": "extraordinary image", "WCSNAMEB": "ordinary image", **{
        f"{card}{letter}": value.removesuffix("-SIP") if isinstance(value, str) else value
        for letter, wcs in both for card, value in wcs.items()
        if not card.startswith(("A_", "B_"))}}


def _zero_point(reduced: Reduced) -> dict[str, Value]:
    """That of the first target: a frame has one, but for targets with their own calibrators."""
    for result in reduced.results:
        if result.n_calibrators:
            return {"ZP": result.zero_point, "ZPERR": result.zero_point_err,
                    "ZPSTARS": result.n_calibrators, "ZPFOR": result.source}
    return {}


def _iso(jd: float) -> str:
    # A JD in double precision is good to 0.04 ms.
    milliseconds = timedelta(milliseconds=round((jd - _JD_2000) * 86400e3))
    return (datetime(2000, 1, 1, tzinfo=UTC) + milliseconds).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
