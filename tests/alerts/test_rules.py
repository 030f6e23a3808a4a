"""Rules: the same points give the same edges, whatever the order in which they arrive."""

from __future__ import annotations

import math
import random

import pytest

from iop4d.alerts.rules import (
    CompiledRule,
    Edge,
    History,
    RulePoint,
    Standing,
    compile_rule,
    judge,
    pending_points,
)
from iop4d.config import Rule
from iop4d.model.errors import ConfigError
from iop4d.model.states import AlertState

HOUR = 1 / 24


def watch(*, clear: str = "mag > 13.2", confirm: int = 2, cooldown: float = 0.0) -> CompiledRule:
    return compile_rule(Rule(name="bright", condition="mag < 13.0", clear=clear, confirm=confirm,
                           cooldown_hours=cooldown))


class Walk:
    """Feeds points one by one, as the engine does, and keeps the episodes."""

    def __init__(self, rule: CompiledRule) -> None:
        self.rule = rule
        self.points: dict[int, RulePoint] = {}
        self.episodes: list[list[float | None]] = []  # fired, resolved
        self.told = 0

    def see(self, jd: float, value: float, id_: int | None = None) -> list[Edge]:
        point = RulePoint(id=len(self.points) if id_ is None else id_, jd=jd, value=value)
        self.points[point.id] = point
        ordered = sorted(self.points.values(), key=lambda p: (p.jd, p.id))
        first = next(i for i, p in enumerate(ordered) if p.jd >= jd)
        shown = ordered[max(0, first - self.rule.rule.confirm + 1):]
        edges = judge(self.rule, self.history(), shown, since=jd)
        for edge in edges:
            if edge.state is AlertState.RESOLVED:
                self.episodes[-1][1] = edge.jd
            elif edge.moved:
                self.episodes[-1][0] = edge.jd
            else:
                self.episodes.append([edge.jd, None])
                self.told += 1
        return edges

    def see_all(self, *values: float) -> Walk:
        for jd, value in enumerate(values, start=len(self.points)):
            self.see(float(jd), value)
        return self

    def history(self) -> History:
        if not self.episodes:
            return History()
        states = [Standing()]
        for fired, resolved in self.episodes[-2:]:
            assert fired is not None
            states.append(Standing(state=AlertState.FIRING, edge_jd=fired, fired_jd=fired))
            if resolved is not None:
                states.append(Standing(state=AlertState.RESOLVED, edge_jd=resolved, fired_jd=fired))
        return History(now=states[-1], before=states[-2])


def test_one_bright_point_is_no_alert() -> None:
    assert Walk(watch()).see_all(13.5, 12.5, 13.5, 13.5, 12.5).episodes == []


def test_as_many_bright_points_as_confirm_asks_for_fire_once() -> None:
    walk = Walk(watch(confirm=3)).see_all(13.5, 12.5, 12.5)
    assert walk.episodes == []
    assert [edge.state for edge in walk.see(3.0, 12.5)] == [AlertState.FIRING]
    walk.see_all(12.4, 12.4, 12.4)
    assert walk.episodes == [[3.0, None]]


def test_an_edge_names_the_points_that_confirmed_it() -> None:
    walk = Walk(watch()).see_all(13.5, 12.6)
    (edge,) = walk.see(2.0, 12.5)
    assert [(point.id, point.value) for point in edge.points] == [(1, 12.6), (2, 12.5)]


def test_between_threshold_and_clear_nothing_changes() -> None:
    assert Walk(watch()).see_all(12.5, 12.5, 13.1, 13.1, 13.1).episodes == [[1.0, None]]


def test_it_ends_when_as_many_points_clear() -> None:
    walk = Walk(watch()).see_all(12.5, 12.5, 13.3, 12.9, 13.3)
    assert walk.episodes == [[1.0, None]]
    assert walk.see_all(13.3).episodes == [[1.0, 5.0]]


def test_without_a_clear_condition_it_ends_when_the_condition_fails() -> None:
    assert Walk(watch(clear="")).see_all(12.5, 12.5, 13.0, 13.0).episodes == [[1.0, 3.0]]


