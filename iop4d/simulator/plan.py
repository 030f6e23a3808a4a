"""The plan of a simulated night, and when its frames are taken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.simulator.conditions import Conditions
from iop4d.simulator.setups import Setup, setup_of
from iop4d.simulator.sky import Field, field_of

PHOTOMETRY, POLARIMETRY = "photometry", "polarimetry"


@dataclass(frozen=True, kw_only=True)
class Flare:
    """A rise and fall of the first target: ``mag`` brighter at the peak.

    ``start`` and ``rise`` in hours from the night's first science frame; it decays over ``fall``
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

    In photometry ``frames`` science frames are taken in all, in polarimetry ``groups`` groups, the
    fields and bands taking turns. ``positions``: how many of the polariser or the plate make a
    group, None: all; those of ``missing_angles`` are never taken, and a part ``missing_rate`` of
    all is lost. DIPOL takes a frame of the whole field before the first group of each turn.

    ``transparency``: rms of the fraction by which it differs from frame to frame of a group, alike
    for all stars and both images, besides the clouds. ``polarisation``: (p, chi in degrees) of
    targets, p a fraction, the dust's part included; the seed draws that of the others.
    ``interstellar``: (q, u) on the sky that dust gives to all other stars. ``constants``: what the
    instrument adds to the polarisation, if not as published. ``turned_deg``: by how much the camera
    stands further east of north than it should; ``turns_with``: its polariser with it. ``dark``:
    begins at dusk, ends at dawn, and what does not stand high is left out; else the frames begin at
    the same hour whatever the season, as many as there are.
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
    interstellar: tuple[float, float] = (0.0, 0.0)
    constants: InstrumentalPolarisation | None = None
    turned_deg: float = 0.0
    turns_with: bool = True
    beam_ratio: float = 0.005  # by how much more the ordinary beam transmits
    n_dark: int = 5  # where the camera needs darks
    dark_exptime_s: float | None = None  # None: that of the science frames
    window_masters: bool = True  # masters' frames read as science frames are (CAFOS)
    flipped: bool = False  # DIPOL's program writes the rows in reverse
    conditions: Conditions = field(default_factory=Conditions)  # what makes it hard
    dark: bool = False
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


_FLAT_S = 4.0  # exposure time of a flat


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A frame to be taken. ``at_s`` from the night's first frame to its start.

    ``hours``: from the start of the first science frame to its own middle; ``number``: as in file
    names; ``group`` counts from 1; ``part``: a sub-frame; ``index``: of science frames, from 0.
    """

    kind: str
    at_s: float
    exptime_s: float
    band: str = ""
    number: int = 1
    where: Field | None = None
    mode: str = PHOTOMETRY
    plate_deg: float | None = None
    group: int = 0
    part: bool = False
    hours: float = 0.0
    index: int = 0


def schedule(plan: NightPlan, setup: Setup, *,
             is_high: Callable[[Field, float], bool] = lambda _where, _at: True,
             ends_s: float = math.inf) -> Iterator[Planned]:
    """Biases, darks where the camera needs them, flats of each band, then science frames.

    ``is_high``: whether a field can be observed so many seconds after the first frame; what cannot
    is missing. ``ends_s``: no exposure ends later.
    """
    at = 0.0
    for i in range(plan.n_bias):
        at += setup.bias_s
        yield Planned(kind="BIAS", at_s=at, exptime_s=0.0, number=i + 1)
    dark_s = plan.exptime_s if plan.dark_exptime_s is None else plan.dark_exptime_s
    for i in range(plan.n_dark if setup.has_dark else 0):
        at += setup.bias_s
        yield Planned(kind="DARK", at_s=at, exptime_s=dark_s, number=i + 1)
        at += dark_s
    for band in plan.bands:
        for plate in setup.optics.behind:
            for i in range(plan.n_flat):
                at += setup.flat_s
                yield Planned(kind="FLAT", at_s=at, exptime_s=_FLAT_S, band=band, number=i + 1,
                              plate_deg=plate)
    exposures = _groups(plan, setup) if plan.mode == POLARIMETRY else _photometry(plan)
    first = at = at + 60.0
    counts: Counter[tuple[str, str, float | None]] = Counter()
    polariser = setup.optics.offset_px == (0.0, 0.0)
    for index, one in enumerate(exposures):
        if at + plan.exptime_s > ends_s:
            return
        if one is not None and is_high(one.where, at):
            key = (one.where.object, one.band, one.plate_deg if polariser else None)
            counts[key] += 1
            yield Planned(
                kind="LIGHT", at_s=at, exptime_s=plan.exptime_s, band=one.band,
                number=counts[key], where=one.where, mode=one.mode, plate_deg=one.plate_deg,
                group=one.group, part=one.part, index=index,
                hours=(at + plan.exptime_s / 2 - first) / 3600)
        at += plan.exptime_s + setup.overhead_s


@dataclass(frozen=True, kw_only=True)
class _Exposure:
    where: Field
    band: str
    mode: str = PHOTOMETRY
    plate_deg: float | None = None
    group: int = 0
    part: bool = False


def _turns(plan: NightPlan) -> list[tuple[Field, str]]:
    return [(field_of(name), band) for name in plan.fields for band in plan.bands]


def _photometry(plan: NightPlan) -> Iterator[_Exposure | None]:
    turns = _turns(plan)
    for i in range(plan.frames):
        where, band = turns[i % len(turns)]
        yield _Exposure(where=where, band=band)


def _groups(plan: NightPlan, setup: Setup) -> Iterator[_Exposure | None]:
    """Group after group; None in the place of a frame that is missing."""
    rng = np.random.default_rng([plan.seed, 3])
    turns = _turns(plan)
    for group in range(plan.groups):
        where, band = turns[group % len(turns)]
        if setup.part is not None and group < len(turns):
            yield _Exposure(where=where, band=band)
        for angle in plan.angles_deg:
            lost = rng.random() < plan.missing_rate
            yield None if lost or angle in plan.missing_angles else _Exposure(
                where=where, band=band, mode=POLARIMETRY, plate_deg=angle, group=group + 1,
                part=setup.part is not None)
