"""What people do about alerts: acknowledge, snooze and mute them. Each act is an audit row."""

from __future__ import annotations

from collections.abc import Collection

from iop4d.alerts import episodes
from iop4d.alerts.episodes import tag
from iop4d.alerts.rendering import moment
from iop4d.model.errors import Iop4dError
from iop4d.model.source import canonical, similar
from iop4d.model.states import ACTIVE_ALERTS, AlertState
from iop4d.model.units import seconds_of
from iop4d.store import alerts, audit, sources
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert, Mute

_LONGEST = 366.0 * 86400.0  # seconds


class ActionError(Iop4dError):
    """A request of a person cannot be carried out; the message says what can."""


def duration_of(text: str) -> float:
    """Seconds of ``90min``, ``12h``, ``2d`` or ``1w``, a year at most; a bare number is hours."""
    return seconds_of(text, longest_s=_LONGEST)


def find(db: Connection, name: str) -> Alert:
    """The active alert of a tag, an id or a source; without a name, the one of which people were
    notified last."""
    active = alerts.active(db)
    wanted = name.strip().lstrip("#").casefold()
    if not wanted and active:
        return active[0]
    found = [alert for alert in active if wanted and (
        tag(alert)[1:] == wanted or str(alert.id) == wanted
        or canonical(alert.source) == canonical(source_of(db, name)))]
    if len(found) == 1:
        return found[0]
    if not active:
        raise ActionError("there are no active alerts")
    there = ", ".join(map(described, (found or active)[:10]))
    raise ActionError(f"{'several active alerts match' if found else 'no active alert matches'} "
                      f"'{name.strip()}'; active: {there}")


def described(alert: Alert) -> str:
    """An alert in a line: tag, rule, source and band."""
    return f"{tag(alert)} {alert.rule}: {alert.source} {alert.band}".rstrip()


def acknowledge(tx: Transaction, alert: Alert, *, by: str, now: float, note: str = "") -> Alert:
    """Acknowledge an alert: no further reminders are sent."""
    _check_active(alert)
    moved = episodes.move(tx, alert, AlertState.ACKNOWLEDGED, now=now, by=by, note=note,
                          acknowledged_by=by, snoozed_until=None)
    _record(tx, "acknowledge", alert, moved, by=by, now=now, why=note)
    return moved


def snooze(tx: Transaction, alert: Alert, seconds: float, *, by: str, now: float,
           note: str = "") -> Alert:
    """No reminders of an alert are sent for a while."""
    _check_active(alert)
    until = f"until {moment(now + seconds)} UTC"
    moved = episodes.move(tx, alert, AlertState.SNOOZED, now=now, by=by,
                          note=f"{until}: {note}" if note else until, snoozed_until=now + seconds)
    _record(tx, "snooze", alert, moved, by=by, now=now, why=note)
    return moved


def _record(tx: Transaction, what: str, was: Alert, moved: Alert, *, by: str, now: float,
            why: str) -> None:
    """Keep an act on an alert in the audit."""
    before, after = ({"state": str(one.state), "acknowledged_by": one.acknowledged_by,
                      "snoozed_until": one.snoozed_until} for one in (was, moved))
    audit.record(tx, at=now, by=by, act=what, subject=subject_of(was), was=before, now=after,
                 why=why)


def subject_of(alert: Alert) -> str:
    """What the audit calls an alert."""
    return f"alert {alert.id}"


def _check_active(alert: Alert) -> None:
    if alert.state not in ACTIVE_ALERTS:
        raise ActionError(f"the alert {tag(alert)} is not active any more: it is {alert.state}")


def mute(tx: Transaction, *, rule: str, source: str, seconds: float, by: str, now: float,
         rules: Collection[str] | None = None) -> Mute:
    """Mute a rule, a source (``*``: all of them), or a rule on a source, for a while.

    ``rules``: the names that are allowed; None if they are not known here.
    """
    if not rule and not source:
        raise ActionError("expected the name of a rule or of a source")
    if rule and rules is not None:
        check_known(rule, rules)
    made = alerts.mute(tx, rule=rule, source=known_source(tx, source), by=by, until=now + seconds,
                       now=now)
    audit.record(tx, at=now, by=by, act="mute", subject=f"mute {alerts.name_of_mute(made)}",
                 now=_names_of(made) | {"until": made.until})
    return made


def _names_of(one: Mute) -> dict[str, str]:
    return {"rule": one.rule, "source": one.source}


def unmute(tx: Transaction, *, rule: str, source: str, by: str, now: float) -> str:
    """End the mutes of these names, also of a rule or source that is not there any more; what was
    muted.

    Raises ActionError that says what is muted, where nothing of these names is.
    """
    there = alerts.mutes(tx, now)
    wanted = {canonical(name.strip("* ")) for name in (source, source_of(tx, source))}
    ended = [one for one in there if one.rule == rule and canonical(one.source) in wanted]
    if not ended:
        names = ", ".join(dict.fromkeys(map(alerts.name_of_mute, there)))
        raise ActionError("nothing of that name is muted" + (f"; muted: {names}" if names else ""))
    alerts.end_mutes(tx, ended, now)
    name = alerts.name_of_mute(ended[0])
    audit.record(tx, at=now, by=by, act="unmute", subject=f"mute {name}",
                 was=_names_of(ended[0]) | {"until": max(one.until for one in ended)})
    return name


def source_of(db: Connection, name: str) -> str:
    """A source by any of its names, as results have it; the name itself if it is unknown.

    Empty for none and for ``*``.
    """
    wanted = canonical(name)
    if wanted in ("", "*"):
        return ""
    for own, others in sources.all_names(db):
        if wanted in map(canonical, (own, *others)):
            return own
    return name.strip()


def known_source(db: Connection, name: str) -> str:
    """A source, or a subject of rules about the system; raises ActionError if it is neither."""
    found = source_of(db, name)
    if not found or sources.is_known(db, found):
        return found
    names = [one for own, others in sources.all_names(db) for one in (own, *others)]
    raise ActionError(f"unknown source '{name.strip()}'{similar(name, names)}")


def check_known(name: str, rules: Collection[str]) -> None:
    """Raises ActionError if there is no such rule."""
    if name not in rules:
        raise ActionError(f"there is no rule '{name}'{similar(name, rules)}")
