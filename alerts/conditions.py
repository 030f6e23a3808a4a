"""Conditions of rules, such as ``mag < 13.0``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from iop4d.model.errors import ConfigError

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
#: What a condition may be about, and what that is.
QUANTITIES = {"mag": "the calibrated magnitude"}
_FORM = re.compile(r"^\s*([a-z_]+)\s*(<=|>=|<|>)\s*([-+]?\d+(?:\.\d*)?|[-+]?\.\d+)\s*$")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A quantity compared with a limit."""

    quantity: str
    comparison: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a value meets the condition; NaN never does."""
        return not math.isnan(value) and _COMPARISONS[self.comparison](value, self.limit)

    def __str__(self) -> str:
        return f"{self.quantity} {self.comparison} {self.limit:g}"


def parse(text: str) -> Condition:
    """The condition of a text; raises ConfigError that says what was expected."""
    match = _FORM.match(text)
    if not match or match.group(1) not in QUANTITIES:
        raise ConfigError(
            f"the condition '{text}' cannot be read; expected a quantity "
            f"({', '.join(QUANTITIES)}), one of {' '.join(_COMPARISONS)}, and a number, "
            "such as mag < 13.0")
    return Condition(quantity=match.group(1), comparison=match.group(2),
                     limit=float(match.group(3)))
