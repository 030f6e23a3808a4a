"""The light curves that rules look at, kept in memory from one new result to the next.

A curve holds the points from which the next judgements can follow: those of the last days, and the
window before them. The database says which results changed (``store.changes``), and those alone are
read again, whoever wrote them.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from statistics import median
from typing import Protocol

from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.quantities import Derivation, Past, colour_points
from iop4d.alerts.rules import CompiledRule
from iop4d.alerts.windows import SeriesPoint
from iop4d.model.flags import Flag
from iop4d.model.units import MAG_PER_RELATIVE_FLUX, robust_sigma
from iop4d.science.flux import AB_MJY, ZERO_MJY
from iop4d.store import changes
from iop4d.store import points as store
from iop4d.store.database import Connection

_MOST_KEPT = 200_000  # points in memory, of all curves
_FEW = 2000  # points of a curve that are not worth forgetting
_COMMON_NIGHTS = 3  # nights of two cameras from which their offset is known
_OFFSET_ERR = 0.02  # mag: the largest error of an offset
_jd = attrgetter("jd")
_id_and_jd = attrgetter("jd", "id")

#: What compares a point with those of a window before it.
_OF_PAST = (Form.CHANGE, Form.RATE, Form.FAINTEST, Form.BRIGHTEST)

#: Of a camera, the one that it is compared with, and its magnitudes minus those of that one.
Offsets = dict[str, tuple[str, float]]

#: Called with the JD from which on points are about to change.
Warned = Callable[[float], None]


def selection(compiled: CompiledRule, source: str, band: str,
              until: float = math.inf) -> store.PointSelection:
    """Which points of a band count for a rule, but for ``max_err``."""
    rule, quantity = compiled.rule, compiled.condition.quantity
    if quantity not in ("p", "chi"):
        quantity = "mag"  # of a flux and a colour too
    if quantity != "chi" and compiled.condition.bands is None:
        quantity += {"auto": "_auto", "corrected": "_nucleus"}.get(rule.host_galaxy, "")
    bars = Flag(0)
    for name in rule.reject_flags:
        bars |= Flag[name.upper()]
    if quantity == "chi":
        bars |= Flag.FIELD_ROTATED
    if rule.require_stable_stars:
        bars |= Flag.UNSTEADY | Flag.FEW_CALIBRATORS | Flag.CLOUDS
    return store.PointSelection(source=source, band=band, quantity=quantity, bars=int(bars),
                                instruments=rule.instruments, until=until, stacks=rule.stacks)


def in_unit(compiled: CompiledRule, band: str,
            stored: Iterable[store.StoredPoint]) -> list[SeriesPoint]:
    """Points in the rule's quantity, without those whose error is above ``max_err``."""
    rule = compiled.rule
    kept = []
    is_flux = compiled.condition.quantity == "flux_mjy"
    zero_mjy = ZERO_MJY.get(band, AB_MJY)  # of an unknown band only changes mean something
    for point in stored:
        number = zero_mjy * 10.0 ** (-0.4 * point.value) if is_flux else point.value
        scale = number / MAG_PER_RELATIVE_FLUX if is_flux else 1.0
        err = math.nan if point.error is None else point.error * scale
        common, host = point.common * scale, point.host * scale
        if not rule.max_err or math.hypot(err, common, host) <= rule.max_err:
            kept.append(SeriesPoint(point.id, point.jd, point.night, number, err, common, host,
                                    point.camera))
    return kept


class _Points(Protocol):
    """Where a curve's points come from. ``seen``: (JD, id) of those that are selected, whatever
    their errors."""

    points: list[SeriesPoint]

    @property
    def seen(self) -> Sequence[tuple[float, int]]: ...

    def note(self, band: str, results: set[int]) -> None:
        """Results of a band changed."""

    def refresh(self, db: Connection, warn: Warned) -> None:
        """Read again what changed."""

    def count(self, jd: float) -> tuple[int, int]:
        """How many results are in memory: those before a JD, and all."""

    def drop(self, jd: float) -> None:
        """Forget the points before a JD."""


