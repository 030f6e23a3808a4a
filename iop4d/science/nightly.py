"""What a night's points of one source, band and instrument say together.

Means with random and common errors, how a constant source would scatter, and by how much this one
varies. Plain numbers, for the daemon does without arrays. Random errors weigh points and judge
their scatter; what all points of the night share (the calibrators' catalogue, the zero angle, the
instrument's polarisation) is beside them, and no number of points makes it smaller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from iop4d.model.units import MAG_PER_RELATIVE_FLUX, UNKNOWN_ANGLE_ERR, angle_difference
from iop4d.science.rice import without_bias

_ROUNDS = 1000  # of a series, at most


@dataclass(frozen=True, kw_only=True)
class MagnitudePoint:
    """A magnitude with its random and its common error."""

    mag: float
    err: float
    common: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MagnitudeStatistics:
    """Magnitudes of a night: ``n`` points, their weighted mean, its random and common error.

    ``chi2``, ``dof``, ``p_value``: against a constant, and the chance of a constant source to
    scatter so much; ``scatter``: standard deviation, mag. ``fvar``, ``fvar_err``: fractional
    variability of the flux beyond the errors (Vaughan et al. 2003, MNRAS 345, 1271, equations 10
    and B2), a fraction; 0 where the points scatter by no more than their errors, with the error
    that a variability has that is not seen. NaN from a single point.
    """

    n: int
    mag: float
    err: float
    common: float
    chi2: float
    dof: int
    p_value: float
    scatter: float
    fvar: float
    fvar_err: float


@dataclass(frozen=True, kw_only=True)
class StokesPoint:
    """q and u, fractions on the sky: random errors and covariance, errors of the instrument's
    polarisation; chi in degrees, error of the zero angle."""

    q: float
    u: float
    q_err: float
    u_err: float
    qu_cov: float = 0.0
    q0_err: float = 0.0
    u0_err: float = 0.0
    chi_common: float = 0.0

    @property
    def chi_deg(self) -> float:
        """Angle of polarisation, degrees in [0, 180)."""
        return math.degrees(math.atan2(self.u, self.q)) / 2.0 % 180.0


@dataclass(frozen=True, kw_only=True)
class StokesStatistics:
    """Polarisation of a night: the weighted mean of q and u, and what follows from it.

    Errors and ``qu_cov`` are random, ``q0_err``, ``u0_err`` and ``chi_common`` common. ``p``:
    without the bias of noise, by all of the error; ``limit``: upper limit at 95 % where the mean p
    is below three sigma, else NaN. ``chi2``, ``dof``, ``p_value``: of q and u against a constant.
    ``turn_deg``: by how much chi turned from the first to the last point, each step the shorter
    way, with its random error; ``range_deg``: between the extremes. NaN from a single point.
    """

    n: int
    q: float
    q_err: float
    u: float
    u_err: float
    qu_cov: float
    q0_err: float
    u0_err: float
    p: float
    p_err: float
    limit: float
    chi_deg: float
    chi_err: float
    chi_common: float
    chi2: float
    dof: int
    p_value: float
    turn_deg: float
    turn_err: float
    range_deg: float


def magnitudes(points: Sequence[MagnitudePoint]) -> MagnitudeStatistics | None:
    """The statistics of a night's magnitudes; those without an error do not count. None of none."""
    points = [p for p in points if math.isfinite(p.mag) and p.err > 0 and math.isfinite(p.err)]
    if not points:
        return None
    n, weights = len(points), [p.err**-2 for p in points]
    total = math.fsum(weights)
    mean = math.fsum(w * p.mag for w, p in zip(weights, points, strict=True)) / total
    common = _mean_known([p.common for p in points], weights)
    chi2 = math.fsum(w * (p.mag - mean)**2 for w, p in zip(weights, points, strict=True))
    middle = math.fsum(p.mag for p in points) / n
    fvar, fvar_err = fractional_variability(
        [10.0 ** (-0.4 * (p.mag - mean)) for p in points],
        [10.0 ** (-0.4 * (p.mag - mean)) * p.err / MAG_PER_RELATIVE_FLUX for p in points])
    return MagnitudeStatistics(
        n=n, mag=mean, err=total**-0.5, common=common, chi2=chi2, dof=n - 1,
        p_value=chance(chi2, n - 1), fvar=fvar, fvar_err=fvar_err,
        scatter=math.sqrt(math.fsum((p.mag - middle)**2 for p in points) / (n - 1)) if n > 1
        else math.nan)


def fractional_variability(flux: Sequence[float], err: Sequence[float]) -> tuple[float, float]:
    """F_var = sqrt((S^2 - <err^2>) / <flux>^2) and its error, fractions.

    S^2: the sample variance. Vaughan et al. 2003, MNRAS 345, 1271, equations 10 and B2. Where
    S^2 is below the mean square error F_var is 0, and its error the root of that of the normalised
    excess variance (equation 11): so much could hide. NaN with fewer than two points.
    """
    n = len(flux)
    if n < 2:
        return math.nan, math.nan
    mean = math.fsum(flux) / n
    noise = math.fsum(e * e for e in err) / n
    excess = math.fsum((f - mean)**2 for f in flux) / (n - 1) - noise
    by_scatter = math.sqrt(0.5 / n) * noise / mean**2
    if excess <= 0:
        return 0.0, math.sqrt(2.0 * by_scatter)
    fvar = math.sqrt(excess) / mean
    return fvar, math.hypot(by_scatter / fvar, math.sqrt(noise / n) / mean)


