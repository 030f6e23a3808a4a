"""Groups of pixels above the sky, stars parted, bumps of wings left out: as SEP does it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import sep

from iop4d.science import detect as module
from iop4d.science.connected import connected
from iop4d.science.deblend import with_several_maxima
from iop4d.science.detect import MIN_AREA, detect, gaussian_profile
from iop4d.science.isophotes import Isophotes, isophotes, without_wings
from tests.science.skies import gaussian_stars, moffat_stars

ALONE = np.ones(1, dtype=np.float32)  # a profile that does not smooth


def pixels(*rows: str) -> np.ndarray:
    return np.array([[float(c == "#") for c in row] for row in rows], dtype=np.float32)


def groups(image: np.ndarray, fewest: int = 1) -> list[list[int]]:
    found = connected(image, level=0.5, profile=ALONE, fewest=fewest)
    return [part.tolist() for part in np.split(found.index, found.first[1:])]


def test_pixels_that_touch_at_a_corner_are_one_group() -> None:
    assert groups(pixels("#...#",
                         ".#...",
                         "..#..")) == [[0, 6, 12], [4]]


def test_the_end_of_a_row_does_not_touch_the_beginning_of_the_next() -> None:
    assert groups(pixels("...#",
                         "....",
                         "#..#",
                         "....")) == [[3], [8], [11]]
    assert groups(pixels("...##",
                         "##...")) == [[3, 4], [5, 6]]


def test_arms_that_meet_below_are_one_group_and_small_ones_are_left_out() -> None:
    image = pixels("#.#.#..#",
                   "#.#.#...",
                   "#####..#")
    assert groups(image) == [sorted(i for i in np.flatnonzero(image).tolist() if i % 8 < 5),
                             [7], [23]]
    assert len(groups(image, fewest=2)) == 1


def test_blocks_of_rows_are_smoothed_as_one_image() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(0.0, 1.0, (101, 40)).astype(np.float32)
    profile = gaussian_profile(3.0)
    found = connected(image, level=-99.0, profile=profile, fewest=1)
    wide = np.pad(image, profile.size // 2)
    half = profile.size // 2
    tall = sum(w * wide[k:k + 101] for k, w in enumerate(profile))
    truth = sum(w * tall[:, k:k + 40] for k, w in enumerate(profile))
    assert found.index.tolist() == list(range(image.size))
    assert half == 3
    assert found.smooth.reshape(image.shape) == pytest.approx(truth, abs=1e-6)


def test_the_faintest_pixel_that_a_source_needs_is_known() -> None:
    image = np.array([[9.0, 7.0, 0.0, 3.0, 0.0],
                      [5.0, 7.0, 0.0, 4.0, 0.0]], dtype=np.float32)
    found = connected(image, level=2.0, profile=ALONE, fewest=1)
    assert isophotes(found, level=2.0, width=5, fewest=1).faintest.tolist() == [7.0, 2.0]
    assert isophotes(found, level=2.0, width=5, fewest=2).faintest.tolist() == [5.0, 1.0]
    assert isophotes(found, level=2.0, width=5, fewest=4).faintest.tolist() == [3.0, -np.inf]


def crowd(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(4.0, 215.0, (2, 160))
    image = np.zeros((220, 220), dtype=np.float32)
    for a, b, flux in zip(x, y, 10.0 ** rng.uniform(2.3, 5.0, x.size), strict=True):
        row, column = max(round(b) - 25, 0), max(round(a) - 25, 0)
        cut = image[row:row + 51, column:column + 51]
        cut += moffat_stars(cut.shape, np.array([a - column]), np.array([b - row]),
                            np.array([flux]), np.array([3.3]), 3.0)
    return (image + rng.normal(0.0, 4.0, image.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_crowded_field_has_the_stars_that_sep_finds(seed: int) -> None:
    image = crowd(seed)
    found = detect(image, sigma=4.0, threshold=5.0)
    theirs = sep.extract(image, 20.0, minarea=MIN_AREA, filter_type="conv")
    near = np.hypot(found.x[:, None] - theirs["x"], found.y[:, None] - theirs["y"])
    same = near.min(axis=0) < 1e-4
    assert len(theirs) > 80
    # The few others are the faintest, near bright stars: what SEP takes for their fifth
    # brightest pixel depends on the order in which it met the pixels.
    assert same.mean() > 0.97
    assert len(found) == pytest.approx(len(theirs), abs=3)
    # SEP deals the outer pixels of a blend to its stars by lot, in another order here.
    alone = same & (theirs["flag"] & sep.OBJ_MERGED == 0)
    blend = same & ~alone
    assert min(alone.sum(), blend.sum()) > 30
    for mine, other in ((found.flux, theirs["flux"]), (found.peak, theirs["peak"]),
                        (found.radius, np.sqrt(theirs["a"] * theirs["b"]))):
        assert mine[near.argmin(axis=0)[alone]] == pytest.approx(other[alone], rel=1e-4)
        off = mine[near.argmin(axis=0)[blend]] / other[blend] - 1.0
        assert abs(np.mean(off)) < 0.01
        assert np.sqrt(np.mean(off**2)) < 0.1


def test_a_group_with_one_maximum_needs_no_parting(monkeypatch: pytest.MonkeyPatch) -> None:
    image = gaussian_stars((80, 80), np.array([20.3, 55.0]), np.array([30.0, 60.7]),
                           np.array([4e4, 9e3]), 4.0).astype(np.float32)
    monkeypatch.setattr(module, "parted", None)
    assert len(detect(image, sigma=5.0, threshold=5.0)) == 2


@pytest.mark.parametrize("x", [1.0, 40.0, 72.0])
def test_two_stars_of_one_group_are_two_also_at_the_edge(x: float) -> None:
    stars = (np.array([x, x + 5.8]), np.array([1.5, 3.0]))
    image = gaussian_stars((60, 80), *stars, np.array([4e4, 3e4]), 3.5).astype(np.float32)
    profile = np.array([0.25, 0.5, 0.25], dtype=np.float32)
    group = connected(image, level=25.0, profile=profile, fewest=MIN_AREA)
    assert with_several_maxima(group, image.shape).tolist() == [0]
    found = detect(image, sigma=5.0, threshold=5.0)
    assert len(found) == 2
    assert found.edge.all()
    for a, b in zip(*stars, strict=True):
        assert np.hypot(found.x - a, found.y - b).min() < 0.7


def test_bad_pixels_count_as_nothing() -> None:
    image = gaussian_stars((60, 60), np.array([30.0]), np.array([30.0]), np.array([4e4]),
                           3.5).astype(np.float32)
    bad = np.zeros(image.shape, dtype=bool)
    bad[25:36, 25:36] = True
    assert len(detect(image, sigma=5.0, threshold=5.0)) == 1
    assert len(detect(image, sigma=5.0, threshold=5.0, bad=bad)) == 0


def test_a_frame_that_is_one_large_source_is_refused_before_its_pixels_are_kept(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 20_000)
    image = np.full((2000, 1000), 100.0, dtype=np.float32)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="gave up: more than 20000 pixels stand above"):
            detect(image, sigma=5.0, threshold=5.0)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < image.nbytes / 4


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (2, 2), (33, 34)])
def test_a_frame_that_is_above_the_threshold_as_a_whole_is_one_source(
        shape: tuple[int, int]) -> None:
    found = detect(np.full(shape, 1000.0, dtype=np.float32), sigma=5.0, threshold=5.0)
    assert len(found) == (shape[0] * shape[1] >= MIN_AREA)
    assert found.x == pytest.approx([(shape[1] - 1) / 2] * len(found))
    assert found.y == pytest.approx([(shape[0] - 1) / 2] * len(found))
    assert found.edge.all()
    assert np.isfinite([found.radius, found.elongation, found.flux]).all()


def test_a_pixel_without_a_value_takes_nothing_but_itself_and_its_neighbours() -> None:
    image = np.zeros((60, 60), dtype=np.float32)
    image[10:20, 10:20] = image[40:50, 40:50] = 100.0
    image[14, 14] = np.nan
    found = detect(image, sigma=5.0, threshold=5.0)
    assert len(found) == 2
    assert sorted(found.flux) == pytest.approx([100.0 * (100 - 9), 100.0 * 100], rel=1e-6)


def test_wide_sources_with_many_others_within_reach_need_little_memory() -> None:
    rng = np.random.default_rng(1)
    count, none = 4000, np.zeros(4000, dtype=np.intp)
    wide = np.where(np.arange(count) < 100, 3600.0, 2.0)
    light = rng.uniform(1e2, 1e5, count)
    found = Isophotes(
        x=rng.uniform(0.0, 900.0, count), y=rng.uniform(0.0, 900.0, count), xx=wide, yy=wide,
        xy=0.0 * wide, flux=light, smooth_flux=light, peak=rng.uniform(50.0, 1e4, count),
        pixels=none + 20, core=none - 5, faintest=rng.uniform(1.0, 50.0, count), left=none,
        right=none, bottom=none, top=none, peak_at=none, smooth_peak_at=none)
    tracemalloc.start()
    try:
        stays = without_wings(found, level=25.0)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < stays.sum() < count
    assert most < 16e6
