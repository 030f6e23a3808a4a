"""Aperture photometry at given places: fluxes, errors and flags.

Fluxes are sums over exact circles; the sky is that of an annulus, without the light of
the star's own wings and of the neighbours, which the frame's PSF gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iop4d.model.flags import Flag
from iop4d.science.combine import robust_level
from iop4d.science.confusion import sky_excess
from iop4d.science.detect import Detections
from iop4d.science.empirical_psf import EmpiricalPsf, fit_empirical_psf
from iop4d.science.exposure import GRAIN
from iop4d.science.hits import SMALL, as_stars
from iop4d.science.ordered import median
from iop4d.science.overlap import circle_overlap
from iop4d.science.psf import Psf, PsfAtPlace, surface

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMALLEST_RADIUS = 2.0  # px: below it the pixels' shape counts more than the star
LOW_SNR = 5.0  # as the flag says
BLEND = 0.01  # part of a source's light that a neighbour may add inside the aperture
NEIGHBOUR_ERR = 0.15  # part of a neighbour's light by which it may be subtracted wrongly
BLEND_NOISE = 0.3  # sigmas of the flux below which a neighbour's light does not matter
HARMLESS = 0.25  # sigmas of the sky below which a neighbour's light in a pixel does not harm it
_FEWEST_SKY = 30  # pixels of an annulus that give its noise
_SKY_RADIUS = 1.274  # FWHM of the area in which the sky's noise is measured: 3 sigma
_CROWDED = 1.5  # excess of the sky's variance above which faint stars make it
_COSMIC = 8.0  # sigmas by which a pixel must stand above the PSF to be a cosmic ray's
_COSMIC_MODEL = 0.5  # part of the PSF's local height by which the model may be wrong
_SAMPLED = 2.2  # px of FWHM below which a star is as sharp as a cosmic ray
_DOUBLE = 1.3  # times the usual elongation: a neighbour of 10 % at one FWHM makes that
_ROUND = 1.2  # elongation of the typical star above which the frame is trailed


def scintillation(diameter_m: float, exptime_s: float, airmass: float, height_m: float) -> float:
    """Relative standard deviation of a star's flux by the air's turbulence.

    0.09 D^(-2/3) X^1.75 (2 t)^(-1/2) exp(-h / 8000 m), D in cm, t in seconds (Young 1967, AJ 72,
    747). An unknown airmass counts as 1.3.
    """
    mass = airmass if math.isfinite(airmass) else 1.3
    diameter: float = (100.0 * diameter_m) ** (-2.0 / 3.0)
    return 0.09 * diameter * math.pow(mass, 1.75) * math.exp(-height_m / 8000.0) / math.sqrt(
        2.0 * max(exptime_s, 1e-3))


@dataclass(frozen=True, kw_only=True)
class Aperture:
    """Radius of the aperture, inner and outer radius of the annulus, in pixels."""

    radius: float
    inner: float
    outer: float


@dataclass(frozen=True, kw_only=True)
class Flux:
    """What an aperture holds. ``flux``, ``flux_err``: ADU; ``sky``: ADU per pixel above the
    frame's background; ``flags``: of the aperture alone; ``photon_err``: the part of the error that
    two images of one star do not share, of photons, sky and the grain of the flat field;
    ``confusion_err``: the part by stars too faint to be detected, which are the same on every frame
    of the field; ``neighbours``: light of neighbours that was subtracted, as a part of the flux."""

    flux: float
    flux_err: float
    sky: float
    flags: Flag
    photon_err: float = math.nan
    confusion_err: float = 0.0
    neighbours: float = 0.0


_NONE = (np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """What the photometry of a frame needs besides the places.

    ``image``: float32 [y, x], ADU, background subtracted; ``sigma``: noise of a sky pixel, ADU;
    ``gain``: electrons per ADU; ``bad``, ``saturated``: masks or None if there are no such pixels;
    ``fluxes``: total flux of each detection, ADU; ``hidden``: (x, y, flux) of images known to lie
    unseen under others; ``sharp``: detections that are cosmic rays, None if that is not known;
    ``nonlinear``: pixels too bright for the detector to be linear, None if there are none;
    ``scintillation``: of stars on this frame, a part of their flux.
    """

    image: FloatImage
    sigma: float
    gain: float
    bad: Mask | None
    saturated: Mask | None
    detections: Detections
    fluxes: Floats
    psf: Psf
    hidden: tuple[Floats, Floats, Floats] = _NONE
    sharp: Mask | None = None
    nonlinear: Mask | None = None
    scintillation: float = 0.0

    @cached_property
    def floor(self) -> float:
        """Error of a flux, as a part of it, however bright the star."""
        return math.hypot(self.scintillation, GRAIN)

    @cached_property
    def empirical_psf(self) -> EmpiricalPsf:
        """The PSF as the frame's own bright stars show it."""
        return fit_empirical_psf(self.image, self.detections, self.psf, sigma=self.sigma,
                                 gain=self.gain,
                                 usable=None if self.sharp is None else np.flatnonzero(~self.sharp))

    @cached_property
    def sky_excess(self) -> float:
        """Variance of the sky's light in a star's area over that of independent pixels."""
        return sky_excess(self.image, sigma=self.sigma,
                          area=math.pi * (_SKY_RADIUS * self.psf.fwhm) ** 2)

    @cached_property
    def too_bright(self) -> tuple[tuple[Mask, NDArray[np.intp], Flag], ...]:
        """Masks of pixels that are too bright, if any are, their flat indices and their flags."""
        return tuple((mask, np.flatnonzero(mask), flag) for mask, flag in (
            (self.saturated, Flag.SATURATED), (self.nonlinear, Flag.NONLINEAR))
            if mask is not None)

    @cached_property
    def round_stars(self) -> bool:
        """Whether the PSF is the model's closely enough to tell cosmic rays from stars."""
        bright = np.flatnonzero(~self.detections.saturated & ~self.detections.edge)[:50]
        elongation = median(self.detections.elongation[bright]) if bright.size else 1.0
        return self.psf.fwhm > _SAMPLED and elongation < _ROUND

    @property
    def trailed(self) -> bool:
        """Whether all images are drawn out, so that each looks like a line."""
        usual = self._usual_elongation
        return math.isfinite(usual) and usual > _ROUND

    @cached_property
    def _usual_elongation(self) -> float:
        found = self.detections
        bright = np.flatnonzero(~found.saturated & ~found.edge & (found.peak > 20.0 * self.sigma))
        return median(found.elongation[bright[:100]]) if bright.size else math.inf

    def looks_double(self, own: int) -> bool:
        """Whether a bright star's image is drawn out, as two stars too close to part are."""
        found = self.detections
        return bool(not found.saturated[own] and found.peak[own] > 20.0 * self.sigma
                    and found.elongation[own] > _DOUBLE * self._usual_elongation)


