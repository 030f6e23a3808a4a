"""Rules as forms: a field for each key of a ``[[rule]]``, with the site file's own description."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from iop4d.alerts.actions import ActionError
from iop4d.config.alerting import SEVERITIES, Rule
from iop4d.model.flags import NEVER_ALERTS, Flag

LONGEST = 200  # characters of a field
_LISTS = ("sources", "instruments", "reject_flags", "channels")


#: What a browser sends: the texts of each name.
Form = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class RuleField:
    """A key of a rule as a form shows it.

    ``kind``: text, number, choice (one of ``choices``), several (of them), flag (yes or no) or
    list (texts with commas between).
    """

    name: str
    label: str
    help: str
    kind: str
    default: Any
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class FieldGroup:
    """Fields that belong together; those that are seldom wanted are folded away."""

    title: str
    fields: tuple[RuleField, ...] = field(default_factory=tuple)
    folded: bool = False


_GROUPS: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    ("What it watches", False, ("name", "enabled", "source", "band")),
    ("When it fires", False, ("condition", "clear", "confirm", "confirm_within_hours",
                              "cooldown_hours")),
    ("Whom it notifies", False, ("severity", "channels", "reminder_hours", "notify_resolved")),
    ("Which points count", True, ("sources", "instruments", "max_err", "reject_flags",
                                  "require_stable_stars", "stacks", "host_galaxy",
                                  "colour_within_hours")),
    ("With what it compares", True, ("window_days", "min_points", "min_scatter", "hold_minutes")),
    ("More about its messages", True, ("tell_pending", "group_wait", "max_age_hours", "muted")),
)
_LABELS = {
    "name": "Name", "enabled": "Enabled", "source": "Source", "sources": "Several sources",
    "band": "Band", "instruments": "Instruments", "condition": "Fires when",
    "clear": "Resolves when", "confirm": "Consecutive points",
    "confirm_within_hours": "Within (hours)", "hold_minutes": "Held for (minutes)",
    "cooldown_hours": "Cooldown (hours)", "window_days": "Window (days)",
    "min_points": "Minimum points", "min_scatter": "Minimum scatter",
    "colour_within_hours": "Colour within (hours)", "host_galaxy": "Host galaxy",
    "max_err": "Maximum error", "reject_flags": "Rejected flags",
    "require_stable_stars": "Require stable stars", "stacks": "Count stacks",
    "severity": "Severity", "reminder_hours": "Reminder every (hours)",
    "tell_pending": "Notify unconfirmed", "notify_resolved": "Notify resolved",
    "group_wait": "Wait for others (seconds)", "max_age_hours": "Maximum age (hours)",
    "muted": "Muted", "channels": "Channels"}


def groups(*, channels: Sequence[str], instruments: Sequence[str]) -> list[FieldGroup]:
    """Every key of a rule, in groups; ``channels``, ``instruments``: those that the site has."""
    flags = tuple(sorted(str(flag.name).lower() for flag in Flag if not flag & NEVER_ALERTS))
    choices = {"severity": SEVERITIES, "host_galaxy": ("auto", "raw", "corrected"),
               "channels": tuple(channels), "instruments": tuple(instruments),
               "reject_flags": flags}
    known = {one.name: one for one in fields(Rule)}
    return [FieldGroup(title=title, folded=folded, fields=tuple(
        _field(known[name], choices.get(name, ())) for name in names))
        for title, folded, names in _GROUPS]


def _field(one: Any, choices: tuple[str, ...]) -> RuleField:
    required = one.default is MISSING
    default = "" if required else one.default
    if isinstance(default, bool):
        kind = "flag"
    elif isinstance(default, int | float):
        kind = "number"
    elif one.name in _LISTS:
        kind = "several" if choices or one.name != "sources" else "list"
    else:
        kind = "choice" if choices else "text"
    return RuleField(name=one.name, label=_LABELS[one.name], help=one.metadata["doc"], kind=kind,
                     default=default, choices=choices, required=required)


def form_of(keys: Mapping[str, Any]) -> dict[str, Any]:
    """What a form shows of a rule's keys: texts, lists of them, and true or false."""
    shown: dict[str, Any] = {}
    for one in fields(Rule):
        value = keys.get(one.name, "" if one.default is MISSING else one.default)
        if isinstance(value, list | tuple):
            shown[one.name] = [str(item) for item in value]
        elif isinstance(value, bool):
            shown[one.name] = value
        else:
            shown[one.name] = f"{value:g}" if isinstance(value, float) else str(value)
    return shown


def form_sent(form: Form) -> dict[str, Any]:
    """The same of a form that was sent, as it was filled in."""
    whole, shown = "whole" in form, form_of({})
    for name, value in shown.items():
        if isinstance(value, bool):
            shown[name] = name in form if whole or name in form else value
        elif isinstance(value, list):
            shown[name] = _items(form, name)
        elif name in form:
            shown[name] = _first(form, name)
    return shown


def keys_of(form: Form) -> dict[str, Any]:
    """The keys of a rule from a form's fields; those that are empty or have their default are left
    out. Raises ActionError that begins with the key of what is wrong."""
    found: dict[str, Any] = {"name": _first(form, "name").strip()}
    whole = "whole" in form  # where a box that is not ticked means no
    for one in fields(Rule):
        default = None if one.default is MISSING else one.default
        value: Any
        if one.name == "name":
            continue
        if isinstance(default, bool):
            value = (_first(form, one.name) not in ("", "false", "0") if one.name in form
                     else default if not whole else False)
        elif one.name in _LISTS:
            value = _items(form, one.name)
        else:
            value = _of_text(one.name, _first(form, one.name).strip(), default)
        if value not in (None, "", []) and value != default:
            found[one.name] = value
    return found


def _first(form: Form, name: str) -> str:
    return next(iter(form.get(name, ())), "")


def _items(form: Form, name: str) -> list[str]:
    """The texts of a list: boxes that were ticked, or a text with commas."""
    return [item.strip() for text in form.get(name, ()) for item in text.split(",") if item.strip()]


def _of_text(name: str, text: str, default: Any) -> Any:
    if not isinstance(default, int | float) or not text:
        return text
    try:
        value = int(text) if isinstance(default, int) else float(text)
        if not math.isfinite(value):
            raise ValueError(text)
    except ValueError:
        raise ActionError(f"{name} is '{text}'; expected a number") from None
    return value


def field_of(message: str, names: Collection[str] = tuple(_LABELS)) -> str:
    """The field of the form that a message on a rule is about."""
    message = re.sub(r"^\[\[rule\]\] '.*?': ", "", message)
    found = re.search(r"\brule\.(\w+)", message) or re.match(
        r"(\w+) (?:is|does not apply)\b", message)
    if found and found[1] in names:
        return found[1]
    for words, name in (("reject names", "reject_flags"), ("host = ", "host_galaxy"),
                        ("there is no instrument", "instruments"), ("there is no ", "source")):
        if words in message:
            return name
    return "clear" if re.search(r"\bclear\b", message) else "condition"
