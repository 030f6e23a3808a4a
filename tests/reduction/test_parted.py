"""PSF photometry beside the aperture's: which of the two a result's magnitude is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.instruments.telescopes import T090
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement, ResultValue
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.calibrate import calibrate

TARGET = Source(name="T", ra_deg=330.68, dec_deg=42.28, kind=SourceKind.TARGET)
STAR = Source(name="A", ra_deg=330.7, dec_deg=42.3, kind=SourceKind.CALIBRATOR, calibrates=("T",),
              magnitudes={"R": (13.0, 0.01)})
FACTS = FrameFacts(telescope="OSN-T090", instrument="AndorT90", kind=FrameKind.SCIENCE,
                   night="2022-09-08", jd_start=2459831.4, exptime_s=60.0, shape=(1024, 1024),
                   band="R")


def seen(name: str, flux: float, err: float, *, psf: float = math.nan, psf_err: float = math.nan,
         flags: int = 0) -> Measurement:
    return Measurement(source=name, x=1.0, y=1.0, flux=flux, flux_err=err, sky=10.0, flags=flags,
                       mag_inst=-2.5 * math.log10(flux), mag_inst_err=1.0857 * err / flux,
                       snr=flux / err, psf_flux=psf, psf_flux_err=psf_err)


def result(target: Measurement, source: Source = TARGET) -> ResultValue:
    frame = MeasuredFrame(id=1, facts=FACTS, measurements=(target, seen("A", 1000.0, 3.0)),
                          fwhm_arcsec=2.0, airmass=1.1, bjd_tdb=2459831.4, aperture_arcsec=2.5)
    return calibrate(source, [frame], catalogue=Catalogue(version=1, sources=(source, STAR)),
                     telescope=T090)[0]


def test_the_magnitude_of_the_smaller_error_is_chosen_and_both_are_given() -> None:
    """1100 ADU/s with a neighbour left in by the aperture; 1000 by the PSF, as the calibrator."""
    found = result(seen("T", 1100.0, 60.0, psf=1000.0, psf_err=5.0))
    assert found.photometry == "psf"
    assert found.mag == found.mag_psf == pytest.approx(13.0)
    assert found.mag_err == pytest.approx(found.mag_psf_err)
    assert 1.0857 * 0.005 < found.mag_err < 0.007  # and what the zero point adds
    kept = result(seen("T", 1100.0, 4.0, psf=1000.0, psf_err=50.0))
    assert kept.photometry == "aperture"
    assert kept.mag == pytest.approx(13.0 - 2.5 * math.log10(1.1))
    assert kept.mag_psf == pytest.approx(13.0)


def test_without_a_neighbour_there_is_none() -> None:
    found = result(seen("T", 1000.0, 5.0))
    assert found.photometry == "aperture"
    assert math.isnan(found.mag_psf)


@pytest.mark.parametrize("flag", [Flag.SATURATED, Flag.BAD_PIXELS, Flag.EDGE])
def test_what_is_no_whole_star_is_not_fitted_as_one(flag: Flag) -> None:
    assert math.isnan(result(seen("T", 1e3, 60.0, psf=1e3, psf_err=5.0, flags=int(flag))).mag_psf)


def test_a_source_with_an_aperture_of_its_own_keeps_it() -> None:
    found = result(seen("T", 1e3, 60.0, psf=1e3, psf_err=5.0), replace(TARGET, aperture_arcsec=8.0))
    assert math.isnan(found.mag_psf)
