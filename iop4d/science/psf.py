"""The image of a star as a Moffat profile whose width changes slowly over the frame.

Moffat 1969, A&A 3, 455. An aperture of three sigmas misses 1 to 14 % of a star's light; where the
width changes by 5 % over the field, so does this loss by up to 0.02 mag. The model gives the
loss at each place, and the light of wings and neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from operator import mul

import numpy as np
import sep
from numpy.typing import ArrayLike, NDArray

from iop4d.model.units import MAD_TO_SIGMA
from iop4d.science.detect import Detections
from iop4d.science.fwhm import Widths, moffat_alpha2, moffat_excess
from iop4d.science.near import pairs_within
from iop4d.science.ordered import median

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]

# Moffat's exponent of seeing with wings, and how much it varies, in its logarithm; Trujillo et al.
# 2001, MNRAS 328, 977: 2.5 to 4.8.
TYPICAL_BETA = 3.3
_BETA_SPREAD = 0.35
_CURVE_ERR = 0.004  # of a curve of growth, by pixels and shapes that are no Moffat profile
# Expected variation of ln FWHM over a frame, for each of its polynomial's terms: the optics of a
# sound telescope change the width by several percent from the middle to the corner.
_PRIOR = 0.06
_RADII = (0.45, 0.65, 0.9, 1.274, 1.7, 2.1)  # FWHM, of the curve of growth; 1.274 is 3 sigma
_REFERENCE = 3  # the curve is normalised at this radius
_BETAS = np.geomspace(2.0, 15.0, 30)
_SCALES = np.linspace(0.97, 1.03, 5)  # of the FWHM, which is right to some 3 %
_ANNULUS = (2.123, 3.822)  # FWHM: 5 and 9 sigma
_FEWEST_FOR_BETA = 3


@dataclass(frozen=True, kw_only=True)
class PsfAtPlace:
    """What the PSF is at a place: its FWHM, pixels; the part of a star's light ``inside`` an
    aperture, and the aperture's factor with its relative error."""

    fwhm: float
    inside: float
    factor: float
    factor_err: float


