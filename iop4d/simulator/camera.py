"""A CCD camera: what it makes of stars, light and time. Arrays are ``[y, x]``, 0-based."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Image = NDArray[np.floating[Any]]

_BATCH = 8_000  # quarters of pixels of stars that are made at a time: they fit the cache
_KEPT = 3  # CCDs whose fixed images are kept: 8 to 47 MB each
_BETA = 3.5  # of the Moffat profile: wings as real seeing has them
_ALPHA_PER_FWHM = 0.5 / np.sqrt(2 ** (1 / _BETA) - 1)


@dataclass(frozen=True, kw_only=True)
class Ccd:
    """A CCD's facts. ``zero_point``: magnitude of a star that gives 1 ADU/s outside the air."""

    name: str
    shape: tuple[int, int]  # (ny, nx) as read out
    pixel_arcsec: float  # as read out
    gain_e_adu: float
    read_noise_e: float
    bias_adu: float
    full_adu: float  # where the converter clips
    zero_point: dict[str, float]
    sky_mag: dict[str, float]  # of a square arcsecond of dark sky
    diameter_m: float
    height_m: float
    seed: int  # of what never changes: flat field, bias pattern, hot pixels
    dark_e_s: float = 0.0  # electrons a pixel and second; hot pixels have far more
    dtype: str = "f8"  # of the work: f4 where there are many pixels


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of a CCD that is read out: ``x``, ``y`` of its first pixel (0-based), its size."""

    x: int
    y: int
    nx: int
    ny: int

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.ny, self.nx

    def of(self, whole: Image) -> Image:
        """That part of an array of the whole CCD."""
        return whole[self.y:self.y + self.ny, self.x:self.x + self.nx]


#: AndorT90 binned 2x2. The zero point makes R = 14 a star of 38,000 ADU in 60 s, which a 0.9 m
#: telescope with a total efficiency of 0.4 gives; R = 11 saturates.
ANDOR_T90 = Ccd(
    name="AndorT90", shape=(1024, 1024), pixel_arcsec=0.774, gain_e_adu=4.5, read_noise_e=8.0,
    bias_adu=330.0, full_adu=65535.0,
    zero_point={"B": 20.9, "V": 21.1, "R": 21.0, "I": 20.5},
    sky_mag={"B": 22.0, "V": 21.3, "R": 20.7, "I": 19.3},
    diameter_m=0.9, height_m=2896.0, seed=90)


@dataclass(frozen=True, kw_only=True)
class Psf:
    """The star images of a frame: FWHM in pixels at the centre; it grows towards the corners."""

    fwhm_px: float
    growth: float = 0.04  # fraction by which the FWHM is larger in the corners
    tilt: float = 0.01  # and by which it differs from left to right
    ellipticity: float = 0.04
    angle: float = 0.6  # radians

    def fwhm_at(self, x: Image, y: Image, shape: tuple[int, int]) -> Image:
        """FWHM in pixels at places; shape as x."""
        u, v = 2 * x / shape[1] - 1, 2 * y / shape[0] - 1
        return self.fwhm_px * (1 + self.growth * (u * u + v * v) / 2 + self.tilt * u)


def flat_field(ccd: Ccd) -> Image:
    """Relative sensitivity of each pixel, mean 1: vignetting, 1 % of grain, and dust.

    What never changes of a CCD is made once, and cannot be written.
    """
    return _flat_field(ccd.seed, ccd.shape, ccd.dtype)


@lru_cache(maxsize=_KEPT)
def _flat_field(seed: int, shape: tuple[int, int], dtype: str) -> Image:
    rng = np.random.default_rng(seed)
    ny, nx = shape
    y, x = np.arange(ny)[:, None], np.arange(nx)[None, :]
    flat = 1.0 - 0.06 * ((2 * x / nx - 1) ** 2 + (2 * y / ny - 1) ** 2)
    flat *= 1.0 + 0.01 * rng.standard_normal(shape)
    for _ in range(8):  # doughnuts: the shadow of dust on the window
        x0, y0 = rng.uniform(0, nx), rng.uniform(0, ny)
        size = rng.uniform(12, 30)
        reach = size + 40.0  # beyond which the shadow is nothing, to the last bit
        near = (slice(max(int(y0 - reach), 0), int(y0 + reach) + 1),
                slice(max(int(x0 - reach), 0), int(x0 + reach) + 1))
        radius = np.hypot(x[:, near[1]] - x0, y[near[0]] - y0)
        flat[near] *= 1.0 - 0.05 * np.exp(-(((radius - size) / 5.0) ** 2))
    return _fixed((flat / flat.mean()).astype(dtype, copy=False))


def bias_level(ccd: Ccd) -> Image:
    """The bias with its pattern of columns and rows, in ADU, and a few hot pixels."""
    return _bias_level(ccd.seed, ccd.shape, ccd.bias_adu, ccd.dtype)


@lru_cache(maxsize=_KEPT)
def _bias_level(seed: int, shape: tuple[int, int], bias_adu: float, dtype: str) -> Image:
    rng = np.random.default_rng(seed + 1)
    ny, nx = shape
    level = bias_adu + rng.normal(0, 0.8, nx)[None, :] + rng.normal(0, 0.4, ny)[:, None]
    level = level + 4.0 * np.exp(-np.arange(nx) / 40.0)[None, :]
    hot = rng.integers(0, ny * nx, 60)
    level.ravel()[hot] += rng.exponential(400.0, 60)
    return _fixed(level.astype(dtype, copy=False))


def _fixed(image: Image) -> Image:
    """An image that cannot be written, as several nights have it."""
    image.flags.writeable = False
    return image


def dark_current(ccd: Ccd) -> Image:
    """Electrons a second of each pixel in the dark; one pixel in 5,000 is hot."""
    rng = np.random.default_rng(ccd.seed + 2)
    ny, nx = ccd.shape
    dark = np.full(ccd.shape, ccd.dark_e_s, dtype=ccd.dtype)
    if ccd.dark_e_s:
        hot = rng.integers(0, ny * nx, ny * nx // 5000)
        dark.ravel()[hot] += rng.exponential(100.0 * ccd.dark_e_s, hot.size).astype(ccd.dtype)
    return dark


def star_light(x: Image, y: Image, flux: Image, psf: Psf, shape: tuple[int, int], *,
               whole: tuple[int, int] | None = None, origin: tuple[int, int] = (0, 0),
               dtype: DTypeLike = np.float64) -> Image:
    """The light of stars on an image: ``flux`` in any unit, integrated over each pixel.

    Moffat profiles of beta 3.5, whose total outside any stamp is below 1e-3 of the flux. ``origin``
    (x, y) and ``whole`` (ny, nx): where the image lies on the CCD, which decides the star images.
    """
    image: Image = np.zeros(shape, dtype=dtype)
    fwhm = psf.fwhm_at(x + origin[0], y + origin[1], whole or shape)
    brightness = flux / max(float(np.median(flux)), 1e-30)
    for factor, low, high in ((4.0, 0.0, 3.0), (8.0, 3.0, 100.0), (25.0, 100.0, np.inf)):
        chosen = np.flatnonzero((brightness >= low) & (brightness < high))
        half = int(np.ceil(factor * psf.fwhm_px))
        for batch in np.array_split(chosen, max(1, len(chosen) * half * half // _BATCH)):
            _add(image, x[batch], y[batch], flux[batch], fwhm[batch], psf, half)
    return image


def _add(image: Image, x: Image, y: Image, flux: Image, fwhm: Image, psf: Psf,
         half: int) -> None:
    """Add stamps of one size."""
    if len(x) == 0:
        return
    ny, nx = image.shape
    x0, y0 = np.round(x).astype(int), np.round(y).astype(int)
    offsets = np.arange(-half, half + 1)
    # Samples a pixel each way; of star images ten pixels wide the middle of each is enough.
    fine = 4 if psf.fwhm_px < 4 else 2 if psf.fwhm_px < 10 else 1
    steps = (np.arange(fine) + 0.5) / fine - 0.5
    stamps = np.zeros((len(x), 2 * half + 1, 2 * half + 1), dtype=image.dtype)
    alpha = (_ALPHA_PER_FWHM * fwhm).astype(image.dtype, copy=False)
    cos, sin = np.cos(psf.angle), np.sin(psf.angle)
    wide = (1.0 + psf.ellipticity / 2) ** 2
    # r^2 / a^2 = uu u^2 + vv v^2 + uv u v, of which the squares are those of a row and a column.
    uu, vv = cos**2 / wide + sin**2 * wide, sin**2 / wide + cos**2 * wide
    uv, inverse = 2.0 * cos * sin * (1.0 / wide - wide), (1.0 / alpha**2)[:, None]
    r2, rest = np.empty_like(stamps), np.empty_like(stamps)
    for dy in steps:
        v = offsets[None, :] + dy + (y0 - y)[:, None]
        columns = (1.0 + vv * v * v * inverse).astype(image.dtype)[:, :, None]
        slant = (uv * v * inverse).astype(image.dtype)[:, :, None]
        for dx in steps:
            u = offsets[None, :] + dx + (x0 - x)[:, None]
            np.add(columns, (uu * u * u * inverse).astype(image.dtype)[:, None, :], out=r2)
            if uv:
                r2 += np.multiply(slant, u[:, None, :].astype(image.dtype), out=rest)
            np.sqrt(r2, out=rest)
            for _ in range(3):
                rest *= r2
            stamps += np.reciprocal(rest, out=rest)
    # The integral of (1 + r^2/a^2)^-beta over the plane is pi a^2 / (beta - 1).
    scale = flux * (_BETA - 1) / (np.pi * alpha**2) / fine**2
    stamps *= scale[:, None, None].astype(image.dtype)
    for stamp, cx, cy in zip(stamps, x0, y0, strict=True):
        top, left = cy - half, cx - half
        ys, xs = slice(max(top, 0), min(cy + half + 1, ny)), slice(max(left, 0),
                                                                   min(cx + half + 1, nx))
        if ys.start < ys.stop and xs.start < xs.stop:
            image[ys, xs] += stamp[ys.start - top:ys.stop - top, xs.start - left:xs.stop - left]


def expose(ccd: Ccd, light_adu: Image, rng: np.random.Generator, *, cosmic_rays: int = 0,
           bias: Image | None = None, dark_e: Image | None = None,
           hits: tuple[tuple[int, int, float], ...] = ()) -> NDArray[np.uint16]:
    """A raw frame of expected light (ADU, after the flat field): noise, cosmic rays, clipping.

    ``bias``: level in ADU of the pixels that are read, if not of all; ``dark_e``: electrons that
    come without light; ``hits``: (x, y, electrons) of cosmic rays at given places. The work is done
    in the light's precision.
    """
    shape, dtype = light_adu.shape, light_adu.dtype
    electrons = np.clip(light_adu, 0, None) * dtype.type(ccd.gain_e_adu)
    if dark_e is not None:
        electrons += dark_e
    # Beyond some hundred electrons Poisson's distribution is a Gaussian one, which is fast.
    if electrons.mean() > 300:
        electrons = electrons + np.sqrt(electrons) * _normal(rng, shape, dtype)
    elif electrons.any():  # of no light it would draw nothing, pixel by pixel
        electrons = rng.poisson(electrons).astype(dtype)
    for _ in range(cosmic_rays):
        _cosmic_ray(electrons, rng)
    for x, y, charge in hits:
        if 0 <= y < shape[0] and 0 <= x < shape[1]:
            electrons[y, x] += charge
    electrons += dtype.type(ccd.read_noise_e) * _normal(rng, shape, dtype)
    adu = electrons / dtype.type(ccd.gain_e_adu) + (bias_level(ccd) if bias is None else bias)
    return np.clip(np.rint(adu), 0, ccd.full_adu).astype(np.uint16)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Image:
    if dtype == np.float32:
        return rng.standard_normal(shape, dtype=np.float32)
    return rng.standard_normal(shape)


def _cosmic_ray(electrons: Image, rng: np.random.Generator) -> None:
    ny, nx = electrons.shape
    length, angle = int(rng.integers(1, 7)), rng.uniform(0, np.pi)
    steps = np.arange(length)
    y = (rng.uniform(0, ny) + steps * np.sin(angle)).astype(int)
    x = (rng.uniform(0, nx) + steps * np.cos(angle)).astype(int)
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    electrons[y[inside], x[inside]] += rng.exponential(6000.0)


def scintillation(ccd: Ccd, exptime_s: float, airmass: float) -> float:
    """Relative standard deviation of a star's flux (Young 1967, with D in cm, h in m)."""
    diameter_cm = 100 * ccd.diameter_m
    return float(0.09 * diameter_cm ** (-2 / 3) * airmass**1.75 / np.sqrt(2 * exptime_s)
                 * np.exp(-ccd.height_m / 8000.0))


