"""Cosmic rays among the detections: far smaller than a star as bright as their brightest pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iop4d.science.detect import Detections, FloatImage
from iop4d.science.ordered import median
from iop4d.science.psf import Psf, surface

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Part of a star's light that its isophote holds, at least: that of two stars in one is a third.
SMALL = 0.15
_CLEAR = 10.0  # sigmas of the sky from which on a brightest pixel shows what it belongs to
_RING = 0.35  # FWHM: radius at which a star still has most of its height
_DARK = 0.6  # part of that below which there is no star
_EDGE = 2.0  # moments' radii of a cosmic ray that hold it


def as_stars(detections: Detections, psf: Psf) -> Floats:
    """The total flux of each detection in ADU, from its peak and the PSF, if it is a star."""
    width = psf.widths_at(detections.x, detections.y)
    # The peak pixel lies 0.25 px from the centroid, as the root mean square goes.
    height = float(surface(0.0625, psf.fwhm, psf.beta))
    return np.asarray(detections.peak / height * (width / psf.fwhm) ** 2)


def cosmic_rays(image: FloatImage, detections: Detections, psf: Psf, *, sigma: float) -> Mask:
    """(N,) which detections are cosmic rays: their isophote is small, and it is dark around them.

    ``image``: background subtracted, ADU; ``sigma``: noise of a sky pixel of it. An image that is
    small because a brighter one cuts it off has that one's light around it.
    """
    found = np.zeros(len(detections), dtype=bool)
    if not len(detections):
        return found
    small = detections.flux < SMALL * as_stars(detections, psf)
    reach = max(1.5, _RING * psf.fwhm)
    star = float(surface(reach**2, psf.fwhm, psf.beta) / surface(0.0625, psf.fwhm, psf.beta))
    for i in np.flatnonzero(small & ~detections.saturated & (detections.peak > _CLEAR * sigma)):
        around = _ring(image, float(detections.x[i]), float(detections.y[i]), reach)
        found[i] = around < _DARK * star * detections.peak[i]
    return found


def pixels_of(image: FloatImage, detections: Detections) -> Mask:
    """(ny, nx) the pixels that cosmic rays cover, about the brightest of each."""
    mask = np.zeros(image.shape, dtype=bool)
    reach = _EDGE * detections.radius * np.sqrt(detections.elongation) + 1.0
    places = zip(detections.x.tolist(), detections.y.tolist(), reach.tolist(), strict=True)
    for x, y, radius in places:
        box, r2 = _about(image, x, y, radius)
        light = np.where((r2 < radius * radius) & np.isfinite(image[box]), image[box], -np.inf)
        row, column = divmod(int(light.argmax()), light.shape[1])
        box, r2 = _about(image, box[1].start + column, box[0].start + row, radius)
        mask[box] |= r2 < radius * radius
    return mask


def _about(image: FloatImage, x: float, y: float,
           radius: float) -> tuple[tuple[slice, slice], Floats]:
    """(box of pixels about a place, their squared distances from it)."""
    rows, columns = (slice(max(0, int(at - radius)), min(int(at + radius) + 2, size))
                     for at, size in zip((y, x), image.shape, strict=True))
    dy, dx = np.arange(rows.start, rows.stop) - y, np.arange(columns.start, columns.stop) - x
    return (rows, columns), (dy * dy)[:, None] + dx * dx


def _ring(image: FloatImage, x: float, y: float, radius: float) -> float:
    """The median of the pixels at a distance of about ``radius`` that are in the image."""
    box, r2 = _about(image, x, y, radius + 1.0)
    values = image[box][(r2 > (radius - 0.75) ** 2) & (r2 < (radius + 0.75) ** 2)]
    values = values[np.isfinite(values)]
    return median(values) if values.size else 0.0