def polarisation(points: Sequence[StokesPoint]) -> StokesStatistics | None:
    """The statistics of a night's q and u, in order of time; without errors they do not count."""
    points = [p for p in points if math.isfinite(p.q) and math.isfinite(p.u)
              and p.q_err > 0 and p.u_err > 0 and p.q_err * p.u_err > abs(p.qu_cov)]
    if not points:
        return None
    inverses = [_inverse(p.q_err**2, p.u_err**2, p.qu_cov) for p in points]
    a, b, c = (math.fsum(parts) for parts in zip(*inverses, strict=True))  # sum of the inverses
    d = math.fsum(i[0] * p.q + i[2] * p.u for i, p in zip(inverses, points, strict=True))
    e = math.fsum(i[2] * p.q + i[1] * p.u for i, p in zip(inverses, points, strict=True))
    qq, uu, qu = _inverse(a, b, c)
    q, u = qq * d + qu * e, qu * d + uu * e
    chi2 = math.fsum(i[0] * (p.q - q)**2 + 2.0 * i[2] * (p.q - q) * (p.u - u)
                     + i[1] * (p.u - u)**2 for i, p in zip(inverses, points, strict=True))
    n = len(points)
    q0_err, u0_err, zero = (_mean_known([getattr(p, name) for p in points], [1.0] * n)
                            for name in ("q0_err", "u0_err", "chi_common"))
    clean = without_bias(q, u, qq + q0_err**2, uu + u0_err**2, qu)
    own = without_bias(q, u, qq, uu, qu)
    turned = unwrapped([p.chi_deg for p in points])
    return StokesStatistics(
        n=n, q=q, q_err=math.sqrt(qq), u=u, u_err=math.sqrt(uu), qu_cov=qu, q0_err=q0_err,
        u0_err=u0_err, p=clean.p, p_err=own.p_err, limit=clean.limit,
        chi_deg=math.degrees(math.atan2(u, q)) / 2.0 % 180.0, chi_err=_chi_err(q, u, qq, uu, qu),
        chi_common=zero, chi2=chi2, dof=2 * n - 2, p_value=chance(chi2, 2 * n - 2),
        turn_deg=turned[-1] - turned[0] if n > 1 else math.nan,
        turn_err=math.hypot(_error_of(points[0]), _error_of(points[-1])) if n > 1 else math.nan,
        range_deg=max(turned) - min(turned) if n > 1 else math.nan)


def unwrapped(chi_deg: Sequence[float]) -> list[float]:
    """Angles in order of time, continued across 0 and 180: each step is taken the shorter way.

    The first stays in [0, 180); 0 and 180 degrees are the same direction.
    """
    found: list[float] = []
    for chi in chi_deg:
        found.append(found[-1] + angle_difference(chi, found[-1]) if found else chi % 180.0)
    return found


def chance(chi2: float, dof: int) -> float:
    """Chance of so large a chi-square, or a larger one, of ``dof`` degrees of freedom.

    The regularised upper incomplete gamma function, by its series or its continued fraction
    (Press et al. 2007, Numerical Recipes, chapter 6.2). NaN without degrees of freedom.
    """
    if dof < 1 or not math.isfinite(chi2):
        return math.nan
    a, x = dof / 2.0, chi2 / 2.0
    if x <= 0.0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        for k in range(1, _ROUNDS + int(a)):
            term *= x / (a + k)
            total += term
            if term < 1e-15 * total:
                break
        return max(0.0, 1.0 - front * total)
    b, c = x + 1.0 - a, 1e300
    d = h = 1.0 / b
    for k in range(1, _ROUNDS + int(a)):
        step = -k * (k - a)
        b += 2.0
        d = 1.0 / (step * d + b)
        c = b + step / c
        h *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return min(1.0, front * h)


def _mean_known(values: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted mean of what is known; 0 where nothing is, as an unknown error counts."""
    known = [(w, v) for w, v in zip(weights, values, strict=True) if math.isfinite(v)]
    return math.fsum(w * v for w, v in known) / math.fsum(w for w, _ in known) if known else 0.0


def _inverse(qq: float, uu: float, qu: float) -> tuple[float, float, float]:
    determinant = qq * uu - qu * qu
    return uu / determinant, qq / determinant, -qu / determinant


def _error_of(point: StokesPoint) -> float:
    return _chi_err(point.q, point.u, point.q_err**2, point.u_err**2, point.qu_cov)


def _chi_err(q: float, u: float, qq: float, uu: float, qu: float) -> float:
    """Error of chi by q and u to first order, degrees; never above that of an unknown angle."""
    p = math.hypot(q, u)
    if p == 0.0:
        return UNKNOWN_ANGLE_ERR
    c, s = q / p, u / p
    across = math.sqrt(max(s * s * qq + c * c * uu - 2.0 * s * c * qu, 0.0))
    return min(math.degrees(across / p) / 2.0, UNKNOWN_ANGLE_ERR)
