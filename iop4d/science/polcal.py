"""An instrument's polarisation and zero angle from standards that it observed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 20
_FEWEST_SIGMAS = 5.0  # of all the polarisation there is; less says nothing of the angle


@dataclass(frozen=True, kw_only=True)
class Constants:
    """What was found. ``q0``, ``u0``: fractions; ``angle_deg`` in [-90, 90), added to chi.

    ``angle_deg`` is NaN where only unpolarised stars were observed. ``efficiency``: the measured
    degree of polarisation over the true one, which is no part of the fit; ``chi2`` over ``dof``
    tells whether the errors hold: those given are raised by it. ``residual``: (N, 2) seen minus
    expected q and u.
    """

    q0: float
    q0_err: float
    u0: float
    u0_err: float
    angle_deg: float
    angle_err_deg: float
    efficiency: float
    chi2: float
    dof: int
    residual: Floats


def instrument_constants(seen: Floats, seen_err: Floats, p: Floats, chi_deg: Floats,
                         p_err: Floats, chi_err_deg: Floats) -> Constants:
    """Fit seen = R(-2 a) (p cos 2 chi, p sin 2 chi) + (q0, u0) to N observations of standards.

    ``seen``, ``seen_err``: (N, 2), q and u as the instrument sees them, fractions, and errors;
    ``p``, ``chi_deg`` and their errors: (N,) of the catalogue; NaN errors count as none, a NaN
    angle as that of an unpolarised star. It is the inverse of ``stokes.corrected``. Raises
    ValueError with fewer than two observations.
    """
    n = seen.shape[0]
    if n < 2:
        raise ValueError(f"{n} observations of standards, at least 2 are needed")
    p = np.where(np.isfinite(p), p, 0.0)
    two = np.radians(2.0 * np.where(np.isfinite(chi_deg), chi_deg, 0.0))
    true = np.stack([p * np.cos(two), p * np.sin(two)], axis=1)
    err = np.sqrt(seen_err**2 + _catalogue_errors(p, two, p_err, chi_err_deg) ** 2)
    polarised = math.sqrt(float(np.sum((p / err.mean(axis=1)) ** 2))) > _FEWEST_SIGMAS
    a = _first_angle(seen, true, err) if polarised else 0.0
    parameters = np.array([0.0, 0.0, a])
    covariance = np.zeros((3, 3))
    columns = 3 if polarised else 2
    for _ in range(_ROUNDS):
        model, slope = _model(true, parameters)
        basis = np.concatenate([np.tile([[1.0, 0.0], [0.0, 1.0]], (n, 1)), slope.reshape(-1, 1)],
                               axis=1)[:, :columns]
        weighted = basis / err.reshape(-1, 1)
        inverse = np.linalg.inv(weighted.T @ weighted)
        step = inverse @ (weighted.T @ ((seen - model) / err).ravel())
        parameters[:columns] += step
        covariance[:columns, :columns] = inverse
        if float(np.abs(step).max()) < 1e-12:
            break
    residual = seen - _model(true, parameters)[0]
    dof = 2 * n - columns
    chi2 = float(np.sum((residual / err) ** 2))
    raised = math.sqrt(max(1.0, chi2 / dof)) if dof > 0 else 1.0
    errors = raised * np.sqrt(np.diag(covariance))
    return Constants(
        q0=float(parameters[0]), q0_err=float(errors[0]), u0=float(parameters[1]),
        u0_err=float(errors[1]),
        angle_deg=(math.degrees(parameters[2]) + 90.0) % 180.0 - 90.0 if polarised else math.nan,
        angle_err_deg=math.degrees(float(errors[2])) if polarised else math.nan,
        efficiency=_efficiency(seen, true, parameters), chi2=chi2, dof=dof, residual=residual)


def _model(true: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    """What is seen of true q and u (N, 2), and its derivative by the angle in radians."""
    q0, u0, a = parameters
    c, s = math.cos(2.0 * a), math.sin(2.0 * a)
    q, u = true[:, 0], true[:, 1]
    turned = np.stack([q * c + u * s, u * c - q * s], axis=1)
    slope = 2.0 * np.stack([u * c - q * s, -q * c - u * s], axis=1)
    return turned + np.array([q0, u0]), slope


def _first_angle(seen: Floats, true: Floats, err: Floats) -> float:
    """The angle of a linear fit in cos 2a, sin 2a, q0 and u0."""
    q, u = true[:, 0], true[:, 1]
    ones, zeros = np.ones_like(q), np.zeros_like(q)
    basis = np.stack([np.stack([q, u, ones, zeros], axis=1),
                      np.stack([u, -q, zeros, ones], axis=1)], axis=1).reshape(-1, 4)
    weight = 1.0 / err.reshape(-1, 1)
    c, s, _, _ = np.linalg.lstsq(basis * weight, (seen / err).ravel(), rcond=None)[0]
    return math.atan2(float(s), float(c)) / 2.0


def _catalogue_errors(p: Floats, two: Floats, p_err: Floats, chi_err_deg: Floats) -> Floats:
    """Errors (N, 2) of the catalogue's q and u."""
    along = np.where(np.isfinite(p_err), p_err, 0.0)
    across = 2.0 * p * np.radians(np.where(np.isfinite(chi_err_deg), chi_err_deg, 0.0))
    return np.stack([np.hypot(along * np.cos(two), across * np.sin(two)),
                     np.hypot(along * np.sin(two), across * np.cos(two))], axis=1)


def _efficiency(seen: Floats, true: Floats, parameters: Floats) -> float:
    """Measured over true polarisation, of those that are polarised; NaN of none."""
    power = float(np.sum(true**2))
    if power == 0.0:
        return math.nan
    expected = _model(true, np.array([0.0, 0.0, parameters[2]]))[0]
    return float(np.sum((seen - parameters[:2]) * expected)) / power
