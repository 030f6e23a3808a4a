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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.detect import Detections
from iop4d.science.fwhm import moffat_alpha2
from iop4d.science.near import pairs_within
from iop4d.science.ordered import median, medians
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

    def design(self, dx: Floats, dy: Floats, fwhm: Floats, terms: int = TERMS) -> Floats:
        """Light of stars of flux 1 and its changes by the first terms, shape (n, terms, ny, nx).

        ``dx`` (n, nx), ``dy`` (n, ny): pixels of the columns and rows from the centres; ``fwhm``:
        (n,), pixels.
        """
        return self.terms_on(_Grid.of(dx, dy, fwhm, self.moffat.beta), terms)

    def terms_on(self, grid: _Grid, terms: int) -> Floats:
        """As ``design``, on the pixels of a grid."""
        u, v, width = grid.u[:, None, :], grid.v[:, :, None], grid.fwhm[:, None, None]
        light, by_u, by_v = grid.moffat
        if self.n_stars:
            matrix = np.zeros((ORDER + 1, ORDER + 1))  # [order along v, order along u]
            matrix[_PAIRS[:, 1], _PAIRS[:, 0]] = self.coefficients
            nx, along = grid.u.shape[1], grid.hermite.transpose(1, 2, 0)
            slope, along = along @ _DERIVATIVE, along[..., :-1]
            middle = along[:, nx:] @ matrix
            across = np.swapaxes(along[:, :nx], 1, 2)
            light = light + middle @ across
            by_u = by_u + middle @ np.swapaxes(slope[:, :nx], 1, 2)
            by_v = by_v + (slope[:, nx:] @ matrix) @ across
        every = np.empty((width.size, terms, *light.shape[1:]))
        np.multiply(light, width**-2, out=every[:, FLUX])
        np.multiply(by_u, -(width**-3), out=every[:, SHIFT_X])
        np.multiply(by_v, -(width**-3), out=every[:, SHIFT_Y])
        every[:, SKY] = 1.0
        if terms > SKY + 1:
            dx, dy, by_x, by_y = u * width, v * width, every[:, SHIFT_X], every[:, SHIFT_Y]
            along_x, along_y = dx * by_x, dy * by_y
            every[:, WIDTH] = along_x + along_y - 2.0 * every[:, FLUX]
            every[:, STRETCH] = along_x - along_y
            every[:, SHEAR] = dy * by_x + dx * by_y
        return every

    def priors(self, sigma: float) -> Floats:
        """Inverse expected variance of each term of a star's fit; shapes are in parts of its flux.
        """
        return np.array([0.0, 0.0, 0.0, (_SKY * sigma) ** -2, *self.scatter**-2.0])


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """The pixels about n stars, each in its own ``fwhm`` (n,): ``u`` (n, nx) of the columns, ``v``
    (n, ny) of the rows; with the functions there that several fits need."""

    u: Floats
    v: Floats
    fwhm: Floats
    beta: float

    @classmethod
    def of(cls, dx: Floats, dy: Floats, fwhm: Floats, beta: float) -> _Grid:
        """``dx``, ``dy``: as in ``Stamps``."""
        return cls(u=dx / fwhm[:, None], v=dy / fwhm[:, None], fwhm=fwhm, beta=beta)

    @cached_property
    def moffat(self) -> tuple[Floats, Floats, Floats]:
        """(n, ny, nx) a Moffat profile of FWHM and light 1, and its slopes along u and v."""
        u, v, alpha2 = self.u[:, None, :], self.v[:, :, None], moffat_alpha2(self.beta)
        q = u * u / alpha2 + (1.0 + v * v / alpha2)
        light = _moffat_peak(self.beta) * q**-self.beta
        slope = -2.0 * self.beta / alpha2 * light / q
        return light, slope * u, slope * v

    @cached_property
    def hermite(self) -> Floats:
        """Gauss-Hermite functions of the columns, then of the rows: (ORDER + 2, n, nx + ny)."""
        t = np.concatenate([self.u, self.v], axis=1) / _SCALE
        values = np.empty((ORDER + 2, *t.shape))
        values[0] = np.exp(-0.5 * t * t)
        values[1] = t * values[0]
        for n in range(1, ORDER + 1):
            values[n + 1] = t * values[n] - (0.5 * n) * values[n - 1]
        return np.asarray(values * _NORMS)


