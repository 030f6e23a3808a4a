"""The stars of a calibrated frame: sky, detections, widths and the star image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.model.errors import StageError
from iop4d.reduction.pixels import Calibrated
from iop4d.science.centroid import refine_centroids
from iop4d.science.detect import Detections, Sky, detect, subtract_sky
from iop4d.science.fwhm import FWHM_PER_SIGMA, measure_widths
from iop4d.science.psf import Psf, fit_psf, plain_psf


@dataclass(frozen=True, kw_only=True)
class Stars:
    """Sky, detections (brightest first), and the star image; ``sharp``: cosmic rays among them."""

    sky: Sky
    detections: Detections
    sharp: NDArray[np.bool_]
    psf: Psf
    measured_width: bool


def find_sky(frame: Calibrated) -> Sky:
    """Subtract the background in place; raises StageError for a frame without any noise."""
    if frame.bad is not None and frame.bad.all():
        raise StageError("background", "not one pixel is usable")
    if float(np.nanmin(frame.image)) == float(np.nanmax(frame.image)):
        raise StageError("background", "all pixels are equal: the shutter or the camera failed")
    sky = subtract_sky(frame.image, frame.bad)
    if not (math.isfinite(sky.level) and sky.sigma > 0):
        raise StageError("background", "the sky has no noise that could be measured")
    return sky


def find_stars(frame: Calibrated, sky: Sky, *, threshold: float) -> Stars:
    """Detect and measure the stars of a background-subtracted frame."""
    try:
        found = detect(frame.image, sigma=sky.sigma, threshold=threshold, bad=frame.bad,
                       saturated=frame.saturated)
    except ValueError as error:
        raise StageError("detect", str(error)) from error
    if len(found) == 0:
        raise StageError("detect", "no star was detected")
    widths = measure_widths(frame.image, found, sigma=sky.sigma)
    known = math.isfinite(widths.fwhm)
    ny, nx = frame.image.shape
    fwhm = widths.fwhm if known else FWHM_PER_SIGMA * float(np.median(found.radius))
    found = refine_centroids(frame.image, found, fwhm)
    psf = fit_psf(frame.image, found, widths, sigma=sky.sigma) if known \
        else plain_psf(fwhm, (ny, nx))
    return Stars(sky=sky, detections=found, sharp=widths.sharp, psf=psf, measured_width=known)
