"""Find where on the sky a list of stars lies, by astrometry.net's quads (Lang et al. 2010).

Positions come in 0-based and are handed over 1-based, as the solver's WCS is the FITS one.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import pairwise

import astrometry
import numpy as np
from numpy.typing import NDArray

from iop4d.science.tan import Wcs, from_cards

Floats = NDArray[np.float64]

FEWEST_STARS = 4  # a quad
# The solver looks at the stars in these slices, brightest first. Time grows with the fourth power
# of their number, and the clock can only be read between slices.
_SLICES = (12, 20, 30, 40, 50, 60)
_LOG_ODDS = 21.0  # one false match in 10^9 on the whole sky, the solver's default
_WHOLE_SKY = 41253.0  # square degrees


@dataclass(frozen=True, kw_only=True)
class Match:
    """A field found: the solver's own ``wcs`` and the index's stars in the field (ICRS degrees).

    ``log_odds``: natural logarithm of the odds that the match is no accident.
    """

    wcs: Wcs
    ra: Floats
    dec: Floats
    log_odds: float


def solve(solver: astrometry.Solver, x: Floats, y: Floats, *, scale_arcsec: float,
          tolerance: float, pointing_deg: tuple[float, float] | None, radius_deg: float,
          seconds: float) -> Match | None:
    """Match stars at 0-based ``x``, ``y``, brightest first, with the solver's index; None if none.

    ``scale_arcsec``: arcseconds per pixel, known to the fraction ``tolerance``; ``pointing_deg``:
    (RA, Dec) within ``radius_deg`` of the field, None: anywhere; ``seconds``: no new slice of
    stars is begun after that time.
    """
    if x.size < FEWEST_STARS:
        return None
    stars = np.column_stack([x + 1.0, y + 1.0]).tolist()
    size = astrometry.SizeHint(scale_arcsec * (1 - tolerance), scale_arcsec * (1 + tolerance))
    place = None if pointing_deg is None else astrometry.PositionHint(
        pointing_deg[0] % 360.0, pointing_deg[1], radius_deg)
    odds = _LOG_ODDS if pointing_deg is None else needed_odds(radius_deg)
    began = time.monotonic()
    for first, last in slices(x.size):
        found = solver.solve(stars, size, place, _parameters(first, last, odds))
        if found.has_match():
            return _match(found.best_match())
        if time.monotonic() - began > seconds:
            return None
    return None


def slices(n: int) -> list[tuple[int, int]]:
    """How the solver goes through ``n`` stars: each slice is joined to all before it."""
    edges = [0, *(edge for edge in _SLICES if edge < n), n]
    while edges[-1] - edges[-2] > 10:
        edges.insert(-1, edges[-2] + 10)
    return list(pairwise(edges))


def needed_odds(radius_deg: float) -> float:
    """Natural logarithm of the odds that a match needs within ``radius_deg`` of a pointing.

    An accident is as much rarer as the part of the sky that is searched is smaller; so a field with
    eight stars is found, which would be too few to tell it from the whole sky.
    """
    part = min(math.pi * radius_deg**2 / _WHOLE_SKY, 1.0)
    return _LOG_ODDS + max(math.log(part), -8.0)


def _parameters(first: int, last: int, odds: float) -> astrometry.SolutionParameters:
    return astrometry.SolutionParameters(
        sip_order=0, tune_up_logodds_threshold=None, output_logodds_threshold=odds,
        slices_generator=lambda _: [(first, last)],
        logodds_callback=lambda _: astrometry.Action.STOP)


def _match(found: astrometry.Match) -> Match:
    cards = {card: value for card, (value, _) in found.wcs_fields.items()}
    return Match(wcs=from_cards(cards), ra=np.array([star.ra_deg for star in found.stars]),
                 dec=np.array([star.dec_deg for star in found.stars]),
                 log_odds=float(found.logodds))
