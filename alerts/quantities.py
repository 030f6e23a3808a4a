"""What conditions compare, from the points of a source: values, changes, rates, rotations.

Pure functions of a series of points, ordered by time. A value that is unknown, because too few
points came before it, say, is NaN: it neither fires a rule nor ends an alert.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.windows import (
    LineWindow,
    PastWindow,
    PathWindow,
    SeriesPoint,
    is_sure_angle,
)
from iop4d.config import Rule
from iop4d.model.units import MAD_TO_SIGMA, angle_difference

_SURE = 3.0  # standard errors that a rate must have
_NAN = math.nan
_FLOORS = {"mag": 0.02, "flux_mjy": 0.0, "p": 0.005, "chi": 2.0}
_FLUX_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class Past:
    """With what a change is compared: a rule's keys."""

    window: float  # days
    min_points: int
    floor: float  # of the scatter, in the quantity's unit
    share: float = 0.0  # of the median, that the floor is instead

    @classmethod
    def of(cls, rule: Rule, quantity: str) -> Past:
        """As a rule asks for; its quantity's own floor if it names none."""
        relative = rule.min_scatter < 0 and quantity == "flux_mjy"
        return cls(window=rule.window_days, min_points=rule.min_points,
                   floor=_FLOORS.get(quantity, 0.02) if rule.min_scatter < 0 else rule.min_scatter,
                   share=_FLUX_SHARE if relative else 0.0)

    def least(self, middle: float) -> float:
        """The floor about a median."""
        return max(self.floor, self.share * abs(middle))

    def steady_least(self, middle: float) -> float:
        """The same to three digits: weights that follow from it change seldom."""
        return float(f"{self.least(middle):.3g}")


@dataclass(frozen=True, kw_only=True)
class PointSeries:
    """Points in order of time, by columns: see ``windows.SeriesPoint``.

    ``common``, ``host``, ``camera``: empty where none is known, all are of one camera.
    """

    ids: Sequence[int]
    jd: Sequence[float]
    night: Sequence[str]
    value: Sequence[float]
    error: Sequence[float]
    common: Sequence[float] = ()
    host: Sequence[float] = ()
    camera: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def total(self) -> list[float]:
        """The error of each value by itself."""
        return [point.total for point in self.points()]

    def points(self) -> list[SeriesPoint]:
        """The points themselves."""
        none = [0.0] * len(self)
        return [SeriesPoint(*row) for row in zip(
            self.ids, self.jd, self.night, self.value, self.error, self.common or none,
            self.host or none, self.camera or [""] * len(self), strict=True)]

    @classmethod
    def of(cls, points: Sequence[SeriesPoint]) -> PointSeries:
        """Points by columns."""
        ids, jd, night, value, error, common, host, camera = list(
            zip(*points, strict=True)) or [()] * 8
        return cls(ids=ids, jd=jd, night=night, value=value, error=error, common=common,
                   host=host, camera=camera)


def derived(condition: Condition, series: PointSeries, past: Past, *, since: float) -> list[float]:
    """What is compared with the threshold, at each point from JD ``since`` on; NaN before, but of
    values and colours. See ``Derivation``."""
    if condition.form in (Form.VALUE, Form.COLOUR):
        return list(series.value)
    points = series.points()
    start = bisect_left(series.jd, since)
    return [_NAN] * start + Derivation(condition, points, past).values(start, len(points))


