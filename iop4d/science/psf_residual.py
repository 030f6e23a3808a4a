"""What is wrong inside an aperture: a star's pixels compared with the frame's PSF.

The star and its neighbours are fitted at once by the empirical PSF. A cosmic ray, a hot or a dead
pixel then stands out of the residual alone, with its sign; a companion too close to be parted draws
the image out. The fluxes of the fit are PSF photometry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.empirical_psf import (
    FLUX,
    REACH,
    SHIFT_X,
    SHIFT_Y,
    SKY,
    STRETCH,
    TERMS,
    EmpiricalPsf,
    cut_stamps,
    nearby_light,
)
from iop4d.science.ordered import median
from iop4d.science.psf import surface

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

HIT = 5.0  # sigmas by which a pixel must differ from the fit: one clean star in 10,000 has one
_GOOD_MISFIT = 0.05  # of the PSF, above which its residuals are no noise: the limits widen
DOUBLE = 5.0  # sigmas by which a star must be drawn out more than the frame's others
ODD = 3.0  # errors by which a star's pixels differ from any star in the root mean square
# Sigmas of a flux within which a hit just below the threshold must stay: five, less a tenth since
# hits of two unlike pixels are seen less well.
UNSEEN = 4.5
MOST_NEIGHBOURS = 6
_ROUNDS = 2
_HALO = 2.5  # FWHM of a galaxy around a star, in the star's
_SMALL = 64  # pixels of an aperture in which hits of two pixels are looked for
_STILL = 0.02  # FWHM of a step of the fit below which its terms tell the rest of the shift
_FARTHEST = 0.7  # FWHM by which the fit may move a star
_FIRM = 1e-10  # part by which a normal matrix's diagonal grows: nothing where it is not singular
_WEAK = 1e-12  # inverse variance of every term: one that nothing tells of stays 0
_NEIGHBOUR_REACH = REACH + 1.0  # FWHM within which a neighbour's light counts


@dataclass(frozen=True, kw_only=True)
class StarFit:
    """A star's fit by the PSF; ADU unless said otherwise.

    ``flux``, ``flux_err``: in the PSF's units, which the frame's stars tie to an aperture's;
    ``hit``: what the worst pixel holds besides the star, negative for a dead one; ``hit_sigmas``
    and ``odd`` are divided by how much worse than a good one the frame's PSF is;
    ``hidden``: the largest hit that the test would not see; ``stretch_sigmas``: by how much the
    image is drawn out more than the frame's others; ``odd``: the residual's root mean square in its
    errors if the star may be drawn out and lie in a round galaxy.
    """

    flux: float
    flux_err: float
    hit: float
    hit_sigmas: float
    hidden: float
    stretch_sigmas: float
    odd: float

    @property
    def is_hit(self) -> bool:
        """Whether pixels are no part of the star, rather than the star being two."""
        one = self.hit_sigmas > HIT and self.hit_sigmas >= self.stretch_sigmas
        return one or (self.odd > ODD and self.stretch_sigmas < DOUBLE)

    @property
    def is_double(self) -> bool:
        """Whether a companion draws the star's image out."""
        return self.stretch_sigmas > DOUBLE and not self.is_hit


def fit_star(image: FloatImage, psf: EmpiricalPsf, x: float, y: float, *, sigma: float, gain: float,
             radius: float, sky: float = 0.0, neighbours: tuple[Floats, Floats] | None = None,
             bad: NDArray[np.bool_] | None = None) -> StarFit | None:
    """Fit one star at 0-based ``x``, ``y``; None where there is nothing to fit.

    ``image``: float32, background subtracted; ``sky``: above it, ADU per pixel; ``sigma``: noise of
    a sky pixel; ``radius``: of the aperture, pixels: hits count inside it; ``neighbours``: (x, y)
    of other stars, the brightest first; ``bad``: pixels that do not count.
    """
    place = np.array([x]), np.array([y])
    fwhm = float(psf.moffat.widths_at(*place)[0])
    stamp = cut_stamps(image, *place, max(REACH * fwhm, radius + 0.5))
    inside = stamp.inside[0]
    if bad is not None:
        inside &= ~bad[stamp.at][0]
    data = stamp.data[0][inside] - sky
    around = _near(x, y, neighbours, _NEIGHBOUR_REACH * fwhm)
    if data.size < TERMS + 3 * around.shape[0] + 3:
        return None
    r2 = (stamp.dx[0][None, :] ** 2 + stamp.dy[0][:, None] ** 2)[inside]
    halo = surface(r2, _HALO * fwhm, psf.moffat.beta)
    shifts, fit = np.zeros((1 + around.shape[0], 2)), None
    for _ in range(_ROUNDS):
        basis = _basis(psf, stamp.dx[0], stamp.dy[0], fwhm, around, shifts)[:, inside]
        fit = _solve(psf, basis, data, halo, sigma=sigma, gain=gain)
        moved = _moved(shifts, fit.terms, _FARTHEST * fwhm)
        if np.abs(moved - shifts).max() < _STILL * fwhm:
            break
        shifts = moved
    rows, columns = np.nonzero(inside)
    counts = r2 <= (radius + 0.3) ** 2
    return _judge(psf, fit, _Where(rows=rows[counts], columns=columns[counts], counts=counts)) \
        if fit is not None and counts.any() else None


