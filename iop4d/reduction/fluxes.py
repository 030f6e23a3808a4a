"""The flux density of a result, and the Galaxy's dust before its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.flags import Flag
from iop4d.model.result import NAN, Measurement, ResultValue
from iop4d.model.source import Source
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.apertures import DETECTED
from iop4d.science.flux import flux_mjy, magnitude
from iop4d.science.photometry import NEIGHBOUR_ERR

_OWN = 0.1  # part of a flux's error that its frame has at least for itself


def with_flux_density(result: ResultValue, target: Source, forced: Measurement | None = None,
                      ) -> ResultValue:
    """The result with its flux density as observed and the extinction of its source.

    The flux is that of ``mag``. Where there is none, of a source too faint for one, it is that of
    ``forced`` (ADU/s at the source's place) by the zero point: it may be negative. Its error is
    random, as that of ``mag`` is. NaN for a band whose zero point in mJy is not known.
    """
    flux, err = NAN, NAN
    if math.isfinite(result.mag):
        flux = flux_mjy(result.mag, result.band)
        err = flux * result.mag_err / MAG_PER_RELATIVE_FLUX
    elif forced is not None and math.isfinite(result.zero_point):
        of_one = flux_mjy(result.zero_point, result.band)
        flux, err = of_one * forced.flux, of_one * forced.flux_err
    return replace(result, flux_mjy=flux, flux_mjy_err=err,
                   extinction_mag=target.extinction.get(result.band, NAN))


def with_mean_flux(mean: ResultValue, each: Sequence[ResultValue], target: Source,
                   forced: Sequence[Measurement] = ()) -> ResultValue:
    """The mean of some frames' results with its flux density.

    Where a frame has no magnitude, its flux being negative, a mean of the magnitudes of the others
    would be too bright: flux and magnitude are then those of the weighted mean of all fluxes. A
    mean below three sigma is an upper limit as that of a frame is; frames that are too faint each
    may well be detected together. ``forced``: the target on the frames, in the results' order,
    whose neighbours' light is wrong by the same on all of them.
    """
    mean = with_flux_density(mean, target)
    if all(math.isfinite(r.mag) for r in each):
        return mean
    weighted = mean_flux(each, shared=light_error(each, forced))
    flux, err = (NAN, NAN) if weighted is None else (weighted.flux, weighted.err)
    alone = int(Flag.NOT_DETECTED | Flag.UPPER_LIMIT)
    if not flux >= DETECTED * err:
        return replace(mean, flux_mjy=flux, flux_mjy_err=err, mag=NAN, mag_err=NAN,
                       mag_limit=magnitude(DETECTED * err, mean.band),
                       flags=mean.flags | (alone if math.isfinite(flux) else 0))
    return replace(mean, flux_mjy=flux, flux_mjy_err=err, mag=magnitude(flux, mean.band),
                   mag_err=MAG_PER_RELATIVE_FLUX * err / flux, mag_limit=NAN,
                   flags=mean.flags & ~alone)


@dataclass(frozen=True, kw_only=True)
class MeanFlux:
    """The mean ``flux`` of the results ``used``, weighted by ``weight`` (1 in all), with its random
    error, mJy."""

    flux: float
    err: float
    used: tuple[ResultValue, ...]
    weight: NDArray[np.float64]

    def of(self, name: str) -> float:
        """The mean of another value, so weighted, of the results that have one; NaN if none has."""
        values = np.array([getattr(r, name) for r in self.used], dtype=np.float64)
        known = np.isfinite(values)
        return float(np.average(values[known], weights=self.weight[known])) if known.any() else NAN


def mean_flux(each: Sequence[ResultValue], *, shared: float = 0.0) -> MeanFlux | None:
    """The weighted mean of the fluxes of results; None where no result has one.

    Its error is that of the weights, and larger by the root of the reduced chi-square where the
    fluxes scatter by more. ``shared``: the error that all have in common (mJy), which does not
    average out.
    """
    used = tuple(r for r in each if math.isfinite(r.flux_mjy) and r.flux_mjy_err > 0)
    if not used:
        return None
    flux, err = (np.array([getattr(r, name) for r in used]) for name in (
        "flux_mjy", "flux_mjy_err"))
    inverse = np.maximum(err**2 - shared**2, (_OWN * err) ** 2) ** -1.0
    weight = inverse / inverse.sum()
    mean = float(np.sum(weight * flux))
    chi2 = float(np.sum(inverse * (flux - mean) ** 2)) / max(len(used) - 1, 1)
    return MeanFlux(flux=mean, used=used, weight=weight, err=math.hypot(
        math.sqrt(max(1.0, chi2) / float(inverse.sum())), shared))


def light_error(each: Sequence[ResultValue], forced: Sequence[Measurement]) -> float:
    """Error of the light of others, mJy, which is in all frames of a source alike: of neighbours,
    and of stars too faint to be detected.

    By the frames whose flux tells how much that light is; ``forced``: the source on the frames, in
    the results' order.
    """
    parts = [math.hypot(NEIGHBOUR_ERR * m.neighbours * m.flux, m.confusion_err)
             * flux_mjy(r.zero_point, r.band)
             for r, m in zip(each, forced, strict=False) if m.flux > 0]
    known = [part for part in parts if math.isfinite(part)]
    return sum(known) / len(known) if known else 0.0
