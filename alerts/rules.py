"""When a rule fires and when it ends: a pure function of the points.

**What is promised.** The points of a (source, band) are walked in the order of their observation
(``jd``, then id), not of their arrival. At every point the last ``confirm`` points up to it are
looked at: if all meet the condition, an inactive rule fires there; if all meet the clear condition
(or, without one, fail the condition), a firing rule ends there. So a point that arrives late is
judged at its place, and an episode may be found after it is over: frames that are reduced in
parallel give the episodes that they would have given one after the other.

**The cooldown counts in the time of the points**, from the point that fired the last episode. If
it counted on the wall clock, a rerun or a restart of a few minutes would see other edges in the
same points, and notify people twice or not at all.

**A notified edge stands.** No edge is undone, and none is put before one that is recorded; points
older than the last edge change history in one way only: that edge moves to an earlier point when
they show that the threshold was crossed sooner and nothing else happened in between. Hence the
same point measured again cannot fire an episode twice, and a lone point that a missing neighbour
would have stopped can fire: an alert too many, because waiting for a frame that may never come
would be an alert too few. An episode whose own points are
measured again, and do not meet the condition any more, is withdrawn by the engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iop4d.alerts.conditions import Condition, Form, parse_condition
from iop4d.config import Rule
from iop4d.model.errors import ConfigError
from iop4d.model.flags import Flag
from iop4d.model.states import AlertState

_OF_NIGHTS = (Form.CHANGE, Form.FAINTEST, Form.BRIGHTEST)
_JD_STEP = 1e-9  # days: the spacing of Julian dates of today in a double is half of it


@dataclass(frozen=True, kw_only=True)
class RulePoint:
    """A good point: the id of its result, JD(UTC) of mid-exposure, and the rule's quantity.

    ``error``: that of the quantity where it is a value or a colour, else NaN.
    """

    id: int
    jd: float
    value: float
    error: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Inactive, firing or resolved; the JD of the edge that led there, and of the last firing."""

    state: AlertState = AlertState.INACTIVE
    edge_jd: float = -math.inf
    fired_jd: float = -math.inf


@dataclass(frozen=True, kw_only=True)
class History:
    """Where a rule stands, and where it stood before its last edge."""

    now: Standing = Standing()
    before: Standing | None = None


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A change of state at the last of ``points``. ``moved``: a recorded edge, now earlier."""

    state: AlertState
    points: tuple[RulePoint, ...]
    moved: bool = False

    @property
    def jd(self) -> float:
        """JD(UTC) of the point at which it happened."""
        return self.points[-1].jd


@dataclass(frozen=True, kw_only=True)
class CompiledRule:
    """A rule of the site file with its conditions parsed."""

    rule: Rule
    condition: Condition
    clear: Condition | None

    def clears(self, value: float) -> bool:
        """Whether a value speaks for the end of an episode; NaN never does."""
        if self.clear is not None:
            return self.clear.holds(value)
        return not math.isnan(value) and not self.condition.holds(value)


def compile_rule(rule: Rule) -> CompiledRule:
    """A rule with its conditions parsed; raises ConfigError that names the rule."""
    try:
        condition = parse_condition(rule.condition)
        clear = parse_condition(rule.clear) if rule.clear.strip() else None
    except ConfigError as error:
        raise ConfigError(f"[[rule]] '{rule.name}': {error}") from None
    _check_terms(rule, condition)
    if clear is not None and clear.about != condition.about:
        raise ConfigError(f"[[rule]] '{rule.name}': clear '{rule.clear}' has another quantity "
                          f"or unit than its condition, '{rule.condition}'")
    _check_keys(rule, condition)
    if clear is not None and clear.overlaps(condition):
        raise ConfigError(
            f"[[rule]] '{rule.name}': clear '{rule.clear}' can be met together with the "
            f"condition '{rule.condition}'; expected one that cannot, such as mag > 13.2 for "
            "mag < 13.0")
    return CompiledRule(rule=rule, condition=condition, clear=clear)


#: Keys that say nothing about a condition of the system, and the one that says nothing about
#: others, with the default of each.
_OF_POINTS = {name: Rule.__dataclass_fields__[name].default for name in (
    "confirm", "confirm_within_hours", "instruments", "max_err", "reject_flags",
    "require_stable_stars", "host_galaxy", "max_age_hours", "tell_pending")}
_OF_SYSTEM = {"hold_minutes": Rule.__dataclass_fields__["hold_minutes"].default}


def _check_meaning(rule: Rule, condition: Condition) -> None:
    """Refuse keys that would be ignored."""
    is_system = condition.form is Form.SYSTEM
    for name, default in (_OF_POINTS if is_system else _OF_SYSTEM).items():
        if getattr(rule, name) != default:
            raise ConfigError(
                f"[[rule]] '{rule.name}': {name} does not apply to '{rule.condition}', "
                + ("which is about the system: hold_minutes says for how long it must be met"
                   if is_system else "which is about points: confirm says how many must meet it"))
    if condition.quantity == "p" and rule.max_err >= 1:
        raise ConfigError(f"[[rule]] '{rule.name}': max_err is {rule.max_err:g}; p is a fraction, "
                          "so that 0.01 is one percent")


def _check_keys(rule: Rule, condition: Condition) -> None:
    """What a rule's keys must know of its condition."""
    _check_meaning(rule, condition)
    known = {flag.name.lower() for flag in Flag if flag.name}
    for name in rule.reject_flags:
        if name not in known:
            raise ConfigError(f"[[rule]] '{rule.name}': reject names '{name}'; expected flags: "
                              f"{', '.join(sorted(known))}")
    if rule.host_galaxy == "corrected" and condition.quantity not in ("mag", "flux_mjy", "p"):
        raise ConfigError(f"[[rule]] '{rule.name}': host = 'corrected' is for mag, flux_mjy and p; "
                          f"'{rule.condition}' is about none of them")
    if rule.window_days <= 1.0 and any(leaf.form in _OF_NIGHTS for leaf in condition.leaves):
        raise ConfigError(f"[[rule]] '{rule.name}': window_days is {rule.window_days:g}; expected "
                          "more than 1, because a change is relative to earlier nights")


