"""Refine a projection by a robust fit to all detected stars of known position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from iop4d.science.tan import Wcs, sky_to_plane

Floats = NDArray[np.float64]

_FEWEST_LINEAR = 4  # three stars fix the six numbers exactly, and say nothing of how well
_FEWEST_CUBIC = 30  # three stars for each of ten coefficients of one axis
_CUBIC_GAIN = 0.8  # a distortion must shrink the residuals to this part to be believed
_REACHES = (6.0, 3.0, 1.5)  # FWHM within which a detection is a star's, from round to round
_CLIP = 3.5  # robust sigmas
_FLOOR = 0.01  # px: the residuals of stars are never known better


@dataclass(frozen=True, kw_only=True)
class Refined:
    """The refined projection, how many stars it rests on, their rms distance per axis in px."""

    wcs: Wcs
    n_matched: int
    rms_px: float
    star: NDArray[np.intp]  # for each matched star: its index in the list of positions
    detection: NDArray[np.intp]  # and its detection


def refine(start: Wcs, *, x: Floats, y: Floats, weight: Floats, ra: Floats, dec: Floats,
           shape: tuple[int, int], fwhm: float) -> Refined:
    """Fit TAN, with cubic SIP where it clearly helps, about the middle of the frame.

    ``x``, ``y``: 0-based detections with relative ``weight``; ``ra``, ``dec``: known stars, ICRS
    degrees; ``shape``: (ny, nx) of the frame; ``fwhm``: pixels. With fewer than four matched
    stars the start is returned, with as many as there were.
    """
    if x.size == 0 or ra.size == 0:
        return _unrefined(start)
    tree = cKDTree(np.column_stack([x, y]))
    best = _unrefined(start)
    wcs = recentred(start, shape)
    orders = [1, 1, 1, 1, 1]
    for number, order in enumerate(orders):
        reach = max(fwhm, 1.5) * _REACHES[min(number, len(_REACHES) - 1)]
        star, found = _pairs(wcs, tree, ra, dec, shape, reach)
        if star.size < _FEWEST_LINEAR:
            break
        best = _fit(wcs, order, x[found], y[found], weight[found], ra[star], dec[star], star,
                    found)
        wcs = best.wcs
    if best.n_matched >= _FEWEST_CUBIC:
        best = _with_distortion(best, tree, x, y, weight, ra, dec, shape, max(fwhm, 1.5))
    return best


def _with_distortion(linear: Refined, tree: cKDTree, x: Floats, y: Floats, weight: Floats,
                     ra: Floats, dec: Floats, shape: tuple[int, int], fwhm: float) -> Refined:
    cubic = linear
    for _ in range(3):
        star, found = _pairs(cubic.wcs, tree, ra, dec, shape, 1.5 * fwhm)
        if star.size < _FEWEST_CUBIC:
            return linear
        cubic = _fit(cubic.wcs, 3, x[found], y[found], weight[found], ra[star], dec[star], star,
                     found)
    helps = cubic.rms_px < _CUBIC_GAIN * linear.rms_px or cubic.n_matched > 1.3 * linear.n_matched
    return cubic if helps and cubic.n_matched >= _FEWEST_CUBIC else linear


def recentred(wcs: Wcs, shape: tuple[int, int]) -> Wcs:
    """The same projection with its tangent point in the middle of the frame, without SIP."""
    x0, y0 = (shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0
    ra0, dec0 = (float(value) for value in wcs.to_sky(x0, y0))
    ra, dec = wcs.to_sky(np.array([x0 + 1.0, x0, x0 - 1.0, x0]),
                         np.array([y0, y0 + 1.0, y0, y0 - 1.0]))
    xi, eta = sky_to_plane(ra, dec, ra0, dec0)
    return Wcs(ra0=ra0, dec0=dec0, x0=x0, y0=y0,
               cd=(((xi[0] - xi[2]) / 2.0, (xi[1] - xi[3]) / 2.0),
                   ((eta[0] - eta[2]) / 2.0, (eta[1] - eta[3]) / 2.0)))


def _unrefined(wcs: Wcs) -> Refined:
    none = np.zeros(0, dtype=np.intp)
    return Refined(wcs=wcs, n_matched=0, rms_px=float("nan"), star=none, detection=none)


def _pairs(wcs: Wcs, tree: cKDTree, ra: Floats, dec: Floats, shape: tuple[int, int],
           reach: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices (star, detection) of nearest neighbours, each detection taken once."""
    x, y = wcs.to_pixel(ra, dec)
    inside = np.flatnonzero((x > 0) & (x < shape[1] - 1) & (y > 0) & (y < shape[0] - 1))
    distance, found = tree.query(np.column_stack([x[inside], y[inside]]),
                                 distance_upper_bound=reach)
    near = np.isfinite(distance)
    star, found, distance = inside[near], found[near], distance[near]
    order = np.argsort(distance, kind="stable")
    _, first = np.unique(found[order], return_index=True)
    chosen = order[first]
    return star[chosen], found[chosen]


