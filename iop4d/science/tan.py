"""The gnomonic projection (TAN) with an optional SIP distortion: pixels to sky and back.

Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3; SIP: Shupe et al. 2005, ASPC 347, 491.
Pixels are 0-based ``x``, ``y``; only the header cards, by ``cards`` and ``from_cards``, are
1-based. Angles are ICRS degrees. float64 throughout; NaN in gives NaN out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iop4d.model.units import position_angle_deg

Floats = NDArray[np.float64]

_SETTLED = 1e-9  # px of a step, of which the next one is a hundredth at most


@dataclass(frozen=True, kw_only=True)
class Wcs:
    """A projection: tangent point ``ra0``, ``dec0`` (degrees) at pixel ``x0``, ``y0`` (0-based).

    ``cd``: 2 x 2 matrix, degrees per pixel. ``sip_a``, ``sip_b``: coefficients in pixels of
    u^p v^q, keyed (p, q), with u = x - x0 and v = y - y0; empty without distortion.
    """

    ra0: float
    dec0: float
    x0: float
    y0: float
    cd: tuple[tuple[float, float], tuple[float, float]]
    sip_a: Mapping[tuple[int, int], float] = field(default_factory=dict)
    sip_b: Mapping[tuple[int, int], float] = field(default_factory=dict)

    @property
    def scale_arcsec(self) -> float:
        """Arcseconds per pixel, the square root of a pixel's area at the tangent point."""
        (a, b), (c, d) = self.cd
        return math.sqrt(abs(a * d - b * c)) * 3600.0

    @property
    def up_deg(self) -> float:
        """Position angle of the pixels' +y direction, degrees east of north, in [0, 360)."""
        (_, b), (_, d) = self.cd
        return position_angle_deg(b, d)

    def to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """(ra, dec) in degrees, ra in [0, 360), of pixels; arrays of any one shape."""
        u = np.asarray(x, dtype=np.float64) - self.x0
        v = np.asarray(y, dtype=np.float64) - self.y0
        if self.sip_a or self.sip_b:
            bent_u, bent_v = _bent(self.sip_a, self.sip_b, u, v)
            u, v = u + bent_u, v + bent_v
        (a, b), (c, d) = self.cd
        return plane_to_sky(a * u + b * v, c * u + d * v, self.ra0, self.dec0)

    def to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """(x, y) of sky positions in degrees; NaN for those more than 90 degrees away."""
        xi, eta = (np.atleast_1d(c) for c in sky_to_plane(ra, dec, self.ra0, self.dec0))
        (a, b), (c, d) = self.cd
        det = a * d - b * c
        flat_u, flat_v = (d * xi - b * eta) / det, (a * eta - c * xi) / det
        u, v = flat_u.copy(), flat_v.copy()
        if self.sip_a or self.sip_b:
            # Far outside the frame a polynomial says nothing, and grows beyond all numbers.
            near = np.hypot(u, v) < 3.0 * math.hypot(self.x0 + 1.0, self.y0 + 1.0)
            aim_u, aim_v = flat_u[near], flat_v[near]
            inner_u, inner_v = aim_u, aim_v
            for _ in range(6):  # the distortion is small: each step wins two to three digits
                bent_u, bent_v = _bent(self.sip_a, self.sip_b, inner_u, inner_v)
                before_u, before_v = inner_u, inner_v
                inner_u, inner_v = aim_u - bent_u, aim_v - bent_v
                if max(np.abs(inner_u - before_u).max(initial=0.0),
                       np.abs(inner_v - before_v).max(initial=0.0)) < _SETTLED:
                    break
            u[near], v[near] = inner_u, inner_v
        shape = np.shape(ra)
        return (u + self.x0).reshape(shape), (v + self.y0).reshape(shape)

    def cards(self) -> dict[str, float | int | str]:
        """FITS keywords to values, 1-based."""
        sip = bool(self.sip_a or self.sip_b)
        (a, b), (c, d) = self.cd
        cards: dict[str, float | int | str] = {
            "WCSAXES": 2,
            "CTYPE1": "RA---TAN-SIP" if sip else "RA---TAN",
            "CTYPE2": "DEC--TAN-SIP" if sip else "DEC--TAN",
            "CUNIT1": "deg", "CUNIT2": "deg",
            "CRVAL1": self.ra0, "CRVAL2": self.dec0,
            "CRPIX1": self.x0 + 1.0, "CRPIX2": self.y0 + 1.0,
            "CD1_1": a, "CD1_2": b, "CD2_1": c, "CD2_2": d,
            "RADESYS": "ICRS",
        }
        for letter, terms in (("A", self.sip_a), ("B", self.sip_b)):
            if sip:
                cards[f"{letter}_ORDER"] = max((p + q for p, q in terms), default=2)
            cards |= {f"{letter}_{p}_{q}": value for (p, q), value in terms.items()}
        return cards


