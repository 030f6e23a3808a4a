"""The width of the PSF: of each bright star, and of the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.science.detect import Detections
from iop4d.science.squares import cut_squares

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))  # of a Gaussian, 2.3548
SHARPEST = 1.3  # px: a point seen through square pixels is wider; cosmic rays are sharper
CORE = 0.2  # the fit takes pixels above this part of the peak: they hold the half-maximum
_PEAK2 = 2.5  # px^2: the brightest pixel is one of those so near
_FEWEST_PIXELS = 5
MOST_STARS = 150  # brightest stars measured
_WINDOW = 0.12  # half width, in ln FWHM, of the crowd that the stars of a frame form


@dataclass(frozen=True, kw_only=True)
class Widths:
    """FWHM of the frame and of its stars.

    ``fwhm``: pixels, NaN if no star could be measured. ``index``: which detections are well
    exposed single stars, ``each``: their FWHM in pixels, ``err``: its noise as a fraction.
    """

    fwhm: float
    index: NDArray[np.intp]
    each: Floats
    err: Floats
    sharp: Bools  # for every detection: sharper than a star can be


def measure_widths(image: FloatImage, detections: Detections, *, sigma: float) -> Widths:
    """Measure the widths of stars in a background-subtracted float32 image.

    ``sigma``: noise of a pixel, ADU. Stars are told from cosmic rays and galaxies by standing in
    the densest crowd of widths.
    """
    usable = np.flatnonzero(~detections.saturated & ~detections.edge
                            & (detections.peak > 8.0 * sigma))[:MOST_STARS]
    sharp = np.zeros(len(detections), dtype=bool)
    each = core_fwhm(image, detections.x[usable], detections.y[usable],
                     half=_half_size(detections, usable))
    star = np.isfinite(each) & (each > SHARPEST) & (detections.elongation[usable] < 2.0)
    if not star.any():
        return Widths(fwhm=math.nan, index=usable[:0], each=each[:0], err=each[:0], sharp=sharp)
    centre = _crowd(each[star])
    sharp[usable] = each < 0.65 * centre
    star &= np.abs(np.log(each / centre)) < 2.0 * _WINDOW
    index, each = usable[star], each[star]
    # A star of peak P and noise s has its width to about s/P, or as many photons as it has.
    err = np.hypot(1.2 * sigma / detections.peak[index], 0.007)
    return Widths(fwhm=float(np.median(each)), index=index, each=each, err=err, sharp=sharp)


def core_fwhm(image: FloatImage, x: Floats, y: Floats, *, half: int) -> Floats:
    """FWHM in pixels of the stars at 0-based ``x``, ``y``; NaN where there is none.

    ln I = a + b dx + c dy - r^2 / (2 sigma^2) is fitted to the pixels above 0.2 of the peak, with
    weights I^2 (Guo 2011, IEEE Sig. Proc. Mag. 28, 134), for all stars at once, on squares of
    2 ``half`` + 1 pixels. Of a Moffat profile it is too large by ``moffat_excess``.
    """
    if x.size == 0:
        return np.zeros(0)
    squares = cut_squares(image, x, y, half=half)
    light, (ny, nx) = squares.pixels, squares.pixels.shape[1:]
    dy2 = (np.arange(ny) - (y - squares.bottom)[:, None]) ** 2
    dx2 = (np.arange(nx) - (x - squares.left)[:, None]) ** 2
    r2 = dy2[:, :, None] + dx2[:, None, :]
    peak = np.where(r2 < _PEAK2, light, -np.inf).max(axis=(1, 2))[:, None, None]
    peak = np.where(peak > 0.0, peak, np.inf)
    core = (r2 <= half * half + 0.5) & (light > CORE * peak)
    core[core.sum(axis=(1, 2)) < _FEWEST_PIXELS] = False
    weight = np.where(core, light / peak, 0.0)
    slope = _slope(weight * weight, np.log(np.where(core, weight, 1.0)))
    good = slope < -1e-6
    return np.where(good, 2.0 * np.sqrt(math.log(2.0) / np.where(good, -slope, 1.0)), np.nan)


def _slope(weight: Floats, log: Floats) -> Floats:
    """(n,) the factor of r^2 in the fit of a + b dx + c dy + d r^2 to ``log`` (n, ny, nx).

    It is the same about any origin: here it is the middle of each square, so that all sums are
    products of ``weight`` with the same powers of rows and columns.
    """
    rows, columns = (np.vander(np.arange(size) - size // 2, 5, increasing=True).T.astype(float)
                     for size in weight.shape[1:])
    m = (rows @ weight @ columns.T).transpose(1, 2, 0)  # m[j, i]: sum of weight y^j x^i
    right = (rows[:3] @ (weight * log) @ columns[:3].T).transpose(1, 2, 0)
    normal = np.array([[m[0, 0], m[0, 1], m[1, 0], m[0, 2] + m[2, 0]],
                       [m[0, 1], m[0, 2], m[1, 1], m[0, 3] + m[2, 1]],
                       [m[1, 0], m[1, 1], m[2, 0], m[1, 2] + m[3, 0]],
                       [m[0, 2] + m[2, 0], m[0, 3] + m[2, 1], m[1, 2] + m[3, 0],
                        m[0, 4] + 2.0 * m[2, 2] + m[4, 0]]]).transpose(2, 0, 1)
    vector = np.array([right[0, 0], right[0, 1], right[1, 0], right[0, 2] + right[2, 0]])
    return np.asarray(np.linalg.solve(normal + 1e-9 * np.eye(4), vector.T[:, :, None])[:, 3, 0])


def moffat_alpha2(beta: float) -> float:
    """The square of Moffat's alpha for a FWHM of 1."""
    return 1.0 / (4.0 * (math.pow(2.0, 1.0 / beta) - 1.0))


def moffat_excess(beta: float) -> float:
    """The factor by which ``core_fwhm`` sees a Moffat star of exponent ``beta`` too wide."""
    alpha2 = moffat_alpha2(beta)
    r2 = np.linspace(0.0, alpha2 * (CORE ** (-1.0 / beta) - 1.0), 200)  # equal steps of area
    log = -beta * np.log1p(r2 / alpha2)
    weight = np.exp(2.0 * log)
    weight /= weight.sum()
    off = r2 - np.sum(weight * r2)
    slope = np.sum(weight * off * log) / np.sum(weight * off * off)
    return 2.0 * math.sqrt(math.log(2.0) / -slope)


def _half_size(detections: Detections, usable: NDArray[np.intp]) -> int:
    if usable.size == 0:
        return 3
    # Of faint stars only the tip shows above the threshold.
    guess = FWHM_PER_SIGMA * float(np.median(detections.radius[usable[:20]]))
    return int(np.clip(math.ceil(guess), 3, 15))


def _crowd(each: Floats) -> float:
    """The median of the values in the window of logarithms that holds the most of them."""
    log = np.sort(np.log(each))
    first = np.searchsorted(log, log - _WINDOW)
    last = np.searchsorted(log, log + _WINDOW, side="right")
    densest = int(np.argmax(last - first))
    return float(np.exp(np.median(log[first[densest]:last[densest]])))