@dataclass(frozen=True, kw_only=True)
class Stamps:
    """Squares of pixels about stars: ``data``: (n, ny, nx), ADU; ``dx`` (n, nx), ``dy`` (n, ny):
    columns and rows from the centre, pixels; ``inside``: those that count; ``at``: rows and columns
    of them all in the frame, the nearest ones of those beyond it."""

    data: Floats
    dx: Floats
    dy: Floats
    inside: Mask
    at: tuple[Indices, Indices]


def cut_stamps(image: FloatImage, x: Floats, y: Floats, radius: float) -> Stamps:
    """The pixels within ``radius`` of 0-based places; those beyond the frame do not count."""
    ny, nx = image.shape
    half = int(radius + 0.5)  # of a place up to half a pixel beside its own
    step = np.arange(-half, half + 1)
    columns, rows = (np.rint(at).astype(np.intp)[:, None] + step for at in (x, y))
    dx, dy = columns - x[:, None], rows - y[:, None]
    inside = (dy * dy)[:, :, None] + (dx * dx)[:, None, :] <= radius * radius
    if columns.min() < 0 or columns.max() >= nx or rows.min() < 0 or rows.max() >= ny:
        inside &= ((columns >= 0) & (columns < nx))[:, None, :]
        inside &= ((rows >= 0) & (rows < ny))[:, :, None]
        columns, rows = np.clip(columns, 0, nx - 1), np.clip(rows, 0, ny - 1)
    at = rows[:, :, None], columns[:, None, :]
    return Stamps(data=image[at].astype(np.float64), dx=dx, dy=dy, inside=inside, at=at)


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
    fwhm = psf.widths_at(x, y)
    stamps = cut_stamps(image, x, y, REACH * psf.fwhm)
    model, dx, dy = plain, stamps.dx, stamps.dy
    grid = _Grid.of(dx, dy, fwhm, psf.beta)
    for _ in range(_ROUNDS):
        fit, _, _, noise2 = _fit_all(model, stamps, grid, SKY + 1, sigma, gain)
        shift = fit[:, SHIFT_X:SHIFT_Y + 1] / fit[:, :1]
        dx, dy = dx - shift[:, :1], dy - shift[:, 1:]
        grid = _Grid.of(dx, dy, fwhm, psf.beta)
        model = replace(model, n_stars=chosen.size, coefficients=_coefficients(
            model, stamps, grid, fit, noise2))
    return _with_scatter(model, stamps, grid, sigma, gain)


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


def _fit_all(model: EmpiricalPsf, stamps: Stamps, grid: _Grid, terms: int, sigma: float,
             gain: float) -> tuple[Floats, Floats, Floats, Floats]:
    """(the first terms of each star (n, terms), design (n, terms, pixels), residuals, variances
    (n, pixels)); ``grid``: of the stamps' pixels."""
    n = grid.fwhm.size
    basis = model.terms_on(grid, terms).reshape(n, terms, -1)
    data, inside = stamps.data.reshape(n, -1), stamps.inside.reshape(n, -1)
    light = basis[:, FLUX]
    reach = light * inside
    flux = (reach * data).sum(axis=1) / (reach * reach).sum(axis=1)
    expected = np.maximum(flux[:, None] * light, 0.0)
    noise2 = sigma**2 + expected * (1.0 / gain + _GRAIN**2 * expected)
    weight = inside / noise2
    across = basis.transpose(0, 2, 1)
    for last in (False, True):
        scaled = basis * weight[:, None]
        normal = scaled @ across
        normal[:, SKY, SKY] += 1.0 / (_SKY * sigma) ** 2
        fit = np.linalg.solve(normal, scaled @ data[..., None])[..., 0]
        off = data - (across @ fit[..., None])[..., 0]
        if not last:
            weight /= 1.0 + off * off / (_CLIP**2 * noise2)
    return fit, basis, off, noise2


