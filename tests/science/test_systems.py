"""Photometric systems: each formula by hand, and Pan-STARRS never taken for SDSS."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.systems import (
    Band,
    Johnson,
    PanStarrs,
    Sdss,
    band,
    jester,
    jordi,
    lupton,
    panstarrs_to_johnson,
    panstarrs_to_sdss,
)

MAG_G, MAG_R, MAG_I, MAG_Z = 16.0, 15.4, 15.2, 15.1  # x = g - r = 0.6, r - i = 0.2, i - z = 0.1
E = 0.01


def sdss() -> Sdss:
    return Sdss(g=band(MAG_G, E), r=band(MAG_R, E), i=band(MAG_I, E), z=band(MAG_Z, E))


def panstarrs(g: float = MAG_G) -> PanStarrs:
    return PanStarrs(g=band(g, E), r=band(MAG_R, E), i=band(MAG_I, E), z=band(MAG_Z, E))


def values(one: object, names: str) -> list[float]:
    return [float(getattr(one, name).value) for name in names]


def test_lupton_by_hand() -> None:
    found = lupton(sdss())
    assert values(found, "BVRI") == pytest.approx([
        MAG_G + 0.3130 * 0.6 + 0.2271, MAG_G - 0.5784 * 0.6 - 0.0038, MAG_R - 0.2936 * 0.2 - 0.1439,
        MAG_I - 0.3780 * 0.1 - 0.3974])
    assert float(found.V.err) == pytest.approx(
        np.sqrt(0.0054**2 + (0.4216**2 + 0.5784**2) * E**2))
    assert float(found.R.err) == pytest.approx(
        np.sqrt(0.0072**2 + (0.7064**2 + 0.2936**2) * E**2))


def test_lupton_without_the_red_bands() -> None:
    two = lupton(Sdss(g=band(MAG_G, E), r=band(MAG_R, E)))
    assert float(two.R.value) == pytest.approx(MAG_R - 0.1837 * 0.6 - 0.0971)
    assert float(two.R.err) == pytest.approx(np.sqrt(0.0106**2 + (1.1837**2 + 0.1837**2) * E**2))
    assert np.isnan(two.I.value)
    three = lupton(Sdss(g=band(MAG_G), r=band(MAG_R), i=band(MAG_I)))
    assert float(three.I.value) == pytest.approx(MAG_R - 1.2444 * 0.2 - 0.3820)
    assert float(three.I.err) == pytest.approx(0.0078)


def test_jordi_by_hand() -> None:
    found = jordi(sdss())
    red = MAG_R - 0.153 * 0.2 - 0.117
    assert values(found, "BVRI") == pytest.approx([
        MAG_G + 0.313 * 0.6 + 0.219, MAG_G - 0.565 * 0.6 - 0.016, red, red - 0.930 * 0.2 - 0.259])
    assert float(found.B.err) == pytest.approx(np.hypot(1.313, 0.313) * E)


def test_jester_by_hand() -> None:
    found = jester(Johnson(B=band(16.5, E), V=band(15.8, E), R=band(15.4, E), I=band(15.0, E)))
    red = 15.8 - 0.42 * 0.7 + 0.11
    assert values(found, "gri") == pytest.approx([
        15.8 + 0.60 * 0.7 - 0.12, red, red - (0.91 * 0.4 - 0.20)])
    assert float(found.g.err) == pytest.approx(np.sqrt(0.02**2 + (0.6**2 + 0.4**2) * E**2))
    assert np.isnan(found.z.value)


def test_jester_is_not_for_the_reddest_stars() -> None:
    found = jester(Johnson(B=band([16.0, 16.0]), V=band([15.0, 15.0]), R=band([14.5, 14.5]),
                           I=band([13.4, 13.3])))
    assert np.isfinite(found.g.value).tolist() == [True, False]
    unknown = jester(Johnson(B=band(16.0), V=band(15.0)))
    assert np.isfinite(unknown.g.value)


def test_tonry_to_sdss_by_hand() -> None:
    found = panstarrs_to_sdss(panstarrs())
    x = 0.6
    assert values(found, "griz") == pytest.approx([
        MAG_G + 0.013 + 0.145 * x + 0.019 * x**2, MAG_R - 0.001 + 0.004 * x + 0.007 * x**2,
        MAG_I - 0.005 + 0.011 * x + 0.010 * x**2, MAG_Z + 0.013 - 0.039 * x - 0.012 * x**2])


def test_tonry_to_johnson_by_hand() -> None:
    found = panstarrs_to_johnson(panstarrs())
    x = 0.6
    assert values(found, "BVRI") == pytest.approx([
        MAG_G + 0.212 + 0.556 * x + 0.034 * x**2, MAG_G + 0.005 - 0.536 * x + 0.011 * x**2,
        MAG_R - 0.137 - 0.108 * x - 0.029 * x**2, MAG_I - 0.366 - 0.136 * x - 0.018 * x**2])
    exact = PanStarrs(g=band(MAG_G), r=band(MAG_R), i=band(MAG_I))
    assert [float(getattr(panstarrs_to_johnson(exact), name).err) for name in "BVRI"] \
        == pytest.approx([0.032, 0.012, 0.015, 0.017])


@pytest.mark.parametrize("name", ["B", "V", "R", "I"])
def test_errors_are_those_of_many_trials(name: str) -> None:
    rng = np.random.default_rng(3)
    shaken = PanStarrs(**{key: band(rng.normal(value, E, 40000))
                          for key, value in zip("griz", (MAG_G, MAG_R, MAG_I, MAG_Z), strict=True)})
    scatter = getattr(panstarrs_to_johnson(shaken), name).value.std()
    alone: Band = getattr(panstarrs_to_johnson(panstarrs()), name)
    sigma = {"B": 0.032, "V": 0.012, "R": 0.015, "I": 0.017}[name]
    assert np.sqrt(float(alone.err) ** 2 - sigma**2) == pytest.approx(scatter, rel=0.02)


def test_panstarrs_is_not_taken_for_sdss() -> None:
    for transform in (lupton, jordi):
        with pytest.raises(TypeError, match="of PanStarrs, this transform is for Sdss"):
            transform(panstarrs())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="this transform is for PanStarrs"):
        panstarrs_to_johnson(sdss())  # type: ignore[arg-type]


def test_the_trap_is_a_tenth_of_a_magnitude_for_a_red_star() -> None:
    red = panstarrs(g=MAG_R + 1.2)
    right = lupton(panstarrs_to_sdss(red))
    wrong = lupton(Sdss(g=red.g, r=red.r, i=red.i, z=red.z))
    assert float(right.B.value - wrong.B.value) > 0.2
    # Both ways from Pan-STARRS agree within the scatter of their fits.
    direct = panstarrs_to_johnson(panstarrs())
    through = lupton(panstarrs_to_sdss(panstarrs()))
    for name in "BVRI":
        one, other = getattr(direct, name), getattr(through, name)
        assert abs(float(one.value - other.value)) < 0.05


def test_arrays_go_through_and_missing_bands_stay_missing() -> None:
    found = panstarrs_to_johnson(PanStarrs(g=band([16.0, np.nan]), r=band([15.4, 15.0], 0.02),
                                           i=band([15.2, 14.8])))
    assert np.isfinite(found.V.value).tolist() == [True, False]
    assert found.R.err.shape == (2,)
