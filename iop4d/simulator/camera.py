"""A CCD: from the light that falls on it to the numbers in the file. Arrays are [y, x].

Its blemishes (bias pattern, flat field, hot pixels) follow from ``Camera.serial`` alone: the same
camera has the same ones in every frame and on every night.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A CCD on its telescope; all figures but ``unbinned_px`` and ``pixel_arcsec`` are per binned
    pixel as read out.

    Parity: row 0 is the first in the file; with rows upwards and ``is_mirrored`` false, north is up
    and east is left (the determinant of CD is negative), as after an even number of mirrors.
    ``full_well_e``: charge beyond it bleeds along the column; None: the pixel holds it all.
    """

    unbinned_px: int = 2048
    pixel_arcsec: float = 0.387
    binning: int = 2
    gain_e_adu: float = 4.5
    read_noise_e: float = 8.0
    bias_adu: float = 480.0
    dark_e_s: float = 0.004
    saturation_adu: int = 65535
    full_well_e: float | None = None
    aperture_cm: float = 90.0
    altitude_m: float = 2896.0
    is_mirrored: bool = False
    hot_pixels: int = 60
    cosmic_rays_per_minute: float = 10.0
    psf_growth: float = 0.02
    ellipticity: float = 0.03
    serial: int = 90

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of a frame."""
        return (self.unbinned_px // self.binning,) * 2

    @property
    def scale_arcsec(self) -> float:
        """Arcseconds a binned pixel."""
        return self.pixel_arcsec * self.binning


@lru_cache(maxsize=4)
def bias_level(camera: Camera) -> Floats:
    """The noiseless bias in ADU: a level, a ramp near the readout, rows and columns."""
    rng = np.random.default_rng([camera.serial, 1])
    ny, nx = camera.shape
    columns = rng.normal(0.0, 1.2, nx) + 6.0 * np.exp(-np.arange(nx) / 40.0)
    rows = rng.normal(0.0, 0.6, ny) + 3.0 * np.linspace(-0.5, 0.5, ny)
    return camera.bias_adu + columns[None, :] + rows[:, None]


@lru_cache(maxsize=8)
def flat_field(camera: Camera, band: str) -> Floats:
    """Relative sensitivity, mean 1: vignetting, 1 % from pixel to pixel, shadows of dust.

    The grain differs by band; dust on the window does not.
    """
    ny, nx = camera.shape
    v, u = np.mgrid[-1.0:1.0:ny * 1j, -1.0:1.0:nx * 1j]
    flat = 1.0 - 0.05 * ((u - 0.06) ** 2 + (v + 0.04) ** 2)
    rng = np.random.default_rng([camera.serial, 2])
    for _ in range(9):
        radius = rng.uniform(0.02, 0.05)
        ring = np.hypot(u - rng.uniform(-1, 1), v - rng.uniform(-1, 1)) / radius
        flat *= 1.0 - rng.uniform(0.02, 0.05) * np.exp(-((ring - 0.75) ** 2) / 0.05)
    grain = np.random.default_rng([camera.serial, 3, zlib.crc32(band.encode())])
    flat *= 1.0 + 0.01 * grain.standard_normal((ny, nx))
    return np.asarray(flat / flat.mean())


@lru_cache(maxsize=4)
def dark_current(camera: Camera) -> Floats:
    """Electrons a second in each pixel; a few pixels are hot."""
    rng = np.random.default_rng([camera.serial, 4])
    dark = np.full(camera.shape, camera.dark_e_s * camera.binning**2)
    hot = rng.choice(dark.size, camera.hot_pixels, replace=False)
    dark.flat[hot] += np.exp(rng.uniform(np.log(3.0), np.log(400.0), camera.hot_pixels))
    return dark


def expose(camera: Camera, light_e: Floats | float, exptime_s: float,
           rng: np.random.Generator) -> NDArray[np.uint16]:
    """The raw frame for ``light_e`` expected photoelectrons a pixel (the flat field applied).

    Photon and read noise, dark current, cosmic rays, bias; clipped at ``saturation_adu``.
    """
    expected = light_e + dark_current(camera) * exptime_s
    electrons = rng.poisson(expected).astype(np.float64)
    _cosmic_rays(electrons, camera, exptime_s, rng)
    if camera.full_well_e is not None:
        _bleed(electrons, camera.full_well_e)
    electrons += camera.read_noise_e * rng.standard_normal(camera.shape, dtype=np.float32)
    adu = electrons / camera.gain_e_adu
    # The level drifts with the temperature of the electronics, from frame to frame.
    adu += bias_level(camera) + rng.normal(0.0, 0.3)
    return np.clip(np.rint(adu), 0, camera.saturation_adu).astype(np.uint16)


def _cosmic_rays(electrons: Floats, camera: Camera, exptime_s: float,
                 rng: np.random.Generator) -> None:
    """Straight tracks of one to a dozen pixels."""
    ny, nx = camera.shape
    for _ in range(rng.poisson(camera.cosmic_rays_per_minute * exptime_s / 60.0)):
        length = min(1.0 + rng.exponential(2.5), 15.0)
        angle = rng.uniform(0.0, 2 * np.pi)
        steps = np.arange(0.0, length, 0.5)
        x = np.rint(rng.uniform(0, nx) + steps * np.cos(angle)).astype(int)
        y = np.rint(rng.uniform(0, ny) + steps * np.sin(angle)).astype(int)
        inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        charge = rng.lognormal(np.log(1500.0), 0.8)
        np.add.at(electrons, (y[inside], x[inside]), charge)


def _bleed(electrons: Floats, full_well: float) -> None:
    """Move charge beyond the full well along its column, half of it each way."""
    for x in np.unique(np.nonzero(electrons > full_well)[1]):
        electrons[:, x] = _overflow(electrons[:, x], full_well)


def _overflow(column: Floats, full_well: float) -> Floats:
    excess = np.maximum(column - full_well, 0.0)
    left = column - excess
    for direction in (1, -1):
        carried = 0.0
        for y in range(len(left))[::direction]:
            carried += excess[y] / 2
            room = min(max(full_well - left[y], 0.0), carried)
            left[y] += room
            carried -= room
    return left
