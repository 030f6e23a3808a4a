"""One or two pairs of a sub-frame are found on the night's whole frame, or nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.science.pair_places import place_pairs

Floats = NDArray[np.float64]
OFFSET = np.array([-209.0, 13.0])
SHAPE = (896, 1120)
ORIGIN = (1500.0, 1000.0)
AROUND = 187.0  # 25 arcsec


def whole(seed: int, stars: int) -> tuple[Floats, Floats]:
    """Both images of each star of a whole frame, and their fluxes; extraordinary ones first."""
    rng = np.random.default_rng(seed)
    place = rng.uniform((250.0, 50.0), (4100.0, 2800.0), (stars, 2))
    flux = np.sort(10 ** rng.uniform(3.0, 6.0, stars))[::-1]
    return np.concatenate([place, place + OFFSET]), np.concatenate([flux, 0.95 * flux])


def part(images: Floats, flux: Floats, moved: Floats, faintest: float) -> tuple[Floats, Floats]:
    """What a sub-frame whose telescope has moved shows: (n, 2, 2) of its pairs, and fluxes."""
    n = len(images) // 2
    pairs = np.stack([images[:n], images[n:]], axis=1) - ORIGIN - moved
    ny, nx = SHAPE
    inside = ((pairs > 5.0) & (pairs < (nx - 5.0, ny - 5.0))).all(axis=(1, 2))
    keep = inside & (flux[:n] > faintest)
    return pairs[keep], np.stack([flux[:n], flux[n:]], axis=1)[keep]


def found(seed: int, stars: int, moved: tuple[float, float]) -> tuple[float, float] | str | None:
    rng = np.random.default_rng(seed + 999)
    images, flux = whole(seed, stars)
    n = stars
    # So long exposed that two stars are seen.
    _, inside = part(images, flux, np.array(moved), 0.0)
    if len(inside) < 2:
        return "empty"
    pairs, mine = part(images, flux, np.array(moved), float(np.sort(inside[:, 0])[-2]) * 0.999)
    pairs = pairs + rng.normal(0.0, 0.3, pairs.shape)
    alone = images - ORIGIN - np.array(moved)
    alone = alone[(flux > mine.min()) & (alone > 5).all(axis=1)
                  & (alone < (SHAPE[1] - 5, SHAPE[0] - 5)).all(axis=1)]
    assert n > 0
    return place_pairs(pairs, 0.1 * mine, images + rng.normal(0, 0.3, images.shape), flux,
                       origin=ORIGIN, shape=SHAPE, around=AROUND,
                       every=np.concatenate([pairs.reshape(-1, 2), alone]))


@pytest.mark.parametrize("stars", [20, 80, 300])
def test_two_pairs_are_placed_where_the_telescope_has_moved_to_or_nowhere(stars: int) -> None:
    right = wrong = asked = 0
    for seed in range(20):
        moved = np.random.default_rng(seed).uniform(-100.0, 100.0, 2)
        place = found(seed, stars, (float(moved[0]), float(moved[1])))
        if place == "empty":
            continue
        asked += 1
        if place is not None:
            good = np.hypot(place[0] - ORIGIN[0] - moved[0], place[1] - ORIGIN[1] - moved[1]) < 1.5
            right += bool(good)
            wrong += not good
    assert wrong == 0
    assert right >= 0.8 * asked


def test_a_pair_of_another_brightness_ratio_or_a_missing_bright_star_is_no_match() -> None:
    images = np.array([[1900.0, 1400.0], [1691.0, 1413.0], [2300.0, 1600.0], [2091.0, 1613.0]])
    flux = np.array([100.0, 95.0, 5000.0, 4800.0])
    faint = (images[:2] - ORIGIN)[None]
    kwargs = {"origin": ORIGIN, "shape": SHAPE, "around": AROUND}
    assert place_pairs(faint, np.array([[1.0, 1.0]]), images, flux,
                       every=images - ORIGIN, **kwargs) is not None
    assert place_pairs(faint, np.array([[1.0, 1.0]]), images, flux,
                       every=faint[0], **kwargs) is None  # the bright one would be seen
    assert place_pairs(faint, np.array([[1.0, 3.0]]), images, flux,
                       every=images - ORIGIN, **kwargs) is None


STARS = np.array([[1900.0, 1400.0], [1691.0, 1413.0], [2300.0, 1600.0], [2091.0, 1613.0]])
PAIRS = (STARS - ORIGIN).reshape(2, 2, 2)


def test_what_has_one_image_alone_on_the_whole_frame_is_no_star_that_a_sub_frame_misses() -> None:
    """An old fault: a bright cosmic ray on the whole frame kept all sub-frames from their places.
    """
    images = np.concatenate([STARS, [[1950.0, 1500.0]]])
    flux = np.array([100.0, 95.0, 300.0, 290.0, 5000.0])
    shift = place_pairs(PAIRS, 0.1 * flux[:4].reshape(2, 2), images, flux, origin=ORIGIN,
                        shape=SHAPE, around=AROUND, every=PAIRS.reshape(-1, 2))
    assert shift == pytest.approx(ORIGIN, abs=1e-6)


def test_faint_stars_of_wide_images_are_matched_a_little_apart_and_count_for_less() -> None:
    """Of a star near the sky's noise neither the place nor the light is measured well."""
    flux = np.array([100.0, 95.0, 1000.0, 950.0])
    off = PAIRS + np.array([[[6.0, 0.0], [0.0, -6.0]], [[0.0, 0.0], [0.0, 0.0]]])
    seen = np.array([[0.4, 0.4], [10.0, 9.5]])  # of the faint one, less than half of its light
    known = {"origin": ORIGIN, "shape": SHAPE, "around": AROUND, "every": off.reshape(-1, 2)}
    assert place_pairs(off, seen, STARS, flux, **known) is None
    shift = place_pairs(off, seen, STARS, flux, fwhm=32.0, **known)
    assert shift == pytest.approx(ORIGIN, abs=0.5)
    assert place_pairs(off, seen * [[0.5], [1.0]], STARS, flux, fwhm=32.0, **known) is None
