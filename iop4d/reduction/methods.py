"""Every way to compute a target's polarisation that applies to a group, as the instrument sees it.

``ensemble`` and the methods of two beams are as observed: the dust before a source is part of its
polarisation. Their variants with ``-isp`` are without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation
from iop4d.model.source import SourceKind
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.group_target import GroupTarget
from iop4d.reduction.groups import UNUSABLE, own_error, source_ensemble
from iop4d.reduction.interstellar import catalogued, prior_of, transparency
from iop4d.science.interstellar import Shared
from iop4d.science.polarimetry import (
    Beam,
    BeamRatio,
    beam_ratio,
    fixed_analysers,
    half_wave_fit,
    half_wave_fit_k,
    half_wave_ratio,
    half_wave_sum,
    normalised_difference,
    polariser,
    single_beam,
)
from iop4d.science.stokes import Stokes

Floats = NDArray[np.float64]

#: Ending of the methods that take out the field's interstellar polarisation.
WITHOUT_DUST = "-isp"

UNKNOWN_RATIO = 0.02  # error of the ratio of two beams that nothing tells


@dataclass(frozen=True, kw_only=True)
class RawStokes:
    """q and u as the instrument sees them: its own polarisation is still in.

    ``zero_measured``: field stars have shown what differs from the instrument's q0 and u0, whose
    errors are in these already.
    """

    stokes: Stokes
    zero_measured: bool = False


def raw_by_method(group: GroupTarget) -> dict[str, RawStokes]:
    """What every method that applies gives, by the methods' names."""
    if group.analyser is Analyser.FIXED:
        return _with_and_without_dust(_through_analysers(group), group)
    if group.analyser is Analyser.POLARISER:
        return _through_polariser(group)
    return _through_plate(group)


def _drift(group: GroupTarget) -> Floats | None:
    """(K,) by what part of its flux a target may vary from the mean; None of standards."""
    if group.target.kind is not SourceKind.TARGET:
        return None
    return group.positions.hours * group.settings.variability / MAG_PER_RELATIVE_FLUX


def _through_polariser(group: GroupTarget) -> dict[str, RawStokes]:
    """``ensemble`` as observed; ``ensemble-isp`` without the catalogue's interstellar polarisation,
    or, where that has none, without what the field stars share.
    """
    raw: dict[str, RawStokes] = {}
    ensemble, field, drift = group.ensemble, group.field, _drift(group)
    angles, beam = group.positions.angles_deg, group.positions.beam(group.name)
    scatter = group.settings.transparency_scatter / MAG_PER_RELATIVE_FLUX
    if ensemble is not None and field is not None:
        dust = catalogued(group.target, group.constants)
        err = math.hypot(ensemble.err, ensemble.extra)
        fit = single_beam(angles, _even(beam, transparency(angles, ensemble, field), err),
                          harmonic=2, method="ensemble", drift=drift)
        without = single_beam(angles, _even(beam, ensemble.relative, err), harmonic=2,
                              method=f"ensemble{WITHOUT_DUST}", drift=drift)
        if fit is not None and without is not None:
            observed = replace(fit.stokes, covariance=fit.stokes.covariance + field.covariance,
                               common=field.common)
            raw["ensemble"] = RawStokes(stokes=observed, zero_measured=True)
            raw[f"ensemble{WITHOUT_DUST}"] = RawStokes(
                stokes=without.stokes if dust is None else _without_known(
                    observed, dust, field, group.constants), zero_measured=True)
        scatter = max(float(np.std(ensemble.relative)), 0.002)
    # Each flux has the transparency's scatter besides its own noise.
    plain = polariser(angles, beam, extra=scatter) or single_beam(
        angles, _even(beam, np.ones(angles.size), scatter), harmonic=2, method="plain", drift=drift)
    if plain is not None:
        raw |= _with_and_without_dust({"plain": RawStokes(stokes=plain.stokes)}, group)
    return {name: replace(one, stokes=_diluted(one.stokes, group)) for name, one in raw.items()}


def _without_known(observed: Stokes, dust: Stokes, field: Shared,
                   constants: InstrumentalPolarisation) -> Stokes:
    """``ensemble`` without the catalogue's interstellar polarisation, whose error is in both.

    As far as the result follows the field stars, it holds all of the dust, and so all of that
    error; as far as it follows the catalogue, the error cancels.
    """
    zero = np.diag(np.square([constants.q0_err, constants.u0_err]))
    return replace(_without(observed, dust),
                   common=field.followed @ (dust.covariance + zero) @ field.followed.T)


