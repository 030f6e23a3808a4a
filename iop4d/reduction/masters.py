"""The masters that a worker holds, those used last, and raw pixels calibrated with them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import RawImage
from iop4d.fits.stored import StoredImage, in_its_file
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import FrameKind, is_same_time
from iop4d.model.messages import MasterRef
from iop4d.science.saturation import clip_level

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Master = FloatImage | StoredImage

_IN_FILE = 16_000_000  # pixels of a master from which its rows are read as they are needed
_STRIP = 250_000  # pixels that are calibrated at a time: what is in use stays in the cache
_UNKNOWN = 65535.0  # ADU: saturation of a camera whose own is not known


@dataclass(frozen=True, kw_only=True)
class MasterSet:
    """The pixels of a frame's masters, float32 [y, x], None where there is no such master.

    Of large ones the rows are read as they are needed.

    ``bias``: ADU; ``dark``: ADU per second; ``flat``: relative; ``pattern``: excess of hot pixels,
    ADU per second. NaN where a pixel is bad. ``dark_s``: exposure time for which alone the dark
    is, as it holds the bias; NaN: for any.
    """

    bias: Master | None = None
    dark: Master | None = None
    flat: Master | None = None
    pattern: Master | None = None
    dark_s: float = math.nan

    def part(self, rows: slice) -> MasterSet:
        """Some of their rows."""
        return MasterSet(dark_s=self.dark_s, **{
            name: None if image is None else image[rows] for name, image in (
                ("bias", self.bias), ("dark", self.dark), ("flat", self.flat),
                ("pattern", self.pattern))})

    def check(self, exptime_s: float) -> None:
        """Raise FrameError where the dark is not for an exposure time."""
        if not math.isnan(self.dark_s) and not is_same_time(self.dark_s, exptime_s):
            raise FrameError(f"its exposure time is {exptime_s:g} s, that of the master dark "
                             f"{self.dark_s:g} s, and without a bias that cannot be scaled")


class MasterCache:
    """Masters by path and time, the oldest forgotten beyond ``max_pixels`` in all.

    Large ones are checked once, and stay in their files.
    """

    def __init__(self, max_pixels: int = 48_000_000) -> None:  # 192 MB of float32
        self._max_pixels = max_pixels
        self._images: OrderedDict[tuple[Path, int, int], Master] = OrderedDict()

    def get(self, ref: MasterRef) -> Master:
        """A master's pixels, which nobody may write to; raises StageError when it is unusable."""
        try:
            stat = ref.path.stat()
            key = (ref.path, stat.st_mtime_ns, stat.st_size)
            if key not in self._images:
                image = in_its_file(ref.path, _IN_FILE)
                if not isinstance(image, StoredImage):
                    image.flags.writeable = False
                self._images[key] = image
        except (OSError, FrameError) as error:
            raise StageError("masters", f"the master {ref.kind} {ref.path.name} {error}") from error
        self._images.move_to_end(key)
        while self._held > self._max_pixels and len(self._images) > 1:
            self._images.popitem(last=False)
        return self._images[key]

    @property
    def _held(self) -> int:
        return sum(image.size for image in self._images.values()
                   if not isinstance(image, StoredImage))

    def set_of(self, refs: Sequence[MasterRef], shape: tuple[int, int],
               origin: tuple[int, int] = (0, 0)) -> MasterSet:
        """The masters for a frame of a shape (ny, nx) whose first pixel is at ``origin`` (x, y).

        A larger master gives its cut; StageError where one does not cover the frame.
        """
        found = {ref.kind: _cut(self.get(ref), ref, shape, origin) for ref in refs}
        dark_s = next((ref.exptime_s for ref in refs if ref.holds_bias), math.nan)
        return MasterSet(dark_s=dark_s, bias=found.get(FrameKind.BIAS),
                         dark=found.get(FrameKind.DARK),
                         flat=found.get(FrameKind.FLAT), pattern=found.get(FrameKind.PATTERN))


