"""An image turned so that north is up and east is left, at a scale that is asked for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from iop4d.science.tan import Wcs, plane_to_sky, sky_to_plane

Floats = NDArray[np.float64]
FloatImage = NDArray[np.float32]

_NODES = 33  # each way, at which places are computed; between them the projection is straight


def window(wcs: Wcs, shape: tuple[int, int], ra_deg: float, dec_deg: float,
           field_arcmin: float) -> tuple[int, int, int, int]:
    """(x, y, nx, ny) of the pixels of a frame of (ny, nx) that a square field needs; 0 of none."""
    x, y = _nodes(wcs, ra_deg, dec_deg, field_arcmin)
    ny, nx = shape
    x0, x1 = max(math.floor(np.nanmin(x)), 0), min(math.ceil(np.nanmax(x)) + 2, nx)
    y0, y1 = max(math.floor(np.nanmin(y)), 0), min(math.ceil(np.nanmax(y)) + 2, ny)
    return x0, y0, max(x1 - x0, 0), max(y1 - y0, 0)


def turned(part: FloatImage, corner: tuple[int, int], wcs: Wcs, ra_deg: float, dec_deg: float, *,
           field_arcmin: float, size: int) -> FloatImage:
    """A square field about ICRS ``ra_deg``, ``dec_deg``: (size, size), row 0 north, column 0 east.

    ``part``: pixels [y, x] of a frame from its 0-based pixel ``corner`` on, as ``window`` asks for;
    ``wcs``: of the whole frame. By bilinear interpolation; NaN outside the frame.
    """
    x, y = _nodes(wcs, ra_deg, dec_deg, field_arcmin)
    between = _interpolation(size)
    x, y = between @ x @ between.T - corner[0], between @ y @ between.T - corner[1]
    ny, nx = part.shape
    inside = (x >= 0) & (y >= 0) & (x <= nx - 1) & (y <= ny - 1)
    i = np.clip(np.floor(np.where(inside, x, 0.0)).astype(int), 0, max(nx - 2, 0))
    j = np.clip(np.floor(np.where(inside, y, 0.0)).astype(int), 0, max(ny - 2, 0))
    if min(nx, ny) < 2:
        return np.full((size, size), np.nan, dtype=np.float32)
    u, v = (x - i).astype(np.float32), (y - j).astype(np.float32)
    light = ((1 - v) * ((1 - u) * part[j, i] + u * part[j, i + 1])
             + v * ((1 - u) * part[j + 1, i] + u * part[j + 1, i + 1]))
    return np.where(inside, light, np.float32(np.nan)).astype(np.float32)


def places(ra: Floats, dec: Floats, ra_deg: float, dec_deg: float, *, field_arcmin: float,
           size: float = 1.0) -> tuple[Floats, Floats]:
    """Where sky positions lie on such a field: to the right and down, in parts of ``size``."""
    xi, eta = sky_to_plane(ra, dec, ra_deg, dec_deg)
    field = field_arcmin / 60.0
    return size * (0.5 - xi / field), size * (0.5 - eta / field)


def _nodes(wcs: Wcs, ra_deg: float, dec_deg: float, field_arcmin: float) -> tuple[Floats, Floats]:
    """0-based pixels of a frame at the nodes of the field's grid, (33, 33), from its corners on."""
    off = (0.5 - np.linspace(0.0, 1.0, _NODES)) * field_arcmin / 60.0
    xi, eta = np.meshgrid(off, off)
    return wcs.to_pixel(*plane_to_sky(xi, eta, ra_deg, dec_deg))


def _interpolation(size: int) -> Floats:
    """(size, 33): the shares of the nodes in the middle of each pixel."""
    at = (np.arange(size) + 0.5) / size * (_NODES - 1)
    left = np.minimum(at.astype(int), _NODES - 2)
    found = np.zeros((size, _NODES))
    rows = np.arange(size)
    found[rows, left] = 1.0 - (at - left)
    found[rows, left + 1] = at - left
    return found
