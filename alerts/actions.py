"""What people do about alerts: acknowledge, snooze and mute them, add a rule."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from iop4d.alerts import episodes
from iop4d.alerts.check import RuleNames, check_rule
from iop4d.alerts.episodes import tag
from iop4d.alerts.rendering import moment
from iop4d.alerts.rules import CompiledRule
from iop4d.config import Site
from iop4d.config.edit import with_rule
from iop4d.config.load import SITE_FILE
from iop4d.fits.atomic import write_atomic
from iop4d.model.errors import Iop4dError
from iop4d.model.source import canonical, similar
from iop4d.model.states import ACTIVE_ALERTS, AlertState
from iop4d.model.units import seconds_of
from iop4d.store import alerts, sources
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert, Mute

log = logging.getLogger(__name__)

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
    return episodes.move(tx, alert, AlertState.ACKNOWLEDGED, now=now, by=by, note=note,
                         acknowledged_by=by, snoozed_until=None)


def snooze(tx: Transaction, alert: Alert, seconds: float, *, by: str, now: float) -> Alert:
    """No reminders of an alert are sent for a while."""
    _check_active(alert)
    return episodes.move(tx, alert, AlertState.SNOOZED, now=now, by=by,
                         note=f"until {moment(now + seconds)} UTC",
                         snoozed_until=now + seconds)


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
    return alerts.mute(tx, rule=rule, source=known_source(tx, source), by=by, until=now + seconds,
                     now=now)


def unmute(tx: Transaction, *, rule: str, source: str, now: float) -> str:
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
    return alerts.name_of_mute(ended[0])


#: Keys of a rule that a form or an option names, with what makes their values of text.
_KEYS: dict[str, Callable[[str], object]] = {
    "name": str, "source": str, "band": str, "condition": str, "clear": str, "severity": str,
    "confirm": int, "confirm_within_hours": float, "cooldown_hours": float,
    "reminder_hours": float, "max_err": float}


def rule_keys(form: Mapping[str, str]) -> dict[str, Any]:
    """The keys of a rule from a form's fields; those left empty are left out."""
    found: dict[str, Any] = {"name": ""}
    for name, made in _KEYS.items():
        if text := form.get(name, "").strip():
            try:
                found[name] = made(text)
                if isinstance(found[name], float) and not math.isfinite(found[name]):
                    raise ValueError(text)
            except ValueError:
                raise ActionError(f"{name} is '{text}'; expected a number") from None
    return found


def new_rule(root: Path, keys: Mapping[str, Any]) -> tuple[str, Site, CompiledRule]:
    """The site file with a rule more, as text and as a site, and the rule; writes nothing.

    Raises ConfigError if it is wrong, as a reload of the file would.
    """
    text, site = with_rule(root, keys)
    return text, site, check_rule(site.rule[-1], RuleNames.of(site))


def add_rule(root: Path, keys: Mapping[str, Any]) -> None:
    """Write a rule into the site file; raises ConfigError if it is wrong."""
    text, _, _ = new_rule(root, keys)
    write_atomic(root / SITE_FILE, (text.encode("utf-8"),), durable=True)


def act(tx: Transaction, asked: Mapping[str, Any], *, now: float, rules: Collection[str]) -> str:
    """Do what was asked on the page, see ``web.acts``; what was done, in a sentence."""
    by, kind = str(asked["by"]), asked["act"]
    if kind in ("mute", "unmute"):
        names = {"rule": str(asked["rule"]), "source": str(asked["source"])}
        if kind == "unmute":
            return f"{unmute(tx, **names, now=now)} is unmuted."
        made = mute(tx, **names, seconds=float(asked["seconds"]), by=by, now=now, rules=rules)
        return f"{alerts.name_of_mute(made)} is muted until {moment(made.until)} UTC."
    alert = alerts.find(tx, asked["alert"])
    if alert is None:
        raise ActionError(f"there is no alert {asked['alert']}")
    if kind == "snooze":
        until = snooze(tx, alert, float(asked["seconds"]), by=by, now=now).snoozed_until
        return f"{described(alert)} is snoozed until {moment(until)} UTC."
    acknowledge(tx, alert, by=by, now=now, note=str(asked.get("note", "")))
    return f"{described(alert)} is acknowledged: no further reminders are sent."


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


class AlertRequests:
    """Requests of the page about alerts: acts on alerts and mutes, and new rules.

    ``reload``: have the site file read again; None if that is not possible.
    """

    def __init__(self, root: Path, rules: Collection[str], clock: Callable[[], float],
                 reload: Callable[[], None] | None) -> None:
        self._root = root
        self._rules = rules
        self._clock = clock
        self._reload = reload
        self._added = False

    def prepare(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check who requests what."""
        for key in ("act", "by"):
            if not isinstance(content.get(key), str):
                raise Iop4dError(f"the request does not say '{key}'")
        return content

    def act(self, tx: Transaction, prepared: Mapping[str, Any]) -> dict[str, Any]:
        """Do it, and say in a sentence what was done."""
        if prepared["act"] != "add-rule":
            return {"said": act(tx, prepared, now=self._clock(), rules=self._rules)}
        add_rule(self._root, prepared["keys"])
        self._added = True
        log.info("%s added the rule '%s' on the page", prepared["by"], prepared["keys"]["name"])
        when = "now" if self._reload is not None else "when the daemon starts next"
        return {"said": f"The rule is in the site file; it applies {when}."}

    async def after(self) -> None:
        """A new rule applies once the site file is read again."""
        if self._added and self._reload is not None:
            self._reload()
        self._added = False
