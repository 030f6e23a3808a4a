"""When a night ends, at one telescope or at several, and of which nights a summary is due."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iop4d.alerts.summary.scheduler import (
    end_of_night,
    last_ended,
    nights_due,
    telescopes_of,
    with_those_of,
)
from iop4d.config.load import parse_site
from iop4d.instruments.telescopes import T090, T150, T220, Telescope, night_of, sun_altitude_deg
from iop4d.model.units import SECONDS_A_DAY, jd_of_unix
from tests.alerts.nights import at

MARCH_13 = date(2024, 3, 13)


def place(latitude: float, longitude: float = 0.0) -> Telescope:
    return Telescope(name="t", latitude_deg=latitude, longitude_deg=longitude)


def test_at_the_equinox_on_the_equator_dawn_begins_7_2_hours_before_the_true_noon() -> None:
    # Hour angle 108 degrees; true noon is at 12:07:24 (equation of time -7.4 min).
    end = end_of_night(date(2024, 3, 19), [place(0.0)])
    assert end == pytest.approx(at("2024-03-20T04:55:24"), abs=60)


def test_twilight_ends_with_the_sun_at_18_degrees_on_every_night_of_two_years() -> None:
    ends = [end_of_night(date(2023, 1, 1) + timedelta(days=n), [T220]) for n in range(730)]
    for end in ends:
        assert sun_altitude_deg(end, T220.latitude_deg, T220.longitude_deg) == pytest.approx(
            -18.0, abs=0.01)
    steps = [later - end for end, later in pairwise(ends)]
    assert SECONDS_A_DAY - 180 < min(steps) < max(steps) < SECONDS_A_DAY + 180


def test_a_night_is_over_when_it_is_so_at_all_telescopes() -> None:
    west = place(37.0, -70.0)
    both = end_of_night(MARCH_13, [T220, west])
    assert both == end_of_night(MARCH_13, [west])
    assert both > end_of_night(MARCH_13, [T220]) + 4 * 3600


@pytest.mark.parametrize(("latitude", "night", "altitude"), [
    (52.0, date(2024, 6, 21), -12.0),  # no astronomical night
    (78.0, date(2024, 12, 21), -18.0),  # the sun stays down, but not so far at noon
])
def test_where_it_does_not_get_so_dark_nautical_twilight_counts(
        latitude: float, night: date, altitude: float) -> None:
    end = end_of_night(night, [place(latitude)])
    assert sun_altitude_deg(end, latitude, 0.0) == pytest.approx(altitude, abs=0.01)


def test_where_the_sun_stays_high_the_night_ends_as_it_is_lowest() -> None:
    end = end_of_night(date(2024, 6, 21), [place(70.0)])
    assert end == pytest.approx(at("2024-06-22T00:02"), abs=300)


def test_where_the_sun_stays_low_all_day_the_night_ends_at_noon() -> None:
    assert end_of_night(date(2024, 12, 21), [place(89.0)]) == at("2024-12-22T12:00")


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), day=st.integers(0, 3000))
@settings(max_examples=300)
def test_a_night_ends_within_itself_wherever_the_telescope_stands(
        latitude: float, longitude: float, day: int) -> None:
    night, where = date(2020, 1, 1) + timedelta(days=day), place(latitude, longitude)
    end = end_of_night(night, [where])
    if abs(latitude) < 84:  # nearer to a pole it may be the fixed hour
        assert night_of(jd_of_unix(end), where) == night.isoformat()
    assert end_of_night(night + timedelta(days=1), [where]) > end


@pytest.mark.parametrize(("longitude", "hour", "end"), [
    (-3.4, "07:30", "2024-03-14T07:30"), (-3.4, "23:00", "2024-03-14T23:00"),
    (-155.5, "16:30", "2024-03-14T16:30"), (149.0, "20:00", "2024-03-13T20:00"),
    (float("nan"), "07:30", "2024-03-14T07:30"), (float("nan"), "", "2024-03-14T12:00")])
def test_a_set_hour_is_the_first_such_after_local_midnight(longitude: float, hour: str,
                                                           end: str) -> None:
    assert end_of_night(MARCH_13, [place(31.0, longitude)], hour) == at(end)


def test_the_telescopes_are_those_of_the_archives_and_cameras(tmp_path: Path) -> None:
    site = parse_site('[[archive]]\nname = "a"\ntelescope = "CAHA-T220"\n[[archive]]\nname = "b"\n',
                      root=tmp_path)
    assert telescopes_of(site, [T090, T150, T220]) == (T220,)


def test_without_a_name_all_known_telescopes_count(tmp_path: Path) -> None:
    site = parse_site('[[archive]]\nname = "a"\ntelescope = "unheard of"\n', root=tmp_path)
    assert telescopes_of(site, [T090, T220]) == (T090, T220)


def end(night: date) -> float:
    return end_of_night(night, [T220])


def due(now: float, *made: str, since: float = 0.0, most: int = 3) -> list[str]:
    return [night.isoformat() for night in nights_due(now, end=end, made=made, since=since,
                                                      most=most)]


def test_a_night_is_due_from_the_second_at_which_it_ends() -> None:
    made = ("2024-03-10", "2024-03-11", "2024-03-12")
    assert due(end(MARCH_13) - 1, *made) == []
    assert due(end(MARCH_13), *made) == ["2024-03-13"]
    assert due(end(MARCH_13), *made, "2024-03-13") == []
    assert last_ended(end(MARCH_13), end) == MARCH_13


def test_three_nights_are_made_up_for_the_oldest_first() -> None:
    assert due(end(MARCH_13) + 60) == ["2024-03-11", "2024-03-12", "2024-03-13"]


def test_a_gap_is_filled() -> None:
    assert due(end(MARCH_13), "2024-03-11", "2024-03-13") == ["2024-03-12"]


def test_nights_before_the_site_began_have_none() -> None:
    assert due(end(MARCH_13) + 60, since=end(MARCH_13) - 3600) == ["2024-03-13"]
    assert due(end(MARCH_13) + 60, since=end(MARCH_13) + 30) == []


def test_a_night_of_the_future_that_a_wrong_clock_left_silences_none() -> None:
    assert due(end(MARCH_13), "2024-03-11", "2024-03-12", "2036-01-01") == ["2024-03-13"]


def test_a_night_is_over_when_it_is_at_the_telescopes_of_all_nodes() -> None:
    beats = {"chile": {"telescopes": [["T100", -30.0, -70.0]]}, "old": {}}
    both = with_those_of((T090,), beats)
    assert [one.name for one in both] == ["T100", "OSN-T090"]
    night = date(2026, 3, 1)
    assert end_of_night(night, both) == end_of_night(night, both[:1]) > end_of_night(night, (T090,))
