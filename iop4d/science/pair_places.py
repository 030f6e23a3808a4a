"""Where one or two stars, each with two images, stand among the stars of a larger frame.

So few make no shape that is like no other. But both images of each must be seen on the larger
frame, as far apart and as bright, near where the smaller frame was read out; and no star brighter
than these may stand there that the smaller frame does not show.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

_SAME_PX = 4.0  # between an image and its place: centroids, and a turn of half a degree over 300 px
_ALIKE = math.log(2.0)  # of the two images' flux ratio: a plate at another position, p of 30 %
_BRIGHTER = 1.5  # times as bright as the faintest pair must a star be to be missed
_CLEARLY = 2.0  # times farther than the nearest place must the second one be


def place_pairs(images: Floats, flux: Floats, reference: Floats, reference_flux: Floats, *,
                origin: tuple[float, float], shape: tuple[int, int], around: float,
                every: Floats) -> tuple[float, float] | None:
    """What is to be added to the frame's pixels (x, y) to be the larger frame's; None: not clear.

    ``images``: (n, 2, 2) of n pairs, extraordinary and ordinary image, x and y; ``flux``: (n, 2);
    ``reference``: (m, 2) images of the larger frame and their fluxes (m,); ``origin``: where the
    frame, of ``shape`` (ny, nx), was read out, right within ``around`` px;
    ``every``: (k, 2) all detections of the frame, paired or not. Of several places that fit, the
    one nearest to the origin, if the others are clearly farther.
    """
    if reference.shape[0] < 2 or images.shape[0] == 0:
        return None
    tree = cKDTree(reference)
    first = images[0, 0] + origin
    fits: list[tuple[float, Floats]] = []
    for at in tree.query_ball_point(first, around):
        shift = reference[at] - images[0, 0]
        apart, index = tree.query(images.reshape(-1, 2) + shift, distance_upper_bound=_SAME_PX)
        if not np.isfinite(apart).all():
            continue
        theirs = reference_flux[index].reshape(-1, 2)
        if not _is_alike(flux, theirs):
            continue
        if _misses_one(reference, reference_flux, float(theirs.sum(axis=1).min()) / 2.0, shift,
                       shape, every):
            continue
        shift = shift + (reference[index] - images.reshape(-1, 2) - shift).mean(axis=0)
        fits.append((float(np.hypot(*(shift - origin))), shift))
    fits.sort(key=lambda fit: fit[0])
    if not fits or (len(fits) > 1 and fits[1][0] < _CLEARLY * fits[0][0]):
        return None
    return float(fits[0][1][0]), float(fits[0][1][1])


def _is_alike(mine: Floats, theirs: Floats) -> bool:
    """Whether fluxes (n, 2) have the same ratios, between two images and between two stars."""
    ratio = np.log(np.maximum(mine, 1e-30) / np.maximum(theirs, 1e-30))
    return bool((ratio.max() - ratio.min()) < _ALIKE)


def _misses_one(reference: Floats, flux: Floats, faintest: float, shift: Floats,
                shape: tuple[int, int], every: Floats) -> bool:
    """Whether a bright star of the larger frame should be in the frame, and is not."""
    inside = reference[flux > _BRIGHTER * faintest] - shift
    ny, nx = shape
    margin = 0.05 * min(ny, nx)
    within = ((inside > margin) & (inside < (nx - margin, ny - margin))).all(axis=1)
    if not within.any():
        return False
    apart, _ = cKDTree(every).query(inside[within])
    return bool((apart > 2.0 * _SAME_PX).any())
