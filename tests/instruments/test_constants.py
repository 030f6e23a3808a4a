"""The published constants of the polarimeters and their errors, typed here a second time."""

from __future__ import annotations

import pytest

from iop4d.instruments.discovery import find_instruments

JD_2022, JD_2025 = 2459831.4, 2460950.4

#: q0, its error, u0, its error (percent), zero angle and its error (degrees).
PUBLISHED = [
    ("AndorT90", JD_2022, (5.79, 0.30, 5.83, 0.23, -18.0, 0.0)),
    ("RoperT90", JD_2022, (5.79, 0.30, 5.83, 0.23, -18.0, 0.0)),
    ("AndorT150", JD_2022, (1.58, 0.41, 3.82, 0.78, 0.1, 0.0)),
    ("CAFOS", JD_2022, (0.0, 0.05, 0.0, 0.05, -1.5, 1.5)),
    ("DIPOL", JD_2022, (0.0578, 0.005, -3.7710, 0.005, 44.5, 0.05)),
    ("DIPOL", JD_2025, (-0.0138, 0.005, -4.0806, 0.005, 45.1, 0.05)),
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
