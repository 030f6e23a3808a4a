"""Pixels of a smoothed image that stand above a level, in groups that hang together.

Only those pixels are looked at further: they are a few percent of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from iop4d.science.smoothed import above

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.intp]


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
    index, smooth = above(image, level=level, profile=profile, bad=bad, most=most)
    value = image.ravel()[index]
    if bad is not None:
        value[bad.ravel()[index]] = 0.0
    order, first = _grouped(index, image.shape[1], fewest)
    return Connected(index=index[order], value=value[order], smooth=smooth[order], first=first)


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
    last = np.cumsum(ties)
    other = np.arange(int(last[-1])) + np.repeat(from_ - last + ties, ties)
    _, group = connected_components(csr_array(
        (np.ones(other.size), other, np.append(0, last)), shape=(begins.size, begins.size)),
        directed=False)
    keep = (np.bincount(group, weights=lengths) >= fewest)[group]
    begins, lengths, group = begins[keep], lengths[keep], group[keep]
    sorted_ = np.argsort(group, kind="stable")
    begins, lengths, group = begins[sorted_], lengths[sorted_], group[sorted_]
    ends = np.cumsum(lengths)
    order = np.arange(int(lengths.sum())) + np.repeat(begins - ends + lengths, lengths)
    new = np.flatnonzero(np.diff(group, prepend=-1))
    return order, (ends - lengths)[new]
