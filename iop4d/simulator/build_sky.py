"""Make the simulated sky that ships with the program: ``python -m iop4d.simulator.build_sky``.

Writes ``data/`` anew from ``data/comparison_stars.csv``; one seed, one sky. It needs the program
``build-astrometry-index``, which nothing else does.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.coordinates import Angle
from astropy.io import fits

from iop4d.simulator import invent
from iop4d.simulator.bands import ORDER
from iop4d.simulator.sky import data, load_sky

SEED = 20241018
# target, as observers type it, other names, density, usual R of the target
FIELDS = (
    ("2200+420", "BLLac", "BL Lac;BL Lacertae", "crowded", 13.6),
    ("0716+714", "S50716+714", "S5 0716+714;S5 0716+71", "normal", 13.5),
    ("1641+399", "3C345", "3C 345", "sparse", 16.6),
    ("1101+384", "Mrk421", "Mrk 421", "sparse", 13.0),
    ("0851+202", "OJ287", "OJ 287", "sparse", 14.8),
    ("0219+428", "3C66A", "3C 66A", "normal", 14.2),
    ("1959+650", "1ES1959+650", "1ES 1959+650;1ES1959", "normal", 14.7),
    ("1652+398", "Mrk501", "Mrk 501", "normal", 13.4),
    ("2344+514", "1ES2344+514", "1ES 2344+514", "crowded", 15.0),
    ("1226+023", "3C273", "3C 273", "sparse", 12.7),
    ("2230+114", "CTA102", "CTA 102", "normal", 16.2),
    ("1553+113", "PG1553+113", "PG 1553+113", "normal", 13.8),
    ("1633+382", "4C38.41", "4C 38.41", "sparse", 16.4),
    ("0954+658", "S40954+65", "S4 0954+65;S4 0954+658", "normal", 15.4),
)
_BLAZAR_COLOURS = {"B": 0.85, "V": 0.40, "R": 0.0, "I": -0.55}
_BLENDED = ("2200+420", "2344+514", "1652+398")  # fields that get a blended calibrator
# Presets of quads of 2 to 11 arcmin: a field of 13 arcmin with eight stars has some of each.
_SCALES = (0, 1, 2, 3, 4)
_INDEX_LIMIT = 17.5  # R of the faintest star in the index


def main() -> None:
    """Write the star list, the calibrators and the index files."""
    if shutil.which("build-astrometry-index") is None:
        sys.exit("build-astrometry-index is not installed (Debian: astrometry.net)")
    folder = Path(str(data()))
    published = _published(folder / "comparison_stars.csv")
    stars: dict[str, invent.Ints] = {}
    fields, calibrators = [], []
    for number, (name, typed, other, density, red) in enumerate(FIELDS):
        rng = np.random.default_rng([SEED, number])
        ra, dec = next(_degrees(row) for row in published if row["name"] == name)
        real = [invent.published_star(row, *_degrees(row)) for row in published
                if row["calibrates"] == name and row["mag_R"]]
        made = invent.field(name=name, ra_deg=ra, dec_deg=dec, density=density, real=real,
                            blended=name in _BLENDED, rng=rng)
        stars[name] = made.stars
        calibrators += made.calibrators
        fields.append({"name": name, "other_names": other, "typed": typed, "ra": f"{ra:.7f}",
                       "dec": f"{dec:.7f}", "density": density,
                       **{f"mag_{b}": f"{red + _BLAZAR_COLOURS[b]:.3f}" for b in ORDER}})
    _write(folder / "fields.csv", fields)
    _write(folder / "calibrators.csv", calibrators)
    np.savez_compressed(folder / "stars.npz", allow_pickle=False, **stars)
    load_sky.cache_clear()
    _index(folder / "index")
    sys.stderr.write(f"{sum(map(len, stars.values()))} invented stars, {len(calibrators)} "
                     f"calibrators in {len(fields)} fields\n")


def _published(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _degrees(row: dict[str, str]) -> tuple[float, float]:
    return Angle(row["ra"], unit="hourangle").degree, Angle(row["dec"], unit="deg").degree


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _index(folder: Path) -> None:
    """One index file a scale, of all fields' bright stars and targets."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    sky, red = load_sky(), ORDER.index("R")
    rows = np.array([(f.ra_deg, f.dec_deg, f.target_mag["R"]) for f in sky.fields])
    for stars in sky.stars.values():
        table = np.column_stack([stars.ra_deg, stars.dec_deg, stars.mag[:, red]])
        rows = np.vstack([rows, table[table[:, 2] < _INDEX_LIMIT]])
    columns = [fits.Column(name, "D", array=rows[:, i]) for i, name in enumerate(
        ("RA", "DEC", "MAG"))]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "stars.fits"
        fits.BinTableHDU.from_columns(columns).writeto(source)
        for scale in _SCALES:
            made = folder / f"index-simulated-{scale:02d}.fits"
            # -E: most of the sky is empty; -n, -p: enough of both for a field of eight stars
            subprocess.run(
                ["build-astrometry-index", "-i", source, "-o", made, "-P", str(scale),  # noqa: S607 - wherever PATH has it
                 "-S", "MAG", "-E", "-n", "30", "-p", "8", "-I", f"90{scale:02d}", "-t", scratch],
                check=True, capture_output=True)
            _forget_paths(made)


def _forget_paths(path: Path) -> None:
    """Blank the HISTORY and DATE cards, which hold this run's command line and clock."""
    with fits.open(path) as hdus:
        heads = [(hdu.fileinfo()["hdrLoc"], hdu.fileinfo()["datLoc"]) for hdu in hdus]
    content = bytearray(path.read_bytes())
    for start, end in heads:
        for at in range(start, end, 80):
            if content[at:at + 8] in (b"HISTORY ", b"DATE    "):
                content[at:at + 80] = b"COMMENT".ljust(80)
    path.write_bytes(content)


if __name__ == "__main__":
    main()