_OSN_SKY = ANDOR_T90.sky_mag

#: RoperT90: the same telescope with a gain of 7.14, and not as sensitive in the blue.
ROPER_T90 = Ccd(
    name="RoperT90", shape=(1024, 1024), pixel_arcsec=0.774, gain_e_adu=7.14, read_noise_e=10.0,
    bias_adu=410.0, full_adu=65535.0,
    zero_point={"B": 20.2, "V": 20.5, "R": 20.5, "I": 20.0}, sky_mag=_OSN_SKY,
    diameter_m=0.9, height_m=2896.0, seed=91)

#: AndorT150 binned 2x2: 2.8 times the light of the 0.9 m telescope, 1.12 mag.
ANDOR_T150 = Ccd(
    name="AndorT150", shape=(1024, 1024), pixel_arcsec=0.464, gain_e_adu=4.5, read_noise_e=8.0,
    bias_adu=350.0, full_adu=65535.0,
    zero_point={"B": 22.02, "V": 22.22, "R": 22.12, "I": 21.62}, sky_mag=_OSN_SKY,
    diameter_m=1.5, height_m=2896.0, seed=150)

#: CAFOS: the middle of its chip. 2.2 m give 6 times the light of 0.9 m, less what the collimator,
#: the plate and the prism lose.
CAFOS = Ccd(
    name="CAFOS", shape=(2048, 2048), pixel_arcsec=0.530, gain_e_adu=1.45, read_noise_e=5.0,
    bias_adu=690.0, full_adu=65535.0,
    zero_point={"B": 23.6, "V": 23.9, "R": 23.8, "I": 23.2},
    sky_mag={"B": 22.0, "V": 21.3, "R": 20.7, "I": 19.2},
    diameter_m=2.2, height_m=2168.0, seed=220)