def _check_terms(rule: Rule, condition: Condition) -> None:
    """Refuse what has no meaning where a condition has no number of its own."""
    if condition.terms and rule.clear.strip():
        raise ConfigError(f"[[rule]] '{rule.name}': clear does not apply to a condition with and "
                          "or or, which ends when it is no longer met")
    if condition.terms and rule.max_err:
        raise ConfigError(f"[[rule]] '{rule.name}': max_err does not apply to a condition with "
                          "and or or, whose quantities have several units")
    scattered = {leaf.quantity for leaf in condition.leaves if leaf.form is not Form.VALUE}
    if len(scattered) > 1 and rule.min_scatter >= 0:
        raise ConfigError(f"[[rule]] '{rule.name}': min_scatter does not apply to a condition on "
                          f"{' and '.join(sorted(scattered))}, which have several units")


def judge(compiled: CompiledRule, history: History, points: Sequence[RulePoint], *,
          since: float) -> list[Edge]:
    """The edges that follow from points which changed, in order of time.

    ``points`` are ordered by (jd, id) and good: no flag that bars an alert, a finite value. They
    begin at the earliest changed one, at JD ``since``, preceded by ``confirm - 1`` older ones. An
    earlier edge that only moves comes first, marked as such.
    """
    edges: list[Edge] = []
    standing = history.now
    if history.before is not None and since <= standing.edge_jd:
        earlier = list(_walk(compiled, history.before, points, since=since, until=standing.edge_jd))
        if len(earlier) == 1:
            edges.append(Edge(state=earlier[0].state, points=earlier[0].points, moved=True))
            fired = edges[0].jd if standing.state is AlertState.FIRING else standing.fired_jd
            standing = Standing(state=standing.state, edge_jd=standing.edge_jd, fired_jd=fired)
    return [*edges, *_walk(compiled, standing, points, since=since, until=math.inf)]


def _walk(compiled: CompiledRule, standing: Standing, points: Sequence[RulePoint], *, since: float,
          until: float) -> Iterator[Edge]:
    """The edges at points from ``since`` on, after the standing's own edge and before ``until``."""
    for end in range(compiled.rule.confirm, len(points) + 1):
        window = points[end - compiled.rule.confirm:end]
        jd = window[-1].jd
        if jd < since or jd >= until or not _is_after(standing, jd):
            continue
        if (state := _turn(compiled, standing, window)) is not None:
            fired = jd if state is AlertState.FIRING else standing.fired_jd
            standing = Standing(state=state, edge_jd=jd, fired_jd=fired)
            yield Edge(state=state, points=tuple(window))


def _is_after(standing: Standing, jd: float) -> bool:
    # A firing rule looks at its own last point again: measured again, it may end the episode.
    return jd >= standing.edge_jd if standing.state is AlertState.FIRING else jd > standing.edge_jd


def _turn(compiled: CompiledRule, standing: Standing,
          window: Sequence[RulePoint]) -> AlertState | None:
    if standing.state is AlertState.FIRING:
        return AlertState.RESOLVED if all(compiled.clears(p.value) for p in window) else None
    cool = window[-1].jd - standing.fired_jd >= compiled.rule.cooldown_hours / 24 - _JD_STEP
    met = cool and all(compiled.condition.holds(p.value) for p in window)
    return AlertState.FIRING if met and is_close(compiled, window) else None


def is_close(compiled: CompiledRule, window: Sequence[RulePoint]) -> bool:
    """Whether points are near enough to each other to confirm each other."""
    within = compiled.rule.confirm_within_hours / 24
    return not within or window[-1].jd - window[0].jd <= within + _JD_STEP


def pending_points(compiled: CompiledRule, standing: Standing,
                   points: Sequence[RulePoint]) -> tuple[RulePoint, ...]:
    """The newest points that meet the condition of a rule that may fire, but needs others; none
    if the newest does not."""
    confirm, holds = compiled.rule.confirm, compiled.condition.holds
    if standing.state is AlertState.FIRING or confirm < 2 or not points:
        return ()
    last = points[-1]
    cool = last.jd - standing.fired_jd >= compiled.rule.cooldown_hours / 24 - _JD_STEP
    if not cool or not holds(last.value):
        return ()
    met = [last]
    for point in reversed(points[-confirm + 1:-1]):
        if not holds(point.value) or not is_close(compiled, (point, last)):
            break
        met.insert(0, point)
    return tuple(met)
