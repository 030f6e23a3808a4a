"""When a night's frames are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from iop4d.simulator.plan import PHOTOMETRY, POLARIMETRY, NightPlan
from iop4d.simulator.setups import Setup
from iop4d.simulator.sky import Field, field_of

_FLAT_S = 4.0  # exposure time of a flat


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A frame to be taken. ``at_s`` from the night's first frame to its start.

    ``hours``: from the first light's start to its middle; ``number``: as in file names; ``group``
    counts from 1; ``part``: a sub-frame.
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


def schedule(plan: NightPlan, setup: Setup) -> Iterator[Planned]:
    """Biases, darks where the camera needs them, flats of each band, then lights."""
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
        for i in range(plan.n_flat):
            at += setup.flat_s
            yield Planned(kind="FLAT", at_s=at, exptime_s=_FLAT_S, band=band, number=i + 1)
    lights = _groups(plan, setup) if plan.mode == POLARIMETRY else _photometry(plan)
    first = at = at + 60.0
    counts: Counter[tuple[str, str, float | None]] = Counter()
    polaroid = setup.optics.offset_px == (0.0, 0.0)
    for light in lights:
        if light is not None:
            key = (light.where.object, light.band, light.plate_deg if polaroid else None)
            counts[key] += 1
            yield Planned(
                kind="LIGHT", at_s=at, exptime_s=plan.exptime_s, band=light.band,
                number=counts[key], where=light.where, mode=light.mode, plate_deg=light.plate_deg,
                group=light.group, part=light.part, hours=(at + plan.exptime_s / 2 - first) / 3600)
        at += plan.exptime_s + setup.overhead_s


@dataclass(frozen=True, kw_only=True)
class _Light:
    where: Field
    band: str
    mode: str = PHOTOMETRY
    plate_deg: float | None = None
    group: int = 0
    part: bool = False


def _turns(plan: NightPlan) -> list[tuple[Field, str]]:
    return [(field_of(name), band) for name in plan.fields for band in plan.bands]


def _photometry(plan: NightPlan) -> Iterator[_Light | None]:
    turns = _turns(plan)
    for i in range(plan.frames):
        where, band = turns[i % len(turns)]
        yield _Light(where=where, band=band)


def _groups(plan: NightPlan, setup: Setup) -> Iterator[_Light | None]:
    """Group after group; None in the place of a frame that is missing."""
    rng = np.random.default_rng([plan.seed, 3])
    turns = _turns(plan)
    for group in range(plan.groups):
        where, band = turns[group % len(turns)]
        if setup.part is not None and group < len(turns):
            yield _Light(where=where, band=band)
        for angle in plan.angles_deg:
            lost = rng.random() < plan.missing_rate
            yield None if lost or angle in plan.missing_angles else _Light(
                where=where, band=band, mode=POLARIMETRY, plate_deg=angle, group=group + 1,
                part=setup.part is not None)
