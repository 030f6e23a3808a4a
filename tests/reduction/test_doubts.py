"""Times that cannot be right: each limit has a time on either side."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from iop4d.instruments.telescopes import T090, Telescope, night_of
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.units import jd_of_unix, unix_of_jd
from iop4d.reduction.doubts import time_doubts


def facts(moment: str, exptime_s: float = 60.0) -> FrameFacts:
    jd = jd_of_unix(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    return FrameFacts(telescope="OSN-T090", instrument="AndorT90", kind=FrameKind.SCIENCE,
                      night=night_of(jd, T090), jd_start=jd, exptime_s=exptime_s,
                      shape=(1024, 1024), band="R")


def doubts(frame: FrameFacts, *, telescope: Telescope = T090, airmass: float = 1.2,
           after_s: float = 3600.0) -> str:
    return "; ".join(time_doubts(frame, telescope, airmass=airmass, seen_at=unix_of_jd(
        frame.jd_start) + frame.exptime_s + after_s))


def test_a_frame_of_the_night_is_not_doubted() -> None:
    assert doubts(facts("2022-09-08T23:10:00")) == ""
    assert doubts(facts("2022-09-08T23:10:00"), after_s=math.nan) == ""


@pytest.mark.parametrize(("after_s", "is_doubted"), [
    (0.0, False), (-110.0, False), (-130.0, True), (-10 * 86400.0, True)])
def test_an_exposure_that_ends_after_its_file_came_is_of_the_future(after_s: float,
                                                                    is_doubted: bool) -> None:
    assert ("in the future" in doubts(facts("2022-09-08T23:10:00"), after_s=after_s)) is is_doubted


@pytest.mark.parametrize(("moment", "said"), [
    ("2022-09-09T12:30:00", "the Sun stood 58 degrees above the horizon"),
    ("2022-09-08T18:40:00", "the Sun stood 3 degrees below the horizon"),
    ("2022-09-08T18:54:00", "the Sun stood 5 degrees below the horizon"),
    ("2022-09-08T19:05:00", "")])
def test_no_frame_is_taken_before_the_end_of_civil_twilight(moment: str, said: str) -> None:
    found = doubts(facts(moment))
    assert said in found
    assert bool(found) is bool(said)


def test_a_field_below_the_horizon_tells_a_wrong_clock_where_the_place_is_known() -> None:
    assert "below the horizon" in doubts(facts("2022-09-08T23:10:00"), airmass=math.nan)
    nowhere = Telescope(name="somewhere")
    assert doubts(facts("2022-09-08T12:30:00"), telescope=nowhere, airmass=math.nan) == ""


def test_a_time_before_the_first_night_is_doubted() -> None:
    assert "before the first night of OSN-T090, 1980-01-01" in doubts(facts("1970-01-02T01:00:00"))
    young = Telescope(name="New", since="2019-05-01")
    assert "before the first night" in doubts(facts("2003-01-02T01:00:00"), telescope=young)
    assert doubts(facts("2019-05-01T22:00:00"), telescope=young) == ""


def test_an_exposure_of_many_hours_is_one_written_in_milliseconds() -> None:
    assert "60000 s, more than 4 hours" in doubts(facts("2022-09-08T20:10:00", 60000.0))
    assert doubts(facts("2022-09-08T20:10:00", 7200.0)) == ""
