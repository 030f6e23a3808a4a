"""Calibrators for a field from a Pan-STARRS table, chosen and made sources of the catalogue."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iop4d.fields.star_list import StarTable, from_astropy
from iop4d.model.errors import CatalogueError, Iop4dError
from iop4d.model.source import Source, SourceKind
from iop4d.science.calibrators import (
    ISOLATION_ARCSEC,
    Band,
    Choice,
    FieldStars,
    PanStarrs,
    band,
    choose,
    panstarrs_to_johnson,
)

#: Columns asked of MAST's archive; those of a table by hand may be called as VizieR does.
COLUMNS = ("objID", "raMean", "decMean", "nDetections", *(
    f"{name}Mean{kind}" for name in "gri"
    for kind in ("PSFMag", "PSFMagErr", "ApMag", "ApMagErr", "ApMagStd", "KronMag")))
BANDS = ("B", "V", "R", "I")
_DETECTIONS = ("nDetections", "Nd", "n")
_PREFIX = "PSO J"  # Pan-STARRS' own designations


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A star that was chosen: the source it would be, and what it was chosen by."""

    source: Source
    r: float
    distance_arcmin: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """``calibrators``: brightest first; ``left_out``: each rule and how many stars failed it
    first; ``depth``: r at which the list ends; ``stars``: entries of the list."""

    calibrators: tuple[Calibrator, ...]
    left_out: dict[str, int]
    depth: float
    stars: int


def find(table: StarTable, target: Source, known: Iterable[Source], *, radius_arcmin: float,
         demand_scatter: bool = True) -> Found:
    """The stars of a Pan-STARRS table that can calibrate a target; raises CatalogueError.

    ``known``: the catalogue; a star that is in it already is left out, unless it came from
    Pan-STARRS itself.
    """
    stars = field_stars(table, demand_scatter=demand_scatter)
    others = [source for source in known if not source.name.startswith(_PREFIX)]
    choice = choose(stars, target.ra_deg, target.dec_deg, radius_arcmin=radius_arcmin,
                    demand_scatter=demand_scatter,
                    known=(np.array([s.ra_deg for s in others]),
                           np.array([s.dec_deg for s in others])))
    return Found(calibrators=_calibrators(table, stars, choice, target), depth=choice.depth,
                 left_out=_count(choice.why_not), stars=len(table))


def field_stars(table: StarTable, *, demand_scatter: bool = True) -> FieldStars:
    """The columns that the rules need; raises CatalogueError when one is missing.

    PSF magnitudes, and aperture magnitudes where there are none.
    """
    ra, dec = table.places()
    bands = {name: _band(table, name) for name in "gri"}
    scatter = [table.numbers(f"{name}MeanApMagStd") for name in "gri"]
    if demand_scatter and not all(table.has(f"{name}MeanApMagStd") for name in "gri"):
        raise CatalogueError(
            f"{table.origin}: no columns gMeanApMagStd, rMeanApMagStd, iMeanApMagStd, so it is "
            "unknown which stars are constant. MAST's table of mean objects has these columns, "
            "VizieR's has not; --without-scatter skips this check")
    return FieldStars(
        ra=ra, dec=dec, mags=PanStarrs(**bands),
        detections=table.needed("the number of detections", _DETECTIONS),
        scatter=np.column_stack(scatter),
        extended=bands["i"].value - table.numbers("iMeanKronMag", "iKmag"))


def _band(table: StarTable, name: str) -> Band:
    psf = (f"{name}MeanPSFMag", f"{name}mag")
    aperture = (f"{name}MeanApMag",)
    table.needed(f"the magnitude in {name}", (*psf, *aperture))
    value, err = table.numbers(*psf), table.numbers(f"{name}MeanPSFMagErr", f"e_{name}mag")
    other, other_err = table.numbers(*aperture), table.numbers(f"{name}MeanApMagErr")
    chosen = np.where(np.isfinite(value), value, other)
    return band(chosen, np.nan_to_num(np.where(np.isfinite(value), err, other_err)))


def _calibrators(table: StarTable, stars: FieldStars, choice: Choice,
                 target: Source) -> tuple[Calibrator, ...]:
    johnson = panstarrs_to_johnson(stars.mags)
    names = table.texts("objID", "objid")
    found = []
    for row in np.flatnonzero(choice.chosen):
        ra, dec = float(stars.ra[row]), float(stars.dec[row])
        mags = {name: (round(float(getattr(johnson, name).value[row]), 4),
                       round(float(getattr(johnson, name).err[row]), 4)) for name in BANDS}
        found.append(Calibrator(
            source=Source(
                name=f"{_PREFIX}{ra:08.4f}{dec:+08.4f}", ra_deg=ra, dec_deg=dec,
                other_names=(f"PS1 {names[row]}",) if names[row] else (),
                kind=SourceKind.CALIBRATOR, calibrates=(target.name,), magnitudes=mags,
                note="Pan-STARRS, to Johnson-Cousins by Tonry et al. 2012"),
            r=float(stars.mags.r.value[row]), distance_arcmin=float(choice.distance_arcmin[row])))
    return tuple(sorted(found, key=lambda one: one.r))


def _count(reasons: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in reasons:
        if reason:
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def merged(new: Iterable[Source], known: Iterable[Source]) -> list[Source]:
    """New calibrators that keep the targets which they serve already."""
    before = {source.name: source for source in known}
    return [replace(source, calibrates=tuple(dict.fromkeys(
        (*before[source.name].calibrates, *source.calibrates))))
        if source.name in before else source for source in new]


def download(target: Source, radius_arcmin: float,
             query: Callable[..., Any] | None = None) -> StarTable:
    """The Pan-STARRS stars about a target, from MAST by astroquery; raises Iop4dError."""
    if query is None:
        try:
            query = importlib.import_module("astroquery.mast").Catalogs.query_region
        except ImportError:
            raise Iop4dError("--online needs astroquery, which is not installed: "
                             "pip install 'iop4d[online]', or get the table by hand and pass "
                             "--from FILE") from None
    radius_deg = (radius_arcmin + ISOLATION_ARCSEC / 60.0) / 60.0
    try:
        table = query(f"{target.ra_deg:.7f} {target.dec_deg:+.7f}", radius=radius_deg,
                      catalog="Panstarrs", data_release="dr2", table="mean",
                      columns=list(COLUMNS))
    except Exception as error:  # astroquery's own errors have no base of their own
        raise Iop4dError(f"MAST did not answer: {error}") from error
    return from_astropy(table, "MAST")
