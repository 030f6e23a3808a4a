"""The modulation that a group shows: what was measured at each position, and every fit to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser
from iop4d.model.source import Source
from iop4d.reduction.apertures import in_one_aperture
from iop4d.reduction.group_constants import constants_of
from iop4d.reduction.group_target import group_target
from iop4d.reduction.groups import Positions, positions_of
from iop4d.reduction.host import aperture_of
from iop4d.reduction.interstellar import catalogued, transparency
from iop4d.reduction.methods import WITHOUT_DUST, raw_by_method
from iop4d.science.polarimetry import modulation, normalised_difference

Floats = NDArray[np.float64]

_FINE = 91  # points of a curve
_BEYOND = 5.0  # degrees by which a curve extends past the first and the last position


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A method's modulation. ``points``: (N, 2) degrees and value; ``at``: (K,) at the positions.
    """

    method: str
    points: Floats
    at: Floats


@dataclass(frozen=True, kw_only=True)
class Modulation:
    """Of K positions ``angles_deg`` the measured ``value`` with its ``err``, (K,), as parts of the
    flux, NaN where there is none; ``frames``: ids; ``curves``: of every method.

    Of two beams (O - E) / (O + E); of a polariser the fluxes over the transparency and their mean.
    As the instrument sees it: its own polarisation is still in.
    """

    analyser: Analyser
    angles_deg: Floats
    value: Floats
    err: Floats
    frames: tuple[int, ...]
    curves: tuple[Curve, ...]

    @property
    def quantity(self) -> str:
        """What the values are, for an axis."""
        return "flux over its mean - 1" if self.analyser is Analyser.POLARISER \
            else "(O - E) / (O + E)"


def modulation_of(frames: Sequence[MeasuredFrame], source: Source, *, instrument: Instrument,
                  settings: Polarimetry, reported: str) -> Modulation:
    """The modulation of a source over the frames of a group; ``reported``: the method chosen.

    Raises StageError of an instrument without a polarimeter.
    """
    polarimeter = instrument.polarimeter
    if polarimeter is None:
        raise StageError("plot", f"{instrument.name} has no polarimeter")
    positions = positions_of(in_one_aperture(frames, aperture_of(source)), instrument.telescope)
    constants, _ = constants_of(positions, instrument)
    group = group_target(source, positions, instrument=instrument, constants=constants,
                         settings=settings)
    ensemble, field = group.ensemble, group.field
    raw = {name: one.stokes for name, one in raw_by_method(group).items()
           if not name.endswith(WITHOUT_DUST) or name == reported}
    harmonic = 4 if polarimeter.analyser is Analyser.HALF_WAVE_PLATE else 2
    dust = catalogued(source, constants) if reported.endswith(WITHOUT_DUST) else None
    relative = np.ones(positions.angles_deg.size)
    if ensemble is not None and field is not None and not reported.startswith("plain"):
        alone = reported.endswith(WITHOUT_DUST) and dust is None  # what the stars share is left out
        relative = ensemble.relative if alone else transparency(
            positions.angles_deg, ensemble, field)
    value, err = _measured(source.name, positions, polarimeter.analyser, relative)
    if dust is not None:
        value = value - modulation(dust, positions.angles_deg, harmonic=harmonic)
    fine = np.linspace(positions.angles_deg.min() - _BEYOND, positions.angles_deg.max() + _BEYOND,
                       _FINE)
    curves = []
    for name, stokes in sorted(raw.items()):
        k = stokes.k if math.isfinite(stokes.k) else 0.0
        curve, at = (_with_ratio(modulation(stokes, angles, harmonic=harmonic), k)
                     for angles in (fine, positions.angles_deg))
        curves.append(Curve(method=name, points=np.column_stack([fine, curve]), at=at))
    return Modulation(analyser=polarimeter.analyser, angles_deg=positions.angles_deg, value=value,
                      err=err, curves=tuple(curves),
                      frames=tuple(frame.id for frame in positions.frames))


def _measured(source: str, positions: Positions, analyser: Analyser,
              relative: Floats) -> tuple[Floats, Floats]:
    """What is measured of a source at each position, and its error: a part of the mean flux.

    ``relative``: (K,) the transparency.
    """
    if analyser is not Analyser.POLARISER:
        return normalised_difference(positions.beam(source, "O", alone=False),
                                     positions.beam(source, "E", alone=False))
    even = positions.beam(source).times(1.0 / relative)
    mean = float(np.nanmean(even.flux))
    return even.flux / mean - 1.0, even.err / mean


def _with_ratio(m: Floats, k: float) -> Floats:
    return (k + m) / (1.0 + k * m)
