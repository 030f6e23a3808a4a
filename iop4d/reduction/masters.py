"""The masters that a worker holds, those used last, and raw pixels calibrated with them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import RawImage, read_image
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import FrameKind, is_same_time
from iop4d.model.messages import MasterRef
from iop4d.science.saturation import clip_level

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]

_UNKNOWN = 65535.0  # ADU: saturation of a camera whose own is not known


@dataclass(frozen=True, kw_only=True)
class MasterSet:
    """The pixels of a frame's masters, float32 [y, x], None where there is no such master.

    ``bias``: ADU; ``dark``: ADU per second; ``flat``: relative; ``pattern``: excess of hot pixels,
    ADU per second. NaN where a pixel is bad. ``dark_s``: exposure time for which alone the dark
    is, as it holds the bias; NaN: for any.
    """

    bias: FloatImage | None = None
    dark: FloatImage | None = None
    flat: FloatImage | None = None
    pattern: FloatImage | None = None
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
    """Masters by path and time, the oldest forgotten beyond ``max_pixels`` in all."""

    def __init__(self, max_pixels: int = 48_000_000) -> None:  # 192 MB of float32
        self._max_pixels = max_pixels
        self._images: OrderedDict[tuple[Path, int, int], FloatImage] = OrderedDict()

    def get(self, ref: MasterRef) -> FloatImage:
        """A master's pixels, which nobody may write to; raises StageError when it is unusable."""
        try:
            stat = ref.path.stat()
            key = (ref.path, stat.st_mtime_ns, stat.st_size)
            if key not in self._images:
                image, _ = read_image(ref.path)
                image.flags.writeable = False
                self._images[key] = image
        except (OSError, FrameError) as error:
            raise StageError("masters", f"the master {ref.kind} {ref.path.name} {error}") from error
        self._images.move_to_end(key)
        while sum(image.size for image in self._images.values()) > self._max_pixels \
                and len(self._images) > 1:
            self._images.popitem(last=False)
        return self._images[key]

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


def _cut(image: FloatImage, ref: MasterRef, shape: tuple[int, int],
         origin: tuple[int, int]) -> FloatImage:
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
    image = raw.rows()
    highest = float(image.max())
    # Rounded, since a whole number is not one any more once an overscan came off and on again.
    clipped = clip_level(np.rint(image + raw.overscan) if raw.overscan.any() else image, gain,
                         is_known=saturation_adu < _UNKNOWN)
    saturated = image >= np.float32(min(saturation_adu, clipped - 0.01)) - raw.overscan
    nonlinear = image > np.float32(linear_to_adu) - raw.overscan \
        if math.isfinite(linear_to_adu) else None
    if masters.bias is not None:
        image -= masters.bias
    if masters.dark is not None:
        image -= masters.dark * np.float32(exptime_s)
    if masters.pattern is not None:
        image -= masters.pattern * np.float32(exptime_s)
    if masters.flat is not None:
        image /= masters.flat
    bad = ~np.isfinite(image)
    return CalibratedImage(image=image, highest=highest,
                           saturated=saturated if saturated.any() else None,
                           bad=bad if bad.any() else None,
                           nonlinear=nonlinear if nonlinear is not None and nonlinear.any()
                           else None)
