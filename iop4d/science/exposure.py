"""Exposure times: what error an exposure gives, and which exposure gives an error that is wanted.

The rates are measured ones: of the source and the sky on a frame that is there, or of a magnitude
by the zero point and the sky of earlier frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from iop4d.model.units import MAG_PER_RELATIVE_FLUX

# Part of a flux that no exposure improves: the flat field's grain, 0.2 % a pixel, over the pixels
# of a star.
GRAIN = 0.0004
#: Peak of a round Gaussian star: this part of its flux over the square of its FWHM in pixels.
_PEAK = 4.0 * math.log(2.0) / math.pi
_FULL = 0.7  # part of the saturation level that a star's peak should not exceed
_LONGEST_S = 86400.0  # no exposure is longer; what needs more cannot be reached


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What an aperture collects. ``source``, ``sky``: electrons per second, of all its pixels;
    ``read_noise``: electrons, of all its pixels together; ``scintillation``: part of the flux by
    which the air's turbulence changes an exposure of one second (less of a longer one, as the root
    of its time); ``floor``: part of the flux by which a frame is wrong however long it is exposed.
    """

    source: float
    sky: float
    read_noise: float = 0.0
    scintillation: float = 0.0
    floor: float = GRAIN


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Exposures that reach an error: ``frames`` of ``exptime_s`` seconds each.

    ``frames`` is 0, and ``exptime_s`` NaN, where no exposure does.
    """

    exptime_s: float
    frames: int

    @property
    def is_reachable(self) -> bool:
        """Whether any exposure reaches the error."""
        return self.frames > 0


NEVER = Advice(exptime_s=math.nan, frames=0)


def rates_of_flux(*, flux_adu_s: float, sky_adu_s: float, aperture_px: float, gain_e_adu: float,
                  read_noise_e: float = 0.0) -> Rates:
    """The rates of a measured flux. ``sky_adu_s``: ADU per pixel and second; ``aperture_px``: its
    radius in pixels. Fluxes below zero count as none."""
    pixels = math.pi * aperture_px**2
    return Rates(source=max(flux_adu_s, 0.0) * gain_e_adu,
                 sky=max(sky_adu_s, 0.0) * gain_e_adu * pixels,
                 read_noise=read_noise_e * math.sqrt(pixels))


def flux_of_magnitude(mag: float, zero_point: float) -> float:
    """ADU per second of a magnitude, by the zero point: the magnitude of 1 ADU per second."""
    return math.pow(10.0, -0.4 * (mag - zero_point))


def relative_error(rates: Rates, exptime_s: float) -> float:
    """Random error of the flux of one exposure, as a part of it; NaN without light.

    Var = (S + B) t + R^2 of S t, in electrons (Howell 1989, PASP 101, 616), the scintillation
    (Young 1967, AJ 72, 747), and the floor.
    """
    if not (rates.source > 0 and exptime_s > 0):
        return math.nan
    noise = math.sqrt((rates.source + rates.sky) * exptime_s + rates.read_noise**2)
    return math.hypot(noise / (rates.source * exptime_s),
                      rates.scintillation / math.sqrt(exptime_s), rates.floor)


def mag_error(rates: Rates, exptime_s: float) -> float:
    """Random error of the magnitude of one exposure."""
    return MAG_PER_RELATIVE_FLUX * relative_error(rates, exptime_s)


def p_error(rates: Rates, exptime_s: float, positions: int) -> float:
    """Random error of p (a fraction) of a group of exposures at so many positions.

    sqrt(2/n) of the relative error of the light of one position, both beams together: it is the
    same for a polariser at n angles and for a half-wave plate with two beams (Serkowski 1974,
    Methods of Experimental Physics 12, 361). Of two beams the scintillation cancels: give rates
    without it.
    """
    of_frame = relative_error(rates, exptime_s)
    return math.sqrt(2.0 / positions) * of_frame if positions > 0 else math.nan


def exposure_of_error(rates: Rates, error: float) -> float:
    """Seconds of one exposure whose flux has a relative error; infinite where none has."""
    left = error**2 - rates.floor**2
    if not (rates.source > 0 and left > 0):
        return math.inf
    # Of S^2 t^2 - k t - R^2 / left = 0.
    k = (rates.source + rates.sky + (rates.scintillation * rates.source)**2) / left
    read = rates.read_noise**2 / left
    return (k + math.sqrt(k**2 + 4.0 * rates.source**2 * read)) / (2.0 * rates.source**2)


def exposure_of_mag_error(rates: Rates, mag_err: float) -> float:
    """Seconds of one exposure whose magnitude has a random error; infinite where none has."""
    return exposure_of_error(rates, mag_err / MAG_PER_RELATIVE_FLUX)


def exposure_of_p_error(rates: Rates, p_err: float, positions: int) -> float:
    """Seconds at each of so many positions for a random error of p; infinite where none does."""
    if positions <= 0:
        return math.inf
    return exposure_of_error(rates, p_err / math.sqrt(2.0 / positions))


def saturation_s(*, flux_adu_s: float, sky_adu_s: float, fwhm_px: float,
                 saturation_adu: float) -> float:
    """Seconds until the peak of a star reaches 70 % of the saturation level; infinite without
    light."""
    peak = _PEAK * max(flux_adu_s, 0.0) / fwhm_px**2 if fwhm_px > 0 else math.nan
    rate = peak + max(sky_adu_s, 0.0)
    return _FULL * saturation_adu / rate if rate > 0 else math.inf


def measured_advice(*, error: float, wanted: float, exptime_s: float, rates: Rates,
                    floor: float = 0.0, longest_s: float = math.inf) -> Advice:
    """Exposures that bring a measured random error to the wanted one.

    ``error``, ``wanted``, ``floor``: of one quantity, in its unit; ``floor``: what of the error no
    exposure improves. The rest of the measured error, whatever it consists of (the calibrators'
    photons too), falls as that of the source with these rates does. ``longest_s``: longest single
    exposure, by saturation; several of it then reach the error as their mean.
    """
    if not all(map(math.isfinite, (error, wanted, exptime_s))) or min(error, wanted) <= 0:
        return NEVER
    if error <= wanted:
        return Advice(exptime_s=exptime_s, frames=1)
    bare = replace(rates, floor=0.0)
    before = relative_error(bare, exptime_s)
    left, above = wanted**2 - floor**2, error**2 - floor**2
    if left <= 0 or not before > 0:
        return NEVER
    needed = exposure_of_error(bare, before * math.sqrt(left / above))
    return planned(needed, longest_s=longest_s)


def planned(exptime_s: float, *, longest_s: float = math.inf) -> Advice:
    """One exposure of so many seconds, or several that do not saturate."""
    if not exptime_s <= _LONGEST_S or not longest_s > 0:
        return NEVER
    frames = max(1, math.ceil(exptime_s / longest_s))
    return Advice(exptime_s=exptime_s / frames, frames=frames)
