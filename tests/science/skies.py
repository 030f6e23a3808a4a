"""Small synthetic frames whose truth is known by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.reduction.masters import CalibratedImage
from iop4d.reduction.stars import find_sky, find_stars
from iop4d.science.photometry import Aperture, Pixels, aperture_for, total_fluxes
from iop4d.science.psf import surface
from iop4d.simulator.camera import Psf as SimulatedPsf
from iop4d.simulator.camera import star_light

Floats = NDArray[np.float64]


def gaussian_stars(shape: tuple[int, int], x: Floats, y: Floats, flux: Floats,
                   fwhm: float) -> NDArray[np.float32]:
    """Gaussian stars integrated over pixels, each of total ``flux``; float32 [y, x]."""
    from scipy.special import erf

    sigma = fwhm / 2.3548
    image = np.zeros(shape)
    for x0, y0, f in zip(x, y, flux, strict=True):
        edges = [(np.arange(n + 1) - 0.5 - c) / (sigma * np.sqrt(2.0))
                 for n, c in ((shape[1], x0), (shape[0], y0))]
        column, row = (np.diff(erf(edge)) / 2.0 for edge in edges)
        image += f * np.outer(row, column)
    return image.astype(np.float32)


def moffat_stars(shape: tuple[int, int], x: Floats, y: Floats, flux: Floats, fwhm: Floats,
                 beta: float = 3.5) -> NDArray[np.float32]:
    """Moffat stars of total ``flux``, each of its own FWHM; 3 x 3 points for each pixel."""
    image = np.zeros(shape)
    rows, columns = np.indices(shape)
    for x0, y0, f, w in zip(x, y, flux, fwhm, strict=True):
        for dy in (-1 / 3, 0.0, 1 / 3):
            for dx in (-1 / 3, 0.0, 1 / 3):
                r2 = (columns + dx - x0) ** 2 + (rows + dy - y0) ** 2
                image += f / 9.0 * surface(r2, float(w), beta)
    return image.astype(np.float32)


def grid(n: int, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places of ``n`` x ``n`` stars, far apart, off the pixels' centres, within ``size`` px."""
    step = size / n
    x, y = np.meshgrid((np.arange(n) + 0.5) * step, (np.arange(n) + 0.5) * step)
    return (x.ravel() + rng.uniform(-0.5, 0.5, n * n), y.ravel() + rng.uniform(-0.5, 0.5, n * n))


@dataclass(frozen=True, kw_only=True)
class NoisyField:
    """Stars far apart on a frame of the simulator's camera, brightest first, and their truth."""

    x: Floats
    y: Floats
    flux: Floats
    pixels: Pixels
    aperture: Aperture


Change = Callable[[NDArray[np.floating], int, int, float], None]


def noisy_field(fwhm: float, *, side: int = 6, ellipticity: float = 0.04, seed: int = 7,
                hollow: bool = False, companion: tuple[float, float] = (0.0, 0.0),
                change: Change | None = None, stars: Iterable[int] = ()) -> NoisyField:
    """``side``^2 stars of Moffat profiles, integrated over pixels, with noise as of a real frame.

    ``companion``: (part of its light, distance in FWHM) of a second star beside each of ``stars``;
    ``change``: what befalls the pixels of those, by (image above the sky, x, y, flux).
    """
    rng, gain, level = np.random.default_rng(seed), 4.5, 200.0
    x, y = grid(side, 330, rng)
    flux = np.sort(np.exp(rng.uniform(np.log(1.5e4), np.log(3e5), x.size)))[::-1]
    turn = rng.uniform(0.0, 2.0 * np.pi, x.size)
    psf = SimulatedPsf(fwhm_px=fwhm, ellipticity=ellipticity)
    light = star_light(x, y, flux, psf, (330, 330))
    if hollow:  # out of focus
        core = star_light(x, y, flux, replace(psf, fwhm_px=fwhm / 2), (330, 330))
        light = 1.3 * light - 0.3 * core
    chosen = list(stars)
    if companion[0]:
        light += star_light(x[chosen] + companion[1] * fwhm * np.cos(turn[chosen]),
                            y[chosen] + companion[1] * fwhm * np.sin(turn[chosen]),
                            companion[0] * flux[chosen], psf, (330, 330))
    electrons = (light + level) * gain
    electrons += np.sqrt(electrons) * rng.standard_normal(light.shape)
    image = (electrons + 8.0 * rng.standard_normal(light.shape)) / gain
    image *= 1.0 + 0.002 * rng.standard_normal(light.shape)
    if change is not None:
        for star in chosen:
            place = rng.uniform(-0.5, 0.5, 2) if change.__name__ == "hit" else np.zeros(2)
            change(image, round(float(x[star] + place[0] * fwhm)),
                   round(float(y[star] + place[1] * fwhm)), float(flux[star]))
    frame = CalibratedImage(image=image.astype(np.float32), saturated=None, bad=None)
    found = find_stars(frame, find_sky(frame), threshold=5.0)
    pixels = Pixels(image=frame.image, sigma=found.sky.sigma, gain=gain, bad=None, saturated=None,
                    scintillation=0.0011,  # of a 0.9 m telescope in a minute
                    detections=found.detections, psf=found.psf, sharp=found.sharp,
                    fluxes=total_fluxes(found.detections, found.psf))
    return NoisyField(x=x, y=y, flux=flux, pixels=pixels, aperture=aperture_for(
        found.psf.fwhm, radius=3.0, inner=5.0, outer=9.0))
