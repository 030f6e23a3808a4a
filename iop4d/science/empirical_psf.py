"""The PSF of a frame as its own bright stars show it: a Moffat profile and what they add to it.

The pixels of a star at its centroid are samples of one smooth function, the effective PSF (Anderson
& King 2000, PASP 112, 1360). Here it is the Moffat profile of :mod:`psf` with the local width, plus
Gauss-Hermite functions (shapelets; Refregier 2003, MNRAS 338, 35) fitted to all bright stars at
once. How far single stars differ from it, in shape and pixel by pixel, is measured too: that is
what a hit, a dead pixel or a companion has to exceed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.detect import Detections
from iop4d.science.fwhm import moffat_alpha2
from iop4d.science.near import pairs_within
from iop4d.science.ordered import median
from iop4d.science.psf import Psf

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

ORDER = 8  # of the Gauss-Hermite functions: they follow details of half a FWHM
REACH = 1.6  # FWHM from the centre to which the PSF is fitted and compared
MOST_STARS = 16
_SCALE = 0.4  # FWHM, of the Gauss-Hermite functions: they reach as far as the fit
_BRIGHT = 25.0  # peak over sky noise that a star of the PSF needs
_RIVAL = 0.03  # part of its light that a star nearby may have
_FEWEST = 4  # stars from which the Gauss-Hermite functions are fitted
_ROUNDS = 2
_RIDGE = 0.02  # expected size of a coefficient, as a part of the peak
_GRAIN = 0.01  # part of its light by which a pixel may be off, while the PSF is fitted
_EQUAL = 0.003  # part of the peak below which a pixel's error does not raise its weight
_MOST_PIXELS = 1500  # that enter the fit of the functions
_EVERYWHERE = 0.05  # part of the peak's light: far wings are followed less closely
_SKY = 0.3  # part of a pixel's noise by which the sky below a star may be off
_CLIP = 4.0  # sigmas of a pixel beyond which it hardly counts
_SMALLEST_MISFIT = 0.003  # part of a pixel's light: the grain of flat fields
_PRIOR_MISFIT = 0.03  # where there are too few stars to measure it
_PRIOR_SHAPE = 0.04  # scatter of width and ellipticity then
_SMALLEST_SHAPE = 0.003
# Terms of the fit of one star: flux, shift in x and y, sky, width, two ellipticities.
FLUX, SHIFT_X, SHIFT_Y, SKY, WIDTH, STRETCH, SHEAR = range(7)
TERMS = 7


@dataclass(frozen=True, kw_only=True)
class EmpiricalPsf:
    """The effective PSF of a frame.

    ``moffat``: the profile below; ``coefficients``: of the Gauss-Hermite functions, in parts of
    the light for a FWHM of 1; ``misfit``: by which part of the light in and around a pixel single
    stars differ from it (1 sigma); ``mean``, ``scatter``: of a star's relative width and two
    ellipticities against it; ``n_stars``: that made it, 0 where there were too few.
    """

    moffat: Psf
    coefficients: Floats
    misfit: float
    mean: Floats
    scatter: Floats
    n_stars: int

    def design(self, dx: Floats, dy: Floats, fwhm: Floats) -> Floats:
        """Light of stars of flux 1 and its changes by each term, shape (n, ny, nx, TERMS).

        ``dx`` (n, nx), ``dy`` (n, ny): pixels of the columns and rows from the centres; ``fwhm``:
        (n,), pixels.
        """
        width = fwhm[:, None, None]
        u, v = (dx / fwhm[:, None])[:, None, :], (dy / fwhm[:, None])[:, :, None]
        light, by_u, by_v = _moffat(u, v, self.moffat.beta)
        if self.n_stars:
            matrix = np.zeros((ORDER + 1, ORDER + 1))  # [order along v, order along u]
            matrix[_PAIRS[:, 1], _PAIRS[:, 0]] = self.coefficients
            along = _hermite(np.concatenate([u[:, 0, :], v[:, :, 0]], axis=1))
            slope, along, nx = along @ _DERIVATIVE, along[..., :-1], dx.shape[1]
            middle = along[:, nx:] @ matrix
            across = np.swapaxes(along[:, :nx], 1, 2)
            light = light + middle @ across
            by_u = by_u + middle @ np.swapaxes(slope[:, :nx], 1, 2)
            by_v = by_v + (slope[:, nx:] @ matrix) @ across
        light, by_u, by_v = (part / width**2 for part in (light, by_u, by_v))
        return np.stack([
            light, -by_u / width, -by_v / width, np.ones_like(light),
            -(2.0 * light + u * by_u + v * by_v), -(u * by_u - v * by_v), -(v * by_u + u * by_v),
        ], axis=-1)

    def priors(self, sigma: float) -> Floats:
        """Inverse expected variance of each term of a star's fit; shapes are in parts of its flux.
        """
        return np.array([0.0, 0.0, 0.0, (_SKY * sigma) ** -2, *self.scatter**-2.0])


@dataclass(frozen=True, kw_only=True)
class Stamps:
    """Squares of pixels about stars: ``data``: (n, ny, nx), ADU; ``dx`` (n, nx), ``dy`` (n, ny):
    columns and rows from the centre, pixels; ``inside``: those that count."""

    data: Floats
    dx: Floats
    dy: Floats
    inside: NDArray[np.bool_]


def cut_stamps(image: FloatImage | Mask, x: Floats, y: Floats, radius: float) -> Stamps:
    """The pixels within ``radius`` of 0-based places; those beyond the frame do not count."""
    ny, nx = image.shape
    half = math.ceil(radius)
    step = np.arange(-half, half + 1)
    columns, rows = np.rint(x).astype(int)[:, None] + step, np.rint(y).astype(int)[:, None] + step
    dx, dy = columns - x[:, None], rows - y[:, None]
    inside = ((columns >= 0) & (columns < nx))[:, None, :] & ((rows >= 0) & (rows < ny))[:, :, None]
    data = image[np.clip(rows, 0, ny - 1)[:, :, None], np.clip(columns, 0, nx - 1)[:, None, :]]
    near = dy[:, :, None] ** 2 + dx[:, None, :] ** 2 <= radius * radius
    return Stamps(data=data.astype(np.float64), dx=dx, dy=dy, inside=inside & near)


def fit_empirical_psf(image: FloatImage, detections: Detections, psf: Psf, *, sigma: float,
                      gain: float, usable: Indices | None = None) -> EmpiricalPsf:
    """The effective PSF of a background-subtracted float32 frame.

    ``psf``: its Moffat profile; ``sigma``: noise of a sky pixel, ADU; ``gain``: electrons per ADU;
    ``usable``: detections that are no cosmic rays, all by default. With fewer than four bright
    lonely stars it is the Moffat profile, and the misfit is a guess.
    """
    chosen = _stars_of_psf(detections, psf, sigma, usable)
    plain = EmpiricalPsf(moffat=psf, coefficients=np.zeros(len(_PAIRS)), n_stars=0,
                         misfit=_PRIOR_MISFIT, mean=np.zeros(3), scatter=np.full(3, _PRIOR_SHAPE))
    if chosen.size < _FEWEST:
        return plain
    x, y = detections.x[chosen], detections.y[chosen]
    fwhm = psf.fwhm_at(x, y)[0]
    stamps = cut_stamps(image, x, y, REACH * psf.fwhm)
    model = plain
    for _ in range(_ROUNDS):
        fit, _, _, noise2 = _fit_all(model, stamps, fwhm, SKY + 1, sigma, gain)
        stamps = replace(stamps, dx=stamps.dx - fit[:, SHIFT_X, None] / fit[:, FLUX, None],
                         dy=stamps.dy - fit[:, SHIFT_Y, None] / fit[:, FLUX, None])
        model = replace(model, n_stars=chosen.size, coefficients=_coefficients(
            model, stamps, fwhm, fit, noise2))
    return _with_scatter(model, stamps, fwhm, sigma, gain)


def _stars_of_psf(found: Detections, psf: Psf, sigma: float, usable: Indices | None) -> Indices:
    good = ~found.saturated & ~found.edge & (found.peak > _BRIGHT * sigma)
    if usable is not None:
        allowed = np.zeros(len(found), dtype=bool)
        allowed[usable] = True
        good &= allowed
    index = np.flatnonzero(good)[:3 * MOST_STARS]
    star, other, apart = pairs_within((REACH + 1.0) * psf.fwhm, found.x[index], found.y[index],
                                      found.x, found.y)
    lonely = np.ones(index.size, dtype=bool)
    lonely[star[(apart > 0.5) & (found.flux[other] > _RIVAL * found.flux[index[star]])]] = False
    return index[lonely][:MOST_STARS]


def _fit_all(model: EmpiricalPsf, stamps: Stamps, fwhm: Floats, terms: int, sigma: float,
             gain: float) -> tuple[Floats, Floats, Floats, Floats]:
    """(the first terms of each star (n, terms), design, residuals, variances (n, pixels))."""
    n = fwhm.size
    basis = model.design(stamps.dx, stamps.dy, fwhm)[..., :terms].reshape(n, -1, terms)
    data, inside = stamps.data.reshape(n, -1), stamps.inside.reshape(n, -1)
    light = basis[..., FLUX]
    reach = np.where(inside, light, 0.0)
    flux = (reach * data).sum(axis=1) / (reach * reach).sum(axis=1)
    expected = np.maximum(flux[:, None] * light, 0.0)
    noise2 = sigma**2 + expected / gain + (_GRAIN * expected) ** 2
    weight = inside / noise2
    for last in (False, True):
        scaled = np.swapaxes(basis * weight[..., None], 1, 2)
        normal = scaled @ basis
        normal[:, SKY, SKY] += 1.0 / (_SKY * sigma) ** 2
        fit = np.linalg.solve(normal, scaled @ data[..., None])
        off = data - (basis @ fit)[..., 0]
        if not last:
            weight = weight / (1.0 + off**2 / (_CLIP**2 * noise2))
    return fit[..., 0], basis, off, noise2


def _coefficients(model: EmpiricalPsf, stamps: Stamps, fwhm: Floats, fit: Floats,
                  noise2: Floats) -> Floats:
    """The Gauss-Hermite functions that the residuals of all stars ask for."""
    beta, flux = model.moffat.beta, fit[:, FLUX]
    u, v = stamps.dx / fwhm[:, None], stamps.dy / fwhm[:, None]
    star, row, column = np.nonzero(stamps.inside)
    every = slice(None, None, 1 + star.size // _MOST_PIXELS)
    star, row, column = star[every], row[every], column[every]
    basis = (_hermite(u)[star, column][:, _PAIRS[:, 0]] * _hermite(v)[star, row][:, _PAIRS[:, 1]])
    scale = (flux / fwhm**2)[star]
    below = _moffat(u[star, column], v[star, row], beta)[0]
    target = (stamps.data[star, row, column] - fit[star, SKY]) / scale - below
    peak = float(_moffat(np.zeros(1), np.zeros(1), beta)[0][0])
    # Each pixel weighs the same for stars much brighter than the sky.
    variance = noise2.reshape(stamps.data.shape)[star, row, column] / scale**2 \
        + (_EQUAL * peak) ** 2
    off = target - basis @ model.coefficients
    spread = max(MAD_TO_SIGMA * median(np.abs(off) / np.sqrt(variance)), 1.0)
    # The root of the weights: a product with its own transpose takes half the time of another one.
    root = np.sqrt(1.0 / (variance * (1.0 + off**2 / (_CLIP**2 * spread**2 * variance))))
    scaled = basis * root[:, None]
    return np.linalg.solve(scaled.T @ scaled + np.eye(basis.shape[1]) * (_RIDGE * peak) ** -2,
                           scaled.T @ (target * root))


def _with_scatter(model: EmpiricalPsf, stamps: Stamps, fwhm: Floats, sigma: float,
                  gain: float) -> EmpiricalPsf:
    """The model with how much single stars differ from it."""
    fit, basis, off, noise2 = _fit_all(model, stamps, fwhm, TERMS, sigma, gain)
    flux = fit[:, :1]
    shapes = fit[:, WIDTH:] / flux
    mean = np.median(shapes, axis=0)
    scatter = MAD_TO_SIGMA * np.median(np.abs(shapes - mean), axis=0)
    inside = stamps.inside.reshape(off.shape)
    photons = noise2 - (_GRAIN * np.maximum(flux * basis[..., FLUX], 0.0)) ** 2
    near = np.maximum(flux * nearby_light(basis), 1e-9)
    left = 1.0 - TERMS / np.maximum(inside.sum(axis=1, keepdims=True), TERMS + 1)
    weight = np.where(inside, near**2 / (photons + (0.01 * near) ** 2), 0.0)
    excess = ((off**2 - photons * left) / near**2 * weight).sum(axis=1) / weight.sum(axis=1)
    misfit = math.sqrt(max(median(excess), 0.0))
    few = 1.0 + 1.5 / math.sqrt(flux.shape[0])  # few stars do not tell how much stars scatter
    return replace(model, mean=mean, misfit=few * max(misfit, _SMALLEST_MISFIT),
                   scatter=few * np.maximum(scatter, _SMALLEST_SHAPE))


def nearby_light(basis: Floats) -> Floats:
    """Light in and around a pixel, by which a model may be wrong there, for a flux of 1.

    ``basis``: (..., pixels, terms) of a star; a part of the peak's light counts everywhere.
    """
    light, by_x, by_y = basis[..., FLUX], basis[..., SHIFT_X], basis[..., SHIFT_Y]
    return np.asarray(np.maximum(light, 0.0) + 0.5 * np.hypot(by_x, by_y)
                      + _EVERYWHERE * light.max(axis=-1, keepdims=True))


def _moffat(u: Floats, v: Floats, beta: float) -> tuple[Floats, Floats, Floats]:
    """A Moffat profile of FWHM and light 1, and its slopes along u and v."""
    alpha2 = moffat_alpha2(beta)
    q = 1.0 + (u * u + v * v) / alpha2
    light = (beta - 1.0) / (math.pi * alpha2) * q**-beta
    slope = -2.0 * beta / alpha2 * light / q
    return light, slope * u, slope * v


def _hermite(u: Floats) -> Floats:
    """Gauss-Hermite functions of orders 0 to ORDER + 1, shape (..., ORDER + 2)."""
    t = u / _SCALE
    values = [math.pi**-0.25 * np.exp(-0.5 * t * t)]
    values.append(math.sqrt(2.0) * t * values[0])
    for n in range(1, ORDER + 1):
        values.append(math.sqrt(2.0 / (n + 1)) * t * values[n]
                      - math.sqrt(n / (n + 1)) * values[n - 1])
    return np.stack(values, axis=-1)


_PAIRS = np.array([(n, m) for n in range(ORDER + 1) for m in range(ORDER + 1 - n)])
# d phi_n / dt = sqrt(n/2) phi_(n-1) - sqrt((n+1)/2) phi_(n+1), of orders 0 to ORDER.
_DERIVATIVE = (np.diag(np.sqrt(np.arange(1, ORDER + 2) / 2.0), 1)
               - np.diag(np.sqrt(np.arange(1, ORDER + 2) / 2.0), -1))[:, :ORDER + 1] / _SCALE
