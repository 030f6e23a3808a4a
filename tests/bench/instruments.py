"""Speed of the reduction for each instrument: part of ``make bench``."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from astropy.io import fits
from rich.table import Table

from iop4d.model.messages import (
    Done,
    MasterRef,
    MeasuredFrame,
    PolarimetryRequest,
    StarList,
)
from iop4d.reduction.workbench import Workbench
from iop4d.simulator.night import Night
from iop4d.simulator.setups import SETUPS
from iop4d.simulator.sky import field_of
from tests.bench.polarimetry_accuracy import plan_of
from tests.support.lab import Lab, camera_masters, measured_frame, reduced_of, star_list

_SEED = 2  # a normal field
_UNSOLVABLE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Core-seconds: of a frame (classified and reduced, all written), and of a group's Stokes
    parameters; ``mpx``: of the frame."""

    what: str
    mpx: float
    frame_s: float
    group_s: float | None = None


def instrument_speeds() -> list[Speed]:
    """Polarimetry frames of each instrument, DIPOL's whole frame, and one that cannot be solved."""
    speeds = []
    for setup in SETUPS:
        speeds += _speeds(setup.name)
    return speeds


def _speeds(instrument: str) -> list[Speed]:
    plan = plan_of(instrument, _SEED)
    night = Night(plan)
    with tempfile.TemporaryDirectory() as scratch:
        masters = camera_masters(instrument, Path(scratch) / "camera")
        lab = Lab(Path(scratch), night.sky.catalogue_csv(1, fields=(field_of(plan.fields[0]),)))
        times: dict[str, list[float]] = {}
        size: dict[str, float] = {}
        group: list[MeasuredFrame] = []
        whole: StarList | None = None
        for number, frame in enumerate(night.frames()):
            assert frame.truth is not None
            path = lab.put(frame)
            facts, classify_s = lab.classify(path)
            outcome = lab.reduce(path, facts, masters, whole, keep=True)
            kind = f"{instrument}, whole frame" if frame.truth.group == 0 else instrument
            spent = outcome.core_s if isinstance(outcome, Done) else 0.0
            times.setdefault(kind, []).append(classify_s + spent)
            size[kind] = frame.data.size / 1e6
            found = reduced_of(outcome)
            if frame.truth.group == 0 and found is not None:
                whole = star_list(found) or whole
            elif found is not None and frame.truth.group == 1:
                group.append(measured_frame(number, facts, found))
        speeds = [Speed(what=kind, mpx=size[kind], frame_s=median(times[kind][-8:]),
                        group_s=_group(lab.bench, group) if kind == instrument else None)
                  for kind in times]
        if instrument == "AndorT90":
            speeds.append(_unsolvable(lab, path, masters))
    return speeds


def _group(bench: Workbench, frames: list[MeasuredFrame]) -> float:
    outcome = bench.perform(PolarimetryRequest(frames=tuple(frames)))
    assert isinstance(outcome, Done)
    again = bench.perform(PolarimetryRequest(frames=tuple(frames)))  # tables are loaded now
    assert isinstance(again, Done)
    return again.core_s


def _unsolvable(lab: Lab, path: Path, masters: tuple[MasterRef, ...]) -> Speed:
    """How long a field of random stars takes to be given up."""
    with fits.open(path) as hdus:
        header, shape = hdus[0].header, hdus[0].data.shape
    rng = np.random.default_rng(0)
    pixels = rng.normal(600.0, 8.0, shape)
    for y, x in zip(rng.integers(5, shape[0] - 5, 300), rng.integers(5, shape[1] - 5, 300),
                    strict=True):
        pixels[y - 1:y + 2, x - 1:x + 2] += rng.uniform(300.0, 9000.0)
    lost = lab.folder / "lost.fit"
    fits.PrimaryHDU(pixels.astype(np.uint16), header).writeto(lost)
    began = time.monotonic()
    lab.reduce(lost, lab.classify(lost)[0], masters)
    return Speed(what="AndorT90, unsolvable", mpx=pixels.size / 1e6,
                 frame_s=time.monotonic() - began)


def speed_report(speeds: list[Speed]) -> Table:
    """The table of the speeds beside their targets."""
    table = Table("instrument", "Mpx", "frame", "a Mpx", "target", "group",
                  title="Core-seconds of each instrument's frames (target of a group: 0.050 s)")
    for speed in speeds:
        table.add_row(
            speed.what, f"{speed.mpx:.1f}", f"{speed.frame_s:.3f} s",
            f"{speed.frame_s / speed.mpx:.3f} s", _target(speed),
            "" if speed.group_s is None else f"{speed.group_s:.3f} s")
    return table


def _target(speed: Speed) -> str:
    if "unsolvable" in speed.what:
        return f"{_UNSOLVABLE_S:g} s in all"
    if "whole" in speed.what:
        return "1.5 s in all"
    double = speed.what in ("CAFOS", "DIPOL")
    return "0.15 s a Mpx" if double else "0.1 s a Mpx"
