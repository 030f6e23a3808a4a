"""The host galaxies' light as shipped, and a result without it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources

from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.source import Source, canonical
from iop4d.science.host import HostFlux, Table, corrected, look_up, tables_of

HOST_BAND = "R"  # in which the host galaxies' fluxes are known
#: Radius for a source with a host table and none of its own, arcsec: monitoring of the galaxies of
#: Nilsson et al. 2007 uses 5 to 7.5 (Nilsson et al. 2018, A&A 620, A185), and up to a seeing of
#: 4 arcsec this one holds 95 % of a star.
HOST_APERTURE = 7.5


def aperture_of(source: Source) -> float:
    """The radius in which a source is measured whatever the seeing, arcsec; NaN: as it asks for."""
    if math.isfinite(source.aperture_arcsec):
        return source.aperture_arcsec
    table = find_table((source.name, *source.other_names))
    return math.nan if table is None else HOST_APERTURE


def without_host(result: ResultValue, target: Source, *, aperture_arcsec: float) -> ResultValue:
    """The result with its host's flux and what is left of magnitude and p, where a table has it.

    Errors of what is left are random: the host's own is in every result of a source alike, and
    stands in ``host_mjy_err``.
    """
    if result.band != HOST_BAND or not math.isfinite(result.mag):
        return result
    found = host_flux((target.name, *target.other_names), aperture_arcsec, result.fwhm_arcsec)
    if found is None or not math.isfinite(found.flux_mjy):
        return result
    nucleus = corrected(result.mag, result.mag_err, result.p, result.p_err, found.flux_mjy, 0.0)
    flags = result.flags | (int(Flag.HOST_EXTRAPOLATED) if found.extrapolated else 0)
    return replace(result, host_mjy=found.flux_mjy, host_mjy_err=found.flux_err_mjy,
                   mag_nucleus=nucleus.mag,
                   mag_nucleus_err=nucleus.mag_err, p_nucleus=nucleus.p,
                   p_nucleus_err=nucleus.p_err, flags=flags)


def host_flux(names: Iterable[str], radius_arcsec: float, fwhm_arcsec: float) -> HostFlux | None:
    """The host's light inside an aperture, R band; None where no table has one of the names.

    ``names``: all names of the source; the rest as in ``science.host.look_up``.
    """
    table = find_table(names)
    return None if table is None else look_up(table, radius_arcsec, fwhm_arcsec)


def find_table(names: Iterable[str]) -> Table | None:
    """The table of an object by any of its names; None if there is none."""
    known = _by_name()
    return next((known[key] for key in map(canonical, names) if key in known), None)


@cache
def tables() -> tuple[Table, ...]:
    """All tables that ship with the program, in order of their names."""
    def value(row: Mapping[str, str], name: str) -> float:
        return float(row[name] or "nan")

    return tables_of((row["object"], value(row, "fwhm_arcsec"), value(row, "radius_arcsec"),
                      value(row, "flux_mjy"), value(row, "flux_err_mjy"))
                     for row in _rows("host_fluxes.csv"))


@cache
def _by_name() -> Mapping[str, Table]:
    others = {row["object"]: row["other_names"].split(";") for row in _rows("host_galaxies.csv")}
    return {canonical(name): table for table in tables()
            for name in (table.object, *others.get(table.object, ())) if name}


def _rows(name: str) -> Iterable[Mapping[str, str]]:
    text = (resources.files("iop4d.reduction") / "data" / name).read_text(encoding="utf-8")
    return csv.DictReader(io.StringIO(text))
