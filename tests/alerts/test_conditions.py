"""Conditions of rules are read as people write them, and refused with what was expected."""

from __future__ import annotations

import math

import pytest

from iop4d.alerts.conditions import Form, parse_condition
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
    ("mag < 13 mJy", "the unit 'mJy' does not apply; expected mag"),
    ("p > 15", "p is a fraction; expected p > 15 %"),
    ("rate chi > 5", "rotation chi > 90 deg"),
    ("rotation mag > 5", "only chi rotates"),
    ("colour B < 5", "two bands"),
    ("mag < 13 mag/d", "a unit of a rate"),
    ("mag < -5 sigma", "the unit 'sigma' does not apply"),
    ("mag < 13; drop", "a number"),
    ("mag < 1e999", "a finite number"),
    ("mag < nan", "a number"),
    ("magnitude < 13", "unknown quantity 'magnitude'; expected one of mag"),
    ("13 > mag", "expected a quantity"),
    ("change p > 5", "p is a fraction; expected p > 5 %"),
    ("change p < -100 %", "it can never be met"),
    ("rate p > 5", "p is a fraction"),
    ("p < 0", "it can never be met: the values are from 0 to 1"),
    ("chi > 270 deg", "it can never be met: the values are from 0 to 180"),
    ("change chi < -30 deg", "it can never be met: the values are from 0 to 90"),
    ("change chi > 120 deg", "it can never be met"),
    ("change flux_mjy < -120 %", "it can never be met"),
    ("silent < 0 h", "it can never be met"),
    ("colour R-R < 0.6", "two different bands"),
    ("change R-R > 0.2", "two different bands"),
    ("rotation mag > 5 sigma", "only chi rotates"),
    ("faintest p > 5 %", "expected faintest mag > 0.1"),
    ("mag < 13 and", "expected a condition on either side"),
    ("and mag < 13", "expected a condition on either side"),
    ("(mag < 13 or p > 10 %", "a parenthesis is not closed"),
    ("mag < 13) or p > 10 %", "')' stands where"),
    ("mag < 13 and p > 15", "expected p > 15 %"),
    ("mag < 13 and silent > 2 h", "cannot stand beside"),
    ("mag < 13 and colour B-R < 0.6", "only conditions on points of one band"),
    ("no data by 25:00", "expected a quantity"),
    ("no data by 22:00 Spain/Madrid", "unknown time zone 'Spain/Madrid'"),
    ("no_data > 2 h", "expected no data by and a time"),
])
def test_a_wrong_condition_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_condition(text)
    assert expected in str(refused.value)
    assert f"'{text}'" in str(refused.value)


@pytest.mark.parametrize("text", [
    "p <= 0", "p > 0 %", "chi > 170 deg", "change chi > 5 sigma", "change p < -5 sigma",
    "change flux_mjy < -50 %", "change mag < -3", "rotation chi > 360 deg", "backlog <= 0"])
def test_what_may_hold_is_taken(text: str) -> None:
    assert not parse_condition(text).holds(math.nan)


def test_a_condition_is_written_as_it_is_read() -> None:
    assert str(parse_condition("mag<13")) == "mag < 13.0"
    for text in ("mag >= 0.1", "p > 15 %", "change mag < -5 sigma", "rate mag < -0.3 mag/d",
                 "colour B-R < 0.6", "rotation chi > 90 deg", "silent > 30 min"):
        read = parse_condition(text)
        assert parse_condition(str(read)) == read


@pytest.mark.parametrize(("text", "form", "threshold", "unit"), [
    ("p > 15 %", Form.VALUE, 0.15, ""), ("change p > 5 %", Form.CHANGE, 0.05, ""),
    ("change flux_mjy > 50 %", Form.CHANGE, 50.0, "%"),
    ("change mag < -5 sigma", Form.CHANGE, -5.0, "sigma"),
    ("change mag < -0.5", Form.CHANGE, -0.5, "mag"),
    ("rate mag < -0.3 mag/d", Form.RATE, -0.3, "mag"),
    ("rotation chi > 90", Form.ROTATION, 90.0, "deg"),
    ("colour B-R < 0.6", Form.COLOUR, 0.6, "mag"),
    ("silent > 30 min", Form.SYSTEM, 0.5, "h"), ("silent > 2 d", Form.SYSTEM, 48.0, "h"),
    ("silent > 2", Form.SYSTEM, 2.0, "h"), ("unsolved > 30 %", Form.SYSTEM, 30.0, "%"),
    ("disk_free < 5 GB", Form.SYSTEM, 5.0, "GB")])
