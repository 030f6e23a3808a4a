"""Conditions of rules, such as ``mag < 13.0``: parsed once, then asked of numbers."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from iop4d.model.errors import ConfigError

#: What a condition can be about: the column of a result, and what it is in words.
QUANTITIES: dict[str, str] = {"mag": "calibrated magnitude"}

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}
_FORM = re.compile(r"\s*([A-Za-z_]+)\s*([<>]=?)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A quantity compared with a threshold, in the quantity's unit."""

    quantity: str
    operator: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Whether a value meets the condition; NaN never does."""
        return not math.isnan(value) and _OPERATORS[self.operator](value, self.threshold)

    def overlaps(self, other: Condition) -> bool:
        """Whether some value meets both conditions."""
        if self.quantity != other.quantity or self.operator[0] == other.operator[0]:
            return True
        below, above = (self, other) if self.operator[0] == "<" else (other, self)
        if above.threshold == below.threshold:
            return above.operator == ">=" and below.operator == "<="
        return above.threshold < below.threshold

    def __str__(self) -> str:
        return f"{self.quantity} {self.operator} {self.threshold!r}"


def parse_condition(text: str) -> Condition:
    """A condition from its text; raises ConfigError that says what was expected."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"condition '{text}': expected a quantity ({', '.join(QUANTITIES)}), one of "
            f"{' '.join(_OPERATORS)}, and a number, such as mag < 13.0")
    quantity, sign, number = match.groups()
    if quantity not in QUANTITIES:
        raise ConfigError(f"condition '{text}': no quantity is named '{quantity}'; expected "
                          f"one of {', '.join(QUANTITIES)}")
    threshold = float(number)
    if not math.isfinite(threshold):
        raise ConfigError(f"condition '{text}': expected a finite number")
    return Condition(quantity=quantity, operator=sign, threshold=threshold)
