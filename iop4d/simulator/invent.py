"""Invent the stars of a field round a real target and its published comparison stars.

Counts double with every magnitude from R = 11 to 20, as they do at high galactic latitude.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.simulator.bands import ORDER
from iop4d.simulator.sky import RADIUS_DEG
from iop4d.simulator.tangent import to_plane, to_sky

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Stars per square arcminute brighter than R = 18.
DENSITY = {"sparse": 0.3, "normal": 1.5, "crowded": 6.0}
_BRIGHTEST, _FAINTEST = 11.0, 20.0
_CLEAR_ARCSEC = 8.0  # no invented star is nearer to a target or a calibrator
_CALIBRATORS = 6  # at least so many within the camera's field
_HALF_FIELD_DEG = 6.2 / 60.0
_CENTRAL_DEG = 5.5 / 60.0
_COMMON_COLOURS = {"B": 1.15, "V": 0.45, "R": 0.0, "I": -0.42}  # of a G star, minus R
_RED = ORDER.index("R")


@dataclass(frozen=True, kw_only=True)
class Star:
    """A calibrator: ``mag`` by the bands of ``ORDER``."""

    name: str
    ra_deg: float
    dec_deg: float
    mag: tuple[float, ...]
    is_invented: bool


@dataclass(frozen=True, kw_only=True)
class Made:
    """``stars``: (n, 6) of xi, eta (mas from the target) and B, V, R, I (mmag); CSV rows."""

    stars: Ints
    calibrators: list[dict[str, str]]


def published_star(row: dict[str, str], ra_deg: float, dec_deg: float) -> Star:
    """A comparison star of the literature; bands nobody published follow from common colours."""
    red = float(row["mag_R"])
    return Star(name=row["name"], ra_deg=ra_deg, dec_deg=dec_deg, is_invented=False, mag=tuple(
        float(row[f"mag_{band}"]) if row[f"mag_{band}"] else red + _COMMON_COLOURS[band]
        for band in ORDER))


def field(*, name: str, ra_deg: float, dec_deg: float, density: str, real: list[Star],
          blended: bool, rng: np.random.Generator) -> Made:
    """All stars of a field; ``blended``: the first invented calibrator gets a close neighbour."""
    xi, eta = _places(density, rng)
    mag = _magnitudes(len(xi), rng)
    real_xi, real_eta = to_plane([s.ra_deg for s in real], [s.dec_deg for s in real],
                                 ra_deg, dec_deg)
    kept = _clear(xi, eta, np.append(real_xi, 0.0), np.append(real_eta, 0.0))
    xi, eta, mag = xi[kept], eta[kept], mag[kept]
    inside = (np.abs(real_xi) < _HALF_FIELD_DEG) & (np.abs(real_eta) < _HALF_FIELD_DEG)
    wanted = max(_CALIBRATORS - int(inside.sum()), 1 if blended else 0)
    chosen = _choose(xi, eta, mag[:, _RED], wanted)
    ra, dec = to_sky(xi[chosen], eta[chosen], ra_deg, dec_deg)
    added = [Star(name=f"{name} S{i + 1}", ra_deg=float(ra[i]), dec_deg=float(dec[i]),
                  mag=tuple(mag[k].tolist()), is_invented=True) for i, k in enumerate(chosen)]
    rest = _clear(xi, eta, xi[chosen], eta[chosen])
    packed = [_pack(xi[rest], eta[rest], mag[rest])]
    if blended:
        packed.append(_neighbour(xi[chosen[0]], eta[chosen[0]], mag[chosen[0]], rng))
    blends = {added[0].name} if blended else set()
    rows = [_row(star, name, star.name in blends, rng) for star in (*real, *added)]
    return Made(stars=np.vstack(packed), calibrators=rows)


def _places(density: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    area = math.pi * (RADIUS_DEG * 60.0) ** 2
    count = round(DENSITY[density] * area * 2 ** (_FAINTEST - 18.0))
    radius = RADIUS_DEG * np.sqrt(rng.random(count))
    angle = rng.uniform(0.0, 2 * math.pi, count)
    return radius * np.cos(angle), radius * np.sin(angle)


def _magnitudes(count: int, rng: np.random.Generator) -> Floats:
    """(count, bands): R from the counts, the rest along the main sequence with some scatter."""
    red = np.log2(rng.uniform(2.0**_BRIGHTEST, 2.0**_FAINTEST, count))
    colour = rng.normal(0.45, 0.15, count).clip(0.1, 1.2)  # V - R
    blue = 1.6 * colour + rng.normal(0.0, 0.05, count)  # B - V
    infrared = 0.95 * colour + rng.normal(0.0, 0.03, count)  # R - I
    mags = {"B": red + colour + blue, "V": red + colour, "R": red, "I": red - infrared}
    return np.column_stack([mags[band] for band in ORDER]).round(3)


def _clear(xi: Floats, eta: Floats, near_xi: Floats, near_eta: Floats) -> NDArray[np.bool_]:
    """Which places keep clear of some others."""
    kept = np.ones(len(xi), dtype=np.bool_)
    for a, b in zip(near_xi, near_eta, strict=True):
        kept &= np.hypot(xi - a, eta - b) > _CLEAR_ARCSEC / 3600.0
    return kept


def _choose(xi: Floats, eta: Floats, red: Floats, wanted: int) -> list[int]:
    """Stars of R 13 to 16 well inside the field whose neighbours are all much fainter.

    A sparse field may lack some: then those of R 12.5 to 17.
    """
    chosen: list[int] = []
    radius = np.hypot(xi, eta)
    near = (radius < _CENTRAL_DEG) & (radius > 0.5 / 60.0)
    good = np.flatnonzero((red > 13.0) & (red < 16.0) & near)
    second = np.setdiff1d(np.flatnonzero((red > 12.5) & (red < 17.0) & near), good)
    for k in (*good, *second):
        apart = np.hypot(xi - xi[k], eta - eta[k]) * 3600.0
        disturbing = (apart > 0) & (apart < 15.0) & (red < red[k] + 3.0)
        if len(chosen) < wanted and not disturbing.any():
            chosen.append(int(k))
    if len(chosen) < wanted:
        raise ValueError(f"only {len(chosen)} of {wanted} calibrators found; try another seed")
    return chosen


def _neighbour(xi: float, eta: float, mag: Floats, rng: np.random.Generator) -> Ints:
    """A star 2.5 mag fainter at 3.5 arcsec: one image in common seeing."""
    angle = rng.uniform(0.0, 2 * math.pi)
    apart = 3.5 / 3600.0
    return _pack(np.array([xi + apart * math.cos(angle)]), np.array([eta + apart * math.sin(angle)]),
                 mag[None, :] + 2.5)


def _pack(xi: Floats, eta: Floats, mag: Floats) -> Ints:
    return np.column_stack([xi * 3.6e6, eta * 3.6e6, mag * 1000.0]).round().astype(np.int32)


def _row(star: Star, field_name: str, blended: bool, rng: np.random.Generator) -> dict[str, str]:
    row = {"name": star.name, "field": field_name, "ra": f"{star.ra_deg:.7f}",
           "dec": f"{star.dec_deg:.7f}"}
    for band, mag in zip(ORDER, star.mag, strict=True):
        row[f"mag_{band}"] = f"{mag:.3f}"
        row[f"mag_{band}_err"] = f"{rng.uniform(0.005, 0.02):.4f}"
    return row | {"blended": "yes" if blended else "no",
                  "invented": "yes" if star.is_invented else "no"}
