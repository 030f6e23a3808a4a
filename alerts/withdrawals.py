"""Why an alert is withdrawn: its points are bad, or were measured again and say something else."""

from __future__ import annotations

from collections.abc import Sequence

from iop4d.alerts.points import colours, since_jd
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.model.units import decimal
from iop4d.store import points, results
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert, Result

BEFORE = 1e-6  # days before an alert's first point, so that this is judged again
BESIDE = 1.0  # days between the two bands of a colour, or points of a term, at most


def withdrawn_because(tx: Transaction, compiled: CompiledRule, alert: Alert,
                       until: float) -> str:
    """Why the points that fired an alert do not count any more; empty if they do."""
    rows = results.among(tx, alert.points)
    bad = [_flagged(row) for row in rows if row.human_flags or _is_barred(row)]
    if not bad and rows and max(row.jd_mid for row in rows) > until:
        return "the time of a point is in the future"
    if not bad and compiled.condition.bands and rows:
        jds = [row.jd_mid for row in rows]
        there = colours(tx, compiled, alert.source, min(jds) - BEFORE, max(jds) + BEFORE)
        if not set(alert.points) <= there:
            return f"its point in {compiled.condition.bands[1]} is flagged"
    if not bad and rows and (flagged := [row for row in results_beside(tx, compiled, alert)
                                         if row.human_flags]):
        begin = min(row.jd_mid for row in rows) - BEFORE
        now = {point.id for point in since_jd(tx, compiled, alert.source, alert.band, begin, until)
               if compiled.condition.holds(point.value)}
        if not set(alert.points) <= now:
            bad = [_flagged(row) for row in flagged]
    return ", ".join(bad)


def _flagged(row: Result) -> str:
    names = ", ".join(str(mark["name"]) for mark in row.human_flags)
    return f"{row.frames[0] if row.frames else row.id} is flagged {names or 'as bad'}"


def results_beside(db: Connection, compiled: CompiledRule, alert: Alert) -> list[Result]:
    """The results from which the terms of a condition had values at the points that fired an
    alert: those near enough, and those that confirmed these, that were there by then. One that came
    later undoes nothing."""
    span = points.jd_span(db, alert.points) if compiled.condition.terms else None
    if span is None:
        return []
    near = compiled.rule.colour_within_hours / 24.0
    found = results.known_by(db, alert.source, alert.band, span[0] - near - BESIDE,
                             span[1] + near, alert.fired_at)
    return [row for row in found if row.id not in alert.points]


def measured_again(compiled: CompiledRule, alert: Alert, now: Sequence[RulePoint]) -> str:
    """That the points of an alert were measured again, with the number that fired it and theirs."""
    if not compiled.condition.has_number:
        return "measured again: the condition is no longer met"
    what, _, _ = str(compiled.condition).partition(compiled.condition.operator)
    before = f", {decimal(alert.value, 3)} when it fired" if alert.value is not None else ""
    return (f"measured again: {what.strip()} is "
            f"{', '.join(decimal(point.value, 3) for point in now)}{before}")


def _is_barred(row: Result) -> bool:
    return bool(row.flags & points.barring_flags(needs_mag=row.p is None))
