"""A line of light across an aperture: the trail of a satellite, a bright star's spike.

Such a line crosses the annulus of the sky on both sides of the star, equally bright all along. The
light of stars there is in one place; that of the star itself, and of a galaxy about it, goes round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from iop4d.science.empirical_psf import cut_stamps
from iop4d.science.ordered import median
from iop4d.science.psf import surface

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ANGLES = 20  # over half a turn: at the annulus's rim they lie half a strip apart
_HALF = 0.6  # FWHM: half the width of a strip, which holds 84 % of a line's light
_HELD = 0.84
_BINS = 8  # of half a strip each, about the star: lines pass it at up to 1.8 FWHM
_OFFSETS = _HALF * (np.arange(1, _BINS) - _BINS // 2)  # FWHM, of the strips' middles
_RINGS = 3  # parts of the annulus, in each of which both arms must be seen
_ALL = 5.5  # sigmas of the light of all six parts of a line
_LOWEST, _OF_LOWEST = 4, 3.0  # parts, and sigmas of the light of these, the faintest: no stars
_SHARE, _LEAST = 0.4, 0.25  # of an even part's light have those together, and the faintest of all
_NOISE = 1.5  # sigmas by which that one may be below
_ARMS = 0.4  # of the brighter arm's light has the fainter one, but for two sigmas
_BEST = 0.7  # of the sigmas of the brightest strip, which may be one through a star
_EVEN = 0.55  # of the inner parts' brightness must the outer ones have; a star's own spike has 0.45
_FEWEST = 2.0  # pixels of a part
_FINE = 4.0  # px of FWHM beyond which pixels are taken together


@dataclass(frozen=True, kw_only=True)
class CrossingLine:
    """``light``: that it adds to the aperture, ADU; ``sigmas``: by which its parts stand out."""

    light: float
    sigmas: float


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Which pixels about a star lie in which part of which line.

    ``ring``: of each pixel, its part of the annulus, or none; ``pixel``, ``bin_``: pairs of a pixel
    and a bin of half a strip.
    """

    ring: NDArray[np.intp]
    pixel: NDArray[np.intp]
    bin_: NDArray[np.intp]

    def light(self, of: Floats) -> Floats:
        """The sum over each part of each line: (lines, 2 arms, rings).

        A strip is two bins of half its width: those of neighbouring offsets overlap.
        """
        bins = np.bincount(self.bin_, of[self.pixel], math.prod(_SHAPE)).reshape(_SHAPE)
        strips: Floats = np.moveaxis(bins[..., :-1] + bins[..., 1:], -1, 1).astype(np.float64)
        return strips.reshape(-1, 2, _RINGS)


_SHAPE = (_ANGLES, 2, _RINGS, _BINS)


