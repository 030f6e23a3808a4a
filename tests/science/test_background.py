"""The sky of an image: its level, noise and slope, as SEP has them from histograms."""

from __future__ import annotations

import numpy as np
import pytest
import sep

from iop4d.science import background as module
from iop4d.science.background import Background, background
from iop4d.simulator.camera import Psf, star_light

SIGMA = 5.0


def noise(shape: tuple[int, int], seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (100.0 + SIGMA * rng.standard_normal(shape)).astype(np.float32)


def field(stars: int, shape: tuple[int, int] = (256, 512), seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.0, 1.0, (2, stars)) * np.array([[shape[1]], [shape[0]]])
    flux = 10.0 ** (2.2 + rng.exponential(0.45, stars))
    if not stars:
        return noise(shape, seed)
    light = star_light(x, y, flux, Psf(fwhm_px=3.5, ellipticity=0.05), shape)
    return (noise(shape, seed) + light).astype(np.float32)


def both(image: np.ndarray, bad: np.ndarray | None = None) -> tuple[Background, sep.Background]:
    return (background(image, bad, rows=16, columns=64),
            sep.Background(image, mask=bad, bw=64, bh=16))


@pytest.mark.parametrize("stars", [0, 60, 250, 1000])
def test_level_noise_and_map_are_sep_s_to_a_small_part_of_their_errors(stars: int) -> None:
    mine, theirs = both(field(stars))
    assert mine.sigma == pytest.approx(theirs.globalrms, rel=0.006)
    assert mine.level == pytest.approx(theirs.globalback, abs=0.01 * SIGMA)
    # The map of the plain sky itself is uncertain by 0.03 sigma in its middle, 0.06 at its rim.
    assert np.std(mine.at_pixels() - theirs.back()) < 0.012 * SIGMA


def test_the_map_is_as_near_to_the_truth_as_sep_s() -> None:
    off: dict[str, list[np.ndarray]] = {"mine": [], "sep": []}
    for seed in range(12):
        mine, theirs = both(noise((256, 512), seed))
        off["mine"].append(mine.at_pixels() - 100.0)
        off["sep"].append(theirs.back() - 100.0)
    assert np.std(off["mine"]) == pytest.approx(np.std(off["sep"]), rel=0.02)
    assert abs(np.mean(off["mine"])) < 0.01 * SIGMA


def test_a_slope_is_followed_to_the_rim() -> None:
    rows, columns = np.mgrid[:300, :470]
    slope = 100.0 + 0.2 * rows - 0.1 * columns
    rng = np.random.default_rng(3)
    image = (slope + 0.1 * rng.standard_normal(slope.shape)).astype(np.float32)
    found = background(image, None, rows=20, columns=47).at_pixels()
    assert found.dtype == np.float32
    assert np.abs(found - slope)[20:-20, 47:-47].max() < 0.2
    # The last cells of the sides are narrower: 300 is no multiple of 64.
    uneven = background(noise((300, 470)), None, rows=64, columns=64)
    assert uneven.cells.shape == (5, 8)
    assert uneven.at_pixels().shape == (300, 470)
    assert uneven.cells == pytest.approx(100.0, abs=0.6 * SIGMA)


def test_what_is_no_sky_does_not_count() -> None:
    image, bad = noise((128, 256)), np.zeros((128, 256), dtype=bool)
    truth = background(image, None, rows=16, columns=64)
    bad[20:30, 10:50] = bad[64:96, 64:200] = True
    dirty = image.copy()
    dirty[bad] = 1e6
    dirty[5, 5:9] = np.nan, np.inf, -np.inf, 4e4
    found = background(dirty, bad, rows=16, columns=64)
    assert found.level == pytest.approx(truth.level, abs=0.1 * SIGMA)
    assert found.sigma == pytest.approx(truth.sigma, rel=0.03)
    assert np.abs(found.at_pixels() - 100.0).max() < SIGMA
    theirs = sep.Background(np.where(bad, 0.0, image).astype(np.float32), mask=bad, bw=64, bh=16)
    assert np.std(found.at_pixels() - theirs.back()) < 0.03 * SIGMA


def test_a_value_far_beyond_all_takes_no_digits_from_the_others() -> None:
    image = noise((128, 256))
    truth = background(image, None, rows=16, columns=64)
    image[::16, ::64], image[8::16, ::64] = -1e25, 1e25
    found = background(image, None, rows=16, columns=64)
    assert found.sigma == pytest.approx(truth.sigma, rel=0.003)
    assert found.level == pytest.approx(truth.level, abs=0.02 * SIGMA)


def test_a_cell_without_usable_pixels_is_as_the_nearest() -> None:
    image, bad = noise((64, 64)), np.zeros((64, 64), dtype=bool)
    image[:, 32:] += 50.0
    bad[:16, :16] = True
    cells = background(image, bad, rows=16, columns=16).cells
    assert cells[0, 0] == pytest.approx(100.0, abs=0.5 * SIGMA)
    assert cells[0, 3] == pytest.approx(150.0, abs=0.5 * SIGMA)
    nothing = background(image, np.ones((64, 64), dtype=bool), rows=16, columns=16)
    assert (nothing.level, nothing.sigma) == (0.0, 1.0)
    assert not nothing.at_pixels().any()


@pytest.mark.parametrize("shape", [(1, 1), (10, 30), (10, 200), (200, 30), (17, 65), (48, 192)])
def test_few_cells_are_enough(shape: tuple[int, int]) -> None:
    found = background(np.full(shape, 7.0, dtype=np.float32), None, rows=16, columns=64)
    assert (found.level, found.sigma) == (7.0, 1.0)
    assert found.at_pixels() == pytest.approx(np.full(shape, 7.0))


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.5])
def test_whole_numbers_have_the_noise_that_sep_sees(sigma: float) -> None:
    rng = np.random.default_rng(4)
    image = np.rint(50.3 + sigma * rng.standard_normal((128, 256))).astype(np.float32)
    mine, theirs = both(image)
    assert mine.sigma == pytest.approx(theirs.globalrms, rel=0.02)
    assert mine.level == pytest.approx(theirs.globalback, abs=0.1)


def test_bands_of_cells_are_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    image = field(100, (250, 300))
    bad = np.random.default_rng(5).random(image.shape) < 0.1
    whole = background(image, bad, rows=16, columns=64)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    assert background(image, bad, rows=16, columns=64).cells.tolist() == whole.cells.tolist()
