"""Write an image as FITS, float32, at once and with a DATASUM."""

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
from iop4d.fits.sums import datasum, folded

_STRIP = 1_000_000  # pixels that are turned to what FITS stores at a time
_HELD = 16_000_000  # pixels up to which an image is kept in memory until it is written


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
                cards: Mapping[str, Value], *, history: Iterable[str] = (), durable: bool = True,
                digest: bool = True) -> str:
    """Write a float32 image [y, x] with cards and HISTORY lines.

    Returns the file's sha256, or an empty text without ``digest``, which takes a while.

    NaN and infinite values are left out of the header, as FITS has none.
    """
    pixels = image if isinstance(image, StoredPixels) else StoredPixels(image, path.parent)
    ny, nx = pixels.shape
    first: dict[str, Value] = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": nx,
                               "NAXIS2": ny}
    lines = [_card(name, value) for name, value in {**first, **cards}.items()
             if not (isinstance(value, float) and not math.isfinite(value))]
    lines += [f"HISTORY {_ascii(line)[:CARD - 8]}".ljust(CARD) for line in history]
    lines += [_card("DATASUM", str(pixels.datasum)), "END".ljust(CARD)]
    found = hashlib.sha256() if digest else None

    def pieces() -> Iterator[bytes | memoryview]:
        for piece in chain((_blocks(lines),), pixels.pieces()):
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
    first: dict[str, Value] = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": shape[1],
                               "NAXIS2": shape[0]}
    return _blocks([*(_card(name, value) for name, value in first.items()), "END".ljust(CARD)])


def _blocks(lines: Iterable[str]) -> bytes:
    header = "".join(lines).encode("ascii")
    return header.ljust(-(-len(header) // BLOCK) * BLOCK)


def _card(name: str, value: Value) -> str:
    if isinstance(value, bool):
        said = ("T" if value else "F").rjust(20)
    elif isinstance(value, str):
        # 68 characters fit a card; a doubled quote must not be cut in two.
        inner = _ascii(value)
        while len(quoted := inner.replace("'", "''")) > 68:
            inner = inner[:-1]
        said = f"'{quoted:8s}'".ljust(20)
    elif isinstance(value, int):
        said = str(value).rjust(20)
    else:
        said = _number(value).rjust(20)
    return f"{name:8s}= {said}".ljust(CARD)


def _number(value: float) -> str:
    said = repr(float(value)).upper()
    return said if "." in said or "E" in said else said + ".0"


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)
