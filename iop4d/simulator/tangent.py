"""Sky to tangent plane and back, in degrees (gnomonic; Calabretta & Greisen 2002, A&A 395, 1077).

The plane's xi grows to the east, eta to the north.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def to_plane(ra: ArrayLike, dec: ArrayLike, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """(xi, eta) of sky positions within 90 degrees of ``ra0``, ``dec0``."""
    d, d0 = np.radians(np.asarray(dec, dtype=np.float64)), np.radians(dec0)
    a = np.radians(np.asarray(ra, dtype=np.float64) - ra0)
    cosine = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a)
    xi = np.cos(d) * np.sin(a) / cosine
    eta = (np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(a)) / cosine
    return np.degrees(xi), np.degrees(eta)


def to_sky(xi: ArrayLike, eta: ArrayLike, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """(ra, dec) of places in the plane, ra in [0, 360)."""
    x, y = (np.radians(np.asarray(value, dtype=np.float64)) for value in (xi, eta))
    d0 = np.radians(dec0)
    across = np.cos(d0) - y * np.sin(d0)
    ra = np.degrees(np.arctan2(x, across)) + ra0
    dec = np.degrees(np.arctan2(np.sin(d0) + y * np.cos(d0), np.hypot(x, across)))
    return ra % 360.0, dec
