"""Back-tests of rules: when one would have fired, from the results there are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import zip_longest

from iop4d.alerts.conditions import Form
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.points import lacks_error, newest, since_jd
from iop4d.alerts.rules import CompiledRule, Edge, History, RulePoint, compile_rule, judge
from iop4d.config import Rule
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.model.states import AlertState
from iop4d.store import points as stored
from iop4d.store.database import Connection

_OF_WINDOW = (Form.CHANGE, Form.ROTATION, Form.FAINTEST, Form.BRIGHTEST)


class TooManyPointsError(Iop4dError):
    """A back-test would take too long for a page or command that waits for it."""


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
class BackTest:
    """The episodes that a rule would have had, and how many points of how many light curves it was
    evaluated on. ``unknown``: points without a value, for want of earlier data.
    """

    fired: tuple[Fired, ...]
    points: int
    unknown: int
    series: int


def changed_rule(rule: Rule, condition: str = "", clear: str | None = None) -> CompiledRule:
    """A rule with another condition, or another one at which it ends (empty: none).

    Where none is given the rule's own stays, unless it does not go with the new condition.
    Raises ConfigError for what cannot be parsed.
    """
    if condition:
        rule = replace(rule, condition=condition)
    if clear is not None:
        return compile_rule(replace(rule, clear=clear))
    without = compile_rule(replace(rule, clear=""))
    try:
        return compile_rule(rule)
    except ConfigError:
        if condition:
            return without
        raise


def backtest(db: Connection, engine: AlertEngine, compiled: CompiledRule, since: float, *,
             kept: dict[tuple[str, str], list[RulePoint]] | None = None,
             most: int | None = None) -> BackTest:
    """Judge all points from JD ``since`` on, in the order of time; nothing is written or sent.

    ``kept``: gets the points that were judged, by source and band. Raises TooManyPointsError where
    there are more than ``most`` results since then.
    """
    fired: list[Fired] = []
    count = unknown = 0
    series = engine.series(db, compiled)
    if most is not None:
        _check_count(db, compiled, series, since, most)
    for source, band in series:
        points = since_jd(db, compiled, source, band, since, engine.until)
        count += len(points)
        if kept is not None:
            kept[source, band] = points
        unknown += sum(math.isnan(point.value) for point in points)
        fired += _episodes(source, band, judge(compiled, History(), points, since=since))
    return BackTest(fired=tuple(sorted(fired, key=lambda f: f.fired_jd)), points=count,
                  unknown=unknown, series=len(series))


def _check_count(db: Connection, compiled: CompiledRule, series: list[tuple[str, str]],
                 since: float, most: int) -> None:
    left = most
    for source, band in series:
        for one in compiled.condition.bands or (band,):
            left -= stored.count_since(db, source, one, since, most=left + 1)
            if left < 0:
                raise TooManyPointsError(
                    f"there are more than {most:,} results since then that this rule watches")


def waits_for(db: Connection, engine: AlertEngine, compiled: CompiledRule) -> str:
    """For what a rule waits before it can judge light curves that it watches; empty if for nothing.

    A rate is unknown also where it is not significant, and waits for nothing then.
    """
    if compiled.condition.form is Form.SYSTEM:
        return ""
    series = engine.series(db, compiled)
    last = [newest(db, compiled, source, band, engine.until) for source, band in series]
    none = sum(point is None for point in last)
    unknown = [(point, *of) for point, of in zip(last, series, strict=True)
               if point is not None and math.isnan(point.value)
               and any(leaf.form in _OF_WINDOW for leaf in compiled.condition.leaves)]
    unsure = sum(lacks_error(db, compiled, *one) for one in unknown)
    early = len(unknown) - unsure
    rule = compiled.rule
    why_none = " and a known host galaxy" if rule.host_galaxy == "corrected" else ""
    return "; ".join([
        *([f"{early} of {len(last)} light curves have fewer than {rule.min_points} earlier points "
           f"within {rule.window_days:g} days"] if early else []),
        *([f"{unsure} of {len(last)} light curves have {_what_lacks(compiled)}"] if unsure else []),
        *([f"{none} of {len(last)} light curves have no point that counts{why_none}"]
          if none else []),
        *(["no light curve so far"] if not last else [])])


def _what_lacks(compiled: CompiledRule) -> str:
    return ("a newest point whose p is below five times its error"
            if compiled.condition.form is Form.ROTATION else "a newest point without an error")


def _episodes(source: str, band: str, edges: list[Edge]) -> list[Fired]:
    found: list[Fired] = []
    for edge, following in zip_longest(edges, edges[1:]):
        if edge.state is AlertState.FIRING:
            found.append(Fired(
                source=source, band=band, fired_jd=edge.jd, value=edge.points[-1].value,
                points=tuple(point.id for point in edge.points),
                ended_jd=following.jd if following else None))
    return found
