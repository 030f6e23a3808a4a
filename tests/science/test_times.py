"""Times and airmass, against astropy and against what everyone knows."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from iop4d.science.times import airmass, bjd_tdb

OSN = {"latitude_deg": 37.0642, "longitude_deg": -3.3846, "height_m": 2896.0}


@pytest.fixture(autouse=True)
def offline():
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        yield


@pytest.mark.parametrize("jd", [2455000.25, 2458107.71, 2460300.5])
@pytest.mark.parametrize(("ra", "dec"), [(330.68, 42.28), (31.04, 46.69), (187.28, -60.0)])
def test_barycentric_time_is_astropys_to_a_fortieth_of_a_second(jd, ra, dec) -> None:
    place = EarthLocation.from_geodetic(OSN["longitude_deg"], OSN["latitude_deg"], OSN["height_m"])
    moment = Time(jd, format="jd", scale="utc", location=place)
    delay = moment.light_travel_time(SkyCoord(ra, dec, unit="deg")).to_value("day")
    expected = (moment.tdb.jd1 - jd) + moment.tdb.jd2 + delay
    assert (bjd_tdb(jd, ra, dec) - jd - expected) * 86400 == pytest.approx(0.0, abs=0.025)


def test_a_star_at_the_ecliptic_s_pole_sees_only_the_clocks() -> None:
    # In 2018 TDB was 69.184 s ahead of UTC.
    assert (bjd_tdb(2458200.0, 270.0, 66.56) - 2458200.0) * 86400 == pytest.approx(69.184, abs=4.0)


def test_the_airmass_is_that_of_astropys_altitude() -> None:
    place = EarthLocation.from_geodetic(OSN["longitude_deg"], OSN["latitude_deg"], OSN["height_m"])
    for hours in np.linspace(0.0, 10.0, 6):
        jd = 2460300.3 + hours / 24.0
        seen = SkyCoord(133.7, 20.1, unit="deg").transform_to(
            AltAz(obstime=Time(jd, format="jd"), location=place))
        zenith = 90.0 - seen.alt.to_value(u.deg)
        found = airmass(jd, 133.7, 20.1, **OSN)
        if zenith < 75.0:
            assert found == pytest.approx(1.0 / math.cos(math.radians(zenith)), rel=0.012)
        elif zenith > 90.1:
            assert math.isnan(found)


def test_the_zenith_has_airmass_one() -> None:
    jds = 2460300.0 + np.linspace(0.0, 1.0, 200)
    found = [airmass(jd, 100.0, OSN["latitude_deg"], **OSN) for jd in jds]
    assert np.nanmin(found) == pytest.approx(1.0, abs=1e-3)


def test_an_unknown_place_has_no_airmass() -> None:
    assert math.isnan(airmass(2460300.0, 0.0, 0.0, latitude_deg=math.nan, longitude_deg=0.0))


@pytest.mark.parametrize("jd", [2415500.0, 2470000.0, 2499999.0])
def test_far_years_give_a_time_and_no_warning(jd: float) -> None:
    assert abs(bjd_tdb(jd, 10.0, 10.0) - jd) < 0.01
    airmass(jd, 10.0, 10.0, **OSN)
