"""A target on the frames of a polarimetry group, with all that its polarisation is computed by."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation, Polarimeter
from iop4d.model.source import Source
from iop4d.reduction.groups import Positions, field_ensemble
from iop4d.reduction.interstellar import field_polarisation
from iop4d.science.fieldstars import Transparency
from iop4d.science.interstellar import Shared


@dataclass(frozen=True, kw_only=True)
class GroupTarget:
    """A target, its measurements at the K positions of a group, and what is known of the group.

    ``constants``: of the instrument as its camera stands. ``ensemble``, ``field``: behind a
    polariser the transparency that field stars show (K,), and the polarisation that they share as
    the instrument sees it; None with two beams, and without field stars.
    """

    target: Source
    positions: Positions
    instrument: Instrument
    constants: InstrumentalPolarisation
    settings: Polarimetry
    ensemble: Transparency | None
    field: Shared | None

    @property
    def name(self) -> str:
        """The target's name, as its measurements have it."""
        return self.target.name

    @property
    def polarimeter(self) -> Polarimeter:
        """What measures polarisation in the instrument."""
        assert self.instrument.polarimeter is not None
        return self.instrument.polarimeter

    @property
    def analyser(self) -> Analyser:
        """What turns in it, or that nothing does."""
        return self.polarimeter.analyser


def group_target(target: Source, positions: Positions, *, instrument: Instrument,
                 constants: InstrumentalPolarisation, settings: Polarimetry) -> GroupTarget:
    """A target in a group of an instrument with a polarimeter."""
    assert instrument.polarimeter is not None
    ensemble = field_ensemble(positions, q0=constants.q0, u0=constants.u0) \
        if instrument.polarimeter.analyser is Analyser.POLARISER else None
    return GroupTarget(
        target=target, positions=positions, instrument=instrument, constants=constants,
        settings=settings, ensemble=ensemble, field=field_polarisation(
            target, positions.angles_deg, ensemble, settings, constants))
