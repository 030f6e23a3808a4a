"""Refine a projection by a robust fit to all detected stars of known position."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from iop4d.science.ordered import median
from iop4d.science.tan import Wcs, sky_to_plane

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_FEWEST_LINEAR = 4  # three stars fix the six numbers exactly, and say nothing of how well
_FEWEST_CUBIC = 20  # two stars for each of ten coefficients of one axis
_CUBIC_ROUNDS = 3
_CUBIC_REACH = 4.0  # px: what a linear fit leaves of a distortion in the corners
_CUBIC_GAIN = 0.7  # a distortion must shrink the residuals to this part: by chance 1 in 100 does
# From round to round, how far from its place a star's detection may be: FWHM, and px at least and
# at most. A small quad gives the scale to 1.5 %, which is many pixels in the corners; and in bad
# seeing a reach of several FWHM would find other stars.
_REACHES = ((0.0, 12.0, 12.0), (1.5, 5.0, 8.0), (1.0, 2.5, 5.0), (1.0, 2.0, 4.0), (0.7, 1.5, 4.0))
_WIDE = 5.0  # px of reach from which only bright detections are looked at:
_BRIGHTEST = 2  # so many for each known star; of the faint ones the nearest is often another star
_CLIP = 3.5  # robust sigmas
_WELL_POSED = 1e-3  # of Cholesky factors, smallest over largest: seven digits are lost at most
_FLOOR = 0.01  # px: the residuals of stars are never known better


@dataclass(frozen=True, kw_only=True)
class Refined:
    """The refined projection, how many stars it rests on, their weighted rms distance per
    axis in px. ``confirmed``: that stars are where it says is known, as few as they are;
    ``guess``: it rests on the place of one or two stars, which nothing confirms."""

    wcs: Wcs
    n_matched: int
    rms_px: float
    star: Indices  # for each matched star: its index in the list of positions
    detection: Indices  # and its detection
    confirmed: bool = False
    guess: bool = False


def refine(start: Wcs, *, x: Floats, y: Floats, noise: Floats, ra: Floats, dec: Floats,
           shape: tuple[int, int], fwhm: float) -> Refined:
    """Fit TAN, with cubic SIP where it clearly helps, about the middle of the frame.

    ``x``, ``y``: 0-based detections, brightest first, with ``noise`` in pixels; ``ra``, ``dec``:
    known stars, ICRS degrees; ``shape``: (ny, nx) of the frame; ``fwhm``: pixels. With fewer than
    four matched stars the start is returned, and ``n_matched`` is 0.
    """
    if x.size == 0 or ra.size == 0:
        return _unrefined(start)
    known = _Known(x=x, y=y, noise=noise, ra=ra, dec=dec, shape=shape)
    fits = _Fits(known=known, order=1, best=replace(_unrefined(start), wcs=recentred(start, shape)))
    for factor, least, most in _REACHES:
        if not fits.improve(min(max(factor * fwhm, least), most), fewest=_FEWEST_LINEAR):
            break
    if not fits.pairs:
        return _unrefined(start)
    return _with_distortion(fits.best, known) if fits.best.n_matched >= _FEWEST_CUBIC \
        else fits.best


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Indices of ``star`` and ``detection`` that are less than ``reach`` pixels apart, and how far;
    ``wcs``: where the stars were put."""

    star: Indices
    detection: Indices
    distance: Floats
    reach: float
    wcs: Wcs

    def within(self, reach: float) -> _Pairs:
        """Those that are nearer to each other."""
        near = self.distance < reach
        return _Pairs(star=self.star[near], detection=self.detection[near],
                      distance=self.distance[near], reach=reach, wcs=self.wcs)

    def are_those_of(self, other: _Pairs) -> bool:
        """Whether the same stars and detections are together."""
        return np.array_equal(self.star, other.star) and np.array_equal(
            self.detection, other.detection)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """Detections, brightest first, and stars of known place: what there is to match."""

    x: Floats
    y: Floats
    noise: Floats
    ra: Floats
    dec: Floats
    shape: tuple[int, int]

    @cached_property
    def tree(self) -> cKDTree:
        """Of all detections."""
        return cKDTree(np.column_stack([self.x, self.y]))

    def pairs(self, wcs: Wcs, reach: float) -> _Pairs:
        """Nearest neighbours, each detection taken once."""
        x, y = wcs.to_pixel(self.ra, self.dec)
        ny, nx = self.shape
        inside = np.flatnonzero((x > 0) & (x < nx - 1) & (y > 0) & (y < ny - 1))
        tree = self.tree
        if reach >= _WIDE:
            bright = slice(_BRIGHTEST * inside.size)
            tree = cKDTree(np.column_stack([self.x[bright], self.y[bright]]))
        distance, found = tree.query(np.column_stack([x[inside], y[inside]]),
                                     distance_upper_bound=reach)
        near = np.isfinite(distance)
        star, found, distance = inside[near], found[near], distance[near]
        order = np.argsort(distance, kind="stable")
        _, chosen = np.unique(found[order], return_index=True)
        chosen = order[chosen]
        return _Pairs(star=star[chosen], detection=found[chosen], distance=distance[chosen],
                      reach=reach, wcs=wcs)


