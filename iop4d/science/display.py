"""An image for the screen: how bright what is drawn, and pixels in few bits.

A pixel is sent as a whole number that is linear near the sky and logarithmic far from it, so that
one picture holds noise and bright stars, whatever the viewer does with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]

#: Of each step of a code near the sky, in sigmas of the sky; the same part of what is far from it.
STEP = 1.0 / 32.0
#: The code of a pixel that has no value.
NONE = -32768
_FARTHEST = 1000  # largest code: 1e13 sigmas
_BINS = 160
_SAMPLE = 200_000  # pixels that are looked at
_PERCENTS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.9)
_ZSCALE_CONTRAST = 0.25  # as in IRAF
_ZSCALE_SAMPLE = 1000
_ZSCALE_REJECT = 2.5  # sigmas
_ZSCALE_LEAST = 0.5  # part of the pixels that the line must fit


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How the pixels of an image are spread, in its unit; NaN where it has no pixel with a value.

    ``sky``, ``sigma``: median and robust sigma; ``zscale``: the cuts of IRAF's zscale;
    ``percentiles``: (percent, value); ``counts``: pixels looked at by code, from ``first`` on, in
    bins of ``codes`` codes; ``gaps``: the part of the pixels without a value.
    """

    sky: float
    sigma: float
    low: float
    high: float
    zscale: tuple[float, float]
    percentiles: tuple[tuple[float, float], ...]
    counts: tuple[int, ...]
    first: int
    codes: int
    gaps: float


def levels_of(image: FloatImage) -> Levels:
    """How the pixels of an image [y, x] are spread; large ones are sampled at equal steps."""
    step = max(1, math.isqrt(image.size // _SAMPLE))
    values = image[::step, ::step].ravel()
    known = values[np.isfinite(values)].astype(np.float64)
    gaps = 1.0 - known.size / values.size if values.size else 1.0
    if not known.size:
        return Levels(sky=math.nan, sigma=1.0, low=math.nan, high=math.nan,
                      zscale=(math.nan, math.nan), percentiles=(), counts=(), first=0, codes=1,
                      gaps=gaps)
    known.sort()
    sky = float(known[known.size // 2])
    sigma = _sigma(known, sky)
    codes = encode(known[None, :].astype(np.float32), sky, sigma)[0]
    first, last = int(codes[0]), int(codes[-1])
    width = max(1, -(-(last - first + 1) // _BINS))
    counts = np.bincount((codes.astype(np.int64) - first) // width)
    percents = np.percentile(known, _PERCENTS)
    return Levels(sky=sky, sigma=sigma, low=float(known[0]), high=float(known[-1]),
                  zscale=zscale(known), gaps=gaps,
                  percentiles=tuple(zip(_PERCENTS, percents.tolist(), strict=True)),
                  counts=tuple(counts.tolist()), first=first, codes=width)


def _sigma(known: Floats, sky: float) -> float:
    """A robust sigma, of sorted values; a scale that is not 0, where most of them are the same."""
    sigma = 1.4826 * float(np.median(np.abs(known - sky)))
    if not sigma > 0.0:
        sigma = float(np.std(known))
    return sigma if sigma > 0.0 else max(abs(sky), 1.0)


def zscale(known: Floats) -> tuple[float, float]:
    """The cuts of IRAF's zscale, of sorted values that are finite.

    A line is fitted to the sorted values about their middle, without those far from it; its slope
    over the contrast gives the cuts, which stay within the values.
    """
    values = known[::max(1, known.size // _ZSCALE_SAMPLE)]
    low, high, middle = float(known[0]), float(known[-1]), float(values[values.size // 2])
    x = np.arange(values.size) - values.size / 2.0
    good = np.ones(values.size, dtype=bool)
    slope = 0.0
    for _ in range(5):
        if good.sum() < max(5, _ZSCALE_LEAST * values.size):
            return low, high
        slope, zero = np.polyfit(x[good], values[good], 1)
        left = values - (slope * x + zero)
        kept = np.abs(left) < max(_ZSCALE_REJECT * float(np.std(left[good])), 1e-12)
        if (kept == good).all():
            break
        good = kept
    if not slope > 0.0:
        return low, high
    reach = slope / _ZSCALE_CONTRAST * values.size / 2.0
    return max(low, middle - float(reach)), min(high, middle + float(reach))


def encode(image: FloatImage, sky: float, sigma: float) -> NDArray[np.int16]:
    """Codes of pixels: asinh((value - sky) / sigma) / STEP; ``NONE`` where there is no value."""
    with np.errstate(invalid="ignore"):
        scaled = np.arcsinh((image - np.float32(sky)) * np.float32(1.0 / sigma))
        scaled *= np.float32(1.0 / STEP)
        codes = np.clip(np.rint(scaled, out=scaled), -_FARTHEST, _FARTHEST)
    codes[~np.isfinite(image)] = NONE
    return np.asarray(codes.astype(np.int16))


def decode(codes: NDArray[np.int16], sky: float, sigma: float) -> FloatImage:
    """The pixels of codes, to half a step; NaN where there is none."""
    known = np.where(codes == NONE, 0, codes).astype(np.float32)
    found = np.sinh(known * np.float32(STEP)) * np.float32(sigma) + np.float32(sky)
    return np.where(codes == NONE, np.float32(np.nan), found).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Light about a place: of each pixel its distance in pixels and its value, and the medians of
    rings one pixel wide."""

    distance: Floats
    value: Floats
    ring: Floats
    median: Floats


def radial_profile(image: FloatImage, x: float, y: float, reach: float) -> Profile:
    """The pixels of an image [y, x] within a distance of a 0-based place that have a value."""
    j, i = np.indices(image.shape)
    distance = np.hypot(i - x, j - y)
    inside = (distance <= reach) & np.isfinite(image)
    far, light = distance[inside], image[inside].astype(np.float64)
    number = np.rint(far).astype(int)
    rings = np.unique(number)
    return Profile(distance=far, value=light, ring=rings.astype(np.float64),
                   median=np.array([np.median(light[number == ring]) for ring in rings]))


@dataclass(frozen=True, kw_only=True)
class Projection:
    """An image summed across a strip about a place: ``offset`` from it in pixels, and the sums."""

    offset: Floats
    value: Floats


def projections(image: FloatImage, x: float, y: float, reach: float, half_width: float,
                ) -> tuple[Projection, Projection]:
    """An image [y, x] along x and along y through a 0-based place, within ``reach`` pixels of it.

    Each value is the sum over the pixels that lie within ``half_width`` of the place across the
    strip, in the image's unit; pixels without a value add nothing, and a sum of none is NaN.
    """
    found = []
    for along, across, turned in ((x, y, image), (y, x, image.T)):
        place = np.arange(turned.shape[1]) - along
        rows = np.abs(np.arange(turned.shape[0]) - across) <= half_width
        near = np.abs(place) <= reach
        strip = turned[rows][:, near].astype(np.float64)
        sums = np.where(np.isfinite(strip).any(axis=0), np.nansum(strip, axis=0), np.nan)
        found.append(Projection(offset=place[near].astype(np.float64), value=sums))
    return found[0], found[1]
