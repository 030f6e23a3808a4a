"""The magnitude of a target in a polarimetry group: its frames, calibrated together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation
from iop4d.model.result import NAN, CalibratorUse, Measurement, ResultValue
from iop4d.model.source import Catalogue, Source
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.calibrate import calibrate
from iop4d.reduction.fluxes import with_mean_flux
from iop4d.reduction.group_target import GroupTarget
from iop4d.reduction.groups import Positions
from iop4d.reduction.host import without_host
from iop4d.science.polarimetry import modulation
from iop4d.science.stokes import Stokes

UNKNOWN_P = 0.05  # of a target of which only the magnitude is measured, as blazars have on average


def group_magnitude(group: GroupTarget, raw: Stokes, *, beam: str,
                    catalogue: Catalogue) -> ResultValue:
    """The mean of the frames' magnitudes, calibrated together; polarisation still missing.

    ``raw``: the target's q and u as the instrument sees them. Its fluxes are divided by their
    modulation against that of the calibrators, which is the instrument's alone, so that the scatter
    made by polarisation is no part of the error. With two beams the sum of the images has no
    modulation; where ``beam`` names one of the images, it is used alone, likewise. Positions of no
    use are left out, as they are of the polarisation.
    """
    target, positions, instrument = group.target, group.positions, group.instrument
    frames = [frame for frame, m in zip(positions.frames, positions.clean(target.name, beam),
                                        strict=True) if m is not None]
    if not frames:
        return _without_magnitude(target, positions)
    if beam:
        sign = 1.0 if beam == "O" else -1.0
        frames = [_without_modulation(_one_beam(frame, beam), target.name, raw, group.constants,
                                      harmonic=4, sign=sign) for frame in frames]
    elif group.analyser is Analyser.POLARISER:
        frames = [_without_modulation(frame, target.name, raw, group.constants, harmonic=2,
                                      sign=1.0) for frame in frames]
    each = calibrate(target, frames, catalogue=catalogue, telescope=instrument.telescope,
                     system=instrument.system)
    mean = _mean(each, positions, positions.light_err(target.name, beam))
    return with_mean_flux(mean, each, target, [m for frame in frames for m in frame.measurements
                                               if m.source == target.name and not m.beam])


def magnitude_alone(group: GroupTarget, catalogue: Catalogue) -> ResultValue:
    """The magnitude of a target whose polarisation the group does not show.

    Two beams add up to all of the light. Behind a polariser the star's own polarisation, of which
    nothing is known, is part of the error: each position shows more or less of it.
    """
    constants, target = group.constants, group.target
    unpolarised = Stokes(q=constants.q0, u=constants.u0, covariance=np.zeros((2, 2)), method="",
                         n=0)
    value = group_magnitude(group, unpolarised, beam="", catalogue=catalogue)
    if group.analyser is Analyser.POLARISER:
        p = target.p if target.p > 0.0 else UNKNOWN_P
        value = replace(value, mag_err=math.hypot(
            value.mag_err, MAG_PER_RELATIVE_FLUX * p / math.sqrt(2.0)))
    return without_host(replace(value, flags=value.flags | int(Flag.MISSING_ANGLES)), target,
                        group.positions.frames[0])


def _one_beam(frame: MeasuredFrame, beam: str) -> MeasuredFrame:
    """The frame as if it held only the ordinary or extraordinary images."""
    return replace(frame, measurements=tuple(
        replace(m, beam="") for m in frame.measurements if m.beam == beam))


def _without_modulation(frame: MeasuredFrame, target: str, raw: Stokes,
                        constants: InstrumentalPolarisation, *, harmonic: int,
                        sign: float) -> MeasuredFrame:
    angle = np.array([frame.facts.polariser_deg or 0.0])
    own = replace(raw, q=constants.q0, u=constants.u0)
    m, m_own = (sign * float(modulation(stokes, angle, harmonic=harmonic)[0])
                for stokes in (raw, own))
    factor = (1.0 + m) / (1.0 + m_own)
    if not factor > 0.05:
        return frame

    def even(m: Measurement) -> Measurement:
        return m if m.source != target else replace(
            m, flux=m.flux / factor, flux_err=m.flux_err / factor,
            confusion_err=m.confusion_err / factor,
            mag_inst=m.mag_inst + 2.5 * math.log10(factor),
            growth=tuple(point._replace(flux=point.flux / factor,
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
