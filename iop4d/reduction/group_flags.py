"""What a polarimetry group shows of itself: flags of its fit, and of the light of both beams."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.groups import Positions, source_ensemble
from iop4d.reduction.methods import WITHOUT_DUST
from iop4d.science.stokes import Stokes

_POOR_CHI2 = 4.0  # reduced chi-square of a fit above which it is poor
_STEADY = 0.004  # part of a flux by which flat fields and centres let two stars differ


def flags_of_fit(stokes: Stokes, positions: Positions, instrument: Instrument) -> Flag:
    """What the method that is reported says of a group: its fit, and which positions it lacks."""
    assert instrument.polarimeter is not None
    flags = Flag(0)
    method = stokes.method.removesuffix(WITHOUT_DUST)
    if stokes.n < len(instrument.polarimeter.angles_deg):
        flags |= Flag.MISSING_ANGLES
    if method in ("ordinary", "extraordinary"):
        flags |= Flag.ONE_BEAM
    if method == "plain":
        flags |= Flag.FEW_FIELD_STARS
    # What fits exactly for want of positions shows nothing of a hit or a cloud in one of them.
    exact = stokes.dof == 0 and bool(flags & Flag.MISSING_ANGLES)
    if exact or stokes.chi2 > _POOR_CHI2 * stokes.dof + 5.0:
        flags |= Flag.POOR_FIT
    return flags


def with_crowded(result: ResultValue, confusion: float) -> ResultValue:
    """The result with CROWDED where faint stars make most of the error of its magnitude or degree.

    ``confusion``: the error of their light, as a part of the source's. They are in all positions
    alike: they may matter to each, and not to the polarisation. A limit has the frames' flag.
    """
    if math.isfinite(result.mag_limit):
        return result
    parts = ((MAG_PER_RELATIVE_FLUX * confusion, result.mag_err),
             (result.p * confusion, result.p_err))
    crowded = any(part**2 > 0.5 * err**2 for part, err in parts if math.isfinite(err))
    flags = result.flags & ~int(Flag.CROWDED)
    return replace(result, flags=flags | (int(Flag.CROWDED) if crowded else 0))


def flags_of_sum(target: str, positions: Positions, instrument: Instrument,
                 settings: Polarimetry) -> Flag:
    """POOR_FIT where all light of two beams changes between the positions as no polarisation does.

    Hits on two of four positions may fit a polarisation, but the sum of the images shows them
    against the other stars, where there are any. A target may vary by ``variability``.
    """
    others = None if instrument.beams is None else source_ensemble(positions, target)
    if others is None:
        return Flag(0)
    seen, relative = positions.beam(target), others.relative
    scatter = math.hypot(others.err, others.extra, _STEADY)
    drift = np.abs(positions.hours) * settings.variability / MAG_PER_RELATIVE_FLUX
    good = seen.good & np.isfinite(relative)
    flux = seen.flux[good] / relative[good]
    err = np.sqrt((seen.err[good] / relative[good]) ** 2
                  + (scatter**2 + drift[good] ** 2) * flux**2)
    if flux.size < 2:
        return Flag(0)
    mean = float(np.sum(flux / err**2) / np.sum(err**-2.0))
    chi2 = float(np.sum(((flux - mean) / err) ** 2))
    return Flag.POOR_FIT if chi2 > _POOR_CHI2 * (flux.size - 1) + 5.0 else Flag(0)