def line_across(image: FloatImage, x: float, y: float, *, radius: float,
                annulus: tuple[float, float], fwhm: float, sigma: float,
                star: tuple[float, float] = (0.0, 3.5),
                bad: Mask | None = None) -> CrossingLine | None:
    """The brightest line that crosses an aperture at 0-based ``x``, ``y``; None if there is none.

    ``image``: float32 [y, x], background subtracted; ``radius``, ``annulus``, ``fwhm``: pixels;
    ``sigma``: noise of a sky pixel, ADU; ``star``: flux (ADU) and Moffat beta of the star, whose
    wings are no line; ``bad``: pixels that do not count.
    """
    stamp = cut_stamps(image, np.array([x]), np.array([y]), math.ceil(annulus[1]))
    r2 = (stamp.dy**2)[0, :, None] + stamp.dx**2
    inside = stamp.inside[0] & (r2 <= annulus[1] ** 2)
    if bad is not None:
        inside &= ~bad[stamp.at][0]
    values = stamp.data[0] - star[0] * surface(r2, fwhm, star[1])
    step = max(1, int(fwhm / _FINE))
    values, weight = (_binned(of, step).ravel() for of in (
        np.where(inside, values, 0.0), inside.astype(np.float64)))
    some = weight > 0.5 * step * step
    lines = _lines(len(r2) // 2, step, round(fwhm, 1), round(annulus[0], 1), round(annulus[1], 1))
    values /= np.where(some, weight, 1.0)
    for k in range(_RINGS):
        here = (lines.ring == k) & some
        if not here.any():
            return None
        values[here] -= median(values[here])
    weight = np.where(some, weight, 0.0)
    return _brightest(lines.light(values * weight), lines.light(weight), radius, fwhm, sigma)


def _binned(image: Floats, n: int) -> Floats:
    """Sums of squares of n pixels."""
    if n == 1:
        return image
    ny, nx = (side // n for side in image.shape)
    return np.asarray(image[:ny * n, :nx * n].reshape(ny, n, nx, n).sum(axis=(1, 3)))


@lru_cache(maxsize=64)
def _lines(half: int, step: int, fwhm: float, inner: float, outer: float) -> _Lines:
    """The lines about the middle of a square of 2 ``half`` + 1 pixels, ``step`` of them at a time.

    A star stands up to half a pixel beside it: a strip is wider.
    """
    side = np.arange(-half, half + 1.0)
    count = side.size // step
    side = side[:count * step].reshape(count, step).mean(axis=1)
    dx, dy = (v.ravel() for v in np.meshgrid(side, side))
    ring = np.digitize(np.hypot(dx, dy), np.linspace(inner, outer, _RINGS + 1)) - 1
    use = np.flatnonzero((ring >= 0) & (ring < _RINGS))
    turn = math.pi * np.arange(_ANGLES) / _ANGLES
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    along, across = cos * dx[use] + sin * dy[use], cos * dy[use] - sin * dx[use]
    column = np.floor(across / (_HALF * fwhm)).astype(np.intp) + _BINS // 2
    angle, pixel = np.nonzero((column >= 0) & (column < _BINS))
    return _Lines(ring=ring, pixel=use[pixel], bin_=np.ravel_multi_index(
        (angle, (along[angle, pixel] > 0.0).astype(np.intp), ring[use[pixel]],
         column[angle, pixel]), _SHAPE))


def _brightest(light: Floats, pixels: Floats, radius: float, fwhm: float,
               sigma: float) -> CrossingLine | None:
    """The line of the most light of those that are one."""
    noise = sigma * np.sqrt(np.maximum(pixels, 1.0))
    total = light.sum(axis=(1, 2)) / np.sqrt(np.sum(noise**2, axis=(1, 2)))
    if not total.max() > _ALL:  # as of most stars
        return None
    flat = (light / noise).reshape(len(light), -1)
    ordered, mean = np.sort(flat, axis=1), flat.mean(axis=1)
    low = ordered[:, :_LOWEST].sum(axis=1)
    lowest = (low > _OF_LOWEST * math.sqrt(_LOWEST)) & (low > _SHARE * _LOWEST * mean) & (
        ordered[:, 0] > _LEAST * mean - _NOISE)
    arms = flat.reshape(light.shape).sum(axis=2) / math.sqrt(_RINGS)
    lowest &= arms.min(axis=1) > _ARMS * arms.max(axis=1) - 2.0
    bright = light / np.maximum(pixels, 1.0)
    even = bright[..., -1].sum(axis=1) > _EVEN * bright[..., 0].sum(axis=1)
    good = (pixels.min(axis=(1, 2)) >= _FEWEST) & (total > _ALL) & lowest & even
    good &= total >= _BEST * np.max(total)
    if not good.any():
        return None
    off = np.abs(np.tile(_OFFSETS, _ANGLES)) * fwhm
    chord = 2.0 * np.sqrt(np.maximum(radius**2 - off**2, (0.3 * radius) ** 2))
    inside = bright.mean(axis=(1, 2)) * 2.0 * _HALF * fwhm / _HELD * chord
    best = int(np.argmax(np.where(good, total, -np.inf)))
    return CrossingLine(light=float(inside[best]), sigmas=float(total[best]))
