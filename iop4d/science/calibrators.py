"""Pan-STARRS magnitudes as Johnson-Cousins ones; which stars of a list can calibrate a field.

A system is a type of its own, so that Pan-STARRS is never taken for another one whose bands have
the same names. Magnitudes are AB in Pan-STARRS, Vega in Johnson-Cousins; the transform is for
normal stars, not for blazars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
#: Tonry et al. 2012 (ApJ 750, 99), table 6: the band it starts from, the coefficients of 1, x, x^2
#: with x = g - r in Pan-STARRS, and the scatter in magnitudes.
_TONRY_JOHNSON = {
    "B": ("g", (0.212, 0.556, 0.034), 0.032), "V": ("g", (0.005, -0.536, 0.011), 0.012),
    "R": ("r", (-0.137, -0.108, -0.029), 0.015), "I": ("i", (-0.366, -0.136, -0.018), 0.017)}
Mask = NDArray[np.bool_]
RADIUS_ARCMIN = 3.5  # inside T150's field, the smallest: 7.92' across, less a pointing error
BRIGHTEST, FAINTEST = 13.0, 18.0  # r
FEWEST_DETECTIONS = 10
LARGEST_SCATTER = 0.01  # mag, of the aperture magnitudes in g, r, i
ISOLATION_ARCSEC = 10.0
NEIGHBOUR = 0.01  # of a star's light that its neighbours may have
_REAL = 3  # detections from which an entry is no accident of a single exposure
_SAME_ARCSEC = 3.0  # within which an entry is the known source itself
_EXTENDED = 0.05  # mag, i PSF - i Kron of galaxies (Farrow et al. 2014, MNRAS 437, 748)


@dataclass(frozen=True)
class Band:
    """Magnitudes in one band and their errors: arrays of one shape, or scalars; NaN for missing."""

    value: Floats
    err: Floats


def band(value: ArrayLike, err: ArrayLike = 0.0) -> Band:
    """A band from numbers or arrays that go together by numpy's rules."""
    values, errors = np.broadcast_arrays(np.asarray(value, dtype=np.float64),
                                         np.asarray(err, dtype=np.float64))
    return Band(values, errors)


def _missing() -> Band:
    return band(np.nan, np.nan)


@dataclass(frozen=True, kw_only=True)
class PanStarrs:
    """Magnitudes of stars in the Pan-STARRS 1 system (AB); bands that are not given are NaN."""

    g: Band = field(default_factory=_missing)
    r: Band = field(default_factory=_missing)
    i: Band = field(default_factory=_missing)
    z: Band = field(default_factory=_missing)


@dataclass(frozen=True, kw_only=True)
class Johnson:
    """Magnitudes of stars in the Johnson-Cousins system (Vega); bands not given are NaN."""

    B: Band = field(default_factory=_missing)
    V: Band = field(default_factory=_missing)
    R: Band = field(default_factory=_missing)
    I: Band = field(default_factory=_missing)  # noqa: E741 - the band's name


def panstarrs_to_johnson(stars: PanStarrs) -> Johnson:
    """Johnson-Cousins B, V, R, I from Pan-STARRS, magnitudes; x = g - r in Pan-STARRS.

    Tonry et al. 2012 (ApJ 750, 99), table 6; scatter 0.032, 0.012, 0.015, 0.017. Errors: those of
    the magnitudes, propagated, and the scatter, in quadrature. NaN where a band is missing.
    """
    return Johnson(**{name: _tonry(stars, *row) for name, row in _TONRY_JOHNSON.items()})


def _tonry(stars: PanStarrs, start: str, coefficients: tuple[float, float, float],
           scatter: float) -> Band:
    """start + a0 + a1 x + a2 x^2, with the slopes at x for the errors."""
    a0, a1, a2 = coefficients
    x = stars.g.value - stars.r.value
    slope = a1 + 2.0 * a2 * x
    from_band: Band = getattr(stars, start)
    value = from_band.value + a0 + a1 * x + a2 * x**2
    by_g = slope + (1.0 if start == "g" else 0.0)
    by_r = -slope + (1.0 if start == "r" else 0.0)
    terms = [by_g * stars.g.err, by_r * stars.r.err]
    if start not in ("g", "r"):
        terms.append(from_band.err)
    return band(value, _quadrature(scatter, *terms))


