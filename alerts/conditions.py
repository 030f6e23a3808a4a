"""Conditions of rules, such as ``mag < 13.0`` or ``change flux_mjy > 50 %``: parsed once, then
evaluated on numbers."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from iop4d.model.errors import ConfigError


class Form(StrEnum):
    """What is derived from a quantity before it is compared."""

    VALUE = "value"
    CHANGE = "change"
    RATE = "rate"
    ROTATION = "rotation"
    COLOUR = "colour"
    SYSTEM = "system"


#: What a condition can be about: the quantity, what it is, and its unit.
QUANTITIES: dict[str, tuple[str, str]] = {
    "mag": ("calibrated magnitude", "mag"),
    "flux_mjy": ("flux density", "mJy"),
    "p": ("degree of polarisation, debiased; a fraction, or percent with %", ""),
    "chi": ("angle of polarisation, east of north", "deg"),
}

#: What a condition can be about of the system: what it is, its unit, and the subjects that have it.
SYSTEM: dict[str, tuple[str, str, str]] = {
    "silent": ("time without a new frame while a telescope should observe", "h", "telescope"),
    "unreachable": ("time for which an archive has been unreachable", "h", "archive"),
    "failed": ("frames that failed or were quarantined within the window", "", "site"),
    "unsolved": ("share of the window's frames without an astrometric solution", "%", "telescope"),
    "clouds": ("drop of the zero point below the best of the window", "mag", "telescope"),
    "disk_free": ("free space on the site's disk", "GB", "site"),
    "backlog": ("jobs in the queue", "", "site"),
    "undelivered": ("time for which a channel has not delivered its messages", "h", "channel"),
    "standard_off": ("deviation of the newest polarisation standard from the literature, in p or "
                     "chi, over its error", "sigma", "instrument"),
    "rule_error": ("rules that could not be evaluated within the window", "", "rule"),
}

#: Units that may be written, by the unit that a number is kept in: their factors.
_UNITS: dict[str, dict[str, float]] = {
    "mag": {"mag": 1.0}, "mJy": {"mJy": 1.0}, "deg": {"deg": 1.0, "°": 1.0},
    "": {"%": 0.01}, "%": {"%": 1.0}, "GB": {"GB": 1.0},
    "sigma": {"sigma": 1.0},
    "h": {"h": 1.0, "min": 1 / 60, "d": 24.0},
}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}
_FORM = re.compile(
    r"\s*(?:(change|rate|rotation|colour)\s+)?([A-Za-z_]\w*(?:-[A-Za-z]\w*)?)\s*([<>]=?)\s*"
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%°/]*(?:/d)?)\s*")
_EXAMPLES = ("mag < 13.0", "p > 15 %", "change mag < -0.5", "change flux_mjy > 50 %",
             "change mag < -5 sigma", "rate mag < -0.3 mag/d", "rotation chi > 90 deg",
             "rotation chi > 6 sigma", "colour B-R < 0.6", "silent > 2 h")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A quantity compared with a threshold.

    ``unit``: of the threshold as it is kept; ``sigma`` for a change over its error, ``%`` for a
    change of flux over its median. p is kept as a fraction, times in hours.
    """

    quantity: str
    operator: str
    threshold: float
    form: Form = Form.VALUE
    unit: str = ""
    text: str = ""

    def holds(self, value: float) -> bool:
        """Whether a value meets the condition; NaN never does."""
        return not math.isnan(value) and _OPERATORS[self.operator](value, self.threshold)

    def overlaps(self, other: Condition) -> bool:
        """Whether some value meets both conditions."""
        if self.about != other.about or self.operator[0] == other.operator[0]:
            return True
        below, above = (self, other) if self.operator[0] == "<" else (other, self)
        if above.threshold == below.threshold:
            return above.operator == ">=" and below.operator == "<="
        return above.threshold < below.threshold

    @property
    def about(self) -> tuple[Form, str, str]:
        """What is compared: two conditions of the same are about the same numbers."""
        return self.form, self.quantity, self.unit if self.unit in ("sigma", "%") else ""

    @property
    def bands(self) -> tuple[str, str] | None:
        """The two bands of a colour."""
        if self.form is not Form.COLOUR:
            return None
        first, _, second = self.quantity.partition("-")
        return first, second

    def __str__(self) -> str:
        return self.text or f"{self.quantity} {self.operator} {self.threshold!r}"


