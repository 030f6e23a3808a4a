"""Which stars can calibrate, and their Johnson-Cousins magnitudes, each formula by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from iop4d.science.calibrators import (
    Band,
    FieldStars,
    PanStarrs,
    band,
    choose,
    neighbours_light,
    panstarrs_to_johnson,
)

RA, DEC = 330.0, 42.0


def field(count: int = 1) -> FieldStars:
    """Good stars of r = 15 in a row to the north, half an arcminute apart."""
    return FieldStars(
        ra=np.full(count, RA), dec=DEC + (1.0 + np.arange(count)) / 120.0,
        mags=PanStarrs(g=band(np.full(count, 15.5), 0.003), r=band(np.full(count, 15.0), 0.003),
                       i=band(np.full(count, 14.8), 0.003)),
        detections=np.full(count, 40.0), scatter=np.full((count, 3), 0.005),
        extended=np.zeros(count))


def with_r(stars: FieldStars, **values: float) -> FieldStars:
    """Stars with other r magnitudes; ``s1=14``: of star 1."""
    r = stars.mags.r.value.copy()
    for name, value in values.items():
        r[int(name[1:])] = value
    return dataclasses.replace(stars, mags=dataclasses.replace(stars.mags, r=band(r, 0.003)))


def test_good_stars_are_chosen() -> None:
    found = choose(field(5), RA, DEC)
    assert found.chosen.all()
    assert set(found.why_not) == {""}
    assert found.distance_arcmin == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.5])


def test_each_rule_has_its_limit() -> None:
    stars = with_r(field(6), s0=13.0, s1=18.0, s2=13.01, s3=17.99)
    assert choose(stars, RA, DEC).chosen.tolist() == [False, False, True, True, True, True]
    assert choose(stars, RA, DEC).why_not[0] == "not 13 < r < 18"
    few = dataclasses.replace(field(3), detections=np.array([10.0, 9.0, np.nan]))
    assert choose(few, RA, DEC).chosen.tolist() == [True, False, False]
    far = choose(field(8), RA, DEC, radius_arcmin=2.0)
    assert far.chosen.sum() == 4
    assert far.why_not[7] == "outside the field"
    galaxy = dataclasses.replace(field(2), extended=np.array([0.06, np.nan]))
    assert choose(galaxy, RA, DEC).why_not == ("a galaxy", "")


def test_scatter_must_be_small_in_all_three_bands_and_known() -> None:
    scatter = np.full((4, 3), 0.005)
    scatter[0, 2], scatter[1, 1], scatter[2, 0] = 0.01, np.nan, 0.0099
    stars = dataclasses.replace(field(4), scatter=scatter)
    assert choose(stars, RA, DEC).chosen.tolist() == [False, False, True, True]
    relaxed = choose(stars, RA, DEC, demand_scatter=False)
    assert relaxed.chosen.tolist() == [False, True, True, True]


def test_a_known_blazar_is_none() -> None:
    stars = field(3)
    found = choose(stars, RA, DEC, known=(stars.ra[1:2], stars.dec[1:2] + 2.0 / 3600.0))
    assert found.why_not == ("", "a known source", "")


@pytest.mark.parametrize(("fainter", "arcsec", "kept"), [
    (5.1, 5.0, True), (4.9, 5.0, False), (4.9, 11.0, True), (0.0, 9.9, False)])
def test_a_neighbour_of_one_percent(fainter: float, arcsec: float, *, kept: bool) -> None:
    stars = with_r(field(2), s1=15.0 + fainter)
    stars = dataclasses.replace(stars, dec=np.array([stars.dec[0],
                                                     stars.dec[0] + arcsec / 3600.0]))
    assert choose(stars, RA, DEC).chosen[0] == kept
    light = 10.0 ** (-0.4 * fainter) if arcsec <= 10.0 else 0.0
    assert neighbours_light(stars) == pytest.approx([light, light and 1.0 / light])
    alone = dataclasses.replace(stars, detections=np.array([40.0, 2.0]))
    assert choose(alone, RA, DEC).chosen[0]


def test_a_neighbour_without_r_counts_by_another_band() -> None:
    stars = with_r(field(2), s1=np.nan)
    stars = dataclasses.replace(stars, dec=np.array([stars.dec[0], stars.dec[0] + 0.001]))
    assert not choose(stars, RA, DEC).chosen.any()


def test_an_empty_list_gives_nothing() -> None:
    assert choose(field(0), RA, DEC).why_not == ()


MAG_G, MAG_R, MAG_I, MAG_Z = 16.0, 15.4, 15.2, 15.1  # x = g - r = 0.6, r - i = 0.2, i - z = 0.1
E = 0.01


def panstarrs(g: float = MAG_G) -> PanStarrs:
    return PanStarrs(g=band(g, E), r=band(MAG_R, E), i=band(MAG_I, E), z=band(MAG_Z, E))


def values(one: object, names: str) -> list[float]:
    return [float(getattr(one, name).value) for name in names]


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


def test_arrays_go_through_and_missing_bands_stay_missing() -> None:
    found = panstarrs_to_johnson(PanStarrs(g=band([16.0, np.nan]), r=band([15.4, 15.0], 0.02),
                                           i=band([15.2, 14.8])))
    assert np.isfinite(found.V.value).tolist() == [True, False]
    assert found.R.err.shape == (2,)