@dataclass(frozen=True, kw_only=True)
class Psf:
    """A frame's point spread function (PSF).

    ``fwhm``: typical, pixels; ``beta``: Moffat's exponent; ``slopes``: of ln(FWHM / fwhm) by X,
    Y, X^2, XY, Y^2 with X, Y in [-1, 1] over the frame, ``covariance``: theirs; ``shape``:
    (ny, nx) of the frame.
    """

    fwhm: float
    beta: float
    slopes: Floats
    covariance: Floats
    shape: tuple[int, int]

    def fwhm_at(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """(FWHM in pixels, its error as a fraction) at 0-based pixels."""
        terms = _terms(np.atleast_1d(x), np.atleast_1d(y), self.shape)
        variance = ((terms @ self.covariance) * terms).sum(axis=1)
        return self.fwhm * np.exp(terms @ self.slopes), np.sqrt(np.maximum(variance, 0.0))

    def widths_at(self, x: Floats, y: Floats) -> Floats:
        """(N,) FWHM in pixels at 0-based pixels."""
        return np.asarray(self.fwhm * np.exp(_terms(x, y, self.shape) @ self.slopes))

    def aperture_factor(self, x: ArrayLike, y: ArrayLike,
                        radius: float | Floats) -> tuple[Floats, Floats]:
        """(factor, relative error) that turns an aperture's flux into that of the typical star.

        (N,) for N places, or (N, R) for R radii. The error is that of the place: it is 0 where the
        width is the same all over.
        """
        width, err = self.fwhm_at(x, y)
        if np.ndim(radius):
            width, err = width[:, None], err[:, None]
        typical = encircled(radius, self.fwhm, self.beta)
        here = encircled(radius, width, self.beta)
        wider = encircled(radius, width * 1.01, self.beta)
        return typical / here, np.abs(np.log(wider / here)) / 0.01 * err

    def place(self, x: float, y: float, radius: float) -> PsfAtPlace:
        """``fwhm_at`` and ``aperture_factor`` of one place and radius, in a tenth of the time."""
        X, Y = 2.0 * x / (self.shape[1] - 1) - 1.0, 2.0 * y / (self.shape[0] - 1) - 1.0
        terms = (X, Y, X * X, X * Y, Y * Y)
        slopes, covariance = self._as_lists
        fwhm = self.fwhm * math.exp(sum(map(mul, terms, slopes)))
        err = math.sqrt(max(sum(t * sum(map(mul, terms, row))
                                for t, row in zip(terms, covariance, strict=True)), 0.0))
        unit = moffat_alpha2(self.beta)

        def inside(width: float) -> float:
            return float(1.0 - math.pow(1.0 + radius**2 / (width * width * unit), 1.0 - self.beta))

        here = inside(fwhm)
        return PsfAtPlace(fwhm=fwhm, inside=here, factor=inside(self.fwhm) / here,
                     factor_err=abs(math.log(inside(fwhm * 1.01) / here)) / 0.01 * err)

    @cached_property
    def _as_lists(self) -> tuple[list[float], list[list[float]]]:
        return self.slopes.tolist(), self.covariance.tolist()

    def reach2(self, flux: ArrayLike, light: float) -> Floats:
        """Squared distance, pixels squared, from which on stars give a pixel less than ``light``.

        ``flux``: total, in the unit of ``light``; 0 for a star that gives no pixel as much.
        """
        centre = np.asarray(flux, dtype=np.float64) * float(surface(0.0, self.fwhm, self.beta))
        return np.asarray(float(_alpha2(np.float64(self.fwhm), self.beta)) * (
            np.maximum(centre / light, 1.0) ** (1.0 / self.beta) - 1.0))


def encircled(radius: ArrayLike, fwhm: ArrayLike, beta: float) -> Floats:
    """The part of a Moffat star's light inside a centred circle."""
    alpha2 = _alpha2(np.asarray(fwhm, dtype=np.float64), beta)
    inside = 1.0 - (1.0 + np.asarray(radius, dtype=np.float64) ** 2 / alpha2) ** (1.0 - beta)
    return np.asarray(inside)


def moffat_radius(part: ArrayLike, fwhm: float, beta: float) -> Floats:
    """The radius of the circle that holds a ``part`` of a Moffat star's light, below 1."""
    alpha2 = float(_alpha2(np.float64(fwhm), beta))
    outside = 1.0 - np.asarray(part, dtype=np.float64)
    return np.asarray(np.sqrt(alpha2 * (outside ** (1.0 / (1.0 - beta)) - 1.0)))


def mean_square_radius(fwhm: float, beta: float) -> float:
    """The mean of r^2 over a Moffat star's light, alpha^2 / (beta - 2), in squares of the FWHM's
    unit; of wings so wide that it has none (beta near 2), that of the narrowest beyond doubt."""
    return float(_alpha2(np.float64(fwhm), beta)) / max(beta - 2.0, 0.5)


def surface(r2: Floats | float, fwhm: float | Floats, beta: float) -> Floats:
    """The part of a Moffat star's light in a pixel at squared distance ``r2`` (pixels squared)."""
    alpha2 = float(_alpha2(np.float64(fwhm), beta)) if isinstance(fwhm, float) \
        else _alpha2(fwhm, beta)
    return np.asarray((beta - 1.0) / (math.pi * alpha2) * (1.0 + r2 / alpha2) ** -beta)


def fit_psf(image: FloatImage, detections: Detections, widths: Widths, *,
            sigma: float) -> Psf:
    """The PSF of a background-subtracted float32 frame whose widths are measured."""
    fwhm, slopes, covariance = _fit_slopes(detections, widths, image.shape)
    beta = _fit_beta(image, detections, widths, fwhm=fwhm, sigma=sigma)
    return Psf(fwhm=fwhm / moffat_excess(beta), beta=beta, slopes=slopes, covariance=covariance,
               shape=(image.shape[0], image.shape[1]))


def plain_psf(fwhm: float, shape: tuple[int, int]) -> Psf:
    """A PSF of which nothing but the width is known."""
    return Psf(fwhm=fwhm, beta=TYPICAL_BETA, slopes=np.zeros(5),
               covariance=np.eye(5) * _PRIOR**2, shape=shape)


def _alpha2(fwhm: Floats | np.float64, beta: float) -> Floats:
    return np.asarray(fwhm * fwhm * moffat_alpha2(beta))


def _terms(x: NDArray[np.floating], y: NDArray[np.floating], shape: tuple[int, ...]) -> Floats:
    X = 2.0 * np.asarray(x, dtype=np.float64) / (shape[1] - 1) - 1.0
    Y = 2.0 * np.asarray(y, dtype=np.float64) / (shape[0] - 1) - 1.0
    return np.array([X, Y, X * X, X * Y, Y * Y]).T


def _fit_slopes(detections: Detections, widths: Widths,
                shape: tuple[int, ...]) -> tuple[float, Floats, Floats]:
    """Bayesian linear fit of ln FWHM, outliers down-weighted: (typical FWHM, slopes, covariance).

    The prior keeps the slopes of a frame with few stars near zero, and their errors honest.
    """
    index = widths.index
    terms = _terms(detections.x[index], detections.y[index], shape)
    basis = np.column_stack([np.ones(index.size), terms])
    target = np.log(widths.each / widths.fwhm)
    prior = np.diag([0.0, *[_PRIOR**-2] * 5])
    err = widths.err
    weight = err**-2
    for _ in range(4):
        covariance: Floats = np.asarray(
            np.linalg.inv(basis.T @ (weight[:, None] * basis) + prior), dtype=np.float64)
        solution = covariance @ (basis.T @ (weight * target))
        left = target - basis @ solution
        # Widths scatter more than photons make them, by neighbours and pixel phase.
        spread = MAD_TO_SIGMA * median(np.abs(left / err)) if index.size > 8 else 1.0
        total = err * max(spread, 1.0)
        weight = 1.0 / (total**2 * (1.0 + (left / (3.0 * total)) ** 2))
    return (widths.fwhm * math.exp(float(solution[0])), solution[1:], covariance[1:, 1:])


def _fit_beta(image: FloatImage, detections: Detections, widths: Widths, *, fwhm: float,
              sigma: float) -> float:
    """Moffat's exponent that fits the median curve of growth of bright lonely stars."""
    growth = _growth(image, detections, widths, fwhm=fwhm, sigma=sigma)
    if growth is None:
        return TYPICAL_BETA
    curve, err = growth
    off = (_curves() - curve) / err
    chi2 = np.sum(off**2, axis=2).min(axis=1) + (
        np.log(_BETAS / TYPICAL_BETA) / _BETA_SPREAD) ** 2
    best = int(np.argmin(chi2))
    return float(_BETAS[best]) if math.isfinite(chi2[best]) else TYPICAL_BETA


@cache
def _curves() -> Floats:
    """Growth as ``_growth`` measures it, by exponent, scale of the width and radius (B, S, R)."""
    radii, (inner, outer) = np.array(_RADII), _ANNULUS
    curves = []
    for beta in _BETAS.tolist():
        scales = _SCALES / moffat_excess(beta)
        # The annulus holds light of the star's own wings, which its sky takes away.
        wings = encircled(outer, scales, beta) - encircled(inner, scales, beta)
        model = encircled(radii, scales[:, None], beta) \
            - radii**2 * wings[:, None] / (outer**2 - inner**2)
        curves.append(model / model[:, _REFERENCE, None])
    return np.stack(curves)


def _growth(image: FloatImage, detections: Detections, widths: Widths, *, fwhm: float,
            sigma: float) -> tuple[Floats, Floats] | None:
    """Median of flux(radius) / flux(3 sigma) and its error; None if there are too few stars.

    The sky is that of the annulus.
    """
    index = widths.index[:60]
    x, y = detections.x[index], detections.y[index]
    bright = detections.flux[index] > 150.0 * sigma * fwhm
    star, other, distance = pairs_within((_ANNULUS[1] - 0.5) * fwhm, x, y, detections.x,
                                         detections.y)
    rival = (distance > 0.5) & (detections.flux[other] > 0.03 * detections.flux[index[star]])
    lonely = bright.copy()
    lonely[star[rival]] = False
    if lonely.sum() < _FEWEST_FOR_BETA:
        return None
    x, y = x[lonely], y[lonely]
    inner, outer = (radius * fwhm for radius in _ANNULUS)
    sky = sep.sum_circann(image, x, y, inner, outer, subpix=1)[0] / (
        math.pi * (outer**2 - inner**2))
    flux = np.stack([sep.sum_circle(image, x, y, radius * fwhm, subpix=0)[0]
                     - sky * math.pi * (radius * fwhm) ** 2 for radius in _RADII], axis=1)
    reference = flux[:, _REFERENCE]
    good = reference > 0
    if good.sum() < _FEWEST_FOR_BETA:
        return None
    ratio = flux[good] / reference[good, None]
    curve = np.median(ratio, axis=0)
    scatter = MAD_TO_SIGMA * np.median(np.abs(ratio - curve), axis=0)
    err = np.hypot(1.25 * scatter / math.sqrt(ratio.shape[0]), _CURVE_ERR)
    return np.asarray(curve), np.asarray(err)
