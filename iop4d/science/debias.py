"""The degree of polarisation without the bias of noise, and its upper limit where there is none.

p = sqrt(q^2 + u^2) is never negative, so noise makes it too large. What is done here is the
modified asymptotic estimator of Plaszczynski et al. 2014 (MNRAS 439, 4048).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chndtr

Floats = NDArray[np.float64]

SIGNIFICANT = 3.0  # sigmas of p below which there is an upper limit
CONFIDENCE = 0.95  # of that limit


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


def debiased(q: float, u: float, covariance: Floats) -> Debiased:
    """The estimate without bias from q and u, fractions, and their covariance, shape (2, 2).

    p' = p - b^2 (1 - exp(-p^2 / b^2)) / (2 p), b^2 being the variance across the polarisation, of
    (-u, q) / p; the error is that along it, of (q, u) / p (Plaszczynski et al. 2014, MNRAS 439,
    4048, equations 35 to 37). Free of bias from p of two sigmas on. All NaN if anything is NaN, or
    if the covariance has a negative variance.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    raw = math.hypot(q, u)
    variances = np.linalg.eigvalsh(matrix) if np.isfinite(matrix).all() else np.full(2, np.nan)
    largest = float(variances[-1])
    if not (math.isfinite(raw) and float(variances[0]) >= -1e-12 * abs(largest)):
        return Debiased(p=math.nan, p_err=math.nan, raw=math.nan, limit=math.nan)
    if raw > 0.0:
        along = np.array([q, u]) / raw
        across = np.array([-u, q]) / raw
        b2, variance = (max(float(e @ matrix @ e), 0.0) for e in (across, along))
    else:  # no direction: the mean of all
        b2 = variance = max(float(np.trace(matrix)) / 2.0, 0.0)
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

    ``p``, ``sigma``, result: fractions. A measured p follows the Rice distribution (Rice 1945, Bell
    Syst. Tech. J. 24, 46) about the true one. The limit is the true p0 for which so small a value,
    or a smaller one, has a chance of 1 - ``confidence`` of what it has at p0 = 0 (Read 2002, J.
    Phys. G 28, 2693): so it is never zero, and holds at least as often as it says, for any p0.
    Where the errors of q and u differ, the larger one is the safe one. NaN for a NaN.
    """
    if not (math.isfinite(p) and math.isfinite(sigma)):
        return math.nan
    if sigma <= 0.0:
        return p
    wanted = (1.0 - confidence) * rice_below(p, 0.0, sigma)
    if wanted <= 0.0:  # p = 0: the ratio's limit is exp(-p0^2 / 2 sigma^2)
        return sigma * math.sqrt(-2.0 * math.log(1.0 - confidence))
    return float(brentq(lambda p0: rice_below(p, p0, sigma) - wanted, 0.0, p + 10.0 * sigma,
                        xtol=1e-9 * sigma))


def rice_below(p: float, p0: float, sigma: float) -> float:
    """Chance of measuring less than ``p`` where the truth is ``p0``, both fractions.

    The Rice distribution: (p / sigma)^2 is a noncentral chi-square of two degrees of freedom and
    noncentrality (p0 / sigma)^2. At p0 = 0 it is 1 - exp(-p^2 / 2 sigma^2).
    """
    return float(chndtr((p / sigma) ** 2, 2.0, (p0 / sigma) ** 2))
