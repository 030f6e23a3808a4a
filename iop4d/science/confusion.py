"""Noise of a crowded sky: how much more the light of an aperture's area scatters than pixels tell.

Stars too faint to be detected are the same in neighbouring pixels, so the noise of an area's sum is
larger than that of as many independent pixels. Sums over squares of the aperture's area, all over
the frame where no star is detected, show by how much. The aperture moves with its star, and so do
the faint stars: between frames of one field nearly all of it cancels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from iop4d.science.ordered import percentiles

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]

_MOST_PIXELS = 250_000  # that are looked at: some 5000 squares
_STAR = 6.0  # sigmas of a pixel above which its square holds a star
# Sigmas of a pixel above which the squares around are left out as well, and another ring of squares
# for each: wings of bright stars are no confusion.
_BRIGHT = (15.0, 150.0, 1500.0, 15000.0)
_CLIP = 5.0  # robust sigmas of the sums beyond which a square holds something else
_FEWEST = 50
_SIGNIFICANT = 3.0  # errors of the excess above which it counts
#: Part of the error by faint stars that two frames of a field do not share: with other seeing they
#: add a little more or less to an aperture, and some are detected on one frame only.
UNSHARED = 0.3


def sky_excess(image: FloatImage, *, sigma: float, area: float) -> float:
    """Variance of the sky's light in an area over that of independent pixels; at least 1.

    ``image``: float32, background subtracted; ``sigma``: noise of a sky pixel, ADU; ``area``: of
    the aperture, pixels. 1 where too few squares are free of stars.
    """
    side = max(2, round(math.sqrt(area)))
    ny, nx = image.shape
    across, down = nx // side, ny // side
    down = min(down, max(3, _MOST_PIXELS // (across * side * side)) if across else 0)
    if across < 3 or down < 3:
        return 1.0
    first = (ny - down * side) // 2
    squares = image[first:first + down * side, :across * side].reshape(down, side, across, side)
    columns, peaks = squares.sum(axis=1, dtype=np.float32), squares.max(axis=1)
    # Over a last axis of a few pixels numpy is slow; over their columns it is not.
    sums, highest = columns[:, :, 0].astype(np.float64), peaks[:, :, 0].copy()
    for column in range(1, side):
        sums += columns[:, :, column]
        np.maximum(highest, peaks[:, :, column], out=highest)
    near = np.zeros(highest.shape, dtype=bool)
    for bright in reversed(_BRIGHT):
        near = _beside(near | (highest > bright * sigma))
    good = (highest < _STAR * sigma) & ~near & (sums != 0.0)
    values = sums[good]
    for _ in range(2):
        if values.size < _FEWEST:
            return 1.0
        low, centre, high = percentiles(values, 15.87, 50.0, 84.13)
        values = values[np.abs(values - centre) < _CLIP * 0.5 * (high - low)]
    excess = float(np.var(values)) / (side * side * sigma * sigma)
    return excess if excess - 1.0 > _SIGNIFICANT * math.sqrt(2.0 / values.size) else 1.0


def _beside(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A marked square and the eight about it."""
    rows = marked.copy()
    rows[1:] |= marked[:-1]
    rows[:-1] |= marked[1:]
    around = rows.copy()
    around[:, 1:] |= rows[:, :-1]
    around[:, :-1] |= rows[:, 1:]
    return around
