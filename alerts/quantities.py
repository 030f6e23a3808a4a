"""What conditions compare, from the points of a source: values, changes, rates, rotations.

Pure functions of a series of points, ordered by time. A value that is unknown, because too few
points came before it, say, is NaN: it neither fires a rule nor ends an alert.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import NormalDist, median

from iop4d.alerts.conditions import Condition, Form
from iop4d.config import Rule
from iop4d.model.uncertainty import between
from iop4d.model.units import angle_difference, line_fit, mean_angle, robust_sigma

_SURE = 3.0  # standard errors that a rate must have
_CHANCE = 0.0027  # of a constant angle to seem to have turned at a point: three standard errors
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


@dataclass(frozen=True, kw_only=True)
class PointSeries:
    """Points in order of time: result ids, JD(UTC), nights, values and their random errors.

    ``common``: errors that points of one ``camera`` share; ``host``: what the host galaxy's flux
    makes, alike in all; empty: none is known, all are of one camera.
    Plain lists: the daemon, which asks, does without numpy.
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
        return [math.hypot(own, self.common_at(i), self.host_at(i))
                for i, own in enumerate(self.error)]

    def common_at(self, i: int) -> float:
        """The common error of a point."""
        return self.common[i] if self.common else 0.0

    def host_at(self, i: int) -> float:
        """The error of a point by the host's flux."""
        return self.host[i] if self.host else 0.0

    def camera_at(self, i: int) -> str:
        """The camera of a point."""
        return self.camera[i] if self.camera else ""


def derived(condition: Condition, series: PointSeries, past: Past, *, since: float) -> list[float]:
    """What is compared with the threshold, at each point from JD ``since`` on; NaN before.

    A change is the value minus the median of the points in the ``window`` days before that are of
    earlier nights, at least ``min_points`` of them; in sigma it is divided by
    sqrt((1.4826 MAD)^2 + err^2 + floor^2), with the point's own random error. A change of chi is
    the absolute difference from the median direction, in [0, 90] degrees. A rate is the slope of a
    weighted straight line through the window, NaN if it is below three standard errors. A rotation
    is the largest turn of chi within the window, each step taken the shorter way, of those that
    noise does not explain; 0 if it explains them all. Of common errors counts what the points
    compared do not share (``model.uncertainty.between``).
    """
    if condition.form in (Form.VALUE, Form.COLOUR):
        return list(series.value)
    start = bisect_left(series.jd, since)
    make = {Form.CHANGE: _change, Form.RATE: _rate, Form.ROTATION: _rotation}[condition.form]
    out = [_NAN] * start
    for i in range(start, len(series)):
        first = bisect_left(series.jd, series.jd[i] - past.window)
        out.append(make(condition, series, past, first, i))
    return out


def _change(condition: Condition, series: PointSeries, past: Past, first: int, i: int) -> float:
    end = i  # points are in order of time, and so are their nights
    while end > first and series.night[end - 1] >= series.night[i]:
        end -= 1
    before = series.value[first:end]
    if len(before) < past.min_points:
        return _NAN
    value, error = series.value[i], series.error[i]
    if condition.quantity == "chi":
        middle = _median_angle(before)
        off = [angle_difference(v, middle) for v in before]
        difference = abs(angle_difference(value, middle))
    else:
        middle = median(before)
        off = [v - middle for v in before]
        difference = value - middle
    if condition.unit == "%":
        return 100.0 * difference / middle if middle > 0 else _NAN
    if condition.unit == "sigma":
        scatter = robust_sigma(off, about=0.0)
        apart = _apart(series, first, end, i, cancels=condition.quantity != "p")
        return difference / (math.hypot(scatter, error, apart, past.least(middle)) or _NAN)
    return difference


def _apart(series: PointSeries, first: int, end: int, i: int, *, cancels: bool) -> float:
    """What the common errors leave in the difference of point i and the median of a past.

    ``cancels``: whether they do within a camera. Those of p do not where chi differs.
    """
    mine = [j for j in range(first, end) if series.camera_at(j) == series.camera_at(i)]
    shared = cancels and 2 * len(mine) >= end - first
    apart = between(series.common_at(i), median(
        series.common_at(j) for j in (mine if shared else range(first, end))), shared=shared)
    # The host is the same one: it moves bright and faint points by different steps, to one side.
    return math.hypot(apart, series.host_at(i) - median(map(series.host_at, range(first, end))))


def _median_angle(chi: Sequence[float]) -> float:
    """The median of angles modulo 180 degrees: of how far they are from their mean."""
    mean = mean_angle(chi)
    return mean + median(angle_difference(angle, mean) for angle in chi)


def _rate(_: Condition, series: PointSeries, past: Past, first: int, i: int) -> float:
    floor = past.least(median(series.value[first:i + 1]))
    used = [j for j in range(first, i + 1) if not math.isnan(series.error[j])]
    if len(used) < past.min_points:
        return _NAN
    weights = [1.0 / (series.error[j]**2 + floor**2 or _NAN) for j in used]
    slope, error = line_fit(
        [series.jd[j] - series.jd[i] for j in used], [series.value[j] for j in used], weights,
        [(series.camera_at(j), series.common_at(j)) for j in used])
    return slope if abs(slope) >= _SURE * error else _NAN


def _rotation(_: Condition, series: PointSeries, past: Past, first: int, i: int) -> float:
    chi = series.value[first:i + 1]
    if len(chi) < past.min_points:
        return _NAN
    path = list(accumulate((angle_difference(b, a) for a, b in pairwise(chi)), initial=0.0))
    # The largest of n differences: noise has n tries.
    sure = NormalDist().inv_cdf(1.0 - _CHANCE / (2.0 * len(chi)))
    turns = [(abs(at - path[-1]), _error_of_turn(series, first + n, i))
             for n, at in enumerate(path)]
    return max((turn for turn, error in turns if not turn < sure * error), default=0.0)


def _error_of_turn(series: PointSeries, j: int, i: int) -> float:
    """Error of a difference of angles; an unknown error counts as none."""
    apart = between(series.common_at(j), series.common_at(i),
                    shared=series.camera_at(j) == series.camera_at(i))
    return math.hypot(*(e for e in (series.error[j], series.error[i], apart) if not math.isnan(e)))


def colours(first: PointSeries, second: PointSeries, within: float) -> PointSeries:
    """Differences of simultaneous points of two bands, at the points of the first.

    Each is paired with the nearest of the second band that is at most ``within`` hours away, and
    left out without one. Errors are added in quadrature.
    """
    picked = []
    for i, jd in enumerate(first.jd):
        at = bisect_left(second.jd, jd)
        near = min((n for n in (at - 1, at) if 0 <= n < len(second)),
                   key=lambda n: abs(second.jd[n] - jd), default=None)
        if near is not None and abs(second.jd[near] - jd) * 24.0 <= within:
            picked.append((i, first.value[i] - second.value[near],
                           math.hypot(first.error[i], second.error[near]),
                           math.hypot(first.common_at(i), second.common_at(near)),
                           math.hypot(first.host_at(i), second.host_at(near))))
    return PointSeries(
        ids=[first.ids[i] for i, *_ in picked], jd=[first.jd[i] for i, *_ in picked],
        night=[first.night[i] for i, *_ in picked],
        value=[value for _, value, *_ in picked], error=[error for *_, error, _, _ in picked],
        common=[common for *_, common, _ in picked], host=[host for *_, host in picked],
        camera=[first.camera_at(i) for i, *_ in picked])
