"""Sub-frames: too few stars to be solved by themselves, but a whole frame of the night is there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import NO_REFERENCE, StarList
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.beams import TwoBeams
from iop4d.science.detect import Detections
from iop4d.science.quads import Placement, place
from iop4d.science.refine import Refined, recentred
from iop4d.science.tan import Wcs, from_cards

_AROUND_ARCSEC = 25.0  # by which the telescope may have moved since the reference
_STARS = 10  # brightest images of which quads are made
_MOST_TURN = 20.0  # degrees: the camera stays as it is for a night
_FEW_PAIRS = 2  # pairs up to which the target is told by its place alone
_PLACE_ARCSEC = 30.0  # from its expected place, farther off than which no pair is the target
_CLEARLY = 2.0  # times nearer than the second pair must the target's be


def place_subframe(found: Detections, beams: TwoBeams, facts: FrameFacts, *,
                   instrument: Instrument, catalogue: Catalogue,
                   reference: StarList | None) -> tuple[Refined, str]:
    """(projection of the extraordinary images, how); raises StageError rather than guess.

    Three or more pairs are placed by quads on the reference. With one or two the pair nearest to
    the expected place is the target's, at the known sky angle.
    """
    n = len(beams.pairs)
    if n == 0:
        raise StageError("pairs", f"no star with both its images among {len(found)} detections")
    if n <= _FEW_PAIRS:
        return _by_target(found, beams, facts, instrument, catalogue), "pair"
    if reference is None:
        raise StageError(NO_REFERENCE, "waits for a solved frame of the whole field of "
                         f"{facts.object or 'this target'} of the night {facts.night}")
    return _by_quads(found, beams, facts, instrument, reference), "quads"


def _by_quads(found: Detections, beams: TwoBeams, facts: FrameFacts, instrument: Instrument,
              reference: StarList) -> Refined:
    mine = _images(found, beams)
    x, y = np.array(reference.x), np.array(reference.y)
    near = _near(x, y, facts, _AROUND_ARCSEC / instrument.pixel_arcsec(facts.binning))
    placed = None
    if near.sum() >= 4:
        placed = place(mine.x, mine.y, x[near], y[near], stars=_STARS, most_turn_deg=_MOST_TURN)
    if placed is None:
        raise StageError("place", f"the {len(mine)} images of {len(beams.pairs)} stars match no "
                                  f"part of the whole frame ({int(near.sum())} images there)")
    if placed.second >= placed.matched.shape[0]:
        raise StageError("place", f"{placed.matched.shape[0]} images match at two places")
    return Refined(wcs=through(from_cards(reference.wcs), placed, facts),
                   n_matched=placed.matched.shape[0], rms_px=placed.rms_px,
                   star=placed.matched[:, 1], detection=placed.matched[:, 0])


def _images(found: Detections, beams: TwoBeams) -> Detections:
    """Both images of every star, brightest first: what is single is a cosmic ray or at the edge."""
    both = np.sort(np.concatenate([beams.pairs.ordinary, beams.pairs.extraordinary]))
    return found.only(both)


def _near(x: np.ndarray, y: np.ndarray, facts: FrameFacts, around: float) -> np.ndarray:
    """Which stars of the whole frame lie where the sub-frame was read out, or a little around."""
    (ny, nx), (x0, y0) = facts.shape, facts.origin
    return np.asarray((x > x0 - around) & (x < x0 + nx + around)
                      & (y > y0 - around) & (y < y0 + ny + around))


def through(whole: Wcs, placed: Placement, facts: FrameFacts) -> Wcs:
    """The whole frame's projection as the sub-frame's pixels see it, about its middle."""
    ny, nx = facts.shape
    middle = ((nx - 1) / 2.0, (ny - 1) / 2.0)
    there = placed(np.array([middle[0]]), np.array([middle[1]]))
    ra, dec = whole.to_sky(there[0], there[1])
    local = recentred(replace(whole, x0=whole.x0 + middle[0] - float(there[0][0]),
                              y0=whole.y0 + middle[1] - float(there[1][0])), facts.shape)
    cd = np.array(local.cd) @ placed.rotation
    return Wcs(ra0=float(ra[0]), dec0=float(dec[0]), x0=middle[0], y0=middle[1],
               cd=((float(cd[0, 0]), float(cd[0, 1])), (float(cd[1, 0]), float(cd[1, 1]))))


def _by_target(found: Detections, beams: TwoBeams, facts: FrameFacts, instrument: Instrument,
               catalogue: Catalogue) -> Refined:
    """The pair nearest to the middle is the target's."""
    target = expected_target(facts, catalogue)
    if target is None:
        raise StageError("place", f"{len(beams.pairs)} pairs of images, and no source of the "
                                  f"catalogue is '{facts.object}' that they could be")
    if instrument.sky_angle_deg is None:
        raise StageError("place", "too few stars, and the camera's angle on the sky is not known")
    scale = instrument.pixel_arcsec(facts.binning)
    ny, nx = facts.shape
    x, y = found.x[beams.pairs.extraordinary], found.y[beams.pairs.extraordinary]
    # The telescope puts the middle between the two images, or one of them, to the middle.
    dx, dy = beams.pairs.offset
    apart = np.hypot(x + dx / 2.0 - (nx - 1) / 2.0, y + dy / 2.0 - (ny - 1) / 2.0) * scale
    order = np.argsort(apart)
    if apart[order[0]] > _PLACE_ARCSEC:
        raise StageError("place", f"the nearest pair lies {apart[order[0]]:.0f} arcsec from where "
                                  f"{target.name} should be")
    if len(order) > 1 and apart[order[1]] < _CLEARLY * apart[order[0]]:
        raise StageError("place", f"two pairs are as near to the place of {target.name}")
    wcs = _at_angle(target, float(x[order[0]]), float(y[order[0]]),
                    math.radians(instrument.sky_angle_deg[0]), scale / 3600.0)
    _refuse_if_another(wcs, target, found, beams, facts, catalogue)
    return Refined(wcs=wcs, n_matched=1, rms_px=float("nan"), star=np.zeros(1, dtype=np.intp),
                   detection=beams.pairs.extraordinary[order[:1]])


