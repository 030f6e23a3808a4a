"""The noise of a degree of polarisation, which is never negative: its bias, and upper limits.

A measured p follows the Rice distribution (Rice 1945, Bell Syst. Tech. J. 24, 46) about the true
one. Plain numbers: what looks at results, without arrays, uses it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

SIGNIFICANT = 3.0  # sigmas of p below which there is an upper limit
CONFIDENCE = 0.95  # of that limit
_STEPS = 60  # of a search for a limit, at most
_CLOSE = 1e-9  # of the interval, at which it ends
_NOTHING = 1e-14  # chance of a term that no longer counts


@dataclass(frozen=True, kw_only=True)
class Debiased:
    """The degree of polarisation without bias; all fractions.

    ``p``: the estimate, ``p_err`` its error; ``raw``: sqrt(q^2 + u^2); ``limit``: the upper limit
    at 95 % confidence where ``raw`` is below three of its errors, NaN elsewhere.
    """

    p: float
    p_err: float
    raw: float
    limit: float


def without_bias(q: float, u: float, qq: float, uu: float, qu: float) -> Debiased:
    """The degree without bias from q and u, fractions, their variances and their covariance.

    p' = p - b^2 (1 - exp(-p^2 / b^2)) / (2 p), b^2 being the variance across the polarisation, of
    (-u, q) / p; the error is that along it, of (q, u) / p (Plaszczynski et al. 2014, MNRAS 439,
    4048, equations 35 to 37). Free of bias from p of two sigmas on. All NaN if anything is NaN, or
    if the covariance has a negative variance.
    """
    raw = math.hypot(q, u)
    middle, apart = (qq + uu) / 2.0, math.hypot((qq - uu) / 2.0, qu)
    largest, smallest = middle + apart, middle - apart
    if not (math.isfinite(raw) and math.isfinite(largest) and smallest >= -1e-12 * abs(largest)):
        return Debiased(p=math.nan, p_err=math.nan, raw=math.nan, limit=math.nan)
    if raw > 0.0:
        c, s = q / raw, u / raw
        b2 = max(s * s * qq + c * c * uu - 2.0 * s * c * qu, 0.0)
        variance = max(c * c * qq + s * s * uu + 2.0 * s * c * qu, 0.0)
    else:  # no direction: the mean of all
        b2 = variance = max(middle, 0.0)
    sigma = math.sqrt(variance)
    limit = math.nan
    if raw < SIGNIFICANT * sigma:
        limit = upper_limit(raw, math.sqrt(max(largest, 0.0)))
    return Debiased(p=raw - noise_bias(raw, b2), p_err=sigma, raw=raw, limit=limit)


def noise_bias(p: float, b2: float) -> float:
    """What the estimator takes off a measured p: b^2 (1 - exp(-p^2 / b^2)) / (2 p).

    ``p``: a fraction, ``b2``: its noise's variance. b^2 / (2 p) where p is large, p / 2 where it is
    small (Plaszczynski et al. 2014, MNRAS 439, 4048, equation 37).
    """
    if p <= 0.0 or b2 <= 0.0:
        return 0.0
    return -b2 * math.expm1(-(p**2) / b2) / (2.0 * p)


def upper_limit(p: float, sigma: float, confidence: float = CONFIDENCE) -> float:
    """Upper limit of the true degree of polarisation, from a measured p and the error of q and u.

    ``p``, ``sigma``, result: fractions. The limit is the true p0 for which so small a value, or a
    smaller one, has a chance of 1 - ``confidence`` of what it has at p0 = 0 (Read 2002, J. Phys. G
    28, 2693): so it is never zero, and holds at least as often as it says, for any p0. Where the
    errors of q and u differ, the larger one is the safe one. NaN for a NaN.
    """
    if not (math.isfinite(p) and math.isfinite(sigma)):
        return math.nan
    if sigma <= 0.0:
        return p
    wanted = (1.0 - confidence) * rice_below(p, 0.0, sigma)
    if wanted <= 0.0:  # p = 0: the ratio's limit is exp(-p0^2 / 2 sigma^2)
        return sigma * math.sqrt(-2.0 * math.log(1.0 - confidence))
    return _root(lambda p0: rice_below(p, p0, sigma) - wanted, 0.0, p + 6.0 * sigma)


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is positive at ``low`` and negative at ``high`` is 0 (Illinois)."""
    above, under, side = of(low), of(high), 0
    middle = low
    for _ in range(_STEPS):
        middle, before = (low * under - high * above) / (under - above), middle
        if abs(middle - before) < _CLOSE * high:
            break
        value = of(middle)
        if value > 0.0:
            low, above = middle, value
            under, side = under / 2.0 if side > 0 else under, 1
        else:
            high, under = middle, value
            above, side = above / 2.0 if side < 0 else above, -1
    return middle


def rice_below(p: float, p0: float, sigma: float) -> float:
    """Chance of measuring less than ``p`` where the truth is ``p0``, both fractions.

    (p / sigma)^2 is a noncentral chi-square of two degrees of freedom and noncentrality
    (p0 / sigma)^2: a mixture, by Poisson, of central ones. At p0 = 0: 1 - exp(-p^2 / 2 sigma^2).
    """
    half, mean = (p / sigma) ** 2 / 2.0, (p0 / sigma) ** 2 / 2.0
    # Sum over j of Poisson(j; mean) P(more than j of Poisson(half)), about where the terms are.
    reach = 12.0 * math.sqrt(max(mean, half) + 12.0) + 12.0
    first, last = max(0, int(mean - reach)), int(mean + reach)
    below = _poisson_up_to(first, half)
    term_of_half, term = _poisson(first, half), _poisson(first, mean)
    total = 0.0
    for j in range(first, last + 1):
        total += term * (1.0 - below)
        if j > mean and term < _NOTHING:
            break
        term *= mean / (j + 1)
        term_of_half *= half / (j + 1)
        below += term_of_half
    return min(max(total, 0.0), 1.0)


def _poisson(j: int, mean: float) -> float:
    if mean == 0.0:
        return 1.0 if j == 0 else 0.0
    return math.exp(j * math.log(mean) - mean - math.lgamma(j + 1.0))


def _poisson_up_to(j: int, mean: float) -> float:
    return min(math.fsum(_poisson(k, mean) for k in range(j + 1)), 1.0)
