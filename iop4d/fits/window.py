"""Parts of the image of a FITS file: what is not asked for is neither read nor held.

Nothing is mapped into memory: a file that another program cuts short gives an error, no crash.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.cards import BLOCK, MAX_HEADER, Value, find_end, lines_of
from iop4d.fits.check import MAX_HDUS, Hdu, check_beginning, hdu_at
from iop4d.fits.read import DTYPES, MAX_BYTES, image_of, physical, read_image, scale_of, unpacked
from iop4d.fits.write import plain_header
from iop4d.model.errors import FrameError
from iop4d.model.frame import Region

FloatImage = NDArray[np.float32]

_GZIP = b"\x1f\x8b"
_DESCRIPTORS = Path("/proc/self/fd")  # of Linux
_HEADER = 1 << 16  # bytes read for a header at first: few are longer
_STRIP = 1 << 22  # pixels that are held at a time while an image is made smaller


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Which stored pixels an image is made of, and how it lies, as ``fits.overscan.trimmed`` has
    it: ``trim``: the pixels that see light; ``mosaic``: those of one colour; ``flipped``: rows run
    from the top down."""

    trim: Region | None = None
    mosaic: str = ""
    flipped: bool = False


class ImageFile:
    """The image of an open file. ``shape``: (ny, nx) of what is shown of it; ``header``: its cards.

    A compressed file is unpacked into a nameless file of ``scratch``, which is gone with this.
    Raises FrameError where the file is no image.
    """

    def __init__(self, file: BinaryIO, cut: Cut, *, scratch: Path) -> None:
        self._file = _readable(file, scratch)
        #: Bytes of the file that was unpacked for this; 0 where none was.
        self.scratch_bytes = 0
        if self._file is not file:
            file.close()
            self.scratch_bytes = os.fstat(self._file.fileno()).st_size
        try:
            self._find(cut)
        except BaseException:
            self._file.close()
            raise

    def _find(self, cut: Cut) -> None:
        image, self.header = image_of(_hdus(self._file))
        lengths = [self.header.get(card) for card in ("NAXIS", "NAXIS1", "NAXIS2")]
        if lengths[0] != 2 or not all(isinstance(n, int) and n > 0 for n in lengths):
            raise FrameError(f"is no plain image of two axes: NAXIS is {lengths[0]}")
        self._stored = _Stored.of(image, self.header)
        self._cut = cut
        x0, x1, y0, y1 = cut.trim or (0, self._stored.nx, 0, self._stored.ny)
        self._corner = (x0, y0)
        self._step = 2 if cut.mosaic else 1
        self.shape = ((min(y1, self._stored.ny) - y0) // self._step,
                      (min(x1, self._stored.nx) - x0) // self._step)
        if min(self.shape) < 1:
            raise FrameError("has no pixel in its region of light")

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def part(self, x: int, y: int, nx: int, ny: int) -> FloatImage:
        """A part from 0-based pixel ``x``, ``y`` on, float32 [y, x], physical units, NaN if blank.

        It ends where the image does.
        """
        x, y = max(x, 0), max(y, 0)
        nx, ny = max(min(nx, self.shape[1] - x), 0), max(min(ny, self.shape[0] - y), 0)
        first = self.shape[0] - y - ny if self._cut.flipped else y
        step, (left, bottom) = self._step, self._corner
        rows = self._stored.rows(self._file, bottom + step * first, step * ny)
        rows = rows[:, left + step * x:left + step * (x + nx)]
        if self._cut.mosaic:
            rows = _colour(rows, self._cut.mosaic)
        return rows[::-1] if self._cut.flipped else rows

    def smaller(self, factor: int) -> FloatImage:
        """The whole image by the means of squares of ``factor`` pixels, read strip by strip."""
        if factor == 1:
            return np.ascontiguousarray(self.part(0, 0, self.shape[1], self.shape[0]))
        ny, nx = (-(-length // factor) for length in self.shape)
        found = np.empty((ny, nx), dtype=np.float32)
        step = max(1, _STRIP // (self.shape[1] * factor))
        for first in range(0, ny, step):
            strip = self.part(0, first * factor, self.shape[1], step * factor)
            found[first:first + step] = binned(strip, factor)
        return found


def binned(image: FloatImage, factor: int) -> FloatImage:
    """Means of squares of ``factor`` pixels, those at the upper edges of fewer; NaN of none."""
    if factor == 1:
        return image
    ny, nx = (-(-length // factor) for length in image.shape)
    padded = np.full((ny * factor, nx * factor), np.nan, dtype=np.float32)
    padded[:image.shape[0], :image.shape[1]] = image
    squares = padded.reshape(ny, factor, nx, factor)
    total = squares.sum(axis=(1, 3), dtype=np.float32) / np.float32(factor * factor)
    gaps = ~np.isfinite(total)
    if gaps.any():
        j, i = np.nonzero(gaps)
        those = squares[j, :, i, :].reshape(j.size, -1)
        known = np.isfinite(those)
        count = known.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            total[gaps] = np.where(known, those, 0.0).sum(axis=1) / count
    return np.asarray(total)


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """Where the pixels lie in the file, and what their numbers mean."""

    start: int
    nx: int
    ny: int
    dtype: np.dtype[np.generic] = field(repr=False)
    scale: float
    zero: float
    blank: int | None

    @classmethod
    def of(cls, image: Hdu, header: dict[str, Value]) -> _Stored:
        bitpix, blank = int(header["BITPIX"]), header.get("BLANK")
        return cls(start=image.start, nx=int(header["NAXIS1"]), ny=int(header["NAXIS2"]),
                   dtype=np.dtype(DTYPES[bitpix]), scale=scale_of(header, "BSCALE", 1.0),
                   zero=scale_of(header, "BZERO", 0.0),
                   blank=blank if isinstance(blank, int) and bitpix > 0 else None)

    def rows(self, file: BinaryIO, first: int, count: int) -> FloatImage:
        """Whole rows as float32 in physical units."""
        length = count * self.nx * self.dtype.itemsize
        data = os.pread(file.fileno(), length, self.start + first * self.nx * self.dtype.itemsize)
        while len(data) < length:  # one call reads 2 GB at most, and less over a network
            more = os.pread(file.fileno(), length - len(data),
                            self.start + first * self.nx * self.dtype.itemsize + len(data))
            if not more:
                raise FrameError("is truncated: it was made shorter while it was shown")
            data += more
        stored = np.frombuffer(data, dtype=self.dtype).reshape(count, self.nx)
        return physical(stored, self.scale, self.zero, self.blank)


def _colour(rows: FloatImage, mosaic: str) -> FloatImage:
    """The pixels of one colour, of a mosaic such as ``G:RGGB``; the mean of two green ones."""
    colour, _, pattern = mosaic.partition(":")
    parts = [rows[place // 2::2, place % 2::2]
             for place, letter in enumerate(pattern) if letter == colour]
    return parts[0] if len(parts) == 1 else (parts[0] + parts[1]) / np.float32(2.0)


def _readable(file: BinaryIO, scratch: Path) -> BinaryIO:
    """The file, or a nameless one with what a compressed one holds."""
    if os.pread(file.fileno(), 2, 0) == _GZIP:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise FrameError(f"is larger than {MAX_BYTES >> 20} MiB")
        return _scratch(scratch, unpacked(file.read(MAX_BYTES)))
    if any(hdu.header.get("ZIMAGE") is True for hdu in _hdus(file)):
        pixels = _unpacked_tiles(file, scratch)
        head = plain_header((pixels.shape[0], pixels.shape[1]))
        return _scratch(scratch, (head, pixels.astype(">f4").data.cast("B")))
    return file


def _unpacked_tiles(file: BinaryIO, scratch: Path) -> FloatImage:
    """The image of a tile-compressed file, which is that file whatever has its name by now."""
    mine = _DESCRIPTORS / str(file.fileno())
    if mine.exists():
        return read_image(mine)[0]
    with tempfile.NamedTemporaryFile(dir=scratch) as copy:
        file.seek(0)
        shutil.copyfileobj(file, copy)
        copy.flush()
        return read_image(Path(copy.name))[0]


def _scratch(folder: Path, pieces: Iterable[bytes | memoryview]) -> BinaryIO:
    """A nameless file of some contents."""
    file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by its reader
    try:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[file.write(left):]
    except BaseException:
        file.close()
        raise
    return cast(BinaryIO, file)


def _hdus(file: BinaryIO) -> tuple[Hdu, ...]:
    """The headers of a file; raises FrameError where it is no FITS, or ends within its data."""
    size, at = os.fstat(file.fileno()).st_size, 0
    found: list[Hdu] = []
    while at < size and len(found) <= MAX_HDUS:
        head = os.pread(file.fileno(), _HEADER, at)
        if found and head[:8] != b"XTENSION":
            break
        if find_end(memoryview(head)[:-BLOCK], 0) is None:
            head = os.pread(file.fileno(), MAX_HEADER + BLOCK, at)
        if not found:
            check_beginning(memoryview(head))
        hdu = hdu_at(memoryview(head), 0, first=not found)
        found.append(replace(hdu, first=at, start=at + hdu.start))
        if found[-1].start + hdu.size > size:
            raise FrameError(f"is truncated: {size} of {found[-1].start + hdu.size} bytes")
        at += hdu.start + -(-hdu.size // BLOCK) * BLOCK
    if not found:
        raise FrameError("is empty")
    return tuple(found)


def headers_of(file: BinaryIO) -> list[list[tuple[str, str, str]]]:
    """The cards of each HDU of an open file as ``fits.cards.lines_of`` has them.

    Of a packed file those of the HDUs at its beginning; raises FrameError where there is none.
    """
    if os.pread(file.fileno(), 2, 0) != _GZIP:
        return [lines_of(os.pread(file.fileno(), hdu.start - hdu.first, hdu.first))
                for hdu in _hdus(file)]
    head = b""
    for piece in unpacked(file.read(MAX_BYTES)):
        head += piece
        if len(head) > MAX_HEADER + BLOCK:
            break
    first = hdu_at(memoryview(head), 0, first=True)
    return [lines_of(head[:first.start])]
