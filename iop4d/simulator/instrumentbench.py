"""Speed of the reduction for each instrument: part of ``make bench``."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from rich.table import Table

from iop4d.config.load import parse_site
from iop4d.model.source import Catalogue
from iop4d.model.work import (
    Classified,
    ClassifyRequest,
    Done,
    MeasuredFrame,
    PolarimetryRequest,
    Reduced,
    ReduceRequest,
    StarList,
)
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.perform import Workbench
from iop4d.simulator.night import Night
from iop4d.simulator.polaraccuracy import masters_of, measured_frame, plan_of, star_list
from iop4d.simulator.setups import SETUPS
from iop4d.simulator.sky import field_of, index_folder
from iop4d.simulator.write import write_frame
from iop4d.store.catalogue_csv import parse

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
    sources = parse(night.sky.catalogue_csv(1, fields=(field_of(plan.fields[0]),)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        site = parse_site(f'[astrometry]\nindex = ["{index_folder()}"]', root=folder)
        bench = Workbench(WorkerContext(
            site=site, catalogue=Catalogue(version=1, sources=tuple(sources))))
        times: dict[str, list[float]] = {}
        size: dict[str, float] = {}
        group: list[MeasuredFrame] = []
        whole: StarList | None = None
        for number, frame in enumerate(night.frames()):
            assert frame.truth is not None
            write_frame(frame, folder)
            path = folder / frame.name
            spent, found, classified = _reduce(bench, path, instrument, whole)
            kind = f"{instrument}, whole frame" if frame.truth.group == 0 else instrument
            times.setdefault(kind, []).append(spent)
            size[kind] = frame.data.size / 1e6
            if frame.truth.group == 0 and found is not None:
                whole = star_list(found)
            elif found is not None and frame.truth.group == 1:
                group.append(measured_frame(number, classified.facts, found))
        speeds = [Speed(what=kind, mpx=size[kind], frame_s=median(times[kind][-8:]),
                        group_s=_group(bench, group) if kind == instrument else None)
                  for kind in times]
        if instrument == "AndorT90":
            speeds.append(_unsolvable(bench, path, folder))
    return speeds


def _reduce(bench: Workbench, path: Path, instrument: str,
            whole: StarList | None) -> tuple[float, Reduced | None, Classified]:
    first = bench.perform(ClassifyRequest(path=path))
    assert isinstance(first, Done)
    assert isinstance(first.value, Classified)
    outcome = bench.perform(ReduceRequest(
        path=path, facts=first.value.facts, masters=masters_of(instrument), reference=whole,
        reduced_path=path.with_suffix(".reduced.fits"), preview_path=path.with_suffix(".png")))
    if isinstance(outcome, Done) and isinstance(outcome.value, Reduced):
        return first.core_s + outcome.core_s, outcome.value, first.value
    return first.core_s, None, first.value


def _group(bench: Workbench, frames: list[MeasuredFrame]) -> float:
    outcome = bench.perform(PolarimetryRequest(frames=tuple(frames)))
    assert isinstance(outcome, Done)
    again = bench.perform(PolarimetryRequest(frames=tuple(frames)))  # tables are loaded now
    assert isinstance(again, Done)
    return again.core_s


def _unsolvable(bench: Workbench, path: Path, folder: Path) -> Speed:
    """How long a field of random stars takes to be given up."""
    import time

    from astropy.io import fits

    with fits.open(path) as hdus:
        header, shape = hdus[0].header, hdus[0].data.shape
    rng = np.random.default_rng(0)
    pixels = rng.normal(600.0, 8.0, shape)
    for y, x in zip(rng.integers(5, shape[0] - 5, 300), rng.integers(5, shape[1] - 5, 300),
                    strict=True):
        pixels[y - 1:y + 2, x - 1:x + 2] += rng.uniform(300.0, 9000.0)
    lost = folder / "lost.fit"
    fits.PrimaryHDU(pixels.astype(np.uint16), header).writeto(lost)
    began = time.monotonic()
    _reduce(bench, lost, "AndorT90", None)
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