def from_cards(cards: Mapping[str, float | int | str]) -> Wcs:
    """The projection that ``Wcs.cards`` wrote, or any other TAN or TAN-SIP of the same cards."""
    def value(card: str) -> float:
        return float(cards.get(card, 0.0))

    def terms(letter: str) -> dict[tuple[int, int], float]:
        order = int(cards.get(f"{letter}_ORDER", 0))
        names = {(p, q): f"{letter}_{p}_{q}" for p in range(order + 1) for q in range(order + 1)}
        return {pq: value(name) for pq, name in names.items() if name in cards}

    return Wcs(ra0=value("CRVAL1"), dec0=value("CRVAL2"),
               x0=value("CRPIX1") - 1.0, y0=value("CRPIX2") - 1.0,
               cd=((value("CD1_1"), value("CD1_2")), (value("CD2_1"), value("CD2_2"))),
               sip_a=terms("A"), sip_b=terms("B"))


def sky_to_plane(ra: ArrayLike, dec: ArrayLike, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """Standard coordinates (xi, eta) in degrees about a tangent point; NaN beyond 90 degrees."""
    a = np.radians(np.asarray(ra, dtype=np.float64) - ra0)
    d = np.radians(np.asarray(dec, dtype=np.float64))
    sin0, cos0 = math.sin(math.radians(dec0)), math.cos(math.radians(dec0))
    sin_d, cos_d, cos_a = np.sin(d), np.cos(d), np.cos(a)
    toward = sin0 * sin_d + cos0 * cos_d * cos_a
    toward = np.where(toward > 1e-6, toward, np.nan)
    xi = cos_d * np.sin(a) / toward
    eta = (cos0 * sin_d - sin0 * cos_d * cos_a) / toward
    return np.degrees(xi), np.degrees(eta)


def plane_to_sky(xi: Floats, eta: Floats, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """(ra, dec) in degrees of standard coordinates in degrees: the inverse of sky_to_plane."""
    xi, eta = np.radians(xi), np.radians(eta)
    sin0, cos0 = math.sin(math.radians(dec0)), math.cos(math.radians(dec0))
    toward = cos0 - eta * sin0
    ra = ra0 + np.degrees(np.arctan2(xi, toward))
    dec = np.degrees(np.arctan2(sin0 + eta * cos0, np.hypot(xi, toward)))
    return ra % 360.0, dec


def _bent(first: Mapping[tuple[int, int], float], second: Mapping[tuple[int, int], float],
          u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Two polynomials at one place; each power of u and v is found once, by multiplication."""
    along: dict[tuple[int, int], Floats] = {(0, 0): np.ones_like(u)}

    def power(p: int, q: int) -> Floats:
        if (p, q) not in along:
            along[p, q] = power(p - 1, q) * u if p else power(p, q - 1) * v
        return along[p, q]

    def total(terms: Mapping[tuple[int, int], float]) -> Floats:
        found = np.zeros_like(u)
        for (p, q), value in terms.items():
            found += value * power(p, q)
        return found

    return total(first), total(second)