class _Band:
    """The points of a source and band that count for a rule, from a JD on."""

    def __init__(self, db: Connection, compiled: CompiledRule, source: str, band: str,
                 start: float, most: int, until: float) -> None:
        self._compiled, self._band = compiled, band
        self._selection = selection(compiled, source, band)
        stored = store.values(db, replace(self._selection, until=until), start, limit=most)
        self._start = stored[0].jd if len(stored) == most else start
        self.seen: list[tuple[float, int]] = [(point.jd, point.id) for point in stored]
        self._jds = {id_: jd for jd, id_ in self.seen}
        self.points = in_unit(compiled, band, stored)
        self._changed: set[int] = set()

    def note(self, band: str, results: set[int]) -> None:
        if band == self._band:
            self._changed |= results

    def refresh(self, db: Connection, warn: Warned) -> None:
        if not self._changed:
            return
        changed, self._changed = self._changed, set()
        stored = [point for point in store.among(db, self._selection, changed)
                  if point.jd >= self._start]
        new = {point.id: point for point in in_unit(self._compiled, self._band, stored)}
        old = {id_: self._point(id_) for id_ in changed if id_ in self._jds}
        differ = {id_ for id_ in changed if new.get(id_) != old.get(id_)}
        if differ:
            warn(min(point.jd for id_ in differ for point in (new.get(id_), old.get(id_))
                     if point is not None))
        for id_ in changed & self._jds.keys():
            jd = self._jds.pop(id_)
            del self.seen[bisect_left(self.seen, (jd, id_))]
            if id_ in differ and old[id_] is not None:
                del self.points[bisect_left(self.points, (jd, id_), key=_id_and_jd)]
        for each in stored:
            insort(self.seen, (each.jd, each.id))
            self._jds[each.id] = each.jd
        for id_ in differ & new.keys():
            insort(self.points, new[id_], key=_id_and_jd)

    def _point(self, id_: int) -> SeriesPoint | None:
        at = bisect_left(self.points, (self._jds[id_], id_), key=_id_and_jd)
        found = self.points[at] if at < len(self.points) else None
        return found if found is not None and found.id == id_ else None

    def count(self, jd: float) -> tuple[int, int]:
        return bisect_left(self.seen, (jd, -1)), len(self.seen)

    def drop(self, jd: float) -> None:
        self._start = jd  # and not the next point's: one may come between
        del self.points[:bisect_left(self.points, jd, key=_jd)]
        gone = bisect_left(self.seen, (jd, -1))
        for _, id_ in self.seen[:gone]:
            del self._jds[id_]
        del self.seen[:gone]


class _Colour:
    """The colours of a source, at the points of their first band."""

    def __init__(self, first: _Band, second: _Band, within_hours: float) -> None:
        self._first, self._second, self._within = first, second, within_hours
        self.points = colour_points(first.points, second.points, within_hours)

    @property
    def seen(self) -> Sequence[tuple[float, int]]:
        return self._first.seen

    def note(self, band: str, results: set[int]) -> None:
        self._first.note(band, results)
        self._second.note(band, results)

    def refresh(self, db: Connection, warn: Warned) -> None:
        since: list[float] = []
        self._first.refresh(db, since.append)
        self._second.refresh(db, lambda jd: since.append(jd - self._within / 24.0 - 1e-9))
        if since:
            warn(min(since))
            first = self._first.points
            at = bisect_left(self.points, min(since), key=_jd)
            self.points[at:] = colour_points(
                first[bisect_left(first, min(since), key=_jd):], self._second.points, self._within)

    def count(self, jd: float) -> tuple[int, int]:
        (gone, all_), (others_gone, others) = self._first.count(jd), self._second.count(jd)
        return gone + others_gone, all_ + others

    def drop(self, jd: float) -> None:
        self._first.drop(jd)
        self._second.drop(jd - self._within / 24.0)
        del self.points[:bisect_left(self.points, jd, key=_jd)]


