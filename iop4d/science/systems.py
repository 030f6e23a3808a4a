"""From one photometric system to another: SDSS, Pan-STARRS and Johnson-Cousins.

A system is a type of its own, so that Pan-STARRS is never taken for SDSS: their g differ by a tenth
of a magnitude for red stars. The transforms are for normal stars, not for blazars. Magnitudes are
AB in SDSS and Pan-STARRS, Vega in Johnson-Cousins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


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
class Sdss:
    """Magnitudes of stars in the SDSS system (ugriz, AB); bands that are not given are NaN."""

    g: Band = field(default_factory=_missing)
    r: Band = field(default_factory=_missing)
    i: Band = field(default_factory=_missing)
    z: Band = field(default_factory=_missing)


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


#: Tonry et al. 2012 (ApJ 750, 99), table 6: the band it starts from, the coefficients of 1, x, x^2
#: with x = g - r in Pan-STARRS, and the scatter in magnitudes.
_TONRY_SDSS = {
    "g": ("g", (0.013, 0.145, 0.019), 0.008), "r": ("r", (-0.001, 0.004, 0.007), 0.004),
    "i": ("i", (-0.005, 0.011, 0.010), 0.004), "z": ("z", (0.013, -0.039, -0.012), 0.010)}
_TONRY_JOHNSON = {
    "B": ("g", (0.212, 0.556, 0.034), 0.032), "V": ("g", (0.005, -0.536, 0.011), 0.012),
    "R": ("r", (-0.137, -0.108, -0.029), 0.015), "I": ("i", (-0.366, -0.136, -0.018), 0.017)}


def panstarrs_to_sdss(stars: PanStarrs) -> Sdss:
    """SDSS g, r, i, z from Pan-STARRS, magnitudes; x = g - r in Pan-STARRS.

    Tonry et al. 2012 (ApJ 750, 99), table 6; scatter 0.008, 0.004, 0.004, 0.010. Errors: those of
    the magnitudes, propagated, and the scatter, in quadrature. NaN where a band is missing.
    """
    _must_be(stars, PanStarrs)
    return Sdss(**{name: _tonry(stars, *row) for name, row in _TONRY_SDSS.items()})


def panstarrs_to_johnson(stars: PanStarrs) -> Johnson:
    """Johnson-Cousins B, V, R, I from Pan-STARRS, magnitudes; x = g - r in Pan-STARRS.

    Tonry et al. 2012 (ApJ 750, 99), table 6; scatter 0.032, 0.012, 0.015, 0.017. Errors: those of
    the magnitudes, propagated, and the scatter, in quadrature. NaN where a band is missing.
    """
    _must_be(stars, PanStarrs)
    return Johnson(**{name: _tonry(stars, *row) for name, row in _TONRY_JOHNSON.items()})


def lupton(stars: Sdss) -> Johnson:
    """Johnson-Cousins B, V, R, I from SDSS, magnitudes (Lupton 2005, on the pages of SDSS DR4).

    R by r - i (scatter 0.0072), by g - r where i is missing (0.0106); I by i - z (0.0063), by r - i
    where z is missing (0.0078); B (0.0107) and V (0.0054) by g - r. Errors: those of the
    magnitudes, propagated, and the scatter, in quadrature. NaN where a band is missing.
    """
    _must_be(stars, Sdss)
    g, r, i, z = stars.g, stars.r, stars.i, stars.z
    return Johnson(
        B=_sum(0.2271, 0.0107, (1.3130, g), (-0.3130, r)),
        V=_sum(-0.0038, 0.0054, (0.4216, g), (0.5784, r)),
        R=_first(_sum(-0.1439, 0.0072, (0.7064, r), (0.2936, i)),
                 _sum(-0.0971, 0.0106, (1.1837, r), (-0.1837, g))),
        I=_first(_sum(-0.3974, 0.0063, (0.6220, i), (0.3780, z)),
                 _sum(-0.3820, 0.0078, (-0.2444, r), (1.2444, i))))


def jordi(stars: Sdss) -> Johnson:
    """Johnson-Cousins B, V, R, I from SDSS, magnitudes (Jordi et al. 2006, A&A 460, 339).

    B - g = 0.313 (g - r) + 0.219; V - g = -0.565 (g - r) - 0.016; R - r = -0.153 (r - i) - 0.117;
    R - I = 0.930 (r - i) + 0.259. Errors: those of the magnitudes, propagated; the paper gives no
    scatter about the fits. NaN where a band is missing.
    """
    _must_be(stars, Sdss)
    g, r, i = stars.g, stars.r, stars.i
    return Johnson(
        B=_sum(0.219, 0.0, (1.313, g), (-0.313, r)),
        V=_sum(-0.016, 0.0, (0.435, g), (0.565, r)),
        R=_sum(-0.117, 0.0, (0.847, r), (0.153, i)),
        I=_sum(-0.376, 0.0, (-0.083, r), (1.083, i)))


def jester(stars: Johnson) -> Sdss:
    """SDSS g, r, i from Johnson-Cousins, magnitudes (Jester et al. 2005, AJ 130, 873, table 1).

    g = V + 0.60 (B - V) - 0.12 (scatter 0.02); r = V - 0.42 (B - V) + 0.11 (0.03);
    r - i = 0.91 (R - I) - 0.20 (0.03). For stars of R - I < 1.15: NaN for redder ones. Errors:
    those of the magnitudes, propagated, and the scatter, in quadrature. NaN for missing bands.
    """
    _must_be(stars, Johnson)
    b, v, red, infrared = stars.B, stars.V, stars.R, stars.I
    # Compared so that a star whose R - I is not known is taken.
    too_red = red.value - infrared.value >= 1.15
    blank = np.where(too_red, np.nan, 0.0)
    return Sdss(
        g=_sum(blank - 0.12, 0.02, (0.60, b), (0.40, v)),
        r=_sum(blank + 0.11, 0.03, (-0.42, b), (1.42, v)),
        i=_sum(blank + 0.31, np.hypot(0.03, 0.03), (-0.42, b), (1.42, v), (-0.91, red),
               (0.91, infrared)))


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


def _sum(constant: ArrayLike, scatter: ArrayLike, *terms: tuple[ArrayLike, Band]) -> Band:
    """constant + the sum of coefficient times magnitude, and its error."""
    value = np.asarray(constant, dtype=np.float64)
    for coefficient, one in terms:
        value = value + np.asarray(coefficient) * one.value
    errors = _quadrature(scatter, *(np.asarray(c) * one.err for c, one in terms))
    return band(value, errors)


def _quadrature(*errors: ArrayLike) -> Floats:
    return np.asarray(reduce(np.hypot, errors), dtype=np.float64)


def _first(one: Band, other: Band) -> Band:
    """The one where it is known, else the other."""
    known = np.isfinite(one.value)
    return band(np.where(known, one.value, other.value), np.where(known, one.err, other.err))


def _must_be(stars: object, system: type) -> None:
    if not isinstance(stars, system):
        raise TypeError(f"magnitudes are of {type(stars).__name__}, this transform is for "
                        f"{system.__name__}: convert them first")
