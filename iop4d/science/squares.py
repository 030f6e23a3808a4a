"""Squares of pixels about many places of an image, cut out at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Squares:
    """``pixels``: (n, rows, columns), as they are in the image; ``left``, ``bottom``: (n,) column
    and row of the first pixel of each."""

    pixels: Floats
    left: Integers
    bottom: Integers


def cut_squares(image: NDArray[np.float32], x: Floats, y: Floats, *, half: int) -> Squares:
    """The squares of 2 ``half`` + 1 pixels about the pixels nearest to 0-based places (n,).

    One that would reach beyond the edge is moved into the image; an image that is narrower is
    taken as a whole.
    """
    (ny, nx), side = image.shape, 2 * half + 1
    rows, columns = min(side, ny), min(side, nx)
    left, bottom = (np.clip(np.rint(place).astype(np.intp) - half, 0, last)
                    for place, last in ((x, nx - columns), (y, ny - rows)))
    pixels = sliding_window_view(image, (rows, columns))[bottom, left]
    return Squares(pixels=pixels.astype(np.float64), left=left, bottom=bottom)
