"""What a rule judged of a point, in words: ``R = 12.87 ± 0.02``, ``p = 16.0 ± 0.4 %``."""

from __future__ import annotations

import math

from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.rendering import headline
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.model.units import decimal, plus_minus
from iop4d.store.schema import Result

_HOST = " without the host"


def is_plain(compiled: CompiledRule) -> bool:
    """Whether a rule judges the magnitude as it stands in the results."""
    condition = compiled.condition
    return (condition.form, condition.quantity, compiled.rule.host_galaxy) == (
        Form.VALUE, "mag", "raw")


def judged(compiled: CompiledRule, band: str, row: Result, point: RulePoint) -> str:
    """A point as its rule sees it: band and magnitude, and what it judged if that is not it."""
    told = quantity_of(compiled, point)
    if compiled.condition.form is Form.COLOUR:
        return told
    if compiled.condition.quantity in ("p", "chi"):
        return f"{band}, {told}"
    text = f"{band} = {_magnitude(compiled, row)}"
    return f"{text}, {told}" if told else text


def quantity_of(compiled: CompiledRule, point: RulePoint) -> str:
    """The number that was judged, with its error where it is a value; empty for a magnitude."""
    condition = compiled.condition
    if condition.form is Form.VALUE and condition.quantity == "mag":
        return ""
    if condition.form in (Form.VALUE, Form.COLOUR):
        return _value(condition, point) + _host(compiled)
    digits = 2 if condition.quantity in ("mag", "p") or condition.unit == "sigma" else 1
    scale = 100.0 if condition.quantity == "p" and condition.unit != "sigma" else 1.0
    unit = "%" if scale > 1 else condition.unit
    per_day = "/d" if condition.form is Form.RATE else ""
    said = decimal(scale * point.value, digits)
    return f"{condition.form.value} {condition.quantity} = {said} {unit}{per_day}".rstrip()


def _value(condition: Condition, point: RulePoint) -> str:
    if condition.quantity == "p":
        return f"p = {plus_minus(100.0 * point.value, 100.0 * point.error, 1)} %"
    if condition.quantity == "chi":
        return f"chi = {plus_minus(point.value, point.error, 1)} deg"
    unit = "mJy" if condition.quantity == "flux_mjy" else "mag"
    digits = max(2, 1 - math.floor(math.log10(point.error))) if point.error > 0 else 2
    return f"{condition.quantity} = {plus_minus(point.value, point.error, min(digits, 4))} {unit}"


def _magnitude(compiled: CompiledRule, row: Result) -> str:
    if compiled.rule.host_galaxy == "corrected":
        return headline(row.mag_nucleus, row.mag_nucleus_err) + _HOST
    return headline(row.mag, row.mag_err)


def _host(compiled: CompiledRule) -> str:
    corrected = compiled.rule.host_galaxy == "corrected" and compiled.condition.quantity == "p"
    return _HOST if corrected else ""
