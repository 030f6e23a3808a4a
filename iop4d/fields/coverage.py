"""Which fields of the sky a set of index files of astrometry.net covers.

A file of a series is of a tile of the sky (HEALPix), or of all of it; one that was made for some
fields holds its stars there alone, so they are counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray

from iop4d.model.source import Source
from iop4d.science.healpix import tiles_within

Floats = NDArray[np.float64]

RADIUS_ARCMIN = 6.0  # about a source, less than half of the narrowest field
_FEWEST = 8  # stars within that by which a frame is solved
_TILE_DEG = 0.2  # a field, and how far a telescope may point beside it
_WIDEST, _NARROWEST = 1.5, 0.05  # patterns of stars of use, of the width of a field
_RANGE, _STARS = "kdtree_range_stars", "kdtree_data_stars"
_INTEGERS = {"u16": "<u2", "u32": "<u4"}


def uncovered(folders: Iterable[Path], sources: Iterable[Source], *,
              width_arcmin: float | None = None) -> tuple[list[str], list[tuple[Path, str]]]:
    """The names of the sources whose fields no file covers; and what is wrong with which file.

    ``width_arcmin``: of a camera's field: files whose patterns of stars are larger than it, or far
    smaller, do not count.
    """
    left = list(sources)
    wrong: list[tuple[Path, str]] = []
    for path in (file for folder in folders for file in sorted(folder.glob("*.fits"))):
        try:
            left = _left_by(path, left, width_arcmin)
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = error.strerror if isinstance(error, OSError) else ""
            wrong.append((path, str(said or error or type(error).__name__)))
    return [source.name for source in left], wrong


def _left_by(path: Path, sources: list[Source], width_arcmin: float | None) -> list[Source]:
    """Those of some sources whose fields a file does not cover."""
    # What astropy warns of is said here, with the file's name.
    with (warnings.catch_warnings(action="ignore", category=AstropyUserWarning),
          fits.open(path, memmap=True) as file):
        ends = file[-1].fileinfo()
        if (wanted := ends["datLoc"] + ends["datSpan"]) > (size := path.stat().st_size):
            raise ValueError(f"it is cut short: {size} bytes of {wanted} or more")
        if not sources:
            return []
        header = file[0].header
        if width_arcmin is not None and not _is_seen(header, width_arcmin):
            return sources
        tile, nside = int(header["HEALPIX"]), int(header["HPNSIDE"])
        if nside > 0 and tile >= 0:
            return [source for source in sources if tile not in tiles_within(
                source.ra_deg, source.dec_deg, _TILE_DEG, nside)]
        stars = _stars(file)
    limit = 2.0 * np.sin(np.radians(RADIUS_ARCMIN / 60.0) / 2.0)
    return [source for source in sources if np.count_nonzero(
        np.linalg.norm(stars - _unit(source), axis=1) < limit) < _FEWEST]


def _is_seen(header: Any, width_arcmin: float) -> bool:
    """Whether a camera sees patterns of stars of the size that a file has."""
    smallest, largest = (np.degrees(float(header[name])) * 60.0 for name in ("SCALE_L", "SCALE_U"))
    return bool(smallest < width_arcmin * _WIDEST and largest > width_arcmin * _NARROWEST)


def _stars(file: Any) -> Floats:
    """Unit vectors of the stars of an index file, shape (n, 3); as libkd of astrometry.net keeps
    them: a coordinate is its minimum plus a whole number divided by the scale."""
    tables = {hdu.header.get("TTYPE1"): hdu for hdu in file[1:]}
    kind = next((hdu.header["KDT_DATA"] for hdu in file[1:]
                 if hdu.header.get("KDT_NAME") == "stars" and "KDT_DATA" in hdu.header), "")
    if not kind:
        raise ValueError("it has no table of stars")
    content = tables[_STARS].data.tobytes()
    if kind == "double":
        return np.frombuffer(content, "<f8").reshape(-1, 3)
    ranges = np.frombuffer(tables[_RANGE].data.tobytes(), "<f8")
    whole = np.frombuffer(content, _INTEGERS[kind]).reshape(-1, 3)
    found: Floats = ranges[:3] + whole / ranges[6]
    return found


def _unit(source: Source) -> Floats:
    ra, dec = np.radians(source.ra_deg), np.radians(source.dec_deg)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
