"""Small synthetic frames whose truth is known by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iop4d.science.psf import surface

Floats = NDArray[np.float64]


def gaussian_stars(shape: tuple[int, int], x: Floats, y: Floats, flux: Floats,
                   fwhm: float) -> NDArray[np.float32]:
    """Gaussian stars integrated over pixels, each of total ``flux``; float32 [y, x]."""
    from scipy.special import erf

    sigma = fwhm / 2.3548
    image = np.zeros(shape)
    for x0, y0, f in zip(x, y, flux, strict=True):
        edges = [(np.arange(n + 1) - 0.5 - c) / (sigma * np.sqrt(2.0))
                 for n, c in ((shape[1], x0), (shape[0], y0))]
        column, row = (np.diff(erf(edge)) / 2.0 for edge in edges)
        image += f * np.outer(row, column)
    return image.astype(np.float32)


def moffat_stars(shape: tuple[int, int], x: Floats, y: Floats, flux: Floats, fwhm: Floats,
                 beta: float = 3.5) -> NDArray[np.float32]:
    """Moffat stars of total ``flux``, each of its own FWHM; 3 x 3 points for each pixel."""
    image = np.zeros(shape)
    rows, columns = np.indices(shape)
    for x0, y0, f, w in zip(x, y, flux, fwhm, strict=True):
        for dy in (-1 / 3, 0.0, 1 / 3):
            for dx in (-1 / 3, 0.0, 1 / 3):
                r2 = (columns + dx - x0) ** 2 + (rows + dy - y0) ** 2
                image += f / 9.0 * surface(r2, float(w), beta)
    return image.astype(np.float32)


def grid(n: int, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places of ``n`` x ``n`` stars, far apart, off the pixels' centres, within ``size`` px."""
    step = size / n
    x, y = np.meshgrid((np.arange(n) + 0.5) * step, (np.arange(n) + 0.5) * step)
    return (x.ravel() + rng.uniform(-0.5, 0.5, n * n), y.ravel() + rng.uniform(-0.5, 0.5, n * n))
