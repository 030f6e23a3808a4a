"""The masters that a worker holds, those used last, and raw pixels calibrated with them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import RawImage
from iop4d.fits.stored import StoredImage, in_its_file
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import FrameKind, is_same_time
from iop4d.model.messages import MasterRef
from iop4d.science.saturation import clip_of, sample_step

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Master = FloatImage | StoredImage

_IN_FILE = 16_000_000  # pixels of a master from which its rows are read as they are needed
_STRIP = 131_072  # pixels that are calibrated at a time: what is in use stays in the cache
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
    ADU, its overscan included; NaN where a pixel is.
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
    step, sample, bad = sample_step(ny * nx), [], None
    for rows in _strips(raw.shape):
        part = raw.with_overscan(rows, into=image[rows])
        peaks[rows] = part.max(axis=1)
        sample.append(part.ravel()[-rows.start * nx % step::step].copy())
        raw.subtract_overscan(part, rows.start, rows.stop)
        _calibrate(part, masters, rows, np.float32(exptime_s))
        finite = np.isfinite(part)
        if not finite.all():
            bad = np.zeros((ny, nx), dtype=bool) if bad is None else bad
            np.logical_not(finite, out=bad[rows])
    clipped = clip_of(np.concatenate(sample), peaks, lambda which: raw.with_overscan(
        np.flatnonzero(which)), gain, is_known=saturation_adu < _UNKNOWN)
    full, linear = np.float32(min(saturation_adu, clipped - 0.01)), np.float32(linear_to_adu)
    return CalibratedImage(
        image=image, bad=bad, highest=float(peaks.max()),
        saturated=_marked(raw, ~(peaks < full), lambda part: part >= full),
        nonlinear=None if math.isnan(linear) else _marked(
            raw, ~(peaks <= linear), lambda part: part > linear))


def _strips(shape: tuple[int, int]) -> Iterator[slice]:
    ny, nx = shape
    height = max(1, _STRIP // nx)
    return (slice(first, min(first + height, ny)) for first in range(0, ny, height))


def _marked(raw: RawImage, which: Mask, is_it: Callable[[FloatImage], Mask]) -> Mask | None:
    """The pixels of which something is true, in the rows where it may be; None if there is none."""
    found = None
    for strip in _strips(raw.shape):
        rows = strip.start + np.flatnonzero(which[strip])
        marked = is_it(raw.with_overscan(rows)) if rows.size else which[:0]
        if marked.any():
            found = np.zeros(raw.shape, dtype=bool) if found is None else found
            found[rows] = marked
    return found


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