@dataclass(kw_only=True)
class _Fits:
    """Fits of one order, of which each puts the stars nearer to their detections; the best is the
    last one. ``pairs``: what each rests on."""

    known: _Known
    order: int
    best: Refined
    pairs: list[_Pairs] = field(default_factory=list)

    def improve(self, reach: float, *, fewest: int) -> bool:
        """Fit the pairs within ``reach`` pixels of the best so far; whether there are enough.

        A third fit of the same pairs would move no star by 1e-9 px: it is left out.
        """
        last = self.pairs[-1] if self.pairs else None
        known_already = last is not None and last.wcs is self.best.wcs and (
            reach <= last.reach < _WIDE)
        pairs = last.within(reach) if last is not None and known_already \
            else self.known.pairs(self.best.wcs, reach)
        if pairs.star.size < fewest:
            return False
        settled = len(self.pairs) > 1 and all(map(pairs.are_those_of, self.pairs[-2:]))
        if not settled:
            self.best = _fit(self.best.wcs, self.order, self.known, pairs)
        self.pairs = [*self.pairs[-1:], pairs]
        return True


def _with_distortion(linear: Refined, known: _Known) -> Refined:
    fits = _Fits(known=known, order=3, best=linear)
    for _ in range(_CUBIC_ROUNDS):
        if not fits.improve(_CUBIC_REACH, fewest=_FEWEST_CUBIC):
            return linear
    cubic = fits.best
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


def _fit(wcs: Wcs, order: int, known: _Known, pairs: _Pairs) -> Refined:
    """Least squares of standard coordinates on pixels, clipped; then the tangent point moves."""
    star, found = pairs.star, pairs.detection
    u, v = known.x[found] - wcs.x0, known.y[found] - wcs.y0
    powers = [(p, n - p) for n in range(order + 1) for p in range(n, -1, -1)]
    basis, units = _monomials(u, v, order, powers)
    sky = np.stack(sky_to_plane(known.ra[star], known.dec[star], wcs.ra0, wcs.dec0), axis=1)
    degrees = wcs.scale_arcsec / 3600.0
    noise = known.noise[found]
    keep = np.ones(u.size, dtype=bool)
    fewest = max(_FEWEST_LINEAR, len(powers) + 1)
    root = np.ones((u.size, 1))  # equal weights to begin with: a bright star may be a wrong one
    for _ in range(8):
        solution = _least_squares((basis * root)[keep], (sky * root)[keep])
        off = np.hypot(*((sky - basis @ solution) / degrees).T)
        # What the noise leaves unexplained; of a Rayleigh distribution the median square is 1.386.
        extra = median(off[keep] ** 2 / 1.386 - noise[keep] ** 2)
        total = np.hypot(noise, math.sqrt(max(extra, _FLOOR**2)))
        root = 1.0 / total[:, None]
        better = off < _CLIP * total
        if better.sum() < fewest:
            break
        settled = bool((better == keep).all())
        keep = better
        if settled:
            break
    # Per axis, over the degrees of freedom: more terms always fit better.
    n, weight = int(keep.sum()), root[keep, 0] ** 2
    spread = float(np.sum(weight * off[keep] ** 2) / np.sum(weight)) * n / max(n - len(powers), 1)
    return Refined(wcs=_wcs_of(solution / units[:, None], powers, wcs), n_matched=n,
                   rms_px=math.sqrt(spread / 2.0), star=star[keep], detection=found[keep])


def _monomials(u: Floats, v: Floats, order: int,
               powers: list[tuple[int, int]]) -> tuple[Floats, Floats]:
    """(u^p v^q of each place, (n, powers), in units that make all of them similar; the units)."""
    unit = max(float(np.abs(u).max()), float(np.abs(v).max()), 1.0)
    of_u, of_v = [np.ones_like(u)], [np.ones_like(v)]
    for _ in range(order):
        of_u.append(of_u[-1] * (u / unit))
        of_v.append(of_v[-1] * (v / unit))
    return (np.stack([of_u[p] * of_v[q] for p, q in powers], axis=1),
            np.array([unit ** (p + q) for p, q in powers]))


def _least_squares(basis: Floats, target: Floats) -> Floats:
    """The solution of basis x solution = target, by normal equations where they are well posed."""
    normal = basis.T @ basis
    try:
        diagonal = np.diagonal(np.linalg.cholesky(normal))
    except np.linalg.LinAlgError:
        diagonal = np.zeros(1)
    if diagonal.min() > _WELL_POSED * diagonal.max():
        return np.asarray(np.linalg.solve(normal, basis.T @ target), dtype=np.float64)
    return np.asarray(np.linalg.lstsq(basis, target, rcond=None)[0], dtype=np.float64)


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
    curved = [pq for pq in powers if sum(pq) > 1]
    bent = dict(zip(curved, np.linalg.solve(cd, solution[[powers.index(pq) for pq in curved]].T).T,
                    strict=True))
    return Wcs(ra0=ra0, dec0=dec0, x0=old.x0, y0=old.y0,
               cd=((float(cd[0, 0]), float(cd[0, 1])), (float(cd[1, 0]), float(cd[1, 1]))),
               sip_a={pq: float(value[0]) for pq, value in bent.items()},
               sip_b={pq: float(value[1]) for pq, value in bent.items()})