def aperture_for(fwhm: float, *, radius: float, inner: float, outer: float) -> Aperture:
    """The frame's aperture from the FWHM in pixels and radii in sigmas of the PSF."""
    sigma = max(fwhm / 2.3548, SMALLEST_RADIUS / radius)
    return Aperture(radius=radius * sigma, inner=inner * sigma, outer=outer * sigma)


def total_fluxes(detections: Detections, psf: Psf) -> Floats:
    """The total flux of each detection in ADU, from its peak and the PSF.

    Good to some 20 %, also where stars crowd; isophotal where that is larger (saturated stars), or
    so small that no star has that peak.
    """
    if len(detections) == 0:
        return np.zeros(0)
    scaled = as_stars(detections, psf)
    scaled = np.where(detections.flux < SMALL * scaled, detections.flux, scaled)
    return np.where(detections.saturated, np.maximum(detections.flux, scaled), scaled)


def measure(frame: Pixels, x: float, y: float, aperture: Aperture, *, own: int | None = None,
            find_hits: bool = True) -> Flux:
    """Measure the source at 0-based ``x``, ``y``; ``own``: its detection, None if it has none.

    ``find_hits``: whether to look for cosmic rays by the Moffat profile.

    Var = F / gain + k (A sigma^2 + A^2 sigma^2 / n_annulus) + (g^2 + s^2) F^2, with sigma and n of
    the annulus, k the excess of a crowded sky, g the flat field's grain and s the scintillation;
    besides, the errors of the neighbours' light and of the aperture's factor. An edge or a bad
    pixel inside makes a flag, not a NaN; NaN only for a place outside the frame.
    """
    return measure_all(frame, [x], [y], aperture, own=[own], find_hits=[find_hits])[0]


