"""A group's polarisation of its targets, by every method that applies, and their magnitudes.

No pixels are needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame, Polarised
from iop4d.model.result import NAN, MethodValue, ResultValue
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.apertures import in_one_aperture
from iop4d.reduction.calibrate import calibrate, targets_of
from iop4d.reduction.group_constants import constants_of
from iop4d.reduction.group_flags import flags_of_fit, flags_of_sum, with_crowded
from iop4d.reduction.group_magnitude import group_magnitude, magnitude_alone
from iop4d.reduction.group_target import GroupTarget, group_target
from iop4d.reduction.groups import Positions, positions_of
from iop4d.reduction.host import aperture_of, find_table, steady_host, without_host
from iop4d.reduction.interstellar import interstellar_on_sky
from iop4d.reduction.method_choice import choose_method
from iop4d.reduction.methods import WITHOUT_DUST, RawStokes, raw_by_method
from iop4d.science.stokes import Stokes, corrected, debiased


def polarise(frames: Sequence[MeasuredFrame], *, catalogue: Catalogue, instrument: Instrument,
             settings: Polarimetry) -> Polarised:
    """The results of all targets and standards on the frames of a group.

    All positions of a target, its calibrators and the field stars are measured in one aperture: the
    target's own, else the one that the widest frame asks for. Raises StageError of an instrument
    without a polarimeter, or without constants that hold.
    """
    polarimeter = instrument.polarimeter
    if polarimeter is None:
        raise StageError("polarimetry", f"{instrument.name} has no polarimeter")
    positions = positions_of(in_one_aperture(frames), instrument.telescope)
    constants, off = constants_of(positions, instrument)
    turned = Flag(0) if off == 0.0 else Flag.FIELD_ROTATED  # NaN: by more than one angle
    results: list[ResultValue] = []
    refused: list[tuple[str, str]] = []
    for target in _targets(positions, catalogue):
        group = group_target(target, _of_target(frames, target, catalogue, instrument),
                             instrument=instrument, constants=constants, settings=settings)
        raw = raw_by_method(group)
        usable = group.positions.usable(target.name)
        if raw and usable >= polarimeter.fewest:
            results.append(_result(group, raw, catalogue, turned))
            continue
        refused.append((target.name, f"measured at {usable} positions, at least "
                                     f"{polarimeter.fewest} are needed"))
        alone = with_crowded(magnitude_alone(group, catalogue),
                             group.positions.confusion(target.name))
        if math.isfinite(alone.mag) or math.isfinite(alone.mag_limit):
            results.append(alone)
    return Polarised(results=tuple(results), refused=tuple(refused))


def _targets(positions: Positions, catalogue: Catalogue) -> list[Source]:
    """The targets and standards on any frame of a group, by name."""
    targets: dict[str, Source] = {}
    for frame in positions.frames:
        targets |= {target.name: target for target in targets_of(frame, catalogue)}
    return [targets[name] for name in sorted(targets)]


def _of_target(frames: Sequence[MeasuredFrame], target: Source, catalogue: Catalogue,
               instrument: Instrument) -> Positions:
    """A group as a target is measured in it: in its aperture, its host being steady."""
    positions = positions_of(in_one_aperture(frames, aperture_of(target)), instrument.telescope)
    with_light = [frame for frame, m in zip(positions.frames, positions.of(target.name),
                                            strict=True) if m is not None]
    if not with_light or find_table((target.name, *target.other_names)) is None:
        return positions
    each = calibrate(target, with_light, catalogue=catalogue, telescope=instrument.telescope)
    zero = {frame.id: result.zero_point for frame, result in zip(with_light, each, strict=True)}
    return positions_of([steady_host(frame, target, zero.get(frame.id, NAN))
                         for frame in positions.frames], instrument.telescope)


def _result(group: GroupTarget, raw: Mapping[str, RawStokes], catalogue: Catalogue,
            turned: Flag) -> ResultValue:
    """A target's result. ``turned``: the flag of a group whose camera stands at another angle."""
    chosen = choose_method(raw, group)
    value = _with_polarisation(group, raw, chosen, catalogue)
    value = with_crowded(replace(value, flags=value.flags | int(turned)),
                         group.positions.confusion(group.name))
    dust = interstellar_on_sky(group.target, group.field, group.constants)
    return value if dust is None else replace(
        value, q_isp=dust.q, q_isp_err=dust.q_err, u_isp=dust.u, u_isp_err=dust.u_err)


def _with_polarisation(group: GroupTarget, raw: Mapping[str, RawStokes], chosen: str,
                       catalogue: Catalogue) -> ResultValue:
    stokes = {name: corrected(one.stokes, group.constants, zero_measured=one.zero_measured)
              for name, one in raw.items()}
    best = stokes[chosen]
    # Calibrators are behind the same dust: against them the target is modulated by the rest.
    modulated = raw.get(f"ensemble{WITHOUT_DUST}", raw[chosen]).stokes
    beam = {"ordinary": "O", "extraordinary": "E"}.get(chosen.removesuffix(WITHOUT_DUST), "")
    result = group_magnitude(group, modulated, beam=beam, catalogue=catalogue)
    # A degree and its limit are values by themselves: all of the error counts.
    clean = debiased(best.q, best.u, best.covariance + best.common)
    flags = result.flags | int(flags_of_fit(raw[chosen].stokes, group) | flags_of_sum(group))
    return without_host(replace(
        result, flags=flags, q=best.q, q_err=best.q_err, u=best.u, u_err=best.u_err, p=best.p,
        p_err=best.p_err, chi_deg=best.chi_deg, chi_err_deg=best.chi_err_deg,
        qu_cov=best.qu_cov, chi_err_common=best.angle_err_deg, q0_err=best.q0_err,
        u0_err=best.u0_err, p_debiased=clean.p, p_limit=clean.limit, method=chosen,
        methods=tuple(_value(stokes[name]) for name in sorted(stokes))),
        group.target, group.positions.frames[0])


def _value(stokes: Stokes) -> MethodValue:
    return MethodValue(
        method=stokes.method, p=stokes.p, p_err=stokes.p_err, chi_deg=stokes.chi_deg,
        chi_err_deg=stokes.chi_err_deg, q=stokes.q, q_err=stokes.q_err, u=stokes.u,
        u_err=stokes.u_err, k=stokes.k, chi2=stokes.chi2, dof=stokes.dof, n=stokes.n)