def _fit(wcs: Wcs, order: int, x: Floats, y: Floats, weight: Floats, ra: Floats, dec: Floats,
         star: NDArray[np.intp], found: NDArray[np.intp]) -> Refined:
    """Least squares of standard coordinates on pixels, clipped; then the tangent point moves."""
    u, v = x - wcs.x0, y - wcs.y0
    powers = [(p, n - p) for n in range(order + 1) for p in range(n, -1, -1)]
    basis = np.stack([u**p * v**q for p, q in powers], axis=1)
    sky = np.stack(sky_to_plane(ra, dec, wcs.ra0, wcs.dec0), axis=1)
    degrees = wcs.scale_arcsec / 3600.0
    root = np.sqrt(weight)[:, None]
    keep = np.ones(x.size, dtype=bool)
    fewest = max(_FEWEST_LINEAR, len(powers) + 1)
    for _ in range(8):
        solution = np.asarray(
            np.linalg.lstsq((basis * root)[keep], (sky * root)[keep], rcond=None)[0], np.float64)
        off = np.hypot(*((sky - basis @ solution) / degrees).T)
        sigma = max(float(np.median(off[keep])) / 1.1774, _FLOOR)  # of a Rayleigh distribution
        better = off < _CLIP * sigma
        if better.sum() < fewest or bool((better == keep).all()):
            break
        keep = better
    return Refined(wcs=_wcs_of(solution, powers, wcs), n_matched=int(keep.sum()),
                   rms_px=float(np.sqrt(np.mean(off[keep] ** 2) / 2.0)), star=star[keep],
                   detection=found[keep])


def _wcs_of(solution: Floats, powers: list[tuple[int, int]], old: Wcs) -> Wcs:
    """A projection whose tangent point is where the fit puts the middle of the frame.

    The shift is a small part of a pixel after the first round, so that the matrix of the old
    tangent plane is that of the new one.
    """
    terms = dict(zip(powers, solution, strict=True))
    shift = terms[0, 0]
    tangent = Wcs(ra0=old.ra0, dec0=old.dec0, x0=0.0, y0=0.0, cd=((1.0, 0.0), (0.0, 1.0)))
    ra0, dec0 = (float(value) for value in tangent.to_sky(shift[0], shift[1]))
    cd = np.column_stack([terms[1, 0], terms[0, 1]])
    bent = {pq: np.linalg.solve(cd, value) for pq, value in terms.items() if sum(pq) > 1}
    return Wcs(ra0=ra0, dec0=dec0, x0=old.x0, y0=old.y0,
               cd=((float(cd[0, 0]), float(cd[0, 1])), (float(cd[1, 0]), float(cd[1, 1]))),
               sip_a={pq: float(value[0]) for pq, value in bent.items()},
               sip_b={pq: float(value[1]) for pq, value in bent.items()})
