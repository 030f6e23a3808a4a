"""The light of the host galaxy inside the aperture, and what is left of the source without it.

The fluxes are those of Nilsson et al. 2007 (A&A 475, 199), R band, for an aperture's radius and the
FWHM of the stars. The host is taken to be unpolarised, so it dilutes the source's polarisation.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.science.flux import flux_mjy, magnitude

Floats = NDArray[np.float64]

#: Part of a host's flux that is its error where the table gives none: twice the median of the
#: errors that it gives.
ASSUMED_ERR = 0.1
_BAND = "R"  # of the tables
_RINGS = 3  # in the outer part of a table, by which its profile goes on
_RING_ERR = 0.2  # part of the light beyond a table by which it may be wrong
_ACROSS = np.linspace(0.0, 1.0, 50)  # of an annulus, where a profile is looked at
_SHARP_ARCSEC = 2.0  # seeing that does not change the rings, and that all tables hold


@dataclass(frozen=True, kw_only=True)
class HostFlux:
    """Flux of a host galaxy inside an aperture, R band, mJy.

    ``object``: the table's own name. ``extrapolated``: the radius or the FWHM lies outside the
    table, whose nearest value this is.
    """

    object: str
    flux_mjy: float
    flux_err_mjy: float
    extrapolated: bool


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """A source without its host. Magnitude R, ``p`` a fraction; NaN if F' <= 0."""

    mag: float
    mag_err: float
    p: float
    p_err: float


@dataclass(frozen=True, kw_only=True)
class Table:
    """The fluxes of one object on its grid.

    ``radius``: (A,) arcsec, rising; ``fwhm``: (W,) arcsec, rising, empty where the flux does not
    depend on the seeing; ``flux``, ``err``: (W, A) or (1, A), mJy, errors NaN where none is known.
    """

    object: str
    radius: Floats
    fwhm: Floats
    flux: Floats
    err: Floats

    @cached_property
    def outwards(self) -> tuple[np.float64, np.float64] | None:
        """(b, a) of ln I = a + b r^(1/4) through the outer rings, I in mJy per square arcsec; None
        where they do not fall outwards."""
        return _outwards(self)

    def falling(self) -> list[str]:
        """The rows that are wrong: where a larger aperture holds less light."""
        wrong = []
        for row, column in np.argwhere(np.diff(self.flux, axis=1) < 0):
            width = f"FWHM {self.fwhm[row]:g}, " if self.fwhm.size else ""
            wrong.append(f"{self.object}, {width}radius {self.radius[column + 1]:g}: "
                         f"{self.flux[row, column + 1]:g} after {self.flux[row, column]:g} mJy")
        return wrong


def look_up(table: Table, radius_arcsec: float, fwhm_arcsec: float) -> HostFlux:
    """The host's light inside an aperture by one table, R band.

    ``radius_arcsec``: the aperture's radius; ``fwhm_arcsec``: of the stars. Bilinear between the
    points of the table (Nilsson et al. 2007); outside it the nearest value, with ``extrapolated``.
    Where the table gives no error, it is a tenth of the flux. NaN for a NaN.
    """
    known = math.isfinite(radius_arcsec) and (math.isfinite(fwhm_arcsec) or not table.fwhm.size)
    if not known:
        return HostFlux(object=table.object, flux_mjy=math.nan, flux_err_mjy=math.nan,
                        extrapolated=False)
    column, along, left = _place(table.radius, radius_arcsec)
    row, up, out = _place(table.fwhm, fwhm_arcsec) if table.fwhm.size else (0, 0.0, False)
    rows = row, min(row + 1, table.flux.shape[0] - 1)
    beside = min(column + 1, table.radius.size - 1)

    def between(of: Floats) -> float:
        one, other = ((1.0 - along) * float(of[k, column]) + along * float(of[k, beside])
                      for k in rows)
        return (1.0 - up) * one + up * other

    # Errors of neighbouring points come from one model of the galaxy: they do not average out.
    flux, err = between(table.flux), between(table.err)
    return HostFlux(object=table.object, flux_mjy=flux, extrapolated=left or out,
                    flux_err_mjy=err if math.isfinite(err) else ASSUMED_ERR * flux)


def ring_surface(table: Table, annulus: tuple[float, float], *,
                 spread: float = 0.0) -> tuple[float, float]:
    """Mean surface brightness of the host in an annulus, mJy per square arcsec, and its error.

    ``annulus``: inner and outer radius, arcsec. By de Vaucouleurs' law through the outer rings of
    the table, ln I = a + b r^(1/4), as far beyond them; where the rings do not fall outwards there
    is none. ``spread``: mean square distance by which the seeing moves light, square arcsec; to
    first order it adds a quarter of that times the Laplacian of I. A fifth is its error: no table
    reaches as far.
    """
    if table.outwards is None:
        return 0.0, 0.0
    slope, level = table.outwards
    r = annulus[0] + (annulus[1] - annulus[0]) * _ACROSS
    steepness = 0.25 * slope * r**-0.75  # of ln I
    laplacian = steepness**2 + 0.25 * steepness / r
    each = np.exp(level + slope * r**0.25) * (1.0 + np.minimum(0.25 * spread * laplacian, 0.3))
    mean = float(each @ r) / float(r.sum())
    return mean, _RING_ERR * mean