@dataclass(frozen=True, kw_only=True)
class _Where:
    """Which pixels of the fit lie in the aperture, ``counts``, and their rows and columns."""

    rows: Indices
    columns: Indices
    counts: NDArray[np.bool_]

    def pairs(self) -> tuple[Indices, Indices]:
        """The pixels side by side, where they are few."""
        if self.rows.size > _SMALL:
            return self.rows[:0], self.rows[:0]
        down = self.rows[None, :] - self.rows[:, None]
        right = self.columns[None, :] - self.columns[:, None]
        first, second = np.nonzero(((down == 0) & (right == 1)) | ((down == 1) & (right == 0)))
        return first, second


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """A fit of T terms to P pixels. ``basis``: (T, P); ``normal``: (T, T), without the priors;
    ``prior``: (T,) inverse variances; ``residual``, ``noise2``: (P,)."""

    terms: Floats
    basis: Floats
    data: Floats
    residual: Floats
    noise2: Floats
    halo: Floats
    normal: Floats
    prior: Floats
    right: Floats


def _near(x: float, y: float, others: tuple[Floats, Floats] | None, reach: float) -> Floats:
    if others is None:
        return np.zeros((0, 2))
    dx, dy = others[0] - x, others[1] - y
    index = np.flatnonzero(np.hypot(dx, dy) < reach)[:MOST_NEIGHBOURS]
    return np.column_stack([dx[index], dy[index]])


def _basis(psf: EmpiricalPsf, dx: Floats, dy: Floats, fwhm: float, around: Floats,
           shifts: Floats) -> Floats:
    """Design (terms, ny, nx): the star's terms, then flux and shifts of each neighbour."""
    centres = np.vstack([np.zeros((1, 2)), around]) + shifts
    every = psf.design(dx[None, :] - centres[:, :1], dy[None, :] - centres[:, 1:],
                       np.full(len(centres), fwhm))
    return np.concatenate([every[0], *every[1:, :SKY]])


def _solve(psf: EmpiricalPsf, basis: Floats, data: Floats, halo: Floats, *, sigma: float,
           gain: float) -> _Fit:
    shapes = slice(SKY + 1, TERMS)
    priors = np.zeros(len(basis))
    priors[:TERMS] = psf.priors(sigma)
    fluxes = [FLUX, *range(TERMS, len(basis), SKY)]
    light = basis[fluxes]
    nearby = np.array([nearby_light(basis[k:k + SKY]) for k in fluxes])
    terms: Floats = np.zeros(len(basis))
    terms[fluxes] = np.maximum(np.linalg.solve(_firm(light @ light.T), light @ data), 0.0)
    for _ in range(2):
        flux, known = float(terms[FLUX]), np.maximum(terms[fluxes], 0.0)
        expected = np.maximum(known @ light, 0.0)
        noise2 = sigma**2 + expected / gain + (psf.misfit * (known @ nearby)) ** 2
        prior = priors.copy()
        prior[shapes] /= max(flux, 1e-9) ** 2
        scaled = basis / noise2
        normal = scaled @ basis.T
        target = data - (psf.mean * flux) @ basis[shapes]
        right = scaled @ target
        terms = np.linalg.solve(_firm(normal, prior + _WEAK), right)
    return _Fit(terms=terms, basis=basis, data=data, residual=target - terms @ basis,
                noise2=noise2, halo=halo, normal=normal, prior=prior, right=right)


