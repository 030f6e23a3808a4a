"""A simulated night, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

from iop4d.simulator.lightcurve import Flare, LightCurve
from iop4d.simulator.plan import Exposure, NightPlan
from iop4d.simulator.render import SimulatedFrame, render

__all__ = ["Exposure", "Flare", "LightCurve", "NightPlan", "SimulatedFrame", "frames", "render"]


def frames(plan: NightPlan) -> Iterator[SimulatedFrame]:
    """The frames of a night in the order of time, each made when it is asked for."""
    for exposure in plan.exposures():
        yield render(plan, exposure)
