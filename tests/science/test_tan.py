"""The projection: against astropy's, there and back, and with a distortion."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from iop4d.science.tan import Wcs, from_cards, plane_to_sky, sky_to_plane

PLAIN = Wcs(ra0=330.68, dec0=42.28, x0=511.5, y0=500.25,
            cd=((-2.1e-4, 1.3e-5), (1.2e-5, 2.15e-4)))
BENT = Wcs(ra0=31.04, dec0=-46.69, x0=324.5, y0=249.5, cd=((1.4e-3, 0.0), (0.0, 1.43e-3)),
           sip_a={(2, 0): 2e-5, (1, 1): -1e-5, (0, 3): 3e-8}, sip_b={(0, 2): -1.5e-5, (2, 1): 2e-8})


def astropys(wcs: Wcs) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(fits.Header(wcs.cards()))


@pytest.mark.parametrize("wcs", [PLAIN, BENT])
def test_it_is_the_projection_of_the_standard(wcs: Wcs) -> None:
    x, y = np.meshgrid(np.linspace(-20.0, 700.0, 9), np.linspace(-20.0, 600.0, 9))
    ra, dec = wcs.to_sky(x, y)
    expected = astropys(wcs).all_pix2world(x.ravel(), y.ravel(), 0)
    assert ra.ravel() == pytest.approx(expected[0], abs=1e-9)
    assert dec.ravel() == pytest.approx(expected[1], abs=1e-9)


@pytest.mark.parametrize("wcs", [PLAIN, BENT])
def test_there_and_back(wcs: Wcs) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 640, 100), rng.uniform(0, 500, 100)
    back = wcs.to_pixel(*wcs.to_sky(x, y))
    assert back[0] == pytest.approx(x, abs=1e-6)
    assert back[1] == pytest.approx(y, abs=1e-6)


def test_one_degree_north_of_the_tangent_point_is_its_tangent() -> None:
    xi, eta = sky_to_plane(10.0, 21.0, 10.0, 20.0)
    assert float(xi) == pytest.approx(0.0, abs=1e-12)
    assert float(eta) == pytest.approx(np.degrees(np.tan(np.radians(1.0))))
    ra, dec = plane_to_sky(xi, eta, 10.0, 20.0)
    assert (float(ra), float(dec)) == pytest.approx((10.0, 21.0))


def test_the_other_side_of_the_sky_has_no_pixel() -> None:
    x, y = BENT.to_pixel([31.04 + 180.0, 31.05], [46.69, -46.69])
    assert np.isnan(x[0])
    assert np.isnan(y[0])
    assert np.isfinite(x[1])


def test_a_distortion_does_not_blow_up_far_outside_the_frame() -> None:
    with np.errstate(all="raise"):
        x, y = BENT.to_pixel(np.linspace(0.0, 60.0, 50), np.full(50, -46.0))
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()


def test_right_ascension_passes_zero() -> None:
    wcs = Wcs(ra0=0.001, dec0=5.0, x0=100.0, y0=100.0, cd=((-1e-3, 0.0), (0.0, 1e-3)))
    ra, _ = wcs.to_sky([90.0, 110.0], [100.0, 100.0])
    assert ra == pytest.approx([0.01104, 359.99096], abs=1e-4)
    assert wcs.to_pixel(359.99096, 5.0)[0] == pytest.approx(110.0, abs=0.01)


def test_the_cards_say_it_all() -> None:
    for wcs in (PLAIN, BENT):
        assert from_cards(wcs.cards()) == wcs
    assert PLAIN.cards()["CRPIX1"] == 512.5
    assert PLAIN.scale_arcsec == pytest.approx(
        3600 * np.sqrt(2.1e-4 * 2.15e-4 + 1.3e-5 * 1.2e-5))
