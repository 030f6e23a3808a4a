"""The polarisation that dust gives to all stars of a field, and the transparency of its frames.

A change of transparency from frame to frame and a polarisation that all stars share look the same
through a polariser. Field stars give the product of both exactly; what they cannot separate
follows from what is known beforehand: how steady the transparency is, how much the instrument
adds, and how much the dust of such a field polarises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.fieldstars import Transparency

Floats = NDArray[np.float64]

#: Polarisation by a magnitude of E(B-V), as a rule; 9 % at most (Serkowski et al. 1975, ApJ 196,
#: 261). The angle is not known, so that q and u have 1 / sqrt(2) of it each.
BY_REDDENING = 0.03
#: Extinction over E(B-V), R_V = 3.1 (Schlafly & Finkbeiner 2011, ApJ 737, 103, table 6).
OVER_REDDENING = {"U": 4.334, "B": 3.626, "V": 2.742, "R": 2.169, "I": 1.505}
#: Of q and u of a field of hardly any dust: a cirrus that the extinction's map does not show.
LEAST = 0.0025
_LEAST_SCATTER = 0.001  # of q and u from group to group: the mean of the stars is no better known
_FEWEST_GROUPS = 3
_STEADINESS = 1.0  # natural logarithms by which a night's scatter differs from the expected one
_SCATTERS = np.linspace(-2.5, 2.5, 15)  # of those, at which the likelihood is summed


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is known beforehand of the field's q and u, fractions, as the instrument sees them.

    ``err``: of each.
    """

    q: float
    u: float
    err: float


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The q and u that the stars of a field share, fractions, as the instrument sees them.

    ``covariance``: (2, 2), of this group alone, by what its transparency left open; ``common``:
    (2, 2), shared with other groups: of the instrument's constants and of the prior. ``followed``:
    (2, 2), by how much the result follows what the stars show; the rest of it is the prior.
    """

    q: float
    u: float
    covariance: Floats
    common: Floats
    followed: Floats


def reddening(extinction: dict[str, float]) -> float:
    """E(B-V) from the extinction in any band, magnitudes; NaN where there is none."""
    found = [value / OVER_REDDENING[band] for band, value in extinction.items()
             if band in OVER_REDDENING and math.isfinite(value)]
    return float(np.mean(found)) if found else math.nan


def by_dust(e_bv: float) -> float:
    """Expected size of q and of u, each, behind dust of a reddening in magnitudes."""
    return max(BY_REDDENING * max(e_bv, 0.0) / math.sqrt(2.0), LEAST)


def shared_by_field(angles_deg: Floats, ensemble: Transparency, prior: Prior, *, scatter: float,
                    q0_err: float, u0_err: float) -> Shared:
    """The field's q and u from the ensemble's transparency (K,) at K positions of a polariser.

    What field stars show is relative_k = T_k (1 + (q + dq0) cos 2 theta + (u + du0) sin 2 theta):
    q, u have the ``prior``, dq0 and du0 are the errors of the instrument's constants, and T_k
    scatters about its mean by a fraction that is near ``scatter`` (0 or more), known but for a
    factor of e: its distribution is log-normal. Linear in all but that, over which the posterior is
    summed. With a steady sky the field's polarisation is measured, behind clouds it is the prior.
    """
    phase = np.radians(2.0 * np.asarray(angles_deg, dtype=np.float64))
    slopes = np.stack([np.cos(phase), np.sin(phase)], axis=1)  # (K, 2)
    zero = np.array([q0_err, u0_err])
    mean = np.array([prior.q, prior.u])
    y = ensemble.relative / ensemble.relative.mean() - 1.0 - slopes @ mean
    k = len(y)
    # Any mean is as likely: a large variance of what all positions share.
    fixed = np.ones((k, k)) + slopes @ np.diag(prior.err**2 + zero**2) @ slopes.T
    own = max(scatter, 1e-4) * np.exp(_STEADINESS * _SCATTERS)
    inverse = np.linalg.inv(fixed + (own**2)[:, None, None] * np.eye(k))  # (S, K, K)
    gain = prior.err**2 * slopes.T @ inverse  # (S, 2, K)
    move = gain @ y
    logs = 0.5 * (np.linalg.slogdet(inverse)[1] - inverse @ y @ y - _SCATTERS**2)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    moved = weight @ move
    followed = np.tensordot(weight, gain @ slopes, 1)  # how much the posterior follows the truth
    left = np.eye(2) - followed
    total = prior.err**2 * left + (weight * (move - moved).T) @ (move - moved)
    common = prior.err**2 * left @ left.T + followed @ np.diag(zero**2) @ followed.T
    own_part = np.maximum(np.diag(total - common), 0.0)
    return Shared(q=float(mean[0] + moved[0]), u=float(mean[1] + moved[1]),
                  covariance=np.diag(own_part), common=common, followed=followed)


@dataclass(frozen=True, kw_only=True)
class GroupOfField:
    """q and u that the field stars of one group share, on the sky, fractions.

    The instrument's q0 and u0 are subtracted; ``q0_err``, ``u0_err``: their errors, on the sky;
    ``angle_err_deg``: of its zero angle. The transparency's changes are still in them.
    """

    q: float
    u: float
    q0_err: float
    u0_err: float
    angle_err_deg: float


@dataclass(frozen=True, kw_only=True)
class FieldMean:
    """A field's interstellar q and u, fractions on the sky, with errors, from so many groups."""

    q: float
    q_err: float
    u: float
    u_err: float
    groups: int


