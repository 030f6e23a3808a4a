"""Curves of growth: fluxes inside several circles about many stars at once, with one sky each.

The same few radii on all frames make one aperture of frames of unlike seeing, without a second look
at their pixels. The annulus lies outside the largest circle and, in arcsec, at one place for all
frames: what a galaxy adds to the sky there does not follow the seeing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sep
from numpy.typing import NDArray

from iop4d.model.flags import Flag
from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.confusion import UNSHARED
from iop4d.science.exposure import GRAIN
from iop4d.science.photometry import (
    BLEND_NOISE,
    HARMLESS,
    NEIGHBOUR_ERR,
    Pixels,
    nearest_pixel,
)
from iop4d.science.psf import Psf, encircled, moffat_radius, surface

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SAMPLES = 1000  # pixels of an annulus that are looked at; they add a fifth to the sky's variance
_FEWEST = 30  # of them that give a sky of its own
_RINGS = 4  # of an annulus, in which a galaxy's light is as good as even
# Parts of a source's light in a circle. A wide one nearly always holds a faint star or a bad pixel,
# whose light is subtracted or made up for with an error; they are flagged where they are more than:
_BLEND = 0.05  # of neighbours
_LOST = 0.01  # in bad pixels
_LOST_ERR = 0.3  # part of the light in bad pixels by which the PSF may be wrong there
_FEW_PIXELS = 1000  # of a mask, that are all compared with each star
_NODES = 32  # circles by which a neighbour's light inside an aperture is summed up: to 2 % of it


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What S stars have inside R circles, as :class:`iop4d.science.photometry.Flux` has in one.

    Arrays (S, R); ``flux``, ``flux_err``, ``photon_err``, ``confusion_err``: ADU, NaN where a
    circle reaches beyond the frame; ``neighbours``: light of neighbours that was subtracted, as a
    part of the flux; ``flags``: bits of :class:`Flag`. ``sky``: (S,) ADU per pixel.
    """

    flux: Floats
    flux_err: Floats
    photon_err: Floats
    confusion_err: Floats
    neighbours: Floats
    flags: Integers
    sky: Floats

    @property
    def err_between_frames(self) -> Floats:
        """(S, R) errors of the fluxes against those of other frames of the field, ADU."""
        return np.hypot(self.photon_err, UNSHARED * self.confusion_err)


def measure_curves(frame: Pixels, x: Floats, y: Floats, own: Integers, radii: Floats,
                   annulus: tuple[float, float]) -> Curves:
    """Measure the stars at 0-based ``x``, ``y`` (S,) inside circles of ``radii`` (R,) pixels.

    ``own``: (S,) each star's detection, -1 if it has none; ``annulus``: inner and outer radius,
    pixels. Errors as in ``photometry.measure``, and like it each flux is that of a star as wide as
    the frame's typical one.
    """
    shape = (x.size, radii.size)
    every_x, every_y = (np.repeat(v, radii.size) for v in (x, y))
    every_radius = np.tile(radii, x.size)
    total = sep.sum_circle(frame.image, every_x, every_y, every_radius,
                           subpix=0)[0].reshape(shape)
    area = math.pi * radii**2
    others = _Others.about(frame, x, y, own, reach=float(annulus[1]))
    light = others.inside(radii, frame.psf, x.size)
    sky, sigma, count = _skies(frame, x, y, others, annulus)
    rough = np.maximum(total[:, -1] - light[:, -1] - area[-1] * sky, 0.0)
    sky = sky - rough * _wings(frame.psf, float(radii[-1]), annulus)
    lost, unlit = _bad_pixels(frame, x, y, radii)
    flux = (total - light - (area - unlit) * sky[:, None]) / (1.0 - lost)
    of_pixels = area * sigma[:, None]**2 * (1.0 + area / count[:, None])
    faint = of_pixels * (frame.sky_excess - 1.0)
    variance = np.maximum(flux, 0.0) / frame.gain + of_pixels
    factor, factor_err = frame.psf.aperture_factor(x, y, radii)
    error = np.sqrt(variance + faint + (frame.floor * flux)**2 + (NEIGHBOUR_ERR * light)**2
                    + (_LOST_ERR * lost * flux)**2
                    + (flux * factor_err)**2)
    flags = _mask_flags(frame, x, y, radii)
    flags[light > np.maximum(_BLEND * flux, BLEND_NOISE * error)] |= int(Flag.BLENDED)
    flags[lost > _LOST] |= int(Flag.BAD_PIXELS)
    ny, nx = frame.image.shape
    room = np.minimum(np.minimum(x, nx - 1 - x), np.minimum(y, ny - 1 - y)) + 0.5
    beyond = radii > room[:, None]
    return Curves(
        flux=np.where(beyond, np.nan, flux * factor), sky=sky, flags=flags,
        flux_err=np.where(beyond, np.nan, error * factor),
        photon_err=np.where(beyond, np.nan, factor * np.sqrt(variance + (GRAIN * flux)**2)),
        confusion_err=np.where(beyond, np.nan, factor * np.sqrt(faint)),
        neighbours=np.where(flux > 0, light / np.where(flux > 0, flux, 1.0), 0.0))


