"""Where a frame lies on the sky: several attempts to solve it, then the refinement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import astrometry
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from iop4d.config.site import Astrometry
from iop4d.model.errors import StageError
from iop4d.model.flags import Flag
from iop4d.model.messages import UNSOLVED
from iop4d.reduction.pixels import CalibratedImage
from iop4d.reduction.stars import Stars
from iop4d.science.detect import Detections, detect, gaussian_kernel
from iop4d.science.refine import Refined, refine
from iop4d.science.solve import FEWEST_STARS, Match, solve

Floats = NDArray[np.float64]

_LONGEST = 5.0  # s, for all attempts together: a worker has other frames to reduce
_BLIND_STARS = 30  # stars of an attempt without a pointing, which looks at the whole index
_POOR_MATCHES = 6  # stars below which a solution counts as poor
_POOR_RMS = 0.12  # FWHM above which it does


@dataclass(frozen=True, kw_only=True)
class Found:
    """A field that was found, and the star list that found it."""

    match: Match
    stars: Detections


def _all(found: Detections) -> Detections:
    return found


def find_field(frame: CalibratedImage, stars: Stars, *, solver: astrometry.Solver,
               scale_arcsec: float, pointing_deg: tuple[float, float] | None, settings: Astrometry,
               only: Callable[[Detections], Detections] = _all) -> Found:
    """The first attempt that matches; raises StageError when none does.

    ``only``: what of a list of detections goes to the solver, such as one image of each star.
    """
    began = time.monotonic()
    tried = 0
    for found, pointing in attempts(frame, stars, pointing_deg, settings.max_stars, only):
        left = _LONGEST - (time.monotonic() - began)
        if left <= 0:
            break
        tried += 1
        match = solve(solver, found.x, found.y, scale_arcsec=scale_arcsec,
                      tolerance=settings.scale_tolerance, pointing_deg=pointing,
                      radius_deg=settings.search_radius, seconds=min(settings.timeout, left))
        if match is not None:
            return Found(match=match, stars=found)
    n = len(stars.detections)
    if (usable := len(only(stars.detections))) < FEWEST_STARS:
        raise StageError(UNSOLVED,
                         f"{usable} stars detected, at least {FEWEST_STARS} are needed")
    place = "anywhere in the index" if pointing_deg is None else (
        f"within {settings.search_radius:g} deg of RA {pointing_deg[0]:.4f}, "
        f"Dec {pointing_deg[1]:+.4f}")
    raise StageError(UNSOLVED, f"none of {tried} attempts matched the {n} detected stars with the "
                              f"sky {place}, at {scale_arcsec:.3f} arcsec per pixel")


def attempts(frame: CalibratedImage, stars: Stars, pointing: tuple[float, float] | None,
             most: int, only: Callable[[Detections], Detections] = _all,
             ) -> Iterator[tuple[Detections, tuple[float, float] | None]]:
    """Star lists to try, the most promising first; later ones are only made when needed."""
    plain = only(stars.detections.only(~stars.sharp))
    yield plain.only(np.arange(min(most, len(plain)))), pointing
    spread = _evenly_bright(plain, frame.image.shape, most // 2)
    yield spread, pointing
    # A kernel as wide as the stars finds the faint ones and none of the cosmic rays.
    smooth = _smoothed(frame, stars)
    if smooth is not None:
        smooth = only(smooth)
        yield smooth.only(np.arange(min(most, len(smooth)))), pointing
    # Among few stars cosmic rays may be the majority, and pass for the stars' width.
    if (clean := _median_filtered(frame, stars)) is not None:
        clean = only(clean)
        yield clean.only(np.arange(min(most, len(clean)))), pointing
    single = plain.only(~plain.saturated & (plain.elongation < 1.6))
    yield single.only(np.arange(min(most // 2, len(single)))), pointing
    if pointing is not None:
        yield plain.only(np.arange(min(_BLIND_STARS, most, len(plain)))), None


def _smoothed(frame: CalibratedImage, stars: Stars) -> Detections | None:
    try:
        return detect(frame.image, sigma=stars.sky.sigma, threshold=3.0, bad=frame.bad,
                      saturated=frame.saturated, kernel=gaussian_kernel(min(stars.psf.fwhm, 8.0)))
    except ValueError:
        return None


def _median_filtered(frame: CalibratedImage, stars: Stars) -> Detections | None:
    """What is left of the detections when every pixel is the median of the 3 x 3 about it."""
    try:
        return detect(median_filter(frame.image, size=3), sigma=stars.sky.sigma / 2.0,
                      threshold=5.0, bad=frame.bad, saturated=frame.saturated)
    except ValueError:
        return None


def _evenly_bright(found: Detections, shape: tuple[int, ...], most: int) -> Detections:
    """The brightest of each of 4 x 4 parts of the frame, then the second ones, and so on."""
    part = (np.floor(4 * found.y / shape[0]) * 4 + np.floor(4 * found.x / shape[1])).astype(int)
    rank = np.zeros(len(found), dtype=int)
    for number in np.unique(part):
        here = part == number
        rank[here] = np.arange(here.sum())
    return found.only(np.lexsort((-found.flux, rank))[:most])


def refine_field(field: Found, stars: Stars, *, shape: tuple[int, int], known_ra: Floats,
                 known_dec: Floats, only: Callable[[Detections], Detections] = _all) -> Refined:
    """Fit the projection to the index's stars, and to the catalogue's where those are few.

    All detections serve; but where they fit badly, because cosmic rays stand among few stars, those
    that found the field serve alone if they fit better.
    """
    ra, dec = field.match.ra, field.match.dec
    if ra.size < 2 * _POOR_MATCHES:
        ra, dec = np.concatenate([ra, known_ra]), np.concatenate([dec, known_dec])
    sky = (ra, dec)
    refined = _refined(field.match, only(stars.detections.only(~stars.sharp)), stars, sky, shape)
    if quality(refined, stars.psf.fwhm):
        other = _refined(field.match, field.stars, stars, sky, shape)
        if other.n_matched >= refined.n_matched and other.rms_px < refined.rms_px:
            return other
    return refined


def _refined(match: Match, found: Detections, stars: Stars, sky: tuple[Floats, Floats],
             shape: tuple[int, int]) -> Refined:
    noise = np.hypot(0.03, replace(stars, detections=found).centroid_noise)
    noise[found.saturated] = 0.5
    return refine(match.wcs, x=found.x, y=found.y, noise=noise, ra=sky[0], dec=sky[1],
                  shape=shape, fwhm=stars.psf.fwhm)


def quality(refined: Refined, fwhm: float) -> Flag:
    """POOR_WCS for a solution of few stars, or one that fits badly."""
    poor = refined.n_matched < _POOR_MATCHES or not refined.rms_px < _POOR_RMS * fwhm
    return Flag.POOR_WCS if poor else Flag(0)