def measure_all(frame: Pixels, x: Sequence[float], y: Sequence[float], aperture: Aperture, *,
                own: Sequence[int | None], find_hits: Sequence[bool]) -> list[Flux]:
    """As ``measure`` of each source; of several in a fraction of the time."""
    ny, nx = frame.image.shape
    inside = [i for i, (at_x, at_y) in enumerate(zip(x, y, strict=True))
              if -0.5 <= at_x < nx - 0.5 and -0.5 <= at_y < ny - 0.5]
    found = [Flux(flux=math.nan, flux_err=math.nan, sky=math.nan, flags=Flag.EDGE)] * len(x)
    if not inside:
        return found
    stamps = _Stamps.about(frame, np.array([x[i] for i in inside]),
                           np.array([y[i] for i in inside]), aperture, [own[i] for i in inside])
    places = [frame.psf.place(x[i], y[i], aperture.radius) for i in inside]
    model = surface(stamps.r2, np.array([place.fwhm for place in places])[:, None, None],
                    frame.psf.beta)
    sums = stamps.sums(model, places, frame.sigma)
    hit = _with_cosmic_rays(frame, stamps, model, sums, places)
    for k, i in enumerate(inside):
        flags, star = stamps.flags[k], own[i]
        if find_hits[i] and frame.round_stars and hit[k]:
            flags |= Flag.BAD_PIXELS
        if star is not None and frame.looks_double(star):
            flags |= Flag.BLENDED
        found[i] = _flux(frame, sums[k], places[k], flags)
    return found


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """Of one aperture: ``total`` light and that of the ``others`` in it, ADU; its ``area``, pixels;
    the ``sky`` and its ``sigma``, ADU, by ``count`` pixels."""

    total: float
    others: float
    area: float
    sky: float
    sigma: float
    count: int

    @property
    def flux(self) -> float:
        """What is left above the sky, ADU."""
        return self.total - self.area * self.sky


def _flux(frame: Pixels, sums: _Sums, here: PsfAtPlace, flags: Flag) -> Flux:
    """The flux of an aperture and its errors."""
    flux, area, sigma, count, others = sums.flux, sums.area, sums.sigma, sums.count, sums.others
    of_pixels = area * sigma**2 * (1.0 + area / count)
    of_sky = of_pixels * frame.sky_excess
    variance = max(flux, 0.0) / frame.gain + of_sky
    if frame.sky_excess > _CROWDED and of_sky > 0.5 * variance:
        flags |= Flag.CROWDED
    error = math.hypot(math.sqrt(variance), frame.floor * flux, NEIGHBOUR_ERR * others)
    if others > max(BLEND * flux, BLEND_NOISE * error):
        flags |= Flag.BLENDED
    if not flux > LOW_SNR * error:
        flags |= Flag.LOW_SNR
    faint = of_sky - of_pixels
    alone = here.factor * math.hypot(math.sqrt(variance - faint), GRAIN * flux)
    return Flux(flux=flux * here.factor, photon_err=alone,
                confusion_err=here.factor * math.sqrt(faint),
                neighbours=others / flux if flux > 0 else 0.0,
                flux_err=here.factor * math.hypot(error, flux * here.factor_err),
                sky=sums.sky, flags=flags)