class Curve:
    """The points of one kind of a source and band, and what conditions derive from them.

    It is whole for all that follows from points after JD ``start``. ``reach``: days before a point,
    and ``before``: points before it, that the rules need which it serves.
    """

    def __init__(self, read: _Points, source: str, bands: tuple[str, ...], start: float,
                 most: int) -> None:
        self._source = read
        self.source, self.bands = source, bands
        self._most = most
        self._derived: dict[Hashable, Derivation | ByCamera] = {}
        self._offsets: Offsets = {}
        self._cameras: set[str] = set()
        self._night: tuple[str, int] | None = None
        self.start = start
        self.reach, self.before = 0.0, 0

    def serve(self, compiled: CompiledRule, instead: Curve | None) -> None:
        """Serve a rule too, and those of a curve in whose place it is."""
        self.reach = max(self.reach, reach(compiled), instead.reach if instead else 0.0)
        self.before = max(self.before, compiled.rule.confirm - 1, instead.before if instead else 0)

    @property
    def points(self) -> list[SeriesPoint]:
        """Those that count, in order of (JD, id)."""
        return self._source.points

    @property
    def seen(self) -> Sequence[tuple[float, int]]:
        """(JD, id) of those that are selected, whatever their errors."""
        return self._source.seen

    def note(self, band: str, results: set[int]) -> None:
        """Results changed."""
        self._source.note(band, results)

    def refresh(self, db: Connection) -> None:
        """Read again what changed."""
        self._source.refresh(db, self._forget)

    def _forget(self, jd: float) -> None:
        index = bisect_left(self.points, jd, key=_jd)
        for one in self._derived.values():
            one.forget(index)

    def values(self, condition: Condition, past: Past, start: int, end: int) -> list[float]:
        """What a condition compares, at the points of some indexes."""
        key = (condition.about, past)
        if key not in self._derived:
            self._derived[key] = (
                ByCamera(condition, self.points, past, self._most, self._offsets)
                if is_apart(condition) else Derivation(condition, self.points, past, self._most))
        return self._derived[key].values(start, end)

    def calibrate(self, read: Callable[[str], Offsets]) -> None:
        """Have the offsets of cameras measured, once a night, from the nights before it."""
        if not self.points:
            return
        night = self.points[-1].night
        self._cameras |= {point.camera for point in (self.points[-1:] if self._night else
                                                    self.points)}
        if (night, len(self._cameras)) == self._night:
            return
        self._night = night, len(self._cameras)
        offsets = read(night) if len(self._cameras) > 1 else {}
        if offsets != self._offsets:
            self._offsets = offsets
            self._derived.clear()

    def drop_before(self, jd: float) -> None:
        """Forget points that are not needed any more, once they are most of them."""
        gone, all_ = self._source.count(jd)
        if gone > _FEW and 2 * gone > all_:
            before = len(self.points)
            self._source.drop(jd)
            self.start = jd
            if len(self.points) < before:
                self._derived.clear()


class ByCamera:
    """What a condition derives of the points of each camera by itself.

    Two instruments' bands are not alike: DIPOL's R is not that of Cousins. Cameras whose
    ``offsets`` are known count as one.
    """

    def __init__(self, condition: Condition, points: Sequence[SeriesPoint], past: Past, most: int,
                 offsets: Offsets) -> None:
        self._condition, self._past, self._most = condition, past, most
        self._points, self._offsets = points, offsets
        self._mine: dict[str, tuple[list[SeriesPoint], Derivation]] = {}
        self._places: list[tuple[str, int]] = []  # of each point: its cameras, and its index there

    def values(self, start: int, end: int) -> list[float]:
        """Those of the points from one index on and before another."""
        for point in self._points[len(self._places):end]:
            name, offset = self._offsets.get(point.camera, (point.camera, 0.0))
            if name not in self._mine:
                mine: list[SeriesPoint] = []
                self._mine[name] = mine, Derivation(self._condition, mine, self._past, self._most)
            points, _ = self._mine[name]
            self._places.append((name, len(points)))
            points.append(_shifted(point, offset, self._condition) if offset else point)
        return [self._mine[name][1].values(at, at + 1)[0]
                for name, at in self._places[start:end]]

    def forget(self, index: int) -> None:
        """The points from an index on are about to change."""
        first: dict[str, int] = {}
        for name, at in self._places[index:]:
            first.setdefault(name, at)
        for name, at in first.items():
            points, one = self._mine[name]
            one.forget(at)
            del points[at:]
        del self._places[index:]


def is_apart(condition: Condition) -> bool:
    """Whether a condition compares magnitudes or fluxes, which an instrument's band shifts."""
    return condition.form in _OF_PAST and condition.quantity not in ("p", "chi")


