"""Where one or two stars, each with two images, stand among the stars of a larger frame.

So few make no shape that is like no other. But both images of each must be seen on the larger
frame, as far apart and as bright, near where the smaller frame was read out; and no star brighter
than these may stand there that the smaller frame does not show. What has one image alone
on the larger frame is no star, but a cosmic ray.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

_SAME_PX = 4.0  # between an image and its place: centroids, and a turn of half a degree over 300 px
_SAME_FWHM = 0.25  # the same for faint stars of wide images
_FLUX_RATIO = math.log(2.5)  # by which the images of one star may differ: p of 40 %
_ALIKE = math.log(2.0)  # of the two images' flux ratio: a plate at another position, p of 30 %
_STARS_ALIKE = math.log(3.0)  # of two stars': a faint one's flux above the sky's noise lacks more
_BRIGHTER = 1.5  # times as bright as the faintest pair must a star be to be missed
_CLEARLY = 2.0  # times farther than the nearest place must the second one be


def place_pairs(images: Floats, flux: Floats, reference: Floats, reference_flux: Floats, *,
                origin: tuple[float, float], shape: tuple[int, int], around: float,
                every: Floats, fwhm: float = 0.0) -> tuple[float, float] | None:
    """What is to be added to the frame's pixels (x, y) to be the larger frame's; None: not clear.

    ``images``: (n, 2, 2) of n pairs, extraordinary and ordinary image, x and y; ``flux``: (n, 2);
    ``reference``: (m, 2) images of the larger frame and their fluxes (m,); ``origin``: where the
    frame, of ``shape`` (ny, nx), was read out, right within ``around`` px;
    ``every``: (k, 2) all detections of the frame, paired or not; ``fwhm``: of its images, px.
    Of several places that fit, the one nearest to the origin, if the others are clearly farther.
    """
    if reference.shape[0] < 2 or images.shape[0] == 0:
        return None
    tree, same = cKDTree(reference), max(_SAME_PX, _SAME_FWHM * fwhm)
    stars = _with_both_images(tree, reference_flux, (images[:, 1] - images[:, 0]).mean(axis=0),
                              same)
    brightest = images[int(np.argmax(flux[:, 0])), 0]
    fits: list[tuple[float, Floats]] = []
    for at in tree.query_ball_point(brightest + origin, around):
        shift = reference[at] - brightest
        apart, index = tree.query(images.reshape(-1, 2) + shift, distance_upper_bound=same)
        if not np.isfinite(apart).all():
            continue
        theirs = reference_flux[index].reshape(-1, 2)
        if not _is_alike(flux, theirs):
            continue
        bright = stars & (reference_flux > _BRIGHTER * float(theirs.sum(axis=1).min()) / 2.0)
        if _misses_one(reference[bright] - shift, shape, every, same):
            continue
        shift = np.average(reference[index] - images.reshape(-1, 2), axis=0,
                           weights=theirs.reshape(-1))
        fits.append((float(np.hypot(*(shift - origin))), shift))
    fits.sort(key=lambda fit: fit[0])
    if not fits or (len(fits) > 1 and fits[1][0] < _CLEARLY * fits[0][0]):
        return None
    return float(fits[0][1][0]), float(fits[0][1][1])


def _is_alike(mine: Floats, theirs: Floats) -> bool:
    """Whether fluxes (n, 2) have the same ratios, between two images and between two stars."""
    ratio = np.log(np.maximum(mine, 1e-30) / np.maximum(theirs, 1e-30))
    of_stars = ratio.mean(axis=1)
    return bool(np.ptp(ratio, axis=1).max() < _ALIKE and np.ptp(of_stars) < _STARS_ALIKE)


def _with_both_images(tree: cKDTree, flux: Floats, offset: Floats,
                      same: float) -> NDArray[np.bool_]:
    """(m,) of which places of the larger frame the other image is seen as well."""
    found = np.zeros(flux.size, dtype=bool)
    for side in (1.0, -1.0):
        apart, other = tree.query(tree.data + side * offset, distance_upper_bound=same)
        near = np.flatnonzero(np.isfinite(apart))
        ratio = np.log(np.maximum(flux[other[near]], 1e-30) / np.maximum(flux[near], 1e-30))
        found[near[np.abs(ratio) < _FLUX_RATIO]] = True
    return found


def _misses_one(bright: Floats, shape: tuple[int, int], every: Floats, same: float) -> bool:
    """Whether one of some bright stars, at the frame's pixels, should be in it, and is not."""
    ny, nx = shape
    margin = 0.05 * min(ny, nx)
    within = ((bright > margin) & (bright < (nx - margin, ny - margin))).all(axis=1)
    if not within.any():
        return False
    apart, _ = cKDTree(every).query(bright[within])
    return bool((apart > 2.0 * same).any())