def _firm(normal: Floats, prior: Floats | float = 0.0) -> Floats:
    """A normal matrix with priors that is not singular where two stars are at one place: each has
    any part of their light, and errors that say so."""
    firm = normal.copy()
    diagonal = firm.ravel()[::len(firm) + 1]
    diagonal += _FIRM * diagonal + prior
    return firm


def _moved(shifts: Floats, terms: Floats, farthest: float) -> Floats:
    """The places after a step of the fit, none further than ``farthest`` from where it began."""
    moved = shifts.copy()
    for star in range(len(shifts)):
        first = 0 if star == 0 else TERMS + SKY * (star - 1)
        flux = terms[first + FLUX]
        if flux > 0:
            moved[star] += np.clip(terms[[first + SHIFT_X, first + SHIFT_Y]] / flux, -0.5, 0.5)
    return np.clip(moved, -farthest, farthest)


def _judge(psf: EmpiricalPsf, fit: _Fit, where: _Where) -> StarFit:
    inverse = np.asarray(np.linalg.inv(_firm(fit.normal, fit.prior + _WEAK)), dtype=np.float64)
    leverage: Floats = ((inverse @ fit.basis) * fit.basis).sum(axis=0) / fit.noise2
    free: Floats = np.maximum(1.0 - leverage, 1e-3)
    # A galaxy, or a star that the PSF fits badly, differs in all its pixels.
    scaled = np.abs(fit.residual) / np.sqrt(fit.noise2 * free)
    chi = max(MAD_TO_SIGMA * median(scaled), 1.0)
    poor = max(psf.misfit / _GOOD_MISFIT, 1.0)
    extra, err = _extra_light(fit, inverse, free, where)
    err = err * chi * poor
    sigmas = np.abs(extra) / err
    worst = int(np.argmax(sigmas))
    return StarFit(
        flux=float(fit.terms[FLUX]), flux_err=math.sqrt(float(inverse[FLUX, FLUX])) * chi,
        hit=float(extra[worst]), hit_sigmas=float(sigmas[worst]), hidden=HIT * float(err.max()),
        stretch_sigmas=_stretch(psf, fit), odd=_odd(fit) / poor)


def _extra_light(fit: _Fit, inverse: Floats, free: Floats,
                 where: _Where) -> tuple[Floats, Floats]:
    """(what a place holds besides the star, its error): for each pixel of the aperture, and for
    pairs of pixels side by side where a star is as small as the trace of a hit.

    That is the amplitude of a light of its own there, fitted together with the star: of a pixel
    the residual over ``free``, one minus its leverage.
    """
    use = where.counts
    extra, err = (fit.residual / free)[use], np.sqrt(fit.noise2 / free)[use]
    first, second = where.pairs()
    if first.size:
        weight = 1.0 / fit.noise2[use]
        scaled = fit.basis[:, use] * weight
        every = np.diag(weight) - scaled.T @ inverse @ scaled
        both = every[first, first] + every[second, second] + 2.0 * every[first, second]
        both = np.maximum(both, 1e-3 * weight[first])
        data = weight * fit.residual[use]
        # A light of 1 in each of the two.
        extra = np.concatenate([extra, 2.0 * (data[first] + data[second]) / both])
        err = np.concatenate([err, 2.0 * both**-0.5])
    return extra, err


def _odd(fit: _Fit) -> float:
    """Root mean square of what no star, drawn out or in a round galaxy, explains, in its errors."""
    noise = np.sqrt(fit.noise2)
    basis, data = np.vstack([fit.basis, fit.halo]) / noise, fit.data / noise
    off = data - np.linalg.solve(_firm(basis @ basis.T), basis @ data) @ basis
    return math.sqrt(float(off @ off) / max(data.size - len(basis), 1))


def _stretch(psf: EmpiricalPsf, fit: _Fit) -> float:
    """Ellipticity beyond the frame's in sigmas, both shapes left free."""
    flux = float(fit.terms[FLUX])
    if not flux > 0:
        return 0.0
    free = fit.prior.copy()
    free[SKY + 1:TERMS] = 0.0
    inverse = np.linalg.inv(_firm(fit.normal, free))
    shape = (inverse @ fit.right)[STRETCH:TERMS] / flux
    variance = inverse[STRETCH:TERMS, STRETCH:TERMS] / flux**2 + np.diag(psf.scatter[1:] ** 2)
    chi2 = float(shape @ np.linalg.solve(variance, shape))
    return math.sqrt(max(chi2, 0.0))
