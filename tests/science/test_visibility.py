"""How high things stand: truths of the sphere, dates of the almanac, and astropy's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.instruments.telescopes import T090, sun_altitude_deg
from iop4d.model.units import jd_of_text, unix_of_jd
from iop4d.science.times import airmass
from iop4d.science.visibility import NightSky, night_sky

OSN = {"latitude_deg": 37.0642, "longitude_deg": -3.3846}
MIDNIGHT = jd_of_text("2026-11-28T00:13")


@pytest.fixture(scope="module")
def tonight() -> NightSky:
    return night_sky(MIDNIGHT, **OSN)


def test_the_pole_stands_as_high_as_the_latitude(tonight: NightSky) -> None:
    assert tonight.altitudes_deg(0.0, 90.0) == pytest.approx(37.06, abs=0.25)  # it has precessed


def test_a_source_culminates_at_its_declination_above_the_equator(tonight: NightSky) -> None:
    altitudes = tonight.altitudes_deg([330.68, 83.6], [42.278, 22.0])
    assert altitudes.shape == (2, tonight.jd.size)
    assert altitudes.max(axis=1) == pytest.approx([90 - 42.40 + 37.06, 90 - 37.06 + 22.0], abs=0.5)


def test_altitudes_agree_with_the_airmass_of_the_reduction(tonight: NightSky) -> None:
    (found,) = tonight.altitudes_deg(330.68, 42.278)
    for at in (10, 30):
        expected = airmass(float(tonight.jd[at]), 330.68, 42.278, height_m=0.0, **OSN)
        assert 1.0 / np.sin(np.radians(found[at])) == pytest.approx(expected, rel=0.01)


def test_the_sun_is_where_the_almanac_has_it(tonight: NightSky) -> None:
    for at in (0, 20, tonight.jd.size - 1):
        assert tonight.sun_deg[at] == pytest.approx(sun_altitude_deg(
            unix_of_jd(float(tonight.jd[at])), T090.latitude_deg, T090.longitude_deg), abs=0.05)
    assert 11.0 < tonight.is_dark.sum() * 0.25 < 13.0  # a night of late November


@pytest.mark.parametrize(("date", "lit"), [
    ("2026-08-28T04:00", 1.0), ("2026-08-12T17:30", 0.0), ("2026-11-24T15:00", 1.0)])
def test_the_moon_is_full_and_new_when_the_almanac_says(date: str, lit: float) -> None:
    """2026: total eclipse of the Sun on 12 August, partial one of the Moon on 28 August."""
    assert night_sky(jd_of_text(date), **OSN).moon_lit == pytest.approx(lit, abs=0.01)


def test_the_moon_stands_where_astropy_has_it(tonight: NightSky) -> None:
    import astropy.units as u
    from astropy.coordinates import AltAz, EarthLocation, get_body
    from astropy.time import Time
    from astropy.utils import iers

    where = EarthLocation(lat=OSN["latitude_deg"] * u.deg, lon=OSN["longitude_deg"] * u.deg)
    with iers.conf.set_temp("auto_download", False), \
            iers.conf.set_temp("auto_max_age", None):
        for at in (10, 40, 60):
            time = Time(tonight.jd[at], format="jd", scale="utc")
            moon = get_body("moon", time, where, ephemeris="builtin").transform_to(
                AltAz(obstime=time, location=where))
            assert tonight.moon_deg[at] == pytest.approx(moon.alt.deg, abs=0.2)


def test_hours_in_the_dark_and_the_distance_from_the_moon(tonight: NightSky) -> None:
    altitudes = tonight.altitudes_deg([330.68, 83.6, 330.0], [42.278, 22.0, -80.0])
    hours = tonight.observable_hours(altitudes)
    assert hours[2] == 0.0
    assert 4.0 < hours[0] < 8.0
    assert 8.0 < hours[1] < 11.0
    lies = np.degrees(np.arcsin(tonight.moon[2]))
    assert 15.0 < lies < 30.0  # four days after full, in Gemini or Cancer
    assert tonight.from_moon_deg(330.68, 42.278)[0] > 60.0
