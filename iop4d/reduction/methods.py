"""Every way to compute a target's polarisation that applies to a group, as the instrument sees it.

``ensemble`` and the methods of two beams are as observed: the dust before a source is part of its
polarisation. Their variants with ``-isp`` are without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from iop4d.config.site import Polarimetry
from iop4d.model.polarimeter import Analyser, Beams, InstrumentalPolarisation
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.groups import UNUSABLE, Positions, own_error, source_ensemble
from iop4d.science.fieldstars import Transparency
from iop4d.science.interstellar import Prior, Shared, by_dust, reddening, shared_by_field
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
from iop4d.science.stokes import Stokes, rotated

Floats = NDArray[np.float64]

#: (as the instrument sees it, whether its errors hold those of the instrument's constants)
Seen = tuple[Stokes, bool]

#: Ending of the methods that take out the field's interstellar polarisation.
WITHOUT_DUST = "-isp"

UNKNOWN_RATIO = 0.02  # error of the ratio of two beams that nothing tells


def seen_by_methods(target: Source, positions: Positions, analyser: Analyser,
                    ensemble: Transparency | None, field: Shared | None, settings: Polarimetry,
                    constants: InstrumentalPolarisation,
                    analysers: Mapping[str, Beams] | None = None) -> dict[str, Seen]:
    """Every method that applies, as the instrument sees it.

    ``ensemble``, ``field``: behind a polariser, the transparency that field stars show and the
    polarisation that they share.
    """
    if analyser is Analyser.FIXED:
        return _with_and_without_dust(
            _through_analysers(target, positions, analysers or {}, settings, constants), target,
            constants)
    drift = None
    if target.kind is SourceKind.TARGET:  # standards are steady
        drift = positions.hours * settings.variability / MAG_PER_RELATIVE_FLUX
    if analyser is Analyser.POLARISER:
        return _through_polariser(target, drift, positions, ensemble, field, settings, constants)
    return _through_plate(target, drift, positions, settings, constants)


def field_polarisation(target: Source, angles_deg: Floats, ensemble: Transparency | None,
                       settings: Polarimetry, constants: InstrumentalPolarisation) -> Shared | None:
    """The q and u that a target's field stars share, as the instrument sees them; None of none."""
    return None if ensemble is None else shared_by_field(
        angles_deg, ensemble, _prior(target, settings, constants),
        scatter=settings.transparency_scatter / MAG_PER_RELATIVE_FLUX, q0_err=constants.q0_err,
        u0_err=constants.u0_err)


def transparency(angles_deg: Floats, ensemble: Transparency, field: Shared) -> Floats:
    """(K,) the transparency alone: of what all field stars show, without their polarisation."""
    phase = np.radians(2.0 * angles_deg)
    return np.asarray(ensemble.relative / (
        1.0 + field.q * np.cos(phase) + field.u * np.sin(phase)))


def _prior(target: Source, settings: Polarimetry, constants: InstrumentalPolarisation) -> Prior:
    """The catalogue's interstellar polarisation, else as much as its dust, or any, may give.

    A standard is polarised by dust itself.
    """
    if (known := catalogued(target, constants)) is not None:
        return Prior(q=known.q, u=known.u,
                     err=math.sqrt(float(np.trace(known.covariance)) / 2.0))
    e_bv = reddening(target.extinction)
    err = settings.interstellar / 100.0 if math.isnan(e_bv) else by_dust(e_bv)
    if target.kind is SourceKind.STANDARD and target.p > 0.0:
        err = math.hypot(err, target.p / math.sqrt(2.0))
    return Prior(q=0.0, u=0.0, err=err)


def catalogued(target: Source, constants: InstrumentalPolarisation) -> Stokes | None:
    """The catalogue's interstellar polarisation before a target as the instrument sees it.

    Without what the instrument adds. None where the catalogue has none.
    """
    if target.interstellar is None:
        return None
    q, q_err, u, u_err = target.interstellar
    return rotated(Stokes(q=q, u=u, covariance=np.diag([q_err**2, u_err**2]), method="", n=0),
                   -constants.angle_deg)