def raw_of_field(angles_deg: Floats, ensemble: Transparency) -> tuple[float, float]:
    """q and u that the stars of a group share, as the instrument sees them, q0 and u0 subtracted.

    By a fit to the relative transparency (K,): its own changes are in them.
    """
    phase = np.radians(2.0 * np.asarray(angles_deg, dtype=np.float64))
    basis = np.stack([np.ones(phase.size), np.cos(phase), np.sin(phase)], axis=1)
    mean, q, u = np.linalg.pinv(basis) @ ensemble.relative
    return float(q / mean), float(u / mean)


def across_by_angle(q: float, u: float, err_deg: float) -> Floats:
    """(2, 2) covariance of q and u by the error of the zero angle, to first order: across them."""
    across = 2.0 * math.radians(err_deg) * np.array([-u, q])
    return np.outer(across, across)


def mean_of_groups(groups: Sequence[GroupOfField]) -> FieldMean | None:
    """The mean over groups of one instrument; None with fewer than three.

    The median, so that clouds in a group count little: its error is that of the scatter, 1.4826
    MAD, times 1.25 / sqrt(N), with the errors of the instrument's constants, which all share.
    """
    n = len(groups)
    if n < _FEWEST_GROUPS:
        return None
    values = np.array([(one.q, one.u) for one in groups])
    middle = np.median(values, axis=0)
    # Of few groups the deviations are too small on average; both components have the same ones.
    scatter = MAD_TO_SIGMA * float(np.median(np.abs(values - middle))) * math.sqrt(n / (n - 1.0))
    own = 1.25 * max(scatter, _LEAST_SCATTER) / math.sqrt(n)
    errors = np.array([(one.q0_err, one.u0_err, one.angle_err_deg) for one in groups])
    q0_err, u0_err, angle_err = (float(err) for err in np.sqrt(np.mean(errors**2, axis=0)))
    q, u = (float(value) for value in middle)
    across = across_by_angle(q, u, angle_err)
    return FieldMean(q=q, q_err=math.sqrt(own**2 + q0_err**2 + across[0, 0]),
                     u=u, u_err=math.sqrt(own**2 + u0_err**2 + across[1, 1]), groups=n)


def combined(means: Sequence[FieldMean]) -> FieldMean:
    """The weighted mean of several instruments'; at least one."""
    q, u = (np.array([(getattr(m, name), getattr(m, f"{name}_err")) for m in means])
            for name in ("q", "u"))
    found = [(float(np.average(v[:, 0], weights=v[:, 1] ** -2.0)),
              float(np.sum(v[:, 1] ** -2.0)) ** -0.5) for v in (q, u)]
    return FieldMean(q=found[0][0], q_err=found[0][1], u=found[1][0], u_err=found[1][1],
                     groups=sum(m.groups for m in means))