@dataclass(frozen=True, kw_only=True)
class _Stamps:
    """The pixels about n sources (n, k, k): ADU without the neighbours' ``light``; ``weights``:
    part of each inside the aperture; ``r2``: squared distance; ``in_annulus``: those that give the
    sky; ``core``: rows and columns that hold all of every aperture; ``within``: those of each that
    lie in the frame, beyond which all is 0."""

    image: Floats
    light: Floats
    weights: Floats
    r2: Floats
    in_annulus: Mask
    core: slice
    within: list[tuple[slice, slice]]
    flags: list[Flag]

    @classmethod
    def about(cls, frame: Pixels, x: Floats, y: Floats, aperture: Aperture,
              own: Sequence[int | None]) -> _Stamps:
        """Cut them out."""
        (ny, nx), half = frame.image.shape, math.ceil(aperture.outer) + 1
        step = np.arange(-half, half + 1)
        columns, rows = (np.rint(at).astype(int)[:, None] + step for at in (x, y))
        dx, dy = columns - x[:, None], rows - y[:, None]
        r2 = dy[:, :, None]**2 + dx[:, None, :]**2
        in_frame = ((rows >= 0) & (rows < ny))[:, :, None] & (
            (columns >= 0) & (columns < nx))[:, None, :]
        pixels = (nx * np.clip(rows, 0, ny - 1))[:, :, None] \
            + np.clip(columns, 0, nx - 1)[:, None, :]
        weights = np.zeros(r2.shape)
        core = slice(max(half - math.ceil(aperture.radius) - 1, 0), half + math.ceil(
            aperture.radius) + 2)
        weights[:, core, core] = circle_overlap(dx[:, core], dy[:, core], aperture.radius)
        in_annulus = (r2 >= aperture.inner**2) & (r2 <= aperture.outer**2) & in_frame
        if frame.bad is not None:
            in_annulus &= ~frame.bad.take(pixels)
        light, clear = _neighbours(frame, x, y, aperture, rows=rows, columns=columns, own=own)
        places = list(zip(x.tolist(), y.tolist(), strict=True))
        return cls(
            image=np.where(in_frame, frame.image.take(pixels) - light, 0.0),
            light=light * in_frame, weights=weights * in_frame, r2=r2,
            in_annulus=in_annulus & clear, core=core,
            within=[(_within(of_rows, ny), _within(of_columns, nx))
                    for of_rows, of_columns in zip(rows, columns, strict=True)],
            flags=[mask_flags(frame, *place, aperture.radius) | (
                Flag.EDGE if min(place[0], nx - 1 - place[0], place[1], ny - 1 - place[1])
                < aperture.outer else Flag(0)) for place in places])

    def sums(self, model: Floats, places: Sequence[PsfAtPlace], sigma: float) -> list[_Sums]:
        """What the apertures hold; ``model``: the PSF of each; ``sigma``: of the frame's sky."""
        total, area, others = (
            part.reshape(part.shape[0], -1).sum(axis=1).tolist() for part in (
                self.image * self.weights, self.weights, self.light * self.weights))
        rough = [max(one, 0.0) / here.inside for one, here in zip(total, places, strict=True)]
        below = self.image - np.array(rough)[:, None, None] * model
        skies = [_sky(*stamp, sigma) for stamp in zip(below, self.in_annulus, strict=True)]
        count = self.in_annulus.sum(axis=(1, 2)).tolist()
        return [_Sums(total=total[k], area=area[k], others=others[k], sky=skies[k][0],
                      sigma=skies[k][1], count=max(count[k], 1)) for k in range(len(places))]


def _within(places: NDArray[np.intp], size: int) -> slice:
    """Which of some rising places lie in an image of that size."""
    return slice(max(-int(places[0]), 0), min(places.size, size - int(places[0])))


def mask_flags(frame: Pixels, x: float, y: float, radius: float) -> Flag:
    """What the frame's masks say of an aperture at 0-based ``x``, ``y``."""
    flags = Flag(0)
    for mask, flag in ((frame.saturated, Flag.SATURATED), (frame.bad, Flag.BAD_PIXELS),
                       (frame.nonlinear, Flag.NONLINEAR)):
        if mask is not None and nearest_pixel(mask, x, y, radius) < radius:
            flags |= flag
    return flags


def nearest_pixel(mask: Mask, x: float, y: float, reach: float) -> float:
    """Distance to the nearest rim of a pixel of a mask, as far as ``reach``; infinite if none is
    there, 0 inside one."""
    half = math.ceil(reach) + 1
    first_x, first_y = max(0, round(x) - half), max(0, round(y) - half)
    box = mask[first_y:max(round(y) + half + 1, 0), first_x:max(round(x) + half + 1, 0)]
    if not box.any():
        return math.inf
    row, column = np.nonzero(box)
    return float(np.hypot(np.maximum(np.abs(column + first_x - x) - 0.5, 0.0),
                          np.maximum(np.abs(row + first_y - y) - 0.5, 0.0)).min())


def _sky(stamp: Floats, in_annulus: Mask, sigma: float) -> tuple[float, float]:
    """(level, noise of a pixel) of the annulus: the mean, clipped at three sigmas.

    Where the frame's own sigma stands in, there are too few pixels for one of their own.
    """
    values = stamp[in_annulus]
    if values.size < _FEWEST_SKY:
        return (float(np.median(values)) if values.size else 0.0), sigma
    median, own_sigma = robust_level(values)
    kept = values[np.abs(values - median) <= 3.0 * own_sigma]
    mean = float(np.add.reduce(kept)) / kept.size if kept.size else median
    # A mean above the median is the light of faint stars; 2.5 median - 1.5 mean is SExtractor's.
    skewed = mean - median > 2.0 * own_sigma / math.sqrt(values.size)
    return (2.5 * median - 1.5 * mean if skewed else mean), own_sigma


