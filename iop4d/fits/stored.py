"""Large float32 images whose rows are read from their file when they are needed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import FitsFile, open_fits, raw_image

FloatImage = NDArray[np.float32]

_STORED = np.dtype(">f4")


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image (ny, nx) that lies in its file as FITS stores float32, from byte ``start`` on.

    It is indexed by rows, or by rows and columns, each a slice, and gives new arrays.
    """

    path: Path
    start: int
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        """Pixels."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, where: slice | tuple[slice, slice]) -> FloatImage:
        rows, columns = where if isinstance(where, tuple) else (where, slice(None))
        wanted = range(*rows.indices(self.shape[0]))
        ny, nx = len(wanted), self.shape[1]
        with self.path.open("rb") as file:
            parts = [self._read(file.fileno(), wanted.start, ny)] if wanted.step == 1 else [
                self._read(file.fileno(), row, 1) for row in wanted]
        found = parts[0] if len(parts) == 1 else np.concatenate([
            np.empty(0, dtype=_STORED), *parts])
        return found.reshape(ny, nx)[:, columns].astype(np.float32)

    def _read(self, number: int, row: int, count: int) -> NDArray[np.float32]:
        width = self.shape[1] * _STORED.itemsize
        return np.frombuffer(os.pread(number, count * width, self.start + row * width), _STORED)


def in_its_file(path: Path, fewest: int) -> StoredImage | FloatImage:
    """The image of a file, which is checked as a whole; raises FrameError.

    In its file, where it is of at least ``fewest`` pixels and plain float32.
    """
    file = open_fits(path)
    raw = raw_image(file)
    plain = raw.stored.dtype == _STORED and raw.scale == 1.0 and raw.zero == 0.0
    if raw.stored.size < fewest or not plain or not _is_as_stored(file):
        return raw.rows()
    return StoredImage(path=path, start=file.image.start, shape=raw.shape)


def _is_as_stored(file: FitsFile) -> bool:
    """Whether a file is neither packed as a whole nor its image by tiles."""
    return file.size == len(file.data) and file.image.header.get("ZIMAGE") is not True