def _through_polariser(target: Source, drift: Floats | None, positions: Positions,
                       ensemble: Transparency | None, field: Shared | None, settings: Polarimetry,
                       constants: InstrumentalPolarisation) -> dict[str, Seen]:
    """``ensemble`` as observed; ``ensemble-isp`` without the catalogue's interstellar polarisation,
    or, where that has none, without what the field stars share.
    """
    found: dict[str, Seen] = {}
    angles, beam = positions.angles_deg, positions.beam(target.name)
    dust = catalogued(target, constants)
    scatter = settings.transparency_scatter / MAG_PER_RELATIVE_FLUX
    if ensemble is not None and field is not None:
        err = math.hypot(ensemble.err, ensemble.extra)
        seen = single_beam(angles, _even(beam, transparency(angles, ensemble, field), err),
                           harmonic=2, method="ensemble", drift=drift)
        without = single_beam(angles, _even(beam, ensemble.relative, err), harmonic=2,
                              method=f"ensemble{WITHOUT_DUST}", drift=drift)
        if seen is not None and without is not None:
            found["ensemble"] = (replace(
                seen.stokes, covariance=seen.stokes.covariance + field.covariance,
                common=field.common), True)
            found[f"ensemble{WITHOUT_DUST}"] = (
                without.stokes if dust is None else _without_known(
                    found["ensemble"][0], dust, field, constants), True)
        scatter = max(float(np.std(ensemble.relative)), 0.002)
    # Each flux has the transparency's scatter besides its own noise.
    plain = polariser(angles, beam, extra=scatter) or single_beam(
        angles, _even(beam, np.ones(angles.size), scatter), harmonic=2, method="plain", drift=drift)
    if plain is not None:
        found |= _with_and_without_dust({"plain": (plain.stokes, False)}, target, constants)
    return {name: (_diluted(stokes, target.name, positions, constants), measured)
            for name, (stokes, measured) in found.items()}


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


def _through_plate(source: Source, drift: Floats | None, positions: Positions,
                   settings: Polarimetry, constants: InstrumentalPolarisation,
                   ) -> dict[str, Seen]:
    target, angles = source.name, positions.angles_deg
    ordinary = positions.beam(target, "O", alone=False)
    extraordinary = positions.beam(target, "E", alone=False)
    found: dict[str, Seen] = {}
    # Light of faint stars in one image alone looks like a k; this fit has none that takes it up.
    without_k = half_wave_fit(angles, *(
        positions.beam(target, side, alone=False, shared=True) for side in ("O", "E")))
    for stokes in (without_k, *(method(angles, ordinary, extraordinary) for method in (
            half_wave_fit_k, half_wave_ratio, half_wave_sum))):
        if stokes is not None:
            found[stokes.method] = (_diluted(stokes, target, positions, constants), False)
    others = source_ensemble(positions, target)
    relative, err = (others.relative, others.err) if others is not None else (
        np.ones(angles.size), settings.transparency_scatter / MAG_PER_RELATIVE_FLUX)
    ordinary, extraordinary = positions.beam(target, "O"), positions.beam(target, "E")
    for name, beam, sign in (("ordinary", ordinary, 1.0), ("extraordinary", extraordinary, -1.0)):
        alone = single_beam(angles, _even(beam, relative, err), harmonic=4, sign=sign, method=name,
                            drift=drift)
        if alone is not None:
            side = "O" if name == "ordinary" else "E"
            found[name] = (_diluted(alone.stokes, target, positions, constants, side), False)
    return _with_and_without_dust(found, source, constants)


def _through_analysers(source: Source, positions: Positions, analysers: Mapping[str, Beams],
                       settings: Polarimetry, constants: InstrumentalPolarisation,
                       ) -> dict[str, Seen]:
    """Each frame gives one component; the ratio of its beams is known, or other sources show it."""
    target, dust = source.name, _prior(source, settings, constants)
    ratios = []
    for frame, found, angle in zip(positions.frames, positions.by_source, positions.angles_deg,
                                   strict=True):
        beams = analysers.get(frame.facts.beam_element)
        others = [(found[name, "O"], found[name, "E"]) for name, beam in found
                  if beam == "O" and name != target and (name, "E") in found]
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
    return {} if stokes is None else {
        stokes.method: (_diluted(stokes, target, positions, constants), False)}


def _with_and_without_dust(found: dict[str, Seen], source: Source,
                           constants: InstrumentalPolarisation) -> dict[str, Seen]:
    """Besides, each method without the catalogue's interstellar polarisation, if there is one."""
    if (known := catalogued(source, constants)) is None:
        return found
    return found | {f"{name}{WITHOUT_DUST}": (_without(stokes, known), measured)
                    for name, (stokes, measured) in found.items()}


def _without(stokes: Stokes, dust: Stokes) -> Stokes:
    """Without the interstellar polarisation, whose error all points of the source share."""
    return replace(stokes, q=stokes.q - dust.q, u=stokes.u - dust.u,
                   method=f"{stokes.method}{WITHOUT_DUST}", common=stokes.common + dust.covariance)


def _diluted(stokes: Stokes, source: str, positions: Positions,
             constants: InstrumentalPolarisation, beam: str = "") -> Stokes:
    """With the error of a neighbour's light, of which a part was subtracted wrongly, and of stars
    too faint to be detected.

    It makes all of the source's polarisation larger or smaller, in every position alike; that of
    the instrument is in all light.
    """
    err = positions.light_err(source, beam) * np.array(
        [stokes.q - constants.q0, stokes.u - constants.u0])
    return replace(stokes, covariance=stokes.covariance + np.outer(err, err))
