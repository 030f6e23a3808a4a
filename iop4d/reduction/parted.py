"""A source with a neighbour in its aperture: its magnitude by PSF photometry beside the other."""

from __future__ import annotations

import math
from dataclasses import replace

from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement, ResultValue
from iop4d.model.source import Source
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.apertures import with_flux
from iop4d.reduction.host import aperture_of

#: A star of such a flag is not what PSF photometry takes it for.
_NO_STAR = Flag.SATURATED | Flag.BAD_PIXELS | Flag.EDGE | Flag.PIXELS_DOUBTFUL


def by_psf(m: Measurement, target: Source, frame: MeasuredFrame) -> Measurement | None:
    """The measurement with the flux of PSF photometry; None where there is none to be used.

    There is none of a group's mean, and none of a source that has an aperture of its own: its
    galaxy, which that aperture holds, is no star.
    """
    usable = m.psf_flux > 0 and m.psf_flux_err > 0 and not m.flags & _NO_STAR
    if not usable or frame.facts.mode == "polarimetry" or math.isfinite(aperture_of(target)):
        return None
    return with_flux(m, m.psf_flux, m.psf_flux_err)


def is_better(psf: Measurement, aperture: Measurement) -> bool:
    """Whether PSF photometry gives the magnitude: where its error is the smaller one.

    That of the aperture holds a part of the neighbours' light, that of the PSF grows with what the
    fit leaves of the stars' pixels.
    """
    return psf.flux_err / psf.flux < aperture.flux_err / max(aperture.flux, 1e-30)


def with_psf_magnitude(result: ResultValue, psf: Measurement | None, *, chosen: bool,
                       random_err: float) -> ResultValue:
    """The result with its PSF magnitude; ``random_err``: of the zero point."""
    if psf is None or not math.isfinite(result.zero_point + psf.mag_inst):
        return result
    return replace(
        result, photometry="psf" if chosen else "aperture",
        mag_psf=psf.mag_inst + result.zero_point,
        mag_psf_err=math.hypot(MAG_PER_RELATIVE_FLUX * psf.flux_err / psf.flux, random_err))
