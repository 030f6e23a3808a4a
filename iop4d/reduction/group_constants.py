"""The constants of the instrument that hold for a group, as its camera stands."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.model.units import angle_difference
from iop4d.reduction.groups import Positions

_LEAST_TURN_DEG = 3.0  # of a camera: less is within the zero angle's error


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
