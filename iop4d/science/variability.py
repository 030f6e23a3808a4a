"""Whether calibrators vary: each against the others, over all frames of one camera and band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2 as chi_square

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FLOOR = 0.005  # mag, that a constant star scatters from night to night: flats, colours, sky
CHANCE = 1e-3  # of a constant star to scatter so much, below which it is said to vary
EXCESS = 0.01  # mag of scatter beyond the errors, as much as calibrators may have
FEWEST_STARS = 3  # with two nobody can say which one varies
FEWEST_FRAMES = 3
_ROUNDS = 50


@dataclass(frozen=True, kw_only=True)
class Constancy:
    """How constant S stars are; arrays of shape (S,).

    ``n``: frames that tell about a star; ``chi2``: of its magnitudes against the zero points of the
    others, with n - 1 degrees of freedom; ``p_value``: the chance of a constant star to reach it;
    ``scatter``: standard deviation, mag; ``excess``: what of it the errors do not explain, mag;
    ``varies``: p_value below 0.001 and excess above 0.01 mag. NaN where there is too little.
    """

    n: NDArray[np.intp]
    chi2: Floats
    p_value: Floats
    scatter: Floats
    excess: Floats
    varies: Mask


def constancy(mags: Floats, errors: Floats, *, floor: float = FLOOR) -> Constancy:
    """Hold each star against the weighted mean of all others, frame by frame.

    ``mags``, ``errors``: (F, S) instrumental magnitudes of S stars on F frames and their errors,
    NaN where a star is not measured; ``floor``: mag, added in quadrature. The zero point of a frame
    is the mean, weighted by the inverse variances, over the stars other than the one that is looked
    at (leave one out). A star that is found to vary leaves the zero points of the others too, the
    worst one first, as long as two are left.
    """
    good = np.isfinite(mags) & np.isfinite(errors)
    sigma = np.hypot(np.where(good, errors, 1.0), floor)
    trusted = np.ones(mags.shape[1], dtype=bool)
    while True:
        found = _against_others(np.where(good, mags, 0.0), sigma, good, trusted)
        worst = np.where(found.varies & trusted, found.excess, -1.0)
        if worst.max(initial=-1.0) < 0 or trusted.sum() < FEWEST_STARS:
            return found
        trusted[int(worst.argmax())] = False


def _against_others(mags: Floats, sigma: Floats, good: Mask, trusted: Mask) -> Constancy:
    count = mags.shape[1]
    enough = int((good.sum(axis=0) >= FEWEST_FRAMES).sum()) >= FEWEST_STARS
    n = np.zeros(count, dtype=np.intp)
    chi2, p_value, scatter, excess = (np.full(count, np.nan) for _ in range(4))
    for star in range(count):
        others = trusted.copy()
        others[star] = False
        if not (enough and others.any()):
            continue
        zero, variance = _zero_points(mags[:, others], sigma[:, others], good[:, others])
        use = good[:, star] & np.isfinite(zero)
        n[star] = int(use.sum())
        if n[star] < FEWEST_FRAMES:
            continue
        values = mags[use, star] - zero[use]
        weights = 1.0 / (sigma[use, star] ** 2 + variance[use])
        values = values - float(np.average(values, weights=weights))
        chi2[star] = float(np.sum(weights * values**2))
        p_value[star] = float(chi_square.sf(chi2[star], n[star] - 1))
        scatter[star] = float(values.std(ddof=1))
        excess[star] = float(np.sqrt(max(scatter[star] ** 2 - float(np.mean(1.0 / weights)), 0.0)))
    varies = (np.nan_to_num(p_value, nan=1.0) < CHANCE) & (np.nan_to_num(excess) > EXCESS)
    return Constancy(n=n, chi2=chi2, p_value=p_value, scatter=scatter, excess=excess, varies=varies)


def _zero_points(mags: Floats, sigma: Floats, good: Mask) -> tuple[Floats, Floats]:
    """(zero point of each frame, its variance), NaN for a frame without stars.

    Stars need not be on all frames: their own mean magnitudes and the zero points are found in
    turn, so that a star that comes or goes makes no step.
    """
    weights = np.where(good, sigma**-2.0, 0.0)
    of_frame, of_star = weights.sum(axis=1), weights.sum(axis=0)
    level, zero = np.zeros(mags.shape[1]), np.zeros(mags.shape[0])
    for _ in range(_ROUNDS):
        zero = (weights * (mags - level)).sum(axis=1) / np.where(of_frame > 0, of_frame, 1.0)
        new = (weights * (mags - zero[:, None])).sum(axis=0) / np.where(of_star > 0, of_star, 1.0)
        new -= new.mean()
        step = float(np.abs(new - level).max(initial=0.0))
        level = new
        if step < 1e-7:
            break
    has = of_frame > 0
    return (np.where(has, zero, np.nan),
            np.where(has, 1.0 / np.where(has, of_frame, 1.0), np.nan))
