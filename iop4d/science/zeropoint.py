"""The zero point of a frame from its calibrators.

zp = catalogue magnitude - instrumental magnitude, of each; their robust weighted mean is the
frame's. Weights change smoothly: catalogue errors are constant in time, so a calibrator that
entered one frame and not the next would make a step in the light curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from iop4d.model.flags import NEVER_CALIBRATES, Flag
from iop4d.model.flags import names as flag_names
from iop4d.model.result import CalibratorUse

Floats = NDArray[np.float64]

DEFAULT_ERROR = 0.03  # mag, of a catalogue magnitude without error (science.md: up to 0.08 spread)
_FEWEST_ROBUST = 4  # with fewer, nobody can say which one is wrong
_TUKEY = 6.0  # sigmas at which a calibrator's weight reaches zero, Tukey's biweight
_DISAGREE_P = 1e-4  # probability by chance below which scatter is called disagreement
_DISAGREE_MAG = 0.02  # and the scatter that matters, mag


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A star of known magnitude: catalogue and instrumental magnitude with errors, and flags."""

    source: str
    mag: float
    mag_err: float
    mag_inst: float
    mag_inst_err: float
    flags: int = 0


@dataclass(frozen=True, kw_only=True)
class ZeroPoint:
    """Zero point and error in mag (NaN without calibrators), who made it, and flags."""

    value: float
    err: float
    n: int
    chi2_dof: float
    uses: tuple[CalibratorUse, ...]
    flags: Flag


def zero_point(calibrators: Sequence[Calibrator]) -> ZeroPoint:
    """The robust weighted mean of the calibrators' zero points.

    Up to three: inverse variances. More: Tukey's biweight about the median to begin with. The
    error is that of the weighted mean, raised by the scatter where chi^2 exceeds its degrees of
    freedom (Birge ratio).
    """
    values = np.array([c.mag - c.mag_inst for c in calibrators])
    errors = np.array([math.hypot(_error_of(c.mag_err), c.mag_inst_err) for c in calibrators])
    why_not = [_why_not(c) for c in calibrators]
    usable = np.array([not why for why in why_not], dtype=bool)
    weights = np.zeros(len(calibrators))
    if usable.any():
        weights[usable] = _weights(values[usable], errors[usable])
    good = weights > 0
    mean, err, chi2_dof = _mean(values[good], errors[good], weights[good])
    heaviest = float(weights.max(initial=0.0)) or 1.0
    uses = tuple(
        CalibratorUse(source=c.source, zero_point=float(value), zero_point_err=float(error),
                      weight=float(weight) / heaviest,
                      why_not=why or ("" if weight > 0 else _off(float(value) - mean)))
        for c, value, error, weight, why in zip(calibrators, values, errors, weights, why_not,
                                                strict=True))
    return ZeroPoint(value=mean, err=err, n=int(good.sum()), chi2_dof=chi2_dof, uses=uses,
                     flags=_flags(int(good.sum()), values[good], errors[good], mean))


def _weights(values: Floats, errors: Floats) -> Floats:
    weights = errors**-2
    if values.size < _FEWEST_ROBUST:
        return weights
    centre = float(np.median(values))
    factor = np.ones(values.size)
    # Where errors are too small for the scatter they must not throw out half of the stars.
    spread = max(1.0, 1.4826 * float(np.median(np.abs(values - centre) / errors)))
    for _ in range(20):
        factor = np.clip(1.0 - ((values - centre) / (_TUKEY * spread * errors)) ** 2, 0.0, 1.0) ** 2
        if not (factor > 0).any():
            return weights
        step = float(np.sum(factor * weights * values) / np.sum(factor * weights)) - centre
        centre += step
        if abs(step) < 1e-6:
            break
    return np.asarray(factor * weights)


def _mean(values: Floats, errors: Floats, weights: Floats) -> tuple[float, float, float]:
    """(mean, error, chi^2 per degree of freedom); the latter NaN with fewer than two."""
    if values.size == 0:
        return math.nan, math.nan, math.nan
    share = weights / weights.sum()
    mean = float(np.sum(share * values))
    formal = math.sqrt(float(np.sum(share**2 * errors**2)))
    if values.size == 1:
        return mean, formal, math.nan
    chi2_dof = float(np.sum(((values - mean) / errors) ** 2)) / (values.size - 1)
    return mean, formal * math.sqrt(max(chi2_dof, 1.0)), chi2_dof


def _flags(n: int, values: Floats, errors: Floats, mean: float) -> Flag:
    if n == 0:
        return Flag.NO_CALIBRATORS
    if n == 1:
        return Flag.FEW_CALIBRATORS
    chi2 = float(np.sum(((values - mean) / errors) ** 2))
    scatter = math.sqrt(float(np.sum((values - mean) ** 2)) / (n - 1))
    disagree = chdtrc(n - 1, chi2) < _DISAGREE_P and scatter > _DISAGREE_MAG
    return Flag.CALIBRATORS_DISAGREE if disagree else Flag(0)


def _error_of(error: float) -> float:
    return error if math.isfinite(error) and error > 0 else DEFAULT_ERROR


def _why_not(calibrator: Calibrator) -> str:
    if flags := calibrator.flags & NEVER_CALIBRATES:
        return ", ".join(flag_names(flags)).replace("_", " ")
    if not math.isfinite(calibrator.mag):
        return "no magnitude in the catalogue"
    if not (math.isfinite(calibrator.mag_inst) and math.isfinite(calibrator.mag_inst_err)):
        return "no flux measured"
    return ""


def _off(difference: float) -> str:
    return f"differs from the others by {difference:+.2f} mag"
