"""Only in the band in which the host's light is known is it subtracted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import ResultValue
from iop4d.model.source import Source, SourceKind
from iop4d.reduction.host import HOST_APERTURE, aperture_of, without_host

MRK421 = Source(name="1101+384", ra_deg=166.11, dec_deg=38.21, kind=SourceKind.TARGET,
                other_names=("Mrk 421",))
RESULT = ResultValue(
    source="1101+384", band="R", mode="photometry", jd_mid=2459831.4, bjd_tdb=2459831.4,
    exptime_s=60.0, mag=12.5, mag_err=0.01, zero_point=21.0, zero_point_err=0.01, n_calibrators=3,
    fwhm_arcsec=2.0, airmass=1.1, flags=0)

FRAME = MeasuredFrame(
    id=0, measurements=(), fwhm_arcsec=2.0, airmass=1.1, bjd_tdb=2459831.4, aperture_arcsec=5.0,
    psf_beta=3.3, facts=FrameFacts(
        telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2022-09-08", band="R",
        jd_start=2459831.4, exptime_s=60.0, shape=(100, 100)))


def test_the_red_light_of_the_host_is_subtracted() -> None:
    found = without_host(RESULT, MRK421, FRAME)
    assert found.host_mjy > 1.0
    assert found.mag_nucleus > RESULT.mag


@pytest.mark.parametrize("band", ["U", "B", "V", "I", ""])
def test_in_another_band_nothing_is_known_of_the_host(band: str) -> None:
    found = without_host(replace(RESULT, band=band), MRK421, FRAME)
    assert math.isnan(found.mag_nucleus)
    assert math.isnan(found.host_mjy)
    assert found.mag == RESULT.mag


def test_a_source_without_a_known_host_is_left_as_it_is() -> None:
    other = replace(MRK421, name="Nothing", other_names=())
    assert math.isnan(without_host(RESULT, other, FRAME).mag_nucleus)


def test_a_source_has_its_own_aperture_or_that_of_its_host_or_none() -> None:
    nameless = replace(MRK421, name="A star", other_names=())
    assert math.isnan(aperture_of(nameless))
    assert aperture_of(replace(nameless, aperture_arcsec=8.0)) == 8.0
    assert aperture_of(MRK421) == HOST_APERTURE
