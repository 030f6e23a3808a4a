"""Stokes q and u with their covariance: corrected, rotated, as degree and angle, and without bias.

q = Q/I and u = U/I are fractions; angles are degrees, east of north, in [0, 180). As
p = sqrt(q^2 + u^2) is never negative, noise makes it too large; what corrects it is the modified
asymptotic estimator of Plaszczynski et al. 2014 (MNRAS 439, 4048).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.model.units import UNKNOWN_ANGLE_ERR
from iop4d.science.rice import Debiased, without_bias

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Stokes:
    """q and u of one star, fractions.

    ``covariance``: (2, 2) of (q, u), random: what no other point shares, as are the errors below.
    What all points of an instrument share stands apart: ``angle_err_deg``, error of the zero angle;
    ``common``, (2, 2) covariance of q and u by the instrument's polarisation. ``method`` names how
    they were found; ``k``: the ratio of the beams as (k_O - k_E) / (k_O + k_E), NaN where it was
    not fitted; ``chi2`` and ``dof`` of the fit, 0 degrees of freedom where nothing could be
    checked; ``n``: positions used.
    """

    q: float
    u: float
    covariance: Floats
    method: str
    n: int
    k: float = math.nan
    chi2: float = 0.0
    dof: int = 0
    angle_err_deg: float = 0.0
    common: Floats = field(default_factory=lambda: np.zeros((2, 2)))

    @property
    def q_err(self) -> float:
        """Random error of q."""
        return math.sqrt(max(float(self.covariance[0, 0]), 0.0))

    @property
    def u_err(self) -> float:
        """Random error of u."""
        return math.sqrt(max(float(self.covariance[1, 1]), 0.0))

    @property
    def qu_cov(self) -> float:
        """Random covariance of q and u."""
        return float(self.covariance[0, 1])

    @property
    def q0_err(self) -> float:
        """Error of q by the instrument's polarisation, which all its points share."""
        return math.sqrt(max(float(self.common[0, 0]), 0.0))

    @property
    def u0_err(self) -> float:
        """Error of u by the instrument's polarisation, which all its points share."""
        return math.sqrt(max(float(self.common[1, 1]), 0.0))

    @property
    def p(self) -> float:
        """Degree of polarisation as it is measured, which noise makes too large."""
        return math.hypot(self.q, self.u)

    @property
    def p_err(self) -> float:
        """Random error of p to first order; at p = 0 the mean of q's and u's."""
        if self.p == 0.0:
            return math.sqrt(max(float(np.trace(self.covariance)) / 2.0, 0.0))
        along = np.array([self.q, self.u]) / self.p
        return math.sqrt(max(float(along @ self.covariance @ along), 0.0))

    @property
    def chi_deg(self) -> float:
        """Angle of polarisation (EVPA), degrees in [0, 180)."""
        return math.degrees(math.atan2(self.u, self.q)) / 2.0 % 180.0

    @property
    def chi_err_deg(self) -> float:
        """Random error of chi to first order; never above 52 degrees."""
        if self.p == 0.0:
            return UNKNOWN_ANGLE_ERR
        across = np.array([-self.u, self.q]) / self.p
        noise = math.sqrt(max(float(across @ self.covariance @ across), 0.0))
        return min(math.degrees(noise / self.p) / 2.0, UNKNOWN_ANGLE_ERR)


def rotated(stokes: Stokes, angle_deg: float) -> Stokes:
    """With chi larger by an angle: q' = q cos 2a - u sin 2a, u' = q sin 2a + u cos 2a."""
    two = math.radians(2.0 * angle_deg)
    turn = np.array([[math.cos(two), -math.sin(two)], [math.sin(two), math.cos(two)]])
    q, u = turn @ np.array([stokes.q, stokes.u])
    return replace(stokes, q=float(q), u=float(u), covariance=turn @ stokes.covariance @ turn.T,
                   common=turn @ stokes.common @ turn.T)


def corrected(stokes: Stokes, constants: InstrumentalPolarisation, *,
              zero_measured: bool = False) -> Stokes:
    """On the sky: the instrument's q0 and u0 subtracted, then its zero angle added to chi.

    ``zero_measured``: field stars have shown what differs from q0 and u0, whose errors then do not
    count. Escudero Pedrosa et al. 2024, AJ 168, 84, equations 5 and 6 (the first term of the
    printed one for u' is misprinted).
    """
    zero = np.diag([constants.q0_err**2, constants.u0_err**2])
    extra = np.zeros((2, 2)) if zero_measured else zero
    bare = replace(stokes, q=stokes.q - constants.q0, u=stokes.u - constants.u0,
                   common=stokes.common + extra)
    turned = rotated(bare, constants.angle_deg)
    return replace(turned, angle_err_deg=math.hypot(stokes.angle_err_deg, constants.angle_err_deg))


def debiased(q: float, u: float, covariance: Floats) -> Debiased:
    """The degree without bias from q and u, fractions, and their covariance, shape (2, 2)."""
    matrix = np.asarray(covariance, dtype=np.float64)
    return without_bias(q, u, float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 1]))
