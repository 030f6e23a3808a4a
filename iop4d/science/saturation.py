"""What raw pixel values tell of their limits: where a converter clips, and values that wrapped."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from iop4d.science.ordered import percentiles

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Highest values of converters of 8 to 14 bits, also where they fill the upper bits of 16, with the
#: steps of their values.
FULL = {float((2**bits - 1) << shift): float(1 << shift) for bits in (8, 10, 12, 14)
        for shift in (0, 16 - bits)}
_FEWEST = 3  # pixels of one highest value: two are an accident in one frame of a thousand
_PART = 0.3  # of the pixels within three noises of it: without a clip the values spread
_NEAR = 3.0  # noises
_COARSE = 5.0  # ADU of noise below which values coincide often
_FEWEST_COARSE = 8
_PART_COARSE = 0.6
_ABOVE_SKY = 20.0  # noises of the sky by which stars stand above it
_SAMPLE = 5000  # pixels that give the sky's level
_HOLE = 0.4  # of the median of its neighbours, below which a bright pixel cannot be
_HOLE_SIGMAS = 10.0


def clip_level(image: FloatImage, gain: float, *, is_known: bool = False) -> float:
    """The raw value at which pixels of a frame are clipped, ADU; infinite where none is seen.

    ``image``: raw float32 [y, x], NaN where there is no value; the rest as for ``clip_of``.
    """
    sample = image.ravel()[::sample_step(image.size)]
    return clip_of(sample, image.max(axis=1), lambda rows: image[rows], gain, is_known=is_known)


def sample_step(size: int) -> int:
    """From pixel to pixel of the sample of an image of ``size`` pixels, row after row."""
    return max(1, size // _SAMPLE)


def clip_of(sample: FloatImage, peaks: FloatImage, rows: Callable[[Mask], FloatImage],
            gain: float, *, is_known: bool = False) -> float:
    """As ``clip_level``, of an image that is not there as a whole.

    ``sample``: raw values of some pixels, ADU; ``peaks``: the highest of each row; ``rows``: gives
    the rows that a mask selects; ``gain``: electrons per ADU. Many
    pixels at one highest value far above the sky show it; otherwise the stars' highest pixels
    differ by their noise. So does a single one at the highest value of a converter of 8 to 14 bits,
    or two where the camera's own converter ``is_known``: a frame in thousands has one by accident.
    """
    # Few rows hold what is near the highest value.
    top = float(peaks.max())
    if not math.isfinite(top):
        finite = peaks[np.isfinite(peaks)]
        others = rows(~np.isfinite(peaks))
        finite = np.concatenate([finite, others[np.isfinite(others)]])
        top = float(finite.max()) if finite.size else math.nan
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return math.inf
    level, low = percentiles(sample, 50.0, 15.9)
    if not top - level > _ABOVE_SKY * max(level - low, 0.5):
        return math.inf
    noise = math.sqrt((top - level) / gain)
    least = top - max(_NEAR * noise, 1.0)
    near = rows(~(peaks <= np.float32(least)))
    near = near[near > least]
    at_top = int((near == top).sum())
    if top in FULL and at_top > is_known and not (sample % FULL[top]).any():
        return top
    coarse = noise < _COARSE
    clipped = at_top >= (_FEWEST_COARSE if coarse else _FEWEST) \
        and at_top >= (_PART_COARSE if coarse else _PART) * near.size
    return top if clipped else math.inf


def has_hole(stamp: Floats, inside: Mask, *, sigma: float, gain: float) -> bool:
    """Whether a pixel lies where no detector puts it: far below the sky, or below its neighbours.

    ``stamp``: ADU above the sky; ``inside``: pixels that count, none at its rim; ``sigma``: noise
    of a sky pixel.
    A value that wrapped at 65536, or became negative, stands in a bright core as a dark pixel; of
    a dead pixel both are true too.
    """
    if bool((stamp[inside] < -_HOLE_SIGMAS * sigma).any()):
        return True
    ny, nx = stamp.shape
    ring = [stamp[j:ny - 2 + j, i:nx - 2 + i]
            for j in range(3) for i in range(3) if (j, i) != (1, 1)]
    total, middle = sum(ring), stamp[1:-1, 1:-1]
    # The median of eight values is at most twice the mean of what is positive.
    row, column = np.nonzero(inside[1:-1, 1:-1] & (middle < _HOLE / 4.0 * total)
                             & (total / 4.0 - middle > _HOLE_SIGMAS * sigma))
    if not row.size:
        return False
    ordered = np.sort([of[row, column] for of in ring], axis=0)
    around, value = 0.5 * (ordered[3] + ordered[4]), middle[row, column]
    noise = np.sqrt(sigma**2 + np.maximum(around, 0.0) / gain)
    return bool(((value < _HOLE * around) & (around - value > _HOLE_SIGMAS * noise)).any())
