"""Windows over the points of a light curve, from which changes, rates and rotations follow.

A rule is judged at every new point, and its window may hold a hundred thousand. So a window keeps
what follows from its points (numbers in order, sums), and changes by those that enter and leave
alone. It may move either way. What it gives depends on its points, and not on how it came there:
sums are of whole numbers, which forget exactly what is subtracted.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

from iop4d.alerts.sorted_values import SortedAngles, SortedValues
from iop4d.model.uncertainty import between
from iop4d.model.units import angle_difference

_NAN = math.nan
_WEIGHT, _UNIT = 1 << 60, 1 << 40  # of one, as whole numbers: a weight, and a time or value
_CHANCE = 1e-5  # of a constant angle to seem to have turned at a point
SURE_ANGLE = 5.0  # errors of p that a point of a rotation needs
_RADIAN_2 = math.degrees(0.5)  # degrees that chi is off by where p is its error
_FINENESS = 10.0  # bins of errors by a factor of e: those of a bin differ by 10 %


class SeriesPoint(NamedTuple):
    """A point: ``error`` random, NaN if unknown; ``common``: what points of a ``camera`` share;
    ``host``: what the host galaxy's flux makes of the error, alike in all."""

    id: int
    jd: float
    night: str
    value: float
    error: float
    common: float = 0.0
    host: float = 0.0
    camera: str = ""

    @property
    def total(self) -> float:
        """The error of the value by itself."""
        return math.hypot(self.error, self.common, self.host)


class Window:
    """Some consecutive points of a series, from the index ``begin`` on and before ``end``."""

    def __init__(self, points: Sequence[SeriesPoint]) -> None:
        self.points = points
        self.begin = self.end = 0

    def move(self, begin: int, end: int) -> None:
        """Have it hold the points of other indexes."""
        steps = abs(begin - self.begin) + abs(end - self.end)
        if begin >= self.end or end <= self.begin or steps > end - begin:
            self.clear()
            self.fill(begin, end)
            self.begin, self.end = begin, end
        while self.begin > begin:
            self.begin -= 1
            self.add(self.begin)
        while self.end < end:
            self.add(self.end)
            self.end += 1
        while self.begin < begin:
            self.remove(self.begin)
            self.begin += 1
        while self.end > end:
            self.end -= 1
            self.remove(self.end)

    def forget(self, index: int) -> None:
        """The points from an index on are about to change: hold none of them."""
        if index < self.end:
            self.move(min(index, self.begin), max(min(index, self.end), min(index, self.begin)))

    def clear(self) -> None:
        """Hold no point."""
        raise NotImplementedError

    def fill(self, begin: int, end: int) -> None:
        """Take in many points at once, where none is held."""
        for index in range(begin, end):
            self.add(index)

    def add(self, index: int) -> None:
        """Take in the point of an index at either end."""
        raise NotImplementedError

    def remove(self, index: int) -> None:
        """Leave out the point of an index at either end."""
        raise NotImplementedError


class PastWindow(Window):
    """The points with which a change is compared. ``is_angle``: whether modulo 180 degrees."""

    def __init__(self, points: Sequence[SeriesPoint], *, is_angle: bool) -> None:
        super().__init__(points)
        self._values: SortedAngles | SortedValues
        self._is_angle = is_angle
        self.clear()

    def clear(self) -> None:
        self._values = SortedAngles() if self._is_angle else SortedValues()
        self._hosts, self._commons = SortedValues(), SortedValues()
        self._mine: defaultdict[str, SortedValues] = defaultdict(SortedValues)

    def fill(self, begin: int, end: int) -> None:
        points = self.points[begin:end]
        self._values.fill(point.value for point in points)
        self._hosts.fill(point.host for point in points)
        self._commons.fill(point.common for point in points)
        for camera in {point.camera for point in points}:
            self._mine[camera].fill(point.common for point in points if point.camera == camera)

    def add(self, index: int) -> None:
        point = self.points[index]
        self._values.add(point.value)
        self._hosts.add(point.host)
        self._commons.add(point.common)
        self._mine[point.camera].add(point.common)

    def remove(self, index: int) -> None:
        point = self.points[index]
        self._values.remove(point.value)
        self._hosts.remove(point.host)
        self._commons.remove(point.common)
        self._mine[point.camera].remove(point.common)

    def middle(self) -> float:
        """The median; of angles, NaN where they cancel."""
        return self._values.median()

    def largest(self) -> float:
        """The largest value, of numbers."""
        return self._values.largest

    def smallest(self) -> float:
        """The smallest value, of numbers."""
        return self._values.smallest

    def deviation(self, middle: float) -> float:
        """The median distance from a middle."""
        return self._values.deviation(middle)

    def apart(self, point: SeriesPoint, *, cancels: bool) -> float:
        """What common errors leave in the difference of a point and the median.

        ``cancels``: whether they do within a camera. Those of p do not where chi differs.
        """
        mine = self._mine.get(point.camera)
        shared = cancels and mine is not None and 2 * len(mine) >= self.end - self.begin
        commons = mine if shared and mine is not None else self._commons
        apart = between(point.common, commons.median(), shared=shared)
        # The host is the same one: it moves bright and faint points by different steps, to one
        # side.
        return math.hypot(apart, point.host - self._hosts.median())


