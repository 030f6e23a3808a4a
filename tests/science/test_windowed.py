"""Windowed centroids: where the light is, as SExtractor's, in fewer steps."""

from __future__ import annotations

import numpy as np
import pytest
import sep

from iop4d.science import windowed as module
from iop4d.science.squares import cut_squares
from iop4d.science.windowed import windowed
from iop4d.simulator.camera import Psf, star_light
from tests.science.skies import gaussian_stars, grid

SHAPE = (330, 330)


def starfield(fwhm: float, *, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, y of Moffat stars far apart, their image with the noise of sky and light)."""
    rng = np.random.default_rng(seed)
    x, y = grid(12, SHAPE[0], rng)
    flux = np.exp(rng.uniform(np.log(3e3), np.log(3e5), x.size))
    light = star_light(x, y, flux, Psf(fwhm_px=fwhm, ellipticity=0.05), SHAPE)
    noise = np.sqrt(10.0**2 + light / 4.0) * rng.standard_normal(SHAPE)
    return x, y, (light + noise).astype(np.float32)


@pytest.mark.parametrize("fwhm", [3.0, 5.0, 9.0])
def test_a_gaussian_star_is_found_where_it_is(fwhm: float) -> None:
    x, y = np.array([60.3, 150.0, 201.5]), np.array([45.7, 120.5, 260.0])
    image = gaussian_stars(SHAPE, x, y, np.full(3, 1e5), fwhm)
    found = windowed(image, x + 0.5, y - 0.4, sigma=fwhm / 2.3548, farthest=1.0)
    assert np.hypot(found[0] - x, found[1] - y).max() < 2e-4


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("fwhm", [1.8, 3.1, 4.2, 8.0])
def test_centroids_are_sep_s_to_a_hundredth_of_their_error(fwhm: float) -> None:
    """The two are as far from the truth, and much nearer to each other."""
    x, y, image = starfield(fwhm)
    begin = x + 0.2 * np.cos(np.arange(x.size)), y + 0.2 * np.sin(np.arange(x.size))
    mine = windowed(image, *begin, sigma=fwhm / 2.3548, farthest=1.0)
    theirs = sep.winpos(image, *begin, fwhm / 2.3548, subpix=0)[:2]
    apart = np.hypot(*np.subtract(mine, theirs))
    off, sep_off = (np.hypot(a - x, b - y) for a, b in (mine, theirs))
    assert rms(apart) < 0.01 * rms(off)
    assert np.median(apart) < 3e-4
    assert rms(off) == pytest.approx(rms(sep_off), rel=5e-3)
    assert np.median(off) == pytest.approx(np.median(sep_off), rel=5e-3)


def test_a_cosmic_ray_has_the_centroid_of_its_light_where_steps_of_two_swing() -> None:
    image = np.zeros((60, 60), dtype=np.float32)
    image[30, 30:32] = 400.0, 300.0
    begin = (np.array([30.2]), np.array([30.0]))
    x, y = windowed(image, *begin, sigma=1.8, farthest=1.0)
    assert (x[0], y[0]) == (pytest.approx(30.0 + 3.0 / 7.0, abs=0.01), pytest.approx(30.0))
    again = windowed(image, x, y, sigma=1.8, farthest=1.0)
    assert again[0][0] == pytest.approx(x[0], abs=1e-5)
    swinging = sep.winpos(image, *begin, 1.8, subpix=0)
    further = sep.winpos(image, *swinging[:2], 1.8, subpix=0)
    assert abs(further[0][0] - swinging[0][0]) > 1e-4


def test_a_few_steps_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, image = starfield(4.0)
    whole = windowed(image, x, y, sigma=1.7, farthest=1.0)
    monkeypatch.setattr(module, "_SETTLED", 1e-9)
    monkeypatch.setattr(module, "_STEPS", 30)
    further = windowed(image, x, y, sigma=1.7, farthest=1.0)
    assert np.isfinite(further).all()
    assert np.abs(np.subtract(whole, further)).max() < 1e-5


def test_what_slides_away_or_has_no_light_has_no_centroid() -> None:
    image = gaussian_stars((80, 80), np.array([40.0, 44.0]), np.array([40.0, 40.0]),
                           np.array([100.0, 1e6]), 4.0)
    image[:, :20] = -1.0
    x, y = windowed(image, np.array([40.0, 8.0, 44.1]), np.array([40.0, 40.0, 40.1]), sigma=1.7,
                    farthest=1.0)
    assert np.isnan(x).tolist() == np.isnan(y).tolist() == [True, True, False]


@pytest.mark.parametrize("at", [(0.4, 20.0), (39.2, 0.3), (20.0, 39.0)])
def test_a_star_at_the_edge_has_sep_s_centroid(at: tuple[float, float]) -> None:
    x, y = np.array([at[0]]), np.array([at[1]])
    image = gaussian_stars((40, 40), x, y, np.array([1e5]), 4.0)
    found = windowed(image, x, y, sigma=1.7, farthest=3.0)
    theirs = sep.winpos(image, x, y, 1.7, subpix=0)
    assert np.hypot(found[0] - theirs[0], found[1] - theirs[1])[0] < 1e-3


def test_squares_stay_in_the_image() -> None:
    image = np.arange(30.0, dtype=np.float32).reshape(5, 6)
    squares = cut_squares(image, np.array([2.4, 0.0, 5.0]), np.array([1.6, 0.0, 4.0]), half=1)
    assert squares.left.tolist() == [1, 0, 3]
    assert squares.bottom.tolist() == [1, 0, 2]
    assert squares.pixels[:, 0].tolist() == [[7.0, 8.0, 9.0], [0.0, 1.0, 2.0], [15.0, 16.0, 17.0]]
    assert squares.pixels.dtype == np.float64
    narrow = cut_squares(image, np.array([2.0]), np.array([2.0]), half=4)
    assert narrow.pixels.tolist() == [image.tolist()]
