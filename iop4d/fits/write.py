"""Write an image as FITS, float32, at once and with a DATASUM."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.atomic import write_atomic
from iop4d.fits.cards import BLOCK, CARD, Value
from iop4d.fits.sums import datasum


def write_image(path: Path, image: NDArray[np.float32], cards: Mapping[str, Value], *,
                history: Iterable[str] = (), durable: bool = True, digest: bool = True) -> str:
    """Write a float32 image [y, x] with cards and HISTORY lines.

    Returns the file's sha256, or an empty text without ``digest``, which takes a while.

    NaN and infinite values are left out of the header, as FITS has none.
    """
    data = image.astype(">f4").data.cast("B")
    ny, nx = image.shape
    first: dict[str, Value] = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": nx,
                               "NAXIS2": ny}
    lines = [_card(name, value) for name, value in {**first, **cards}.items()
             if not (isinstance(value, float) and not math.isfinite(value))]
    lines += [f"HISTORY {_ascii(line)[:CARD - 8]}".ljust(CARD) for line in history]
    lines += [_card("DATASUM", str(datasum(data))), "END".ljust(CARD)]
    header = _blocks(lines)
    padding = bytes(-len(data) % BLOCK)
    write_atomic(path, (header, data, padding), durable=durable)
    if not digest:
        return ""
    found = hashlib.sha256(header)
    found.update(data)
    found.update(padding)
    return found.hexdigest()


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
