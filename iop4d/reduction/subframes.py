"""Sub-frames hold too few stars to be solved, but every star of theirs has two images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from iop4d.model.errors import StageError
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import NO_REFERENCE
from iop4d.model.source import Source
from iop4d.reduction.beams import TwoBeams
from iop4d.reduction.rungs import MOST_TURN_DEG, STARS_OF_QUADS, Search, through
from iop4d.reduction.stars import OFF_CENTRE_FWHM, OFF_CENTRE_PX
from iop4d.science.pair_places import place_pairs
from iop4d.science.quads import Placement, place
from iop4d.science.refine import Refined
from iop4d.science.tan import Wcs, from_cards

Floats = NDArray[np.float64]

_AROUND_ARCSEC = 25.0  # by which the telescope may have moved since the reference
_FEW_PAIRS = 2  # pairs up to which the target of a sub-frame is known by its place alone
_PLACE_ARCSEC = 30.0  # from its expected place, farther off than which no pair is the target
_SHOWN_PX = 20.0  # from its place by the camera's angle, to 2.3 deg, within which a star is shown
_CLEARLY = 2.0  # times nearer than the second pair must the target's be


def by_quads(search: Search) -> Refined | None:
    """The images of three or more pairs on a solved frame of the whole field, of the same night."""
    beams, facts, reference = search.beams, search.facts, search.reference
    if not search.subframe or beams is None or len(beams.pairs) <= _FEW_PAIRS:
        return None
    if reference is None:
        raise StageError(NO_REFERENCE, "waits for a solved frame of the whole field of "
                         f"{facts.object or 'this target'} of the night {facts.night}")
    # What is single is a cosmic ray or at the edge.
    mine = search.stars.detections.only(np.sort(np.concatenate(
        [beams.pairs.ordinary, beams.pairs.extraordinary])))
    x, y = np.array(reference.x), np.array(reference.y)
    near = _near(x, y, facts, _AROUND_ARCSEC / search.scale_arcsec)
    placed = None
    if near.sum() >= 4:
        placed = place(mine.x, mine.y, x[near], y[near], stars=STARS_OF_QUADS,
                       most_turn_deg=MOST_TURN_DEG)
    if placed is None:
        raise StageError("place", f"the {len(mine)} images of {len(beams.pairs)} stars match no "
                                  f"part of the whole frame ({int(near.sum())} images there)")
    if placed.second >= placed.matched.shape[0]:
        raise StageError("place", f"{placed.matched.shape[0]} images match at two places")
    wcs = through(from_cards(reference.wcs), placed, facts)
    return Refined(wcs=wcs, n_matched=placed.matched.shape[0], rms_px=placed.rms_px,
                   confirmed=_shows_target(wcs, search), guess=True,
                   star=placed.matched[:, 1], detection=placed.matched[:, 0])


def _near(x: Floats, y: Floats, facts: FrameFacts, around: float) -> NDArray[np.bool_]:
    """Which stars of the whole frame lie where the sub-frame was read out, or a little around."""
    (ny, nx), (x0, y0) = facts.shape, facts.origin
    return np.asarray((x > x0 - around) & (x < x0 + nx + around)
                      & (y > y0 - around) & (y < y0 + ny + around))


def by_pair(search: Search) -> Refined | None:
    """One or two pairs on a solved frame of the whole field of the night, where they fit there.

    Else the one nearest to the middle is the target's, at the known angle.
    """
    beams, facts, target = search.beams, search.facts, search.target
    if not search.subframe or beams is None or len(beams.pairs) > _FEW_PAIRS:
        return None
    detections = search.stars.detections
    if len(beams.pairs) == 0:
        raise StageError("pairs", f"no star with both its images among {len(detections)} "
                                  "detections")
    if target is None:
        raise StageError("place", f"{len(beams.pairs)} pairs of images, and no source of the "
                                  f"catalogue is '{facts.object}' that they could be")
    if (placed := _on_whole_frame(search)) is not None:
        return placed
    if search.instrument.sky_angle_deg is None:
        raise StageError("place", "too few stars, and the camera's angle on the sky is not known")
    ny, nx = facts.shape
    x, y = detections.x[beams.pairs.extraordinary], detections.y[beams.pairs.extraordinary]
    # The telescope puts the middle between the two images, or one of them, to the middle.
    dx, dy = beams.pairs.offset
    apart = np.hypot(x + dx / 2.0 - (nx - 1) / 2.0,
                     y + dy / 2.0 - (ny - 1) / 2.0) * search.scale_arcsec
    order = np.argsort(apart)
    if apart[order[0]] > _PLACE_ARCSEC:
        # A whole frame of the night would tell where the frame was read out.
        raise StageError(NO_REFERENCE if search.reference is None else "place",
                         f"the nearest pair lies {apart[order[0]]:.0f} arcsec from where "
                         f"{target.name} should be"
                         + ("; waits for a solved frame of the whole field"
                            if search.reference is None else ""))
    if len(order) > 1 and apart[order[1]] < _CLEARLY * apart[order[0]]:
        raise StageError("place", f"two pairs are as near to the place of {target.name}")
    wcs = _at_angle(target, float(x[order[0]]), float(y[order[0]]),
                    math.radians(search.instrument.sky_angle_deg[0]), search.scale_arcsec / 3600.0)
    shown, missing = _calibrators(wcs, target, x, y, beams, search)
    if missing:
        raise StageError("place", f"the pair nearest to the place of {target.name} cannot be "
                                  f"it: {missing} would be in the frame, and is not")
    return Refined(wcs=wcs, n_matched=1 + shown, rms_px=math.nan, confirmed=shown > 0, guess=True,
                   star=np.zeros(1, dtype=np.intp),
                   detection=beams.pairs.extraordinary[order[:1]])


def _on_whole_frame(search: Search) -> Refined | None:
    """The pairs of a sub-frame on the night's whole frame; None where there is none, or no fit.

    Where two do not fit, one may be an accident: the brighter one alone counts if it is the target.
    """
    if search.beams is None:
        return None
    pairs = search.beams.pairs
    every = np.arange(len(pairs))
    placed = _match_pairs(every, search)
    if placed is not None or len(pairs) < _FEW_PAIRS:
        return placed
    flux = search.stars.detections.flux
    brighter = every[[np.argmax(flux[pairs.extraordinary] + flux[pairs.ordinary])]]
    alone = _match_pairs(brighter, search)
    return alone if alone is not None and alone.confirmed else None


def _match_pairs(which: NDArray[np.intp], search: Search) -> Refined | None:
    """Some of the pairs of a sub-frame on the night's whole frame."""
    beams, facts, reference = search.beams, search.facts, search.reference
    if reference is None or beams is None:
        return None
    detections = search.stars.detections
    places = np.column_stack([detections.x, detections.y])
    sides = (beams.pairs.extraordinary[which], beams.pairs.ordinary[which])
    whole = np.column_stack([reference.x, reference.y])
    shift = place_pairs(
        np.stack([places[i] for i in sides], axis=1),
        np.column_stack([detections.flux[i] for i in sides]), whole, np.array(reference.flux),
        origin=facts.origin, shape=facts.shape,
        around=_AROUND_ARCSEC / search.scale_arcsec, every=places, fwhm=search.stars.psf.fwhm)
    if shift is None:
        return None
    placed = Placement(rotation=np.eye(2), shift=np.array(shift), matched=np.zeros((0, 2), np.intp),
                       rms_px=math.nan, second=0)
    wcs, images = through(from_cards(reference.wcs), placed, facts), np.concatenate(sides)
    apart, _ = cKDTree(whole).query(places[images] + shift)
    weights = detections.flux[images]
    return Refined(wcs=wcs, n_matched=images.size,
                   confirmed=which.size == _FEW_PAIRS or _shows_target(wcs, search), guess=True,
                   rms_px=float(np.sqrt(np.average(apart**2, weights=weights) / 2.0)),
                   star=np.zeros(0, dtype=np.intp), detection=np.zeros(0, dtype=np.intp))


