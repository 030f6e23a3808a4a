"""When a telescope observes, and how long a server that fails is left alone."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iop4d.archives.breaker import Breaker
from iop4d.archives.observing_hours import observes, pause_of
from iop4d.config import FtpArchive
from iop4d.instruments.sun import sun_altitude_deg
from iop4d.instruments.telescopes import T090, Telescope

ARCHIVE = FtpArchive(name="a", host="h", path=Path("raw"),
                     poll_interval=60.0, poll_interval_day=900.0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("moment", "latitude", "longitude", "altitude"), [
    # By the declination of the sun at the solstices of 2024.
    ("2024-06-20T12:01:48", 23.4364, 0.0, 90.0),
    ("2024-12-21T11:58:08", 0.0, 0.0, 66.56),
])
def test_the_sun_stands_where_it_should(moment: str, latitude: float, longitude: float,
                                        altitude: float) -> None:
    assert sun_altitude_deg(at(moment), latitude, longitude) == pytest.approx(altitude, abs=0.1)


def test_the_sun_agrees_with_a_full_theory() -> None:
    import erfa

    for day in range(0, 3650, 37):
        unix = at("2024-01-01T00:00:00") + day * 86400.0 + 3600.0 * (day % 24)
        jd = unix / 86400.0 + 2440587.5
        earth = erfa.epv00(jd, 0.0)[0]["p"]
        lon, lat = erfa.c2s(-earth)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", erfa.ErfaWarning)  # leap seconds of years to come
            observed = erfa.atco13(lon, lat, 0, 0, 0, 0, jd, 0.0, 0.0, math.radians(-3.3846),
                                   math.radians(37.0642), 0, 0, 0, 0, 0, 0, 0.5)
        assert sun_altitude_deg(unix, 37.0642, -3.3846) == pytest.approx(
            90.0 - math.degrees(float(observed[1])), abs=0.03)


def test_servers_are_asked_often_by_night_and_rarely_by_day() -> None:
    assert pause_of(ARCHIVE, T090, at("2024-03-20T23:00:00")) == 60.0
    assert pause_of(ARCHIVE, T090, at("2024-03-20T12:00:00")) == 900.0
    assert pause_of(ARCHIVE, None, at("2024-03-20T12:00:00")) == 60.0
    assert pause_of(ARCHIVE, Telescope(name="?"), at("2024-03-20T12:00:00")) == 60.0


def test_hours_may_span_midnight_and_go_before_the_sun() -> None:
    night = replace(ARCHIVE, observing_hours="18:30-05:30")
    assert [observes(night, T090, at(f"2024-03-20T{hour}")) for hour in (
        "18:29", "18:30", "23:59", "00:00", "05:29", "05:30", "12:00")] == [
            False, True, True, True, True, False, False]
    day = replace(ARCHIVE, observing_hours="02:00-10:00")
    assert [observes(day, T090, at(f"2024-03-20T{hour}")) for hour in ("01:59", "02:00", "10:00")] \
        == [False, True, False]


def test_a_server_that_fails_is_asked_ever_more_rarely() -> None:
    breaker = Breaker(chance=lambda: 0.5)
    pauses = [breaker.failed(1000.0) for _ in range(8)]
    assert pauses == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    assert breaker.wait(1100.0) == 800.0
    breaker.succeeded()
    assert (breaker.is_open, breaker.wait(1100.0)) == (False, 0.0)


def test_a_refused_login_is_not_tried_again_soon() -> None:
    assert Breaker(chance=lambda: 0.5).failed(0.0, login=True) == 900.0


def test_two_servers_do_not_fail_in_step() -> None:
    assert {Breaker(chance=lambda c=c: c).failed(0.0) for c in (0.0, 0.5, 1.0)} == {
        24.0, 30.0, 36.0}


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_server_that_is_dead_for_an_hour_is_tried_a_dozen_times_at_most(chance: float) -> None:
    breaker, now, tries = Breaker(chance=lambda: chance), 0.0, 0
    while now < 3600.0:
        tries += 1
        now += breaker.failed(now)
    assert tries <= 12
    assert now - 3600.0 <= 1080.0  # back within 18 minutes of its return
