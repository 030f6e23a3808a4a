"""How constant stars of a field are on our own frames, by the fluxes of the frames' star lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.science.tan import Wcs
from iop4d.science.variability import constancy

Floats = NDArray[np.float64]

#: Magnitudes that a detection's flux scatters beyond its noise: its circle does not follow the
#: seeing as an aperture does.
FLOOR = 0.01
_NEAR_FWHM = 0.75  # within which a detection is the star
_NOISE_PIXELS = 2.27  # pi over 4 ln 2 squared, times two: of a Gaussian of FWHM 1, in FWHM^2


@dataclass(frozen=True, kw_only=True)
class SeenStars:
    """The star list of a frame: (N,) 0-based places and fluxes, ADU; ``sky_sigma``: ADU a pixel."""

    wcs: Wcs
    x: Floats
    y: Floats
    flux: Floats
    fwhm_px: float
    sky_sigma: float


@dataclass(frozen=True, kw_only=True)
class OwnScatter:
    """Of S stars: on how many frames each was seen, how its magnitude scatters against the others,
    and whether it varies; NaN where too little is known."""

    n: NDArray[np.intp]
    scatter: Floats
    varies: NDArray[np.bool_]


def own_scatter(frames: Sequence[SeenStars], ra: Floats, dec: Floats, *,
                gain_e_adu: float = 1.0) -> OwnScatter:
    """The scatter of stars at ICRS places (degrees) over frames of one camera and band."""
    mags = np.full((2, len(frames), ra.size), np.nan)
    for number, frame in enumerate(frames):
        mags[:, number] = _magnitudes(frame, ra, dec, gain_e_adu)
    found = constancy(mags[0], mags[1], floor=FLOOR)
    return OwnScatter(n=np.isfinite(mags[0]).sum(axis=0), scatter=found.scatter,
                      varies=found.varies)


def _magnitudes(frame: SeenStars, ra: Floats, dec: Floats, gain: float) -> Floats:
    """(2, S) instrumental magnitudes and their errors, NaN of what was not seen."""
    found = np.full((2, ra.size), np.nan)
    if not frame.x.size:
        return found
    x, y = frame.wcs.to_pixel(ra, dec)
    apart = np.hypot(frame.x[None, :] - x[:, None], frame.y[None, :] - y[:, None])
    apart = np.where(np.isfinite(apart), apart, math.inf)
    nearest = apart.argmin(axis=1)
    flux = frame.flux[nearest]
    good = (apart.min(axis=1) < max(_NEAR_FWHM * frame.fwhm_px, 1.5)) & (flux > 0)
    noise = np.sqrt(np.maximum(flux, 0.0) / gain
                    + _NOISE_PIXELS * frame.fwhm_px**2 * frame.sky_sigma**2)
    found[0, good] = -2.5 * np.log10(flux[good])
    found[1, good] = MAG_PER_RELATIVE_FLUX * noise[good] / flux[good]
    return found