def _shows_target(wcs: Wcs, search: Search) -> bool:
    """Whether a star of two images, at the instrument's offset, stands at the target's place.

    A frame that was placed on the night's whole frame is then known to be right: for the place of
    another star, the target would have to be missing where it should be seen. So is one of two
    stars, as far apart and as bright as they are there.
    """
    beams, detections = search.beams, search.stars.detections
    if search.target is None or beams is None or len(beams.pairs) == 0:
        return False
    x, y = wcs.to_pixel([search.target.ra_deg], [search.target.dec_deg])
    images = beams.pairs.extraordinary
    apart = float(np.hypot(detections.x[images] - x[0], detections.y[images] - y[0]).min())
    return apart < max(OFF_CENTRE_PX, OFF_CENTRE_FWHM * search.stars.psf.fwhm)


def _calibrators(wcs: Wcs, target: Source, x: Floats, y: Floats, beams: TwoBeams,
                 search: Search) -> tuple[int, str]:
    """(how many calibrators of the target stand where they should, a bright one that does not).

    ``x``, ``y``: the extraordinary images of the pairs.
    """
    (ny, nx), band, margin = search.facts.shape, search.facts.band or "", 40.0
    dx, dy = beams.pairs.offset
    stars = [star for star in search.catalogue.calibrators_of(target.name)
             if band in star.magnitudes]
    brightest = min((star.magnitudes[band][0] for star in stars), default=math.inf)
    shown, missing = 0, ""  # the tangent point is the target's image
    for star in stars:
        px, py = (float(v[0]) for v in wcs.to_pixel([star.ra_deg], [star.dec_deg]))
        inside = all(margin < at_x < nx - margin and margin < at_y < ny - margin
                     for at_x, at_y in ((px, py), (px + dx, py + dy)))
        apart = float(np.hypot(x - px, y - py).min())
        shown += apart < _SHOWN_PX and np.hypot(px - wcs.x0, py - wcs.y0) > margin
        if inside and apart > margin and star.magnitudes[band][0] <= brightest + 0.5:
            missing = missing or star.name
    return shown, missing


def _at_angle(target: Source, x: float, y: float, angle: float, scale_deg: float) -> Wcs:
    """A tangent plane at the target whose +y has a position angle; east is left of north."""
    cos, sin = math.cos(angle) * scale_deg, math.sin(angle) * scale_deg
    # A step along +y goes to (xi, eta) = (sin, cos); one along +x to its right, (-cos, sin).
    return Wcs(ra0=target.ra_deg, dec0=target.dec_deg, x0=x, y0=y, cd=((-cos, sin), (sin, cos)))
