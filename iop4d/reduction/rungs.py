"""The ways to find where a frame lies on the sky: one function each, for the ladder in ``field``.

A rung gets a :class:`Search` and answers with what it found, or with None where it is not meant for
such a frame. It raises StageError with its reason where it fails, and never guesses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import astrometry
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from iop4d.config.site import Astrometry
from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import UNSOLVED, StarList
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.beams import TwoBeams
from iop4d.reduction.masters import CalibratedImage
from iop4d.reduction.stars import Stars
from iop4d.science.detect import Detections, detect, gaussian_profile
from iop4d.science.quads import Placement, place
from iop4d.science.refine import recentred
from iop4d.science.solve import FEWEST_STARS, Match, solve
from iop4d.science.tan import Wcs, from_cards

Floats = NDArray[np.float64]

_LONGEST = 5.0  # s, for all attempts together: a worker has other frames to reduce
_BLIND = 1.5  # s of them that are left for the attempt without a pointing
_HINT = 0.3  # s after which a wrong scale is not sought with more stars
_SCALES = 8.0  # times by which it may be off
_FEW_STARS = 20  # brightest ones that tell it
_BLIND_STARS = 30  # stars of an attempt without a pointing, which looks at the whole index

STARS_OF_QUADS = 10  # brightest detections of which quads are made
MOST_TURN_DEG = 20.0  # degrees between two frames: cameras are turned rarely, and back again
_LISTED = 40  # brightest detections that confirm a place
_FEWEST_OF_FRAME = 5  # stars that a place on another frame needs; by chance four may agree
_PART_OF_FRAME = 0.3  # of the listed detections that must be stars of the other frame
_FEWEST_OF_CATALOGUE = 4
_PART_OF_CATALOGUE = 0.7  # of the catalogue's stars inside the frame that must be detected
_RMS = 0.5  # FWHM that the matched stars may be off
_MARGIN = 10.0  # px from the edge within which a star may not be detected


@dataclass(frozen=True, kw_only=True)
class FieldMatch:
    """A field that was found, still to be refined, and the star list that found it.

    ``attempts``: how many star lists were tried until one matched.
    """

    match: Match
    stars: Detections
    attempts: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """All that a rung may look at.

    ``beams``: the pairs, where every star has two images; ``solver``: of the index files;
    ``reference``: a solved frame of the same field and camera, if there is one.
    """

    frame: CalibratedImage
    stars: Stars
    beams: TwoBeams | None
    facts: FrameFacts
    instrument: Instrument
    catalogue: Catalogue
    reference: StarList | None
    solver: astrometry.Solver
    settings: Astrometry

    @property
    def subframe(self) -> bool:
        """Whether it is a part of the detector, with too few stars, of which each has two images.
        """
        return self.facts.subframe and self.beams is not None

    @property
    def scale_arcsec(self) -> float:
        """Arcseconds per pixel of the frame."""
        return self.instrument.pixel_arcsec(self.facts.binning)

    @cached_property
    def target(self) -> Source | None:
        """The source that the frame should show."""
        return expected_target(self.facts, self.catalogue)

    @property
    def pointing_deg(self) -> tuple[float, float] | None:
        """(RA, Dec) of the header; of the source it names, where the camera records none."""
        if self.facts.pointing_deg:
            return self.facts.pointing_deg
        return (self.target.ra_deg, self.target.dec_deg) if self.target else None

    def one_of_each(self, detections: Detections) -> Detections:
        """One image of each star of a list: the extraordinary one where there are two."""
        return detections if self.beams is None else self.beams.extraordinary_of(detections)

    @cached_property
    def every_image(self) -> list[Detections]:
        """The star lists to be tried, with both images where every star has two."""
        return list(star_lists(self.frame, self.stars, self.settings.max_stars,
                               lambda detections: detections))


def expected_target(facts: FrameFacts, catalogue: Catalogue) -> Source | None:
    """The source that the header names, or else the one nearest to its pointing."""
    named = catalogue.of_object(facts.object)
    if named is not None or facts.pointing_deg is None:
        return named
    ra, dec = facts.pointing_deg

    def distance(source: Source) -> float:
        return math.hypot((source.ra_deg - ra + 180.0) % 360.0 - 180.0, source.dec_deg - dec)

    nearest = min(catalogue.sources, key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) < 60.0 / 3600.0 else None


# The index files.


def by_index(search: Search) -> FieldMatch | None:
    """The star patterns of the index files, tried with several star lists."""
    if search.subframe:
        return None
    stars, settings, pointing_deg = search.stars, search.settings, search.pointing_deg
    began = time.monotonic()
    tried = 0

    def attempt(detections: Detections, place: tuple[float, float] | None,
                left: float) -> FieldMatch | None:
        match = solve(search.solver, detections.x, detections.y, scale_arcsec=search.scale_arcsec,
                      tolerance=settings.scale_tolerance, pointing_deg=place,
                      radius_deg=settings.search_radius, seconds=min(settings.timeout, left))
        return None if match is None else FieldMatch(match=match, stars=detections, attempts=tried)

    # The pointing may be wrong: time is kept for an attempt without it.
    kept = 0.0 if pointing_deg is None else _BLIND
    for stars_to_try in star_lists(search.frame, stars, settings.max_stars, search.one_of_each):
        left = _LONGEST - kept - (time.monotonic() - began)
        if left <= 0:
            break
        tried += 1
        if found := attempt(stars_to_try, pointing_deg, left):
            return found
    if pointing_deg is not None:
        tried += 1
        plain = search.one_of_each(stars.detections.only(~stars.sharp))
        brightest = np.arange(min(_BLIND_STARS, settings.max_stars, len(plain)))
        left = _LONGEST - (time.monotonic() - began)
        if found := attempt(plain.only(brightest), None, max(left, 0.5)):
            return found
    n = len(stars.detections)
    if (usable := len(search.one_of_each(stars.detections))) < FEWEST_STARS:
        seen = f"{usable} stars detected" if search.beams is None else (
            f"{n} detections, of which {usable} pairs are the two images of a star, "
            f"{_pixels(search.beams.pairs.offset)} px apart")
        raise StageError(UNSOLVED, f"{seen}; at least {FEWEST_STARS} stars are needed")
    where = "anywhere in the index" if pointing_deg is None else (
        f"within {settings.search_radius:g} deg of RA {pointing_deg[0]:.4f}, "
        f"Dec {pointing_deg[1]:+.4f}")
    raise StageError(UNSOLVED, f"none of {tried} attempts matched the {n} detected stars with the "
                               f"sky {where}, at {search.scale_arcsec:.3f} arcsec per pixel")


def other_scale(search: Search) -> str:
    """At which scale, within eight times, the brightest stars match, in words; empty if at none.

    For a frame whose field was not found: its camera's scale may be wrong, or its binning unknown.
    """
    if search.subframe:
        return ""
    plain = search.one_of_each(search.stars.detections.only(~search.stars.sharp))
    brightest = plain.only(np.arange(min(_FEW_STARS, len(plain))))
    low, high = search.scale_arcsec / _SCALES, search.scale_arcsec * _SCALES
    match = solve(search.solver, brightest.x, brightest.y, scale_arcsec=(low + high) / 2,
                  tolerance=(high - low) / (high + low), pointing_deg=search.pointing_deg,
                  radius_deg=search.settings.search_radius, seconds=_HINT)
    if match is None or abs(match.wcs.scale_arcsec / search.scale_arcsec - 1) \
            < search.settings.scale_tolerance:
        return ""
    scale, binning = match.wcs.scale_arcsec, search.facts.binning
    key = f"; if the binning is {binning}, pixel_scale = {scale / binning:.3f}" * (binning > 1)
    return (f"the brightest stars match at {scale:.3f} arcsec per pixel, where the instrument says "
            f"{search.scale_arcsec:.3f}: its scale or the binning is wrong{key}")


def _pixels(offset: tuple[float, float]) -> str:
    return f"{offset[0]:+.1f}, {offset[1]:+.1f}"


def star_lists(frame: CalibratedImage, stars: Stars, most: int,
               one_of_each: Callable[[Detections], Detections]) -> Iterator[Detections]:
    """The stars to try, the most promising first; later ones are only made when needed."""
    plain = one_of_each(stars.detections.only(~stars.sharp))
    yield plain.only(np.arange(min(most, len(plain))))
    yield evenly_bright(plain, frame.image.shape, most // 2)
    # A kernel as wide as the stars finds the faint ones and none of the cosmic rays.
    if (smooth := _smoothed(frame, stars)) is not None:
        smooth = one_of_each(smooth)
        yield smooth.only(np.arange(min(most, len(smooth))))
    # Among few stars cosmic rays may be the majority, and pass for the stars' width.
    if (clean := _median_filtered(frame, stars)) is not None:
        clean = one_of_each(clean)
        yield clean.only(np.arange(min(most, len(clean))))
    single = plain.only(~plain.saturated & (plain.elongation < 1.6))
    yield single.only(np.arange(min(most // 2, len(single))))


def _smoothed(frame: CalibratedImage, stars: Stars) -> Detections | None:
    try:
        return detect(frame.image, sigma=stars.sky.sigma, threshold=3.0, bad=frame.bad,
                      saturated=frame.saturated, profile=gaussian_profile(min(stars.psf.fwhm, 8.0)))
    except ValueError:
        return None


def _median_filtered(frame: CalibratedImage, stars: Stars) -> Detections | None:
    """What is left of the detections when every pixel is the median of the 3 x 3 about it."""
    try:
        return detect(median_filter(frame.image, size=3), sigma=stars.sky.sigma / 2.0,
                      threshold=5.0, bad=frame.bad, saturated=frame.saturated)
    except ValueError:
        return None


def evenly_bright(detections: Detections, shape: tuple[int, ...], most: int) -> Detections:
    """The brightest of each of 4 x 4 parts of the frame, then the second ones, and so on."""
    part = (np.floor(4 * detections.y / shape[0]) * 4
            + np.floor(4 * detections.x / shape[1])).astype(int)
    rank = np.zeros(len(detections), dtype=int)
    for number in np.unique(part):
        here = part == number
        rank[here] = np.arange(here.sum())
    return detections.only(np.lexsort((-detections.flux, rank))[:most])


# Another frame of the field, or the catalogue, by the shapes that four stars make.


@dataclass(frozen=True, kw_only=True)
class KnownStars:
    """Stars of known places on a flat picture of the sky, brightest first.

    ``of_frame``: another frame's, of the same camera, so that the frame is neither turned much nor
    mirrored against it; else those of the catalogue.
    """

    wcs: Wcs
    x: Floats
    y: Floats
    of_frame: bool

    def match(self, wcs: Wcs) -> Match:
        """The stars with a projection that was found by them."""
        ra, dec = self.wcs.to_sky(self.x, self.y)
        return Match(wcs=wcs, ra=ra, dec=dec, log_odds=math.nan)


def by_frame(search: Search) -> FieldMatch | None:
    """Another frame of the same field and camera that the index has solved."""
    if search.subframe:
        return None
    if search.reference is None:
        raise StageError(UNSOLVED, "there is no solved frame of this field")
    return _by_pattern(search, search.every_image, stars_of_frame(search.reference))


def by_catalogue(search: Search) -> FieldMatch | None:
    """The pattern that the target and its calibrators make."""
    if search.subframe:
        return None
    if search.target is None:
        raise StageError(UNSOLVED, f"no source of the catalogue is '{search.facts.object}'")
    return _by_pattern(search, map(search.one_of_each, search.every_image), stars_of_catalogue(
        search.target, search.catalogue, search.facts.band, search.scale_arcsec))


def _by_pattern(search: Search, lists: Iterable[Detections], known: KnownStars) -> FieldMatch:
    found = match_pattern(lists, known, search.facts, search.stars.psf.fwhm)
    if found is None:
        raise StageError(UNSOLVED, f"its pattern of {known.x.size} stars was not recognised")
    return found


def stars_of_frame(reference: StarList) -> KnownStars:
    """The stars of a solved frame, with both images where every star has two."""
    return KnownStars(wcs=from_cards(reference.wcs), x=np.array(reference.x),
                      y=np.array(reference.y), of_frame=True)


def stars_of_catalogue(target: Source, catalogue: Catalogue, band: str | None,
                       scale_arcsec: float) -> KnownStars:
    """A target and its calibrators on a tangent plane of a frame's scale."""
    stars = sorted((target, *catalogue.calibrators_of(target.name)),
                   key=lambda star: _brightness(star, band))
    step = scale_arcsec / 3600.0
    flat = Wcs(ra0=target.ra_deg, dec0=target.dec_deg, x0=0.0, y0=0.0,
               cd=((-step, 0.0), (0.0, step)))
    x, y = flat.to_pixel([s.ra_deg for s in stars], [s.dec_deg for s in stars])
    return KnownStars(wcs=flat, x=x, y=y, of_frame=False)


