"""An aperture's flux with what the star's own pixels say against it: flags, and a larger error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from iop4d.model.flags import Flag
from iop4d.science.crossing import line_across
from iop4d.science.empirical_psf import FLUX, SKY, cut_stamps
from iop4d.science.overlap import circle_overlap
from iop4d.science.photometry import LOW_SNR, Aperture, Flux, Pixels, measure_all
from iop4d.science.psf_residual import UNSEEN, StarFit, fit_star
from iop4d.science.saturation import has_hole

_MATTERS = 1.0  # errors of the flux by which a hit must change it to be flagged
_LINE_MATTERS = 2.0  # errors of the flux that a line of light across the aperture must add
_SAMPLED = 1.5  # px of FWHM below which pixels are too few to tell a line from the star
_LARGEST = 0.1  # part of the light up to which unseen hits enter the error: larger ones are rare
_TIE = 0.004  # part of a flux by which PSF and aperture photometry of one star differ; measured
_WITHIN = 1.0  # FWHM beyond the aperture's rim from which a neighbour's light still gets inside


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An aperture's flux, looked at; ``psf_flux``, ``psf_flux_err``: of the star by PSF photometry
    in the aperture's units, ADU, NaN where no neighbour is near enough to make it of use;
    ``unseen``: error by hits too small to be found, ADU, in larger apertures too."""

    flux: Flux
    unseen: float = 0.0
    psf_flux: float = math.nan
    psf_flux_err: float = math.nan


def measure_checked(frame: Pixels, x: float, y: float, aperture: Aperture, *, own: int | None,
                    extended: bool = False) -> Checked:
    """Measure a source and look at it; the Moffat profile finds hits where the stars do not."""
    return measure_all_checked(frame, [x], [y], aperture, own=[own], closely=[True],
                               extended=[extended])[0]


def measure_all_checked(frame: Pixels, x: Sequence[float], y: Sequence[float],
                        aperture: Aperture, *, own: Sequence[int | None],
                        closely: Sequence[bool], extended: Sequence[bool]) -> list[Checked]:
    """As ``measure_checked`` of each source; those that are not to be looked at ``closely`` have
    their flux alone."""
    by_profile = [not (close and star is not None and frame.empirical_psf.n_stars > 0)
                  for close, star in zip(closely, own, strict=True)]
    fluxes = measure_all(frame, x, y, aperture, own=own, find_hits=by_profile)
    return [_checked(frame, *one, aperture, own=star, extended=wide) if close
            else Checked(flux=one[0])
            for one, star, close, wide in zip(zip(fluxes, x, y, strict=True), own, closely,
                                              extended, strict=True)]


def _checked(frame: Pixels, flux: Flux, x: float, y: float, aperture: Aperture, *,
             own: int | None, extended: bool) -> Checked:
    if math.isfinite(flux.flux) and _is_doubtful(frame, x, y, aperture.radius, flux.sky):
        flux = replace(flux, flags=flux.flags | Flag.PIXELS_DOUBTFUL)
    if not extended and not frame.trailed and _is_crossed(frame, flux, x, y, aperture):
        flux = replace(flux, flags=flux.flags | Flag.BAD_PIXELS)
    return check_aperture(frame, flux, x, y, aperture, own=own, extended=extended)


