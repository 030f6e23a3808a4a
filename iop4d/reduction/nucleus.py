"""A result without the light of the host galaxy."""

from __future__ import annotations

import math
from dataclasses import replace

from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.source import Source
from iop4d.science import host

HOST_BAND = "R"  # in which the host galaxies' fluxes are known


def with_nucleus(result: ResultValue, target: Source, *, aperture_arcsec: float) -> ResultValue:
    """The result with its host's flux and what is left of magnitude and p, where a table has it."""
    if result.band != HOST_BAND or not math.isfinite(result.mag):
        return result
    found = host.host_flux((target.name, *target.other_names), aperture_arcsec, result.fwhm_arcsec)
    if found is None or not math.isfinite(found.flux_mjy):
        return result
    left = host.corrected(result.mag, result.mag_err, result.p, result.p_err, found.flux_mjy,
                          found.flux_err_mjy)
    flags = result.flags | (int(Flag.HOST_EXTRAPOLATED) if found.extrapolated else 0)
    return replace(result, host_mjy=found.flux_mjy, mag_nucleus=left.mag,
                   mag_nucleus_err=left.mag_err, p_nucleus=left.p, p_nucleus_err=left.p_err,
                   flags=flags)
