"""Flux densities of magnitudes, and the spectral index of two of them.

The one table of zero points: the host galaxies', the alerts' and the results' fluxes use it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from iop4d.model.units import MAG_PER_RELATIVE_FLUX

AB_MJY = 3.631e6  # of magnitude 0 in AB
#: Flux density of magnitude 0 in mJy: R as in Nilsson et al. (2007, A&A 475, 199), the other bands
#: of Johnson and Cousins as in Bessell, Castelli & Plez (1998, A&A 333, 231), table A2; AB of SDSS
#: and Pan-STARRS (Fukugita et al. 1996, AJ 111, 1748).
ZERO_MJY = {
    "U": 1.790e6, "B": 4.063e6, "V": 3.636e6, "R": 3.080e6, "I": 2.416e6, "J": 1.589e6,
    "H": 1.021e6, "K": 0.640e6, **dict.fromkeys("ugrizy", AB_MJY)}
#: Effective wavelengths in micrometres: of the same tables (A0 star); y of Tonry et al. (2012).
WAVELENGTH_UM = {
    "U": 0.366, "B": 0.438, "V": 0.545, "R": 0.641, "I": 0.798, "J": 1.22, "H": 1.63, "K": 2.19,
    "u": 0.354, "g": 0.477, "r": 0.623, "i": 0.763, "z": 0.913, "y": 0.962}
_LEVER = 0.1  # ln of the ratio of two frequencies below which their index says nothing


def flux_mjy(mag: float, band: str) -> float:
    """Flux density in mJy of a magnitude; NaN for a band that has no known zero point."""
    return ZERO_MJY.get(band, math.nan) * math.pow(10.0, -0.4 * mag)


def magnitude(flux: float, band: str) -> float:
    """Magnitude of a flux density in mJy; NaN where it is not positive or the band is unknown."""
    return -2.5 * math.log10(flux / ZERO_MJY.get(band, math.nan)) if flux > 0 else math.nan


@dataclass(frozen=True, kw_only=True)
class BandFlux:
    """A magnitude in a band, with its random and its common error and the Galaxy's extinction."""

    band: str
    mag: float
    err: float
    common_err: float
    extinction_mag: float


@dataclass(frozen=True, kw_only=True)
class SpectralIndex:
    """alpha of flux ~ nu^alpha, the Galaxy's extinction corrected, with its two errors.

    ``err``: random; ``common_err``: what all indices of the two series share, of the calibrators'
    catalogues and of the extinction.
    """

    alpha: float
    err: float
    common_err: float


#: Relative error of an extinction: that of the dust maps (Schlegel, Finkbeiner & Davis 1998).
EXTINCTION_ERR = 0.16


def has_lever(first: str, second: str) -> bool:
    """Whether two bands are known and far enough apart for an index."""
    known = first in WAVELENGTH_UM and second in WAVELENGTH_UM
    return known and abs(math.log(WAVELENGTH_UM[first] / WAVELENGTH_UM[second])) > _LEVER


def spectral_index(first: BandFlux, second: BandFlux) -> SpectralIndex | None:
    """The index of two bands; None if they are too near or not known, or an extinction is NaN.

    Random errors of the two are independent, and so are their catalogues' errors; the extinctions
    are of one screen of dust, so that their errors are one error.
    """
    if not has_lever(first.band, second.band):
        return None
    lever = math.log(WAVELENGTH_UM[second.band] / WAVELENGTH_UM[first.band])  # ln nu1 / nu2
    ratio = math.log(flux_mjy(first.mag - first.extinction_mag, first.band)
                     / flux_mjy(second.mag - second.extinction_mag, second.band))
    if not math.isfinite(ratio):
        return None
    dust = EXTINCTION_ERR * (first.extinction_mag - second.extinction_mag)
    scale = 1.0 / (MAG_PER_RELATIVE_FLUX * abs(lever))
    return SpectralIndex(
        alpha=ratio / lever, err=scale * math.hypot(first.err, second.err),
        common_err=scale * math.hypot(first.common_err, second.common_err, dust))
