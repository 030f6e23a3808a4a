"""Conditions of rules, such as ``mag < 13.0`` or ``change flux_mjy > 50 %``: parsed once, then
evaluated on numbers."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from zoneinfo import available_timezones

from iop4d.model.errors import ConfigError


class Form(StrEnum):
    """What is derived from a quantity before it is compared."""

    VALUE = "value"
    CHANGE = "change"
    RATE = "rate"
    ROTATION = "rotation"
    COLOUR = "colour"
    FAINTEST = "faintest"
    BRIGHTEST = "brightest"
    NEW = "new"
    TRIGGERED = "triggered"
    COMBINED = "combined"
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
    "no_data": ("time since the hour by which there should have been a science frame", "h",
                "telescope"),
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
    r"\s*(?:(change|rate|rotation|colour|faintest|brightest)\s+)?([A-Za-z_]\w*(?:-[A-Za-z]\w*)?)\s*([<>]=?)\s*"
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%°/]*(?:/d)?)\s*", re.ASCII)
#: What conditions can look like, of each kind one.
EXAMPLES = ("mag < 13.0", "p > 15 %", "change mag < -0.5", "change flux_mjy > 50 %",
            "change mag < -5 sigma", "rate mag < -0.3 mag/d", "rotation chi > 90 deg",
            "rotation chi > 6 sigma", "colour B-R < 0.6", "change B-R > 0.2", "state low",
            "state high", "new source", "triggered", "mag < 14 and triggered",
            "p > 15 % and mag < 13", "silent > 2 h", "no data by 22:00")
_JOINT = re.compile(r"(\(|\)|\band\b|\bor\b)", re.IGNORECASE)
_MOST_PARTS = 100  # of a condition: words and, or, parentheses and what is between
_BY = re.compile(r"\s*no\s+data\s+by\s+(([01]\d|2[0-3]):[0-5]\d)(?:\s+(\S+))?\s*")
#: Conditions with a name of their own.
_NAMED = {"state low": (Form.FAINTEST, 3.0), "state high": (Form.BRIGHTEST, 3.0),
          "new source": (Form.NEW, 0.5), "triggered": (Form.TRIGGERED, 0.5)}
_MET_OR_NOT = (Form.NEW, Form.TRIGGERED)  # without a number
_COLOUR = re.compile(r"[A-Za-z]\w*-[A-Za-z]\w*")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A quantity compared with a threshold.

    ``unit``: of the threshold as it is kept; ``sigma`` for a change over its error, ``%`` for a
    change of flux over its median. p is kept as a fraction, times in hours. ``terms``: of a
    condition with and or or; ``needs_all``: whether it is and; its value is 1 where it is met, 0
    where not. ``by``: the hour and the time zone of ``no data``.
    """

    quantity: str
    operator: str
    threshold: float
    form: Form = Form.VALUE
    unit: str = ""
    text: str = ""
    terms: tuple[Condition, ...] = ()
    needs_all: bool = False
    by: tuple[str, str] = ("", "")

    @property
    def leaves(self) -> tuple[Condition, ...]:
        """The conditions on one quantity each that it is made of; itself if it is one."""
        return tuple(leaf for term in self.terms for leaf in term.leaves) if self.terms else (self,)

    def truth(self, values: Mapping[Condition, float]) -> float:
        """1 if the values of the leaves meet it, 0 if not, NaN where that is unknown."""
        if not self.terms:
            value = values[self]
            return value if math.isnan(value) else float(self.holds(value))
        found = [term.truth(values) for term in self.terms]
        decides = 0.0 if self.needs_all else 1.0  # by itself
        if decides in found:
            return decides
        return math.nan if any(map(math.isnan, found)) else 1.0 - decides

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
        if self.terms:
            return self.form, self.text, ""
        return self.form, self.quantity, self.unit if self.unit in ("sigma", "%") else ""

    @property
    def has_number(self) -> bool:
        """Whether it compares a number that people would want to read; else it is met or not."""
        return self.form not in (Form.COMBINED, *_MET_OR_NOT)

    @property
    def bands(self) -> tuple[str, str] | None:
        """The two bands of a colour."""
        if self.form is Form.SYSTEM or "-" not in self.quantity:
            return None
        first, _, second = self.quantity.partition("-")
        return first, second

    def __str__(self) -> str:
        return self.text or f"{self.quantity} {self.operator} {self.threshold!r}"


def parse_condition(text: str) -> Condition:
    """A condition from its text; raises ConfigError that says what was expected."""
    parts = [part.strip() for part in _JOINT.split(text) if part.strip()]
    parts = [part.lower() if _JOINT.fullmatch(part) else part for part in parts]
    if len(parts) < 2:
        return _parse_one(text)
    if len(parts) > _MOST_PARTS:
        raise ConfigError(f"condition '{text[:60]}...': it has too many parts; expected at most "
                          f"{_MOST_PARTS}")
    found, rest = _parse_any(text, parts)
    if rest:
        raise _wrong(text, f"'{rest[0]}' stands where and, or or the end was expected")
    return found


