"""Which alerts a summary tells: each alert in one summary, and in no other.

An alert on points is of the night of the point that fired it, and that night's summary tells it. If
it comes when that is made already, or will never be made, the summary of the night in which it came
tells it and names its own night; if not even that one can, the next. What is told stands in the
summaries that are kept, with the ids of their alerts. An alert of the system has no points: it is
of the night in which it fired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from iop4d.alerts.rendering import clean
from iop4d.alerts.summary.facts import AlertLine
from iop4d.model.states import UNBEGUN_ALERTS
from iop4d.model.units import JD_UNIX_EPOCH, utc_of_jd
from iop4d.store.schema import Alert, Meta, Result, Summary
from iop4d.store.table import is_filled

BEGAN = "summaries_since"  # key of when the site first asked for summaries; older nights have none
_NEAR = 2.0  # days around a night within which its points lie, wherever the telescopes stand
_TOLD = ("SELECT json_extract(line.value, '$.id'), summary.night "
         "FROM summary, json_each(summary.facts, '$.alerts') AS line")


@dataclass(frozen=True, kw_only=True)
class _Span:
    """A night, and the Unix seconds between which events are its own."""

    night: str
    since: float
    until: float


def alerts_of(night: str, *, since: float, until: float, whole: bool = False,
              ) -> tuple[AlertLine, ...]:
    """The alerts that a night's summary tells, within a connection.

    ``since``, ``until``: Unix seconds between which events are the night's. ``whole``: also the
    night's alerts that another summary tells, marked, for whoever looks at the night by itself.
    """
    span = _Span(night=night, since=since, until=until)
    found = [*_of_system(span), *_of_points(span, whole=whole)]
    return tuple(line for _, line in sorted(found, key=lambda pair: pair[0]))


_Line = tuple[tuple[float, int], AlertLine]


def _of_system(span: _Span) -> Iterator[_Line]:
    for row in _fired().where(~is_filled(Alert.points) & (Alert.fired_at >= span.since)
                              & (Alert.fired_at < span.until)):
        yield _line(row)


def _of_points(span: _Span, *, whole: bool) -> Iterator[_Line]:
    told = dict(Alert._meta.database.execute_sql(_TOLD).fetchall())
    is_over = _is_over(span)
    for row in _candidates(span):
        teller = told.get(row.id, span.night)
        if teller != span.night and not whole:
            continue
        own = _night_of(row, span)
        if teller != span.night:
            if own == span.night:
                yield _line(row, told_in=teller)
        elif own == span.night:
            yield _line(row)
        elif row.fired_at < span.until and is_over(own):
            yield _line(row, night=own)


def _candidates(span: _Span) -> Any:
    """Alerts on points that came by the night's end, or whose points are near the night."""
    began = Meta.get_or_none(Meta.key == BEGAN)
    first = span.since if began is None else min(span.since, float(began.value))
    came = (Alert.fired_at >= first) & (Alert.fired_at < span.until)
    near = Alert.fired_jd.between(_jd(span.since) - _NEAR, _jd(span.until) + _NEAR)
    return _fired().where(is_filled(Alert.points) & (came | near))


def _fired() -> Any:
    return Alert.select().where(Alert.state.not_in(UNBEGUN_ALERTS))


def _night_of(row: Alert, span: _Span) -> str:
    """The night of the point that fired an alert; if that is gone, by its time."""
    night = Result.select(Result.night).where(Result.id == row.points[-1]).scalar()
    if night:
        return str(night)
    if _jd(span.since) <= row.fired_jd < _jd(span.until):
        return span.night
    return _beside(span.night, math.floor(row.fired_jd - _jd(span.since)))


def _is_over(span: _Span) -> Callable[[str], bool]:
    """Whether a night's summary, of another night than the span's, comes no more.

    It is made, or that of a later night is; or the site had none yet when that night ended; or the
    night lies so far ahead that a clock went wrong.
    """
    began = Meta.get_or_none(Meta.key == BEGAN)
    last = Summary.select(Summary.night).order_by(Summary.night.desc()).limit(1).scalar() or ""
    if began is not None and began.value >= span.since:
        last = max(last, _beside(span.night, -1))
    return lambda night: night <= last or night > _beside(span.night, 1)


def _beside(night: str, days: int) -> str:
    return (date.fromisoformat(night) + timedelta(days=days)).isoformat()


def _jd(seconds: float) -> float:
    return seconds / 86400.0 + JD_UNIX_EPOCH


def _line(row: Alert, *, night: str = "", told_in: str = "") -> _Line:
    return (row.fired_at, row.id), AlertLine(
        id=row.id, rule=clean(row.rule), source=clean(row.source, 80), band=clean(row.band, 20),
        condition=clean(row.condition), utc=utc_of_jd(row.fired_jd), state=row.state,
        night=clean(night, 20), told_in=told_in)