def parse_condition(text: str) -> Condition:
    """A condition from its text; raises ConfigError that says what was expected."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise _wrong(text, f"expected a quantity ({', '.join(QUANTITIES)}, a colour, or "
                     f"{', '.join(SYSTEM)}), one of {' '.join(_OPERATORS)}, and a number, such as "
                     f"{'; '.join(_EXAMPLES)}")
    word, quantity, sign, number, unit = match.groups()
    form = _form_of(text, word, quantity)
    kept, factor = _unit_of(text, form, quantity, unit)
    threshold = float(number) * factor
    if not math.isfinite(threshold):
        raise _wrong(text, "expected a finite number")
    if quantity == "p" and kept != "sigma" and abs(threshold) > 1:
        raise _wrong(text, f"p is a fraction; expected p {sign} {number} %")
    _check_possible(text, form, quantity, sign, kept, threshold)
    return Condition(quantity=quantity, operator=sign, threshold=threshold, form=form, unit=kept,
                     text=" ".join(filter(None, (word, quantity, sign, repr(float(number)), unit))))


#: The least and the greatest value that there can be.
_SPANS: dict[tuple[Form, str], tuple[float, float]] = {
    (Form.VALUE, "flux_mjy"): (0.0, math.inf), (Form.VALUE, "p"): (0.0, 1.0),
    (Form.VALUE, "chi"): (0.0, 180.0), (Form.CHANGE, "p"): (-1.0, 1.0),
    (Form.CHANGE, "chi"): (0.0, 90.0), (Form.ROTATION, "chi"): (0.0, math.inf),
}


def _check_possible(text: str, form: Form, quantity: str, sign: str, unit: str,
                    threshold: float) -> None:
    """Refuse what no value ever meets."""
    least, greatest = (0.0, math.inf) if form is Form.SYSTEM else _SPANS.get(
        (form, quantity), (-math.inf, math.inf))
    if unit == "sigma":
        greatest, least = math.inf, least if quantity == "chi" else -math.inf
    if unit == "%" and form is Form.CHANGE:
        least = -100.0
    beyond = threshold < least or (threshold == least and sign == "<") if sign[0] == "<" else (
        threshold > greatest or (threshold == greatest and sign == ">"))
    if beyond:
        raise _wrong(text, f"it can never be met: the values are from {least:g} to {greatest:g}")
    first, _, second = quantity.partition("-")
    if form is Form.COLOUR and first == second:
        raise _wrong(text, "expected two different bands, such as colour B-R < 0.6")


def _form_of(text: str, word: str | None, quantity: str) -> Form:
    if word == "colour":
        if "-" not in quantity:
            raise _wrong(text, "expected two bands, such as colour B-R < 0.6")
        return Form.COLOUR
    if quantity in SYSTEM and word is None:
        return Form.SYSTEM
    if quantity not in QUANTITIES:
        raise _wrong(text, f"unknown quantity '{quantity}'; expected one of "
                     f"{', '.join((*QUANTITIES, *SYSTEM))}, or a colour, such as colour B-R < 0.6")
    form = Form(word) if word else Form.VALUE
    if form is Form.ROTATION and quantity != "chi":
        raise _wrong(text, "only chi rotates; expected rotation chi > 90 deg")
    if form is Form.RATE and quantity == "chi":
        raise _wrong(text, "chi has no rate, because it is measured modulo 180 deg; expected "
                     "rotation chi > 90 deg")
    return form


def _unit_of(text: str, form: Form, quantity: str, unit: str) -> tuple[str, float]:
    """The unit that the number is kept in, and the factor to it."""
    plain, per_day = (unit[:-2], True) if unit.endswith("/d") else (unit, False)
    if per_day and form is not Form.RATE:
        raise _wrong(text, f"'{unit}' is a unit of a rate, such as rate mag < -0.3 mag/d")
    if form in (Form.CHANGE, Form.ROTATION) and plain == "sigma":
        return "sigma", 1.0
    if form is Form.CHANGE and quantity == "flux_mjy" and plain == "%":
        return "%", 1.0
    own = ("mag" if form is Form.COLOUR else SYSTEM[quantity][1] if form is Form.SYSTEM
           else QUANTITIES[quantity][1])
    if not plain:
        return own, 1.0
    factors = _UNITS.get(own, {})
    if plain not in factors:
        raise _wrong(text, f"the unit '{unit}' does not apply; expected "
                     f"{' or '.join(factors) or 'a bare number'}")
    return own, factors[plain]


def _wrong(text: str, why: str) -> ConfigError:
    return ConfigError(f"condition '{text}': {why}")
