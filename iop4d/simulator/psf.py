"""Star images: Moffat profiles, integrated over pixels. Pixels are 0-based, centres at integers.

I(r) = (beta - 1) / (pi alpha^2) (1 + r^2 / alpha^2)^-beta with beta = 3.5, which has the wings of
real seeing (Trujillo et al. 2001, MNRAS 328, 977). Of its light (1 + R^2 / alpha^2)^-2.5 lies
beyond a radius R.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BETA = 3.5
_FWHM_PER_ALPHA = 2.0 * math.sqrt(2.0 ** (1.0 / BETA) - 1.0)
_LEAST_RADIUS = 5.0  # stamps' half size in alpha: 3e-4 of the light lies beyond
_FAINTEST_E = 0.03  # electrons a pixel at which a stamp may end
_BATCH_PIXELS = 300_000  # stamps drawn at once; more does not fit the processor's cache
_HALF_SIZES = (8, 10, 12, 15, 18, 22, 28, 36, 48, 64, 90, 128)


@dataclass(frozen=True, kw_only=True)
class Psf:
    """The PSF of a frame of ``shape`` (ny, nx): ``fwhm_px`` at its centre.

    The FWHM grows by the fraction ``growth`` to the corners and by ``tilt`` to the right edge.
    ``ellipticity``: 1 - b/a, at ``angle_deg`` from the x axis, constant over the field.
    """

    fwhm_px: float
    shape: tuple[int, int]
    growth: float = 0.02
    tilt: float = 0.005
    ellipticity: float = 0.03
    angle_deg: float = 30.0

    def fwhm_at(self, x: Floats, y: Floats) -> Floats:
        """FWHM in pixels (geometric mean of both axes) at places of any one shape."""
        ny, nx = self.shape
        u, v = 2.0 * x / (nx - 1) - 1.0, 2.0 * y / (ny - 1) - 1.0
        return np.asarray(self.fwhm_px * (1 + self.growth * (u * u + v * v) / 2 + self.tilt * u))


def draw_stars(image: Floats, x: Floats, y: Floats, electrons: Floats, psf: Psf) -> None:
    """Add stars of total ``electrons`` at 0-based ``x``, ``y`` (all (n,)) to ``image`` [y, x].

    The sum over all pixels, also those outside the image, is the total within 3e-4; stars may lie
    outside.
    """
    alpha = psf.fwhm_at(x, y) / _FWHM_PER_ALPHA
    half = _half_sizes(electrons, alpha)
    for size in np.unique(half):
        members = np.flatnonzero(half == size)
        batches = max(1, len(members) * int(2 * size + 1) ** 2 // _BATCH_PIXELS)
        for batch in np.array_split(members, batches):
            _draw(image, x[batch], y[batch], electrons[batch], alpha[batch], psf, int(size))


def _half_sizes(electrons: Floats, alpha: Floats) -> Ints:
    """Half sizes of stamps: until the light falls below ``_FAINTEST_E`` a pixel."""
    peak = electrons * (BETA - 1) / (math.pi * alpha**2)
    faint = np.sqrt(np.maximum((peak / _FAINTEST_E) ** (1 / BETA) - 1.0, 0.0))
    radius = alpha * np.maximum(faint, _LEAST_RADIUS)
    sizes = np.array(_HALF_SIZES)
    return sizes[np.minimum(np.searchsorted(sizes, radius), len(sizes) - 1)]


def _draw(image: Floats, x: Floats, y: Floats, electrons: Floats, alpha: Floats, psf: Psf,
          half: int) -> None:
    """Add stamps of one size: two Gauss points a pixel and axis, more in the steep core."""
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    off_x, off_y = column - x, row - y
    core = min(half, math.ceil(2.0 * float(alpha.max())) + 1)
    stamps = _stamps(off_x, off_y, alpha, psf, half, 2)
    middle = slice(half - core, half + core + 1)
    order = 3 if float(alpha.min()) * _FWHM_PER_ALPHA > 2.0 else 6
    stamps[:, middle, middle] = _stamps(off_x, off_y, alpha, psf, core, order)
    stamps *= electrons[:, None, None].astype(np.float32)
    ny, nx = image.shape
    for stamp, cx, cy in zip(stamps, column.tolist(), row.tolist(), strict=True):
        x0, x1 = max(cx - half, 0), min(cx + half + 1, nx)
        y0, y1 = max(cy - half, 0), min(cy + half + 1, ny)
        if x0 < x1 and y0 < y1:
            left, low = cx - half, cy - half
            image[y0:y1, x0:x1] += stamp[y0 - low:y1 - low, x0 - left:x1 - left]


def _stamps(off_x: Floats, off_y: Floats, alpha: Floats, psf: Psf, half: int,
            order: int) -> NDArray[np.float32]:
    """(n, size, size) of unit stars whose central pixels lie at ``off`` from the stars."""
    # Single precision is 1e-7 of a star's light and twice as fast.
    ticks = np.arange(-half, half + 1)
    nodes, weights = np.polynomial.legendre.leggauss(order)
    angle = math.radians(psf.angle_deg)
    axis = math.sqrt(1.0 - psf.ellipticity)  # semi-axes alpha / axis and alpha * axis
    cos, sin = math.cos(angle), math.sin(angle)
    total = np.zeros((len(alpha), len(ticks), len(ticks)), dtype=np.float32)
    for node_y, weight_y in zip(nodes / 2, weights / 2, strict=True):
        v = ((ticks[None, :] + off_y[:, None] + node_y) / alpha[:, None]).astype(np.float32)
        for node_x, weight_x in zip(nodes / 2, weights / 2, strict=True):
            u = ((ticks[None, :] + off_x[:, None] + node_x) / alpha[:, None]).astype(np.float32)
            t = (u * np.float32(cos * axis))[:, None, :] + (v * np.float32(sin * axis))[:, :, None]
            t *= t
            across = ((v * np.float32(cos / axis))[:, :, None]
                      - (u * np.float32(sin / axis))[:, None, :])
            across *= across
            t += across
            t += np.float32(1.0)
            root = np.sqrt(t)
            t *= t * t
            t *= root
            np.divide(np.float32(weight_x * weight_y), t, out=t)
            total += t
    total *= ((BETA - 1) / (math.pi * alpha**2)).astype(np.float32)[:, None, None]
    return total