def _outwards(table: Table) -> tuple[np.float64, np.float64] | None:
    edges = np.linspace(max(0.4 * table.radius[-1], table.radius[0]), table.radius[-1], _RINGS + 1)
    seeing = float(np.clip(_SHARP_ARCSEC, table.fwhm[0], table.fwhm[-1])) if table.fwhm.size \
        else math.nan
    inside = np.array([look_up(table, float(r), seeing).flux_mjy for r in edges])
    light = np.diff(inside) / (math.pi * np.diff(edges**2))
    if not (light > 0).all():
        return None
    middles = np.sqrt((edges[1:] ** 2 + edges[:-1] ** 2) / 2.0)
    fine = np.linspace(edges[:-1], edges[1:], 20)
    at_middle = light
    for _ in range(3):  # a ring's mean is not quite its middle's
        slope, level = np.polyfit(middles**0.25, np.log(at_middle), 1, w=np.diff(inside))
        if slope >= 0:
            return None
        profile = np.exp(slope * (fine**0.25 - middles**0.25))
        at_middle = light / (np.sum(profile * fine, axis=0) / np.sum(fine, axis=0))
    return slope, level


def on_star_scale(table: Table, radius_arcsec: float, fwhm_arcsec: float, *, inside: float,
                  annulus: tuple[float, float], spread: float = 0.0) -> HostFlux:
    """What the host adds to an aperture's calibrated flux, as ``look_up`` tells it: R band, mJy.

    The zero point is that of stars of which the aperture holds the part ``inside``, and what the
    host has in the ``annulus`` of the sky is missing: [H(r, w) - A h] / E(r, w). ``spread``: as in
    ``ring_surface``.
    """
    found = look_up(table, radius_arcsec, fwhm_arcsec)
    ring, ring_err = ring_surface(table, annulus, spread=spread)
    area = math.pi * radius_arcsec**2
    return replace(found, flux_mjy=(found.flux_mjy - area * ring) / inside,
                   flux_err_mjy=math.hypot(found.flux_err_mjy, area * ring_err) / inside)


def corrected(mag: float, mag_err: float, p: float, p_err: float, host_mjy: float) -> Corrected:
    """A source's R magnitude and polarisation without its host: F' = F - F_host, p' = p F / F'.

    ``mag``: R; ``p``: a fraction, NaN if there is none; ``host_mjy``: flux of the host in the same
    aperture. Errors to first order, F and p being independent; that of F_host is no part of them,
    being the same for all points of a source. All NaN where F' <= 0; a NaN makes NaN what depends
    on it. Nilsson et al. 2007, A&A 475, 199.
    """
    total = flux_mjy(mag, _BAND)
    left = total - host_mjy
    if not left > 0:
        nan = math.nan
        return Corrected(mag=nan, mag_err=nan, p=nan, p_err=nan)
    total_err = total * mag_err / MAG_PER_RELATIVE_FLUX
    own, by_total = total / left, p * host_mjy / left**2
    return Corrected(
        mag=magnitude(left, _BAND), mag_err=MAG_PER_RELATIVE_FLUX * total_err / left, p=p * own,
        p_err=math.hypot(own * p_err, by_total * total_err))


def tables_of(rows: Iterable[tuple[str, float, float, float, float]]) -> tuple[Table, ...]:
    """The tables of all objects in order of their names, from rows in any order.

    A row is (object, FWHM and radius in arcsec, flux and its error in mJy); FWHM NaN where the flux
    does not depend on it, error NaN where none is known. Raises ValueError if a table is no full
    grid, or where a larger aperture holds less light.
    """
    points: dict[str, dict[tuple[float, float], tuple[float, float]]] = {}
    for name, fwhm, radius, flux, err in rows:
        key = (0.0 if math.isnan(fwhm) else fwhm, radius)
        if key in points.setdefault(name, {}):
            raise ValueError(f"{name}: radius {radius:g}, FWHM {fwhm:g} stands twice")
        points[name][key] = (flux, err)
    found = tuple(_grid(name, points[name]) for name in sorted(points))
    if wrong := [line for table in found for line in table.falling()]:
        raise ValueError("a larger aperture holds less light: " + "; ".join(wrong))
    return found


def _grid(name: str, points: Mapping[tuple[float, float], tuple[float, float]]) -> Table:
    widths = sorted({fwhm for fwhm, _ in points})
    radii = sorted({radius for _, radius in points})
    if len(points) != len(widths) * len(radii):
        raise ValueError(f"{name}: no full grid of radius and FWHM")
    values = np.array([[points[fwhm, radius] for radius in radii] for fwhm in widths])
    return Table(object=name, radius=np.array(radii), fwhm=np.array([w for w in widths if w > 0]),
                 flux=values[:, :, 0], err=values[:, :, 1])


def _place(grid: Floats, value: float) -> tuple[int, float, bool]:
    """(point below, way to the next one in [0, 1], whether the value lies outside the grid)."""
    inside = min(max(value, float(grid[0])), float(grid[-1]))
    if grid.size == 1:
        return 0, 0.0, inside != value
    below = min(bisect_right(grid, inside), grid.size - 1) - 1
    lower, upper = float(grid[below]), float(grid[below + 1])
    return below, (inside - lower) / (upper - lower), inside != value
