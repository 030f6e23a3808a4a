"""Read FITS files, plain, gzipped or tile-compressed, after the check of their structure."""

from __future__ import annotations

import hashlib
import math
import os
import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.cards import Value
from iop4d.fits.check import MAX_PIXELS, Hdu, hdus_of
from iop4d.fits.sums import checked_sums
from iop4d.model.errors import FrameError, StageError
from iop4d.model.messages import CHANGED

MAX_BYTES = 1 << 30  # of a file, as stored and as unpacked
_GZIP_FREE = 1 << 24  # bytes up to which a gzip file may have any ratio: small files of blanks do
_GZIP_RATIO = 20  # more than real frames reach; a bomb has 1000
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_SCIENCE = ("SCI", "SCIENCE")
#: Names of extensions that stand beside an image.
_BESIDE = re.compile(r"(BAD|BPM|DQ|ERR|FLAG|MASK|QUAL|SIGMA|STD|UNC|VAR|WEIGHT|WHT|WGT|THUMB|"
                     r"PREVIEW|BACKGROUND|BKG)")
_THUMBNAIL = 0.25  # of the largest image: what is smaller is a preview of it
#: Types of pixels as they are stored, by BITPIX.
DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FitsFile:
    """A sound file: its identity, the cards of its image, and its HDUs over ``data``.

    ``sha256``: empty where it was not asked for.
    ``doubt``: why its pixels may be damaged; ``changed``: that its cards are not those that were
    summed up; both in words, empty where nothing says so.
    """

    name: str
    sha256: str
    size: int
    header: dict[str, Value]
    data: memoryview
    hdus: tuple[Hdu, ...]
    image: Hdu
    doubt: str = ""
    changed: str = ""


def physical(stored: NDArray[Any], scale: float, zero: float, blank: int | None,
             into: FloatImage | None = None) -> FloatImage:
    """Stored numbers as float32 in physical units: BSCALE, BZERO, NaN for BLANK.

    FITS standard 4.0, section 4.4.2.5. In a new array, or ``into`` one of their shape.
    """
    if into is None:
        pixels = stored.astype(np.float32)
    else:
        pixels = into
        pixels[:] = stored
    if scale != 1.0:
        pixels *= np.float32(scale)
    if zero != 0.0:
        pixels += np.float32(zero)
    if blank is not None:
        pixels[stored == blank] = np.nan
    return pixels


