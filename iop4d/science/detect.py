"""The sky background of a frame, and the stars above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.science.background import background
from iop4d.science.connected import connected
from iop4d.science.deblend import parted, with_several_maxima
from iop4d.science.isophotes import isophotes, without_wings
from iop4d.science.windowed import windowed

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MESH = 64  # pixels of a background mesh: many stars wide, and far smaller than any gradient
LARGE = 500_000  # pixels from which every fourth row tells the background well enough
_ROWS = 4
_AT_ONCE = 16 * _ROWS
MIN_AREA = 5  # pixels above the threshold; fewer are hot pixels and most cosmic rays
MOST_PIXELS = 3_000_000  # above the threshold: more of them are no stars
_PROFILE = np.array([0.25, 0.5, 0.25], dtype=np.float32)  # that smooths before the threshold
MOST_STARS = 300  # brightest detections whose centroids are refined
_NARROWEST = 1.5  # px: FWHM of the narrowest window, through which pixels can be seen
_FARTHEST = 1.0  # px that a windowed centroid may move from the isophotal one


@dataclass(frozen=True, kw_only=True)
class Sky:
    """A frame's background: median ``level`` and noise ``sigma`` of a pixel, both in ADU."""

    level: float
    sigma: float


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Detected sources, brightest first; arrays of one length.

    ``x``, ``y``: 0-based pixels, ``flux``: isophotal, ADU; ``peak``: ADU above the sky;
    ``elongation``: major over minor axis; ``radius``: root of the product of the second moments'
    axes, pixels; ``saturated``: the peak is; ``edge``: touches the frame's edge.
    """

    x: Floats
    y: Floats
    flux: Floats
    peak: Floats
    radius: Floats
    elongation: Floats
    saturated: Bools
    edge: Bools

    def __len__(self) -> int:
        return int(self.x.size)

    def only(self, keep: NDArray[np.generic]) -> Detections:
        """Those that a boolean mask or an index array selects."""
        return Detections(**{name: values[keep] for name, values in vars(self).items()})


def subtract_sky(image: FloatImage, bad: Mask | None, *, mesh: int = MESH) -> Sky:
    """Subtract the smooth background from a float32 image in place and return its figures.

    ``bad``: pixels that do not count; they are set to 0, so that no NaN reaches what follows.
    ``mesh``: side of the squares in which the background is found, pixels. Of a faint star whose
    FWHM is half of it 4 % of the light counts as background, of one below a fifth nothing.
    """
    if image.size < LARGE:
        sky = background(image, bad, rows=mesh, columns=mesh)
        image -= sky.at_pixels()
    else:
        sky = background(image[::_ROWS], None if bad is None else bad[::_ROWS],
                         rows=mesh // _ROWS, columns=mesh)
        _subtract_rows(image, sky.at_pixels())
    if bad is not None:
        image[bad] = 0.0
    return Sky(level=sky.level, sigma=sky.sigma)


def _subtract_rows(image: FloatImage, smooth: FloatImage) -> None:
    """Subtract each row of ``smooth`` from _ROWS rows, in parts that stay in the cache."""
    for first in range(0, image.shape[0], _AT_ONCE):
        here = smooth[first // _ROWS:(first + _AT_ONCE) // _ROWS]
        for k in range(_ROWS):
            rows = image[first + k:first + _AT_ONCE:_ROWS]
            rows -= here[:rows.shape[0]]


def detect(image: FloatImage, *, sigma: float, threshold: float, bad: Mask | None = None,
           saturated: Mask | None = None, profile: FloatImage = _PROFILE) -> Detections:
    """Sources above ``threshold`` sigmas in a background-subtracted float32 image.

    ``sigma``: noise of a pixel, ADU; ``profile``: smooths rows and columns before the threshold.
    Raises ValueError where the detection gives up: a frame that is one large source.
    """
    level = threshold * sigma
    try:
        groups = connected(image, level=level, profile=profile, fewest=MIN_AREA, bad=bad,
                           most=MOST_PIXELS)
    except ValueError as error:
        raise ValueError(f"the detection gave up: {error}") from None
    found = isophotes(groups, level=level, width=image.shape[1], fewest=MIN_AREA)
    several = with_several_maxima(groups, image.shape)
    if several.size:
        stars, whole = parted(image, groups, several, found, level=level, profile=profile,
                              fewest=MIN_AREA, bad=bad)
        single = np.ones(len(found), dtype=bool)
        single[whole] = False
        found = found.only(single).and_also(stars)
    found = found.only(without_wings(found, level=level))
    found = found.only(np.argsort(-found.flux, kind="stable"))
    ny, nx = image.shape
    edge = ((found.left <= 1) | (found.bottom <= 1)
            | (found.right >= nx - 2) | (found.top >= ny - 2))
    full = np.zeros(len(found), dtype=bool) if saturated is None else (
        saturated.ravel()[found.peak_at] | saturated.ravel()[found.smooth_peak_at])
    major, minor = found.axes
    return Detections(
        x=found.x, y=found.y, flux=found.flux, peak=found.peak, radius=np.sqrt(major * minor),
        elongation=major / np.maximum(minor, 1e-3), saturated=full, edge=edge)


def gaussian_profile(fwhm: float) -> FloatImage:
    """A Gaussian of ``fwhm`` pixels at an odd number of pixels, whose sum is 1, float32."""
    half = max(1, round(fwhm))
    offset = np.arange(-half, half + 1)
    profile = np.exp(-4.0 * np.log(2.0) * (offset / fwhm) ** 2)
    return np.asarray(profile / profile.sum(), dtype=np.float32)


def refine_centroids(image: FloatImage, detections: Detections, fwhm: float) -> Detections:
    """The detections with windowed centroids where these are to be trusted.

    ``image``: float32, background subtracted; ``fwhm``: pixels. Saturated stars and those whose
    window slid away to a neighbour keep their isophotal centroids.
    """
    chosen = np.flatnonzero(~detections.saturated)[:MOST_STARS]
    if chosen.size == 0:
        return detections
    x, y = windowed(image, detections.x[chosen], detections.y[chosen],
                    sigma=max(fwhm, _NARROWEST) / 2.3548, farthest=_FARTHEST)
    good = np.isfinite(x)
    new_x, new_y = detections.x.copy(), detections.y.copy()
    new_x[chosen[good]], new_y[chosen[good]] = x[good], y[good]
    return Detections(**{**vars(detections), "x": new_x, "y": new_y})
