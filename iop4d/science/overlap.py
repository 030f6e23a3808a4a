"""How much of each pixel lies inside a circle, exactly."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def circle_overlap(dx: Floats, dy: Floats, radius: float) -> Floats:
    """Part of each pixel's area inside a circle about the origin, in [0, 1], shape (..., ny, nx).

    ``dx``, ``dy``: centres of the columns and rows, (..., nx) and (..., ny), one pixel apart;
    ``radius``: pixels. Of a pixel that the rim crosses it is a difference of areas between the axes
    and the pixel's corners, good to 1e-13; of all others exactly 0 or 1.

    Between the axes and a corner (x, y) inside the circle lies x y; beyond the rim the area below
    two arcs, the integral of sqrt(r^2 - t^2) up to x and to y, less the quadrant that they share.
    """
    x, y = (np.concatenate((d - 0.5, d[..., -1:] + 0.5), axis=-1) for d in (dx, dy))
    below_x, below_y = (_below_arc(np.minimum(np.abs(t), radius), radius) for t in (x, y))
    inside = (x**2)[..., None, :] + (y**2)[..., :, None] <= radius**2
    beyond = np.sign(y)[..., :, None] * np.sign(x)[..., None, :] * (
        below_x[..., None, :] + below_y[..., :, None])
    corners = np.where(inside, y[..., :, None] * x[..., None, :], beyond)
    edges = corners[..., 1:, :] - corners[..., :-1, :]
    area = edges[..., 1:] - edges[..., :-1]
    nearest = ((np.maximum(np.abs(dx) - 0.5, 0.0)**2)[..., None, :]
               + (np.maximum(np.abs(dy) - 0.5, 0.0)**2)[..., :, None])
    rows = inside[..., 1:, :] & inside[..., :-1, :]
    whole = rows[..., 1:] & rows[..., :-1]
    return np.where(whole, 1.0, np.where(nearest < radius**2, np.maximum(area, 0.0), 0.0))


def _below_arc(t: Floats, radius: float) -> Floats:
    """The integral of sqrt(r^2 - t^2) from 0 to t, less half a quadrant of the circle."""
    return np.asarray(0.5 * (t * np.sqrt((radius - t) * (radius + t))
                             + radius**2 * (np.arcsin(t / radius) - 0.25 * math.pi)))
