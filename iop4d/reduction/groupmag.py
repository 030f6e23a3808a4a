"""The magnitude of a target over a polarimetry group, free of the modulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.instruments.base import Instrument
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation
from iop4d.model.result import NAN, CalibratorUse, Measurement, ResultValue
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.calibrate import calibrate
from iop4d.reduction.groups import Positions
from iop4d.reduction.sources import MAG_PER_RELATIVE_FLUX
from iop4d.science.photometry import NEIGHBOUR_ERR
from iop4d.science.polarimetry import modulation
from iop4d.science.stokes import Stokes


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
    each = calibrate(target, frames, catalogue=catalogue, telescope=instrument.telescope)
    return _mean(each, positions, NEIGHBOUR_ERR * positions.neighbours(target.name, beam))


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
            mag_inst=m.mag_inst + 2.5 * math.log10(factor))

    return replace(frame, measurements=tuple(even(m) for m in frame.measurements))


def _mean(each: Sequence[ResultValue], positions: Positions, light_err: float) -> ResultValue:
    """Weighted mean of magnitudes; the catalogue's part of the error does not average out.

    Nor does ``light_err``, the relative error of the neighbours' light.
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
    shared = math.hypot(min(r.common_err for r in good), light)
    random = np.array([math.sqrt(max(r.mag_err**2 - r.common_err**2 - light**2, 1e-6))
                       for r in good])
    weight = random**-2 / np.sum(random**-2)
    zeros = np.array([r.zero_point for r in good])
    return replace(
        common, mag=float(np.sum(weight * np.array([r.mag for r in good]))),
        mag_err=math.hypot(float(np.sum(random**-2)) ** -0.5, shared),
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
            weight=float(np.mean([use.weight for use in used]))))
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