CAFOS_PHOTOMETRY = Window(x=400, y=400, nx=1024, ny=1024)
CAFOS_POLARIMETRY = Window(x=512, y=512, nx=800, ny=800)

#: The middle of a camera behind two Wollaston prisms of a 0.6 m telescope.
TWO_PRISMS = Ccd(
    name="TwoPrisms", shape=(640, 640), pixel_arcsec=1.1188, gain_e_adu=1.2, read_noise_e=9.0,
    bias_adu=500.0, full_adu=65535.0,
    zero_point={"B": 21.0, "V": 21.2, "R": 21.2, "I": 20.6}, sky_mag=_OSN_SKY,
    diameter_m=0.6, height_m=1009.0, seed=60)

#: DIPOL binned 2x2: a CMOS camera of a gain of 1, with dark current.
DIPOL = Ccd(
    name="DIPOL", shape=(2822, 4144), pixel_arcsec=0.134, gain_e_adu=1.0, read_noise_e=3.5,
    bias_adu=250.0, full_adu=65535.0,
    zero_point={"B": 22.2, "V": 22.5, "R": 22.3}, sky_mag=_OSN_SKY,
    diameter_m=0.9, height_m=2896.0, seed=16, dark_e_s=0.03, dtype="f4")
DIPOL_PART = (1120, 896)  # pixels (x, y) of a sub-frame: 2.5 by 2.0 arcmin
