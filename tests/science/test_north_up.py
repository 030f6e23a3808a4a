"""A star lies where the sky says, however the frame was turned."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.science.north_up import places, turned, window
from iop4d.science.tan import Wcs

RA, DEC = 330.68, 42.278
SCALE = 0.5 / 3600.0  # degrees per pixel


def frame(turn_deg: float, *, mirrored: bool = False) -> tuple[np.ndarray, Wcs]:
    """A frame of 600 x 500 px with a star 60 arcsec north and one 40 arcsec east of the middle."""
    t = math.radians(turn_deg)
    sign = 1.0 if mirrored else -1.0
    wcs = Wcs(ra0=RA, dec0=DEC, x0=300.0, y0=250.0,
              cd=((sign * SCALE * math.cos(t), SCALE * math.sin(t)),
                  (-sign * -SCALE * math.sin(t), SCALE * math.cos(t))))
    image = np.full((500, 600), 10.0, dtype=np.float32)
    for east, north, light in ((0.0, 60.0, 900.0), (40.0, 0.0, 500.0)):
        x, y = wcs.to_pixel(RA + east / 3600.0 / math.cos(math.radians(DEC)), DEC + north / 3600.0)
        i, j = round(float(x)), round(float(y))
        image[j - 1:j + 2, i - 1:i + 2] = light
    return image, wcs


@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, 181.0, 275.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_north_is_up_and_east_is_left(turn: float, mirrored: bool) -> None:
    image, wcs = frame(turn, mirrored=mirrored)
    x, y, nx, ny = window(wcs, image.shape, RA, DEC, 4.0)
    chart = turned(image[y:y + ny, x:x + nx], (x, y), wcs, RA, DEC, field_arcmin=4.0, size=240)
    assert chart[58:63, 118:123].max() > 800.0
    assert 400.0 < chart[118:123, 78:83].max() < 600.0
    assert np.nanmedian(chart) == 10.0


def test_places_are_those_of_the_picture() -> None:
    cos = math.cos(math.radians(DEC))
    x, y = places(np.array([RA, RA + 60.0 / 3600.0 / cos]), np.array([DEC + 60.0 / 3600.0, DEC]),
                  RA, DEC, field_arcmin=4.0, size=240)
    assert x == pytest.approx([120.0, 60.0], abs=0.05)
    assert y == pytest.approx([60.0, 120.0], abs=0.05)


def test_what_lies_outside_the_frame_has_no_value() -> None:
    image, wcs = frame(0.0)
    far = (RA, DEC + 1.0)
    assert window(wcs, image.shape, *far, 4.0)[2:] != (0, 4)
    chart = turned(image, (0, 0), wcs, RA, DEC + 240.0 / 3600.0, field_arcmin=6.0, size=90)
    assert np.isnan(chart[:30]).all()  # the north of the field is beyond the frame
    assert np.isfinite(chart[85, 45])
    assert window(wcs, image.shape, *far, 4.0)[3] == 0