class LineWindow(Window):
    """The points through which a straight line goes, each camera's known to be off by so much.

    ``floor``: a scatter that is always allowed for. Points without an error have no weight.
    """

    def __init__(self, points: Sequence[SeriesPoint]) -> None:
        super().__init__(points)
        self._floor = 0.0
        self.clear()

    def clear(self) -> None:
        self._values = SortedValues()
        self._used = self._exact = 0
        self._sums: dict[str, list[int]] = {}
        self._commons: defaultdict[str, SortedValues] = defaultdict(SortedValues)

    def add(self, index: int) -> None:
        self._values.add(self.points[index].value)
        self._count(index, 1)

    def remove(self, index: int) -> None:
        self._values.remove(self.points[index].value)
        self._count(index, -1)

    def middle(self) -> float:
        """The median of the values."""
        return self._values.median()

    def allow(self, floor: float) -> None:
        """Weigh the points by another floor."""
        if floor != self._floor:
            self._floor = floor
            self.clear()
            self.fill(self.begin, self.end)

    @property
    def used(self) -> int:
        """How many points have a weight."""
        return self._used

    def _count(self, index: int, sign: int) -> None:
        point = self.points[index]
        if math.isnan(point.error):
            return
        self._used += sign
        variance = point.error**2 + self._floor**2
        if not variance:
            self._exact += sign
            return
        sums = self._sums.setdefault(point.camera, [0] * 7)
        w, x, y = (round(_WEIGHT / variance), round(point.jd * _UNIT), round(point.value * _UNIT))
        wx, wy = w * x, w * y
        for n, part in enumerate((1, w, wx, wy, wx * x, wx * y, wy * y)):
            sums[n] += sign * part
        commons = self._commons[point.camera]
        if sign > 0:
            commons.add(point.common)
        else:
            commons.remove(point.common)
            if not sums[0]:
                del self._sums[point.camera]

    def slope(self) -> tuple[float, float]:
        """That of the line of least squares, and its standard error, as ``model.units.line_fit``
        has them; NaN with fewer than three points, or all at one time."""
        count, weight, wx, wy, *_ = map(sum, zip(*self._sums.values(), strict=True)
                                        ) if self._sums else [0] * 7
        if self._exact or count < 3:
            return _NAN, _NAN
        a = b = c = d = e = f = 0.0
        for camera, sums in self._sums.items():
            s, sx, sy, sxx, sxy, syy = _about(sums, wx // weight, wy // weight)
            common = self._commons[camera].largest
            if len(self._sums) == 1:  # it moves no slope
                share = 1.0 / s
            else:  # Sherman & Morrison, see line_fit
                share = 1.0 / (common**-2 + s) if common > 0 else 0.0
            a, b, c = a + s - share * s * s, b + sx - share * s * sx, c + sxx - share * sx * sx
            d, e, f = d + sy - share * s * sy, e + sxy - share * sx * sy, f + syy - share * sy * sy
        if len(self._sums) == 1:
            a, b, d = 1.0, 0.0, 0.0
        spread = a * c - b * b
        if not spread > 0:
            return _NAN, _NAN
        slope, level = (a * e - b * d) / spread, (c * d - b * e) / spread
        chi2 = (f - slope * e - level * d) / (count - 2)
        return slope, math.sqrt(max(chi2, 1.0) * a / spread)


def _about(sums: Sequence[int], x0: int, y0: int) -> tuple[float, ...]:
    """Weights, and weighted first and second moments, about a time and a value."""
    _, w, wx, wy, wxx, wxy, wyy = sums
    one, two = _WEIGHT * _UNIT, _WEIGHT * _UNIT * _UNIT
    return (w / _WEIGHT, (wx - x0 * w) / one, (wy - y0 * w) / one,
            (wxx - 2 * x0 * wx + x0 * x0 * w) / two,
            (wxy - x0 * wy - y0 * wx + x0 * y0 * w) / two,
            (wyy - 2 * y0 * wy + y0 * y0 * w) / two)


class PathWindow(Window):
    """The points along which an angle turns, each step taken the shorter way.

    They stand in order of the path up to them, apart by camera and error, so that the largest
    turn that noise does not explain is one of the first that is looked at. Where p is below five
    times its error chi has no say: the angle of noise is any angle, and a step could go either way.
    """

    def __init__(self, points: Sequence[SeriesPoint]) -> None:
        super().__init__(points)
        self._path: list[float] = []
        self._last: list[int] = []  # of each point, the last one with a say up to it; -1: none
        self.clear()

    def clear(self) -> None:
        self.used = 0
        self._bins: dict[tuple[str, float, float], list[tuple[float, int]]] = {}

    def forget(self, index: int) -> None:
        super().forget(index)
        del self._path[index:], self._last[index:]

    def add(self, index: int) -> None:
        if is_sure_angle(self.points[index]):
            insort(self._bins.setdefault(self._bin(index), []), (self._at(index), index))
            self.used += 1

    def remove(self, index: int) -> None:
        if not is_sure_angle(self.points[index]):
            return
        key = self._bin(index)
        entries = self._bins[key]
        del entries[bisect_left(entries, (self._at(index), index))]
        self.used -= 1
        if not entries:
            del self._bins[key]

    def _at(self, index: int) -> float:
        """The path up to a point."""
        for n in range(len(self._path), index + 1):
            last = self._last[-1] if n else -1
            path = self._path[-1] if n else 0.0
            if is_sure_angle(self.points[n]):
                if last >= 0:
                    path += angle_difference(self.points[n].value, self.points[last].value)
                last = n
            self._path.append(path)
            self._last.append(last)
        return self._path[index]

    def _bin(self, index: int) -> tuple[str, float, float]:
        """Its camera, and the least that its own and its common error may be."""
        point = self.points[index]
        return point.camera, _least(point.error), _least(point.common)

    def largest_turn(self) -> float:
        """The largest turn up to the last point, of those that noise does not explain; or 0."""
        last = self.points[self.end - 1]
        here = self._at(self.end - 1)
        # The largest of n differences: noise has n tries.
        sure = NormalDist().inv_cdf(1.0 - _CHANCE / (2.0 * self.used))
        found = 0.0
        for entries, least in self._by_error(last):
            for sign, way in ((1.0, entries), (-1.0, reversed(entries))):
                for path, index in way:
                    turn = sign * (here - path)
                    if turn <= found or turn < sure * least:
                        break
                    if not turn_in_errors(turn, self.points[index], last) < sure:
                        found = turn
                        break
        return found

    def surest_turn(self) -> float:
        """The largest turn up to the last point in its errors; 0 without one."""
        last = self.points[self.end - 1]
        here = self._at(self.end - 1)
        found = 0.0
        for entries, least in self._by_error(last):
            for sign, way in ((1.0, entries), (-1.0, reversed(entries))):
                for path, index in way:
                    turn = sign * (here - path)
                    if turn <= 0.0 or turn <= found * least:
                        break
                    found = max(found, turn_in_errors(turn, self.points[index], last))
        return found

    def _by_error(self, last: SeriesPoint) -> Iterator[tuple[list[tuple[float, int]], float]]:
        """The points of each bin, and the least error of a turn from them to the last point."""
        for (camera, error, common), entries in self._bins.items():
            apart = 0.0 if camera == last.camera else max(common, last.common)
            yield entries, math.hypot(error, _known(last.error), apart)


def is_sure_angle(point: SeriesPoint) -> bool:
    """Whether an angle's error is small enough for it to have a say in a rotation."""
    return not point.error > _RADIAN_2 / SURE_ANGLE


def turn_in_errors(turn: float, one: SeriesPoint, other: SeriesPoint) -> float:
    """A turn between two points in its errors; infinite without any.

    It is never surer than that p is there at all: noise as large as p turns chi anywhere.
    """
    error = _error_of_turn(one, other)
    largest = max(_known(one.error), _known(other.error))
    return min(turn / error if error else math.inf, _RADIAN_2 / largest if largest else math.inf)


def _error_of_turn(one: SeriesPoint, other: SeriesPoint) -> float:
    """Error of a difference of angles; an unknown error counts as none."""
    apart = between(one.common, other.common, shared=one.camera == other.camera)
    return math.hypot(_known(one.error), _known(other.error), apart)


def _known(error: float) -> float:
    return 0.0 if math.isnan(error) else error


def _least(error: float) -> float:
    """The least error of the bin that an error is in."""
    if not error > 0:
        return 0.0
    return math.exp(math.floor(math.log(error) * _FINENESS) / _FINENESS) * (1.0 - 1e-9)
