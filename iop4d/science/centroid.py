"""Windowed centroids: where a star is to a few hundredths of a pixel."""

from __future__ import annotations

import numpy as np
import sep
from numpy.typing import NDArray

from iop4d.science.detect import Detections

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]

MOST_STARS = 300  # brightest detections whose centroids are refined
# Parts of a pixel at the window's rim. SEP's 11 take five times as long; with whole pixels the
# centroids of small star images go wrong.
_SUBPIXELS = 5
_FARTHEST = 1.0  # px that a windowed centroid may move from the isophotal one


def refine_centroids(image: FloatImage, detections: Detections, fwhm: float) -> Detections:
    """The detections with windowed centroids (SEP's winpos) where these are to be trusted.

    ``image``: float32, background subtracted; ``fwhm``: pixels. Saturated stars and those whose
    window slid away to a neighbour keep their isophotal centroids.
    """
    chosen = np.flatnonzero(~detections.saturated)[:MOST_STARS]
    if chosen.size == 0:
        return detections
    x, y = windowed(image, detections.x[chosen], detections.y[chosen], fwhm)
    moved = np.hypot(x - detections.x[chosen], y - detections.y[chosen])
    good = moved < _FARTHEST
    new_x, new_y = detections.x.copy(), detections.y.copy()
    new_x[chosen[good]], new_y[chosen[good]] = x[good], y[good]
    return Detections(**{**vars(detections), "x": new_x, "y": new_y})


def windowed(image: FloatImage, x: Floats, y: Floats, fwhm: float) -> tuple[Floats, Floats]:
    """Centroids by a Gaussian window as wide as the star image, 0-based pixels."""
    wx, wy, _ = sep.winpos(image, x, y, max(fwhm, 1.5) / 2.3548, subpix=_SUBPIXELS)
    return np.asarray(wx, dtype=np.float64), np.asarray(wy, dtype=np.float64)
