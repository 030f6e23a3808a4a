"""Undoing what the audit holds: by the same functions that made the change, as another change."""

from __future__ import annotations

from typing import Any

from iop4d.alerts import actions, rule_edits
from iop4d.alerts.check import rules_of
from iop4d.config import Site
from iop4d.config.edit import rule_as_written, without_defaults
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.model.states import RequestKind, Role
from iop4d.store import alerts, audit, flagging, people
from iop4d.store.database import Connection
from iop4d.store.schema import Audit
from iop4d.web.answers import request_and_say
from iop4d.web.context import changing

#: Kinds of change that can be undone here.
ACTS = ("mute", "unmute", "role", flagging.SET, flagging.CLEARED, rule_edits.ADD,
        rule_edits.CHANGE, rule_edits.REMOVE)


class UndoError(Iop4dError):
    """A change cannot be undone; the message says why."""


def can_undo(row: Audit) -> bool:
    """Whether a change is of a kind that can be undone."""
    return row.act in ACTS


def undo(db: Connection, row: Audit, site: Site, *, by: str, now: float) -> str:
    """Undo a change, and say what was done; raises Iop4dError where that is not possible."""
    if not can_undo(row):
        raise UndoError(f"a change of the kind '{row.act}' cannot be undone here")
    if row.act in ("mute", "unmute"):
        return _mute(row, site, by=by, now=now)
    if row.act in (flagging.SET, flagging.CLEARED):
        return _flags(row, by=by, now=now)
    name = row.subject.partition(" ")[2]
    if row.act == "role":
        return _role(row, name, by=by, now=now)
    return _rule(db, row, name, site, by=by)


def _mute(row: Audit, site: Site, *, by: str, now: float) -> str:
    names: dict[str, Any] = row.now if row.act == "mute" else row.was
    rule, source = names["rule"], names["source"] or ("" if names["rule"] else "*")
    with changing() as tx:
        if row.act == "mute":
            # This one alone: another person's of the same names stays.
            this = [one for one in alerts.mutes(tx, now) if names == {
                "rule": one.rule, "source": one.source, "until": one.until}][:1]
            if not this:
                raise UndoError("this mute has ended already")
            alerts.end_mutes(tx, this, now)
            audit.record(tx, at=now, by=by, act="unmute", subject=row.subject, was=names)
            return f"{alerts.name_of_mute(this[0])} is unmuted."
        if names["until"] <= now:
            raise UndoError("the mute would have ended by now")
        made = actions.mute(tx, rule=rule, source=source, seconds=names["until"] - now, by=by,
                            now=now, rules=rules_of(site))
    return f"{' on '.join(filter(None, (made.rule, made.source))) or 'everything'} is muted again."


def _flags(row: Audit, *, by: str, now: float) -> str:
    """The whole change of flags, of every result that it touched."""
    with changing() as tx:
        done, other = flagging.undo(tx, row.at, by=by, of=row.by, now=now)
        if not done:
            raise UndoError("the flags were changed again since, or this was undone already")
    left = f"; {other} changed since and stay as they are" if other else ""
    return f"The flags of {done} result{'s' * (done != 1)} are as before{left}."


def _role(row: Audit, name: str, *, by: str, now: float) -> str:
    before, after = Role(row.was["role"]), Role(row.now["role"])
    with changing() as tx:
        if people.role_of(tx, name) is not after:
            raise UndoError(f"{name} has another role since")
        if after is Role.ADMIN and people.is_last_admin(tx, name):
            raise UndoError(f"{name} is the only admin. {people.NO_ADMIN}")
        people.set_role(tx, name, before, by=by, now=now)
    return f"The role of {name} is {before} again."


def _rule(db: Connection, row: Audit, name: str, site: Site, *, by: str) -> str:
    after = row.now
    there = str(after["name"]) if after else name
    try:
        present: dict[str, Any] | None = rule_as_written(site.root, there)
    except ConfigError:
        present = None
    if present != after and not (after and present and _same(present, after)):
        raise UndoError(f"the rule '{there}' was changed since, or waits for the daemon")
    if row.was is None:
        what: dict[str, Any] = {"act": rule_edits.REMOVE, "rule": there}
    elif after is None:
        what = {"act": rule_edits.ADD, "keys": row.was}
    else:
        what = {"act": rule_edits.CHANGE, "rule": there, "keys": row.was}
    if present is not None:
        what["was"] = present
    why = f"undoes change {row.id}"
    if not request_and_say(db, RequestKind.ALERTS, what | {"by": by, "why": why}):
        raise UndoError("the daemon refused it")
    return f"The rule '{there}' is to be as it was."


def _same(present: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a rule has what a change gave it; keys with their default are not written."""
    return without_defaults(present) == without_defaults(after)
