"""Pixels above a level of a smoothed image: all of them, whichever way they are found."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science import smoothed as module
from iop4d.science.detect import gaussian_profile
from iop4d.science.smoothed import above

THREE = np.array([0.25, 0.5, 0.25], dtype=np.float32)
SHAPE = (300, 70)


def stars() -> tuple[np.ndarray, np.ndarray]:
    """An image with bright pixels at its corners, its edges, and where strips of rows meet; bad
    pixels, some of them bright ones."""
    rng = np.random.default_rng(5)
    image = rng.normal(0.0, 1.0, SHAPE).astype(np.float32)
    for row, column in ((0, 0), (0, 69), (299, 0), (299, 69), (0, 30), (299, 31), (127, 0),
                        (128, 69), (127, 12), (128, 40), (150, 20), (151, 20), (150, 21)):
        image[row, column] = 100.0
    bad = rng.random(SHAPE) < 0.02
    bad[150, 20] = bad[0, 0] = True
    return image, bad


def by_sums(image: np.ndarray, bad: np.ndarray | None, profile: np.ndarray) -> np.ndarray:
    half = profile.size // 2
    wide = np.pad(image if bad is None else np.where(bad, 0.0, image), half)
    tall = sum(w * wide[k:k + SHAPE[0]] for k, w in enumerate(profile))
    return np.asarray(sum(w * tall[:, k:k + SHAPE[1]] for k, w in enumerate(profile)))


@pytest.mark.parametrize("with_bad", [False, True])
@pytest.mark.parametrize("profile", [THREE, gaussian_profile(3.0)], ids=["3", "7"])
@pytest.mark.parametrize("part", [0.0, 10.0], ids=["all", "some"])
def test_what_is_above_is_what_sums_say(monkeypatch: pytest.MonkeyPatch, part: float,
                                        profile: np.ndarray, with_bad: bool) -> None:
    monkeypatch.setattr(module, "_FEW", part)
    image, bad = stars()
    index, smooth = above(image, level=3.0, profile=profile, bad=bad if with_bad else None)
    truth = by_sums(image, bad if with_bad else None, profile)
    assert index.size > 40
    assert index.tolist() == np.flatnonzero(truth > 3.0).tolist()
    assert smooth == pytest.approx(truth.ravel()[index], rel=1e-6)


@pytest.mark.parametrize("level", [3.0, 1.0, -0.5])
def test_both_ways_give_the_same_to_the_last_digit(monkeypatch: pytest.MonkeyPatch,
                                                   level: float) -> None:
    image, bad = stars()
    found = {}
    for part in (0.0, 10.0):
        monkeypatch.setattr(module, "_FEW", part)
        found[part] = above(image, level=level, profile=THREE, bad=bad)
    assert found[0.0][0].tolist() == found[10.0][0].tolist()
    assert found[0.0][1].tolist() == found[10.0][1].tolist()


def test_an_even_image_just_above_the_level_is_found() -> None:
    level = 7.3
    image = np.full(SHAPE, np.nextafter(np.float32(level), np.float32(9.0)), dtype=np.float32)
    index, _ = above(image, level=level, profile=gaussian_profile(3.0) * np.float32(1.000001))
    assert index.size > 200 * 60


def test_it_gives_up_where_too_many_pixels_are_above() -> None:
    image, _ = stars()
    with pytest.raises(ValueError, match="more than 20 pixels"):
        above(image, level=3.0, profile=THREE, most=20)
