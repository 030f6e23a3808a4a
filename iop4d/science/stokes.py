"""Stokes q and u with their covariance: corrected, rotated, and as degree and angle.

q = Q/I and u = U/I are fractions; angles are degrees, east of north, in [0, 180).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.polarimeter import InstrumentalPolarisation

Floats = NDArray[np.float64]

#: Error of an angle of which nothing is known: of a uniform distribution over 180 degrees.
UNKNOWN_ANGLE_ERR = 180.0 / math.sqrt(12.0)


@dataclass(frozen=True, kw_only=True)
class Stokes:
    """q and u of one star, fractions.

    ``covariance``: (2, 2) of (q, u). ``angle_err_deg``: error of the zero angle, which turns q and
    u together and so is no part of the covariance. ``method`` names how they were found; ``k``: the
    ratio of the beams as (k_O - k_E) / (k_O + k_E), NaN where it was not fitted; ``chi2`` and
    ``dof`` of the fit, 0 degrees of freedom where nothing could be checked; ``n``: positions used.
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

    @property
    def q_err(self) -> float:
        """Error of q, with that of the zero angle."""
        return math.sqrt(max(float(self.covariance[0, 0]), 0.0) + (self.u * self._turn) ** 2)

    @property
    def u_err(self) -> float:
        """Error of u, with that of the zero angle."""
        return math.sqrt(max(float(self.covariance[1, 1]), 0.0) + (self.q * self._turn) ** 2)

    @property
    def _turn(self) -> float:
        """By how much an error of the zero angle moves q and u, over their size."""
        return 2.0 * math.radians(self.angle_err_deg)

    @property
    def p(self) -> float:
        """Degree of polarisation as it is measured, which noise makes too large."""
        return math.hypot(self.q, self.u)

    @property
    def p_err(self) -> float:
        """Error of p to first order; at p = 0 the mean of q's and u's."""
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
        """Error of chi to first order, with that of the zero angle; never above 52 degrees."""
        if self.p == 0.0:
            return UNKNOWN_ANGLE_ERR
        across = np.array([-self.u, self.q]) / self.p
        noise = math.sqrt(max(float(across @ self.covariance @ across), 0.0))
        turned = math.degrees(noise / self.p) / 2.0
        return min(math.hypot(turned, self.angle_err_deg), UNKNOWN_ANGLE_ERR)


def rotated(stokes: Stokes, angle_deg: float) -> Stokes:
    """With chi larger by an angle: q' = q cos 2a - u sin 2a, u' = q sin 2a + u cos 2a."""
    two = math.radians(2.0 * angle_deg)
    turn = np.array([[math.cos(two), -math.sin(two)], [math.sin(two), math.cos(two)]])
    q, u = turn @ np.array([stokes.q, stokes.u])
    return replace(stokes, q=float(q), u=float(u), covariance=turn @ stokes.covariance @ turn.T)


def corrected(stokes: Stokes, constants: InstrumentalPolarisation, *,
              measured: bool = False) -> Stokes:
    """On the sky: the instrument's q0 and u0 taken off, then its zero angle added to chi.

    ``measured``: field stars have told what differs from q0 and u0, whose errors then do not
    count. Escudero Pedrosa et al. 2024, AJ 168, 84, equations 5 and 6 (the first term of the
    printed one for u' is misprinted).
    """
    extra = np.zeros((2, 2)) if measured else np.diag([constants.q0_err**2, constants.u0_err**2])
    bare = replace(stokes, q=stokes.q - constants.q0, u=stokes.u - constants.u0,
                   covariance=stokes.covariance + extra)
    turned = rotated(bare, constants.angle_deg)
    return replace(turned, angle_err_deg=math.hypot(stokes.angle_err_deg, constants.angle_err_deg))


def angle_difference(one_deg: float, other_deg: float) -> float:
    """one - other of position angles, degrees in [-90, 90): 179 is 2 short of 1."""
    return (one_deg - other_deg + 90.0) % 180.0 - 90.0


def mean_angle(angles_deg: Floats, weights: Floats | None = None) -> float:
    """Mean of position angles, in [0, 180); NaN of none, or where they cancel exactly."""
    two = np.radians(2.0 * np.asarray(angles_deg, dtype=np.float64))
    w = np.ones_like(two) if weights is None else np.asarray(weights, dtype=np.float64)
    c, s = float(np.sum(w * np.cos(two))), float(np.sum(w * np.sin(two)))
    return math.degrees(math.atan2(s, c)) / 2.0 % 180.0 if math.hypot(c, s) > 1e-12 else math.nan
