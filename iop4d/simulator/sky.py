"""The simulated sky: real blazars with their comparison stars, among invented stars.

Around each of a dozen blazars lies a disc of 16 arcmin. Comparison stars stand at their true
places with their published magnitudes; bands that nobody published are filled in by common
colours. All other stars are invented. Nothing here varies: a target's magnitude is a light curve
(``lightcurve.py``), so targets are no members of ``Stars``, though the index files know them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.simulator.bands import ORDER
from iop4d.simulator.tangent import to_sky

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Radius of each field's disc of stars, degrees.
RADIUS_DEG = 16.0 / 60.0
_MAS = 3.6e6  # milliarcseconds in a degree: the unit of places in stars.npz


@dataclass(frozen=True, kw_only=True)
class Field:
    """A patch of sky round a target.

    ``name``: the target's, which the field shares; ``typed``: as observers type it into OBJECT;
    ``density``: sparse, normal or crowded (0.3, 1.5 or 6 stars/arcmin^2 brighter than R = 18);
    ``target_mag``: the target's usual magnitude by band.
    """

    name: str
    other_names: tuple[str, ...]
    typed: str
    ra_deg: float
    dec_deg: float
    density: str
    target_mag: Mapping[str, float]

    @property
    def target(self) -> str:
        """Name of the target in the catalogue."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A star of the catalogue: true magnitudes by band, and the errors that the catalogue lists.

    ``is_blended``: another star was put within a few arcseconds; the catalogue does not say so.
    """

    name: str
    field: str
    ra_deg: float
    dec_deg: float
    mag: Mapping[str, float]
    mag_err: Mapping[str, float]
    is_blended: bool
    is_invented: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Stars:
    """Stars that do not vary: ``ra_deg``, ``dec_deg`` (n), ``mag`` (n, bands of ``ORDER``).

    ``names``: empty for a star that is in no catalogue.
    """

    ra_deg: Floats
    dec_deg: Floats
    mag: Floats
    names: tuple[str, ...]
    is_blended: Bools

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sky:
    """All fields; ``stars`` by the field's name."""

    fields: tuple[Field, ...]
    calibrators: tuple[Calibrator, ...]
    stars: Mapping[str, Stars]

    def field(self, name: str) -> Field:
        """A field by any name of its target; raises KeyError."""
        wanted = _plain(name)
        for field in self.fields:
            if wanted in map(_plain, (field.name, field.typed, *field.other_names)):
                return field
        raise KeyError(f"no simulated field '{name}'; there are "
                       + ", ".join(field.typed for field in self.fields))

    def catalogue_csv(self, seed: int | None = None) -> str:
        """The catalogue of targets and calibrators in iop4d's import format.

        With a ``seed`` each listed magnitude is the true one plus a Gaussian error of the listed
        size, as in any real catalogue; with None it is the true one.
        """
        rng = None if seed is None else np.random.default_rng([seed, 0xCA7])
        out = io.StringIO()
        magnitudes = [c for band in ORDER for c in (f"mag_{band}", f"mag_{band}_err")]
        columns = ["name", "other_names", "ra", "dec", "kind", "calibrates", *magnitudes, "note"]
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        for field in self.fields:
            names = dict.fromkeys((*field.other_names, field.typed))
            writer.writerow(_place(field.name, field.ra_deg, field.dec_deg) | {
                "kind": "target", "other_names": ";".join(names)})
            for star in self.calibrators:
                if star.field == field.name:
                    writer.writerow(_calibrator_row(star, rng))
        return out.getvalue()


def _place(name: str, ra: float, dec: float) -> dict[str, str]:
    return {"name": name, "ra": f"{ra:.7f}", "dec": f"{dec:.7f}"}


def _calibrator_row(star: Calibrator, rng: np.random.Generator | None) -> dict[str, str]:
    row = _place(star.name, star.ra_deg, star.dec_deg) | {
        "kind": "calibrator", "calibrates": star.field,
        "note": "invented" if star.is_invented else ""}
    for band in ORDER:
        error = 0.0 if rng is None else float(rng.normal(0.0, star.mag_err[band]))
        row[f"mag_{band}"] = f"{star.mag[band] + error:.4f}"
        row[f"mag_{band}_err"] = f"{star.mag_err[band]:.4f}"
    return row


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def data() -> Traversable:
    """The folder of shipped data."""
    return resources.files("iop4d.simulator") / "data"


def index_folder() -> Path:
    """The folder of this sky's astrometry.net index files."""
    # The solver opens files by path: the package is always installed unzipped.
    return Path(str(data() / "index"))


@cache
def load_sky() -> Sky:
    """The sky that ships with the program; read once."""
    fields = tuple(_field(row) for row in _rows("fields.csv"))
    calibrators = tuple(_calibrator(row) for row in _rows("calibrators.csv"))
    with (data() / "stars.npz").open("rb") as file, np.load(file) as arrays:
        invented = {field.name: _stars(field, arrays[field.name]) for field in fields}
    return Sky(fields=fields, calibrators=calibrators, stars={
        field.name: _with_calibrators(
            invented[field.name], [star for star in calibrators if star.field == field.name])
        for field in fields})


def _rows(name: str) -> list[dict[str, str]]:
    with (data() / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _field(row: dict[str, str]) -> Field:
    return Field(
        name=row["name"], other_names=tuple(row["other_names"].split(";")), typed=row["typed"],
        ra_deg=float(row["ra"]), dec_deg=float(row["dec"]), density=row["density"],
        target_mag={band: float(row[f"mag_{band}"]) for band in ORDER})


def _calibrator(row: dict[str, str]) -> Calibrator:
    return Calibrator(
        name=row["name"], field=row["field"], ra_deg=float(row["ra"]), dec_deg=float(row["dec"]),
        mag={band: float(row[f"mag_{band}"]) for band in ORDER},
        mag_err={band: float(row[f"mag_{band}_err"]) for band in ORDER},
        is_blended=row["blended"] == "yes", is_invented=row["invented"] == "yes")


def _stars(field: Field, packed: NDArray[np.int32]) -> Stars:
    """Stars from rows of xi, eta (mas from the target) and magnitudes (mmag)."""
    ra, dec = to_sky(packed[:, 0] / _MAS, packed[:, 1] / _MAS, field.ra_deg, field.dec_deg)
    n = len(packed)
    return Stars(ra_deg=ra, dec_deg=dec, mag=packed[:, 2:] / 1000.0, names=("",) * n,
                 is_blended=np.zeros(n, dtype=np.bool_))


def _with_calibrators(stars: Stars, calibrators: list[Calibrator]) -> Stars:
    return Stars(
        ra_deg=np.append(stars.ra_deg, [star.ra_deg for star in calibrators]),
        dec_deg=np.append(stars.dec_deg, [star.dec_deg for star in calibrators]),
        mag=np.vstack([stars.mag, [[star.mag[band] for band in ORDER] for star in calibrators]]),
        names=(*stars.names, *(star.name for star in calibrators)),
        is_blended=np.append(stars.is_blended, [star.is_blended for star in calibrators]))
