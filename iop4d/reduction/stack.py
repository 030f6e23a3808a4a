"""A night's frames of a faint source put together: the mean of their forced fluxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.result import NAN, STACK, ResultValue
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.apertures import DETECTED
from iop4d.reduction.fluxes import mean_flux
from iop4d.science.flux import magnitude

#: Signal-to-noise ratio of the typical frame below which frames are stacked.
FAINT_SNR = 10.0
_FEWEST = 2
#: Flags of a frame on which the flux at the source's place is not the source's.
_SPOILT = int(Flag.SATURATED | Flag.EDGE | Flag.BLENDED | Flag.BAD_PIXELS | Flag.OFF_CENTRE
              | Flag.NO_CALIBRATORS | Flag.TIME_DOUBTFUL | Flag.PIXELS_DOUBTFUL
              | Flag.PLACE_UNCONFIRMED)
#: What holds for the stack where it holds for any of its frames.
_KEPT = int(Flag.FEW_CALIBRATORS | Flag.CALIBRATORS_DISAGREE | Flag.OWN_BAND | Flag.CROWDED
            | Flag.POOR_WCS | Flag.OTHER_APERTURE)


def is_stacked(result: ResultValue) -> bool:
    """Whether a stack rests on the result of a frame: it has a flux, which is the source's."""
    return (not result.flags & _SPOILT and math.isfinite(result.flux_mjy)
            and result.flux_mjy_err > 0)


def stack(each: Sequence[ResultValue], *, shared: float = 0.0) -> ResultValue | None:
    """The mean of a source's results on the frames of a series, as one result of mode ``stack``.

    Its flux is the mean of the frames' fluxes, weighted by their variances, negative ones included;
    its magnitude that of the mean, or the limit at three sigma where it is less. What the frames
    share of their errors does not average out; where they scatter by more than their errors, the
    mean's is larger. ``exptime_s`` is the sum, the times are the weighted mean's. ``shared``: the
    error of the neighbours' light, mJy. None with fewer than two sound frames, where the typical
    one has a signal-to-noise ratio of 10 without it, or in a band without a zero point in mJy.
    """
    mean = mean_flux([r for r in each if is_stacked(r)], shared=shared)
    if mean is None or len(mean.used) < _FEWEST:
        return None
    used, flux, err = mean.used, mean.flux, mean.err
    if flux > FAINT_SNR * float(np.median([r.flux_mjy_err for r in used])):
        return None
    detected = flux > DETECTED * err
    first, band = used[0], used[0].band
    flags = 0 if detected else int(Flag.NOT_DETECTED | Flag.UPPER_LIMIT)
    for result in used:
        flags |= result.flags & _KEPT
    return replace(
        first, mode=STACK, jd_mid=mean.of("jd_mid"), bjd_tdb=mean.of("bjd_tdb"),
        airmass=mean.of("airmass"), fwhm_arcsec=float(np.median([r.fwhm_arcsec for r in used])),
        exptime_s=float(sum(r.exptime_s for r in used)), flux_mjy=flux, flux_mjy_err=err,
        mag=magnitude(flux, band) if detected else NAN,
        mag_err=MAG_PER_RELATIVE_FLUX * err / flux if detected else NAN,
        mag_err_common=mean.of("mag_err_common"),
        mag_limit=NAN if detected else magnitude(DETECTED * err, band), flags=flags,
        zero_point=mean.of("zero_point"), zero_point_err=mean.of("zero_point_err"),
        mag_psf=NAN, mag_psf_err=NAN,
        host_mjy=NAN, host_mjy_err=NAN, mag_nucleus=NAN, mag_nucleus_err=NAN)
