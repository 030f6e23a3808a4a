"""The first line of a message: its state, whom it is about, and the number that says what changed.

On a locked phone that is all that people see, some 40 characters of it. So the state comes first,
the site and the alert's tag last.
"""

from __future__ import annotations

from collections.abc import Sequence

from iop4d.alerts.conditions import Form
from iop4d.alerts.rendering import clean
from iop4d.alerts.rules import CompiledRule
from iop4d.model.states import MessageKind
from iop4d.model.units import decimal
from iop4d.store.schema import Alert, Result

_LONGEST_NAME = 21  # characters of a source, so that "Firing: ", it and R = 12.80 are 40
#: The word with which a message of each kind begins.
STATES = {
    MessageKind.PENDING: "Unconfirmed", MessageKind.ALERT: "Firing",
    MessageKind.REMINDER: "Active", MessageKind.RESOLVED: "Resolved",
    MessageKind.WITHDRAWN: "Withdrawn"}

#: What is said of a subject while a rule on the system fires, and when it is resolved.
SYSTEM_PHRASES: dict[str, tuple[str, str]] = {
    "silent": ("{of} no new frame for {value}", "{of} has new frames again"),
    "unreachable": ("{of} unreachable for {value}", "{of} reachable again"),
    "failed": ("{value} frames failed", "{value} frames failed"),
    "unsolved": ("{of} {value} frames without WCS", "{of} {value} frames without WCS"),
    "clouds": ("{of} zero point down {value}", "{of} zero point down {value}"),
    "disk_free": ("disk has {value} free", "disk has {value} free"),
    "backlog": ("{value} jobs in the queue", "{value} jobs in the queue"),
    "undelivered": ("{of} undelivered for {value}", "{of} delivers again"),
    "standard_off": ("{of} standard off {value}", "{of} standard off {value}"),
    "no_data": ("{of} no data tonight", "{of} has data"),
    "rule_error": ("rule {of} cannot be evaluated", "rule {of} is evaluated again"),
}


def short_name(name: str) -> str:
    """A name of which so much is left that the number behind it is among the first 40 characters.

    Its middle goes: names of surveys differ at both ends.
    """
    name = clean(name, 200)
    half = (_LONGEST_NAME - 1) // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def head(kind: MessageKind, what: str, *, is_over: bool = False) -> str:
    """The state and what there is to say. ``is_over``: of an alert that was over when found."""
    return clean(f"{'Over' if is_over else STATES[kind]}: {what}", 160)


def subject(first: str, more: str, *, site: str, tag: str = "") -> str:
    """The subject of a message: its head, what more there is, the site and the alert's tag."""
    said = clean(f"{first}; {more}" if more else first, 150)
    where = " ".join(filter(None, (site, tag)))
    return clean(f"{said} [{where}]" if where else said)


def body_of(subject_: str) -> str:
    """A subject without the site and the tag at its end."""
    end = subject_.rfind(" [")
    return subject_[:end] if end > 0 and subject_.endswith("]") else subject_


def of_point(compiled: CompiledRule, band: str, magnitude: str, value: str) -> tuple[str, str]:
    """What a point says, and its magnitude where that is not it.

    ``magnitude``: with its error; ``value``: what was judged, empty where that is the magnitude.
    """
    condition = compiled.condition
    if not value:
        return f"{band} = {magnitude}", ""
    if condition.bands:
        return value, ""
    short = value.replace("change mag = ", "change ").replace("rate mag = ", "rate ").replace(
        "change flux_mjy = ", "flux change ")
    if condition.quantity in ("p", "chi"):
        return f"{band} {short}", ""
    return f"{band} {short}", f"{band} = {magnitude}"


def of_withdrawal(compiled: CompiledRule, band: str, alert: Alert, fired: Sequence[Result],
                  now: float | None) -> str:
    """What became of the number that fired an alert.

    ``fired``: the results that fired it, the last one last; ``now``: the number of its last one,
    if it was measured again.
    """
    condition = compiled.condition
    marks = dict.fromkeys(str(mark["name"]) for row in fired for mark in row.human_flags)
    why = f"flagged {', '.join(marks)}" if marks else "does not count"
    if marks and not fired[-1].human_flags:  # the number is that of the last one
        why = f"other point {why}"
    if not condition.has_number:
        return f"{band} {why if now is None else 'condition no longer met'}"
    percent = condition.quantity == "p" and condition.unit != "sigma"
    digits, scale = (1, 100.0) if percent else (2, 1.0)
    unit = "%" if percent else condition.unit + "/d" * (condition.form is Form.RATE)
    if condition.form is Form.VALUE and condition.quantity == "mag":
        unit = ""
    what = {"mag": "", "flux_mjy": "flux "}.get(condition.quantity, f"{condition.quantity} ")
    form = "" if condition.form in (Form.VALUE, Form.COLOUR) else f"{condition.form.value} "
    place = "" if condition.bands else f"{band} "
    before = decimal(None if alert.value is None else scale * alert.value, digits)
    after = "" if now is None else f" → {decimal(scale * now, digits)}"
    return f"{place}{form}{what}{before}{after} {unit}".rstrip() + ("" if after else f" {why}")


def of_system(quantity: str, subject_: str, measured: str, fallback: str,
              kind: MessageKind, *, without: str = "") -> str:
    """What a rule on the system found.

    ``fallback``: what it is about, in full; ``without``: why it ended, if it did without the frame
    that was missing.
    """
    if without:
        return f"{subject_} sent no frame: {without}"
    firing, resolved = SYSTEM_PHRASES.get(quantity, (fallback + ": {value}",) * 2)
    phrase = resolved if kind is MessageKind.RESOLVED else firing
    return phrase.format(of=subject_, value=measured)
