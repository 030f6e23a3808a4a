"""Index files of astrometry.net for a few fields alone, built from a star list.

``build-astrometry-index`` of astrometry.net does the work. A preset of it is a range of sizes of
the quads of stars: 0 is 2 to 2.8 arcmin, each next one is larger by the square root of 2.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import BinTableHDU, Column
from numpy.typing import NDArray

from iop4d.fields.star_list import StarTable
from iop4d.fits.slim_index import slim
from iop4d.fits.solver_files import load
from iop4d.model.errors import Iop4dError
from iop4d.model.source import Source
from iop4d.science.solve import solve
from iop4d.science.tan import sky_to_plane

Floats = NDArray[np.float64]

PROGRAM = "build-astrometry-index"
MAGNITUDES = ("mag", "phot_g_mean_mag", "Gmag", "rMeanPSFMag", "rmag", "rMeanApMag", "R", "mag_R",
              "Rmag", "gMeanPSFMag", "gmag")
SMALLEST_QUAD = 2.0  # arcmin, of preset 0
_FEWEST = 4  # stars of a quad
_WITHOUT_QUADS = "codetree failed"  # what the program says where no quad is of a size
_TEST_STARS = 40  # brightest of a field that its test shows to the solver
_TEST_SCALE = 0.4  # arcsec per pixel of that test


@dataclass(frozen=True, kw_only=True)
class Depth:
    """One set of index files: the faintest star, quads of a cell, and uses of a star."""

    name: str
    faintest: float
    passes: int
    uses: int


@dataclass(frozen=True, kw_only=True)
class Stars:
    """Stars of all fields: ICRS degrees, magnitudes; ``of``: how many each field has, by name."""

    ra: Floats
    dec: Floats
    mag: Floats
    of: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """One index file: quads of ``smallest`` to ``largest`` arcmin."""

    path: Path
    smallest: float
    largest: float
    quads: int
    stars: int
    size: int


def presets(smallest: float, largest: float) -> tuple[int, ...]:
    """The presets whose quads fit between two sizes, arcmin; raises Iop4dError if there is none."""
    found = tuple(n for n in range(20) if quad_size(n) >= 0.99 * smallest
                  and quad_size(n + 1) <= 1.01 * largest)
    if not found:
        raise Iop4dError(f"no preset has quads of {smallest:g} to {largest:g} arcmin: they begin "
                         f"at {SMALLEST_QUAD:g} arcmin, and each spans a factor of 1.41")
    return found


def quad_size(preset: int) -> float:
    """The smallest quad of a preset, arcmin."""
    return SMALLEST_QUAD * math.sqrt(2.0) ** preset


def depths(faintest: float) -> tuple[Depth, ...]:
    """Two sets: all stars, and almost all quads of the few bright ones, for frames of few stars."""
    return (Depth(name="all", faintest=faintest, passes=16, uses=8),
            Depth(name="bright", faintest=faintest - 3.0, passes=200, uses=250))


def select(tables: Iterable[StarTable], fields: Iterable[Source], radius_arcmin: float) -> Stars:
    """The stars within a radius of each field, each of them once; raises Iop4dError for none."""
    rows = []
    for table in tables:
        ra, dec = table.places()
        mag = table.needed("the magnitude", MAGNITUDES)
        rows.append(np.column_stack([ra, dec, mag])[np.isfinite(mag)])
    stars = np.unique(np.concatenate(rows), axis=0) if rows else np.zeros((0, 3))
    of, near = {}, np.zeros(len(stars), dtype=bool)
    for field in fields:
        xi, eta = sky_to_plane(stars[:, 0], stars[:, 1], field.ra_deg, field.dec_deg)
        inside = np.nan_to_num(np.hypot(xi, eta), nan=90.0) * 60.0 < radius_arcmin
        of[field.name] = int(inside.sum())
        near |= inside
    if not near.any():
        raise Iop4dError(f"no star of the list lies within {radius_arcmin:g}' of a source")
    chosen = stars[near]
    return Stars(ra=chosen[:, 0], dec=chosen[:, 1], mag=chosen[:, 2], of=of)


class NoQuadsError(Iop4dError):
    """Too few stars for quads of one size: its file is left out."""


def build(stars: Stars, folder: Path, *, name: str, wanted: Sequence[int],
          sets: Sequence[Depth],
          done: Callable[[object], None]) -> tuple[list[IndexFile], list[str]]:
    """Make ``index-NAME-DEPTH-PRESET.fits`` in a folder; and why some are left out.

    A file for which there are too few stars is; raises Iop4dError where all are, or for another
    reason. Files appear only when all of them are made; those of the same name that an earlier run
    left go then. ``done`` is called after each file.
    """
    if shutil.which(PROGRAM) is None:
        raise Iop4dError(f"{PROGRAM} is not installed: it is part of astrometry.net (Debian and "
                         "Ubuntu: apt install astrometry.net). 'iop4d index DIR --fetch 5200' "
                         "needs no program")
    folder.mkdir(parents=True, exist_ok=True)
    made: list[IndexFile] = []
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as scratch:
        for number, depth in enumerate(sets):
            table = _write_stars(stars, depth.faintest, Path(scratch) / f"stars-{number}.fits")
            if table is None:
                left_out.append(f"index-{name}-{depth.name}: fewer than {_FEWEST} stars are "
                                f"brighter than {depth.faintest:g}")
                continue
            without = []
            for preset in wanted:
                path = Path(scratch) / f"index-{name}-{depth.name}-{preset:02d}.fits"
                try:
                    _run(table, path, preset, depth, identity=7000 + 100 * number + preset)
                    made.append(check(path, preset))
                except NoQuadsError:
                    without.append(f"{quad_size(preset):.1f}'")
                done(path)
            if without:
                left_out.append(f"index-{name}-{depth.name}: too few stars for quads of "
                                f"{', '.join(without)}")
        if not made:
            raise Iop4dError("no index file can be made: the list is too short, or --faintest too "
                             f"small. {'; '.join(left_out)}")
        for old in folder.glob(f"index-{name}-*.fits"):
            old.unlink()
        return [_move(one, folder) for one in made], left_out


def _move(one: IndexFile, folder: Path) -> IndexFile:
    path = one.path.replace(folder / one.path.name)
    return IndexFile(path=path, smallest=one.smallest, largest=one.largest, quads=one.quads,
                stars=one.stars, size=one.size)


def _write_stars(stars: Stars, faintest: float, path: Path) -> Path | None:
    """A table of the brighter stars; None where they are too few for one quad."""
    bright = stars.mag < faintest
    if bright.sum() < _FEWEST:
        return None
    BinTableHDU.from_columns([
        Column("RA", "D", array=stars.ra[bright]), Column("DEC", "D", array=stars.dec[bright]),
        Column("MAG", "E", array=stars.mag[bright])]).writeto(path)
    return path


def _run(table: Path, output: Path, preset: int, depth: Depth, *, identity: int) -> None:
    # -E: only the cells of the sky that hold stars; -n: stars of a cell.
    words = [PROGRAM, "-i", str(table), "-o", str(output), "-P", str(preset), "-S", "MAG", "-E",
             "-I", str(identity), "-n", "60", "-p", str(depth.passes), "-R", str(depth.uses),
             "-t", str(output.parent)]
    ran = subprocess.run(words, check=False, capture_output=True, text=True)
    if ran.returncode != 0 or not output.exists():
        said = ran.stderr.strip() or ran.stdout.strip() or "no message"
        if _WITHOUT_QUADS in said:
            raise NoQuadsError(f"too few stars for quads of {quad_size(preset):.1f}'")
        last = said.splitlines()[-1]
        raise Iop4dError(f"{PROGRAM} failed for quads of {quad_size(preset):.1f}': {last}")
    slim(output)  # without the run's command line, paths and clock, too: builds are alike


def check(path: Path, preset: int) -> IndexFile:
    """What an index file holds; raises Iop4dError if it is none, or holds no quads."""
    try:
        header = fits.getheader(path)
        quads, stars = int(header["NQUADS"]), int(header["NSTARS"])
    except (OSError, KeyError, ValueError) as error:
        raise Iop4dError(f"{path.name} is not an index file: {error}") from error
    if quads < 1:
        raise NoQuadsError(f"holds no quads: too few stars for quads of {quad_size(preset):.1f}'")
    return IndexFile(path=path, smallest=quad_size(preset), largest=quad_size(preset + 1),
                     quads=quads, stars=stars, size=path.stat().st_size)


def try_fields(files: Sequence[Path], stars: Stars, fields: Iterable[Source],
               field_arcmin: float, seconds: float = 5.0) -> dict[str, bool]:
    """Whether each field is found: its brightest stars are shown to the solver as a frame would.

    ``field_arcmin``: the width of that frame. Fields with fewer than four stars are left out.
    """
    solver = load(files)
    found = {}
    for field in fields:
        xi, eta = sky_to_plane(stars.ra, stars.dec, field.ra_deg, field.dec_deg)
        half = field_arcmin / 120.0
        inside = np.flatnonzero((np.abs(xi) < half) & (np.abs(eta) < half))
        shown = inside[np.argsort(stars.mag[inside], kind="stable")[:_TEST_STARS]]
        if shown.size < _FEWEST:
            continue
        pixels = 3600.0 / _TEST_SCALE
        match = solve(solver, (half - xi[shown]) * pixels, (half + eta[shown]) * pixels,
                      scale_arcsec=_TEST_SCALE, tolerance=0.05, radius_deg=1.0,
                      pointing_deg=(field.ra_deg, field.dec_deg), seconds=seconds)
        found[field.name] = match is not None
    return found
