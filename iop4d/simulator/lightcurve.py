"""How a simulated blazar varies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Flare:
    """A rise by ``mag`` to a peak and a slower fall; times are e-folding, in hours."""

    jd_peak: float
    mag: float
    rise_h: float = 0.5
    decay_h: float = 1.5

    def brightening_mag(self, jd: ArrayLike) -> Floats:
        """Magnitudes brighter than quiet."""
        hours = (np.asarray(jd, dtype=np.float64) - self.jd_peak) * 24.0
        return np.asarray(self.mag * np.exp(-np.where(
            hours < 0, -hours / self.rise_h, hours / self.decay_h)))


@dataclass(frozen=True, kw_only=True)
class LightCurve:
    """Slow waves of about ``amplitude_mag`` (periods of days to 5 hours), and flares.

    The colour stays: one offset for all bands.
    """

    seed: int = 0
    amplitude_mag: float = 0.15
    flares: tuple[Flare, ...] = ()

    def offset_mag(self, jd: ArrayLike) -> Floats:
        """Magnitude minus the usual one at times JD; negative is brighter."""
        rng = np.random.default_rng([self.seed, 0x11C])
        days = np.asarray(jd, dtype=np.float64) - 2450000.0
        offset = np.zeros_like(days)
        for period, weight in ((17.3, 0.7), (4.1, 0.4), (0.9, 0.2), (0.21, 0.07)):
            phase = rng.uniform(0.0, 2 * math.pi)
            offset += self.amplitude_mag * weight * np.sin(2 * math.pi * days / period + phase)
        for flare in self.flares:
            offset -= flare.brightening_mag(jd)
        return offset

    def mean_mag(self, usual_mag: float, jd_start: float, exptime_s: float) -> float:
        """Magnitude of the mean flux over an exposure."""
        times = jd_start + np.linspace(0.0, 1.0, 9) * exptime_s / 86400.0
        flux = 10 ** (-0.4 * self.offset_mag(times))
        weights = np.array([0.5, 1, 1, 1, 1, 1, 1, 1, 0.5]) / 8.0
        return usual_mag - 2.5 * math.log10(float(flux @ weights))
