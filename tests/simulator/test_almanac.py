"""A night that is played as if real: dark, over, and of fields that stand high."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from iop4d.instruments.telescopes import T090
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.units import jd_of_unix
from iop4d.reduction.doubts import time_doubts
from iop4d.science.times import airmass
from iop4d.simulator.almanac import dark_hours, last_night, seconds_until_dawn
from iop4d.simulator.demo import POLARIMETERS, photometry_plan, polarimetry_plan
from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.plan import Planned, schedule
from iop4d.simulator.setups import setup_of
from iop4d.simulator.sky import Field, field_of, load_sky

_OLDEST_H = 48.0  # beyond which rules do not alert, unless told otherwise


@pytest.mark.parametrize(("night", "dusk", "dawn"), [
    # Sun 10 degrees below the horizon at the Observatorio de Sierra Nevada, to some minutes.
    ("2025-12-21", 17.72, 30.6), ("2025-06-21", 20.70, 28.0), ("2025-03-20", 19.2, 29.45)])
def test_dusk_and_dawn_are_those_of_the_season(night: str, dusk: float, dawn: float) -> None:
    midnight = jd_of_unix(datetime.fromisoformat(f"{night}T00:00:00+00:00").timestamp())
    assert [24.0 * (jd - midnight) for jd in dark_hours(night)] == pytest.approx(
        [dusk, dawn], abs=0.25)


@pytest.mark.parametrize("hour", range(24))
def test_the_last_night_is_over_and_its_flares_still_alert(hour: int) -> None:
    for day in range(0, 366, 15):
        now = datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)
        dusk, dawn = dark_hours(last_night(now))
        jd = jd_of_unix(now.timestamp())
        assert dawn < jd
        assert 24.0 * (jd - dusk) < _OLDEST_H - 3.0


def _plans(night: str) -> list[NightPlan]:
    first = photometry_plan(night, 1)
    return [first, *(polarimetry_plan(first, name, targets, exptime_s)
                     for name, targets, _, exptime_s in POLARIMETERS)]


@pytest.mark.parametrize("month", [1, 3, 6, 9, 12])
def test_no_frame_of_the_demo_has_a_doubtful_time(month: int) -> None:
    sky = load_sky()
    for plan in _plans(f"2026-{month:02d}-15"):
        dusk, _ = dark_hours(plan.night)
        seen = 0
        for planned in itertools.islice(_scheduled(plan), 4000):
            if planned.where is None or (seen := seen + 1) % 20 != 1:
                continue
            jd = dusk + planned.at_s / 86400.0
            stars = sky.stars(planned.where)
            air = airmass(jd, float(stars.ra[0]), float(stars.dec[0]),
                          latitude_deg=T090.latitude_deg, longitude_deg=T090.longitude_deg)
            assert time_doubts(_facts(plan, jd), T090, airmass=air, seen_at=float("nan")) == ()
        assert seen > 100, f"{plan.instrument} of {plan.fields} takes {seen} frames"


def _scheduled(plan: NightPlan) -> Iterator[Planned]:
    night = Night(plan)
    return schedule(plan, setup_of(plan.instrument), is_high=night._is_high,
                    ends_s=seconds_until_dawn(plan.night))


def _facts(plan: NightPlan, jd: float) -> FrameFacts:
    return FrameFacts(telescope="OSN-T090", instrument=plan.instrument, kind=FrameKind.SCIENCE,
                      night=plan.night, jd_start=jd, exptime_s=plan.exptime_s, shape=(8, 8),
                      binning=1, band="R", object="x")


def test_a_field_that_is_low_is_missing_and_the_night_ends_at_dawn() -> None:
    plan = NightPlan(fields=("BLLac", "3C345"), frames=1000, n_bias=0, n_flat=0)
    setup = setup_of(plan.instrument)

    def is_high(where: Field, at_s: float) -> bool:
        return where == field_of("BLLac") or at_s < 600.0

    every = list(schedule(plan, setup))
    some = list(schedule(plan, setup, is_high=is_high, ends_s=3600.0))
    assert {one.at_s for one in some} < {one.at_s for one in every}
    assert max(one.at_s + one.exptime_s for one in some) <= 3600.0
    assert all(one.where is not None and is_high(one.where, one.at_s) for one in some)
