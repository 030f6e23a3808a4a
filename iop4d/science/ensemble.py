"""Zero points of many frames at once, from calibrators that need not all be in every frame.

The catalogue's errors are constant in time. If each frame had its zero point from whichever
calibrators were good in it, a star that saturates in one frame and not in the next would make a
step in the light curve, as large as its catalogue error shared among the stars. Here each
calibrator has an offset from its catalogue magnitude that is the same in all frames, found from all
of them, with the catalogue's error as its prior (ensemble photometry; Honeycutt 1992, PASP 104,
435). For a single frame this is the robust mean of its calibrators' zero points, weighted with
their variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.ordered import median, medians

Floats = NDArray[np.float64]

FLOOR = 0.001  # mag, of a star in a frame, besides its photons and scintillation: flat fields
_TUKEY = 4.7  # sigmas at which a calibrator's catalogue magnitude, or a point, counts no more
_ROUNDS = 30
_PASSES = 2  # the first finds what is bad, the second what the first mistook for it
_FEWEST_ROBUST = 4  # with fewer stars nobody can say which one is wrong


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Zero points of F frames from S calibrators; magnitudes, NaN where there is none.

    ``zero``, ``random_err``: (F,) zero points and their errors by all noise of the frames, those of
    other frames too, as far as the offsets took it up; ``common_err``: the error that all of them
    share, and those of other nights with the same stars: of the catalogue alone; ``offsets``: (S,)
    of each calibrator, its catalogue magnitude being too large by so much, ``offset_errs``: theirs,
    of the catalogue and of the star's photometry; ``weights``: (F, S) in
    [0, 1], of a star's flux in a frame; ``share``: (F, S) by how much a zero point follows a star's
    catalogue magnitude, over those in the frame 1 in all; ``trust``: (S,) how much each catalogue
    magnitude counts, in [0, 1]; ``steady_p``: (F,) probability that its stars scatter about a
    frame's zero point as they do by chance.
    """

    zero: Floats
    random_err: Floats
    common_err: float
    offsets: Floats
    offset_errs: Floats
    weights: Floats
    share: Floats
    trust: Floats
    steady_p: Floats


def solve(estimates: Floats, errors: Floats, prior: Floats) -> Ensemble:
    """Solve for zero points and offsets.

    ``estimates``: (F, S) catalogue minus instrumental magnitude, NaN where a star is not usable;
    ``errors``: (F, S) photometric errors; ``prior``: (S,) errors of the catalogue.
    """
    usable = np.isfinite(estimates) & np.isfinite(errors)
    z = np.where(usable, estimates, 0.0)
    sigma = np.hypot(np.where(usable, errors, 1.0), FLOOR)
    weights = np.where(usable, sigma**-2, 0.0)
    offsets, trust, variance = _settle(z, weights, prior)
    noise = sigma
    for _ in range(_PASSES):
        residual = _residual(z - offsets, usable)
        noise = sigma * _star_scale(residual, sigma, usable)
        weights = np.where(usable, noise**-2, 0.0) * _robust(residual / noise, usable)
        offsets, trust, variance = _settle(z, weights, prior)
    total = weights.sum(axis=1)
    has = total > 0
    leverage = weights / np.maximum(weights.sum(axis=0), 1e-30)
    random = (weights * (1.0 - leverage)).sum(axis=1) / np.where(has, total, 1.0) ** 2
    seen = weights.any(axis=0)
    zero = _zero(z - offsets, weights)
    common, noise_err = _common(offsets, variance, trust, prior)
    return Ensemble(
        zero=np.where(has, zero, np.nan),
        steady_p=_steady((z - offsets - zero[:, None]) / noise, usable),
        random_err=np.where(has, np.hypot(np.sqrt(random), noise_err), np.nan),
        common_err=common, offsets=np.where(seen, offsets, np.nan),
        offset_errs=np.where(seen, np.sqrt(variance), np.nan),
        weights=weights / np.maximum(weights.max(axis=1, keepdims=True, initial=0.0), 1e-30),
        share=_share(weights, trust / variance), trust=trust)


def _share(weights: Floats, catalogue: Floats) -> Floats:
    """What zero points follow: of the stars in a frame the catalogue magnitudes, as far as trusted.

    The offsets take up what the fluxes' weights would choose otherwise. A frame that shows no star
    of a trusted magnitude has its stars by their offsets, as their fluxes are certain.
    """
    share = np.where(weights > 0, catalogue, 0.0)
    share = np.where(share.any(axis=1, keepdims=True), share, weights)
    return np.asarray(share / np.maximum(share.sum(axis=1, keepdims=True), 1e-30))


def _residual(z: Floats, usable: NDArray[np.bool_]) -> Floats:
    """Each point against the median of its frame, which one bad point does not move.

    The medians of each star are taken out too: its offset may still hold some of a bad point.
    """
    shown = np.where(usable, z, np.nan)
    for axis in (1, 0):
        middle = np.zeros(shown.shape[1 - axis])
        full = usable.any(axis=axis)
        if axis == 1:
            middle[full] = medians(shown[full])
            shown = shown - middle[:, None]
        elif shown.shape[0] >= _FEWEST_ROBUST:
            middle[full] = medians(shown[:, full].T)
            shown = shown - middle[None, :]
    return np.where(usable, shown, 0.0)


