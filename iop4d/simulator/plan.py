"""The plan of a simulated night."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.simulator.setups import Setup, setup_of

PHOTOMETRY, POLARIMETRY = "photometry", "polarimetry"


@dataclass(frozen=True, kw_only=True)
class Flare:
    """A rise and fall of the first target: ``mag`` brighter at the peak.

    ``start`` and ``rise`` in hours from the night's first light frame; it decays over ``fall``
    rises.
    """

    start: float
    rise: float
    mag: float
    fall: float = 8.0

    def brightening(self, hours: float) -> float:
        """Magnitudes brighter than quiet."""
        x = (hours - self.start) / self.rise
        if x <= 0:
            return 0.0
        return self.mag * (x if x < 1 else math.exp(-(x - 1) / self.fall))


@dataclass(frozen=True, kw_only=True)
class NightPlan:
    """A night of one instrument.

    In photometry ``frames`` light frames are taken in all, in polarimetry ``groups`` groups, the
    fields and bands taking turns. ``positions``: how many of the polaroid or the plate make a
    group, None: all; those of ``missing_angles`` are never taken, and a part ``missing_rate`` of
    all is lost. DIPOL takes a frame of the whole field before the first group of each turn.

    ``transparency``: rms of the fraction by which it differs from frame to frame of a group, alike
    for all stars and both images, besides the clouds. ``polarisation``: (p, chi in degrees) of
    targets, p a fraction; the seed draws that of the others. ``constants``: what the instrument
    adds to the polarisation, if not as published.
    """

    seed: int = 1
    night: str = "2022-09-08"
    fields: tuple[str, ...] = ("BLLac",)
    bands: tuple[str, ...] = ("R",)
    frames: int = 10
    exptime_s: float = 60.0
    seeing_arcsec: float = 2.0
    cloud_mag: float = 0.0  # strongest extinction by clouds
    n_bias: int = 7
    n_flat: int = 7
    flare: Flare | None = None
    drift_phase: float = 0.0  # of the targets' slow variation, in turns of 9 hours
    cosmic_rays: int = 12
    instrument: str = "AndorT90"
    mode: str = PHOTOMETRY
    groups: int = 1
    positions: int | None = None
    missing_angles: tuple[float, ...] = ()
    missing_rate: float = 0.0
    transparency: float = 0.0
    polarisation: dict[str, tuple[float, float]] = field(default_factory=dict)
    field_polarisation: float = 0.002  # of the other stars: scale of a Rayleigh distribution
    constants: InstrumentalPolarisation | None = None
    beam_ratio: float = 0.005  # by how much more the left beam transmits
    n_dark: int = 5  # where the camera needs darks
    dark_exptime_s: float | None = None  # None: that of the lights
    window_masters: bool = True  # masters' frames read as the lights are (CAFOS), not a larger part
    flipped: bool = False  # DIPOL's program writes the rows in reverse
    fts: bool = False  # and calls its files BLLac_R_IAR-0001.fts

    @property
    def angles_deg(self) -> tuple[float, ...]:
        """The positions of a group, missing ones as well."""
        return setup_of(self.instrument).optics.angles_deg[:self.positions]


def checked(plan: NightPlan) -> Setup:
    """The setup of a plan's instrument; raises ValueError for a plan that cannot be."""
    setup = setup_of(plan.instrument)
    if plan.mode not in (PHOTOMETRY, POLARIMETRY):
        raise ValueError(f"mode is '{plan.mode}', expected {PHOTOMETRY} or {POLARIMETRY}")
    for band in plan.bands:
        if band not in setup.ccd.zero_point:
            raise ValueError(f"{setup.name} has no band '{band}'; it has "
                             + ", ".join(setup.ccd.zero_point))
    if not setup.nights[0] <= plan.night <= setup.nights[1]:
        raise ValueError(f"{setup.name} was in use from {setup.nights[0]} to {setup.nights[1]}, "
                         f"not on {plan.night}")
    if unknown := set(plan.missing_angles) - set(setup.optics.angles_deg):
        raise ValueError(f"{setup.name} has no position {', '.join(map(str, unknown))} deg")
    return setup
