"""Pixels of a smoothed image that stand above a level, in groups that hang together.

Only those pixels are looked at further: they are a few percent of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.intp]

_ROWS = 32  # rows that are smoothed at a time: what is in use then stays in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Connected:
    """Pixels in groups, group after group, in each row by row; arrays (n,), ``first``: (groups,).

    ``index``: place in the flattened image; ``value``, ``smooth``: ADU, as it is and smoothed;
    ``first``: where each group begins.
    """

    index: Integers
    value: FloatImage
    smooth: FloatImage
    first: Integers

    @property
    def sizes(self) -> Integers:
        """Pixels of each group."""
        return np.diff(self.first, append=self.index.size)

    @property
    def group(self) -> Integers:
        """The group of each pixel."""
        return np.repeat(np.arange(self.first.size), self.sizes)


def connected(image: FloatImage, *, level: float, profile: FloatImage, fewest: int,
              bad: Mask | None = None, most: int | None = None) -> Connected:
    """The groups of at least ``fewest`` pixels above ``level`` that touch at sides or corners.

    ``image``: float32 [y, x]; smoothed along both axes with ``profile``, whose sum is 1; ``bad``:
    pixels that count as 0, as does what lies beyond the edge. Raises ValueError as soon as more
    than ``most`` pixels stand above the level: each needs far more memory than in the image.
    """
    nx, count = image.shape[1], 0
    indices, smooths = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.float32)]
    for row, rows in _smoothed(image, profile, bad):
        above = np.flatnonzero(rows > np.float32(level))
        count += above.size
        if most is not None and count > most:
            raise ValueError(f"more than {most} pixels stand above the sky")
        indices.append(above + row * nx)
        smooths.append(rows.ravel()[above])
    index, smooth = np.concatenate(indices), np.concatenate(smooths)
    value = image.ravel()[index]
    if bad is not None:
        value[bad.ravel()[index]] = 0.0
    order, first = _grouped(index, nx, fewest)
    return Connected(index=index[order], value=value[order], smooth=smooth[order], first=first)


def _smoothed(image: FloatImage, profile: FloatImage,
              bad: Mask | None) -> Iterator[tuple[int, FloatImage]]:
    """(first row, some smoothed rows), one after the other."""
    half = profile.size // 2
    ny, nx = image.shape
    room = np.zeros((_ROWS + 2 * half, nx + 2 * half), dtype=np.float32)
    for first in range(0, ny, _ROWS):
        last = min(first + _ROWS, ny)
        low, high = max(first - half, 0), min(last + half, ny)
        room[:half] = 0.0  # above the first row; other blocks have rows there
        rows = room[low - first + half:high - first + half, half:half + nx]
        rows[:] = image[low:high]
        room[high - first + half:] = 0.0
        if bad is not None:
            rows[bad[low:high]] = 0.0
        tall = _weighted(room, profile, last - first)
        yield first, _weighted(tall.T, profile, nx).T


def _weighted(rows: FloatImage, profile: FloatImage, count: int) -> FloatImage:
    """The weighted sums of neighbouring rows, of which there are ``count``; symmetric weights."""
    half = profile.size // 2
    total: FloatImage = profile[half] * rows[half:half + count]
    for k in range(1, half + 1):
        pair = rows[half - k:half - k + count] + rows[half + k:half + k + count]
        pair *= profile[half + k]
        total += pair
    return total


def _grouped(index: Integers, nx: int, fewest: int) -> tuple[Integers, Integers]:
    """(order of the pixels by groups, where each group begins); small groups are left out.

    ``index``: rising places in an image ``nx`` pixels wide. Pixels side by side are taken as one
    run, and runs of neighbouring rows are tied together.
    """
    if index.size == 0:
        return index, index
    # A column between the rows keeps the end of one from the beginning of the next.
    place = index + 2 * (index // nx)
    wide = nx + 2
    begins = np.flatnonzero(np.diff(place, prepend=-2) != 1)
    lengths = np.diff(begins, append=index.size)
    start = place[begins]
    end = start + lengths - 1
    from_, to = np.searchsorted(end, start + wide - 1), np.searchsorted(
        start, end + wide + 1, side="right")
    ties = np.maximum(to - from_, 0)
    one = np.repeat(np.arange(begins.size), ties)
    other = np.arange(one.size) + np.repeat(from_ - np.cumsum(ties) + ties, ties)
    _, group = connected_components(coo_array(
        (np.ones(one.size, dtype=np.int8), (one, other)), shape=(begins.size, begins.size)),
        directed=False)
    keep = (np.bincount(group, weights=lengths) >= fewest)[group]
    begins, lengths, group = begins[keep], lengths[keep], group[keep]
    sorted_ = np.argsort(group, kind="stable")
    begins, lengths, group = begins[sorted_], lengths[sorted_], group[sorted_]
    ends = np.cumsum(lengths)
    order = np.arange(int(lengths.sum())) + np.repeat(begins - ends + lengths, lengths)
    new = np.flatnonzero(np.diff(group, prepend=-1))
    return order, (ends - lengths)[new]
