"""Conditions of rules are read as people write them, and refused with what was expected."""

from __future__ import annotations

import math

import pytest

from iop4d.alerts.conditions import parse_condition
from iop4d.model.errors import ConfigError


@pytest.mark.parametrize(("text", "value", "holds"), [
    ("mag < 13.0", 12.99, True),
    ("mag < 13.0", 13.0, False),
    ("mag <= 13.0", 13.0, True),
    ("mag > 13.2", 13.21, True),
    ("mag > 13.2", 13.2, False),
    ("mag>=13.2", 13.2, True),
    ("  mag  <  +1.3e1 ", 12.0, True),
    ("mag < -1", -1.5, True),
    ("mag < .5", 0.4, True),
    ("mag < 13", math.nan, False),
    ("mag > 13", math.nan, False),
    ("mag > 13", math.inf, True),
])
def test_a_condition_holds_where_it_says(text: str, value: float, holds: bool) -> None:
    assert parse_condition(text).holds(value) is holds


@pytest.mark.parametrize(("text", "expected"), [
    ("", "expected a quantity"),
    ("mag", "such as mag < 13.0"),
    ("mag = 13", "one of < <= > >="),
    ("mag < ", "a number"),
    ("mag < 13 mag", "a number"),
    ("mag < 13; drop", "a number"),
    ("mag < 1e999", "a finite number"),
    ("mag < nan", "a number"),
    ("magnitude < 13", "no quantity is named 'magnitude'; expected one of mag"),
    ("13 > mag", "expected a quantity"),
])
def test_a_wrong_condition_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_condition(text)
    assert expected in str(refused.value)
    assert f"'{text}'" in str(refused.value)


def test_a_condition_is_written_as_it_is_read() -> None:
    assert str(parse_condition("mag<13")) == "mag < 13.0"
    assert parse_condition(str(parse_condition("mag >= 0.1"))) == parse_condition("mag >= 0.1")


@pytest.mark.parametrize(("one", "other", "overlap"), [
    ("mag < 13.0", "mag > 13.2", False),
    ("mag < 13.0", "mag > 13.0", False),
    ("mag <= 13.0", "mag >= 13.0", True),
    ("mag < 13.0", "mag >= 13.0", False),
    ("mag < 13.0", "mag > 12.9", True),
    ("mag < 13.0", "mag < 14.0", True),
    ("mag > 16.0", "mag < 15.5", False),
])
def test_overlap_is_known(one: str, other: str, overlap: bool) -> None:
    assert parse_condition(one).overlaps(parse_condition(other)) is overlap
    assert parse_condition(other).overlaps(parse_condition(one)) is overlap
