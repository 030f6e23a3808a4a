"""When an observer takes a field, and how long the exposures are: for nights that benches make."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from iop4d.simulator.night import jd_of_evening
from iop4d.simulator.setups import Setup
from iop4d.simulator.sky import Field, airmass, load_sky

PEAK_ADU = 30000.0  # of the target's image above the bias: half the range of 16 bits
_SHORTEST, _LONGEST = 5.0, 120.0  # seconds
_LONGEST_OF = {"DIPOL": 60.0}  # seconds


def night_of(where: Field, sample: str) -> str:
    """A night before a sample one, month by month, in whose evening the field stands high."""
    stars = load_sky().stars(where)
    nights = [(date.fromisoformat(sample) - timedelta(days=30 * k)).isoformat() for k in range(12)]
    return min(nights, key=lambda night: airmass(
        jd_of_evening(night) + 0.02, float(stars.ra[0]), float(stars.dec[0])))


def exposure_s(setup: Setup, mag: float, seeing_arcsec: float,
               peak_adu: float = PEAK_ADU) -> float:
    """Whole seconds, within what observers choose, that bring a star of R ``mag`` to a peak."""
    return float(np.clip(round(peak_adu / peak_rate(setup, mag, seeing_arcsec)), _SHORTEST,
                         _LONGEST_OF.get(setup.name, _LONGEST)))


def peak_rate(setup: Setup, mag: float, seeing_arcsec: float) -> float:
    """ADU a second in the peak of a star of R ``mag`` in the zenith, outside the atmosphere."""
    ccd, fwhm = setup.ccd, seeing_arcsec / setup.ccd.pixel_arcsec
    images = 2.0 if setup.optics.is_double else 1.0
    return float(10 ** (0.4 * (ccd.zero_point["R"] - mag)) * 0.75 / fwhm**2 / images)


def mag_of_peak(setup: Setup, peak_adu: float, exptime_s: float, seeing_arcsec: float) -> float:
    """The R of a star with such a peak."""
    rate = peak_rate(setup, 0.0, seeing_arcsec)
    return -2.5 * float(np.log10(peak_adu / exptime_s / rate))


#: Of the site: the simulated cameras' colour terms were measured, and there are none. What a term
#: that nobody has measured may do is in the errors otherwise, and would make all pulls narrow.
COLOUR_TERMS = "".join(f"""
[[colour_term]]
instrument = "{name}"
band = "R"
colour = "V-R"
term = 0.0
term_err = 0.001
""" for name in ("RoperT90", "AndorT90", "AndorT150", "CAFOS"))