def test_units_are_kept_as_science_has_them(text: str, form: Form, threshold: float,
                                            unit: str) -> None:
    read = parse_condition(text)
    assert (read.form, read.unit) == (form, unit)
    assert read.threshold == pytest.approx(threshold)


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


@pytest.mark.parametrize(("text", "mag", "p", "met"), [
    ("p > 15 % and mag < 13", 12.5, 0.2, 1.0), ("p > 15 % and mag < 13", 13.5, 0.2, 0.0),
    ("p > 15 % and mag < 13", 13.5, math.nan, 0.0),
    ("p > 15 % and mag < 13", 12.5, math.nan, math.nan),
    ("p > 15 % or mag < 13", 13.5, 0.1, 0.0), ("p > 15 % or mag < 13", 13.5, 0.2, 1.0),
    ("p > 15 % or mag < 13", math.nan, 0.2, 1.0), ("p > 15 % or mag < 13", math.nan, 0.1, math.nan),
    ("p > 15 % and mag < 13 or mag < 12", 11.0, 0.1, 1.0),
    ("p > 15 % and (mag < 13 or mag > 15)", 16.0, 0.2, 1.0),
    ("p > 15 % and (mag < 13 or mag > 15)", 14.0, 0.2, 0.0),
    ("mag < 12 or p > 15 % and mag < 13", 12.5, 0.1, 0.0)])
def test_conditions_are_joined_and_what_is_not_known_decides_nothing(
        text: str, mag: float, p: float, met: float) -> None:
    joined = parse_condition(text)
    values = {leaf: {"mag": mag, "p": p}[leaf.quantity] for leaf in joined.leaves}
    assert joined.truth(values) == pytest.approx(met, nan_ok=True)
    again = parse_condition(str(joined))
    assert again.truth({leaf: {"mag": mag, "p": p}[leaf.quantity] for leaf in again.leaves}
                       ) == pytest.approx(met, nan_ok=True)


@pytest.mark.parametrize(("text", "form", "unit"), [
    ("state low", Form.FAINTEST, "sigma"), ("state high", Form.BRIGHTEST, "sigma"),
    ("faintest mag > 0.1", Form.FAINTEST, "mag"), ("new  source", Form.NEW, ""),
    (" triggered ", Form.TRIGGERED, ""),
    ("change B-R > 0.2 mag", Form.CHANGE, "mag"), ("change B-R > 5 sigma", Form.CHANGE, "sigma"),
    ("rotation chi > 5 sigma", Form.ROTATION, "sigma"),
    ("no data by 22:00 Europe/Madrid", Form.SYSTEM, "h")])
def test_new_forms_are_understood(text: str, form: Form, unit: str) -> None:
    found = parse_condition(text)
    assert (found.form, found.unit) == (form, unit)
    assert parse_condition(str(found)) == found


@pytest.mark.parametrize("text", ["(" * 5000 + "mag < 13" + ")" * 5000, "(" * 300,
                                  " and ".join(["mag < 13"] * 3000)])
def test_endless_conditions_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="it has too many parts; expected at most 100"):
        parse_condition(text)


def test_and_and_or_may_be_written_in_capitals() -> None:
    assert parse_condition("p > 15 % AND (mag < 13 OR triggered)") == parse_condition(
        "p > 15 % and (mag < 13 or triggered)")


def test_digits_of_other_scripts_are_no_number() -> None:
    with pytest.raises(ConfigError, match="expected a quantity"):
        parse_condition("mag < \u0663")