def _refuse_if_another(wcs: Wcs, target: Source, found: Detections, beams: TwoBeams,
                       facts: FrameFacts, catalogue: Catalogue) -> None:
    """A calibrator of the target that should be seen as well, and is not, belies the place."""
    ny, nx = facts.shape
    margin = 40.0
    dx, dy = beams.pairs.offset
    for star in catalogue.calibrators_of(target.name):
        x, y = (float(v[0]) for v in wcs.to_pixel([star.ra_deg], [star.dec_deg]))
        inside = all(margin < px < nx - margin and margin < py < ny - margin
                     for px, py in ((x, y), (x + dx, y + dy)))
        if not inside or facts.band not in star.magnitudes:
            continue
        near = np.hypot(found.x[beams.pairs.extraordinary] - x,
                        found.y[beams.pairs.extraordinary] - y).min()
        brightest = min((s.magnitudes[facts.band][0] for s in catalogue.calibrators_of(target.name)
                         if facts.band in s.magnitudes), default=math.inf)
        if near > margin and star.magnitudes[facts.band][0] <= brightest + 0.5:
            raise StageError("place", f"the pair nearest to the place of {target.name} cannot be "
                                      f"it: {star.name} would be in the frame, and is not")


def _at_angle(target: Source, x: float, y: float, angle: float, scale_deg: float) -> Wcs:
    """A tangent plane at the target whose +y has a position angle; east is left of north."""
    cos, sin = math.cos(angle) * scale_deg, math.sin(angle) * scale_deg
    # A step along +y goes to (xi, eta) = (sin, cos); one along +x to its right, (-cos, sin).
    return Wcs(ra0=target.ra_deg, dec0=target.dec_deg, x0=x, y0=y, cd=((-cos, sin), (sin, cos)))


def expected_target(facts: FrameFacts, catalogue: Catalogue) -> Source | None:
    """The source that the header names, or else the one nearest to its pointing."""
    named = catalogue.named(facts.object) if facts.object else None
    if named is not None or facts.pointing_deg is None:
        return named
    ra, dec = facts.pointing_deg

    def distance(source: Source) -> float:
        return math.hypot((source.ra_deg - ra + 180.0) % 360.0 - 180.0, source.dec_deg - dec)

    nearest = min(catalogue.sources, key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) < 60.0 / 3600.0 else None
