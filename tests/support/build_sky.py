"""Make the simulated sky that ships with iop4d: its star list and its index files.

``python -m tests.support.build_sky`` writes ``data/`` anew; the same seed gives the same sky. It
needs the program ``build-astrometry-index``, which nothing else does.

Field stars are invented: number counts rise by a factor of 2 a magnitude from R = 11, as they do at
high galactic latitude. Targets and their comparison stars stand at their true places, with the
published magnitudes of the catalogue that ships with iop4d.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from iop4d.fits.slim_index import slim
from iop4d.simulator.sky import DATA, FIELD_RADIUS_ARCMIN, FIELDS, Field
from iop4d.store.catalogue_csv import builtin, parse

SEED = 20260308
_BRIGHTEST, _FAINTEST = 11.0, 19.5  # R magnitudes of invented stars
_PER_ARCMIN2 = {"sparse": 0.3, "normal": 1.5, "crowded": 6.0}  # brighter than R = 18
_CLEAR_ARCSEC = 14.0  # no invented star is closer to a target or a comparison star
#: R magnitude of the faintest star, presets (0: quads of 2 arcmin, 4: up to 11), quads of a cell
#: and uses of a star. The second set holds almost all quads of the few brightest stars, for frames
#: that show no others.
_INDEXES = ((17.0, (0, 1, 2, 3, 4), 16, 8), (15.0, (1, 2, 3, 4, 5), 200, 250))
_WANTED_CALIBRATORS = 6
Rows = list[tuple[str, int, str, float, float, float, float, float, float]]


def main() -> None:
    """Write the star list and the index files."""
    if shutil.which("build-astrometry-index") is None:
        sys.exit("build-astrometry-index is not installed (Debian: astrometry.net)")
    rng = np.random.default_rng(SEED)
    rows: Rows = []
    for number, field in enumerate(FIELDS):
        rows += _field(field, number, rng)
    table = np.array(rows, dtype=[
        ("name", "U24"), ("field", "i2"), ("kind", "U12"), ("ra", "f8"), ("dec", "f8"),
        ("B", "f4"), ("V", "f4"), ("R", "f4"), ("I", "f4")])
    DATA.mkdir(exist_ok=True)
    fits.writeto(DATA / "sky.fits", fits.BinTableHDU(table).data, overwrite=True)
    _index(table)
    print(f"{len(table)} stars in {len(FIELDS)} fields")


def _field(field: Field, number: int, rng: np.random.Generator) -> Rows:
    """The target, its comparison stars, and the invented stars of one field."""
    sources = parse(builtin("blazars"))
    target = next(s for s in sources if s.name == field.source)
    known = [s for s in sources if field.source in s.calibrates and "R" in s.magnitudes]
    rows: Rows = [(field.source, number, "target", target.ra_deg, target.dec_deg,
                   *_colours(field.quiet_mag, 0.8))]
    for star in known:
        red = star.magnitudes["R"][0]
        blue, visual, _, infrared = (
            star.magnitudes.get(band, (mag, 0.0))[0]
            for band, mag in zip("BVRI", _colours(red, 0.8), strict=True))
        rows.append((star.name, number, "calibrator", star.ra_deg, star.dec_deg,
                     blue, visual, red, infrared))
    invented = _invented(field, rng, np.array([[r[3], r[4]] for r in rows]),
                         (target.ra_deg, target.dec_deg))
    chosen = _more_calibrators(invented, (target.ra_deg, target.dec_deg),
                               _WANTED_CALIBRATORS - len(known))
    for order, (ra, dec, red, colour) in enumerate(invented):
        name = f"{field.source} S{order}" if order in chosen else ""
        rows.append((name, number, "calibrator" if name else "star", ra, dec,
                     *_colours(red, colour)))
    return rows


def _colours(red: float, v_minus_r: float) -> tuple[float, float, float, float]:
    """B, V, R, I of a star of a red magnitude and a colour V - R, along the main sequence."""
    return red + 2.4 * v_minus_r, red + v_minus_r, red, red - 0.9 * v_minus_r


def _invented(field: Field, rng: np.random.Generator, keep_clear: NDArray[np.float64],
              centre: tuple[float, float]) -> list[tuple[float, float, float, float]]:
    area = np.pi * FIELD_RADIUS_ARCMIN**2
    slope = np.log10(2.0)
    count = int(_PER_ARCMIN2[field.density] * area * 10 ** (slope * (_FAINTEST - 18.0)))
    low, high = 10 ** (slope * _BRIGHTEST), 10 ** (slope * _FAINTEST)
    red = np.log10(rng.uniform(low, high, count)) / slope
    radius = FIELD_RADIUS_ARCMIN / 60.0 * np.sqrt(rng.random(count))
    angle = rng.uniform(0.0, 2 * np.pi, count)
    dec = centre[1] + radius * np.sin(angle)
    ra = centre[0] + radius * np.cos(angle) / np.cos(np.radians(dec))
    colour = rng.normal(0.45, 0.15, count).clip(0.1, 1.2)
    free = np.ones(count, dtype=bool)
    for star_ra, star_dec in keep_clear:
        free &= np.hypot((ra - star_ra) * np.cos(np.radians(star_dec)), dec - star_dec) \
            > _CLEAR_ARCSEC / 3600.0
    order = np.argsort(red[free])
    return [(float(a), float(d), float(m), float(c)) for a, d, m, c in zip(
        *(values[free][order] for values in (ra, dec, red, colour)), strict=True)]


def _more_calibrators(stars: list[tuple[float, float, float, float]],
                      centre: tuple[float, float], wanted: int) -> set[int]:
    """Isolated stars of R 13 to 15.5 near the target, and one that saturates."""
    places = np.array([[s[0] * np.cos(np.radians(centre[1])), s[1]] for s in stars])
    red = np.array([s[2] for s in stars])
    middle = np.array([centre[0] * np.cos(np.radians(centre[1])), centre[1]])
    chosen: set[int] = set()
    limits = [(13.0, 15.5)] * max(wanted, 0)
    for low, high in limits:
        for i in np.argsort(np.hypot(*(places - middle).T)):
            apart = np.hypot(*(places - places[i]).T) * 3600.0
            neighbours = (apart < 20.0) & (apart > 0) & (red < red[i] + 4.0)
            distance = np.hypot(*(places[i] - middle)) * 60.0
            if low < red[i] < high and 0.8 < distance < 5.5 and not neighbours.any() \
                    and int(i) not in chosen:
                chosen.add(int(i))
                break
    return chosen


def _index(table: NDArray[np.void]) -> None:
    folder = DATA / "index"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.fits"):
        old.unlink()
    for number, (limit, presets, passes, uses) in enumerate(_INDEXES):
        bright = table[table["R"] < limit]
        columns = [fits.Column("RA", "D", array=bright["ra"]),
                   fits.Column("DEC", "D", array=bright["dec"]),
                   fits.Column("MAG", "E", array=bright["R"])]
        with tempfile.TemporaryDirectory() as scratch:
            stars = Path(scratch) / "stars.fits"
            fits.BinTableHDU.from_columns(columns).writeto(stars)
            for preset in presets:
                output = folder / f"index-demo-{number}{preset:02d}.fits"
                subprocess.run(
                    ["build-astrometry-index", "-i", stars, "-o", output, "-P", str(preset),
                     "-S", "MAG", "-E", "-I", f"2026{number}{preset:02d}", "-n", "60",
                     "-p", str(passes), "-R", str(uses), "-t", scratch],
                    check=True, capture_output=True)
                slim(output)


if __name__ == "__main__":
    main()
