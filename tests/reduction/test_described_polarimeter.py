"""A polarimeter with two prisms, described in the site file alone, against the simulator's truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from iop4d.config.load import parse_site
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import (
    Failed,
    MasterRef,
    MasterRequest,
    Outcome,
    PolarimetryRequest,
    Polarised,
    ReduceRequest,
)
from iop4d.model.result import ResultValue
from iop4d.model.source import Catalogue
from iop4d.model.units import angle_difference
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.simulator.frames import Truth
from iop4d.simulator.night import Night, SimulatedFrame
from iop4d.simulator.plan import POLARIMETRY, NightPlan
from iop4d.simulator.sky import field_of, index_folder
from iop4d.store.catalogue_csv import parse
from tests.support.lab import Lab, measured_frame, reduced_of, value_of

CAMERA = """
[[camera]]
name = "TwoPrisms"
telescope = "0.6 m"
identify = { OBSERVAT = "Two *" }
pixel_scale = 1.1188
gain = 1.2
kind_card = "IMAGETYP"
bands = { "*R" = "R" }
clock_card = "UT"
binning_card = "BINNING"
latitude = 49.5692
longitude = 20.0672
height = 1009
"""
PRISMS = """
analyser = "fixed analysers"
angle_card = "FILTER"
angles = { "P1-*" = 0, "P3-*" = 45 }
pair_offsets = { "P1-*" = [24.6, 30.6], "P3-*" = [-0.9, 38.5] }
beam_ratios = { "P1-*" = [0.0025, 0.001], "P3-*" = [0.0025, 0.001] }

[[polarimeter]]
instrument = "TwoPrisms"
q0 = 0.3
q0_err = 0.05
u0 = -0.2
u0_err = 0.05
zero_angle = 12.0
zero_angle_err = 0.5
"""
P, CHI = 0.12, 37.0
PLAN = NightPlan(
    instrument="TwoPrisms", seed=4, mode=POLARIMETRY, fields=("BLLac",), n_bias=2, n_flat=2,
    exptime_s=240.0, seeing_arcsec=2.5, polarisation={"BLLac": (P, CHI)}, cosmic_rays=4)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A night's frames in a folder, and what is true of the science frames."""

    lab: Lab
    frames: tuple[SimulatedFrame, ...]
    catalogue: Catalogue

    def bench(self, keys: str) -> Workbench:
        """A worker whose site file describes the camera by some keys."""
        site = parse_site(f'[astrometry]\nindex = ["{index_folder()}"]\n[masters]\n'
                          f"min_frames = 1\n{CAMERA}{keys}", root=self.lab.folder)
        return Workbench(WorkerContext(site=site, catalogue=self.catalogue))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    night = Night(PLAN)
    lab = Lab(tmp_path_factory.mktemp("prisms"))
    frames = tuple(night.frames())
    for frame in frames:
        lab.put(frame)
    sources = parse(night.sky.catalogue_csv(1, fields=(field_of("BLLac"),)))
    return Taken(lab=lab, frames=frames, catalogue=Catalogue(version=1, sources=tuple(sources)))


def reduced(taken: Taken, keys: str) -> list[tuple[Truth, Outcome, FrameFacts]]:
    """Each science frame: its truth, what came of it and its facts."""
    lab, found = taken.lab, []
    lab.bench = taken.bench(keys)
    read = [(frame, *lab.classify(lab.folder / frame.name)) for frame in taken.frames]
    bias = lab.masters_of([lab.folder / frame.name for frame, facts, _ in read
                           if facts.kind is FrameKind.BIAS])
    for frame, facts, _ in read:
        if frame.truth is None:
            continue
        flats = [f for f, other, _ in read if other.kind is FrameKind.FLAT
                 and other.beam_element == facts.beam_element]
        output = lab.folder / f"flat-{facts.beam_element}.fits"
        value_of(lab.bench.perform(MasterRequest(
            kind=FrameKind.FLAT, facts=lab.classify(lab.folder / flats[0].name)[0], masters=bias,
            inputs=tuple(lab.folder / f.name for f in flats), output=output)))
        outcome = lab.bench.perform(ReduceRequest(
            path=lab.folder / frame.name, facts=facts, reduced_path=None, preview_path=None,
            masters=(*bias, MasterRef(id=2, kind=FrameKind.FLAT, path=output))))
        found.append((frame.truth, outcome, facts))
    return found


def test_two_prisms_without_code_give_q_u_and_the_magnitude_of_both_beams(taken: Taken) -> None:
    """Offsets of 24.6, 30.6 and -0.9, 38.5 px, the beams' ratio known to 0.1 %."""
    group, truths = [], []
    for n, (truth, outcome, facts) in enumerate(reduced(taken, PRISMS)):
        found = reduced_of(outcome)
        assert found is not None, outcome
        assert truth.pair_offset is not None
        group.append(measured_frame(n, facts, found))
        truths.append(truth)
    assert [frame.facts.beam_element for frame in group] == ["P1", "P3"]
    value = value_of(taken.lab.bench.perform(PolarimetryRequest(frames=tuple(group))))
    assert isinstance(value, Polarised)
    result: ResultValue = next(r for r in value.results if r.source == truths[0].source)
    true = truths[0]
    assert true.q is not None
    assert true.u is not None
    # The constants' own errors are common to all results, and none of them is off here.
    assert abs(result.q - true.q) < 3.0 * result.q_err < 0.02
    assert abs(result.u - true.u) < 3.0 * result.u_err < 0.02
    assert abs(result.p - P) < 3.0 * result.p_err
    assert abs(angle_difference(result.chi_deg, CHI)) < 3.0 * result.chi_err_deg
    mean = sum(t.target_mag for t in truths) / len(truths)
    assert abs(result.mag - mean) < 3.0 * math.hypot(result.mag_err, result.mag_err_common) < 0.1
    assert result.method == "analysers"


def test_two_images_that_are_described_as_single_ones_are_refused(taken: Taken) -> None:
    """One of the two was measured: 14.17 +- 0.03 mag without a flag, where 14.28 was true."""
    for _, outcome, facts in reduced(taken, ""):
        assert facts.beams == 1
        assert isinstance(outcome, Failed)
        assert outcome.stage == "pairs"
        assert "every star has a second image at -" in outcome.reason
        assert "it says analyser, angle_card and pair_offset = [-" in outcome.reason