def _shifted(point: SeriesPoint, offset: float, condition: Condition) -> SeriesPoint:
    """A point as another camera would have measured it; ``offset``: magnitudes."""
    if condition.quantity != "flux_mjy":
        return point._replace(value=point.value - offset)
    ratio = 10.0 ** (0.4 * offset)
    return point._replace(value=point.value * ratio, error=point.error * ratio,
                          common=point.common * ratio, host=point.host * ratio)


def offsets_of(nights: Iterable[tuple[str, str, float]]) -> Offsets:
    """Each camera's offset against the one of the most nights, from nights that both have.

    ``nights``: night, camera and mean magnitude. Without enough common nights there is none.
    """
    by_camera: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for night, camera, mag in nights:
        by_camera[camera][night] = mag
    if not by_camera:
        return {}
    first = max(by_camera, key=lambda camera: (len(by_camera[camera]), camera))
    found = {first: (first, 0.0)}
    for camera, mags in by_camera.items():
        both = [mag - by_camera[first][night] for night, mag in mags.items()
                if night in by_camera[first]]
        if camera != first and len(both) >= _COMMON_NIGHTS and (
                robust_sigma(both) / math.sqrt(len(both)) <= _OFFSET_ERR):
            found[camera] = first, median(both)
    return found


class LightCurves:
    """The curves that are in memory, those used last longest."""

    def __init__(self) -> None:
        self._curves: OrderedDict[tuple[str, str, Hashable], Curve] = OrderedDict()
        self._place = changes.Place()

    def look(self, db: Connection) -> None:
        """Note which results changed since the last look."""
        found = changes.since(db, self._place) if self._curves else None
        if found is None:  # undone, or long ago
            self._curves.clear()
            self._place = changes.now(db)
            return
        self._place, changed = found
        by_place: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for result, source, band in changed:
            by_place[source, band].add(result)
        for (source, _, _), curve in self._curves.items() if by_place else ():
            for band in curve.bands:
                if results := by_place.get((source, band)):
                    curve.note(band, results)

    def get(self, key: tuple[str, str, Hashable]) -> Curve | None:
        """A curve that is there."""
        if key in self._curves:
            self._curves.move_to_end(key)
        return self._curves.get(key)

    def put(self, key: tuple[str, str, Hashable], curve: Curve) -> None:
        """Keep a curve."""
        self._curves[key] = curve
        self._curves.move_to_end(key)
        while len(self._curves) > 1 and sum(
                len(one.seen) for one in self._curves.values()) > _MOST_KEPT:
            self._curves.popitem(last=False)


def key_of(compiled: CompiledRule, source: str, band: str) -> tuple[str, str, Hashable]:
    """What curves of equal points have in common. ``band``: of a colour, its name."""
    first = compiled.condition.bands[0] if compiled.condition.bands else band
    chosen = replace(selection(compiled, source, first), source="", band="")
    return source, band, (chosen, compiled.rule.max_err, compiled.condition.quantity == "flux_mjy",
                          compiled.rule.colour_within_hours if compiled.condition.bands else 0.0)


def read(db: Connection, compiled: CompiledRule, source: str, band: str, start: float,
         most: int, until: float = math.inf) -> Curve:
    """A curve of the points from a JD on, at most so many."""
    bands = compiled.condition.bands
    if bands is None:
        return Curve(_Band(db, compiled, source, band, start, most, until), source, (band,),
                     start, most)
    within = compiled.rule.colour_within_hours
    first = _Band(db, compiled, source, bands[0], start, most, until)
    second = _Band(db, compiled, source, bands[1], start - within / 24.0, most, until)
    return Curve(_Colour(first, second, within), source, bands, start, most)


def read_offsets(db: Connection, compiled: CompiledRule, source: str, band: str,
                 before: str) -> Offsets:
    """The offsets of cameras on a source and band, from the nights before one."""
    if compiled.condition.bands is not None:
        return {}
    chosen = selection(compiled, source, band)
    return offsets_of(store.nightly(db, chosen, before))


def reach(compiled: CompiledRule) -> float:
    """Days before a point on whose points its value rests."""
    beside = compiled.rule.colour_within_hours / 24.0
    past = compiled.condition.form in (*_OF_PAST, Form.ROTATION)
    return compiled.rule.window_days + beside if past else 2.0 * beside
