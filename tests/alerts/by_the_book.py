"""What rules compare, by its definition: each value from all of its points, nothing kept.

``iop4d.alerts.windows`` and ``light_curves`` do the same in a fraction of the time; the tests have
both judge the same points.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import NormalDist, median
from typing import Any

from iop4d.alerts import points
from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.light_curves import in_unit, is_apart, selection
from iop4d.alerts.quantities import Past, colour_points
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.alerts.windows import SeriesPoint
from iop4d.model.uncertainty import between
from iop4d.model.units import angle_difference, line_fit, mean_angle, robust_sigma
from iop4d.store import points as store
from iop4d.store.database import Connection

NAN = math.nan


def derived(condition: Condition, series: Sequence[SeriesPoint], past: Past,
            since: float) -> list[float]:
    """The values at the points from a JD on; NaN before. No offset of cameras is known."""
    if condition.form in (Form.VALUE, Form.COLOUR):
        return [point.value for point in series]
    if is_apart(condition) and len(cameras := {point.camera for point in series}) > 1:
        found = {point.id: value for camera in cameras
                 for mine in [[point for point in series if point.camera == camera]]
                 for point, value in zip(mine, of_one(condition, mine, past, since), strict=True)}
        return [found[point.id] for point in series]
    return of_one(condition, series, past, since)


def of_one(condition: Condition, series: Sequence[SeriesPoint], past: Past,
           since: float) -> list[float]:
    jd = [point.jd for point in series]
    start = bisect_left(jd, since)
    make = {Form.CHANGE: change, Form.RATE: rate, Form.ROTATION: rotation}[condition.form]
    return [NAN] * start + [
        make(condition, series[bisect_left(jd, jd[i] - past.window):i + 1], past)
        for i in range(start, len(series))]


def change(condition: Condition, window: Sequence[SeriesPoint], past: Past) -> float:
    end = len(window) - 1
    now = window[end]
    while end and window[end - 1].night >= now.night:
        end -= 1
    before = window[:end]
    values = [point.value for point in before]
    if len(before) < past.min_points:
        return NAN
    if condition.quantity == "chi":
        mean = mean_angle(values)
        middle = mean + median(angle_difference(angle, mean) for angle in values)
        off = [angle_difference(value, middle) for value in values]
        difference = abs(angle_difference(now.value, middle))
    else:
        middle = median(values)
        off = [value - middle for value in values]
        difference = now.value - middle
    if condition.unit == "%":
        return 100.0 * difference / middle if middle > 0 else NAN
    if condition.unit != "sigma":
        return difference
    mine = [point for point in before if point.camera == now.camera]
    shared = condition.quantity != "p" and 2 * len(mine) >= len(before)
    apart = math.hypot(
        between(now.common, median(p.common for p in (mine if shared else before)), shared=shared),
        now.host - median(point.host for point in before))
    return difference / (math.hypot(robust_sigma(off, about=0.0), now.error, apart,
                                    past.least(middle)) or NAN)


def rate(_: Condition, window: Sequence[SeriesPoint], past: Past) -> float:
    floor = past.steady_least(median(point.value for point in window))
    used = [point for point in window if not math.isnan(point.error)]
    if len(used) < past.min_points:
        return NAN
    weights = [1.0 / (point.error**2 + floor**2 or NAN) for point in used]
    slope, error = line_fit([point.jd - window[-1].jd for point in used],
                            [point.value for point in used], weights,
                            [(point.camera, point.common) for point in used])
    return slope if abs(slope) >= 3.0 * error else NAN


def rotation(condition: Condition, window: Sequence[SeriesPoint], past: Past) -> float:
    sure_ones = [point for point in window if not point.error > math.degrees(0.5) / 5.0]
    if len(sure_ones) < past.min_points or sure_ones[-1] is not window[-1]:
        return NAN
    path = list(accumulate((angle_difference(b.value, a.value) for a, b in pairwise(sure_ones)),
                           initial=0.0))
    turns = [(abs(at - path[-1]), in_errors(abs(at - path[-1]), point, window[-1]))
             for point, at in zip(sure_ones[:-1], path, strict=False)]
    if condition.unit == "sigma":
        return max((sigmas for _, sigmas in turns), default=0.0)
    sure = NormalDist().inv_cdf(1.0 - 1e-5 / (2.0 * len(sure_ones)))
    return max((turn for turn, sigmas in turns if not sigmas < sure), default=0.0)


def in_errors(turn: float, one: SeriesPoint, other: SeriesPoint) -> float:
    known = max(0.0 if math.isnan(e) else e for e in (one.error, other.error))
    return min(turn / (error_of_turn(one, other) or 1e-300),
               math.degrees(0.5) / (known or 1e-300))


def error_of_turn(one: SeriesPoint, other: SeriesPoint) -> float:
    apart = between(one.common, other.common, shared=one.camera == other.camera)
    return math.hypot(*(e for e in (one.error, other.error, apart) if not math.isnan(e)))


class Reader:
    """In the place of ``points.PointReader``: reads all that a judgement needs, each time."""

    def __init__(self, db: Connection, until: float, _curves: Any = None) -> None:
        self._db, self._until = db, until

    def load(self, compiled: CompiledRule, source: str, band: str,
             since: float) -> tuple[float, list[RulePoint]]:
        bands = compiled.condition.bands
        chosen = selection(compiled, source, bands[0] if bands else band, self._until)
        newest = store.times(self._db, chosen, limit=1)
        if not newest:
            return since, []
        since = max(since, newest[0] - points._LATE)
        after = store.times(self._db, chosen, since=since, limit=points._MOST)
        if len(after) == points._MOST:
            return after[-1], self.since(compiled, source, band, after[-1])
        needed = compiled.rule.confirm - 1
        before = store.times(self._db, chosen, before=since, limit=points._MOST)
        found = self.since(compiled, source, band, before[-1] if before else since)
        surplus = sum(point.jd < since for point in found) - needed
        return since, found[max(surplus, 0):]

    def since(self, compiled: CompiledRule, source: str, band: str,
              start: float) -> list[RulePoint]:
        condition, rule = compiled.condition, compiled.rule
        is_value = condition.form in (Form.VALUE, Form.COLOUR)
        first, second = condition.bands or (band, "")
        series = self._series(compiled, source, first,
                              start if is_value else start - rule.window_days)
        if second:
            within = rule.colour_within_hours
            series = colour_points(series, self._series(
                compiled, source, second, start - within / 24.0), within)
        values = derived(condition, series, Past.of(rule, condition.quantity), start)
        return [RulePoint(id=point.id, jd=point.jd, value=value,
                          error=point.total if is_value else NAN)
                for point, value in zip(series, values, strict=True) if point.jd >= start]

    def _series(self, compiled: CompiledRule, source: str, band: str,
                start: float) -> list[SeriesPoint]:
        return in_unit(compiled, band, store.values(
            self._db, selection(compiled, source, band, self._until), start,
            limit=points._MOST_PAST))
