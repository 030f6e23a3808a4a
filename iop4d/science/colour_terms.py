"""The slope of stars' deviations from the catalogue with their colour."""

from __future__ import annotations

import math
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
_ALIKE = 1e-9  # mag, farthest from their mean of colours that do not differ


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
    good = np.isfinite(offset) & np.isfinite(err) & np.isfinite(colour) & (err > 0)
    group = np.zeros(int(good.sum()), dtype=np.intp) if field is None else np.unique(
        field[good], return_inverse=True)[1]
    stars = _Stars(offset=offset[good], sigma=err[good], colour=colour[good], group=group)
    kept = np.ones(group.size, dtype=bool)
    if stars.free(kept) < _FEWEST_FREE:
        return None
    kept = _sound(stars)
    dof = stars.free(kept)
    if dof < _FEWEST_FREE:
        return None
    term, formal, left = stars.line(kept / stars.sigma**2)
    chi2 = float(np.sum((left / stars.sigma)[kept] ** 2))
    raised = formal * max(1.0, math.sqrt(chi2 / dof))
    used, residual = np.zeros(offset.size, dtype=bool), np.full(offset.size, np.nan)
    used[good], residual[good] = kept, left
    return Slope(term=term, err=raised, n=int(kept.sum()), chi2=chi2, dof=dof,
                 chance=float(2.0 * stdtr(dof, -abs(term) / raised)), used=used,
                 residual=residual)


@dataclass(frozen=True, kw_only=True)
class _Stars:
    """The stars of a fit, arrays of shape (N,); ``group``: number of each one's field, 0 to G - 1.
    """

    offset: Floats
    sigma: Floats
    colour: Floats
    group: NDArray[np.intp]

    def free(self, kept: NDArray[np.bool_]) -> int:
        """Degrees of freedom of those kept; 0 where they do not show a slope and all constants."""
        weight = kept.astype(np.float64)
        count: Floats = np.asarray(np.bincount(self.group, weight), dtype=np.float64)
        if not (count > 0).all() or np.abs(
                weight * self._centred(self.colour, weight, count)).max(initial=0.0) < _ALIKE:
            return 0
        return int(count.sum()) - count.size - 1

    def line(self, weight: Floats) -> tuple[float, float, Floats]:
        """(slope, its error, (N,) what it leaves) with such weights, of the unit of 1 / sigma^2.

        The constants are solved for first: distances from the weighted means of each field.
        """
        total = np.maximum(np.bincount(self.group, weight), 1e-300)
        colour = self._centred(self.colour, weight, total)
        offset = self._centred(self.offset, weight, total)
        weighted = weight * colour
        lever = max(float(weighted @ colour), 1e-300)
        term = float(weighted @ offset) / lever
        return term, 1.0 / math.sqrt(lever), offset - term * colour

    def _centred(self, values: Floats, weight: Floats, total: Floats) -> Floats:
        mean = np.bincount(self.group, weight * values) / total
        return np.asarray(values - mean[self.group])


def _sound(stars: _Stars) -> NDArray[np.bool_]:
    """The points that a robust fit does not leave out."""
    certain = stars.sigma**-2
    weight = np.ones(certain.size)
    for _ in range(_ROUNDS):
        normal = stars.line(weight * certain)[2] / stars.sigma
        scale = max(1.0, MAD_TO_SIGMA * median(np.abs(normal)))
        new = np.maximum(1.0 - (normal / (_TUKEY * scale)) ** 2, 0.0) ** 2
        moved, weight = float(np.abs(new - weight).max()), new
        if moved < 1e-6:
            break
    return np.asarray(weight > 0)
