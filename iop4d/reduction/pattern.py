"""Where a frame lies when the index fails: by another frame of its field, then by the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.model.frame import FrameFacts
from iop4d.model.messages import StarList
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.subframe import expected_target, through
from iop4d.science.detect import Detections
from iop4d.science.quads import Placement, place
from iop4d.science.solve import Match
from iop4d.science.tan import Wcs, from_cards

Floats = NDArray[np.float64]

_STARS = 10  # brightest detections of which quads are made
_LISTED = 40  # brightest detections that confirm a place
_FEWEST_OF_FRAME = 5  # stars that a place on another frame needs; by chance four may agree
_PART_OF_FRAME = 0.3  # of the listed detections that must be stars of the other frame
_FEWEST_OF_CATALOGUE = 4
_PART_OF_CATALOGUE = 0.7  # of the catalogue's stars inside the frame that must be detected
_MOST_TURN = 20.0  # degrees between two frames: cameras are turned rarely, and back again
_RMS = 0.5  # FWHM that the matched stars may be off
_MARGIN = 10.0  # px from the edge within which a star may not be detected


@dataclass(frozen=True, kw_only=True)
class _Sky:
    """Stars of known places on a flat picture of the sky, brightest first."""

    how: str  # "frame" or "catalogue", as results tell
    wcs: Wcs
    x: Floats
    y: Floats

    def match(self, wcs: Wcs) -> Match:
        """The stars with a projection that was found by them."""
        ra, dec = self.wcs.to_sky(self.x, self.y)
        return Match(wcs=wcs, ra=ra, dec=dec, log_odds=math.nan)


def find_by_pattern(lists: Iterable[Detections], facts: FrameFacts, *, scale_arcsec: float,
                    fwhm: float, catalogue: Catalogue, reference: StarList | None,
                    only: Callable[[Detections], Detections],
                    ) -> tuple[Match, Detections, str] | None:
    """(match, the detections that found it, "frame" or "catalogue"); None rather than a guess.

    ``lists``: detections, brightest first, the most promising list first; ``reference``: a solved
    frame of the same field and camera, with both images where every star has two; ``only``: what of
    a list is compared with the catalogue, such as one image of each star.
    """
    found = list(lists)
    for sky in _skies(facts, scale_arcsec, catalogue, reference):
        for every in found:
            listed = every if sky.how == "frame" else only(every)
            listed = listed.only(np.arange(min(_LISTED, len(listed))))
            placed = place(listed.x, listed.y, sky.x, sky.y, stars=_STARS,
                           reflected=sky.how == "catalogue",
                           most_turn_deg=_MOST_TURN if sky.how == "frame" else 180.0)
            if placed is not None and _is_sure(placed, sky, listed, facts, fwhm):
                return sky.match(through(sky.wcs, placed, facts)), listed, sky.how
    return None


def _skies(facts: FrameFacts, scale_arcsec: float, catalogue: Catalogue,
           reference: StarList | None) -> Iterator[_Sky]:
    if reference is not None:
        yield _Sky(how="frame", wcs=from_cards(reference.wcs), x=np.array(reference.x),
                   y=np.array(reference.y))
    target = expected_target(facts, catalogue)
    if target is None:
        return
    stars = sorted((target, *catalogue.calibrators_of(target.name)),
                   key=lambda star: _brightness(star, facts.band))
    step = scale_arcsec / 3600.0
    flat = Wcs(ra0=target.ra_deg, dec0=target.dec_deg, x0=0.0, y0=0.0,
               cd=((-step, 0.0), (0.0, step)))
    x, y = flat.to_pixel([s.ra_deg for s in stars], [s.dec_deg for s in stars])
    yield _Sky(how="catalogue", wcs=flat, x=x, y=y)


def _brightness(star: Source, band: str | None) -> float:
    """Magnitude in the band, else the brightest one there is; the target first, which has none."""
    known = star.magnitudes.get(band or "")
    return known[0] if known else min((m for m, _ in star.magnitudes.values()), default=-math.inf)


def _is_sure(placed: Placement, sky: _Sky, listed: Detections, facts: FrameFacts,
             fwhm: float) -> bool:
    """Whether so many stars agree, and nowhere else, that it is no accident."""
    n = placed.matched.shape[0]
    if placed.second >= n or placed.rms_px > max(_RMS * fwhm, 1.0):
        return False
    if sky.how == "frame":
        return bool(n >= max(_FEWEST_OF_FRAME, _PART_OF_FRAME * len(listed)))
    back = (np.column_stack([sky.x, sky.y]) - placed.shift) @ placed.rotation
    ny, nx = facts.shape
    inside = ((back > _MARGIN) & (back < (nx - _MARGIN, ny - _MARGIN))).all(axis=1)
    return bool(n >= max(_FEWEST_OF_CATALOGUE, _PART_OF_CATALOGUE * int(inside.sum())))