def _parse_any(text: str, parts: list[str]) -> tuple[Condition, list[str]]:
    """Conditions with ``or`` between them, and what follows; ``and`` binds before it."""
    return _parse_chain(text, parts, "or", lambda rest: _parse_chain(text, rest, "and",
                                                                    partial(_parse_term, text)))


def _parse_chain(text: str, parts: list[str], word: str,
                 parse: Callable[[list[str]], tuple[Condition, list[str]]]
                 ) -> tuple[Condition, list[str]]:
    first, rest = parse(parts)
    terms = [first]
    while rest and rest[0] == word:
        term, rest = parse(rest[1:])
        terms.append(term)
    if len(terms) == 1:
        return first, rest
    said = f" {word} ".join(f"({term})" if term.terms else str(term) for term in terms)
    return Condition(quantity="mag", operator=">", threshold=0.5, form=Form.COMBINED, text=said,
                     terms=tuple(terms), needs_all=word == "and"), rest


def _parse_term(text: str, parts: list[str]) -> tuple[Condition, list[str]]:
    """A condition, or some in parentheses, and what follows."""
    if not parts or parts[0] in ("and", "or", ")"):
        raise _wrong(text, "expected a condition on either side of and and or, such as "
                     "p > 15 % and mag < 13")
    if parts[0] == "(":
        inner, rest = _parse_any(text, parts[1:])
        if not rest or rest[0] != ")":
            raise _wrong(text, "a parenthesis is not closed")
        return inner, rest[1:]
    try:
        term = _parse_one(parts[0])
    except ConfigError as error:
        raise _wrong(text, f"in its part {str(error).removeprefix('condition ')}") from None
    if term.form in (Form.SYSTEM, Form.NEW) or term.bands:
        raise _wrong(text, f"'{term}' cannot stand beside and or or: only conditions on points "
                     "of one band can")
    return term, parts[1:]


def _parse_one(text: str) -> Condition:
    """A condition on one quantity."""
    plain = " ".join(text.split())
    if plain in _NAMED:
        form, threshold = _NAMED[plain]
        return Condition(quantity="mag", operator=">", threshold=threshold, form=form, text=plain,
                         unit="" if form in _MET_OR_NOT else "sigma")
    if match := _BY.fullmatch(text):
        zone = match[3] or "UTC"
        if zone not in ("local", *available_timezones()):
            raise _wrong(text, f"unknown time zone '{zone}'; expected UTC, local (the "
                         "quiet_timezone of [alerts]) or one such as Europe/Madrid")
        return Condition(quantity="no_data", operator=">", threshold=0.0, form=Form.SYSTEM,
                         unit="h", text=plain, by=(match[1], zone))
    match = _FORM.fullmatch(text)
    if match is None:
        raise _wrong(text, f"expected a quantity ({', '.join(QUANTITIES)}, a colour, or "
                     f"{', '.join(SYSTEM)}), one of {' '.join(_OPERATORS)}, and a number, such as "
                     f"{'; '.join(EXAMPLES)}")
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
    if second and first == second:
        raise _wrong(text, "expected two different bands, such as colour B-R < 0.6")


def _form_of(text: str, word: str | None, quantity: str) -> Form:
    if word == "change" and _COLOUR.fullmatch(quantity):
        return Form.CHANGE
    if word == "colour":
        if "-" not in quantity:
            raise _wrong(text, "expected two bands, such as colour B-R < 0.6")
        return Form.COLOUR
    if quantity == "no_data":
        raise _wrong(text, "expected no data by and a time, such as no data by 22:00")
    if quantity in SYSTEM and word is None:
        return Form.SYSTEM
    if quantity not in QUANTITIES:
        raise _wrong(text, f"unknown quantity '{quantity}'; expected one of "
                     f"{', '.join((*QUANTITIES, *SYSTEM))}, or a colour, such as colour B-R < 0.6")
    form = Form(word) if word else Form.VALUE
    if form in (Form.FAINTEST, Form.BRIGHTEST) and quantity != "mag":
        raise _wrong(text, f"only mag has a {word} state; expected {word} mag > 0.1")
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
    if plain == "sigma" and form in (Form.CHANGE, Form.ROTATION, Form.FAINTEST, Form.BRIGHTEST):
        return "sigma", 1.0
    if form is Form.CHANGE and quantity == "flux_mjy" and plain == "%":
        return "%", 1.0
    own = ("mag" if "-" in quantity else SYSTEM[quantity][1] if form is Form.SYSTEM
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