def _quadrature(*errors: ArrayLike) -> Floats:
    return np.asarray(reduce(np.hypot, errors), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class FieldStars:
    """N entries of Pan-STARRS: arrays of shape (N,), NaN for missing.

    ``ra``, ``dec``: ICRS degrees; ``mags``: mean magnitudes; ``detections``: single-epoch
    detections; ``scatter``: (N, 3) standard deviations of the aperture magnitudes in g, r, i;
    ``extended``: i PSF minus i Kron magnitude.
    """

    ra: Floats
    dec: Floats
    mags: PanStarrs
    detections: Floats
    scatter: Floats
    extended: Floats


@dataclass(frozen=True, kw_only=True)
class Choice:
    """``chosen``: (N,) the stars that pass; ``why_not``: the first rule that each other one
    fails, empty for the chosen; ``distance_arcmin``: (N,) from the target; ``depth``: r at which
    the list ends, below which neighbours are not seen."""

    chosen: Mask
    why_not: tuple[str, ...]
    distance_arcmin: Floats
    depth: float


def choose(stars: FieldStars, ra_deg: float, dec_deg: float, *,
           known: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0)),
           radius_arcmin: float = RADIUS_ARCMIN, demand_scatter: bool = True) -> Choice:
    """Choose calibrators for a target at ``ra_deg``, ``dec_deg`` (ICRS).

    A star must lie within ``radius_arcmin``, have 13 < r < 18, g and i, ten detections, a scatter
    below 0.01 mag in g, r and i (``demand_scatter`` False: where it is known), be no galaxy, none
    of the ``known`` sources (RA, Dec; degrees), and no neighbours of more than 1 % of its light in
    r, all together, within 10 arcsec. Entries of one or two detections are no neighbours.
    """
    distance = _separation_deg(stars.ra, stars.dec, ra_deg, dec_deg) * 60.0
    r = stars.mags.r.value
    complete = np.isfinite(stars.mags.g.value) & np.isfinite(stars.mags.i.value)
    wide = np.where(np.isfinite(stars.scatter), stars.scatter, 1.0 if demand_scatter else 0.0)
    rules = (
        ("outside the field", ~(distance <= radius_arcmin)),
        ("not 13 < r < 18", ~((r > BRIGHTEST) & (r < FAINTEST))),
        ("no g or i", ~complete),
        ("fewer than 10 detections", ~(stars.detections >= FEWEST_DETECTIONS)),
        ("scatter of 0.01 mag or more, or unknown", ~(wide < LARGEST_SCATTER).all(axis=1)),
        ("a galaxy", np.nan_to_num(stars.extended, nan=-1.0) > _EXTENDED),
        ("a known source", _near(stars, *known)),
        ("a neighbour within 10 arcsec", neighbours_light(stars) > NEIGHBOUR),
    )
    why_not = np.full(r.shape, "", dtype=object)
    for reason, fails in reversed(rules):
        why_not[fails] = reason
    seen = r[np.isfinite(r)]
    return Choice(chosen=why_not == "", why_not=tuple(why_not), distance_arcmin=distance,
                  depth=float(np.percentile(seen, 95.0)) if seen.size else float("nan"))


def neighbours_light(stars: FieldStars) -> Floats:
    """The light of all neighbours within 10 arcsec of each entry, in r, as a part of its own.

    A neighbour without r counts by i, or by g. Entries of one or two detections do not count.
    """
    mags = stars.mags
    mag = np.where(np.isfinite(mags.r.value), mags.r.value,
                   np.where(np.isfinite(mags.i.value), mags.i.value, mags.g.value))
    real = np.isfinite(mag) & ~(stars.detections < _REAL)
    flux = np.where(real, 10.0 ** (-0.4 * np.where(np.isfinite(mag), mag, 99.0)), 0.0)
    light = np.full(mag.shape, np.nan)
    if not mag.size:
        return light
    places = _unit(stars.ra, stars.dec)
    groups = cKDTree(places).query_ball_point(places, 2.0 * np.sin(
        np.radians(ISOLATION_ARCSEC / 3600.0) / 2.0))
    for star, group in enumerate(groups):
        others = float(flux[[other for other in group if other != star]].sum())
        own = 10.0 ** (-0.4 * mag[star])
        light[star] = others / own
    return light


def _near(stars: FieldStars, ra: Floats, dec: Floats) -> Mask:
    near = np.zeros(stars.ra.shape, dtype=bool)
    for one_ra, one_dec in zip(ra, dec, strict=True):
        near |= _separation_deg(stars.ra, stars.dec, one_ra, one_dec) * 3600.0 < _SAME_ARCSEC
    return near


def _separation_deg(ra: Floats, dec: Floats, ra0: float, dec0: float) -> Floats:
    """Angle on the sky by the haversine, exact for small ones."""
    d_ra, d_dec = np.radians(ra - ra0) / 2.0, np.radians(dec - dec0) / 2.0
    h = np.sin(d_dec) ** 2 + np.cos(np.radians(dec)) * np.cos(np.radians(dec0)) * np.sin(d_ra) ** 2
    return np.asarray(np.degrees(2.0 * np.arcsin(np.sqrt(h))))


def _unit(ra: Floats, dec: Floats) -> Floats:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
