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
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement, ResultValue
from iop4d.model.source import Source, canonical
from iop4d.reduction.apertures import annulus_of, with_flux
from iop4d.science.flux import flux_mjy
from iop4d.science.host import (
    Corrected,
    HostFlux,
    Table,
    corrected,
    on_star_scale,
    tables_of,
)
from iop4d.science.psf import TYPICAL_BETA, encircled, mean_square_radius

HOST_BAND = "R"  # in which the host galaxies' fluxes are known
#: Radius for a source with a host table and none of its own, arcsec: monitoring of the galaxies of
#: Nilsson et al. 2007 uses 5 to 7.5 (Nilsson et al. 2018, A&A 620, A185), and up to a seeing of
#: 4 arcsec this one holds 95 % of a star.
HOST_APERTURE = 7.5
#: Seeing, arcsec, to which the host's part of a magnitude is brought, whatever it was.
REFERENCE_FWHM = 2.0
_STEADY_ERR = 0.2  # part of the host's change with the seeing that its table may have wrong


def aperture_of(source: Source) -> float:
    """The radius in which a source is measured whatever the seeing, arcsec; NaN: as it asks for."""
    if math.isfinite(source.aperture_arcsec):
        return source.aperture_arcsec
    table = find_table((source.name, *source.other_names))
    return math.nan if table is None else HOST_APERTURE


def steady_host(frame: MeasuredFrame, target: Source, zero_point: float) -> MeasuredFrame:
    """The frame with a target whose host is as bright in the aperture as in a seeing of 2 arcsec.

    A fixed aperture holds a smaller part of a star in bad seeing, which the zero point makes up
    for; of a galaxy it holds nearly all the same, so that the galaxy would brighten. Of two images
    each gets its share. As it was where no table knows the host, or ``zero_point`` (mag) is NaN.
    """
    table = find_table((target.name, *target.other_names))
    if table is None or frame.facts.band != HOST_BAND or not math.isfinite(zero_point):
        return frame
    here, usual = (_host_of(table, frame, fwhm) for fwhm in (frame.fwhm_arcsec, REFERENCE_FWHM))
    change = (here.flux_mjy - usual.flux_mjy) / flux_mjy(zero_point, HOST_BAND)
    if not math.isfinite(change):
        return frame
    total = sum(m.flux for m in frame.measurements if m.source == target.name and m.beam)
    flag = int(Flag.HOST_EXTRAPOLATED) if here.extrapolated else 0

    def steady(m: Measurement) -> Measurement:
        if m.source != target.name:
            return m
        light = change * (m.flux / total if m.beam and total > 0 else 1.0)
        return with_flux(m, m.flux - light, math.hypot(m.flux_err, _STEADY_ERR * light),
                         flags=m.flags | flag)

    return replace(frame, measurements=tuple(steady(m) for m in frame.measurements))


def without_host(result: ResultValue, target: Source, frame: MeasuredFrame) -> ResultValue:
    """The result with its host's flux and what is left of magnitude, q, u and p, if a table has it.

    ``frame``: one of those measured, whose aperture counts; the result is of the ``steady_host``.
    Errors of what is left are random: the host's own is in every result of a source alike, and
    stands in ``host_mjy_err``.
    """
    table = find_table((target.name, *target.other_names))
    if table is None or result.band != HOST_BAND or not math.isfinite(result.mag):
        return result
    host = _host_of(table, frame, REFERENCE_FWHM)
    if not math.isfinite(host.flux_mjy):
        return result

    def left(part: float, part_err: float) -> Corrected:
        return corrected(result.mag, result.mag_err, part, part_err, host.flux_mjy)

    nucleus, q = left(result.p_debiased, result.p_err), left(result.q, result.q_err)
    u = left(result.u, result.u_err)
    flags = result.flags | (int(Flag.HOST_EXTRAPOLATED) if host.extrapolated else 0)
    return replace(result, host_mjy=host.flux_mjy, host_mjy_err=host.flux_err_mjy,
                   mag_nucleus=nucleus.mag, mag_nucleus_err=nucleus.mag_err, p_nucleus=nucleus.p,
                   p_nucleus_err=nucleus.p_err, q_nucleus=q.p, q_nucleus_err=q.p_err,
                   u_nucleus=u.p, u_nucleus_err=u.p_err, flags=flags)


def _host_of(table: Table, frame: MeasuredFrame, fwhm_arcsec: float) -> HostFlux:
    """What the host adds to the calibrated flux in a frame's aperture, were the seeing so."""
    beta = frame.psf_beta if math.isfinite(frame.psf_beta) else TYPICAL_BETA
    radius = frame.aperture_arcsec
    return on_star_scale(table, radius, fwhm_arcsec, annulus=annulus_of(frame),
                         inside=float(encircled(radius, fwhm_arcsec, beta)),
                         spread=mean_square_radius(fwhm_arcsec, beta))


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
