"""The pixels of a detector that see light, and the level that those beside them show."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from iop4d.fits.read import RawImage
from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameFacts, Region

FloatImage = NDArray[np.float32]

_ALONG = 51  # rows over which the level is averaged: it drifts slowly, and its noise is not to stay


def trimmed(raw: RawImage, facts: FrameFacts, *, saturation_adu: float = math.inf) -> RawImage:
    """The image without its overscan, whose level is subtracted, and upright.

    Of a mosaic of colour filters the pixels of one colour; a mean of two of which one is saturated
    (``saturation_adu``) is the higher one. Raises FrameError where a region is not inside the
    image.
    """
    trim, overscan = facts.detector.trim, facts.detector.overscan
    for region in (trim, overscan):
        if region is not None and (region[1] > raw.shape[1] or region[3] > raw.shape[0]):
            raise FrameError(f"has {raw.shape[1]} x {raw.shape[0]} pixels, less than its region of "
                             f"light or overscan, to {region[1]}, {region[3]}")
    if overscan is not None:
        raw = replace(raw, overscan=overscan_level(raw, overscan))
    if trim is not None:
        x0, x1, y0, y1 = trim
        raw = raw.part(slice(y0, y1), slice(x0, x1))
    if facts.detector.mosaic:
        raw = _of_colour(raw, facts.detector.mosaic, saturation_adu)
    return raw.upright(flipped=facts.flipped)


def _of_colour(raw: RawImage, mosaic: str, saturation_adu: float) -> RawImage:
    """The pixels of one colour, of a mosaic such as ``G:RGGB``; the mean of two green ones."""
    colour, _, pattern = mosaic.partition(":")
    ny, nx = (2 * (length // 2) for length in raw.shape)
    parts = [raw.part(slice(place // 2, ny, 2), slice(place % 2, nx, 2))
             for place, letter in enumerate(pattern) if letter == colour]
    if len(parts) == 1:
        return parts[0]
    one, other = (part.rows() for part in parts)
    higher = np.maximum(one, other)
    return RawImage(stored=np.where(higher >= saturation_adu, higher, (one + other) / 2.0)
                    .astype(np.float32, copy=False))


def overscan_level(raw: RawImage, region: Region) -> FloatImage:
    """The level of each row (ny, 1) of a strip at the side, or of each column (1, nx) of one below.

    The medians across the strip, averaged over 51 rows or columns; ADU. Outside the strip's own
    length the level of its end.
    """
    x0, x1, y0, y1 = region
    ny, nx = raw.shape
    strip = raw.part(slice(y0, y1), slice(x0, x1)).rows()
    by_row = (y1 - y0) / ny >= (x1 - x0) / nx
    level = np.nanmedian(strip, axis=1 if by_row else 0)
    level = uniform_filter1d(np.nan_to_num(level, nan=float(np.nanmedian(level))), _ALONG,
                             mode="nearest")
    before, after = (y0, ny - y1) if by_row else (x0, nx - x1)
    level = np.pad(level, (before, after), mode="edge").astype(np.float32)
    return level[:, None] if by_row else level[None, :]
