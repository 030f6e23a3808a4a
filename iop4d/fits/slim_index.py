"""An index file without what no solution needs, but costs time with each frame.

The solver parses the headers of the files with each solution, and opens a file again for each star
of a field to read what further columns it has, such as magnitudes (their table's card AN_FILE is
TAGALONG): of 500 stars that takes four times as long as the solution itself.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from iop4d.fits.atomic import write_atomic
from iop4d.fits.cards import BLOCK, CARD

_CHUNK = 1 << 20  # bytes
# How the file was made, and how many stars each pass over the sky took.
_IDLE = re.compile(rb"COMMENT |HISTORY |DATE    | {8}|SWEEP\d")
_END = b"END".ljust(CARD)


def has_further_columns(path: Path) -> bool:
    """Whether an index file has a table of them; raises OSError for what is no FITS file."""
    return any(unit.further for unit in _units(path))


def slim(path: Path, *, to: Path | None = None) -> bool:
    """Write an index file with what a solution needs alone; whether that is less than there was.

    ``to``: its new path, if it is to have one. Else the new file takes the place of the old one,
    which a solver that has it open still reads. Where nothing is to be left out none is written.
    """
    units = _units(path)
    with path.open("rb") as file:
        before = [os.pread(file.fileno(), unit.data - unit.head, unit.head) for unit in units]
    heads = [_head(cards) for cards in before]
    less = heads != before or any(unit.further for unit in units)
    if less:
        write_atomic(to or path, _pieces(path, units, heads), durable=True)
    return less


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """Where a unit of a file has its ``head``, its ``data`` and its ``end``, in bytes; whether it
    is the table of ``further`` columns."""

    head: int
    data: int
    end: int
    further: bool


def _units(path: Path) -> list[_Unit]:
    with (warnings.catch_warnings(action="ignore", category=AstropyUserWarning),
          fits.open(path, memmap=True) as units):
        found = [(unit.fileinfo(), unit.header.get("AN_FILE") == "TAGALONG") for unit in units]
    return [_Unit(head=at["hdrLoc"], data=at["datLoc"], end=at["datLoc"] + at["datSpan"],
                  further=further) for at, further in found]


def _head(cards: bytes) -> bytes:
    """A header without idle cards, and without those that stand in it twice."""
    kept: dict[bytes, None] = {}
    for at in range(0, len(cards), CARD):
        card = cards[at:at + CARD]
        if card == _END:
            break
        if not _IDLE.match(card):
            kept[card] = None
    head = b"".join(kept) + _END
    return head.ljust(-(-len(head) // BLOCK) * BLOCK)


def _pieces(path: Path, units: list[_Unit], heads: list[bytes]) -> Iterator[bytes]:
    with path.open("rb") as file:
        for unit, head in zip(units, heads, strict=True):
            if unit.further:
                continue
            yield head
            file.seek(unit.data)
            while piece := file.read(min(unit.end - file.tell(), _CHUNK)):
                yield piece
