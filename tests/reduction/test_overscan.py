"""Overscan: its level is subtracted row by row, its pixels are left out, saturation stays raw."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from iop4d.fits.overscan import trimmed
from iop4d.fits.read import RawImage
from iop4d.model.errors import FrameError
from iop4d.model.frame import Detector, FrameFacts, FrameKind
from iop4d.reduction.masters import MasterSet, calibrate_pixels

FACTS = FrameFacts(telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2022-09-08",
                   jd_start=2459831.5, exptime_s=60.0, shape=(300, 200))
#: Pixels 5 to 14 of each row are overscan, 21 to 220 see light.
STRIP = replace(FACTS, detector=Detector(trim=(20, 220, 0, 300), overscan=(4, 14, 0, 300)))


def exposed(light: float, rng: np.random.Generator) -> np.ndarray:
    """A level that drifts by 60 ADU from the first row to the last, noise of 5 ADU, and light."""
    level = 500.0 + np.linspace(0.0, 60.0, 300)[:, None]
    pixels = level + rng.normal(0.0, 5.0, (300, 240))
    pixels[:, 20:220] += light
    return pixels


def test_a_level_that_drifts_along_the_rows_is_gone() -> None:
    raw = RawImage(stored=exposed(1000.0, np.random.default_rng(1)))
    image = trimmed(raw, STRIP).rows()
    assert image.shape == (300, 200)
    by_row = image.mean(axis=1)
    # 10 pixels' medians over 51 rows: 5 ADU / sqrt(510) x 1.25 = 0.3 ADU, and the end of the drift
    assert by_row[60:-60] == pytest.approx(1000.0, abs=1.5)
    assert np.std(by_row[60:-60]) < 0.7
    assert by_row == pytest.approx(1000.0, abs=6.0)


def test_rows_are_turned_with_their_level_and_read_in_parts() -> None:
    raw = RawImage(stored=exposed(1000.0, np.random.default_rng(1)))
    upright, turned = (trimmed(raw, replace(STRIP, flipped=f)) for f in (False, True))
    assert np.array_equal(turned.rows(), upright.rows()[::-1])
    assert np.array_equal(turned.rows(100, 120), turned.rows()[100:120])


def test_a_strip_below_the_image_gives_each_column_its_level() -> None:
    raw = RawImage(stored=exposed(0.0, np.random.default_rng(1)).T)
    facts = replace(FACTS, shape=(200, 300), detector=Detector(
        trim=(0, 300, 20, 220), overscan=(0, 300, 4, 14)))
    assert trimmed(raw, facts).rows().mean(axis=0) == pytest.approx(0.0, abs=6.0)


def test_a_pixel_saturates_at_its_raw_value() -> None:
    stored = np.full((300, 240), 500.0)
    stored[10, 30], stored[10, 40] = 60000.0, 59999.0
    found = calibrate_pixels(trimmed(RawImage(stored=stored), STRIP), MasterSet(), exptime_s=1.0,
                             saturation_adu=60000.0)
    assert found.saturated is not None
    assert list(zip(*np.nonzero(found.saturated), strict=True)) == [(10, 10)]


def test_a_region_beyond_the_image_is_told() -> None:
    with pytest.raises(FrameError, match="has 100 x 300 pixels, less than its region"):
        trimmed(RawImage(stored=np.zeros((300, 100))), STRIP)


def test_pixels_above_the_linear_range_are_known_where_the_range_is() -> None:
    stored = np.array([[100, 30000, 50000]], dtype=np.uint16)
    known, unknown = (calibrate_pixels(RawImage(stored=stored), MasterSet(), exptime_s=1.0,
                                       saturation_adu=60000.0, linear_to_adu=linear)
                      for linear in (40000.0, math.nan))
    assert known.nonlinear is not None
    assert known.nonlinear.tolist() == [[False, False, True]]
    assert unknown.nonlinear is None