def _neighbours(frame: Pixels, x: Floats, y: Floats, aperture: Aperture, *,
                rows: NDArray[np.intp], columns: NDArray[np.intp],
                own: Sequence[int | None]) -> tuple[Floats, Mask]:
    """(light of the neighbours in each stamp, ADU; pixels far enough from all of them)."""
    psf, reach = frame.psf, aperture.outer + 5.0 * frame.psf.fwhm
    all_x, all_y, fluxes = (np.concatenate(pair) for pair in zip(
        (frame.detections.x, frame.detections.y, frame.fluxes), frame.hidden, strict=True))
    near = (all_x - x[:, None])**2 + (all_y - y[:, None])**2 < reach**2
    for k, star in enumerate(own):
        if star is not None:
            near[k, star] = False
    light = np.zeros((x.size, rows.shape[1], columns.shape[1]))
    clear = np.ones(light.shape, dtype=bool)
    place, other = np.nonzero(near)
    if place.size:
        flux = fluxes[other]
        r2 = (rows[place] - all_y[other, None])[:, :, None]**2 \
            + (columns[place] - all_x[other, None])[:, None, :]**2
        far = r2 > np.minimum(psf.reach2(flux, HARMLESS * frame.sigma),
                              (4.0 * psf.fwhm)**2)[:, None, None]
        each = flux[:, None, None] * surface(r2, psf.fwhm, psf.beta)
        for k, i in enumerate(place.tolist()):
            clear[i] &= far[k]
            light[i] += each[k]
    return light, clear


def _with_cosmic_rays(frame: Pixels, stamps: _Stamps, model: Floats, sums: Sequence[_Sums],
                      places: Sequence[PsfAtPlace]) -> list[bool]:
    """Which apertures hold a cosmic ray, by the Moffat profile ``model``."""
    flux, sky, sigma, part = np.array([
        (max(one.flux, 0.0), one.sky, one.sigma, here.inside)
        for one, here in zip(sums, places, strict=True)]).T[:, :, None, None]
    light = flux / part

    def compared(at: tuple[slice, ...]) -> tuple[Floats, Floats, Floats, Floats]:
        expected = model[at] * light[at[0]]
        return (stamps.image[at] - sky[at[0]], stamps.weights[at], expected,
                sigma[at[0]]**2 + expected / frame.gain)

    # Of most stars no pixel stands out at all.
    above, weights, expected, noise2 = compared((slice(None), stamps.core, stamps.core))
    stands_out: Mask = (above - expected > _COSMIC * np.sqrt(noise2)) & (weights > 0.5)
    return [bool(stands_out[k].any()) and _has_cosmic_ray(*(
        of[0] for of in compared((slice(k, k + 1), *within))))
        for k, within in enumerate(stamps.within)]


def _has_cosmic_ray(stamp: Floats, weights: Floats, model: Floats, noise2: Floats) -> bool:
    """Whether a pixel of the aperture stands alone, far above the PSF.

    ``noise2``: variance of a pixel. A star that the model fits badly leaves a residual as wide
    as itself; a cosmic ray's is not shared by the pixels around.
    """
    residual, inside = stamp - model, weights > 0.5
    at = tuple(slice(max(k.min() - 1, 0), k.max() + 2) for k in np.nonzero(inside))
    residual, model = residual[at], model[at]
    limit = _COSMIC * np.sqrt(noise2[at]) + _COSMIC_MODEL * _around(model, np.maximum.reduce)
    alone = residual - _around(residual, lambda shifted: np.median(shifted, axis=0))
    return bool(((residual > limit) & (alone > limit) & inside[at]).any())


def _around(image: Floats, function: Callable[[list[Floats]], Floats]) -> Floats:
    """A function of each pixel and its eight neighbours."""
    padded = np.pad(image, 1, mode="edge")
    ny, nx = image.shape
    return function([padded[j:j + ny, i:i + nx] for j in range(3) for i in range(3)])
