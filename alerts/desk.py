"""What people do about alerts: acknowledge, snooze, mute. Inside a transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from iop4d.alerts.compose import tag
from iop4d.alerts.engine import emit_alert
from iop4d.alerts.notify import step
from iop4d.alerts.rendering import moment
from iop4d.alerts.rules import ACTIVE, Phase, understand
from iop4d.config.edit import with_rule
from iop4d.config.load import SITE_FILE
from iop4d.fits.atomic import write_atomic
from iop4d.model.errors import Iop4dError
from iop4d.model.source import canonical
from iop4d.store import mutes
from iop4d.store.database import ambient
from iop4d.store.events import emit
from iop4d.store.schema import Alert, Frame, Mute, Result, Source

_SPAN = re.compile(r"(\d+(?:\.\d*)?)\s*(min|h|d|w)?", re.ASCII)
_SECONDS = {"min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, None: 3600.0}
_LONGEST = 366.0 * 86400.0


class DeskError(Iop4dError):
    """What somebody asked for cannot be done; the message says what can."""


def span_of(text: str) -> float:
    """Seconds of ``90min``, ``12h``, ``2d`` or ``1w``; a bare number is hours."""
    match = _SPAN.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        raise DeskError(f"'{text}' is no length of time; expected one such as 90min, 12h, 2d or 1w")
    return seconds


def since_unix(text: str, now: float) -> float:
    """The moment (Unix seconds) that a span before now, or a date, names."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()):
        return now - span_of(text)
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise DeskError(f"'{text}' is no date: {error}") from error


def find(name: str) -> Alert:
    """The alert that goes on of a tag, an id, or a source; the one told last if none is named."""
    going: list[Alert] = list(Alert.select().where(Alert.state.in_(ACTIVE)).order_by(
        Alert.told_at.desc(nulls="LAST"), Alert.fired_at.desc()))
    wanted = name.strip().lstrip("#").casefold()
    if not wanted and going:
        return going[0]
    found = [alert for alert in going if wanted and (
        tag(alert)[1:] == wanted or str(alert.id) == wanted
        or canonical(alert.source) == canonical(source_of(name)))]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{tag(alert)} {alert.rule}, {alert.source} {alert.band}".rstrip()
                      for alert in (found or going)[:10])
    if not going:
        raise DeskError("no alert goes on now")
    raise DeskError(f"{'several alerts are' if found else 'no alert is'} named "
                    f"'{name.strip()}'; there are: {there}")


def acknowledge(alert: Alert, *, by: str, now: float, note: str = "") -> None:
    """Somebody knows: it is not told again while it goes on."""
    _change(alert, Phase.ACKNOWLEDGED, now, by, note, acknowledged_by=by, snoozed_until=None)


def snooze(alert: Alert, seconds: float, *, by: str, now: float) -> None:
    """It is not told again for a while."""
    until = datetime.fromtimestamp(now + seconds, UTC)
    _change(alert, Phase.SNOOZED, now, by, f"until {until:%Y-%m-%d %H:%M} UTC",
            snoozed_until=now + seconds)


def mute(*, rule: str, source: str, seconds: float, by: str, now: float,
         rules: Collection[str] | None = None) -> Mute:
    """Tell nobody of a rule, of a source (``*``: of any), or of a rule on a source, for a while.

    ``rules``: those that there are; None if nobody knows here.
    """
    if not rule and not source:
        raise DeskError("expected the name of a rule or of a source")
    if rule and rules is not None:
        check_rule(rule, rules)
    made: Mute = Mute.create(rule=rule, source=known_source(source), by=by,
                             until=now + seconds, made_at=now)
    emit(ambient(), "mute", now, rule=rule, source=made.source)
    return made