def _cut(image: Master, ref: MasterRef, shape: tuple[int, int],
         origin: tuple[int, int]) -> Master:
    if image.shape == shape and origin == ref.origin:
        return image
    x, y = origin[0] - ref.origin[0], origin[1] - ref.origin[1]
    cut = image[max(y, 0):y + shape[0], max(x, 0):x + shape[1]]
    if x < 0 or y < 0 or cut.shape != shape:
        raise StageError("masters", f"the master {ref.kind} {ref.path.name} of {image.shape[1]} x "
                         f"{image.shape[0]} pixels from pixel {ref.origin} of the detector does "
                         f"not cover the frame of {shape[1]} x {shape[0]} from {origin}")
    return cut


@dataclass(frozen=True, kw_only=True)
class CalibratedImage:
    """A calibrated image, float32 [y, x], ADU; NaN where bad. Masks are None if all False.

    ``nonlinear``: pixels above the range in which the detector is linear; ``highest``: raw value,
    ADU, without its overscan; NaN where a pixel is.
    """

    image: FloatImage
    saturated: Mask | None
    bad: Mask | None
    nonlinear: Mask | None = None
    highest: float = math.nan


def calibrate_pixels(raw: RawImage, masters: MasterSet, *, exptime_s: float, saturation_adu: float,
                     gain: float = 1.0, linear_to_adu: float = math.nan) -> CalibratedImage:
    """(raw - bias - (dark + pattern) x exptime) / flat.

    Saturation is that of the raw value, or of a lower one at which the frame itself is clipped;
    ``gain``: electrons per ADU; ``linear_to_adu``: raw value up to which the detector is linear,
    NaN where that is not known.
    """
    masters.check(exptime_s)
    ny, nx = raw.shape
    image, peaks = np.empty((ny, nx), dtype=np.float32), np.empty(ny, dtype=np.float32)
    height = max(1, _STRIP // nx)
    strips = [slice(first, min(first + height, ny)) for first in range(0, ny, height)]
    for rows in strips:
        image[rows] = raw.rows(rows.start, rows.stop)
        peaks[rows] = image[rows].max(axis=1)
    # Rounded, since a whole number is not one any more once an overscan came off and on again.
    by_overscan = bool(raw.overscan.any())
    clipped = clip_level(np.rint(image + raw.overscan) if by_overscan else image, gain,
                         is_known=saturation_adu < _UNKNOWN, peaks=None if by_overscan else peaks)
    full = np.float32(min(saturation_adu, clipped - 0.01)) - raw.overscan
    curved = np.float32(linear_to_adu) - raw.overscan  # NaN: no pixel is above
    saturated, nonlinear, bad = (_Marked(raw.shape) for _ in range(3))
    for rows in strips:
        part = image[rows]
        saturated.mark(rows, part >= (full[rows] if full.shape[0] > 1 else full))
        if math.isfinite(linear_to_adu):
            nonlinear.mark(rows, part > (curved[rows] if curved.shape[0] > 1 else curved))
        _calibrate(part, masters, rows, np.float32(exptime_s))
        bad.mark(rows, ~np.isfinite(part))
    return CalibratedImage(image=image, highest=float(peaks.max()), saturated=saturated.mask,
                           bad=bad.mask, nonlinear=nonlinear.mask)


class _Marked:
    """A mask that is made once a pixel is marked."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self.mask: Mask | None = None

    def mark(self, rows: slice, which: Mask) -> None:
        """Mark pixels of some rows."""
        if which.any():
            if self.mask is None:
                self.mask = np.zeros(self._shape, dtype=bool)
            self.mask[rows] = which


def _calibrate(part: FloatImage, masters: MasterSet, rows: slice, exptime_s: np.float32) -> None:
    """Calibrate some rows in place."""
    if masters.bias is not None:
        part -= masters.bias[rows]
    if masters.dark is not None:
        part -= masters.dark[rows] * exptime_s
    if masters.pattern is not None:
        part -= masters.pattern[rows] * exptime_s
    if masters.flat is not None:
        part /= masters.flat[rows]
