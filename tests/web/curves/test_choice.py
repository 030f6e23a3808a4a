"""What an address says of a light curve, and the address that says it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.urls import iri_to_uri

from iop4d.web.curves.choice import Choice, ChoiceError, choice_of


def read(**query: str) -> Choice:
    return choice_of(MultiDict(query), ("BL Lac",))


def test_an_address_without_a_choice_has_everything() -> None:
    choice = read()
    assert (choice.period, choice.bars, choice.quantity) == ("all", True, "mag")
    assert choice.limits(2461000.0) == (0.0, 1e7)
    assert choice.query() == "source=BL+Lac"


def test_periods_are_counted_back_from_now_and_tonight_begins_at_noon() -> None:
    assert read(period="30d").limits(2461000.3)[0] == pytest.approx(2460970.3)
    assert read(period="1y").limits(2461000.3)[0] == pytest.approx(2460635.05)
    assert read(period="tonight").limits(2461000.3)[0] == 2461000.0
    # Noon of Siding Spring is at 2 h UTC, that of Mauna Kea at 22 h: the earlier night has begun.
    far = replace(read(period="tonight"), noons=(-149.1 / 360.0, 155.5 / 360.0))
    assert far.limits(2461000.3)[0] == pytest.approx(2460999.0 + 155.5 / 360.0)
    assert far.query() == read(period="tonight").query()


@pytest.mark.parametrize(("begin", "end"), [
    ("2026-11-22", "2026-11-23"), ("2461366.5", "2461368.5"), ("61366.0", "61368.0"),
    ("2026-11-22T00:00", "2026-11-24T00:00"), ("20261122", "20261123"),
    ("2026-W47-7", "2026-W48-1")])
def test_a_period_of_ones_own_is_a_date_jd_or_mjd_and_its_last_day_is_whole(
        begin: str, end: str) -> None:
    assert read(**{"from": begin, "to": end, "period": "30d"}).limits(0.0) == pytest.approx(
        (2461366.5, 2461368.5), abs=2e-6)


def test_the_address_of_a_choice_makes_the_same_choice() -> None:
    choice = read(**{"from": "2461366.5", "to": "2461368.25", "bands": "R,V", "pol": "qu",
                     "quantity": "flux", "axis": "mjd", "bars": "0", "instruments": "CAFOS",
                     "points": "nights", "colour": "B-R", "flagged": "0"})
    pairs = [part.partition("=") for part in iri_to_uri(choice.query()).split("&")]
    again = choice_of(MultiDict([(name, value.replace("%2C", ",").replace("+", " "))
                                 for name, _, value in pairs]), ("BL Lac",))
    assert again == choice
    assert "period=tonight" in choice.query(period="tonight")
    assert "from" not in choice.query(period="tonight")


@pytest.mark.parametrize("period", [
    {"from": "0001-01-01"}, {"to": "9999-12-31"}, {"from": "1850-06-01", "to": "2500-01-01"},
    {"from": "0001-01-01T00:00+14:00", "to": "2026-11-22"}])
def test_a_period_of_far_dates_has_an_address_and_a_form_that_are_read_again(
        period: dict[str, str]) -> None:
    choice = read(**period)
    sent = {name: value for name, value in parse_qsl(choice.query()) if name in ("from", "to")}
    assert read(**sent) == choice
    shown = {"from": choice.from_text, "to": choice.to_text}
    assert read(**{name: text for name, text in shown.items() if text}).limits(
        0.0) == pytest.approx(choice.limits(0.0), abs=0.001)


def test_a_form_without_scripts_sends_a_zero_before_the_box_that_is_ticked() -> None:
    assert choice_of(MultiDict([("bars", "0"), ("bars", "1")]), ()).bars
    assert not choice_of(MultiDict([("bars", "0")]), ()).bars


@pytest.mark.parametrize("query", [
    {"from": "yesterday"}, {"to": "nan"}, {"period": "2y"}, {"quantity": "x"}, {"axis": "<b>"},
    {"from": "2026-11-23", "to": "2026-11-20"}])
def test_what_is_none_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ChoiceError):
        read(**query)
