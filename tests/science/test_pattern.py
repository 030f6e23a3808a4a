"""The fixed pattern of a detector, of which every pixel is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.pattern import fixed_pattern

SHAPE = (60, 80)
SIGMA = 3.0


def frames(count: int, *, moves: float = 4.0) -> np.ndarray:
    """Sky-free frames with a bright star that moves on, and pixels that stay."""
    rng = np.random.default_rng(5)
    cube = rng.normal(0.0, SIGMA, (count, *SHAPE)).astype(np.float32)
    rows, columns = np.indices(SHAPE)
    for n in range(count):
        cube[n] += 5000.0 * np.exp(-((rows - 30) ** 2 + (columns - 10 - moves * n) ** 2) / 4.0)
    cube[:, 7, 9] += 40.0  # hot
    cube[:, 50, 60] += 3000.0  # so hot that its noise drowns a star
    cube[:, 20, 70] -= 30.0  # dead: it lacks the light of the sky
    cube[:, :, 33] = np.nan  # a column that is not measured
    return cube


def test_a_hot_pixel_is_its_excess_a_dead_or_wild_one_is_bad_and_no_star_is_left() -> None:
    pattern = fixed_pattern(frames(16), SIGMA)
    assert pattern[7, 9] == pytest.approx(40.0, abs=4 * 1.25 * SIGMA / 4)
    assert np.isnan(pattern[50, 60])
    assert np.isnan(pattern[20, 70])
    assert np.isnan(pattern[:, 33]).all()
    assert pattern[30, 10] == 0.0  # where the star stood first
    others = np.delete(pattern, 33, axis=1)
    assert np.count_nonzero(np.nan_to_num(others)) == 1  # 4,700 sound pixels change nothing


def test_more_frames_show_a_fainter_excess() -> None:
    cube = frames(16)
    cube[:, 40, 40] += 4.0
    assert fixed_pattern(cube[:4], SIGMA)[40, 40] == 0.0
    assert fixed_pattern(np.concatenate([cube] * 4), SIGMA)[40, 40] > 2.0
