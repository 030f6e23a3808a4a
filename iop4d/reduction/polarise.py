"""A group's polarisation of its targets, by every method that applies, and their magnitudes.

No pixels are needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame, Polarised
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation
from iop4d.model.result import NAN, CalibratorUse, Measurement, MethodValue, ResultValue
from iop4d.model.source import Catalogue, Source, canonical
from iop4d.model.units import MAG_PER_RELATIVE_FLUX, angle_difference
from iop4d.reduction.apertures import in_one_aperture
from iop4d.reduction.calibrate import calibrate, targets_of
from iop4d.reduction.fluxes import with_mean_flux
from iop4d.reduction.group_flags import flags_of_fit, flags_of_sum, with_crowded
from iop4d.reduction.groups import Positions, field_ensemble, positions_of
from iop4d.reduction.host import aperture_of, find_table, steady_host, without_host
from iop4d.reduction.methods import (
    WITHOUT_DUST,
    Seen,
    catalogued,
    field_polarisation,
    seen_by_methods,
)
from iop4d.science.fieldstars import Transparency
from iop4d.science.interstellar import GroupOfField, Shared, across_by_angle, seen_of_field
from iop4d.science.polarimetry import modulation
from iop4d.science.stokes import Stokes, corrected, debiased, rotated

_FEWEST_STARS = 4  # of a field, by which its interstellar polarisation is measured
_FEWEST_ANGLES = 3  # that separate q and u from the mean
UNKNOWN_P = 0.05  # of a target of which only the magnitude is measured, as blazars have on average
_LEAST_TURN_DEG = 3.0  # of a camera: less is within the zero angle's error


def polarise(frames: Sequence[MeasuredFrame], *, catalogue: Catalogue, instrument: Instrument,
             settings: Polarimetry) -> Polarised:
    """The results of all targets and standards on the frames of a group.

    All positions of a target, its calibrators and the field stars are measured in one aperture: the
    target's own, else the one that the widest frame asks for.
    """
    polarimeter = instrument.polarimeter
    if polarimeter is None:
        raise StageError("polarimetry", f"{instrument.name} has no polarimeter")
    positions = _in_one_aperture(frames, NAN, instrument)
    constants, off = constants_of(positions, instrument)
    turned = Flag(0) if off == 0.0 else Flag.FIELD_ROTATED  # NaN: by more than one angle
    results: list[ResultValue] = []
    refused: list[tuple[str, str]] = []
    for target in _targets(positions, catalogue):
        positions = _of_target(frames, target, catalogue, instrument)
        ensemble = field_ensemble(positions, q0=constants.q0, u0=constants.u0) \
            if polarimeter.analyser is Analyser.POLARISER else None
        field = field_polarisation(target, positions.angles_deg, ensemble, settings, constants)
        found = seen_by_methods(target, positions, polarimeter.analyser, ensemble, field, settings,
                                constants, instrument.analysers)
        usable = positions.usable(target.name)
        if not found or usable < polarimeter.fewest:
            refused.append((target.name, f"measured at {usable} positions, at least "
                                         f"{polarimeter.fewest} are needed"))
            alone = with_crowded(_magnitude_alone(
                target, positions, constants, catalogue, instrument),
                positions.confusion(target.name))
            if math.isfinite(alone.mag) or math.isfinite(alone.mag_limit):
                results.append(alone)
            continue
        chosen = _choose(found, target, positions, instrument, settings, ensemble)
        dust = _interstellar(target, field, constants)
        value = _result(target, positions, found, chosen, constants, catalogue, instrument,
                        settings)
        value = with_crowded(replace(value, flags=value.flags | int(turned)),
                             positions.confusion(target.name))
        results.append(value if dust is None else replace(
            value, q_isp=dust.q, q_isp_err=dust.q_err, u_isp=dust.u, u_isp_err=dust.u_err))
    return Polarised(results=tuple(results), refused=tuple(refused))


def group_of_field(frames: Sequence[MeasuredFrame], instrument: Instrument) -> GroupOfField | None:
    """What the field stars of a polariser group share, on the sky; None without any.

    Raises StageError where no constants of the instrument hold.
    """
    positions = _in_one_aperture(frames, NAN, instrument)
    constants, off = constants_of(positions, instrument)
    if len(set(positions.angles_deg)) < _FEWEST_ANGLES or math.isnan(off):
        return None
    ensemble = field_ensemble(positions, q0=constants.q0, u0=constants.u0)
    if ensemble is None or ensemble.n < _FEWEST_STARS:
        return None
    q, u = seen_of_field(positions.angles_deg, ensemble)
    sky = rotated(Stokes(q=q, u=u, n=0, method="", covariance=np.diag(
        [constants.q0_err**2, constants.u0_err**2])), constants.angle_deg)
    return GroupOfField(q=sky.q, u=sky.u, q0_err=sky.q_err, u0_err=sky.u_err,
                        angle_err_deg=constants.angle_err_deg)


def constants_of(positions: Positions,
                 instrument: Instrument) -> tuple[InstrumentalPolarisation, float]:
    """The constants of a group, its zero angle that of the camera as it stands, and ``turned_by``.

    Raises StageError where none hold.
    """
    polarimeter = instrument.polarimeter
    jd = float(np.mean([frame.facts.jd_mid for frame in positions.frames]))
    constants = None if polarimeter is None else polarimeter.constants_at(jd)
    if polarimeter is None or constants is None:
        raise StageError("polarimetry", f"no instrumental polarisation of {instrument.name} is "
                                        f"known for JD {jd:.1f}")
    off = turned_by(positions, instrument)
    if abs(off) > 0.0 and polarimeter.turns_with_camera:
        constants = replace(constants, angle_deg=constants.angle_deg + off)
    return constants, off


def _magnitude_alone(target: Source, positions: Positions, constants: InstrumentalPolarisation,
                     catalogue: Catalogue, instrument: Instrument) -> ResultValue:
    """The magnitude of a target whose polarisation the group does not show.

    Two beams add up to all of the light. Behind a polariser the star's own polarisation, of which
    nothing is known, is part of the error: each position shows more or less of it.
    """
    polarimeter = instrument.polarimeter
    assert polarimeter is not None
    unpolarised = Stokes(q=constants.q0, u=constants.u0, covariance=np.zeros((2, 2)), method="",
                         n=0)
    value = group_magnitude(target, positions, unpolarised, constants, beam="",
                            catalogue=catalogue, instrument=instrument)
    if polarimeter.analyser is Analyser.POLARISER:
        p = target.p if target.p > 0.0 else UNKNOWN_P
        value = replace(value, mag_err=math.hypot(
            value.mag_err, MAG_PER_RELATIVE_FLUX * p / math.sqrt(2.0)))
    return without_host(replace(value, flags=value.flags | int(Flag.MISSING_ANGLES)), target,
                        positions.frames[0])


def turned_by(positions: Positions, instrument: Instrument) -> float:
    """By what angle the camera stands further east of north than where its zero angle holds.

    Degrees in [-90, 90): half a turn is nothing to a polariser. 0 within the tolerance, three times
    the error of the instrument's angle, and where either is not known; NaN where the frames of the
    group differ among themselves.
    """
    angles = [frame.sky_angle_deg for frame in positions.frames
              if math.isfinite(frame.sky_angle_deg)]
    if instrument.sky_angle_deg is None or not angles:
        return 0.0
    expected, err = instrument.sky_angle_deg
    tolerance = max(3.0 * err, _LEAST_TURN_DEG)
    first = angles[0]
    apart = np.array([angle_difference(angle, first) for angle in angles])
    if float(np.ptp(apart)) > tolerance:
        return math.nan
    off = angle_difference(first + float(np.mean(apart)), expected)
    return off if abs(off) > tolerance else 0.0


def _in_one_aperture(frames: Sequence[MeasuredFrame], radius: float,
                     instrument: Instrument) -> Positions:
    return positions_of(in_one_aperture(frames, radius), instrument.telescope)


def _of_target(frames: Sequence[MeasuredFrame], target: Source, catalogue: Catalogue,
               instrument: Instrument) -> Positions:
    """A group as a target is measured in it: in its aperture, its host being steady."""
    positions = _in_one_aperture(frames, aperture_of(target), instrument)
    with_light = [frame for frame, m in zip(positions.frames, positions.of(target.name),
                                            strict=True) if m is not None]
    if not with_light or find_table((target.name, *target.other_names)) is None:
        return positions
    each = calibrate(target, with_light, catalogue=catalogue, telescope=instrument.telescope)
    zero = {frame.id: result.zero_point for frame, result in zip(with_light, each, strict=True)}
    return positions_of([steady_host(frame, target, zero.get(frame.id, NAN))
                         for frame in positions.frames], instrument.telescope)


def _targets(positions: Positions, catalogue: Catalogue) -> list[Source]:
    seen: dict[str, Source] = {}
    for frame in positions.frames:
        seen |= {target.name: target for target in targets_of(frame, catalogue)}
    return [seen[name] for name in sorted(seen)]


def _interstellar(target: Source, field: Shared | None,
                  constants: InstrumentalPolarisation) -> Stokes | None:
    """The field's interstellar q and u on the sky: the catalogue's, else as its stars show it."""
    if (known := catalogued(target, constants)) is not None:
        return rotated(known, constants.angle_deg)
    if field is None:
        return None
    sky = rotated(Stokes(q=field.q, u=field.u, covariance=field.covariance + field.common,
                         method="", n=0), constants.angle_deg)
    return replace(sky, covariance=sky.covariance + across_by_angle(
        sky.q, sky.u, constants.angle_err_deg))


def _choose(found: dict[str, Seen], target: Source, positions: Positions, instrument: Instrument,
            settings: Polarimetry, ensemble: Transparency | None) -> str:
    """The method that is reported: the one asked for, if it applies, else the best of its kind."""
    asked = _asked_for(target, instrument, settings)
    if asked in found:
        return asked
    if "ensemble" in found or "plain" in found:
        enough = ensemble is not None and ensemble.n >= settings.min_field_stars
        return "ensemble" if enough and "ensemble" in found else next(
            name for name in ("plain", "ensemble") if name in found)
    # A fit knows by its scatter when something is wrong with a position; the ratios do not.
    both = next((name for name in ("fit-k", "ratio", "fit") if name in found), "")
    alone = min((name for name in ("ordinary", "extraordinary") if name in found and not _is_spoilt(
        target.name, name, positions)), key=lambda name: found[name][0].p_err, default="")
    if not both or not alone:
        return both or alone or next(iter(found))
    spoilt = any(_is_spoilt(target.name, name, positions) for name in ("ordinary", "extraordinary"))
    return alone if spoilt and found[alone][0].p_err < found[both][0].p_err else both


def _asked_for(target: Source, instrument: Instrument, settings: Polarimetry) -> str:
    """The method that the site file names for the source, by any of its names, or else for all."""
    names = {canonical(name) for name in (target.name, *target.other_names)}
    for key, method in settings.method.items():
        camera, _, source = key.partition("/")
        if camera == instrument.name and canonical(source) in names:
            return method
    return settings.method.get(instrument.name, "auto")


def _is_spoilt(target: str, side: str, positions: Positions) -> bool:
    """Whether most of a side's images hold a neighbour's light, or are of no use."""
    spoilt = int(Flag.BLENDED | Flag.SATURATED | Flag.EDGE)
    found = positions.of(target, "O" if side == "ordinary" else "E")
    return sum(m is None or bool(m.flags & spoilt) for m in found) > len(found) / 2


def _result(target: Source, positions: Positions, found: dict[str, Seen], chosen: str,
            constants: InstrumentalPolarisation, catalogue: Catalogue,
            instrument: Instrument, settings: Polarimetry) -> ResultValue:
    stokes = {name: corrected(seen, constants, measured=measured)
              for name, (seen, measured) in found.items()}
    best = stokes[chosen]
    # Calibrators are behind the same dust: against them the target is modulated by the rest.
    seen = found.get(f"ensemble{WITHOUT_DUST}", found[chosen])[0]
    beam = {"ordinary": "O", "extraordinary": "E"}.get(chosen.removesuffix(WITHOUT_DUST), "")
    result = group_magnitude(target, positions, seen, constants, beam=beam, catalogue=catalogue,
                             instrument=instrument)
    # A degree and its limit are values by themselves: all of the error counts.
    clean = debiased(best.q, best.u, best.covariance + best.common)
    flags = result.flags | int(
        flags_of_fit(found[chosen][0], target.name, positions, instrument)
        | flags_of_sum(target.name, positions, instrument, settings))
    return without_host(replace(
        result, flags=flags, q=best.q, q_err=best.q_err, u=best.u, u_err=best.u_err, p=best.p,
        p_err=best.p_err, chi_deg=best.chi_deg, chi_err_deg=best.chi_err_deg,
        qu_cov=best.qu_cov, chi_err_common=best.angle_err_deg, q0_err=best.q0_err,
        u0_err=best.u0_err, p_debiased=clean.p, p_limit=clean.limit, method=chosen,
        methods=tuple(_value(stokes[name]) for name in sorted(stokes))),
        target, positions.frames[0])


def _value(stokes: Stokes) -> MethodValue:
    return MethodValue(
        method=stokes.method, p=stokes.p, p_err=stokes.p_err, chi_deg=stokes.chi_deg,
        chi_err_deg=stokes.chi_err_deg, q=stokes.q, q_err=stokes.q_err, u=stokes.u,
        u_err=stokes.u_err, k=stokes.k, chi2=stokes.chi2, dof=stokes.dof, n=stokes.n)


def group_magnitude(target: Source, positions: Positions, seen: Stokes,
                    constants: InstrumentalPolarisation, *, beam: str, catalogue: Catalogue,
                    instrument: Instrument) -> ResultValue:
    """The mean of the frames' magnitudes, calibrated together; polarisation still missing.

    ``seen``: the target's q and u through the polariser. Its fluxes are divided by their modulation
    against that of the calibrators, which is the instrument's alone, so that the scatter made by
    polarisation is no part of the error. With two beams the sum of the images has no modulation;
    where ``beam`` names one of the images, it is used alone, likewise. Positions of no use are left
    out, as they are of the polarisation.
    """
    polarimeter = instrument.polarimeter
    assert polarimeter is not None
    frames = [frame for frame, m in zip(positions.frames, positions.clean(target.name, beam),
                                        strict=True) if m is not None]
    if not frames:
        return _without_magnitude(target, positions)
    if beam:
        sign = 1.0 if beam == "O" else -1.0
        frames = [_without_modulation(_one_beam(frame, beam), target.name, seen, constants,
                                      harmonic=4, sign=sign) for frame in frames]
    elif polarimeter.analyser is Analyser.POLARISER:
        frames = [_without_modulation(frame, target.name, seen, constants, harmonic=2, sign=1.0)
                  for frame in frames]
    each = calibrate(target, frames, catalogue=catalogue, telescope=instrument.telescope,
                     system=instrument.system)
    mean = _mean(each, positions, positions.light_err(target.name, beam))
    return with_mean_flux(mean, each, target, [m for frame in frames for m in frame.measurements
                                               if m.source == target.name and not m.beam])


def _one_beam(frame: MeasuredFrame, beam: str) -> MeasuredFrame:
    """The frame as if it held only the ordinary or extraordinary images."""
    return replace(frame, measurements=tuple(
        replace(m, beam="") for m in frame.measurements if m.beam == beam))


def _without_modulation(frame: MeasuredFrame, target: str, seen: Stokes,
                        constants: InstrumentalPolarisation, *, harmonic: int,
                        sign: float) -> MeasuredFrame:
    angle = np.array([frame.facts.polariser_deg or 0.0])
    own = replace(seen, q=constants.q0, u=constants.u0)
    m, m_own = (sign * float(modulation(stokes, angle, harmonic=harmonic)[0])
                for stokes in (seen, own))
    factor = (1.0 + m) / (1.0 + m_own)
    if not factor > 0.05:
        return frame

    def even(m: Measurement) -> Measurement:
        return m if m.source != target else replace(
            m, flux=m.flux / factor, flux_err=m.flux_err / factor,
            confusion_err=m.confusion_err / factor,
            mag_inst=m.mag_inst + 2.5 * math.log10(factor),
            growth=tuple(replace(point, flux=point.flux / factor,
                                 flux_err=point.flux_err / factor) for point in m.growth))

    return replace(frame, measurements=tuple(even(m) for m in frame.measurements))


def _mean(each: Sequence[ResultValue], positions: Positions, light_err: float) -> ResultValue:
    """Weighted mean of magnitudes; the catalogue's part of the error does not average out.

    Nor does ``light_err``, the relative error of the light of others: the group's positions share
    it. No other group does, with its own seeing and place, so that it stays in the random error.
    """
    good = [r for r in each if math.isfinite(r.mag) and r.mag_err > 0]
    base = each[0]
    facts = [frame.facts for frame in positions.frames]
    flags = 0
    for result in each:
        flags |= result.flags
    common = replace(
        base, jd_mid=float(np.mean([f.jd_mid for f in facts])),
        bjd_tdb=float(np.mean([r.bjd_tdb for r in each])), flags=flags,
        exptime_s=facts[0].exptime_s,
        airmass=float(np.mean([r.airmass for r in each])),
        fwhm_arcsec=float(np.median([r.fwhm_arcsec for r in each])))
    if not good:
        return replace(common, mag=NAN, mag_err=NAN, zero_point=NAN, zero_point_err=NAN)
    light = MAG_PER_RELATIVE_FLUX * light_err
    random = np.array([math.sqrt(max(r.mag_err**2 - light**2, 1e-6)) for r in good])
    weight = random**-2 / np.sum(random**-2)
    zeros = np.array([r.zero_point for r in good])
    return replace(
        common, mag=float(np.sum(weight * np.array([r.mag for r in good]))),
        mag_err=math.hypot(float(np.sum(random**-2)) ** -0.5, light),
        mag_err_common=float(np.sum(weight * np.array([r.mag_err_common for r in good]))),
        zero_point=float(np.mean(zeros)),
        zero_point_err=float(np.mean([r.zero_point_err for r in good])),
        n_calibrators=max(r.n_calibrators for r in good), calibrators=_uses(good))


def _uses(each: Sequence[ResultValue]) -> tuple[CalibratorUse, ...]:
    """Each calibrator's mean part over the frames."""
    names = dict.fromkeys(use.source for result in each for use in result.calibrators)
    uses = []
    for name in names:
        mine = [use for result in each for use in result.calibrators if use.source == name]
        used = [use for use in mine if not use.why_not] or mine
        uses.append(replace(
            used[0], zero_point=float(np.mean([use.zero_point for use in used])),
            zero_point_err=float(np.mean([use.zero_point_err for use in used])),
            residual=float(np.mean([use.residual for use in used])),
            weight=sum(use.weight for use in mine) / len(each)))
    return tuple(uses)


def _without_magnitude(target: Source, positions: Positions) -> ResultValue:
    """Of a target of which only one image of each frame is inside."""
    frames = positions.frames
    facts = frames[0].facts
    return ResultValue(
        source=target.name, band=facts.band or "", mode=facts.mode,
        jd_mid=float(np.mean([f.facts.jd_mid for f in frames])),
        bjd_tdb=float(np.mean([f.bjd_tdb for f in frames])), exptime_s=facts.exptime_s, mag=NAN,
        mag_err=NAN, zero_point=NAN, zero_point_err=NAN, n_calibrators=0,
        fwhm_arcsec=float(np.median([f.fwhm_arcsec for f in frames])),
        airmass=float(np.mean([f.airmass for f in frames])), flags=0)
