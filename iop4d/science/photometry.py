"""Aperture photometry at given places: fluxes, errors and flags.

Fluxes are sums over exact circles; the sky is that of an annulus, without the light of
the star's own wings and of the neighbours, which the frame's PSF gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
from iop4d.science.psf import Psf, surface

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
    def round_stars(self) -> bool:
        """Whether the PSF is the model's closely enough to tell cosmic rays from stars."""
        bright = np.flatnonzero(~self.detections.saturated & ~self.detections.edge)[:50]
        elongation = median(self.detections.elongation[bright]) if bright.size else 1.0
        return self.psf.fwhm > _SAMPLED and elongation < _ROUND

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
    besides, the errors of the neighbours' light and of
    the aperture's factor. An edge or a bad pixel inside makes a flag, not a NaN; NaN only for a
    place outside the frame.
    """
    ny, nx = frame.image.shape
    if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
        return Flux(flux=math.nan, flux_err=math.nan, sky=math.nan, flags=Flag.EDGE)
    stamp = _stamp(frame, x, y, aperture, own)
    weights, flags = stamp.weights, stamp.flags
    here = frame.psf.place(x, y, aperture.radius)
    model = surface(stamp.r2, here.fwhm, frame.psf.beta)
    area = float(weights.sum())
    total = float((stamp.image * weights).sum())
    rough = max(total, 0.0) / here.inside
    sky, sigma = _sky(stamp.image - rough * model, stamp.in_annulus, frame.sigma)
    flux = total - area * sky
    count = max(int(stamp.in_annulus.sum()), 1)
    of_pixels = area * sigma**2 * (1.0 + area / count)
    of_sky = of_pixels * frame.sky_excess
    variance = max(flux, 0.0) / frame.gain + of_sky
    if frame.sky_excess > _CROWDED and of_sky > 0.5 * variance:
        flags |= Flag.CROWDED
    others = float((stamp.light * weights).sum())
    error = math.hypot(math.sqrt(variance), frame.floor * flux, NEIGHBOUR_ERR * others)
    if others > max(BLEND * flux, BLEND_NOISE * error):
        flags |= Flag.BLENDED
    expected = model * max(flux, 0.0) / here.inside
    if find_hits and frame.round_stars and _has_cosmic_ray(stamp.image - sky, weights, expected,
                                             sigma**2 + expected / frame.gain):
        flags |= Flag.BAD_PIXELS
    if own is not None and frame.looks_double(own):
        flags |= Flag.BLENDED
    if not flux > LOW_SNR * error:
        flags |= Flag.LOW_SNR
    faint = of_sky - of_pixels
    alone = here.factor * math.hypot(math.sqrt(variance - faint), GRAIN * flux)
    return Flux(flux=flux * here.factor, photon_err=alone,
                confusion_err=here.factor * math.sqrt(faint),
                neighbours=others / flux if flux > 0 else 0.0,
                flux_err=here.factor * math.hypot(error, flux * here.factor_err),
                sky=sky, flags=flags)


@dataclass(frozen=True, kw_only=True)
class _Stamp:
    """The pixels about a source: ADU without the neighbours' ``light``; ``weights``: part of each
    inside the aperture; ``r2``: squared distance; ``in_annulus``: those that give the sky."""

    image: Floats
    light: Floats
    weights: Floats
    r2: Floats
    in_annulus: Mask
    flags: Flag


def _stamp(frame: Pixels, x: float, y: float, aperture: Aperture, own: int | None) -> _Stamp:
    ny, nx = frame.image.shape
    half = math.ceil(aperture.outer) + 1
    rows = slice(max(0, round(y) - half), min(ny, round(y) + half + 1))
    columns = slice(max(0, round(x) - half), min(nx, round(x) + half + 1))
    dx = np.arange(columns.start, columns.stop) - x
    dy = np.arange(rows.start, rows.stop) - y
    r2 = dy[:, None] ** 2 + dx[None, :] ** 2
    weights = circle_overlap(dx, dy, aperture.radius)
    flags = mask_flags(frame, x, y, aperture.radius)
    if min(x, nx - 1 - x, y, ny - 1 - y) < aperture.outer:
        flags |= Flag.EDGE
    in_annulus = (r2 >= aperture.inner**2) & (r2 <= aperture.outer**2)
    if frame.bad is not None:
        in_annulus &= ~frame.bad[rows, columns]
    light, clear = _neighbours(frame, x, y, aperture, rows=rows, columns=columns, own=own)
    return _Stamp(image=frame.image[rows, columns].astype(np.float64) - light, light=light,
                  weights=weights, r2=r2, in_annulus=in_annulus & clear, flags=flags)


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
    mean = float(kept.mean()) if kept.size else median
    # A mean above the median is the light of faint stars; 2.5 median - 1.5 mean is SExtractor's.
    skewed = mean - median > 2.0 * own_sigma / math.sqrt(values.size)
    return (2.5 * median - 1.5 * mean if skewed else mean), own_sigma


def _neighbours(frame: Pixels, x: float, y: float, aperture: Aperture, *, rows: slice,
                columns: slice, own: int | None) -> tuple[Floats, Mask]:
    """(light of the neighbours in the stamp, ADU; pixels far enough from all of them)."""
    found, psf = frame.detections, frame.psf
    light = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    clear = np.ones(light.shape, dtype=bool)
    near = np.hypot(found.x - x, found.y - y) < aperture.outer + 5.0 * psf.fwhm
    if own is not None:
        near[own] = False
    here = np.hypot(frame.hidden[0] - x, frame.hidden[1] - y) < aperture.outer + 5.0 * psf.fwhm
    every = np.concatenate([np.stack([found.x, found.y, frame.fluxes])[:, near],
                            np.stack(frame.hidden)[:, here]], axis=1)
    for other_x, other_y, flux in every.T.tolist():
        r2 = (np.arange(rows.start, rows.stop)[:, None] - other_y) ** 2 \
            + (np.arange(columns.start, columns.stop)[None, :] - other_x) ** 2
        clear &= r2 > min(float(psf.reach2(flux, HARMLESS * frame.sigma)), (4.0 * psf.fwhm) ** 2)
        light += flux * surface(r2, psf.fwhm, psf.beta)
    return light, clear


def _has_cosmic_ray(stamp: Floats, weights: Floats, model: Floats, noise2: Floats) -> bool:
    """Whether a pixel of the aperture stands alone, far above the PSF.

    ``noise2``: variance of a pixel. A star that the model fits badly leaves a residual as wide
    as itself; a cosmic ray's is not shared by the pixels around.
    """
    residual, inside = stamp - model, weights > 0.5
    if not ((residual > _COSMIC * np.sqrt(noise2)) & inside).any():
        return False
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
