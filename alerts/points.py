"""The points that a rule is asked about: good results of a source and band, as its quantity."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from iop4d.alerts import light_curves
from iop4d.alerts.conditions import Form
from iop4d.alerts.light_curves import Curve, LightCurves, reach, selection
from iop4d.alerts.quantities import Past
from iop4d.alerts.rules import CompiledRule, RulePoint, is_close
from iop4d.alerts.windows import SeriesPoint, is_sure_angle
from iop4d.model.units import jd_of_unix
from iop4d.store import points as store
from iop4d.store import triggers
from iop4d.store.database import Connection

_LATE = 7.0  # days before the newest point in which a late one can still make an edge
_AHEAD = 1.0 / 24.0  # days after now up to which a point counts: clocks differ a little
_MOST = 2000  # points looked at for one judgement
_MOST_PAST = 50_000  # points that a change is compared with
_jd = attrgetter("jd")

#: What of a rule has no part in which points it looks at.
_NOT_READ: dict[str, Any] = {
    "name": "", "condition": "", "clear": "", "source": "", "sources": (), "band": "",
    "cooldown_hours": 0.0, "severity": "", "reminder_hours": 0.0, "max_age_hours": 0.0,
    "muted": False, "notify_resolved": False, "tell_pending": False, "channels": ()}


class PointReader:
    """Reads the points of rules that are judged in one transaction.

    Rules often differ in their thresholds alone; what they look at is then read once, and kept for
    the next transaction by who gives ``curves``. ``until``: the JD of ``latest_jd``.
    """

    def __init__(self, db: Connection, until: float, curves: LightCurves | None = None) -> None:
        self._db = db
        self.until = until
        self._curves = LightCurves() if curves is None else curves
        self._curves.look(db)
        self._read_now: dict[tuple[object, ...], tuple[float, list[RulePoint]]] = {}

    def load(self, compiled: CompiledRule, source: str, band: str,
             since: float) -> tuple[float, list[RulePoint]]:
        """The points from JD ``since`` on, with ``confirm - 1`` before; and where they begin.

        ``band`` is the colour's name for a colour.
        """
        seen = (compiled.condition.about, replace(compiled.rule, **_NOT_READ), source, band, since)
        if seen not in self._read_now:
            self._read_now[seen] = _load(self, compiled, source, band, since)
        return self._read_now[seen]

    def since(self, compiled: CompiledRule, source: str, band: str,
              start: float) -> list[RulePoint]:
        """All points from a JD on."""
        if compiled.condition.terms:
            return _combined(compiled, start, triggered_at(self._db, source),
                             lambda leaf, jd: self._before(leaf, source, band, jd))
        curve = self.curve(compiled, source, band)
        if start - reach(compiled) < curve.start:
            return since_jd(self._db, compiled, source, band, start, self.until)
        return self.points(compiled, curve, bisect_left(curve.points, start, key=_jd))

    def _before(self, compiled: CompiledRule, source: str, band: str,
                start: float) -> list[RulePoint]:
        """All points from a JD on, and the ``confirm - 1`` before them."""
        curve = self.curve(compiled, source, band)
        at = bisect_left(curve.points, start, key=_jd) - compiled.rule.confirm + 1
        if at >= 0 and curve.points[at:]:
            return self.since(compiled, source, band, min(start, curve.points[at].jd))
        if curve.start == -math.inf:
            return self.since(compiled, source, band, start if at >= 0 else -math.inf)
        return _before(self._db, compiled, source, band, start, self.until)

    def newest(self, curve: Curve) -> float | None:
        """The JD of the newest point of a curve."""
        count = bisect_right(curve.seen, (self.until, math.inf))
        return curve.seen[count - 1][0] if count else None

    def points(self, compiled: CompiledRule, curve: Curve, begin: int) -> list[RulePoint]:
        """The points of a curve from an index on."""
        found = _rule_points(compiled, curve, begin,
                             bisect_right(curve.points, self.until, key=_jd))
        return _known(self._db, compiled, curve.source, curve.bands[0], found, self.until)

    def curve(self, compiled: CompiledRule, source: str, band: str) -> Curve:
        """The curve of a rule on a source and band, long enough to judge its newest points."""
        key = light_curves.key_of(compiled, source, band)
        curve = before = self._curves.get(key)
        if curve is not None:
            curve.refresh(self._db)
        if curve is None or not self._is_whole(curve, compiled.rule.confirm - 1, reach(compiled)):
            curve = self._read(compiled, source, band)
            self._curves.put(key, curve)
        curve.serve(compiled, before)
        _calibrate(self._db, curve, compiled, source, band)
        curve.drop_before(self._needed(curve, curve.before, curve.reach))
        return curve

    def _is_whole(self, curve: Curve, needed: int, days: float) -> bool:
        return self._needed(curve, needed, days) >= curve.start

    def _needed(self, curve: Curve, needed: int, days: float) -> float:
        """The JD from which on points are needed to judge the newest ones, with so many before
        them, and so many days before those."""
        newest = self.newest(curve)
        if newest is None:
            return -math.inf
        at = bisect_left(curve.points, newest - _LATE, key=_jd) - needed
        if at < 0:
            return -math.inf
        begin = curve.points[at].jd if at < len(curve.points) else newest
        return min(begin, newest - _LATE) - days

    def _read(self, compiled: CompiledRule, source: str, band: str) -> Curve:
        bands = compiled.condition.bands
        chosen = selection(compiled, source, bands[0] if bands else band, self.until)
        newest = store.times(self._db, chosen, limit=1)
        needed = compiled.rule.confirm - 1
        for count in (needed, 20 * needed, _MOST):  # not each of them counts: errors, colours
            before = store.times(self._db, chosen, before=newest[0] - _LATE,
                                 limit=count) if newest else []
            start = -math.inf
            if newest and len(before) == count:
                start = (before[-1] if before else newest[0] - _LATE) - reach(compiled)
            curve = light_curves.read(self._db, compiled, source, band, start, _MOST_PAST)
            if start == -math.inf or (
                    self._needed(curve, needed, 0.0) > -math.inf):
                return curve
        curve.start = -math.inf  # there are no such points, as far as anybody looks
        return curve


def latest_jd(now: float) -> float:
    """The JD after which no point counts at a Unix time: its clock was wrong.

    One such point would be the newest for years, and all that come would be late.
    """
    return jd_of_unix(now) + _AHEAD


def _load(reader: PointReader, compiled: CompiledRule, source: str, band: str,
          since: float) -> tuple[float, list[RulePoint]]:
    if compiled.condition.terms:
        return _load_combined(reader, compiled, source, band, since)
    needed = compiled.rule.confirm - 1
    curve = reader.curve(compiled, source, band)
    newest = reader.newest(curve)
    if newest is None:
        return since, []
    since = max(since, newest - _LATE)
    first, last = (bisect_left(curve.seen, (since, -1)),
                   bisect_right(curve.seen, (reader.until, math.inf)))
    if last - first >= _MOST:
        since, needed = curve.seen[last - _MOST][0], 0
    begin = bisect_left(curve.points, since, key=_jd) - needed
    return since, reader.points(compiled, curve, max(begin, 0))


def _load_combined(reader: PointReader, compiled: CompiledRule, source: str, band: str,
                   since: float) -> tuple[float, list[RulePoint]]:
    """The same where a condition has several terms: a point is one of any of them."""
    needed, near = compiled.rule.confirm - 1, compiled.rule.colour_within_hours / 24.0
    curves = [reader.curve(leaf, source, band) for leaf in _leaves(compiled)]
    newest = [jd for curve in curves if (jd := reader.newest(curve)) is not None]
    if not newest:
        return since, []
    since = max(since - near, max(newest) - _LATE)
    begin = since
    for curve in curves:
        at = max(bisect_left(curve.points, since, key=_jd) - needed, 0)
        begin = min([begin, *(point.jd for point in curve.points[at:at + 1])])
    found = reader.since(compiled, source, band, begin)[-_MOST:]
    first = sum(point.jd < since for point in found) - needed
    return since, found[max(first, 0):]


def _leaves(compiled: CompiledRule) -> list[CompiledRule]:
    return [replace(compiled, condition=leaf, clear=None) for leaf in compiled.condition.leaves]


def _combined(compiled: CompiledRule, start: float, triggered: Callable[[float], float],
              read: Callable[[CompiledRule, float], list[RulePoint]]) -> list[RulePoint]:
    """The points of all terms from a JD on; the value is 1 where the condition is met, 0 where it
    is not, NaN where that is not known.

    At a point, a term that has no value of it has that of its own nearest point, if near enough,
    and if the ``confirm`` points of its own up to that one agree: where one of them meets it and
    another does not, it is not known. Else a single point of one quantity would be confirmed by
    points of another, beside which it counts again. Whether a source is triggered is known at each
    point.
    """
    near = compiled.rule.colour_within_hours / 24.0
    leaves = _leaves(compiled)
    measured = [leaf for leaf in leaves if leaf.condition.form is not Form.TRIGGERED]
    of = {leaf.condition: read(leaf, start - near) for leaf in measured or leaves}
    own = {leaf: {point.id: point for point in points} for leaf, points in of.items()}
    beside = {leaf.condition: _beside(leaf, of[leaf.condition]) for leaf in measured or leaves}
    found = []
    for id_, jd in sorted({(point.id, point.jd) for points in of.values() for point in points
                           if point.jd >= start}, key=lambda one: (one[1], one[0])):
        values = {leaf: (own[leaf][id_] if id_ in own[leaf] else _nearest(beside[leaf], jd, near)
                         ).value for leaf in of}
        values |= {leaf.condition: triggered(jd) for leaf in leaves if leaf not in measured}
        found.append(RulePoint(id=id_, jd=jd, value=compiled.condition.truth(values)))
    return found


def _beside(compiled: CompiledRule, points: Sequence[RulePoint]) -> list[RulePoint]:
    """The points of a term with the values that they have for points of others: not known where
    the last ``confirm`` up to them do not agree on its condition, or are not near each other."""
    confirm, found = compiled.rule.confirm, []
    for end, point in enumerate(points, 1):
        last = points[max(end - confirm, 0):end]
        agree = len({compiled.condition.holds(one.value) for one in last}) == 1 and not any(
            math.isnan(one.value) for one in last)
        found.append(point if len(last) == confirm and agree and is_close(compiled, last)
                     else replace(point, value=math.nan))
    return found


def _nearest(points: Sequence[RulePoint], jd: float, near: float) -> RulePoint:
    """The nearest point in time; one without a value if none is near."""
    at = bisect_left(points, jd, key=_jd)
    found = min(points[max(at - 1, 0):at + 1], key=lambda point: abs(point.jd - jd), default=None)
    none = RulePoint(id=0, jd=jd, value=math.nan)
    return found if found is not None and abs(found.jd - jd) <= near else none


def since_jd(db: Connection, compiled: CompiledRule, source: str, band: str,
             start: float, until: float) -> list[RulePoint]:
    """All points from a JD on, up to that of ``latest_jd``; nothing is kept in memory."""
    if compiled.condition.terms:
        return _combined(compiled, start, triggered_at(db, source),
                         lambda leaf, jd: _before(db, leaf, source, band, jd, until))
    curve = light_curves.read(db, compiled, source, band, start - reach(compiled), _MOST_PAST,
                              until)
    _calibrate(db, curve, compiled, source, band)
    found = _rule_points(compiled, curve, bisect_left(curve.points, start, key=_jd),
                         len(curve.points))
    return _known(db, compiled, source, band, found, until)


def _before(db: Connection, compiled: CompiledRule, source: str, band: str, start: float,
            until: float) -> list[RulePoint]:
    """All points of a term from a JD on, and at least the ``confirm - 1`` before them."""
    chosen, needed = selection(compiled, source, band, until), compiled.rule.confirm - 1
    for limit in (needed, 20 * needed, _MOST) if needed else ():
        before = store.times(db, chosen, before=start, limit=limit)
        begin = before[-1] if before else start
        found = since_jd(db, compiled, source, band, begin, until)
        if len(before) < limit or sum(point.jd < start for point in found) >= needed:
            return found
    return since_jd(db, compiled, source, band, start, until)


def colours(db: Connection, compiled: CompiledRule, source: str, begin: float,
            end: float) -> set[int]:
    """Ids of the points of a rule on a colour between two JD, without their values, which rest on
    the window before them."""
    beside = compiled.rule.colour_within_hours / 24.0  # of the second band after the last point
    curve = light_curves.read(db, compiled, source, "", begin, _MOST_PAST, end + beside)
    return {point.id for point in curve.points}


def newest(db: Connection, compiled: CompiledRule, source: str, band: str,
           until: float) -> RulePoint | None:
    """The newest point that a rule looks at, of a source and band; None if none counts."""
    first = compiled.condition.bands[0] if compiled.condition.bands else band
    last = [jd for leaf in _leaves(compiled)
            for jd in store.times(db, selection(leaf, source, first, until), limit=1)]
    found = since_jd(db, compiled, source, band, max(last), until) if last else []
    return found[-1] if found else None


def _known(db: Connection, compiled: CompiledRule, source: str, band: str,
           points: list[RulePoint], until: float) -> list[RulePoint]:
    """Points with the value of what is not measured at them, where a condition is about that."""
    if compiled.condition.form is Form.TRIGGERED:
        triggered = triggered_at(db, source)
        return [replace(point, value=triggered(point.jd)) for point in points]
    return _newness(db, compiled, source, band, points, until)


def triggered_at(db: Connection, source: str) -> Callable[[float], float]:
    """Whether a trigger of a source lasts at a JD: 1 or 0; looked up when first asked."""
    spans: list[tuple[float, float]] | None = None

    def at(jd: float) -> float:
        nonlocal spans
        if spans is None:
            spans = triggers.spans(db, source)
        return float(any(begin <= jd < end for begin, end in spans))

    return at


def _newness(db: Connection, compiled: CompiledRule, source: str, band: str,
             points: list[RulePoint], until: float) -> list[RulePoint]:
    """For the condition on new sources: 1 at the points by which a source is new, else 0.

    They are the first ones of the band up to those that confirm each other, unless the source has
    a good point of an earlier night in any band. Where a rule watches every band, the one in which
    points confirm each other first tells it.
    """
    if compiled.condition.form is not Form.NEW or not points:
        return points
    first = _first_points(db, compiled, source, band, until)
    new = {point.id for point in first}
    reported = (math.inf, 0)
    if not any(point.id in new for point in points) or (
            first[0].night > store.first_night(db, source)):
        new = set()
    elif compiled.rule.band == "*":
        others = [_first_points(db, compiled, source, other, until)
                  for other in store.bands(db, source) if other != band]
        reported = min(((other[-1].jd, other[-1].id) for other in others
                    if _confirm(compiled, other)), default=reported)
    return [replace(point, value=float(point.id in new and (point.jd, point.id) < reported))
            for point in points]


def _first_points(db: Connection, compiled: CompiledRule, source: str, band: str,
                  until: float) -> list[SeriesPoint]:
    """The first points of a band, up to those that confirm each other."""
    confirm = compiled.rule.confirm
    chosen = selection(compiled, source, band, until)
    found: list[SeriesPoint] = []
    for limit in (confirm, 20 * confirm, _MOST):  # not each of them counts: errors, hours between
        stored = store.oldest(db, chosen, limit=limit)
        found = light_curves.in_unit(compiled, band, stored)
        for end in range(confirm, len(found) + 1):
            if _confirm(compiled, found[:end]):
                return found[:end]
        if len(stored) < limit:
            break
    return found


def _confirm(compiled: CompiledRule, points: Sequence[SeriesPoint]) -> bool:
    """Whether the last of some points confirm each other."""
    last = points[-compiled.rule.confirm:]
    within = compiled.rule.confirm_within_hours / 24.0 + 1e-9
    return len(last) == compiled.rule.confirm and (
        not compiled.rule.confirm_within_hours or last[-1].jd - last[0].jd <= within)


def _calibrate(db: Connection, curve: Curve, compiled: CompiledRule, source: str,
               band: str) -> None:
    if light_curves.is_apart(compiled.condition):
        curve.calibrate(lambda night: light_curves.read_offsets(db, compiled, source, band, night))


def lacks_error(db: Connection, compiled: CompiledRule, point: RulePoint, source: str,
                band: str) -> bool:
    """Whether a point has no value for want of an error that is small enough, or known."""
    if compiled.condition.terms or compiled.condition.bands:
        return False
    found = store.among(db, selection(compiled, source, band), [point.id])
    return any(one.error is None for one in found) or (
        compiled.condition.form is Form.ROTATION and any(
            not is_sure_angle(one) for one in light_curves.in_unit(compiled, band, found)))


def _rule_points(compiled: CompiledRule, curve: Curve, begin: int, end: int) -> list[RulePoint]:
    condition = compiled.condition
    is_value = condition.form in (Form.VALUE, Form.COLOUR)
    points = curve.points[begin:end]
    values = curve.values(condition, Past.of(compiled.rule, condition.quantity), begin, end)
    return [RulePoint(id=point.id, jd=point.jd, value=value,
                      error=point.total if is_value else math.nan)
            for point, value in zip(points, values, strict=True)]