def _coefficients(model: EmpiricalPsf, stamps: Stamps, grid: _Grid, fit: Floats,
                  noise2: Floats) -> Floats:
    """The Gauss-Hermite functions that the residuals of all stars ask for."""
    pixel = np.flatnonzero(stamps.inside)
    pixel = pixel[::1 + pixel.size // _MOST_PIXELS]
    star, row, column = np.unravel_index(pixel, stamps.inside.shape)
    # (functions, pixels): rows of numbers that lie side by side.
    basis = grid.hermite[:, star, column].take(_PAIRS[:, 0], axis=0)
    basis *= grid.hermite[:, star, grid.u.shape[1] + row].take(_PAIRS[:, 1], axis=0)
    scale = (fit[:, FLUX] / grid.fwhm**2)[star]
    target = (stamps.data.ravel()[pixel] - fit[star, SKY]) / scale - grid.moffat[0].ravel()[pixel]
    peak = _moffat_peak(grid.beta)
    # Each pixel weighs the same for stars much brighter than the sky.
    variance = noise2.ravel()[pixel] / scale**2 + (_EQUAL * peak) ** 2
    off = target - model.coefficients @ basis
    spread = max(MAD_TO_SIGMA * median(np.abs(off) / np.sqrt(variance)), 1.0)
    # The root of the weights: a product with its own transpose takes half the time of another one.
    root = np.sqrt(1.0 / (variance + off**2 / (_CLIP**2 * spread**2)))
    basis *= root
    normal = basis @ basis.T
    normal.ravel()[::len(_PAIRS) + 1] += (_RIDGE * peak) ** -2
    return np.linalg.solve(normal, basis @ (target * root))


def _with_scatter(model: EmpiricalPsf, stamps: Stamps, grid: _Grid, sigma: float,
                  gain: float) -> EmpiricalPsf:
    """The model with how much single stars differ from it."""
    fit, basis, off, noise2 = _fit_all(model, stamps, grid, TERMS, sigma, gain)
    flux = fit[:, :1]
    shapes = fit[:, WIDTH:] / flux
    mean = medians(shapes.T)
    scatter = MAD_TO_SIGMA * medians(np.abs(shapes - mean).T)
    inside = stamps.inside.reshape(off.shape)
    photons = noise2 - (_GRAIN * np.maximum(flux * basis[:, FLUX], 0.0)) ** 2
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

    ``basis``: (..., terms, pixels) of a star; a part of the peak's light counts everywhere.
    """
    light, by_x, by_y = (basis[..., term, :] for term in (FLUX, SHIFT_X, SHIFT_Y))
    return np.asarray(np.maximum(light, 0.0) + 0.5 * np.sqrt(by_x * by_x + by_y * by_y)
                      + _EVERYWHERE * light.max(axis=-1, keepdims=True))


def _moffat_peak(beta: float) -> float:
    """The middle of a Moffat profile of FWHM and light 1."""
    return (beta - 1.0) / (math.pi * moffat_alpha2(beta))


_PAIRS = np.array([(n, m) for n in range(ORDER + 1) for m in range(ORDER + 1 - n)])
# d phi_n / dt = sqrt(n/2) phi_(n-1) - sqrt((n+1)/2) phi_(n+1), of orders 0 to ORDER.
_DERIVATIVE = (np.diag(np.sqrt(np.arange(1, ORDER + 2) / 2.0), 1)
               - np.diag(np.sqrt(np.arange(1, ORDER + 2) / 2.0), -1))[:, :ORDER + 1] / _SCALE
# What makes the squares of He_n(t) exp(-t^2 / 2), the leading coefficient 1, sum up to 1.
_NORMS = np.array([math.sqrt(2.0**n / (math.factorial(n) * math.sqrt(math.pi)))
                   for n in range(ORDER + 2)])[:, None, None]
