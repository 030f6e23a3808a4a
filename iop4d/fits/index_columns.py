"""The further columns of an index file's stars, such as magnitudes, which no solution needs.

The solver opens the file again for each star of a field to read them: of 500 stars that takes four
times as long as the whole solution. astrometry.net's card AN_FILE names their table.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from iop4d.fits.atomic import write_atomic

_CHUNK = 1 << 20  # bytes


def has_further_columns(path: Path) -> bool:
    """Whether an index file has a table of them; raises OSError for what is no FITS file."""
    return bool(_places(path))


def remove_further_columns(path: Path, *, to: Path | None = None) -> bool:
    """Write an index file without their table, which changes no solution; whether there was one.

    ``to``: its new path, if it is to have one. Else the new file takes the place of the old one,
    which a solver that has it open still reads. Where there is no such table nothing is written.
    """
    places = _places(path)
    if places:
        write_atomic(to or path, _without(path, places), durable=True)
    return bool(places)


def _places(path: Path) -> list[tuple[int, int]]:
    """The first byte of each such table, and the first one behind it."""
    with (warnings.catch_warnings(action="ignore", category=AstropyUserWarning),
          fits.open(path, memmap=True) as units):
        found = [unit.fileinfo() for unit in units if unit.header.get("AN_FILE") == "TAGALONG"]
    return [(at["hdrLoc"], at["datLoc"] + at["datSpan"]) for at in found]


def _without(path: Path, places: list[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes of a file but for those at some places."""
    with path.open("rb") as file:
        for start, end in [*places, (path.stat().st_size, 0)]:
            while piece := file.read(min(start - file.tell(), _CHUNK)):
                yield piece
            file.seek(end)
