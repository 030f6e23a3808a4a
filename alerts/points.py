"""The points that a rule is asked about: good results of a source and band, as its quantity."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from iop4d.alerts.conditions import Form
from iop4d.alerts.quantities import Past, PointSeries, colours, derived
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.model.flags import Flag
from iop4d.model.units import MAG_PER_RELATIVE_FLUX, jd_of_unix
from iop4d.science.flux import AB_MJY, ZERO_MJY
from iop4d.store import points as store
from iop4d.store.database import Connection

_LATE = 7.0  # days before the newest point in which a late one can still make an edge
_AHEAD = 1.0 / 24.0  # days after now up to which a point counts: clocks differ a little
_MOST = 2000  # points looked at for one judgement
_MOST_PAST = 50_000  # points that a change is compared with

#: What of a rule has no part in which points it looks at.
_NOT_READ: dict[str, Any] = {
    "name": "", "condition": "", "clear": "", "source": "", "sources": (), "band": "",
    "cooldown_hours": 0.0, "severity": "", "reminder_hours": 0.0, "max_age_hours": 0.0,
    "muted": False, "notify_resolved": False, "channels": ()}


class PointReader:
    """Reads the points of rules that are judged in one transaction.

    Rules often differ in their thresholds alone; what they look at is then read once. ``until``:
    the JD of ``latest_jd``.
    """

    def __init__(self, db: Connection, until: float) -> None:
        self._db = db
        self._until = until
        self._read: dict[tuple[object, ...], tuple[float, list[RulePoint]]] = {}

    def load(self, compiled: CompiledRule, source: str, band: str,
             since: float) -> tuple[float, list[RulePoint]]:
        """The points from JD ``since`` on, with ``confirm - 1`` before; and where they begin.

        ``band`` is the colour's name for a colour.
        """
        seen = (compiled.condition.about, replace(compiled.rule, **_NOT_READ), source, band, since)
        if seen not in self._read:
            self._read[seen] = _load(self._db, compiled, source, band, since, self._until)
        return self._read[seen]


def latest_jd(now: float) -> float:
    """The JD after which no point counts at a Unix time: its clock was wrong.

    One such point would be the newest for years, and all that come would be late.
    """
    return jd_of_unix(now) + _AHEAD


def _load(db: Connection, compiled: CompiledRule, source: str, band: str,
          since: float, until: float) -> tuple[float, list[RulePoint]]:
    first = compiled.condition.bands[0] if compiled.condition.bands else band
    selection = _selection(compiled, source, first, until)
    newest = store.times(db, selection, limit=1)
    if not newest:
        return since, []
    since = max(since, newest[0] - _LATE)
    after = store.times(db, selection, since=since, limit=_MOST)
    if len(after) == _MOST:
        return after[-1], since_jd(db, compiled, source, band, after[-1], until)
    needed = compiled.rule.confirm - 1
    for count in (needed, 20 * needed, _MOST):  # not each of them counts: errors, colours
        before = store.times(db, selection, before=since, limit=count)
        points = since_jd(db, compiled, source, band, before[-1] if before else since, until)
        surplus = sum(point.jd < since for point in points) - needed
        if surplus >= 0 or len(before) < count:
            break
    return since, points[max(surplus, 0):]


def since_jd(db: Connection, compiled: CompiledRule, source: str, band: str,
             start: float, until: float) -> list[RulePoint]:
    """All points from a JD on, up to that of ``latest_jd``."""
    condition, rule = compiled.condition, compiled.rule
    first, second = condition.bands or (band, "")
    is_value = condition.form in (Form.VALUE, Form.COLOUR)
    series = _series(db, compiled, source, first, start if is_value else start - rule.window_days,
                     until)
    if condition.form is Form.COLOUR:
        near = rule.colour_within_hours / 24.0
        series = colours(series, _series(db, compiled, source, second, start - near, until),
                         rule.colour_within_hours)
    values = derived(condition, series, Past.of(rule, condition.quantity), since=start)
    errors = series.total if is_value else [math.nan] * len(series)
    return [RulePoint(id=id_, jd=jd, value=value, error=error) for id_, jd, value, error
            in zip(series.ids, series.jd, values, errors, strict=True) if jd >= start]


def newest(db: Connection, compiled: CompiledRule, source: str, band: str,
           until: float) -> RulePoint | None:
    """The newest point that a rule looks at, of a source and band; None if none counts."""
    first = compiled.condition.bands[0] if compiled.condition.bands else band
    last = store.times(db, _selection(compiled, source, first, until), limit=1)
    found = since_jd(db, compiled, source, band, last[0], until) if last else []
    return found[-1] if found else None


def _series(db: Connection, compiled: CompiledRule, source: str, band: str,
            start: float, until: float) -> PointSeries:
    rule = compiled.rule
    kept = []
    is_flux = compiled.condition.quantity == "flux_mjy"
    zero_mjy = ZERO_MJY.get(band, AB_MJY)  # of an unknown band only changes mean something
    for point in store.values(
            db, _selection(compiled, source, band, until), start, limit=_MOST_PAST):
        number = zero_mjy * 10.0 ** (-0.4 * point.value) if is_flux else point.value
        scale = number / MAG_PER_RELATIVE_FLUX if is_flux else 1.0
        err = math.nan if point.error is None else point.error * scale
        common, host = point.common * scale, point.host * scale
        if not rule.max_err or math.hypot(err, common, host) <= rule.max_err:
            kept.append((point.id, point.jd, point.night, number, err, common, host,
                         point.camera))
    ids, jds, nights, values, errors, commons, hosts, cameras = list(
        zip(*kept, strict=True)) or [()] * 8
    return PointSeries(ids=ids, jd=jds, night=nights, value=values, error=errors, common=commons,
                       host=hosts, camera=cameras)


def _selection(compiled: CompiledRule, source: str, band: str,
               until: float) -> store.PointSelection:
    """Which points of a band count for a rule."""
    rule, quantity = compiled.rule, compiled.condition.quantity
    if quantity not in ("p", "chi"):
        quantity = "mag"  # of a flux and a colour too
    if quantity != "chi" and compiled.condition.form is not Form.COLOUR:
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