def _even(beam: Beam, relative: Floats, err: float) -> Beam:
    """Fluxes over the relative transparency, whose relative error enters theirs."""
    even = beam.times(1.0 / relative)
    return Beam(flux=even.flux, err=np.hypot(even.err, err * even.flux))


def _through_plate(group: GroupTarget) -> dict[str, RawStokes]:
    target, positions = group.name, group.positions
    angles = positions.angles_deg
    ordinary = positions.beam(target, "O", alone=False)
    extraordinary = positions.beam(target, "E", alone=False)
    raw: dict[str, RawStokes] = {}
    # Light of faint stars in one image alone looks like a k; this fit has none that takes it up.
    without_k = half_wave_fit(angles, *(
        positions.beam(target, side, alone=False, shared=True) for side in ("O", "E")))
    for stokes in (without_k, *(method(angles, ordinary, extraordinary) for method in (
            half_wave_fit_k, half_wave_ratio, half_wave_sum))):
        if stokes is not None:
            raw[stokes.method] = RawStokes(stokes=_diluted(stokes, group))
    others, drift = source_ensemble(positions, target), _drift(group)
    relative, err = (others.relative, others.err) if others is not None else (
        np.ones(angles.size), group.settings.transparency_scatter / MAG_PER_RELATIVE_FLUX)
    for name, side, sign in (("ordinary", "O", 1.0), ("extraordinary", "E", -1.0)):
        alone = single_beam(angles, _even(positions.beam(target, side), relative, err), harmonic=4,
                            sign=sign, method=name, drift=drift)
        if alone is not None:
            raw[name] = RawStokes(stokes=_diluted(alone.stokes, group, side))
    return _with_and_without_dust(raw, group)


def _through_analysers(group: GroupTarget) -> dict[str, RawStokes]:
    """Each frame gives one component; the ratio of its beams is known, or other sources show it."""
    target, positions = group.name, group.positions
    dust = prior_of(group.target, group.settings, group.constants)
    ratios = []
    for frame, measurements, angle in zip(positions.frames, positions.by_source,
                                          positions.angles_deg, strict=True):
        beams = group.instrument.analysers.get(frame.facts.beam_element)
        others = [(measurements[name, "O"], measurements[name, "E"]) for name, beam in measurements
                  if beam == "O" and name != target and (name, "E") in measurements]
        shown = normalised_difference(*(Beam(
            flux=np.array([pair[side].flux if not pair[side].flags & UNUSABLE else np.nan
                           for pair in others]),
            err=np.array([own_error(pair[side], shared=True) for pair in others]))
            for side in (0, 1)))
        phase = math.radians(2.0 * angle)
        ratios.append(beam_ratio(
            *shown, shared=(dust.q * math.cos(phase) + dust.u * math.sin(phase), dust.err),
            known=(0.0, math.nan) if beams is None else (beams.ratio, beams.ratio_err)))
    k, noise, instrument, stars = np.array(ratios).T
    # Beams of which nothing is known may differ as much as those of real prisms do.
    stokes = fixed_analysers(
        positions.angles_deg, positions.beam(target, "O", alone=False, shared=True),
        positions.beam(target, "E", alone=False, shared=True),
        BeamRatio(k=k, noise=noise, stars=stars,
                  instrument=np.where(np.isfinite(instrument), instrument, UNKNOWN_RATIO)))
    return {} if stokes is None else {stokes.method: RawStokes(stokes=_diluted(stokes, group))}


def _with_and_without_dust(raw: Mapping[str, RawStokes],
                           group: GroupTarget) -> dict[str, RawStokes]:
    """Besides, each method without the catalogue's interstellar polarisation, if there is one."""
    if (known := catalogued(group.target, group.constants)) is None:
        return {**raw}
    return {**raw} | {f"{name}{WITHOUT_DUST}": replace(one, stokes=_without(one.stokes, known))
                      for name, one in raw.items()}


def _without(stokes: Stokes, dust: Stokes) -> Stokes:
    """Without the interstellar polarisation, whose error all points of the source share."""
    return replace(stokes, q=stokes.q - dust.q, u=stokes.u - dust.u,
                   method=f"{stokes.method}{WITHOUT_DUST}", common=stokes.common + dust.covariance)


def _diluted(stokes: Stokes, group: GroupTarget, beam: str = "") -> Stokes:
    """With the error of a neighbour's light, of which a part was subtracted wrongly, and of stars
    too faint to be detected.

    It makes all of the source's polarisation larger or smaller, in every position alike; that of
    the instrument is in all light.
    """
    err = group.positions.light_err(group.name, beam) * np.array(
        [stokes.q - group.constants.q0, stokes.u - group.constants.u0])
    return replace(stokes, covariance=stokes.covariance + np.outer(err, err))
