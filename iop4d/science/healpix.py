"""Which tile of the sky a place lies in, numbered as astrometry.net numbers its index files.

HEALPix (Gorski et al. 2005, ApJ 622, 759) cuts the sky into 12 equal base pixels and each of them
into nside x nside. astrometry.net counts them in its own "xy" scheme: base nside^2 + x nside + y,
with x to the north-east and y to the north-west, from the base pixel's southern corner.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.intp]
_RINGS = ((0.5, 24), (1.0, 72))  # parts of a radius, and the places looked at on that circle


def tile_of(ra_deg: ArrayLike, dec_deg: ArrayLike, nside: int) -> Integers:
    """Number of the tile that holds each place; ``ra_deg``, ``dec_deg``: ICRS degrees.

    Equations 4 to 7 of Gorski et al. 2005, in the plane where base pixels are squares.
    """
    z = np.sin(np.radians(np.asarray(dec_deg, dtype=np.float64)))
    quarters = np.asarray(ra_deg, dtype=np.float64) / 90.0 % 4.0  # turns of 90 degrees
    belt = np.abs(z) <= 2.0 / 3.0
    flat = 0.75 * z  # height above the equator in the belt, in diagonals of a base pixel
    base_belt, x_belt, y_belt = _belt(quarters, flat)
    base_cap, x_cap, y_cap = _cap(quarters, z)
    base = np.where(belt, base_belt, base_cap)
    x, y = (np.clip((np.where(belt, b, c) * nside).astype(np.intp), 0, nside - 1)
            for b, c in ((x_belt, x_cap), (y_belt, y_cap)))
    return np.asarray(base * nside**2 + x * nside + y, dtype=np.intp)


def tiles_within(ra_deg: float, dec_deg: float, radius_deg: float, nside: int) -> tuple[int, ...]:
    """Numbers of the tiles that a circle on the sky touches, rising.

    For circles that are small against a tile (29 degrees across at nside 2): the circle's centre
    and points on two rings are looked at.
    """
    steps = [(0.0, 0.0)]
    for part, count in _RINGS:
        steps += [(part * radius_deg, 2.0 * math.pi * n / count) for n in range(count)]
    places = [_offset(ra_deg, dec_deg, distance, angle) for distance, angle in steps]
    ra, dec = np.array(places).T
    return tuple(int(tile) for tile in np.unique(tile_of(ra, dec, nside)))


def all_tiles(nside: int) -> range:
    """Numbers of all tiles of the sky."""
    return range(12 * nside**2)


def _belt(quarters: NDArray[np.float64], flat: NDArray[np.float64]) \
        -> tuple[Integers, NDArray[np.float64], NDArray[np.float64]]:
    """(base pixel, x, y in [0, 1)) near the equator, where lines of x and y are straight."""
    rising = quarters + flat + 0.5  # counts lines of constant x
    falling = quarters - flat + 0.5  # counts lines of constant y, westwards
    column, row = np.floor(rising).astype(np.intp), np.floor(falling).astype(np.intp)
    base = np.where(column == row, 4 + column % 4,
                    np.where(column > row, row % 4, 8 + column % 4))
    return base, rising - column, 1.0 - (falling - row)


def _cap(quarters: NDArray[np.float64], z: NDArray[np.float64]) \
        -> tuple[Integers, NDArray[np.float64], NDArray[np.float64]]:
    """(base pixel, x, y in [0, 1]) near the poles."""
    quarter = np.floor(quarters).astype(np.intp) % 4
    within = quarters - np.floor(quarters)
    size = np.sqrt(3.0 * (1.0 - np.abs(z)))  # 0 at the pole, 1 at |z| = 2/3
    north = z > 0
    x = np.where(north, 1.0 - (1.0 - within) * size, within * size)
    y = np.where(north, 1.0 - within * size, (1.0 - within) * size)
    return np.where(north, quarter, 8 + quarter), x, y


def _offset(ra_deg: float, dec_deg: float, distance_deg: float, angle: float) \
        -> tuple[float, float]:
    """The place at a distance and position angle (radians), degrees; right at the poles too."""
    ra, dec, far = (math.radians(v) for v in (ra_deg, dec_deg, distance_deg))
    there = np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
    north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
    east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    x, y, z = (math.cos(far) * there
               + math.sin(far) * (math.cos(angle) * north + math.sin(angle) * east))
    return math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))