@dataclass(frozen=True, kw_only=True)
class _Others:
    """Pairs of a star and a neighbour: the star's index, the neighbour's place and flux."""

    star: NDArray[np.intp]
    x: Floats
    y: Floats
    flux: Floats
    distance: Floats

    @classmethod
    def about(cls, frame: Pixels, x: Floats, y: Floats, own: Integers, *, reach: float) -> _Others:
        found, hidden = frame.detections, frame.hidden
        all_x, all_y, flux = (np.concatenate(pair) for pair in zip(
            (found.x, found.y, frame.fluxes), hidden, strict=True))
        apart2 = (all_x - x[:, None])**2 + (all_y - y[:, None])**2
        has = np.flatnonzero(own >= 0)
        near = apart2 < (reach + 5.0 * frame.psf.fwhm)**2
        near[has, own[has]] = False
        star, other = np.nonzero(near)
        return cls(star=star, x=all_x[other], y=all_y[other], flux=flux[other],
                   distance=np.sqrt(apart2[star, other]))

    def inside(self, radii: Floats, psf: Psf, stars: int) -> Floats:
        """(S, R) the neighbours' light inside the circles, ADU."""
        light = np.zeros((stars, radii.size))
        near = self.distance < radii[-1] + 5.0 * psf.fwhm
        if near.any():
            # Circles about the neighbour that each hold an equal part of its light, and the part
            # of their rims that lies inside the aperture.
            rho = moffat_radius((np.arange(_NODES) + 0.5) / _NODES, psf.fwhm, psf.beta)
            d = np.maximum(self.distance[near], 1e-6)[:, None, None]
            cosine = (rho**2 + d**2 - radii[:, None]**2) / (2.0 * rho * d)
            part = np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0)).mean(axis=2) / math.pi
            np.add.at(light, self.star[near], self.flux[near, None] * part)
        return light


