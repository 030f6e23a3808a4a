"""The stars of a calibrated frame: sky, detections, widths and the PSF."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iop4d.model.errors import StageError
from iop4d.reduction.masters import CalibratedImage
from iop4d.science.detect import (
    MESH,
    Detections,
    Sky,
    detect,
    refine_centroids,
    subtract_sky,
)
from iop4d.science.fwhm import FWHM_PER_SIGMA, measure_widths
from iop4d.science.hits import cosmic_rays, pixels_of
from iop4d.science.psf import Psf, fit_psf, plain_psf

_SAMPLE = 5000  # pixels that tell whether an image is even
OFF_CENTRE_PX = 1.5  # a star this near to its place, or within 0.7 FWHM, is at its place
OFF_CENTRE_FWHM = 0.7


@dataclass(frozen=True, kw_only=True)
class Stars:
    """Sky, detections (brightest first), and the PSF; ``sharp``: cosmic rays among them.

    ``shrunk``: how many pixels each way were taken together to find them.
    """

    sky: Sky
    detections: Detections
    sharp: NDArray[np.bool_]
    psf: Psf
    measured_width: bool
    shrunk: int = 1

    @property
    def centroid_noise(self) -> NDArray[np.float64]:
        """Error of each detection's place by the noise of the sky, pixels per axis."""
        peak = np.maximum(self.detections.peak, 1e-9)
        return np.asarray(self.psf.fwhm * self.sky.sigma / (self.shrunk * peak))


def find_sky(frame: CalibratedImage, *, shrink: int = 1) -> Sky:
    """Subtract the background in place; raises StageError for a frame without any noise.

    ``shrink``: as of ``find_stars``: the squares that show the background are wider than stars.
    """
    if frame.bad is not None and frame.bad.all():
        raise StageError("background", "not one pixel is usable")
    if _is_even(frame.image):
        raise StageError("background", "all pixels are equal: the shutter or the camera failed")
    sky = subtract_sky(frame.image, frame.bad, mesh=shrink * MESH)
    if not (math.isfinite(sky.level) and sky.sigma > 0):
        raise StageError("background", "the sky has no noise that could be measured")
    return sky


def _is_even(image: NDArray[np.float32]) -> bool:
    """Whether all its pixels are equal: of most frames a few of them tell that they are not."""
    step = max(1, math.isqrt(image.size // _SAMPLE))
    return all(float(np.nanmin(some)) == float(np.nanmax(some))
               for some in (image[::step, ::step], image)
               if not np.isnan(some).all())


def find_stars(frame: CalibratedImage, sky: Sky, *, threshold: float, shrink: int = 1) -> Stars:
    """Detect and measure the stars of a background-subtracted frame.

    ``shrink``: squares of so many pixels are taken as one where a star covers hundreds of them: its
    light then stands out of their noise, and a cosmic ray is as small as it should be.
    """
    if shrink == 1:
        return _find(frame, sky, threshold=threshold)
    small = _shrunk(frame, shrink)
    # The noise of neighbouring pixels is independent.
    stars = _find(small, replace(sky, sigma=sky.sigma / shrink), threshold=threshold)
    return _grown(stars, shrink, sky, frame.image.shape)


def without_cosmic_rays(frame: CalibratedImage, stars: Stars,
                        ) -> tuple[CalibratedImage, Stars]:
    """The frame with the pixels of detected cosmic rays as bad ones, and the stars without them."""
    detections, sky = stars.detections, stars.sky
    hit = cosmic_rays(frame.image, detections, stars.psf, sigma=sky.sigma / stars.shrunk)
    if not hit.any():
        return frame, stars
    bad = pixels_of(frame.image, detections.only(hit))
    return (replace(frame, bad=bad if frame.bad is None else bad | frame.bad),
            replace(stars, detections=detections.only(~hit), sharp=stars.sharp[~hit]))


def _shrunk(frame: CalibratedImage, n: int) -> CalibratedImage:
    """Means of squares of n pixels; a square is bad or saturated if a pixel of it is."""
    ny, nx = (side // n for side in frame.image.shape)

    def squares(image: NDArray[Any]) -> NDArray[Any]:
        return image[:ny * n, :nx * n].reshape(ny, n, nx, n)

    def masked(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        return None if mask is None else np.asarray(squares(mask).any(axis=(1, 3)))

    # Row by row first: twice as fast as both at once.
    image = squares(frame.image).sum(axis=3, dtype=np.float32).sum(axis=1) / np.float32(n * n)
    return CalibratedImage(image=np.ascontiguousarray(image), saturated=masked(frame.saturated),
                      bad=masked(frame.bad))


def _grown(stars: Stars, n: int, sky: Sky, shape: tuple[int, ...]) -> Stars:
    """What was found on shrunk pixels, in those of the frame."""
    detections, middle = stars.detections, (n - 1) / 2.0
    return replace(
        stars, sky=sky, shrunk=n,
        detections=replace(detections, x=detections.x * n + middle, y=detections.y * n + middle,
                           flux=detections.flux * n * n, radius=detections.radius * n),
        psf=replace(stars.psf, fwhm=stars.psf.fwhm * n, shape=(shape[0], shape[1])))


def _find(frame: CalibratedImage, sky: Sky, *, threshold: float) -> Stars:
    try:
        detections = detect(frame.image, sigma=sky.sigma, threshold=threshold, bad=frame.bad,
                       saturated=frame.saturated)
    except ValueError as error:
        raise StageError("detect", str(error)) from error
    if len(detections) == 0:
        raise StageError("detect", "no star was detected")
    widths = measure_widths(frame.image, detections, sigma=sky.sigma)
    known = math.isfinite(widths.fwhm)
    ny, nx = frame.image.shape
    fwhm = widths.fwhm if known else FWHM_PER_SIGMA * float(np.median(detections.radius))
    detections = refine_centroids(frame.image, detections, fwhm)
    psf = fit_psf(frame.image, detections, widths, sigma=sky.sigma) if known \
        else plain_psf(fwhm, (ny, nx))
    return Stars(sky=sky, detections=detections, sharp=widths.sharp, psf=psf, measured_width=known)
