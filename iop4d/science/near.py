"""Which of many places lie near each of some others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ROUNDED = 1e-3  # px by which the square is wider than the circle: no rounding loses a pair


def pairs_within(reach: float, x: Floats, y: Floats, other_x: Floats,
                 other_y: Floats) -> tuple[Indices, Indices, Floats]:
    """(which place, which other, distance) of all pairs nearer than ``reach`` pixels, in order.

    Distances are taken of what lies in a square alone, which is a tenth of the work in a frame.
    """
    square = np.abs(other_x - x[:, None]) < reach + _ROUNDED
    square &= np.abs(other_y - y[:, None]) < reach + _ROUNDED
    place, other = np.divmod(np.flatnonzero(square), max(other_x.size, 1))
    distance = np.hypot(other_x[other] - x[place], other_y[other] - y[place])
    near = distance < reach
    return place[near], other[near], distance[near]