def test_nan_speaks_for_nothing() -> None:
    nan = math.nan
    assert Walk(watch(clear="")).see_all(12.5, nan, 12.5, nan).episodes == []
    assert Walk(watch(clear="")).see_all(12.5, 12.5, nan, nan).episodes == [[1.0, None]]


def test_a_new_episode_waits_for_the_cooldown_in_the_time_of_the_points() -> None:
    walk = Walk(watch(cooldown=12.0))
    for hour, value in enumerate([12.5, 12.5, 13.5, 13.5, *[12.5] * 11]):
        walk.see(hour * HOUR, value)
    assert walk.episodes == [[1 * HOUR, 3 * HOUR], [pytest.approx(13 * HOUR), None]]


@pytest.mark.parametrize(("hours", "episodes"), [(11.999, 1), (12.0, 2), (12.001, 2)])
def test_the_cooldown_is_over_at_its_last_moment(hours: float, episodes: int) -> None:
    """A Julian date of today is good to 0.04 ms: a point twelve hours later is not too early."""
    compiled = watch(confirm=1, cooldown=12.0)
    at = 2461000.1
    points = [RulePoint(id=1, jd=at, value=12.5), RulePoint(id=2, jd=at + 0.1, value=13.5),
              RulePoint(id=3, jd=at + hours / 24, value=12.5)]
    edges = judge(compiled, History(), points, since=at)
    assert [edge.state for edge in edges].count(AlertState.FIRING) == episodes


@pytest.mark.parametrize(("hours", "fires"), [(5.999, True), (6.0, True), (6.001, False)])
def test_points_confirm_each_other_within_the_hours_and_no_longer(hours: float,
                                                                  fires: bool) -> None:
    compiled = compile_rule(Rule(name="r", condition="mag < 13.0", confirm_within_hours=6.0))
    at = 2461000.1
    points = [RulePoint(id=1, jd=at, value=12.5), RulePoint(id=2, jd=at + hours / 24, value=12.5)]
    assert bool(judge(compiled, History(), points, since=at)) is fires


@pytest.mark.parametrize(("standing", "confirm", "value", "pending"), [
    (Standing(), 2, 12.5, True), (Standing(), 2, 13.5, False), (Standing(), 1, 12.5, False),
    (Standing(state=AlertState.FIRING), 2, 12.5, False),
    (Standing(state=AlertState.RESOLVED, edge_jd=9.8, fired_jd=9.6), 2, 12.5, False),
    (Standing(state=AlertState.RESOLVED, edge_jd=9.8, fired_jd=9.5), 2, 12.5, True)])
def test_a_rule_is_pending_when_one_more_point_would_fire_it(
        standing: Standing, confirm: int, value: float, pending: bool) -> None:
    compiled = watch(confirm=confirm, cooldown=12.0)
    newest = RulePoint(id=1, jd=10.0, value=value)
    assert pending_points(compiled, standing, [newest]) == ((newest,) if pending else ())
    assert not pending_points(compiled, standing, [])


@pytest.mark.parametrize(("values", "hours", "count"), [
    ((13.5, 12.5, 12.5), 1.0, 2), ((12.5, 13.5, 12.5), 1.0, 1), ((13.5, 12.5, 12.5), 2.0, 1),
    ((12.5, 12.5, 12.5), 0.1, 2)])
def test_the_points_that_wait_are_those_that_met_it_in_a_row_and_near_enough(
        values: tuple[float, ...], hours: float, count: int) -> None:
    compiled = compile_rule(Rule(name="r", condition="mag < 13.0", confirm=3,
                                 confirm_within_hours=1.5))
    points = [RulePoint(id=n, jd=10.0 + n * hours / 24, value=value)
              for n, value in enumerate(values)]
    assert pending_points(compiled, Standing(), points) == tuple(points[-count:])


def test_flapping_around_the_threshold_gives_two_edges_at_most() -> None:
    pick = random.Random(1)
    walk, edges = Walk(watch()), 0
    for jd in range(200):
        edges += len(walk.see(float(jd), 13.0 + pick.uniform(-0.05, 0.05)))
    for jd in range(200, 203):
        edges += len(walk.see(float(jd), 13.5))
    assert edges == 2
    assert walk.told == 1


