"""The slope of stars' deviations from the catalogue with their colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.ordered import median

Floats = NDArray[np.float64]

_TUKEY = 4.7  # sigmas from which a star counts no more
_ROUNDS = 20
_FEWEST_FREE = 2  # degrees of freedom without which nothing can be said


@dataclass(frozen=True, kw_only=True)
class Slope:
    """A colour term and how sure it is.

    ``err``: raised by the stars' scatter where that exceeds their errors; ``chance``: probability
    that stars without any term show one as large. ``used``: (N,) False for a star that deviates too
    much; ``residual``: (N,) what is left of each. ``n``: stars that count; ``chi2``: of ``dof``
    degrees of freedom, before the error was raised.
    """

    term: float
    err: float
    chance: float
    n: int
    chi2: float
    dof: int
    used: NDArray[np.bool_]
    residual: Floats


def slope(offset: Floats, err: Floats, colour: Floats, field: NDArray[np.int_] | None = None,
          ) -> Slope | None:
    """Fit offset = term x colour + a constant of each field, robustly.

    ``offset``, ``err``, ``colour``: (N,) catalogue minus instrumental magnitude of each star
    against the others of its field, its error (catalogue's and photometric), its colour; stars with
    a NaN count nothing. ``field``: (N,) number of the field, None: one. Tukey's biweight in units
    of the errors or of the scatter, whichever is larger. None with fewer than two degrees of
    freedom, or where all colours of each field are the same.
    """
    fields = np.zeros(offset.size, dtype=int) if field is None else field
    good = np.isfinite(offset) & np.isfinite(err) & np.isfinite(colour) & (err > 0)
    inside = fields[good][:, None] == np.unique(fields[good])[None, :]
    basis = np.column_stack([colour[good], inside.astype(float)])
    z, sigma = offset[good], err[good]
    dof = z.size - basis.shape[1]
    if dof < _FEWEST_FREE or np.linalg.matrix_rank(basis) < basis.shape[1]:
        return None
    kept = _sound(basis, z, sigma)
    dof = int(kept.sum()) - basis.shape[1]
    counted = basis[kept] / sigma[kept][:, None]
    if dof < _FEWEST_FREE or np.linalg.matrix_rank(counted) < basis.shape[1]:
        return None
    found = np.linalg.lstsq(counted, z[kept] / sigma[kept], rcond=None)[0]
    left = z - basis @ found
    chi2 = float(np.sum((left / sigma)[kept] ** 2))
    formal = float(np.sqrt(np.linalg.inv(counted.T @ counted)[0, 0]))
    raised = formal * max(1.0, float(np.sqrt(chi2 / dof)))
    used, residual = np.zeros(offset.size, dtype=bool), np.full(offset.size, np.nan)
    used[good], residual[good] = kept, left
    return Slope(term=float(found[0]), err=raised, n=int(kept.sum()), chi2=chi2, dof=dof,
                 chance=float(2.0 * stdtr(dof, -abs(found[0]) / raised)), used=used,
                 residual=residual)


def _sound(basis: Floats, z: Floats, sigma: Floats) -> NDArray[np.bool_]:
    """The points that a robust fit does not leave out."""
    weight, normal = np.ones(z.size), np.zeros(z.size)
    for _ in range(_ROUNDS):
        root = np.sqrt(weight) / sigma
        found = np.linalg.lstsq(basis * root[:, None], z * root, rcond=None)[0]
        normal = np.asarray((z - basis @ found) / sigma, dtype=float)
        scale = max(1.0, MAD_TO_SIGMA * median(np.abs(normal)))
        new = np.clip(1.0 - (normal / (_TUKEY * scale)) ** 2, 0.0, 1.0) ** 2
        moved, weight = float(np.abs(new - weight).max()), new
        if moved < 1e-6:
            break
    return np.asarray(weight > 0)
