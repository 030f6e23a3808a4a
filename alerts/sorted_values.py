"""Numbers in order to which others are added one by one, and their medians at once.

A median of n numbers takes n steps, and a rule asks for one at every new point. Of numbers that are
kept in order it takes one, and their median absolute deviation the logarithm of n.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable

from iop4d.model.units import angle_difference

_EXACT = 1 << 60  # cosines and sines as whole numbers: sums that forget what is removed


class _Sorted:
    """Numbers in order."""

    def __init__(self) -> None:
        self._values: list[float] = []

    @property
    def largest(self) -> float:
        """The largest of some."""
        return self._values[-1]

    @property
    def smallest(self) -> float:
        """The smallest of some."""
        return self._values[0]


class SortedValues(_Sorted):
    """Numbers in order."""

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: float) -> None:
        """One more."""
        insort(self._values, value)

    def remove(self, value: float) -> None:
        """One less, of those that are there."""
        del self._values[bisect_left(self._values, value)]

    def fill(self, values: Iterable[float]) -> None:
        """These instead of all that are there."""
        self._values = sorted(values)

    def median(self) -> float:
        """That of ``statistics.median``."""
        return _middle(lambda k: self._values[k], len(self._values))

    def deviation(self, middle: float) -> float:
        """The median of the distances from a number."""
        at = bisect_left(self._values, middle)
        return _median_distance(lambda k: self._values[k] - middle, at, len(self._values))


class SortedAngles(_Sorted):
    """Angles modulo 180 degrees in order, with their mean direction."""

    def __init__(self) -> None:
        super().__init__()
        self._cos = self._sin = 0

    def add(self, value: float) -> None:
        """One more."""
        insort(self._values, value % 180.0)
        self._count(value, 1)

    def remove(self, value: float) -> None:
        """One less, of those that are there."""
        del self._values[bisect_left(self._values, value % 180.0)]
        self._count(value, -1)

    def fill(self, values: Iterable[float]) -> None:
        """These instead of all that are there."""
        listed = list(values)
        self._values = sorted(value % 180.0 for value in listed)
        self._cos = self._sin = 0
        for value in listed:
            self._count(value, 1)

    def _count(self, value: float, sign: int) -> None:
        two = math.radians(2.0 * value)
        self._cos += sign * round(math.cos(two) * _EXACT)
        self._sin += sign * round(math.sin(two) * _EXACT)

    def median(self) -> float:
        """The mean direction and the median of how far they are from it; NaN where they cancel."""
        c, s = self._cos / _EXACT, self._sin / _EXACT
        if not math.hypot(c, s) > 1e-12:
            return math.nan
        mean = math.degrees(math.atan2(s, c)) / 2.0 % 180.0
        return mean + _middle(self._from(mean), len(self._values))

    def deviation(self, middle: float) -> float:
        """The median of the distances from a direction."""
        off, count = self._from(middle), len(self._values)
        at = bisect_left(range(count), 0.0, key=off)
        return _median_distance(off, at, count)

    def _from(self, middle: float) -> Callable[[int], float]:
        """The k-th difference from a direction, in [-90, 90), in order."""
        values, count = self._values, len(self._values)
        start = bisect_left(values, (middle + 90.0) % 180.0)
        return lambda k: angle_difference(values[(start + k) % count], middle)


def _middle(at: Callable[[int], float], count: int) -> float:
    half = count // 2
    return at(half) if count % 2 else (at(half - 1) + at(half)) / 2.0


def _median_distance(off: Callable[[int], float], zero: int, count: int) -> float:
    """The median of |off|, of differences in order, the first that is not below 0 at ``zero``."""
    def below(k: int) -> float:
        return -off(zero - 1 - k)

    def above(k: int) -> float:
        return off(zero + k)

    return _middle(lambda k: _smallest_of_two(below, zero, above, count - zero, k), count)


def _smallest_of_two(one: Callable[[int], float], n_one: int, other: Callable[[int], float],
                     n_other: int, k: int) -> float:
    """The k-th smallest, from 0 on, of two rising sequences together."""
    low, high = max(0, k + 1 - n_other), min(k + 1, n_one)  # how many of ``one`` are up to it
    while low < high:
        taken = (low + high) // 2
        if one(taken) < other(k - taken):
            low = taken + 1
        else:
            high = taken
    return max([one(low - 1)] * (low > 0) + [other(k - low)] * (k >= low))