@dataclass(frozen=True, kw_only=True)
class RawImage:
    """An image as stored, (ny, nx), turned to physical float32 only row by row as needed.

    NaN where the file says BLANK. ``overscan``: ADU that are subtracted, of each row (ny, 1) or of
    each column (1, nx).
    """

    stored: NDArray[Any]
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None
    overscan: FloatImage = field(default_factory=lambda: np.zeros((1, 1), dtype=np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return int(self.stored.shape[0]), int(self.stored.shape[1])

    def upright(self, *, flipped: bool) -> RawImage:
        """The same image with its rows turned over if they run from the top down."""
        return self.part(slice(None, None, -1), slice(None)) if flipped else self

    def part(self, rows: slice, columns: slice) -> RawImage:
        """Some of its rows and columns."""
        level = self.overscan
        return replace(self, stored=self.stored[rows, columns], overscan=level[
            rows if level.shape[0] > 1 else slice(None),
            columns if level.shape[1] > 1 else slice(None)])

    def rows(self, first: int = 0, last: int | None = None) -> FloatImage:
        """Rows ``first`` to ``last`` (exclusive) as a new float32 array, ADU."""
        pixels = physical(self.stored[first:last], self.scale, self.zero, self.blank)
        self.subtract_overscan(pixels, first, last)
        return pixels

    def with_overscan(self, rows: slice | NDArray[np.intp],
                      into: FloatImage | None = None) -> FloatImage:
        """Some rows from which no overscan is subtracted, ADU; new, or ``into`` an array."""
        return physical(self.stored[rows], self.scale, self.zero, self.blank, into)

    def subtract_overscan(self, pixels: FloatImage, first: int, last: int | None) -> None:
        """Subtract it in place from rows ``first`` to ``last`` (exclusive)."""
        if self.overscan.any():
            level = self.overscan
            pixels -= level[first:last] if level.shape[0] > 1 else level


def open_fits(path: Path, *, wrong_datasum: str = "refuse", digest: bool = False) -> FitsFile:
    """Read a file as a whole and check it; raises FrameError, or StageError when it changes.

    ``wrong_datasum``: whether to refuse a file that does not agree with its DATASUM, to flag it as
    doubtful, or to ignore that; ``digest``: whether to find its sha256, which takes longer than
    to read it.
    """
    stored, view, hdus = _read_hdus(path)
    sums = [checked_sums(view, hdu) for hdu in hdus]
    if wrong_datasum == "refuse" and any(one.wrong_data for one in sums):
        raise FrameError("is damaged: its data do not agree with its DATASUM card. It was damaged "
                         "on its way, or a program changed the pixels and left the card; "
                         "[photometry] wrong_datasum = 'flag' takes such files")
    image, header = image_of(hdus)
    mine = sums[hdus.index(image)]
    return FitsFile(name=path.name, size=len(stored), header=header, data=view, hdus=hdus,
                    sha256=hashlib.sha256(stored).hexdigest() if digest else "",
                    image=image, changed=mine.changed,
                    doubt="" if wrong_datasum == "ignore" else mine.doubt)


def _read_hdus(path: Path) -> tuple[bytes, memoryview, tuple[Hdu, ...]]:
    """(a file as stored, as unpacked, and its HDUs)."""
    stored = _read_steady(path)
    view = memoryview(_gunzip(stored) if stored[:2] == _GZIP else stored)
    return stored, view, hdus_of(view)


def hdus_in(path: Path) -> tuple[memoryview, tuple[Hdu, ...]]:
    """A file, unpacked, and its HDUs, of which none is chosen; raises FrameError."""
    _, view, hdus = _read_hdus(path)
    return view, hdus


def read_header(path: Path) -> dict[str, Value]:
    """The cards of a file's image, the primary ones among them; raises FrameError."""
    return open_fits(path).header


def read_image(path: Path) -> tuple[FloatImage, dict[str, Value]]:
    """The image of a file, float32 [y, x] in physical units, and its header."""
    file = open_fits(path)
    return raw_image(file).rows(), file.header


def raw_image(file: FitsFile) -> RawImage:
    """The image of an open file; raises FrameError when it is no plain image of two axes."""
    header = file.header
    lengths = [header.get(card) for card in ("NAXIS", "NAXIS1", "NAXIS2")]
    if lengths[0] != 2 or not all(isinstance(n, int) and n > 0 for n in lengths):
        raise FrameError(f"is no plain image of two axes: NAXIS is {lengths[0]}")
    if file.image.header.get("ZIMAGE") is True:
        return RawImage(stored=_unpack_tiles(file))
    bitpix, nx, ny = (int(header[card]) for card in ("BITPIX", "NAXIS1", "NAXIS2"))
    stored = np.frombuffer(file.data, dtype=DTYPES[bitpix], count=nx * ny,
                           offset=file.image.start).reshape(ny, nx)
    blank = header.get("BLANK")
    return RawImage(stored=stored, scale=scale_of(header, "BSCALE", 1.0),
                    zero=scale_of(header, "BZERO", 0.0),
                    blank=blank if isinstance(blank, int) and bitpix > 0 else None)


def sampled_rows(file: FitsFile, rows: list[int]) -> FloatImage:
    """Some rows of the image of an open file; of a compressed one only their tiles are unpacked."""
    if file.image.header.get("ZIMAGE") is True:
        return _unpack_tiles(file, rows)
    raw = raw_image(file)
    return replace(raw, stored=raw.stored[rows]).rows()


def _read_steady(path: Path) -> bytes:
    """A file's bytes; raises StageError when it changed while it was read."""
    if not (path.is_file() or path.is_dir()) and path.exists():  # to open it may wait for ever
        raise FrameError("is no file with contents of its own, but a pipe, a socket or a device")
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        if before.st_size > MAX_BYTES:
            raise FrameError(f"is larger than {MAX_BYTES >> 20} MiB: {before.st_size} bytes")
        # Not MAX_BYTES, for which a gigabyte is reserved; a byte more shows a file that grows.
        stored = file.read(before.st_size + 1)
    after = path.stat()
    if _identity(before) != _identity(after) or len(stored) != after.st_size:
        raise StageError(CHANGED, "the file changed while it was read")
    return stored


def _identity(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _gunzip(stored: bytes) -> bytes:
    return b"".join(unpacked(stored))


def unpacked(stored: bytes) -> Iterator[bytes]:
    """The contents of a gzip file piece by piece; raises FrameError where they are wrong.

    Every member is unpacked to its end, so that each CRC and length is checked.
    """
    total, is_first = 0, True
    rest: bytes | memoryview = memoryview(stored)
    try:
        while bytes(rest[:2]) == _GZIP or is_first:
            member, is_first = zlib.decompressobj(wbits=31), False
            while not member.eof:
                piece = member.decompress(rest, _CHUNK)
                rest = member.unused_data if member.eof else member.unconsumed_tail
                total += len(piece)
                if total > MAX_BYTES or total > max(_GZIP_FREE, _GZIP_RATIO * len(stored)):
                    raise FrameError(f"unpacks to more than {total >> 20} MiB from "
                                     f"{len(stored)} bytes: no frame does")
                if not piece and not member.eof and not len(rest):
                    raise FrameError(f"is truncated: its gzip stream ends after {total} bytes "
                                     "unpacked")
                yield piece
    except zlib.error as error:
        raise FrameError(f"is damaged: gzip says {error}") from None
    if any(rest):
        raise FrameError(f"has {len(rest)} bytes after its end that are no gzip")


def images_of(hdus: tuple[Hdu, ...]) -> list[tuple[Hdu, dict[str, Value]]]:
    """The HDUs with images and their own cards; masks, errors and thumbnails do not count.

    Raises FrameError where there is none.
    """
    images = [(hdu, _cards_of(hdu)) for hdu in hdus if _is_image(hdu)]
    if not images:
        raise FrameError("holds no image")
    named = [pair for pair in images if _name_of(pair[1]) in _SCIENCE]
    found = named or [pair for pair in images if not _BESIDE.match(_name_of(pair[1]))] or images
    largest = max(_pixels(cards) for _, cards in found)
    # None is larger where a damaged header says nothing, or less than nothing, of their sides.
    found = [pair for pair in found if _pixels(pair[1]) > _THUMBNAIL * largest] or found
    if len(found) > 1:
        deep = [pair for pair in found if pair[1].get("BITPIX") != 8]  # bytes are mostly a mask
        found = deep or found
    return found


def image_of(hdus: tuple[Hdu, ...]) -> tuple[Hdu, dict[str, Value]]:
    """The one HDU with the image, and its cards over those of the primary HDU.

    Raises FrameError where several images do, such as those of several chips: which of them is
    meant is unknown.
    """
    found = images_of(hdus)
    if len(found) > 1:
        names = ", ".join(f"{_name_of(cards) or number} of {cards.get('NAXIS1')} x "
                          f"{cards.get('NAXIS2')} px"
                          for number, (_, cards) in enumerate(found, start=1))
        raise FrameError(f"holds {len(found)} images ({names}), as of several chips or amplifiers: "
                         "'iop4d instruments split FILE...' writes each as a file of its own")
    hdu, cards = found[0]
    header = {**hdus[0].header, **cards}
    if hdu is not hdus[0] and "HISTORY" in hdus[0].header and "HISTORY" in cards:
        header["HISTORY"] = f"{hdus[0].header['HISTORY']}\n{cards['HISTORY']}"
    if hdu is not hdus[0] and "NAXIS3" not in cards:
        header.pop("NAXIS3", None)
    axes = header.get("NAXIS")
    if isinstance(axes, int) and axes > 2 and hdu.header.get("ZIMAGE") is not True and all(
            header.get(f"NAXIS{axis}") == 1 for axis in range(3, axes + 1)):
        header["NAXIS"] = 2  # a cube of one plane
    return hdu, header


def _is_image(hdu: Hdu) -> bool:
    if hdu.header.get("ZIMAGE") is True:
        return True
    return hdu.header.get("XTENSION", "IMAGE") == "IMAGE" and hdu.size > 0


def _cards_of(hdu: Hdu) -> dict[str, Value]:
    return _image_cards(hdu.header) if hdu.header.get("ZIMAGE") is True else hdu.header


def _name_of(cards: dict[str, Value]) -> str:
    return str(cards.get("EXTNAME", "")).strip().upper()


def _pixels(cards: dict[str, Value]) -> int:
    sides = [cards.get(f"NAXIS{axis}", 0) for axis in (1, 2)]
    return math.prod(side for side in sides if isinstance(side, int))


def _image_cards(header: dict[str, Value]) -> dict[str, Value]:
    """The cards of a tile-compressed image as those of the image itself (standard, section 10)."""
    cards = {card: value for card, value in header.items()
             if not card.startswith(("NAXIS", "TTYPE", "TFORM", "TUNIT", "PCOUNT", "GCOUNT"))}
    cards["BITPIX"] = header.get("ZBITPIX", 0)
    for card, value in header.items():
        if card.startswith("ZNAXIS"):
            cards[card[1:]] = value
    return cards


def _unpack_tiles(file: FitsFile, rows: list[int] | None = None) -> FloatImage:
    """The image of tiles, or some of its rows."""
    from astropy.io import fits  # half a second to import, which plain frames need not pay

    header = file.image.header
    nx, ny = header.get("ZNAXIS1"), header.get("ZNAXIS2")
    tiles = [header.get(f"ZTILE{axis}", 1) for axis in (1, 2)]
    sizes = (nx, ny, *tiles)
    if not all(isinstance(n, int) and n > 0 for n in sizes) or nx * ny > MAX_PIXELS:  # type: ignore[operator]
        raise FrameError(f"is damaged: a compressed image of {nx} x {ny} pixels")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(BytesIO(file.data), memmap=False, lazy_load_hdus=False) as hdus:
                hdu = hdus[file.hdus.index(file.image)]
                pixels = hdu.data if rows is None else np.stack(
                    [hdu.section[row:row + 1, :][0] for row in rows])
    except Exception as error:  # noqa: BLE001 - damaged tiles raise a dozen kinds of errors
        raise FrameError(f"is damaged: its tiles cannot be unpacked: {error}") from None
    if pixels is None or pixels.shape != (len(rows) if rows else ny, nx):
        raise FrameError("is damaged: its tiles cannot be unpacked")
    return np.ascontiguousarray(pixels, dtype=np.float32)


def scale_of(header: dict[str, Value], card: str, default: float) -> float:
    """BSCALE or BZERO of a header; raises FrameError where it is no number."""
    value = header.get(card, default)
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # also a number as text
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FrameError(f"header says {card} = {value!r}, no number")
    return number
