"""Where a frame lies on the sky: the ladder of all ways to find it, then the refinement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.errors import StageError
from iop4d.model.flags import Flag
from iop4d.model.frame import AstrometryFrom
from iop4d.model.messages import UNSOLVED, Solution
from iop4d.reduction.context import Stages
from iop4d.reduction.rungs import (
    FieldMatch,
    Search,
    by_catalogue,
    by_frame,
    by_index,
    other_scale,
)
from iop4d.reduction.subframes import by_pair, by_quads
from iop4d.science.detect import Detections
from iop4d.science.refine import Refined, refine
from iop4d.science.solve import Match
from iop4d.science.tan import Wcs

Floats = NDArray[np.float64]

_POOR_MATCHES = 6  # stars below which a solution counts as poor
_POOR_RMS = 0.12  # FWHM above which it does
_KEPT_STARS = 32  # of the fit that are kept with a frame: under 1 kB
_LONGEST_STEP = 200  # characters of the reason of a way that failed


@dataclass(frozen=True)
class Rung:
    """A way to find a field, and its name, which results keep."""

    name: AstrometryFrom
    find: Callable[[Search], FieldMatch | Refined | None]


#: Every way to find a field, in the order in which they are tried; the first that succeeds counts.
RUNGS: tuple[Rung, ...] = (
    Rung(AstrometryFrom.INDEX, by_index),
    Rung(AstrometryFrom.FRAME, by_frame),
    Rung(AstrometryFrom.CATALOGUE, by_catalogue),
    Rung(AstrometryFrom.QUADS, by_quads),
    Rung(AstrometryFrom.PAIR, by_pair),
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """Where a frame lies. ``offset``: of the ordinary against the extraordinary images in pixels,
    where every star has two; ``astrometry_from``: the rung that found it, ``solution``: how."""

    refined: Refined
    astrometry_from: AstrometryFrom
    solution: Solution
    offset: tuple[float, float] | None = None

    @property
    def wcs(self) -> Wcs:
        """The projection; of the extraordinary images where every star has two."""
        return self.refined.wcs

    @property
    def ordinary(self) -> Wcs | None:
        """That of the ordinary images; None where every star has one image."""
        if self.offset is None:
            return None
        return replace(self.wcs, x0=self.wcs.x0 + self.offset[0], y0=self.wcs.y0 + self.offset[1])


def find_field(search: Search, stages: Stages) -> Field:
    """Climb the ladder; raises StageError with every rung's reason where none succeeds.

    The error has the stage of the first rung that failed.
    """
    failures: list[tuple[AstrometryFrom, StageError]] = []
    for rung in RUNGS:
        try:
            with stages("solve"):
                found = rung.find(search)
        except StageError as error:
            failures.append((rung.name, error))
            continue
        steps = tuple(f"{name}: {str(error)[:_LONGEST_STEP]}" for name, error in failures)
        solution = Solution(steps=steps)
        if isinstance(found, FieldMatch):
            with stages("refine"):
                fitted = _refined(found, search)
                solution = Solution(steps=steps, attempts=found.attempts,
                                    log_odds=found.match.log_odds, matched=fitted.matched())
                found = fitted.refined
        if found is not None:
            return Field(refined=found, astrometry_from=rung.name, solution=solution,
                         offset=search.beams.pairs.offset if search.beams else None)
    with stages("solve"):
        hint = other_scale(search) if failures[0][1].stage == UNSOLVED else ""
    if len(failures) == 1 and not hint:
        raise failures[0][1]
    said = [f"{name}: {error}" for name, error in failures] if len(failures) > 1 else [
        str(failures[0][1])]
    raise StageError(failures[0][1].stage, "; ".join([*said, *filter(None, [hint])]))


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """A projection, with the known stars and the detections that it was fitted to."""

    refined: Refined
    match: Match
    detections: Detections

    def matched(self) -> tuple[tuple[float, float, float, float], ...]:
        """The brightest stars of the fit: x, y, and what is left in x and y, in pixels."""
        order = np.sort(self.refined.detection)[:_KEPT_STARS]  # detections are brightest first
        star = self.refined.star[np.argsort(self.refined.detection)[:_KEPT_STARS]]
        x, y = self.detections.x[order], self.detections.y[order]
        i, j = self.refined.wcs.to_pixel(self.match.ra[star], self.match.dec[star])
        return tuple((round(float(a), 1), round(float(b), 1), round(float(a - c), 3),
                      round(float(b - d), 3)) for a, b, c, d in zip(x, y, i, j, strict=True))


def _refined(found: FieldMatch, search: Search) -> _Fitted:
    """Fit the projection to the stars of the match, and to the catalogue's where those are few.

    All detections serve; but where they fit badly, because cosmic rays stand among few stars, those
    that found the field serve alone if they fit better.
    """
    match, stars = found.match, search.stars
    if match.ra.size < 2 * _POOR_MATCHES:
        sources = search.catalogue.sources
        match = replace(match, ra=np.concatenate([match.ra, [s.ra_deg for s in sources]]),
                        dec=np.concatenate([match.dec, [s.dec_deg for s in sources]]))
    refined = _fit(match, search.one_of_each(stars.detections.only(~stars.sharp)), search)
    if quality(refined.refined, stars.psf.fwhm):
        other = _fit(match, found.stars, search)
        if (other.refined.n_matched >= refined.refined.n_matched
                and other.refined.rms_px < refined.refined.rms_px):
            return other
    return refined


def _fit(match: Match, detections: Detections, search: Search) -> _Fitted:
    noise = np.hypot(0.03, replace(search.stars, detections=detections).centroid_noise)
    noise[detections.saturated] = 0.5
    refined = refine(match.wcs, x=detections.x, y=detections.y, noise=noise, ra=match.ra,
                     dec=match.dec, shape=search.facts.shape, fwhm=search.stars.psf.fwhm)
    return _Fitted(refined=refined, match=match, detections=detections)


def quality(refined: Refined, fwhm: float) -> Flag:
    """POOR_WCS for a solution of few stars that nothing confirms, or one that fits badly.

    PLACE_UNCONFIRMED besides where so few stars may be others than they were taken for.
    """
    few = refined.n_matched < _POOR_MATCHES and not refined.confirmed
    poor = few or not refined.rms_px < _POOR_RMS * fwhm
    flags = Flag.POOR_WCS if poor else Flag(0)
    return flags | Flag.PLACE_UNCONFIRMED if few and refined.guess else flags
