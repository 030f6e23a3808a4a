"""Whether the pixels of a frame can be true: values that wrapped, masters that are not its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import RawImage
from iop4d.model.frame import FrameFacts, FrameKind, warmer_by
from iop4d.model.messages import MasterRef
from iop4d.reduction.masters import CalibratedImage, MasterSet
from iop4d.science.ordered import median, percentiles

_BELOW_SIGMA = 10.0  # of the sky, below which a level of integers is far from the sky
_SKY_SIGMA, _SKY_ADU = 3.0, 10.0  # below zero that a calibrated sky may be: biases differ
_HIGH = 40000.0  # ADU above which 16-bit pixels may be near their end
_HOLE = 20000.0  # ADU by which no pixel between two such pixels of a star is fainter
_WIDEST = 12  # pixels of such a hole
_STRIP = 500_000  # pixels that are looked at at a time
_BLOCKS = 8  # to a side, that show how even an image is
_SAMPLE = 8192  # pixels that show it
_DOUBLES = 6.0  # degrees with which a dark current doubles
_HOT_PERCENT = 99.0  # of the pixels of a dark are fainter than its hot ones
_UNEVEN = 0.05  # of the sky: a flat that adds less looks like a gradient


def mark_wrapped(raw: RawImage, frame: CalibratedImage) -> tuple[CalibratedImage, str]:
    """The image with NaN where values wrapped, and that in words; both as they were without any.

    Values of 16 bits wrap to negative ones where a program takes them as signed, and to small ones
    beyond 65535. Only integers tell: negative ones of a sky that is far above zero, and a hole
    between pixels of a star that are near the end of the range.
    """
    stored = raw.stored
    sample = np.asarray(stored[::16, ::16], dtype=np.float64) * raw.scale + raw.zero
    sample = sample[np.isfinite(sample)]
    if not sample.size or np.any(sample != np.floor(sample)):
        return frame, ""
    low, middle = percentiles(sample, 15.87, 50.0)
    zero = (0.0 - raw.zero) / raw.scale
    far = middle > _BELOW_SIGMA * max(middle - low, 1.0) and _may_be_below(stored.dtype, zero)
    if not far and frame.highest <= _HIGH:
        return frame, ""
    wrapped = _holes(stored, (_HIGH - raw.zero) / raw.scale, _HOLE / raw.scale)
    if far and float(stored.min()) < zero:
        wrapped = stored < zero if wrapped is None else wrapped | (stored < zero)
    if wrapped is None:
        return frame, ""
    count = int(np.count_nonzero(wrapped))
    image = frame.image
    image[wrapped] = np.nan
    bad = wrapped if frame.bad is None else frame.bad | wrapped
    return replace(frame, image=image, bad=bad), (
            f"{count} pixels have values that wrapped: negative, or holes in bright stars")


def _may_be_below(dtype: np.dtype[Any], value: float) -> bool:
    """Whether numbers so stored can be lower: 16 bits without a sign never are below their zero."""
    return dtype.kind not in "iu" or float(np.iinfo(dtype).min) < value


def _holes(stored: NDArray[Any], high: float, depth: float) -> NDArray[np.bool_] | None:
    """Pixels of rows between two high ones near each other, all much fainter than both; or None.

    So is a pixel between two stars, hot pixels or trails of charge: one of a hole also has brighter
    pixels above and below.
    """
    found = None
    y, x = _above(stored, high)
    near = np.flatnonzero((np.diff(y) == 0) & (np.diff(x) > 1) & (np.diff(x) <= _WIDEST + 1))
    first = stored[y[near], x[near] + 1].astype(np.float64)
    ends = np.minimum(stored[y[near], x[near]].astype(np.float64), stored[y[near], x[near + 1]])
    deep = first < ends - depth
    for i, limit in zip(near[deep].tolist(), (ends - depth)[deep].tolist(), strict=True):
        row, columns = int(y[i]), slice(int(x[i]) + 1, int(x[i + 1]))
        hole = stored[row, columns].astype(np.float64)
        above, below = (stored[rows, columns].astype(np.float64).max(axis=0, initial=-math.inf)
                        for rows in (slice(max(row - _WIDEST, 0), row),
                                     slice(row + 1, row + 1 + _WIDEST)))
        between = np.minimum(above, below) > hole + depth
        if hole.max() < limit and between.any():
            found = np.zeros(stored.shape, dtype=bool) if found is None else found
            found[row, columns] = between
    return found


def _above(stored: NDArray[Any], high: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(rows, columns) of the pixels above a value, row by row."""
    ny, nx = stored.shape
    height = max(1, _STRIP // nx)
    rows, columns = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for first in range(0, ny, height):
        part = stored[first:first + height]
        part = part.astype(part.dtype.newbyteorder("="), copy=False)  # compared much faster
        some = np.flatnonzero(part.max(axis=1) > high)
        line, x = np.divmod(np.flatnonzero(part[some] > high), nx)
        rows.append(first + some[line])
        columns.append(x)
    return np.concatenate(rows), np.concatenate(columns)


def sky_doubt(level: float, sigma: float, masters: MasterSet) -> str:
    """That the sky is far below zero after calibration, in words; empty if it is not.

    ``level``, ``sigma``: of the calibrated sky, ADU. Without masters any level may be right.
    """
    if masters.bias is None and masters.dark is None:
        return ""
    if level >= -max(_SKY_SIGMA * sigma, _SKY_ADU):
        return ""
    return (f"the sky is {level:.0f} ADU after calibration: the bias or dark does not belong to "
            "this frame")


@dataclass(frozen=True, kw_only=True)
class DarkNote:
    """That a dark is of another temperature, in words, empty if it is not; whether that matters."""

    text: str = ""
    matters: bool = False


def dark_note(refs: Sequence[MasterRef], masters: MasterSet, facts: FrameFacts,
              sigma: float) -> DarkNote:
    """Whether a frame's dark was taken at clearly another temperature.

    The dark current doubles with six degrees. It matters where one pixel in a hundred is off by
    more than ``sigma``, the noise of the sky, ADU: the level by itself is part of the sky.
    """
    dark = next((ref for ref in refs if ref.kind is FrameKind.DARK), None)
    by = 0.0 if dark is None else warmer_by(facts.detector.celsius, dark.celsius)
    if dark is None or masters.dark is None or by == 0.0:
        return DarkNote()
    step = max(1, math.isqrt(masters.dark.size // _SAMPLE))
    middle, high = np.nanpercentile(masters.dark[::step, ::step], (50.0, _HOT_PERCENT))
    part = abs(2.0 ** (by / _DOUBLES) - 1.0)
    off = float(high - middle) * facts.exptime_s * part
    return DarkNote(matters=off > sigma, text=(
        f"its detector was at {facts.detector.celsius:.0f} C, that of the master dark at "
        f"{dark.celsius:.0f} C: there is no nearer one"))


def flat_doubt(image: NDArray[np.float32], masters: MasterSet) -> str:
    """That the flat made the sky much less even than it was, in words; empty if it did not.

    ``image``: calibrated, with its sky, ADU [y, x].
    """
    if masters.flat is None:
        return ""
    step = max(1, math.isqrt(image.size // _SAMPLE))
    after = image[::step, ::step]
    now = _unevenness(after)
    if not now > _UNEVEN:
        return ""
    before = _unevenness(after * masters.flat[::step, ::step])
    if now > 2.0 * before:
        return (f"the flat makes the sky uneven by {100.0 * now:.0f} %, which was uneven by "
                f"{100.0 * before:.0f} %: it does not belong to this frame")
    return ""


def _unevenness(image: NDArray[np.float32]) -> float:
    """Robust scatter of the medians of blocks, as a part of their median; NaN for no sky."""
    high, wide = (side // _BLOCKS for side in image.shape)
    blocks = image[:high * _BLOCKS, :wide * _BLOCKS].reshape(_BLOCKS, high, _BLOCKS, wide)
    ordered = np.sort(blocks.swapaxes(1, 2).reshape(_BLOCKS**2, -1), axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1)
    some = np.flatnonzero(count)
    medians = ordered[some, count[some] // 2].astype(np.float64)
    if not medians.size:
        return math.nan
    low_level, level, high_level = percentiles(medians, 15.87, 50.0, 84.13)
    spread = (high_level - low_level) / 2.0
    within = np.abs(ordered[some] - medians[:, None])
    noise = median(within[~np.isnan(within)]) / math.sqrt(ordered.shape[1])
    return spread / level if level > 20.0 * noise else math.nan
