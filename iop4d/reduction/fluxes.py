"""The flux density of a result, and the Galaxy's dust before its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.result import NAN, Measurement, ResultValue
from iop4d.model.source import Source
from iop4d.reduction.apertures import DETECTED
from iop4d.science.flux import POGSON, flux_mjy, magnitude


def with_flux(result: ResultValue, target: Source, forced: Measurement | None = None,
              ) -> ResultValue:
    """The result with its flux density as observed and the extinction of its source.

    The flux is that of ``mag``. Where there is none, of a source too faint for one, it is that of
    ``forced`` (ADU/s at the source's place) by the zero point: it may be negative. Its error is
    random, as that of ``mag`` is. NaN for a band whose zero point in mJy is not known.
    """
    flux, err = NAN, NAN
    if math.isfinite(result.mag):
        flux = flux_mjy(result.mag, result.band)
        err = flux * result.mag_err / POGSON
    elif forced is not None and math.isfinite(result.zero_point):
        of_one = flux_mjy(result.zero_point, result.band)
        flux, err = of_one * forced.flux, of_one * forced.flux_err
    return replace(result, flux_mjy=flux, flux_mjy_err=err,
                   extinction_mag=target.extinction.get(result.band, NAN))


def with_mean_flux(mean: ResultValue, each: Sequence[ResultValue],
                   target: Source) -> ResultValue:
    """The mean of some frames' results with its flux density.

    Where a frame has no magnitude, its flux being negative, a mean of the magnitudes of the others
    would be too bright: flux and magnitude are then those of the weighted mean of all fluxes. A
    mean below three sigma is an upper limit as that of a frame is; frames that are too faint each
    may well be detected together.
    """
    mean = with_flux(mean, target)
    if all(math.isfinite(r.mag) for r in each):
        return mean
    flux, err = mean_flux(each)
    alone = int(Flag.NOT_DETECTED | Flag.UPPER_LIMIT)
    if not flux >= DETECTED * err:
        return replace(mean, flux_mjy=flux, flux_mjy_err=err, mag=NAN, mag_err=NAN,
                       mag_limit=magnitude(DETECTED * err, mean.band),
                       flags=mean.flags | (alone if math.isfinite(flux) else 0))
    return replace(mean, flux_mjy=flux, flux_mjy_err=err, mag=magnitude(flux, mean.band),
                   mag_err=POGSON * err / flux, mag_limit=NAN, flags=mean.flags & ~alone)


def mean_flux(each: Sequence[ResultValue]) -> tuple[float, float]:
    """The weighted mean of the results' fluxes and its random error, mJy; NaN if there is none."""
    known = [r for r in each if math.isfinite(r.flux_mjy) and r.flux_mjy_err > 0]
    if not known:
        return NAN, NAN
    weight = np.array([r.flux_mjy_err**-2 for r in known])
    flux = float(np.sum(weight * np.array([r.flux_mjy for r in known])) / weight.sum())
    return flux, float(weight.sum()) ** -0.5
