"""What is true of a field's check stars: stars of known brightness that are listed as targets.

A night tells more with them: each is a source of its own, whose polarisation is that of the dust
and a little of its own, while the frames cost the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from iop4d.simulator.frames import StarTruth, Truth
from iop4d.simulator.sky import field_of, load_sky, project

_SAME_PX, _SAME_MAG = 0.6, 1e-3


@cache
def _listed(source: str, count: int) -> dict[str, int]:
    return load_sky().check_stars(field_of(source), count)


def truths_of(truth: Truth, count: int) -> Iterator[Truth]:
    """The truth of each of a field's check stars that a frame shows, from the target's."""
    where = field_of(truth.source)
    stars = load_sky().stars(where)
    for name, row in _listed(truth.source, count).items():
        x, y = project(truth.wcs, stars.ra[[row]], stars.dec[[row]])
        mag = float(stars.magnitudes[truth.band][row])
        if (i := _row_of(truth.stars, float(x[0]), float(y[0]), mag)) is None:
            continue
        if truth.q is None:
            yield replace(truth, source=name, target_mag=mag)
            continue
        q, u = truth.stars.q[i], truth.stars.u[i]
        yield replace(truth, source=name, target_mag=mag, q=q, u=u, p=math.hypot(q, u),
                      chi_deg=math.degrees(math.atan2(u, q)) / 2 % 180.0)


def _row_of(stars: StarTruth, x: float, y: float, mag: float) -> int | None:
    """Which of a frame's stars is at a place, and as bright; None where none is."""
    far = np.hypot(np.array(stars.x) - x, np.array(stars.y) - y)
    far[np.abs(np.array(stars.mag) - mag) > _SAME_MAG] = np.inf
    i = int(np.argmin(far))
    return i if far[i] < _SAME_PX else None