def check_aperture(frame: Pixels, measured: Flux, x: float, y: float, aperture: Aperture, *,
                   own: int | None, extended: bool = False) -> Checked:
    """Compare a star's pixels with the frame's PSF; ``extended``: a galaxy shines around it.

    A hit, hot or dead pixel that changes the flux by more than its error makes BAD_PIXELS, an image
    drawn out BLENDED; a hit just too small to be found must lie within five errors, which grow
    where it does not. Stars that are faint, saturated or undetected are returned as they are, and
    so is everything on frames whose PSF is not known from four stars.
    """
    psf = frame.empirical_psf
    if own is None or not psf.n_stars or measured.flags & Flag.SATURATED \
            or not measured.flux > LOW_SNR * measured.flux_err:
        return Checked(flux=measured)
    found = frame.detections
    others = np.arange(len(found)) != own
    near_x = np.concatenate([found.x[others], frame.hidden[0]])
    near_y = np.concatenate([found.y[others], frame.hidden[1]])
    fit = fit_star(frame.image, psf, x, y, sigma=frame.sigma, gain=frame.gain,
                   radius=aperture.radius, sky=measured.sky, neighbours=(near_x, near_y),
                   bad=frame.bad)
    if fit is None:
        return Checked(flux=measured)
    # The PSF of n stars has in it some 1/n of a hit on one of them, whose residual is too small.
    alone = (psf.n_stars + 1) / (psf.n_stars - 1)
    unseen = alone * min(fit.hidden, _LARGEST * measured.flux) / UNSEEN
    checked = _flagged(measured, fit, unseen, extended=extended)
    apart = np.hypot(near_x - x, near_y - y)
    if not (apart < aperture.radius + _WITHIN * frame.psf.fwhm).any():
        return Checked(flux=checked, unseen=unseen)
    part = _inside(frame, x, y, aperture)
    return Checked(flux=checked, unseen=unseen, psf_flux=fit.flux * part,
                   psf_flux_err=math.hypot(fit.flux_err * part, _TIE * fit.flux * part))


def _flagged(measured: Flux, fit: StarFit, unseen: float, *, extended: bool) -> Flux:
    flags = measured.flags
    if fit.is_hit and abs(fit.hit) > _MATTERS * measured.flux_err:
        flags |= Flag.BAD_PIXELS
    if fit.is_double and not extended:
        flags |= Flag.BLENDED
    return replace(measured, flags=flags, flux_err=max(measured.flux_err, unseen),
                   photon_err=max(measured.photon_err, unseen))


def _is_crossed(frame: Pixels, measured: Flux, x: float, y: float, aperture: Aperture) -> bool:
    """Whether a trail or a spike crosses the aperture, whose light matters there."""
    if not math.isfinite(measured.flux) or frame.psf.fwhm < _SAMPLED:
        return False
    line = line_across(frame.image, x, y, radius=aperture.radius,
                       annulus=(aperture.inner, aperture.outer), fwhm=frame.psf.fwhm,
                       sigma=frame.sigma * math.sqrt(frame.sky_excess), bad=frame.bad,
                       star=(max(measured.flux, 0.0), frame.psf.beta))
    return line is not None and line.light > _LINE_MATTERS * measured.flux_err


def _is_doubtful(frame: Pixels, x: float, y: float, radius: float, sky: float) -> bool:
    """Whether the aperture holds values that no detector gives, but where a mask says so too."""
    # With a rim, so that all that counts has neighbours of its own.
    stamp = cut_stamps(frame.image, np.array([x]), np.array([y]), radius + 2.0)
    inside = stamp.inside[0] & (
        stamp.dx[0][None, :] ** 2 + stamp.dy[0][:, None] ** 2 <= radius * radius)
    if frame.bad is not None:
        inside &= ~frame.bad[stamp.at][0]
    return has_hole(stamp.data[0] - sky, inside, sigma=frame.sigma, gain=frame.gain)


def _inside(frame: Pixels, x: float, y: float, aperture: Aperture) -> float:
    """What an aperture gives of a star of flux 1 in the PSF's units, as the typical star's."""
    psf = frame.empirical_psf
    fwhm = psf.moffat.widths_at(np.array([x]), np.array([y]))
    step = np.arange(-math.ceil(aperture.radius) - 1, math.ceil(aperture.radius) + 2)
    dx, dy = (np.asarray(round(at) + step - at, dtype=np.float64) for at in (x, y))
    light = psf.design(dx[None, :], dy[None, :], fwhm, SKY + 1)[0, FLUX]
    factor = frame.psf.place(x, y, aperture.radius).factor
    return float((light * circle_overlap(dx, dy, aperture.radius)).sum()) * factor
