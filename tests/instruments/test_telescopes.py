"""Telescopes: where the sun stands for them."""

from __future__ import annotations

import math
import warnings
from datetime import UTC, datetime

import pytest

from iop4d.instruments.telescopes import sun_altitude_deg


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


