"""Masters from raw frames whose truth is known by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits.read import read_image
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    Done,
    MasterBuilt,
    MasterRef,
    MasterRequest,
    Rejected,
)
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import (
    BIAS,
    SHAPE,
    build,
    expose,
    facts_of,
    flat_field,
    write,
)


def test_a_master_bias(bench: Workbench, night: dict[str, list[Path]], tmp_path: Path) -> None:
    ref, built = build(bench, FrameKind.BIAS, night["bias"], tmp_path)
    assert built.level == pytest.approx(BIAS, abs=0.3)
    assert built.scatter == pytest.approx(4.0 / math.sqrt(5), rel=0.1)
    assert built.used == tuple(path.name for path in night["bias"])
    image, header = read_image(ref.path)
    assert image.shape == SHAPE
    assert (header["NCOMBINE"], header["INSTRUME"], header["NIGHT"]) == (5, "Small", "2024-01-15")
    assert sorted(tmp_path.iterdir()) == [ref.path]


def test_a_master_flat_is_one_in_the_middle_and_knows_bad_pixels(
        masters: tuple[MasterRef, ...]) -> None:
    flat, header = read_image(masters[1].path)
    assert header["MBIAS"] == "bias.fits"
    truth = flat_field() / np.median(flat_field())
    good = np.isfinite(flat)
    assert np.argwhere(~good).tolist() == [[50, 100]]
    assert np.std((flat / truth)[good]) < 0.005


def test_a_dark_is_counted_by_the_second(bench: Workbench, masters: tuple[MasterRef, ...],
                                         tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    inputs = [write(tmp_path / f"dark{i}.fits", expose(rng, 0.5 * t), "dark", second=i, exptime=t)
              for i, t in enumerate((60.0, 60.0, 120.0, 120.0))]
    _, built = build(bench, FrameKind.DARK, inputs, tmp_path, masters[:1])
    assert built.level == pytest.approx(0.5, abs=0.03)


def test_frames_that_do_not_fit_are_left_out_of_a_master(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    full = write(tmp_path / "full.fits", np.full(SHAPE, 65535, np.uint16), "flat", second=1,
                 exptime=1.0)
    faint = write(tmp_path / "faint.fits", expose(rng, 200.0), "flat", second=2, exptime=1.0)
    broken = tmp_path / "broken.fits"
    broken.write_bytes(night["flat"][0].read_bytes()[:5000])
    _, built = build(bench, FrameKind.FLAT,
                     [*night["flat"], full, faint, broken, night["bias"][0], tmp_path / "gone"],
                     tmp_path, masters[:1])
    assert built.n_frames == 5
    reasons = dict(line.split(": ", 1) for line in built.left_out)
    assert reasons["full.fits"] == "saturated: median 65535 ADU"
    assert reasons["faint.fits"].startswith("too faint")
    assert "truncated" in reasons["broken.fits"]
    assert "kind is bias" in reasons["bias0.fits"]
    assert "No such file" in reasons["gone"]


def test_too_few_frames_make_no_master(bench: Workbench, night: dict[str, list[Path]],
                                       tmp_path: Path) -> None:
    outcome = bench.perform(MasterRequest(
        kind=FrameKind.BIAS, facts=facts_of(bench, night["bias"][0]), masters=(),
        inputs=tuple(night["bias"][:2]), output=tmp_path / "bias.fits"))
    assert isinstance(outcome, Rejected)
    assert "2 usable bias frames, at least 3" in outcome.reason
    assert not (tmp_path / "bias.fits").exists()


def test_darks_whose_temperature_was_not_kept_are_still_those_of_their_master(
        bench: Workbench, masters: tuple[MasterRef, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    inputs = [write(tmp_path / f"dark{i}.fits", expose(rng, 60.0), "dark", second=i, exptime=60.0)
              for i in range(4)]
    for path, celsius in zip(inputs, (-20.0, -20.0, -20.0, 0.0), strict=True):
        fits.setval(path, "CCD-TEMP", value=celsius)
    facts = facts_of(bench, inputs[0])
    unknown = replace(facts, detector=replace(facts.detector, celsius=None))
    used = []
    for wanted in (unknown, facts):
        outcome = bench.perform(MasterRequest(
            kind=FrameKind.DARK, masters=masters[:1], inputs=tuple(inputs), facts=wanted,
            output=tmp_path / "dark.fits"))
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.value, MasterBuilt)
        used.append(outcome.value.n_frames)
    assert used == [4, 3]


def test_darks_on_both_sides_of_an_edge_of_temperature_are_combined(
        bench: Workbench, masters: tuple[MasterRef, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    inputs = [write(tmp_path / f"dark{i}.fits", expose(rng, 60.0), "dark", second=i, exptime=60.0)
              for i in range(5)]
    for path, celsius in zip(inputs, (-12.4, -12.3, -12.6, -12.7, -14.0), strict=True):
        fits.setval(path, "CCD-TEMP", value=celsius)
    facts = facts_of(bench, inputs[0])
    outcome = bench.perform(MasterRequest(
        kind=FrameKind.DARK, masters=masters[:1], inputs=tuple(inputs),
        facts=replace(facts, detector=replace(facts.detector, celsius=-10.0)),
        output=tmp_path / "dark.fits"))
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.value, MasterBuilt)
    assert outcome.value.used == tuple(path.name for path in inputs[:4])
    assert "its layout is" in outcome.value.left_out[0]
