"""One table says how alerts change their state, and one module changes it."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import iop4d
from iop4d.alerts import episodes
from iop4d.alerts.episodes import TRANSITIONS, TransitionError
from iop4d.config import Rule
from iop4d.model.states import ACTIVE_ALERTS, UNBEGUN_ALERTS, AlertState
from iop4d.store.database import Transaction
from iop4d.store.schema import Alert, AlertStep, Event

RULE = Rule(name="bright", condition="mag < 13.0", severity="high")
ALLOWED = [(old, new) for old, following in TRANSITIONS.items() for new in sorted(following)]
FORBIDDEN = [pair for pair in product(AlertState, AlertState) if pair not in ALLOWED]
#: By which states a row comes to each of them.
WAYS = {
    AlertState.PENDING: [], AlertState.INACTIVE: [AlertState.INACTIVE], AlertState.FIRING: [],
    AlertState.ACKNOWLEDGED: [AlertState.ACKNOWLEDGED], AlertState.SNOOZED: [AlertState.SNOOZED],
    AlertState.RESOLVED: [AlertState.RESOLVED], AlertState.WITHDRAWN: [AlertState.WITHDRAWN]}


def begun(tx: Transaction, state: AlertState, after: Alert | None = None) -> Alert:
    return episodes.begin(tx, RULE, "BL Lac", "R", state, after=after, now=1.0, fired_jd=2461000.5)


def in_state(tx: Transaction, state: AlertState) -> Alert:
    """An alert that came to a state by allowed changes."""
    first = AlertState.PENDING if state in UNBEGUN_ALERTS else AlertState.FIRING
    alert = begun(tx, first)
    for step in WAYS[state]:
        alert = episodes.move(tx, alert, step, now=2.0)
    return alert


@pytest.mark.parametrize(("old", "new"), ALLOWED)
def test_an_allowed_change_is_written_with_its_step_and_shown(
        tx: Transaction, old: AlertState, new: AlertState) -> None:
    alert = in_state(tx, old)
    before = tx.select(Event).count()

    moved = episodes.move(tx, alert, new, now=3.0, by="Ana", note="seen", value=12.5)

    assert (moved.id, moved.state, moved.value) == (alert.id, new, 12.5)
    step = tx.select(AlertStep).order_by(AlertStep.id.desc()).get()
    assert (step.alert_id, step.at, step.state, step.by, step.note) == (
        alert.id, 3.0, new, "Ana", "seen")
    event = tx.select(Event).order_by(Event.id.desc()).get()
    assert tx.select(Event).count() == before + 1
    assert (event.kind, event.at) == ("alert", 3.0)
    assert event.content == {"id": alert.id, "rule": "bright", "source": "BL Lac", "band": "R",
                             "episode": 1, "state": new.value}


@pytest.mark.parametrize(("old", "new"), FORBIDDEN)
def test_any_other_change_is_refused_and_nothing_is_written(
        tx: Transaction, old: AlertState, new: AlertState) -> None:
    alert = in_state(tx, old)
    steps = tx.select(AlertStep).count()

    with pytest.raises(TransitionError, match=f"cannot change from {old} to {new}"):
        episodes.move(tx, alert, new, now=3.0)

    assert tx.by_id(Alert, alert.id).state == old
    assert tx.select(AlertStep).count() == steps


def test_the_table_says_what_people_rely_on() -> None:
    assert set(TRANSITIONS) == set(AlertState)
    for active in ACTIVE_ALERTS:
        assert {AlertState.RESOLVED, AlertState.WITHDRAWN} <= TRANSITIONS[active]
        assert not TRANSITIONS[active] & set(UNBEGUN_ALERTS)
    assert TRANSITIONS[AlertState.WITHDRAWN] == frozenset()  # it never was
    # Nobody acknowledges or snoozes what is over or has not begun.
    for state in set(AlertState) - set(ACTIVE_ALERTS):
        assert not TRANSITIONS[state] & {AlertState.ACKNOWLEDGED, AlertState.SNOOZED}
    assert AlertState.FIRING not in TRANSITIONS[AlertState.ACKNOWLEDGED]  # reminders stay away


@pytest.mark.parametrize("state", sorted(set(AlertState) - set(episodes.FIRST)))
def test_an_episode_begins_as_pending_or_firing(tx: Transaction, state: AlertState) -> None:
    with pytest.raises(TransitionError, match=f"cannot begin as {state}"):
        begun(tx, state)
    assert tx.select(Alert).count() == 0


def test_episodes_of_a_rule_are_counted_and_say_what_the_rule_was(tx: Transaction) -> None:
    first = begun(tx, AlertState.FIRING)
    second = begun(tx, AlertState.PENDING, after=first)
    assert (first.episode, second.episode) == (1, 2)
    assert (second.condition, second.severity, second.fired_at) == ("mag < 13.0", "high", 1.0)
    assert [step.state for step in tx.select(AlertStep).order_by(AlertStep.id)] == [
        "firing", "pending"]


def test_a_row_that_changed_since_it_was_read_is_not_written_over(tx: Transaction) -> None:
    stale = begun(tx, AlertState.FIRING)
    episodes.move(tx, stale, AlertState.RESOLVED, now=2.0)
    with pytest.raises(TransitionError, match="is not firing any more"):
        episodes.move(tx, stale, AlertState.ACKNOWLEDGED, now=3.0)
    assert tx.by_id(Alert, stale.id).state == "resolved"


def test_a_reason_is_shown_with_the_alert_and_a_note_in_its_history_alone(tx: Transaction) -> None:
    alert = episodes.move(tx, begun(tx, AlertState.FIRING), AlertState.ACKNOWLEDGED, now=2.0,
                          note="ours")
    assert alert.note == ""
    alert = episodes.move(tx, alert, AlertState.WITHDRAWN, now=3.0, reason="a bad point")
    assert alert.note == "a bad point"
    assert [step.note for step in tx.select(AlertStep).order_by(AlertStep.id)] == [
        "", "ours", "a bad point"]


def test_what_is_revised_keeps_its_state_and_has_no_step(tx: Transaction) -> None:
    alert = episodes.revise(tx, begun(tx, AlertState.FIRING), now=2.0, fired_jd=2461000.4)
    assert (alert.state, alert.fired_jd) == ("firing", 2461000.4)
    assert tx.select(AlertStep).count() == 1
    assert [event.at for event in tx.select(Event).order_by(Event.id)] == [1.0, 2.0]


@pytest.mark.parametrize(("what", "places"), [
    (r"\bchange_state\(|\balerts\.create\(|\bemit_change\(",
     {"alerts/episodes.py", "store/alerts.py"}),
    (r"\b(create|insert|insert_many)\(\s*AlertStep\b|AlertStep\.(create|insert)",
     {"store/alerts.py"}),
    (r"\b(create|insert)\(\s*Alert\b|\bAlert\.(create|insert)\b", {"store/alerts.py"}),
    (r"update\(\s*Alert\b[^)]*\bstate=|\bAlert\.update\([^)]*\bstate=", {"store/alerts.py"}),
    (r"emit\(\s*(\w+,\s*)?\"alert\"", {"store/alerts.py"}),
])
def test_nothing_else_changes_the_state_of_an_alert(what: str, places: set[str]) -> None:
    """Searched for in the source of the program."""
    root = Path(iop4d.__file__).parent
    modules = [*root.glob("*.py"), *(path for folder in root.iterdir() if folder.is_dir()
                                     for path in folder.rglob("*.py"))]
    found = {path.relative_to(root).as_posix() for path in modules
             if re.search(what, path.read_text(encoding="utf-8"))}
    assert found == places
