"""A night's frames of a faint source put together: the mean of their forced fluxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.result import NAN, STACK, ResultValue
from iop4d.science.flux import POGSON, magnitude

#: Signal-to-noise ratio of the typical frame below which frames are stacked.
FAINT_SNR = 10.0
DETECTED = 3.0  # sigmas below which a stack is a limit
_FEWEST = 2
#: Flags of a frame on which the flux at the source's place is not the source's.
_SPOILT = int(Flag.SATURATED | Flag.EDGE | Flag.BLENDED | Flag.BAD_PIXELS | Flag.OFF_CENTRE
              | Flag.NO_CALIBRATORS | Flag.TIME_DOUBTFUL | Flag.PIXELS_DOUBTFUL
              | Flag.SAME_EXPOSURE)
#: What holds for the stack where it holds for any of its frames.
_KEPT = int(Flag.FEW_CALIBRATORS | Flag.CALIBRATORS_DISAGREE | Flag.OWN_BAND | Flag.CROWDED
            | Flag.POOR_WCS)


def stack(each: Sequence[ResultValue]) -> ResultValue | None:
    """The mean of a source's results on the frames of a series, as one result of mode ``stack``.

    Its flux is the mean of the frames' fluxes, weighted by their variances, negative ones included;
    its magnitude that of the mean, or the limit at three sigma where it is less. What the frames
    share of their errors does not average out. ``exptime_s`` is the sum, the times are the weighted
    mean's. None with fewer than two sound frames, where the typical one has a signal-to-noise ratio
    of 10 without it, or in a band without a zero point in mJy.
    """
    used = [r for r in each if not r.flags & _SPOILT and math.isfinite(r.flux_mjy)
            and r.flux_mjy_err > 0]
    if len(used) < _FEWEST:
        return None
    flux, err = (np.array([getattr(r, name) for r in used]) for name in (
        "flux_mjy", "flux_mjy_err"))
    weight = err**-2 / np.sum(err**-2)
    mean, mean_err = float(np.sum(weight * flux)), float(np.sum(err**-2)) ** -0.5
    if mean > FAINT_SNR * float(np.median(err)):
        return None

    def average(name: str) -> float:
        return float(np.sum(weight * np.array([getattr(r, name) for r in used])))

    seen = mean > DETECTED * mean_err
    first, band = used[0], used[0].band
    flags = 0 if seen else int(Flag.NOT_DETECTED | Flag.UPPER_LIMIT)
    for result in used:
        flags |= result.flags & _KEPT
    zero_err = average("zero_point_err")
    return replace(
        first, mode=STACK, jd_mid=average("jd_mid"), bjd_tdb=average("bjd_tdb"),
        airmass=average("airmass"), fwhm_arcsec=float(np.median([r.fwhm_arcsec for r in used])),
        exptime_s=float(sum(r.exptime_s for r in used)), flux_mjy=mean, flux_mjy_err=mean_err,
        mag=magnitude(mean, band) if seen else NAN,
        mag_err=POGSON * mean_err / mean if seen else NAN,
        mag_err_common=min(r.mag_err_common for r in used),
        mag_limit=NAN if seen else magnitude(DETECTED * mean_err, band), flags=flags,
        zero_point=average("zero_point"), zero_point_err=zero_err, mag_psf=NAN, mag_psf_err=NAN,
        host_mjy=NAN, host_mjy_err=NAN, mag_nucleus=NAN, mag_nucleus_err=NAN)
