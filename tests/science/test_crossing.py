"""A trail or a spike across an aperture is found; stars, crowds and wide PSFs are no lines."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.model.flags import Flag
from iop4d.reduction.measure import place_source
from iop4d.science.aperture_check import Checked, measure_checked
from iop4d.science.crossing import line_across
from iop4d.simulator.camera import Psf, star_light
from tests.science.skies import NoisyField, noisy_field


def check(field: NoisyField, star: int) -> tuple[Checked, Flag]:
    place = place_source(field.pixels, "T", float(field.x[star]), float(field.y[star]))
    checked = measure_checked(field.pixels, place.x, place.y, field.aperture, own=place.own)
    return checked, checked.flux.flags | place.flags


def crossed(fwhm: float, part: float, apart: float, seed: int) -> NoisyField:
    """A field where a trail passes star 3 at ``apart`` FWHM; an aperture in its middle would get
    ``part`` of the star's light from it."""
    turn = np.random.default_rng(seed).uniform(0.0, np.pi)
    wide = fwhm / 2.3548

    def trail(image: np.ndarray, x: int, y: int, flux: float) -> None:
        rows, columns = np.indices(image.shape)
        off = (columns - x) * np.sin(turn) - (rows - y) * np.cos(turn) - apart * fwhm
        light = part * flux / (2.0 * 1.274 * fwhm) * np.exp(-0.5 * (off / wide) ** 2) / (
            wide * np.sqrt(2.0 * np.pi))
        image += light + np.sqrt(light / 4.5) * np.random.default_rng(seed).normal(
            size=light.shape)

    return noisy_field(fwhm, change=trail, stars=[3], seed=seed)


@pytest.mark.parametrize("fwhm", [1.6, 3.5])
@pytest.mark.parametrize("part", [0.05, 1.0])
def test_a_trail_across_a_star_is_told_or_within_five_errors(fwhm: float, part: float) -> None:
    """An old fault: one as bright as the star gave 0.7 mag, 276 errors, and no flag."""
    for seed, apart in ((1, 0.0), (2, 1.2)):
        truth = check(noisy_field(fwhm, seed=seed), 3)[0].flux.flux
        checked, flags = check(crossed(fwhm, part, apart, seed), 3)
        far = abs(checked.flux.flux - truth) > 5.0 * checked.flux.flux_err
        assert not far or flags & Flag.BAD_PIXELS, (seed, apart)


@pytest.mark.parametrize("made", [{}, {"ellipticity": 0.5}, {"hollow": True}])
def test_few_clean_stars_have_a_line_across(made: dict[str, float]) -> None:
    found = [bool(check(field, star)[1] & Flag.BAD_PIXELS)
             for field in (noisy_field(fwhm, seed=60, **made) for fwhm in (1.6, 3.5))
             for star in range(0, 36, 2)]
    assert sum(found) <= 1


def test_the_light_of_a_line_is_what_it_adds() -> None:
    rng = np.random.default_rng(5)
    columns = np.indices((120, 120))[1]
    image = rng.normal(0.0, 1.0, (120, 120)) + 20.0 * np.exp(-0.5 * ((columns - 60.0) / 1.2) ** 2)
    line = line_across(image.astype(np.float32), 60.0, 60.0, radius=3.6, annulus=(6.0, 11.0),
                       fwhm=2.8, sigma=1.0)
    assert line is not None
    assert line.light == pytest.approx(20.0 * 1.2 * np.sqrt(2.0 * np.pi) * 7.2, rel=0.1)


def test_stars_in_a_row_a_galaxy_and_the_edge_are_no_lines() -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(0.0, 1.0, (120, 120))
    psf = Psf(fwhm_px=2.8)
    for x, flux in (([52.0], [1e4]), ([52.0, 68.0], [1e4, 3e3])):
        row = star_light(np.array(x), np.full(len(x), 60.0), np.array(flux), psf, (120, 120))
        assert line_across((noise + row).astype(np.float32), 60.0, 60.0, radius=3.6,
                           annulus=(6.0, 11.0), fwhm=2.8, sigma=1.0) is None
    rows, columns = np.indices((120, 120)) - 60.0
    galaxy = 200.0 * np.exp(-np.hypot(rows, columns) / 4.0)
    for x in (60.0, 2.0):
        assert line_across((noise + galaxy).astype(np.float32), x, 60.0, radius=3.6,
                           annulus=(6.0, 11.0), fwhm=2.8, sigma=1.0) is None