def _brightness(star: Source, band: str | None) -> float:
    """Magnitude in the band, else the brightest one there is; the target first, which has none."""
    known = star.magnitudes.get(band or "")
    return known[0] if known else min((m for m, _ in star.magnitudes.values()), default=-math.inf)


def match_pattern(lists: Iterable[Detections], known: KnownStars, facts: FrameFacts,
                  fwhm: float) -> FieldMatch | None:
    """The first list of detections, brightest first, that matches; None rather than a guess."""
    for tried, detections in enumerate(lists, 1):
        listed = detections.only(np.arange(min(_LISTED, len(detections))))
        placed = place(listed.x, listed.y, known.x, known.y, stars=STARS_OF_QUADS,
                       reflected=not known.of_frame,
                       most_turn_deg=MOST_TURN_DEG if known.of_frame else 180.0)
        if placed is not None and _is_sure(placed, known, listed, facts, fwhm):
            return FieldMatch(match=known.match(through(known.wcs, placed, facts)), stars=listed,
                         attempts=tried)
    return None


def _is_sure(placed: Placement, known: KnownStars, listed: Detections, facts: FrameFacts,
             fwhm: float) -> bool:
    """Whether so many stars agree, and nowhere else, that it is no accident."""
    n = placed.matched.shape[0]
    if placed.second >= n or placed.rms_px > max(_RMS * fwhm, 1.0):
        return False
    if known.of_frame:
        return bool(n >= max(_FEWEST_OF_FRAME, _PART_OF_FRAME * len(listed)))
    back = (np.column_stack([known.x, known.y]) - placed.shift) @ placed.rotation
    ny, nx = facts.shape
    inside = ((back > _MARGIN) & (back < (nx - _MARGIN, ny - _MARGIN))).all(axis=1)
    return bool(n >= max(_FEWEST_OF_CATALOGUE, _PART_OF_CATALOGUE * int(inside.sum())))


def through(whole: Wcs, placed: Placement, facts: FrameFacts) -> Wcs:
    """Another picture's projection as the frame's pixels see it, about the frame's middle."""
    ny, nx = facts.shape
    middle = ((nx - 1) / 2.0, (ny - 1) / 2.0)
    there = placed(np.array([middle[0]]), np.array([middle[1]]))
    ra, dec = whole.to_sky(there[0], there[1])
    local = recentred(replace(whole, x0=whole.x0 + middle[0] - float(there[0][0]),
                              y0=whole.y0 + middle[1] - float(there[1][0])), facts.shape)
    cd = np.array(local.cd) @ placed.rotation
    return Wcs(ra0=float(ra[0]), dec0=float(dec[0]), x0=middle[0], y0=middle[1],
               cd=((float(cd[0, 0]), float(cd[0, 1])), (float(cd[1, 0]), float(cd[1, 1]))))
