"""Raw images whose rows are read when they are needed, so that many large ones fit in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import FitsFile, FloatImage, RawImage
from iop4d.model.errors import StageError
from iop4d.model.messages import CHANGED

_STRIP = 4_000_000  # pixels that are written at a time
_NONE: NDArray[Any] = np.empty((0, 0))


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """An image (ny, nx) that lies in a file as numpy has it in memory: from byte ``start`` on, with
    steps of ``strides`` bytes.

    ``read``: gives bytes of the file from one place to another; ``like``: all of the image but its
    pixels.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    start: int
    strides: tuple[int, int]
    like: RawImage
    read: Callable[[int, int], bytes]

    def rows(self, first: int, last: int) -> FloatImage:
        """Rows ``first`` to ``last`` (exclusive) as a new float32 array, ADU; as of ``RawImage``.

        Raises StageError where the file changed since it was checked.
        """
        last = min(last, self.shape[0])
        down, along = self.strides
        corners = [self.start + y * down + x * along
                   for y in (first, last - 1) for x in (0, self.shape[1] - 1)]
        begin = min(corners)
        data = self.read(begin, max(corners) + self.dtype.itemsize)
        stored = np.ndarray((last - first, self.shape[1]), self.dtype, data, corners[0] - begin,
                            self.strides)
        level = self.like.overscan
        return replace(self.like, stored=stored, overscan=level[first:last]
                       if level.shape[0] > 1 else level).rows()


def by_rows(raw: RawImage, file: FitsFile, path: Path, stamp: os.stat_result, *,
            scratch: Path, closed: ExitStack) -> RawRows:
    """An image of an open file, without its pixels in memory.

    ``stamp``: what the file was before it was opened. What is not in it as in memory, since it was
    packed or is computed, waits in a nameless file of the folder ``scratch`` until ``closed`` is.
    """
    begin = np.frombuffer(file.data, dtype=np.uint8).__array_interface__["data"][0]
    place = raw.stored.__array_interface__["data"][0] - begin
    like = replace(raw, stored=_NONE)
    if 0 <= place < len(file.data) == file.size:
        return RawRows(shape=raw.shape, dtype=raw.stored.dtype, start=place, like=like,
                       strides=_pair(raw.stored.strides), read=_of_path(path, stamp))
    scratch.mkdir(parents=True, exist_ok=True)
    spare = closed.enter_context(TemporaryFile(dir=scratch))  # noqa: SIM115 - by the stack
    height = max(1, _STRIP // raw.shape[1])
    for first in range(0, raw.shape[0], height):
        spare.write(raw.stored[first:first + height].tobytes())
    spare.flush()
    width = raw.stored.dtype.itemsize
    return RawRows(shape=raw.shape, dtype=raw.stored.dtype, start=0, like=like,
                   strides=(width * raw.shape[1], width),
                   read=lambda first, last: os.pread(spare.fileno(), last - first, first))


def _pair(strides: tuple[int, ...]) -> tuple[int, int]:
    return strides[0], strides[1]


def _of_path(path: Path, stamp: os.stat_result) -> Callable[[int, int], bytes]:
    def read(first: int, last: int) -> bytes:
        try:
            with path.open("rb") as file:
                now = os.fstat(file.fileno())
                data = os.pread(file.fileno(), last - first, first)
        except FileNotFoundError:
            raise StageError(CHANGED, f"{path.name} was removed while it was read") from None
        if len(data) < last - first or any(
                getattr(now, name) != getattr(stamp, name)
                for name in ("st_ino", "st_size", "st_mtime_ns")):
            raise StageError(CHANGED, f"{path.name} changed while it was read")
        return data

    return read
