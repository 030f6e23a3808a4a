"""Detected is what the forced aperture says, at any width of the PSF; what is not has a limit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from iop4d.model.flags import NEVER_ALERTS, NEVER_CALIBRATES, Flag
from iop4d.model.result import Measurement
from iop4d.reduction.calibrate import calibrate
from iop4d.reduction.measure import measure_source, place_source
from iop4d.science.detect import detect
from iop4d.science.photometry import Pixels, aperture_for, total_fluxes
from iop4d.science.psf import Psf, encircled, surface
from tests.reduction import galaxies

SIZE, SIGMA, BETA = 101, 10.0, 3.2
TRIALS = 40


def seen(fwhm: float, snr: float, rng: np.random.Generator) -> Measurement:
    """A star whose light in the aperture is so many sigmas of its noise, near the middle."""
    psf = Psf(fwhm=fwhm, beta=BETA, slopes=np.zeros(5), covariance=np.zeros((5, 5)),
              shape=(SIZE, SIZE))
    aperture = aperture_for(fwhm, radius=3.0, inner=5.0, outer=9.0)
    area = math.pi * aperture.radius**2
    ring = math.pi * (aperture.outer**2 - aperture.inner**2)
    noise = SIGMA * math.sqrt(area * (1.0 + area / ring))
    flux = snr * noise / float(encircled(aperture.radius, fwhm, BETA))
    x, y = 50.0 + rng.uniform(-0.5, 0.5, 2)
    rows, columns = np.indices((SIZE, SIZE))
    image = rng.normal(0.0, SIGMA, (SIZE, SIZE)) + flux * surface(
        (columns - x) ** 2 + (rows - y) ** 2, fwhm, BETA)
    found = detect(image.astype(np.float32), sigma=SIGMA, threshold=5.0)
    pixels = Pixels(image=image.astype(np.float32), sigma=SIGMA, gain=1e9, bad=None, psf=psf,
                    saturated=None, detections=found, fluxes=total_fluxes(found, psf))
    return measure_source(pixels, place_source(pixels, "A", x, y), aperture, exptime_s=1.0,
                          sky_level=0.0).measurement


@pytest.mark.parametrize("fwhm", [2.8, 4.0, 6.0, 10.0])
@pytest.mark.parametrize("snr", [7.0, 15.0, 25.0])
def test_a_source_of_seven_sigma_is_detected_in_any_seeing(fwhm: float, snr: float) -> None:
    rng = np.random.default_rng(5)
    found = [seen(fwhm, snr, rng) for _ in range(TRIALS)]
    assert not any(m.flags & (Flag.NOT_DETECTED | Flag.OFF_CENTRE) for m in found)
    assert np.mean([m.snr for m in found]) == pytest.approx(snr, rel=0.1)


@pytest.mark.parametrize("fwhm", [2.8, 10.0])
def test_five_sigma_are_nearly_always_detected_and_nothing_nearly_never(fwhm: float) -> None:
    rng = np.random.default_rng(6)
    five = [seen(fwhm, 5.0, rng) for _ in range(2 * TRIALS)]
    nothing = [seen(fwhm, 0.0, rng) for _ in range(2 * TRIALS)]
    assert np.mean([bool(m.flags & Flag.NOT_DETECTED) for m in five]) < 0.08
    assert np.mean([bool(m.flags & Flag.NOT_DETECTED) for m in nothing]) > 0.98
    # The flux is unbiased: negative ones are kept.
    assert np.mean([m.snr for m in nothing]) == pytest.approx(0.0, abs=0.3)
    assert min(m.flux for m in nothing) < 0.0


def test_what_is_not_detected_has_a_limit_and_no_magnitude() -> None:
    frame = galaxies.measured(2.0)
    target, star = frame.measurements
    err = 1e-5 * star.flux
    faint = replace(target, flux=2.0 * err, flux_err=err, mag_inst=math.nan, growth=(),
                    flags=int(Flag.NOT_DETECTED | Flag.LOW_SNR))
    (found,) = calibrate(galaxies.GALAXY, [replace(frame, measurements=(faint, star))],
                         catalogue=galaxies.CATALOGUE, telescope=None)
    assert math.isnan(found.mag)
    of_star = galaxies.CALIBRATOR.magnitudes["R"][0]
    assert found.mag_limit == pytest.approx(of_star - 2.5 * math.log10(3e-5), abs=1e-3)
    assert found.flags & Flag.UPPER_LIMIT
    assert found.flux_mjy == pytest.approx(2e-5 * galaxies.STAR, rel=1e-3)
    assert found.flags & NEVER_ALERTS


def test_a_calibrator_that_is_not_detected_does_not_calibrate() -> None:
    assert NEVER_CALIBRATES & Flag.NOT_DETECTED