def unmute(*, rule: str, source: str, now: float) -> str:
    """End the mutes of these names, also of a rule or source that is there no more; what it was.

    Raises DeskError that says what is muted, where nothing of these names is.
    """
    there = mutes.current(now)
    wanted = {canonical(name.strip("* ")) for name in (source, source_of(source))}
    ended = [one for one in there
             if one.rule == rule and canonical(one.source) in wanted]
    if not ended:
        names = ", ".join(dict.fromkeys(map(mutes.name_of, there)))
        raise DeskError("nothing of that name is muted" + (f"; muted: {names}" if names else ""))
    Mute.update(until=now).where(Mute.id.in_([one.id for one in ended])).execute()
    emit(ambient(), "mute", now, rule=rule, source=ended[0].source)
    return mutes.name_of(ended[0])


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
            except ValueError:
                raise DeskError(f"{name} is '{text}'; expected a number") from None
    return found


def add_rule(root: Path, keys: Mapping[str, Any]) -> None:
    """Write a rule into the site file; raises ConfigError if it is wrong."""
    text, made = with_rule(root, keys)
    understand(made)
    write_atomic(root / SITE_FILE, (text.encode("utf-8"),), durable=True)


def act(asked: Mapping[str, Any], *, now: float, rules: Collection[str]) -> str:
    """Do what was asked on the page, see ``web.acts``; what was done, in a sentence."""
    by, kind = str(asked["by"]), asked["act"]
    if kind in ("mute", "unmute"):
        names = {"rule": str(asked["rule"]), "source": str(asked["source"])}
        if kind == "unmute":
            return f"{unmute(**names, now=now)} is told again."
        made = mute(**names, seconds=float(asked["seconds"]), by=by, now=now, rules=rules)
        return f"{mutes.name_of(made)} is muted until {moment(made.until)} UTC."
    alert = Alert.get_or_none(Alert.id == asked["alert"])
    if alert is None:
        raise DeskError(f"there is no alert {asked['alert']}")
    named = f"{tag(alert)} {alert.rule}: {alert.source} {alert.band}".rstrip()
    if kind == "snooze":
        snooze(alert, float(asked["seconds"]), by=by, now=now)
        return f"{named} sleeps until {moment(now + float(asked['seconds']))} UTC."
    acknowledge(alert, by=by, now=now, note=str(asked.get("note", "")))
    return f"{named} is acknowledged: it is not told again."


def source_of(name: str) -> str:
    """A source by any of its names, as results have it; the name itself if nobody knows it.

    Empty for none and for ``*``.
    """
    wanted = canonical(name)
    if wanted in ("", "*"):
        return ""
    for row in Source.select(Source.name, Source.other_names):
        if wanted in map(canonical, (row.name, *row.other_names)):
            return str(row.name)
    return name.strip()


def known_source(name: str) -> str:
    """A source, or what a rule about the system told of; raises DeskError if it is neither."""
    found = source_of(name)
    if not found or Source.select().where(Source.name == found).exists() or (
            Alert.select().where(Alert.source == found).exists()) or (
            Result.select().where(Result.source == found).exists()) or (
            Frame.select().where((Frame.telescope == found) | (Frame.archive == found)).exists()):
        return found
    names = [one for row in Source.select(Source.name, Source.other_names)
             for one in (row.name, *row.other_names)]
    raise DeskError(f"nothing is known of a source '{name.strip()}'{_like(name, names)}")


def check_rule(name: str, rules: Collection[str]) -> None:
    """Raises DeskError if there is no such rule."""
    if name not in rules:
        raise DeskError(f"there is no rule '{name}'{_like(name, rules)}")


def _like(name: str, names: Collection[str]) -> str:
    by_form = {canonical(one): one for one in names}
    near = [by_form[form] for form in get_close_matches(canonical(name), by_form, n=3)]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _change(alert: Alert, state: Phase, now: float, by: str, note: str, **columns: object) -> None:
    if alert.state not in ACTIVE:
        raise DeskError(f"the alert {tag(alert)} does not go on any more: it is {alert.state}")
    Alert.update(state=state.value, **columns).where(Alert.id == alert.id).execute()
    step(ambient(), alert, state.value, now, by=by, note=note)
    emit_alert(Alert.get_by_id(alert.id), now)