@pytest.mark.parametrize("value", [12.4, 13.0, 13.5])
def test_a_point_measured_again_never_fires_twice(value: float) -> None:
    walk = Walk(watch()).see_all(13.5, 12.5, 12.5, 12.5)
    for again in (1, 2, 3, 2):
        walk.see(float(again), value, again)
        walk.see(float(again), 12.5, again)
    assert walk.told == 1


def test_an_episode_whose_points_no_longer_clear_the_bar_ends_where_it_began() -> None:
    walk = Walk(watch()).see_all(13.5, 12.5, 12.5)
    walk.see(1.0, 13.5, 1)
    walk.see(2.0, 13.5, 2)
    assert walk.episodes == [[2.0, 2.0]]
    walk.see(2.0, 12.5, 2)
    walk.see(1.0, 12.5, 1)
    assert walk.told == 1


def test_an_episode_that_arrives_late_is_found_after_it_is_over() -> None:
    walk = Walk(watch())
    for jd, value in [(0, 13.5), (1, 13.5), (4, 13.5), (5, 13.5), (2, 12.5), (3, 12.5)]:
        walk.see(float(jd), value)
    assert walk.episodes == [[3.0, 5.0]]


def test_a_late_point_moves_the_last_edge_to_where_it_belongs() -> None:
    walk = Walk(watch())
    for jd, value in [(0, 13.5), (1, 12.5), (3, 12.5), (4, 12.5)]:
        walk.see(float(jd), value)
    assert walk.episodes == [[3.0, None]]
    (edge,) = walk.see(2.0, 12.5)
    assert edge.moved
    assert walk.episodes == [[2.0, None]]
    for jd in (5, 7, 6):
        walk.see(float(jd), 13.5)
    assert walk.episodes == [[2.0, 6.0]]
    assert walk.told == 1


def test_what_was_told_stands_when_a_late_point_would_have_stopped_it() -> None:
    walk = Walk(watch())
    for jd, value in [(0, 13.5), (1, 12.5), (3, 12.5), (2, 13.5)]:
        walk.see(float(jd), value)
    assert walk.episodes == [[3.0, None]]


def test_no_edge_is_put_before_one_that_was_told() -> None:
    walk = Walk(watch())
    for jd, value in [(0, 13.5), (7, 12.5), (8, 12.5), (5, 13.5), (6, 13.5), (3, 12.5), (4, 12.5)]:
        walk.see(float(jd), value)
    assert walk.episodes == [[8.0, None]]
    assert walk.told == 1


def test_an_ending_found_late_lets_the_next_episode_begin() -> None:
    walk = Walk(watch())
    for jd, value in [(0, 13.5), (3, 12.5), (4, 12.5), (7, 12.5), (8, 12.5), (6, 13.5), (5, 13.5)]:
        walk.see(float(jd), value)
    assert walk.episodes == [[4.0, 6.0], [8.0, None]]


@pytest.mark.parametrize("seed", range(40))
def test_frames_reduced_in_parallel_give_the_episodes_of_those_reduced_in_turn(seed: int) -> None:
    pick = random.Random(seed)
    flare = [13.5 - 1.2 * math.exp(-((jd - 30) / 6) ** 2) - 1.2 * math.exp(-((jd - 90) / 8) ** 2)
             for jd in range(120)]
    arrival = sorted(range(120), key=lambda jd: jd + pick.uniform(0, 8))
    in_turn = Walk(watch(cooldown=24.0)).see_all(*flare)
    in_parallel = Walk(watch(cooldown=24.0))
    for jd in arrival:
        in_parallel.see(float(jd), flare[jd], jd)
    assert len(in_turn.episodes) == 2
    assert in_parallel.episodes == in_turn.episodes
    assert in_parallel.told == 2


@pytest.mark.parametrize(("condition", "clear", "expected"), [
    ("mag ~ 13", "", "[[rule]] 'x': condition 'mag ~ 13': expected"),
    ("mag < 13", "mag", "[[rule]] 'x': condition 'mag': expected"),
    ("mag < 13", "mag > 12.8", "can be met together"),
    ("mag < 13", "mag < 13.2", "can be met together"),
])
def test_a_rule_that_cannot_be_understood_is_refused(condition: str, clear: str,
                                                     expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compile_rule(Rule(name="x", condition=condition, clear=clear))
    assert expected in str(refused.value)
