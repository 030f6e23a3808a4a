"""The width of the PSF: of each bright star, and of the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.science.detect import Detections

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))  # of a Gaussian, 2.3548
SHARPEST = 1.3  # px: a point seen through square pixels is wider; cosmic rays are sharper
CORE = 0.2  # the fit takes pixels above this part of the peak: they hold the half-maximum
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
    ny, nx = image.shape
    step = np.arange(-half, half + 1)
    ix, iy = np.rint(x).astype(int), np.rint(y).astype(int)
    columns, rows = ix[:, None] + step, iy[:, None] + step
    inside = ((columns >= 0) & (columns < nx))[:, None, :] & ((rows >= 0) & (rows < ny))[:, :, None]
    cut = image[np.clip(rows, 0, ny - 1)[:, :, None], np.clip(columns, 0, nx - 1)[:, None, :]]
    stamp = np.where(inside, cut, 0.0).astype(np.float64).reshape(x.size, -1)
    dx = np.tile(step, step.size) - (x - ix)[:, None]
    dy = np.repeat(step, step.size) - (y - iy)[:, None]
    core = half * half + 0.5 >= dx * dx + dy * dy
    peak = np.where(dx * dx + dy * dy < 2.5, stamp, -np.inf).max(axis=1)[:, None]
    weight = np.where(core & (stamp > CORE * peak) & (peak > 0),
                      stamp / np.where(peak > 0, peak, 1.0), 0.0)
    log = np.log(np.where(weight > 0, weight, 1.0))
    basis = np.stack([np.ones_like(dx), dx, dy, dx * dx + dy * dy], axis=2)
    weighted = basis * (weight**2)[:, :, None]
    across = np.swapaxes(weighted, 1, 2)
    normal = across @ basis
    right = across @ log[:, :, None]
    enough = (weight > 0).sum(axis=1) >= 5
    normal[~enough] = np.eye(4)
    normal += 1e-9 * np.eye(4)
    slope = np.linalg.solve(normal, right)[:, 3, 0]
    good = enough & (slope < -1e-6)
    return np.where(good, 2.0 * np.sqrt(math.log(2.0) / np.where(good, -slope, 1.0)), np.nan)


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