def _settle(z: Floats, weights: Floats, prior: Floats) -> tuple[Floats, Floats, Floats]:
    """Offsets, the trust in each catalogue magnitude, and the variance of each offset's prior.

    Zero points and offsets are found in turn; that the trusted offsets average to zero, each as
    its catalogue magnitude and its measurements are certain, is what fixes the zero points.
    """
    data, total = weights.sum(axis=0), weights.sum(axis=1, keepdims=True)
    seen = data > 0
    variance = prior**2 + 1.0 / np.where(seen, data, np.inf)
    errors, certain = np.sqrt(variance), 1.0 / variance
    in_frame = weights / np.where(total > 0, total, 1.0)  # (F, S), of each frame 1 in all
    of_star = weights / np.where(seen, data, 1.0)  # (F, S), of each star 1 in all
    offsets, trust = np.zeros(z.shape[1]), seen.astype(float)
    for _ in range(_ROUNDS):
        zero = (in_frame * (z - offsets)).sum(axis=1, keepdims=True)
        new = (of_star * (z - zero)).sum(axis=0)
        trust = _trust(new, errors, seen)
        share = trust * certain
        known = float(share.sum())
        if known > 0:
            new = np.where(seen, new - float(share @ new) / known, 0.0)
        step = float(np.abs(new - offsets).max(initial=0.0))
        offsets = new
        if step < 1e-7:
            break
    return offsets, trust, variance


def _zero(residual: Floats, weights: Floats) -> Floats:
    total = weights.sum(axis=1)
    return np.asarray((weights * residual).sum(axis=1) / np.where(total > 0, total, 1.0))


def _trust(offsets: Floats, errors: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Tukey's biweight of the offsets, in units of their errors or of their scatter."""
    if np.count_nonzero(seen) < _FEWEST_ROBUST:
        return np.asarray(seen.astype(float))
    centre = median(offsets[seen])
    normal = np.abs(offsets - centre) / errors
    spread = max(1.0, MAD_TO_SIGMA * median(normal[seen]))
    trust = np.maximum(1.0 - (normal / (_TUKEY * spread)) ** 2, 0.0) ** 2
    return np.asarray(np.where(seen, trust, 0.0))


def _star_scale(residual: Floats, sigma: Floats, usable: NDArray[np.bool_]) -> Floats:
    """How much more each star scatters from frame to frame than its errors say; at least 1."""
    scale = np.ones(residual.shape[1])
    if residual.shape[0] < _FEWEST_ROBUST:
        return scale
    for star in range(residual.shape[1]):
        values = (residual[:, star] / sigma[:, star])[usable[:, star]]
        if values.size >= _FEWEST_ROBUST:
            scale[star] = max(1.0, MAD_TO_SIGMA * median(np.abs(values)))
    return scale


def _robust(normal: Floats, usable: NDArray[np.bool_]) -> Floats:
    """Tukey's biweight of each point, in frames with enough stars to tell an outlier."""
    factor = np.maximum(1.0 - (normal / _TUKEY) ** 2, 0.0) ** 2
    enough = usable.sum(axis=1, keepdims=True) >= _FEWEST_ROBUST
    kept = np.where(enough, factor, 1.0) * usable
    lost = ~(kept > 0).any(axis=1, keepdims=True)
    return np.asarray(np.where(lost, usable, kept))


def _steady(normal: Floats, usable: NDArray[np.bool_]) -> Floats:
    """Chance of a frame's scatter about its zero point, by chi squared.

    The worst star of four or more does not count: a cosmic ray, or a variable star.
    """
    squares = np.sort(np.where(usable, normal**2, 0.0), axis=1)
    count = usable.sum(axis=1)
    robust = count >= _FEWEST_ROBUST
    chi2 = squares.sum(axis=1) - np.where(robust, squares.max(axis=1, initial=0.0), 0.0)
    free = count - robust - 1
    return np.asarray(np.where(free > 0, chdtrc(np.maximum(free, 1), chi2), 1.0))


def _common(offsets: Floats, variance: Floats, trust: Floats,
            prior: Floats) -> tuple[float, float]:
    """(error that all zero points share by the catalogue, error of their mean by the fluxes).

    The stars' scatter beyond their errors (Birge ratio) is laid to the catalogue. The noise of the
    fluxes in the offsets is the night's own: another night with the same stars does not share it,
    and of a single frame it is all the noise that its zero point has.
    """
    share = trust / variance
    if share.sum() <= 0:
        return float("nan"), float("nan")
    share = share / share.sum()
    formal = float(np.sum(share**2 * variance))
    noise = float(np.sum(share**2 * np.maximum(variance - prior**2, 0.0)))
    count = int((trust > 0).sum())
    chi2 = float(np.sum(trust * offsets**2 / variance)) / (count - 1) if count > 1 else 1.0
    return float(np.sqrt(formal * max(1.0, chi2) - noise)), float(np.sqrt(noise))
