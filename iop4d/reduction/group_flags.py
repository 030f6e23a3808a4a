"""What a polarimetry group shows of itself: flags of its fit, and of the light of both beams."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.polarimeter import Analyser, different
from iop4d.model.result import ResultValue
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.group_target import GroupTarget
from iop4d.reduction.groups import Positions, source_ensemble
from iop4d.reduction.methods import WITHOUT_DUST
from iop4d.science.stokes import Stokes

_POOR_CHI2 = 4.0  # reduced chi-square of a fit above which it is poor
_ALONE = 0.999  # of a fit's value at a position that the position alone decides
_STEADY = 0.004  # part of a flux by which flat fields and centres let two stars differ


def flags_of_fit(stokes: Stokes, group: GroupTarget) -> Flag:
    """What the method that is reported says of a target in a group: its fit, and whether it lacks
    positions; one that was taken twice counts once.
    """
    flags = Flag(0)
    method = stokes.method.removesuffix(WITHOUT_DUST)
    angles = _used(method, group.positions, group.name)
    if different(angles, group.polarimeter.turn_deg) < len(group.polarimeter.angles_deg):
        flags |= Flag.MISSING_ANGLES
    if method in ("ordinary", "extraordinary"):
        flags |= Flag.ONE_BEAM
    if method == "plain":
        flags |= Flag.FEW_FIELD_STARS
    unchecked = bool(flags & Flag.MISSING_ANGLES) and _is_unchecked(method, angles, group.analyser)
    if unchecked or stokes.chi2 > _POOR_CHI2 * stokes.dof + 5.0:
        flags |= Flag.POOR_FIT
    return flags


def _used(method: str, positions: Positions, target: str) -> list[float]:
    """The angles of the positions at which all images that a method needs are measured."""
    beams = {"plain": ("",), "ensemble": ("",), "ordinary": ("O",), "extraordinary": ("E",)}
    good = np.logical_and.reduce([positions.beam(target, beam).good
                                  for beam in beams.get(method, ("O", "E"))])
    return [float(angle) for angle in positions.angles_deg[good]]


def _is_unchecked(method: str, angles_deg: list[float], analyser: Analyser) -> bool:
    """Whether the fit follows one of its positions exactly: no other one shows the same, so that it
    would show no hit in it and no cloud before it.
    """
    plate = analyser is Analyser.HALF_WAVE_PLATE
    phase = np.radians((4.0 if plate else 2.0) * np.array(angles_deg))
    basis = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    if method not in ("fit", "sum", "analysers"):  # a mean flux, or a ratio of the beams, besides
        basis = np.column_stack([basis, np.ones(phase.size)])
    leverage = np.sum(basis * np.linalg.pinv(basis, rcond=1e-3).T, axis=1)
    return bool((leverage > _ALONE).any())


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


def flags_of_sum(group: GroupTarget) -> Flag:
    """POOR_FIT where all light of two beams changes between the positions as no polarisation does.

    Hits on two of four positions may fit a polarisation, but the sum of the images shows them
    against the other stars, where there are any. A target may vary by ``variability``.
    """
    positions = group.positions
    others = None if group.instrument.beams is None else source_ensemble(positions, group.name)
    if others is None:
        return Flag(0)
    beam, relative = positions.beam(group.name), others.relative
    scatter = math.hypot(others.err, others.extra, _STEADY)
    drift = np.abs(positions.hours) * group.settings.variability / MAG_PER_RELATIVE_FLUX
    good = beam.good & np.isfinite(relative)
    flux = beam.flux[good] / relative[good]
    err = np.sqrt((beam.err[good] / relative[good]) ** 2
                  + (scatter**2 + drift[good] ** 2) * flux**2)
    if flux.size < 2:
        return Flag(0)
    mean = float(np.sum(flux / err**2) / np.sum(err**-2.0))
    chi2 = float(np.sum(((flux - mean) / err) ** 2))
    return Flag.POOR_FIT if chi2 > _POOR_CHI2 * (flux.size - 1) + 5.0 else Flag(0)
