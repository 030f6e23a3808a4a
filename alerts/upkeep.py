"""What the upkeep of alerts on points and of those on the system share."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from iop4d.config import Rule
from iop4d.model.states import AlertState
from iop4d.store.database import Transaction
from iop4d.store.events import emit
from iop4d.store.schema import Alert

log = logging.getLogger(__name__)


@contextmanager
def isolated(tx: Transaction, now: float, *, rule: str, source: str = "",
             band: str = "") -> Iterator[None]:
    """Process one rule or alert in its own savepoint, so that a failure affects it alone.

    What fails is logged, and counted by the rules on ``rule_error``. If the database itself failed
    the whole transaction is gone, and the error is raised to whoever began it.
    """
    try:
        with tx.savepoint():
            yield
    # A fault in one rule must cost neither the measurement nor the other rules.
    except Exception as error:
        if not tx.is_open:
            raise
        log.exception("rule '%s' could not be evaluated for %s", rule,
                      " ".join(filter(None, (source, band))) or "the system")
        emit(tx, "alert-error", now, rule=rule, source=source, band=band,
             reason=f"{type(error).__name__}: {error}")


def snooze_is_over(alert: Alert, now: float) -> bool:
    """Whether people asked for no reminders of an alert until a time that has come."""
    return alert.state == AlertState.SNOOZED and bool(alert.snoozed_until <= now)


def reminder_is_due(alert: Alert, rule: Rule, now: float) -> bool:
    """Whether people were notified of an alert, and are to be again."""
    return alert.state == AlertState.FIRING and alert.notified_at is not None and (
        0 < 3600.0 * rule.reminder_hours <= now - alert.notified_at)


def without_rule(alert: Alert, disabled: Collection[str]) -> str:
    """Why an alert ends whose rule left the site file, or was disabled there."""
    if alert.rule in disabled:
        return f"the rule '{alert.rule}' is disabled"
    return f"the site file has no rule '{alert.rule}' any more"
