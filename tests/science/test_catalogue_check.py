"""Catalogue magnitudes that are wrong: by hand, then as often as they should be found."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.catalogue_check import catalogue_offsets


def offsets(off: list[float], *, frames: int = 1, prior: float = 0.01,
            noise: float = 0.005) -> tuple[np.ndarray, np.ndarray]:
    """(offset, is_wrong) of stars whose catalogue magnitudes are off by so much."""
    rng = np.random.default_rng(frames)
    z = 21.0 + np.array(off) + rng.normal(0.0, 0.3, (frames, 1))  # each frame's transparency
    found = catalogue_offsets(z, np.full(z.shape, noise), np.full(len(off), prior))
    return found.offset, found.is_wrong


@pytest.mark.parametrize("frames", [1, 8])
def test_a_star_that_is_half_a_magnitude_off_is_named(frames: int) -> None:
    offset, wrong = offsets([0.0, 0.01, 0.5, -0.01, 0.0], frames=frames)
    assert offset[2] == pytest.approx(0.5, abs=0.01)
    assert wrong.tolist() == [False, False, True, False, False]


def test_of_three_stars_the_one_that_two_agree_against_is_named() -> None:
    assert offsets([0.3, 0.0, 0.005])[1].tolist() == [True, False, False]


def test_of_two_stars_none_is_named_and_by_how_much_they_differ_is_said() -> None:
    offset, wrong = offsets([0.25, -0.25])
    assert offset == pytest.approx([0.5, -0.5])
    assert not wrong.any()


def test_two_wrong_stars_are_both_named_and_hide_no_other() -> None:
    assert offsets([0.0, 0.6, -0.4, 0.0, 0.01, -0.01])[1].tolist() == [
        False, True, True, False, False, False]


def test_authors_may_differ_by_three_hundredths_however_small_their_errors() -> None:
    assert not offsets([0.0, 0.0, 0.028, 0.0], prior=0.001)[1].any()
    assert offsets([0.0, 0.0, 0.04, 0.0], prior=0.001)[1].tolist() == [False, False, True, False]


def test_a_star_that_is_measured_nowhere_is_unknown_and_one_alone_too() -> None:
    z = np.array([[21.0, np.nan, 21.0]])
    found = catalogue_offsets(z, np.full(z.shape, 0.01), np.full(3, 0.01))
    assert np.isnan(found.offset).tolist() == [False, True, False]
    assert np.isnan(catalogue_offsets(z[:, :2], np.full((1, 2), 0.01), np.full(2, 0.01)).offset
                    ).all()


def test_honest_catalogues_are_rarely_called_wrong() -> None:
    rng = np.random.default_rng(8)
    said = sum(bool(offsets(list(rng.normal(0.0, 0.02, 5)), prior=0.02)[1].any())
               for _ in range(300))
    assert said <= 3
