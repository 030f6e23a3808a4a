"""When a rule would have fired: history judged again, without writing or telling anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest

from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.points import since_jd
from iop4d.alerts.rules import Edge, History, Phase, Watch, judge, understand
from iop4d.config import Rule
from iop4d.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Fired:
    """One episode that a rule would have had. ``value``: what met the condition at the end."""

    source: str
    band: str
    fired_jd: float
    value: float
    points: tuple[int, ...]
    ended_jd: float | None


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a rule makes of the past: its episodes, and how many points it was asked about."""

    fired: tuple[Fired, ...]
    points: int
    untold: int
    series: int


def tried(rule: Rule, condition: str = "", clear: str | None = None) -> Watch:
    """A rule with another condition, or another one at which it ends (empty: none).

    Where none is given the rule's own stays, unless it does not go with the new condition.
    Raises ConfigError for what is not understood.
    """
    if condition:
        rule = replace(rule, condition=condition)
    if clear is not None:
        return understand(replace(rule, clear=clear))
    without = understand(replace(rule, clear=""))
    try:
        return understand(rule)
    except ConfigError:
        if condition:
            return without
        raise


def replay(engine: AlertEngine, watch: Watch, since: float) -> Replay:
    """Judge all points from JD ``since`` on, in the order of time. Inside a connection."""
    fired: list[Fired] = []
    count = untold = 0
    subjects = engine.subjects(watch)
    for source, band in subjects:
        points = since_jd(watch, source, band, since)
        count += len(points)
        untold += sum(point.value != point.value for point in points)  # NaN
        fired += _episodes(source, band, judge(watch, History(), points, since=since))
    return Replay(fired=tuple(sorted(fired, key=lambda f: f.fired_jd)), points=count,
                  untold=untold, series=len(subjects))


def _episodes(source: str, band: str, edges: list[Edge]) -> list[Fired]:
    found: list[Fired] = []
    for edge, following in zip_longest(edges, edges[1:]):
        if edge.phase is Phase.FIRING:
            found.append(Fired(
                source=source, band=band, fired_jd=edge.jd, value=edge.points[-1].value,
                points=tuple(point.id for point in edge.points),
                ended_jd=following.jd if following else None))
    return found
