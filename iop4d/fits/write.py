"""Write an image as FITS, float32, at once and with its DATASUM and CHECKSUM."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.atomic import write_atomic
from iop4d.fits.cards import BLOCK, CARD, Value
from iop4d.fits.kept import KeptCards
from iop4d.fits.sums import UNDEFINED, datasum, encoded, folded
from iop4d.fits.written import card_lines, history_lines

_STRIP = 1_000_000  # pixels that are turned to what FITS stores at a time
_HELD = 16_000_000  # pixels up to which an image is kept in memory until it is written
NO_COMMENTS: Mapping[str, str] = {}
NOTHING_KEPT = KeptCards()


class StoredPixels:
    """A float32 image [y, x] as FITS stores it, until its header is known.

    A large one waits in a nameless file of ``folder``, if that is given; ``close`` frees it.
    """

    def __init__(self, image: NDArray[np.float32], folder: Path | None = None) -> None:
        self.shape = (int(image.shape[0]), int(image.shape[1]))
        self._file = None
        self._data = memoryview(b"")
        if folder is None or image.size <= _HELD:
            self._data = image.astype(">f4").data.cast("B")
            self.datasum = datasum(self._data)
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close
        total, height = 0, max(1, _STRIP // self.shape[1])
        for first in range(0, self.shape[0], height):
            data = image[first:first + height].astype(">f4").data.cast("B")
            total += datasum(data)
            self._file.write(data)
        self.datasum = folded(total)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The stored bytes, one part after the other, with what fills the last block."""
        if self._file is None:
            yield self._data
        else:
            self._file.seek(0)
            while piece := self._file.read(_STRIP * 4):
                yield piece
        yield bytes(-(self.shape[0] * self.shape[1] * 4) % BLOCK)

    def close(self) -> None:
        """Free what it holds."""
        self._data = memoryview(b"")
        if self._file is not None:
            self._file.close()


def write_image(path: Path, image: NDArray[np.float32] | StoredPixels,
                cards: Mapping[str, Value], *, comments: Mapping[str, str] = NO_COMMENTS,
                kept: KeptCards = NOTHING_KEPT, history: Iterable[str] = (), durable: bool = True,
                digest: bool = True) -> str:
    """Write a float32 image [y, x] with cards and HISTORY lines.

    ``comments``: what stands behind the / of cards; ``kept``: what the image keeps of the header
    that it was made from. Returns the file's sha256, or an empty text without ``digest``, which
    takes a while.

    NaN and infinite values are left out of the header, as FITS has none.
    """
    pixels = image if isinstance(image, StoredPixels) else StoredPixels(image, path.parent)
    ny, nx = pixels.shape
    mine = [line for name, value in cards.items()
            if not (isinstance(value, float) and not math.isfinite(value))
            for line in card_lines(name, value, comments.get(name, ""))]
    notes = [line for said in (*kept.history, *history) for line in history_lines(said)]
    header = _summed([*_first(nx, ny), *_long(mine, kept), *mine, *kept.cards, *notes],
                     pixels.datasum)
    found = hashlib.sha256() if digest else None

    def pieces() -> Iterator[bytes | memoryview]:
        for piece in chain((header,), pixels.pieces()):
            if found is not None:
                found.update(piece)
            yield piece

    try:
        write_atomic(path, pieces(), durable=durable)
    finally:
        pixels.close()
    return "" if found is None else found.hexdigest()


def plain_header(shape: tuple[int, int]) -> bytes:
    """The header of a float32 image of (ny, nx) pixels that has no other card."""
    return _blocks([*_first(shape[1], shape[0]), "END".ljust(CARD)])


def _first(nx: int, ny: int) -> list[str]:
    return [line for name, value, comment in (
        ("SIMPLE", True, "FITS standard 4.0"), ("BITPIX", -32, "32-bit floating point"),
        ("NAXIS", 2, "Axes"), ("NAXIS1", nx, "[pixel] Width"), ("NAXIS2", ny, "[pixel] Height"),
    ) for line in card_lines(name, value, comment)]


def _long(mine: Iterable[str], kept: KeptCards) -> list[str]:
    """What tells programs of CONTINUE cards, where there are any."""
    if not any(card.startswith("CONTINUE") for card in chain(mine, kept.cards)):
        return []
    return card_lines("LONGSTRN", "OGIP 1.0", "Long texts continue in CONTINUE cards")


def _summed(lines: list[str], of_pixels: int) -> bytes:
    """The header with the sums of its pixels and of the whole (FITS standard 4.4.2.7)."""
    lines += card_lines("DATASUM", str(of_pixels), "Sum of the pixels")
    place = len(lines) * CARD
    lines += [*card_lines("CHECKSUM", UNDEFINED, "Sum of header and pixels"), "END".ljust(CARD)]
    header = _blocks(lines)
    said = encoded(folded(datasum(header) + of_pixels)).encode("ascii")
    return header[:place + 11] + said + header[place + 11 + len(said):]


def _blocks(lines: Iterable[str]) -> bytes:
    header = "".join(lines).encode("ascii")
    return header.ljust(-(-len(header) // BLOCK) * BLOCK)
