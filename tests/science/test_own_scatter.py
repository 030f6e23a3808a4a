"""A star that varies on our own frames is seen, through clouds and without a catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.own_scatter import SeenStars, own_scatter
from iop4d.science.tan import Wcs

RA, DEC = 330.68, 42.278
WCS = Wcs(ra0=RA, dec0=DEC, x0=500.0, y0=500.0, cd=((-0.5 / 3600, 0.0), (0.0, 0.5 / 3600)))


def frames(count: int = 20, *, varies: int = 2) -> tuple[list[SeenStars], np.ndarray, np.ndarray]:
    """Frames of five stars through clouds; one changes by 0.15 mag, one is on half of them."""
    rng = np.random.default_rng(11)
    ra = RA + np.array([0.0, 0.02, -0.03, 0.01, 0.03])
    dec = DEC + np.array([0.01, -0.02, 0.02, 0.03, -0.03])
    x, y = WCS.to_pixel(ra, dec)
    found = []
    for number in range(count):
        flux = 10.0 ** (-0.4 * (np.array([0.0, 0.5, 1.0, 1.5, 2.0]) - 14.0
                                + rng.normal(0.0, 0.3) + rng.normal(0.0, 0.006, 5)))
        flux[varies] *= 10.0 ** (0.4 * 0.15 * (-1) ** number)
        seen = np.arange(5) != (4 if number % 2 else 5)
        found.append(SeenStars(
            wcs=WCS, x=x[seen] + rng.normal(0.0, 0.2, seen.sum()), y=y[seen], flux=flux[seen],
            fwhm_px=4.0, sky_sigma=5.0))
    return found, ra, dec


def test_the_one_that_varies_is_named_and_the_others_are_not() -> None:
    seen, ra, dec = frames()
    found = own_scatter(seen, ra, dec)
    assert found.n.tolist() == [20, 20, 20, 20, 10]
    assert found.varies.tolist() == [False, False, True, False, False]
    assert found.scatter[2] == pytest.approx(0.154, abs=0.01)
    assert np.delete(found.scatter, 2).max() < 0.012


def test_a_star_that_no_frame_shows_has_no_scatter() -> None:
    seen, ra, dec = frames(6)
    found = own_scatter(seen, np.append(ra, RA + 1.0), np.append(dec, DEC))
    assert found.n[-1] == 0
    assert np.isnan(found.scatter[-1])
    assert not found.varies[-1]
    empty = SeenStars(wcs=WCS, x=np.zeros(0), y=np.zeros(0), flux=np.zeros(0), fwhm_px=4.0,
                      sky_sigma=1.0)
    assert own_scatter([empty], ra, dec).n.tolist() == [0] * 5
