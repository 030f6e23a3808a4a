"""The points that a rule is asked about: good results of a source and band, as its quantity."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from iop4d.alerts.compose import good_points
from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.quantities import Past, Series, colours, derived
from iop4d.alerts.rules import Point, Watch
from iop4d.config import Rule
from iop4d.model.flags import Flag
from iop4d.store.schema import Result

_LATE = 7.0  # days before the newest point in which a late one can still make an edge
_MOST = 2000  # points looked at for one judgement
_MOST_PAST = 50_000  # points that a change is told against
_SURE = 3.0  # standard errors of p that an angle needs
_LN = 0.4 * math.log(10.0)  # relative error of a flux for an error of one magnitude

#: Flux density of magnitude 0 in mJy: R as in Nilsson et al. (2007), the other bands of Johnson
#: and Cousins as in Bessell, Castelli & Plez (1998, A&A 333, 231), table A2; the rest are AB.
ZERO_MJY = {"U": 1.790e6, "B": 4.063e6, "V": 3.636e6, "R": 3.080e6, "I": 2.416e6}
_AB_MJY = 3.631e6


class Reader:
    """Reads the points of rules that are judged in one transaction.

    Rules often differ in their thresholds alone; what they look at is then read once.
    """

    def __init__(self) -> None:
        self._read: dict[tuple[object, ...], tuple[float, list[Point]]] = {}

    def load(self, watch: Watch, source: str, band: str,
             since: float) -> tuple[float, list[Point]]:
        """The points from JD ``since`` on, with ``confirm - 1`` before; and where they begin.

        ``band`` is the colour's name for a colour. Inside a connection.
        """
        seen = (watch.condition.about, replace(watch.rule, **_NOT_READ), source, band, since)
        if seen not in self._read:
            self._read[seen] = _load(watch, source, band, since)
        return self._read[seen]


#: What of a rule has no part in which points it looks at.
_NOT_READ: dict[str, Any] = {
    "name": "", "condition": "", "clear": "", "source": "", "sources": (), "band": "",
    "cooldown_hours": 0.0, "severity": "", "reminder_hours": 0.0, "max_age_hours": 0.0,
    "muted": False, "notify_resolved": False, "channels": ()}


def _load(watch: Watch, source: str, band: str, since: float) -> tuple[float, list[Point]]:
    rule = watch.rule
    first = watch.condition.bands[0] if watch.condition.bands else band
    jds = Result.select(Result.jd_mid).where(_good(watch.condition, rule, source, first)).order_by(
        Result.jd_mid.desc(), Result.id.desc())
    newest = jds.limit(1).scalar()
    if newest is None:
        return since, []
    since = max(since, newest - _LATE)
    after = [jd for (jd,) in jds.where(Result.jd_mid >= since).limit(_MOST).tuples()]
    if len(after) == _MOST:
        return after[-1], since_jd(watch, source, band, after[-1])
    needed = rule.confirm - 1
    for count in (needed, 20 * needed, _MOST):  # not each of them counts: errors, colours
        before = [jd for (jd,) in jds.where(Result.jd_mid < since).limit(count).tuples()]
        points = since_jd(watch, source, band, before[-1] if before else since)
        surplus = sum(point.jd < since for point in points) - needed
        if surplus >= 0 or len(before) < count:
            break
    return since, points[max(surplus, 0):]


def since_jd(watch: Watch, source: str, band: str, start: float) -> list[Point]:
    """All points from a JD on. Inside a connection."""
    condition, rule = watch.condition, watch.rule
    first, second = condition.bands or (band, "")
    reach = start - rule.window_days if condition.form not in (Form.VALUE, Form.COLOUR) else start
    series = _series(condition, rule, source, first, reach)
    if condition.form is Form.COLOUR:
        near = rule.colour_within_hours / 24.0
        series = colours(series, _series(condition, rule, source, second, reach - near),
                         rule.colour_within_hours)
    values = derived(condition, series, Past.of(rule, condition.quantity), since=start)
    errors = (series.error if condition.form in (Form.VALUE, Form.COLOUR)
              else [math.nan] * len(series))
    return [Point(id=id_, jd=jd, value=value, error=error) for id_, jd, value, error
            in zip(series.ids, series.jd, values, errors, strict=True) if jd >= start]


def _series(condition: Condition, rule: Rule, source: str, band: str, start: float) -> Series:
    value, error = columns(condition, rule)
    rows = Result.select(Result.id, Result.jd_mid, Result.night, value, error).where(
        _good(condition, rule, source, band) & (Result.jd_mid >= start)).order_by(
            Result.jd_mid.desc(), Result.id.desc()).limit(_MOST_PAST).tuples()
    kept = []
    is_flux = condition.quantity == "flux_mjy"
    for id_, jd, night, told, sigma in reversed(list(rows)):
        err = math.nan if sigma is None else sigma
        number = ZERO_MJY.get(band, _AB_MJY) * 10.0 ** (-0.4 * told) if is_flux else told
        err *= _LN * number if is_flux else 1.0
        if not rule.max_err or err <= rule.max_err:
            kept.append((id_, jd, night, number, err))
    columns_of = list(zip(*kept, strict=True)) or [()] * 5
    ids, jds, nights, values, errors = columns_of
    return Series(ids=ids, jd=jds, night=nights, value=values, error=errors)


def columns(condition: Condition, rule: Rule) -> tuple[Any, Any]:
    """The columns of a quantity and of its error."""
    corrected = rule.host_galaxy == "corrected"
    if condition.quantity == "p":
        return (Result.p_nucleus, Result.p_nucleus_err) if corrected else (
            Result.p_debiased, Result.p_err)
    if condition.quantity == "chi":
        return Result.chi_deg, Result.chi_err_deg
    return (Result.mag_nucleus, Result.mag_nucleus_err) if corrected else (
        Result.mag, Result.mag_err)


def _good(condition: Condition, rule: Rule, source: str, band: str) -> Any:
    """The condition, for a query, that a point counts for a rule."""
    value, _ = columns(condition, rule)
    needs_mag = condition.quantity not in ("p", "chi")
    good = good_points(source, band, needs_mag=needs_mag) & value.is_null(False)
    if condition.quantity == "chi":
        good = good & (Result.p_debiased >= _SURE * Result.p_err)
    if rule.instruments:
        good = good & Result.instrument.in_(rule.instruments)
    bars = Flag(0)
    for name in rule.reject_flags:
        bars |= Flag[name.upper()]
    if rule.require_stable_stars:
        bars |= Flag.UNSTEADY | Flag.FEW_CALIBRATORS | Flag.CLOUDS
    return good & (Result.flags.bin_and(int(bars)) == 0) if bars else good
