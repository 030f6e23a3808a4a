"""Windowed centroids of many stars at once, where those of SExtractor (XWIN_IMAGE) lie.

SExtractor and SEP (Barbary 2016, JOSS 1, 58) move a Gaussian window by twice the offset of the
light in it until it stands still, which takes four steps of a star as wide as the window; of a
narrower source the steps swing from side to side, and end after sixteen. Here a step is Newton's,
by the second moments of the light: two or three are enough. As a Gaussian is a product of one of
the columns and one of the rows, all moments are products of matrices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iop4d.science.squares import cut_squares

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]

_REACH = 4.0  # sigmas of the window: SExtractor's
_STEPS = 8
_SETTLED = 1e-3  # px: a step as short as this ends within 1e-5 px of the centroid
_LONGEST = 0.7  # px: longer steps of a faint star's overshoot


def windowed(image: FloatImage, x: Floats, y: Floats, *, sigma: float,
             farthest: float) -> tuple[Floats, Floats]:
    """Centroids in a Gaussian window, 0-based pixels, of stars that stand near ``x``, ``y`` (n,).

    ``image``: float32 [y, x], background subtracted; ``sigma``: of the window, pixels. NaN where
    the window comes as far as ``farthest`` pixels from where it began, or does not settle.
    """
    squares = cut_squares(image, x, y, half=int(np.ceil(_REACH * sigma)))
    begin_x, begin_y = x - squares.left, y - squares.bottom
    at_x, at_y = begin_x.copy(), begin_y.copy()
    found = np.zeros(x.size, dtype=bool)
    star, pixels = np.arange(x.size), squares.pixels  # of the windows that still move
    for _ in range(_STEPS):
        step_x, step_y = _step(_moments(pixels, at_x[star], at_y[star], sigma), sigma)
        at_x[star] += step_x
        at_y[star] += step_y
        near = np.hypot((at_x - begin_x)[star], (at_y - begin_y)[star]) < farthest  # NaN is not
        settled = np.hypot(step_x, step_y) < _SETTLED
        found[star[near & settled]] = True
        moves = near & ~settled
        if not moves.any():
            break
        if not moves.all():
            star, pixels = star[moves], pixels[moves]
    return (np.where(found, at_x + squares.left, np.nan),
            np.where(found, at_y + squares.bottom, np.nan))


def _moments(pixels: Floats, x: Floats, y: Floats, sigma: float) -> Floats:
    """(n, 3, 3) moments of the light in windows at ``x``, ``y`` of squares ``pixels``.

    [:, j, i] is the sum of light times window times dy^j dx^i.
    """
    rows, columns = (_powers(size, place, sigma)
                     for size, place in zip(pixels.shape[1:], (y, x), strict=True))
    return np.asarray(rows @ (pixels @ columns.transpose(0, 2, 1)))


def _powers(size: int, place: Floats, sigma: float) -> Floats:
    """(n, 3, size) the window along one axis, times the distance from it to the power 0, 1, 2."""
    away = np.arange(size) - place[:, None]
    powers = np.empty((place.size, 3, size))
    square = away * away
    window = np.exp(square * (-0.5 / sigma**2), out=powers[:, 0])
    np.multiply(window, away, out=powers[:, 1])
    np.multiply(window, square, out=powers[:, 2])
    return powers


def _step(moments: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Along x and y by how much each window moves, pixels; NaN where it holds no light.

    The offset (X, Y) of the light in the window is to vanish; it changes by
    -[[XX, XY], [XY, YY]] with the window's place. Where that is no maximum of the light, the step
    is SExtractor's.
    """
    light, x, y = moments[:, 0, 0], moments[:, 0, 1], moments[:, 1, 0]
    light = np.where(light > 0, light, np.nan)
    weight = 1.0 / sigma**2
    xx, yy, xy = (light - weight * moments[:, 0, 2], light - weight * moments[:, 2, 0],
                  -weight * moments[:, 1, 1])
    area = xx * yy - xy * xy
    newton = (xx > 0) & (area > 0)
    area = np.where(newton, area, 1.0)
    step_x = np.where(newton, (yy * x - xy * y) / area, 2.0 * x / light)
    step_y = np.where(newton, (xx * y - xy * x) / area, 2.0 * y / light)
    shorter = _LONGEST / np.maximum(np.hypot(step_x, step_y), _LONGEST)
    return step_x * shorter, step_y * shorter
