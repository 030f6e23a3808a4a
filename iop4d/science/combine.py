"""Combine frames of one kind, pixel by pixel, without the values that do not belong."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right  # numpy's would copy single precision into double
from functools import cache

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.ordered import middle

FloatImage = NDArray[np.float32]

_WHOLE = 4_000_000  # values of which a copy is made without regard to memory
_FEW = 8  # values of a pixel that are put in order by exchanges, all pixels at once


def clipped_mean(cube: FloatImage, *, clip: float) -> FloatImage:
    """Mean along the first axis, without values further than ``clip`` sigmas from the median.

    ``cube``: float32 (n, ...), NaN where there is no value; the answer is float32, NaN where no
    frame has a value. A pixel's sigma is 1.4826 MAD, but at least that of the typical pixel of
    the cube: the MAD of three values is often next to zero by chance, and a clip by it alone
    would throw away good values.
    """
    n = cube.shape[0]
    ordered = _sorted(np.moveaxis(cube, 0, -1))
    holes = bool(np.isnan(ordered[..., -1]).any())
    median = _median_of_sorted(ordered, holes=holes)
    if n < 3:
        return np.asarray(_mean(ordered, np.isfinite(ordered)), dtype=np.float32)
    away = np.abs(ordered - median[..., None])
    mad = _median_of_sorted(_sorted(away), holes=holes)
    sigma = np.maximum(MAD_TO_SIGMA * mad, typical_sigma(ordered))
    keep = away <= np.float32(clip) * sigma[..., None]
    return np.asarray(_mean(ordered, keep), dtype=np.float32)


def typical_sigma(cube: FloatImage) -> np.float32:
    """The standard deviation of the typical pixel along the last axis, n >= 2, from the median.

    The median of chi-squared over its degrees of freedom is about (1 - 2/(9 dof))^3.
    """
    dof = cube.shape[-1] - 1
    variance = np.var(cube, axis=-1, ddof=1)
    good = variance[np.isfinite(variance)]
    if good.size == 0:
        return np.float32(0.0)
    typical = float(np.median(good)) / (1.0 - 2.0 / (9.0 * dof)) ** 3
    if typical == 0.0:  # a quiet camera repeats most of its whole numbers; look at the others
        typical = float(np.mean(np.minimum(good, np.percentile(good, 99.0))))
    return np.float32(math.sqrt(typical))


def robust_level(values: NDArray[np.floating], *, clip: float = 3.0,
                 rounds: int = 10) -> tuple[float, float]:
    """(median, sigma) of finite values, clipped about the median; NaN when there are none.

    ``sigma`` is the standard deviation of what is left, for a clip of 3 raised by the 1.4 %
    that clipping takes from a normal distribution.
    """
    left = values[np.isfinite(values)]  # a copy: large images leave no room for another
    left.sort()  # what a clip leaves of it is a slice
    if left.size == 0:
        return math.nan, math.nan
    centre = middle(left)
    width = MAD_TO_SIGMA * _mad_of_ordered(left, centre)
    for _ in range(rounds):
        kept = left
        if width > 0:
            kept = left[bisect_left(left, np.float64(centre - clip * width)):
                        bisect_right(left, np.float64(centre + clip * width))]
        centre, width = middle(kept), _deviation(kept) * _shrink(clip)
        if kept.size == left.size:
            break
        left = kept
    return centre, width


def _mad_of_ordered(left: NDArray[np.floating], centre: float) -> float:
    """The median of the distances of ordered values from their centre.

    Those of a large image are not kept: its nearest values stand side by side.
    """
    if left.size <= _WHOLE:
        away = left - centre
        np.abs(away, out=away)
        away.partition(((away.size - 1) // 2, away.size // 2))
        return middle(away)
    ranks = (left.size - 1) // 2, left.size // 2
    return middle(np.array([_distance(left, centre, rank) for rank in ranks]))


def _distance(left: NDArray[np.floating], centre: float, rank: int) -> float:
    """The distance from a centre of the ordered value that ``rank`` others are nearer to it."""
    low, high, at = 0, left.size - 1 - rank, left.dtype.type(centre)
    while low < high:  # where the ``rank + 1`` nearest begin
        first = (low + high) // 2
        if at - left[first] > left[first + rank + 1] - at:
            low = first + 1
        else:
            high = first
    return float(max(abs(left[low] - at), abs(left[low + rank] - at)))


def _deviation(values: NDArray[np.floating]) -> float:
    """numpy's standard deviation to the last bit, in less than half its time for a few values and
    without its copy of a large image."""
    total, count = np.add.reduce(values), np.intp(values.size)
    squares = _square_sum(values, type(total)(total / count))
    return float(np.sqrt(type(squares)(squares / count)))


def _square_sum(values: NDArray[np.floating], mean: np.floating) -> np.floating:
    """The sum of squared distances from the mean: by halves, as numpy itself adds up."""
    if values.size > _WHOLE:
        half = values.size // 2
        half -= half % 8
        return _square_sum(values[:half], mean) + _square_sum(values[half:], mean)
    away = values - mean
    total: np.floating = np.add.reduce(np.square(away, out=away))
    return total


@cache
def _shrink(clip: float) -> float:
    """How much wider a normal distribution is than its part within ``clip`` sigmas."""
    inside = math.erf(clip / math.sqrt(2.0))
    density = math.exp(-clip * clip / 2.0) / math.sqrt(2.0 * math.pi)
    return 1.0 / math.sqrt(1.0 - 2.0 * clip * density / inside)


def _sorted(values: FloatImage) -> FloatImage:
    """The values in order along the last axis, NaN last.

    A few values of each of many pixels take a fifth of the time by exchanges of neighbours.
    """
    n = values.shape[-1]
    if n > _FEW or np.isnan(values).any():
        return np.sort(values, axis=-1)
    planes = [values[..., place] for place in range(n)]
    for turn in range(n):
        for low in range(turn % 2, n - 1, 2):
            one, other = planes[low], planes[low + 1]
            planes[low], planes[low + 1] = np.minimum(one, other), np.maximum(one, other)
    return np.moveaxis(np.stack(planes), 0, -1)


def _median_of_sorted(ordered: FloatImage, *, holes: bool) -> FloatImage:
    n = ordered.shape[-1]
    if not holes:
        middle = ordered[..., (n - 1) // 2] + ordered[..., n // 2]
        return np.asarray(middle * np.float32(0.5), dtype=np.float32)
    count = np.isfinite(ordered).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, n - 1)[..., None], axis=-1)
    return np.asarray(0.5 * (low + high)[..., 0], dtype=np.float32)


def _mean(values: FloatImage, keep: NDArray[np.bool_]) -> FloatImage:
    count = keep.sum(axis=-1)
    total = np.where(keep, values, np.float32(0.0)).sum(axis=-1, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan).astype(np.float32)
