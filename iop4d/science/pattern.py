"""What is wrong with a detector's pixels, from many frames of other fields on it.

A camera without dark and flat frames shows its hot pixels in every frame at the same place, while
the stars move. The median over the frames is then the pattern: what a pixel has too much is
subtracted, and a pixel that sees nothing is bad.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]

_SURE = 5.0  # errors of the median from which on a pixel's excess is one
_DEAD = 5.0  # noises of one frame by which a dead pixel lacks the light of the sky
_WILD = 100.0  # noises of one frame beyond which a hot pixel's own noise drowns a star
_MEDIAN_ERR = 1.2533  # error of a median over that of a mean, sqrt(pi / 2)


def fixed_pattern(cube: FloatImage, sigma: float) -> FloatImage:
    """The excess of each pixel over N frames: (ny, nx) float32, 0 where none is sure, NaN if bad.

    ``cube``: (N, ny, nx), the sky subtracted, NaN where not measured, in any one unit; ``sigma``:
    noise of a sky pixel of one frame, in that unit. Every star must lie on other pixels in most of
    the frames.
    """
    count = np.isfinite(cube).sum(axis=0)
    with np.errstate(all="ignore"):
        median = np.nanmedian(np.where(count > 0, cube, 0.0), axis=0)
    err = _MEDIAN_ERR * sigma / np.sqrt(np.maximum(count, 1))
    pattern = np.where(np.abs(median) > _SURE * err, median, 0.0)
    useless = (median < -_DEAD * sigma) | (median > _WILD * sigma) | (2 * count < len(cube))
    return np.where(useless, np.nan, pattern).astype(np.float32)
