"""Episodes of alerts: the one place where an alert begins and changes its state.

A rule on a source and band has one episode after another, each a row. A row in waiting (pending,
or inactive when the point that met the condition was not confirmed) becomes the next episode when
the rule fires. Every change is checked against one table, written with a step of the alert's
history, and shown on the page, all in the caller's transaction.
"""

from __future__ import annotations

import hashlib

from iop4d.config import Rule
from iop4d.model.states import AlertState
from iop4d.store import alerts
from iop4d.store.database import Transaction
from iop4d.store.schema import Alert

#: The states in which an episode may begin.
FIRST = (AlertState.PENDING, AlertState.FIRING)

#: From each state, the states that may follow.
TRANSITIONS: dict[AlertState, frozenset[AlertState]] = {
    AlertState.INACTIVE: frozenset({AlertState.PENDING, AlertState.FIRING}),
    AlertState.PENDING: frozenset({AlertState.INACTIVE, AlertState.FIRING}),
    AlertState.FIRING: frozenset({
        AlertState.ACKNOWLEDGED, AlertState.SNOOZED, AlertState.RESOLVED, AlertState.WITHDRAWN}),
    # Acknowledged again by another person, or with another note.
    AlertState.ACKNOWLEDGED: frozenset({
        AlertState.ACKNOWLEDGED, AlertState.SNOOZED, AlertState.RESOLVED, AlertState.WITHDRAWN}),
    # Back to firing when the time is over; snoozed again for longer.
    AlertState.SNOOZED: frozenset({
        AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SNOOZED, AlertState.RESOLVED,
        AlertState.WITHDRAWN}),
    # A point that ended it was flagged as bad: it never ended. One that fired it was measured
    # again: it never was.
    AlertState.RESOLVED: frozenset({AlertState.FIRING, AlertState.WITHDRAWN}),
    AlertState.WITHDRAWN: frozenset(),
}


class TransitionError(RuntimeError):
    """A change of state that the table does not contain: a fault of the program."""


def begin(tx: Transaction, rule: Rule, source: str, band: str, state: AlertState, *,
          after: Alert | None, now: float, **columns: object) -> Alert:
    """A new episode of a rule; ``after``: the one before it."""
    if state not in FIRST:
        raise TransitionError(f"an alert cannot begin as {state.value}")
    return alerts.create(
        tx, state=state, now=now, rule=rule.name, source=source, band=band,
        episode=after.episode + 1 if after else 1, condition=rule.condition,
        severity=rule.severity, **columns)


def move(tx: Transaction, alert: Alert, to: AlertState, *, now: float, by: str = "",
         note: str = "", reason: str = "", **columns: object) -> Alert:
    """An alert in another state, with other values of its columns.

    ``by`` and ``note``: the person who changed it, and what they or the program say of it, for its
    history. ``reason``: a note that is shown with the alert itself too. Raises TransitionError for
    a change that the table does not contain, or if the row has changed since ``alert`` was read.
    """
    if to not in TRANSITIONS[AlertState(alert.state)]:
        raise TransitionError(f"alert {alert.id} cannot change from {alert.state} to {to.value}")
    if reason:
        columns["note"] = reason
    moved = alerts.change_state(tx, alert, to, now=now, by=by, note=note or reason, columns=columns)
    if moved is None:
        raise TransitionError(f"alert {alert.id} is not {alert.state} any more")
    return moved


def revise(tx: Transaction, alert: Alert, *, now: float, **columns: object) -> Alert:
    """An alert whose state stays, with other values: what fired or ended it, and when."""
    alert = alerts.update(tx, alert, **columns)
    alerts.emit_change(tx, alert, now)
    return alert


def first_name(alert: Alert) -> str:
    """The source of an alert as it was called when the alert began: a source may be renamed, what
    was sent and drafted has the name of then."""
    return str(alert.called or alert.source)


def tag(alert: Alert) -> str:
    """By what people name an alert when they answer, such as #a1b2c3."""
    key = f"{alert.rule}\x1f{first_name(alert)}\x1f{alert.band}\x1f{alert.episode}"
    return "#" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:6]