class Derivation:
    """What a condition compares with its threshold, at the points of a series.

    A change is the value minus the median of the points in the ``window`` days before that are of
    earlier nights, at least ``min_points`` of them; in sigma it is divided by
    sqrt((1.4826 MAD)^2 + err^2 + floor^2), with the point's own random error. A change of chi is
    the absolute difference from the median direction, in [0, 90] degrees. The faintest and the
    brightest are how far a point is beyond all of those, in sigma over its own error and the floor.
    A rate is the slope of a
    weighted straight line through the window, NaN if it is below three standard errors. A rotation
    is the largest turn of chi within the window, each step taken the shorter way, of those that
    noise does not explain; 0 if it explains them all; in sigma, the largest in its errors. Only
    angles where p is at least five times its error take part. Of common errors counts what the
    points compared do not share (``model.uncertainty.between``).

    Each value is worked out once. The series may grow and change: ``forget`` is called before.
    ``most``: points that a value is compared with.
    """

    def __init__(self, condition: Condition, points: Sequence[SeriesPoint], past: Past,
                 most: int = 1 << 62) -> None:
        self._condition, self._points, self._past, self._most = condition, points, past, most
        self._begin = 0
        self._values: list[float] = []  # from the point ``_begin`` on
        self._night = ("", 0, 0)  # a point's night, its index, and where that night begins
        is_angle = condition.quantity == "chi"
        self._window: PastWindow | LineWindow | PathWindow = (
            LineWindow(points) if condition.form is Form.RATE
            else PathWindow(points) if condition.form is Form.ROTATION
            else PastWindow(points, is_angle=is_angle))

    def values(self, start: int, end: int) -> list[float]:
        """Those of the points from one index on and before another."""
        if self._condition.form in (Form.VALUE, Form.COLOUR, Form.NEW, Form.TRIGGERED):
            return [point.value for point in self._points[start:end]]
        if not self._begin <= start <= self._begin + len(self._values):
            kept = self._values if start < self._begin < end else []
            self._values = [self._at(i) for i in range(start, self._begin)] if kept else []
            self._values += kept
            self._begin = start
        self._values += [self._at(i) for i in range(self._begin + len(self._values), end)]
        return self._values[start - self._begin:end - self._begin]

    def forget(self, index: int) -> None:
        """The points from an index on are about to change."""
        self._window.forget(index)
        del self._values[max(index - self._begin, 0):]
        self._begin = min(self._begin, index)
        self._night = ("", 0, 0)

    def _at(self, i: int) -> float:
        first = bisect_left(self._points, self._points[i].jd - self._past.window, hi=i, key=_jd)
        first = max(first, i + 1 - self._most)
        if isinstance(self._window, PastWindow):
            return self._change(self._window, first, i)
        if isinstance(self._window, LineWindow):
            return self._rate(self._window, first, i)
        if not is_sure_angle(self._points[i]):
            return _NAN
        self._window.move(first, i + 1)
        if self._window.used < self._past.min_points:
            return _NAN
        return (self._window.surest_turn() if self._condition.unit == "sigma"
                else self._window.largest_turn())

    def _change(self, window: PastWindow, first: int, i: int) -> float:
        condition, point = self._condition, self._points[i]
        end = max(self._begin_of_night(i), first)
        if end - first < self._past.min_points:
            return _NAN
        window.move(first, end)
        if condition.form in (Form.FAINTEST, Form.BRIGHTEST):
            beyond = (point.value - window.largest() if condition.form is Form.FAINTEST
                      else window.smallest() - point.value)
            return beyond if condition.unit != "sigma" else beyond / (
                math.hypot(point.error, self._past.floor) or _NAN)
        middle = window.middle()
        difference = (abs(angle_difference(point.value, middle)) if condition.quantity == "chi"
                      else point.value - middle)
        if condition.unit == "%":
            return 100.0 * difference / middle if middle > 0 else _NAN
        if condition.unit == "sigma":
            if math.isnan(middle):
                return _NAN
            scatter = MAD_TO_SIGMA * window.deviation(middle)
            apart = window.apart(point, cancels=condition.quantity != "p")
            return difference / (
                math.hypot(scatter, point.error, apart, self._past.least(middle)) or _NAN)
        return difference

    def _begin_of_night(self, i: int) -> int:
        """The index after the last point before that is of an earlier night."""
        mine = self._points[i].night
        night, seen, begin = self._night
        end = i  # points are in order of time, and so are their nights
        while end > 0 and self._points[end - 1].night >= mine:
            if night == mine and end - 1 == seen:
                end = begin
                break
            end -= 1
        self._night = (mine, i, end)
        return end

    def _rate(self, window: LineWindow, first: int, i: int) -> float:
        window.move(first, i + 1)
        window.allow(self._past.steady_least(window.middle()) if self._past.share
                     else self._past.floor)
        if window.used < self._past.min_points:
            return _NAN
        slope, error = window.slope()
        return slope if abs(slope) >= _SURE * error else _NAN


_jd = attrgetter("jd")


def colours(first: PointSeries, second: PointSeries, within: float) -> PointSeries:
    """The same as ``colour_points``, by columns."""
    return PointSeries.of(colour_points(first.points(), second.points(), within))


def colour_points(first: Sequence[SeriesPoint], second: Sequence[SeriesPoint],
                  within: float) -> list[SeriesPoint]:
    """Differences of simultaneous points of two bands, at the points of the first.

    Each is paired with the nearest of the second band that is at most ``within`` hours away, and
    left out without one. Errors are added in quadrature.
    """
    picked = []
    for point in first:
        at = bisect_left(second, point.jd, key=_jd)
        near = min((n for n in (at - 1, at) if 0 <= n < len(second)),
                   key=lambda n: abs(second[n].jd - point.jd), default=None)
        if near is not None and abs(second[near].jd - point.jd) * 24.0 <= within:
            other = second[near]
            picked.append(point._replace(
                value=point.value - other.value, error=math.hypot(point.error, other.error),
                common=math.hypot(point.common, other.common),
                host=math.hypot(point.host, other.host)))
    return picked