def _skies(frame: Pixels, x: Floats, y: Floats, others: _Others,
           annulus: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """(level, noise of a pixel, number of pixels) of each star's annulus: the clipped mean.

    As in ``photometry``: pixels close to neighbours do not count, and where the mean shows faint
    stars, 2.5 median - 1.5 mean stands for it.
    """
    dx, dy, distances = _ring_of(annulus)
    middle_x, middle_y = np.rint(x), np.rint(y)
    ny, nx = frame.image.shape
    pixels = (middle_y * nx + middle_x).astype(np.intp)[:, None] + (dy * nx + dx)
    good = np.ones(pixels.shape, dtype=bool)
    room = np.minimum(np.minimum(middle_x, nx - 1 - middle_x),
                      np.minimum(middle_y, ny - 1 - middle_y))
    for star in np.flatnonzero(room < annulus[1]).tolist():
        column, row = int(middle_x[star]) + dx, int(middle_y[star]) + dy
        good[star] = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        pixels[star, ~good[star]] = 0
    values = frame.image.take(pixels).astype(np.float64)
    if frame.bad is not None:
        good &= ~frame.bad.take(pixels)
    reach2 = np.minimum(frame.psf.reach2(others.flux, HARMLESS * frame.sigma),
                        (4.0 * frame.psf.fwhm)**2)
    apart = np.sqrt(reach2)
    touching = np.flatnonzero((others.distance > annulus[0] - apart)
                              & (others.distance < annulus[1] + apart))
    a, b = middle_x[others.star] - others.x, middle_y[others.star] - others.y
    factors = np.array([2.0 * a, 2.0 * b, a * a + b * b, np.ones(a.size)]).T
    for k in touching.tolist():
        star = others.star[k]
        r2 = factors[k] @ distances
        good[star] &= r2 > reach2[k]
        if reach2[k] >= (4.0 * frame.psf.fwhm)**2:  # so bright that its far wings count
            values[star] -= others.flux[k] * surface(r2, frame.psf.fwhm, frame.psf.beta)
    return _levels(values, good, frame.sigma)


def _levels(values: Floats, good: NDArray[np.bool_],
            sigma: float) -> tuple[Floats, Floats, Floats]:
    """As ``_skies``, of values in order of their distance from the star.

    The median is that of each of a few rings: a galaxy's light that falls outwards is no skewness.
    """
    in_rings = (values.shape[0] * _RINGS, values.shape[1] // _RINGS)
    of_rings = good.reshape(in_rings).sum(axis=1)
    count = of_rings.reshape(-1, _RINGS).sum(axis=1)
    rings = _medians(values.reshape(in_rings), good.reshape(in_rings), of_rings)
    median = rings.reshape(-1, _RINGS).mean(axis=1)
    off = values - np.repeat(rings, in_rings[1]).reshape(values.shape)
    away = np.abs(off)
    spread = MAD_TO_SIGMA * _medians(away, good, count)
    spread = np.where(spread > 0, spread, sigma)
    kept = good & (away <= 3.0 * spread[:, None])
    mean_off = np.where(kept, off, 0.0).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    number = np.maximum(count, 1)
    # Three sigmas of the mean are four of this difference: noise alone never makes it.
    skewed = mean_off > 3.0 * spread / np.sqrt(number)
    level = median + np.where(skewed, -1.5 * mean_off, mean_off)
    enough = of_rings.reshape(-1, _RINGS).min(axis=1) >= _FEWEST // _RINGS
    if not enough.all():
        level = np.where(enough, level, _medians(values, good, count))
    return level, np.where(enough, spread, sigma), number.astype(np.float64)


def _medians(values: Floats, good: NDArray[np.bool_], count: NDArray[np.intp]) -> Floats:
    """(S,) of the good values of each row, ``count`` of them; 0 where there is none."""
    # As exact as the pixels, and sorted in half the time.
    ordered = np.sort(np.where(good, values.astype(np.float32), np.float32(np.inf)), axis=1)
    each = np.arange(count.size)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, ordered.shape[1] - 1)
    middle = 0.5 * (ordered[each, low].astype(np.float64) + ordered[each, high])
    return np.where(count > 0, np.where(np.isfinite(middle), middle, 0.0), 0.0)


def _ring_of(annulus: tuple[float, float]) -> tuple[Integers, Integers, Floats]:
    """Offsets of an annulus's pixels, spread evenly over it, some thousand at most, by distance.

    As many as fill all rings alike. The last, (4, pixels), gives with (2a, 2b, a^2 + b^2, 1) their
    squared distances from a place that lies a and b before the middle.
    """
    inner2, outer2 = annulus[0]**2, annulus[1]**2
    stride = max(1, math.isqrt(int(math.pi * (outer2 - inner2) / _SAMPLES)))
    return _ring(math.ceil(annulus[1]), stride, math.ceil(inner2), math.floor(outer2))


@lru_cache(maxsize=32)  # frames of one camera share a few
def _ring(half: int, stride: int, inner2: int, outer2: int) -> tuple[Integers, Integers, Floats]:
    """As ``_ring_of``, of some rows and columns of a square, by the squared distances."""
    step = np.arange(-half, half + 1, stride)
    r2 = step[:, None]**2 + step[None, :]**2
    rows, columns = np.nonzero((r2 >= inner2) & (r2 <= outer2))
    inwards = np.argsort(r2[rows, columns], kind="stable")[:rows.size // _RINGS * _RINGS]
    dx, dy = step[columns[inwards]], step[rows[inwards]]
    return dx, dy, np.array([dx, dy, np.ones(dx.size), dx * dx + dy * dy])


def _wings(psf: Psf, radius: float, annulus: tuple[float, float]) -> float:
    """Light of a star in a pixel of the annulus, as a part of that inside the largest circle."""
    inner, outer = annulus
    ring = encircled(outer, psf.fwhm, psf.beta) - encircled(inner, psf.fwhm, psf.beta)
    return float(ring / encircled(radius, psf.fwhm, psf.beta)) / (
        math.pi * (outer**2 - inner**2))


def _mask_flags(frame: Pixels, x: Floats, y: Floats, radii: Floats) -> Integers:
    """SATURATED and NONLINEAR where such a pixel touches a circle."""
    flags, reach = np.zeros((x.size, radii.size), dtype=np.int64), float(radii[-1])
    for mask, places, flag in frame.too_bright:
        nearest = _nearest_pixels(mask, places, x, y, reach)
        flags[nearest[:, None] < radii] |= int(flag)
    return flags


def _nearest_pixels(mask: NDArray[np.bool_], places: NDArray[np.intp], x: Floats, y: Floats,
                    reach: float) -> Floats:
    """(S,) as ``nearest_pixel`` of each star; of few pixels by all of them at once.

    ``places``: flat indices of those of the mask.
    """
    if places.size > _FEW_PIXELS:
        return np.array([nearest_pixel(mask, *at, reach)
                         for at in zip(x.tolist(), y.tolist(), strict=True)])
    row, column = np.divmod(places, mask.shape[1])
    dx, dy = (np.maximum(np.abs(pixels - at[:, None]) - 0.5, 0.0)
              for pixels, at in ((column, x), (row, y)))
    star, pixel = np.nonzero((dx < reach) & (dy < reach))
    nearest = np.full(x.size, np.inf)
    np.minimum.at(nearest, star, np.hypot(dx[star, pixel], dy[star, pixel]))
    return nearest


def _bad_pixels(frame: Pixels, x: Floats, y: Floats, radii: Floats) -> tuple[Floats, Floats]:
    """(part of a star's light inside each circle that falls on bad pixels, their number), (S, R).

    Bad pixels are 0 in the image. At most half of the light counts as lost.
    """
    lost, number = np.zeros((x.size, radii.size)), np.zeros((x.size, radii.size))
    half, places = math.ceil(float(radii[-1])) + 1, zip(x.tolist(), y.tolist(), strict=True)
    for star, (at_x, at_y) in enumerate(places) if frame.bad is not None else ():
        first_x, first_y = max(0, round(at_x) - half), max(0, round(at_y) - half)
        assert frame.bad is not None
        box = frame.bad[first_y:round(at_y) + half + 1, first_x:round(at_x) + half + 1]
        if box.any():
            row, column = np.nonzero(box)
            r2 = (column + first_x - at_x)**2 + (row + first_y - at_y)**2
            inside = r2 < radii[:, None]**2
            number[star] = inside.sum(axis=1)
            lost[star] = (inside * surface(r2, frame.psf.fwhm, frame.psf.beta)).sum(axis=1)
    lost /= encircled(radii, frame.psf.fwhm, frame.psf.beta)
    return np.minimum(lost, 0.5), number
