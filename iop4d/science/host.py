"""The light of the host galaxy inside the aperture, and what is left of the source without it.

The fluxes are those of Nilsson et al. 2007 (A&A 475, 199), R band, for an aperture's radius and the
FWHM of the stars. The host is taken to be unpolarised, so it dilutes the source's polarisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.science.flux import POGSON, flux_mjy, magnitude

Floats = NDArray[np.float64]

#: Part of a host's flux that is its error where the table gives none: twice the median of the
#: errors that it gives.
ASSUMED_ERR = 0.1
_BAND = "R"  # of the tables


@dataclass(frozen=True, kw_only=True)
class HostFlux:
    """Flux of a host galaxy inside an aperture, R band, mJy.

    ``object``: the table's own name. ``extrapolated``: the radius or the FWHM lies outside the
    table, whose nearest value this is. ``err_assumed``: the table gives no error for this object.
    """

    object: str
    flux_mjy: float
    flux_err_mjy: float
    extrapolated: bool
    err_assumed: bool


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """A source without its host. Magnitude R, flux in mJy, ``p`` a fraction; NaN if F' <= 0."""

    mag: float
    mag_err: float
    flux_mjy: float
    flux_err_mjy: float
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
    Where the table gives no error, a tenth of the flux, with ``err_assumed``. NaN for a NaN.
    """
    known = math.isfinite(radius_arcsec) and (math.isfinite(fwhm_arcsec) or not table.fwhm.size)
    if not known:
        return HostFlux(object=table.object, flux_mjy=math.nan, flux_err_mjy=math.nan,
                        extrapolated=False, err_assumed=False)
    column, along, left = _place(table.radius, radius_arcsec)
    row, up, out = _place(table.fwhm, fwhm_arcsec) if table.fwhm.size else (0, 0.0, False)
    weights = np.outer([1.0 - up, up], [1.0 - along, along])
    rows = [row, min(row + 1, table.flux.shape[0] - 1)]
    columns = [column, min(column + 1, table.radius.size - 1)]
    flux = float((weights * table.flux[np.ix_(rows, columns)]).sum())
    # Errors of neighbouring points come from one model of the galaxy: they do not average out.
    err = float((weights * table.err[np.ix_(rows, columns)]).sum())
    assumed = not math.isfinite(err)
    return HostFlux(object=table.object, flux_mjy=flux, extrapolated=left or out,
                    flux_err_mjy=ASSUMED_ERR * flux if assumed else err, err_assumed=assumed)


def corrected(mag: float, mag_err: float, p: float, p_err: float, host_mjy: float,
              host_err_mjy: float) -> Corrected:
    """A source's R magnitude and polarisation without its host: F' = F - F_host, p' = p F / F'.

    ``mag``: R; ``p``: a fraction, NaN if there is none; ``host_mjy``: flux of the host in the same
    aperture. Errors to first order, F and F_host and p being independent. All NaN where F' <= 0;
    a NaN makes NaN what depends on it. Nilsson et al. 2007, A&A 475, 199.
    """
    total = flux_mjy(mag, _BAND)
    left = total - host_mjy
    if not left > 0:
        nan = math.nan
        return Corrected(mag=nan, mag_err=nan, flux_mjy=nan, flux_err_mjy=nan, p=nan, p_err=nan)
    total_err = total * mag_err / POGSON
    left_err = math.hypot(total_err, host_err_mjy)
    own = total / left
    by_total, by_host = p * host_mjy / left**2, p * total / left**2
    return Corrected(
        mag=magnitude(left, _BAND), mag_err=POGSON * left_err / left, flux_mjy=left,
        flux_err_mjy=left_err, p=p * own,
        p_err=math.sqrt((own * p_err) ** 2 + (by_total * total_err) ** 2
                        + (by_host * host_err_mjy) ** 2))


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
    below = int(np.clip(np.searchsorted(grid, inside, side="right") - 1, 0, max(grid.size - 2, 0)))
    if grid.size == 1:
        return 0, 0.0, inside != value
    way = (inside - grid[below]) / (grid[below + 1] - grid[below])
    return below, float(way), inside != value
