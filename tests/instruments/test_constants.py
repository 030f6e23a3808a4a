"""The constants of the polarimeters, typed here a second time, and what was published of them."""

from __future__ import annotations

import math

import pytest

from iop4d.instruments.discovery import find_instruments

JD_2022, JD_2025 = 2459831.4, 2460950.4

#: q0, its error, u0, its error (percent), zero angle and its error (degrees).
PUBLISHED = [
    ("AndorT90", JD_2022, (5.79, 0.30, 5.83, 0.23, -18.0, 1.0)),
    ("RoperT90", JD_2022, (5.79, 0.30, 5.83, 0.23, -18.0, 1.0)),
    ("AndorT150", JD_2022, (1.58, 0.41, 3.82, 0.78, 0.1, 2.0)),
    ("CAFOS", JD_2022, (0.0, 0.05, 0.0, 0.05, -1.5, 1.5)),
    ("DIPOL", JD_2022, (0.05, 0.07, -4.16, 0.39, 42.7, 2.0)),
    ("DIPOL", JD_2025, (0.01, 0.07, -4.32, 0.24, 42.7, 2.0)),
]


@pytest.mark.parametrize(("name", "jd", "published"), PUBLISHED)
def test_what_an_instrument_adds_to_the_polarisation_and_how_certain_that_is(
        name: str, jd: float, published: tuple[float, ...]) -> None:
    polarimeter = next(i for i in find_instruments() if i.name == name).polarimeter
    assert polarimeter is not None
    found = polarimeter.constants_at(jd)
    assert found is not None
    assert (100 * found.q0, 100 * found.q0_err, 100 * found.u0, 100 * found.u0_err,
            found.angle_deg, found.angle_err_deg) == pytest.approx(published, abs=1e-6)


ALL_DATES = (0.04, 0.07, -4.55, 0.07, 41.0, 3.0)


@pytest.mark.parametrize(("jd", "published"), [
    (JD_2022, ((0.0578, 0.005, -3.7710, 0.005, 44.5, 0.05), ALL_DATES)),
    (JD_2025, ((-0.0138, 0.005, -4.0806, 0.005, 45.1, 0.05), ALL_DATES))])
def test_dipol_s_errors_cover_all_that_was_published(
        jd: float, published: tuple[tuple[float, ...], ...]) -> None:
    dipol = next(i for i in find_instruments() if i.name == "DIPOL").polarimeter
    assert dipol is not None
    found = dipol.constants_at(jd)
    assert found is not None
    for q0, q0_err, u0, u0_err, angle, angle_err in published:
        assert abs(100 * found.q0 - q0) < 1.3 * math.hypot(100 * found.q0_err, q0_err)
        assert abs(100 * found.u0 - u0) < 1.3 * math.hypot(100 * found.u0_err, u0_err)
        assert abs(found.angle_deg - angle) < 1.3 * math.hypot(found.angle_err_deg, angle_err)


def test_hiltner_960_of_2025_comes_out_right() -> None:
    """Published at 52.8 deg with a zero angle of 41.0 deg; 54.54 is true. With 45.1: 56.9."""
    dipol = next(i for i in find_instruments() if i.name == "DIPOL").polarimeter
    assert dipol is not None
    found = dipol.constants_at(JD_2025)
    assert found is not None
    assert abs(52.8 - 41.0 + found.angle_deg - 54.54) < found.angle_err_deg


def test_every_zero_angle_has_an_error() -> None:
    for instrument in find_instruments():
        if instrument.polarimeter is not None:
            assert all(c.angle_err_deg > 0 for c in instrument.polarimeter.constants)
