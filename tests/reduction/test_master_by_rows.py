"""Masters of frames that do not fit in memory: read by rows, the same to the last bit."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits import parts
from iop4d.fits.overscan import overscan_level
from iop4d.fits.parts import RawRows, by_rows
from iop4d.fits.read import RawImage, open_fits, raw_image
from iop4d.model.frame import FrameKind
from iop4d.model.messages import CHANGED, NO_SPACE, Done, Failed, MasterRef, MasterRequest, Outcome
from iop4d.reduction import build_master
from iop4d.reduction.workbench import Workbench
from iop4d.science import combine
from iop4d.science.combine import robust_level
from tests.reduction.small import facts_of

Night = dict[str, list[Path]]


def request(bench: Workbench, kind: FrameKind, inputs: list[Path], output: Path,
            masters: tuple[MasterRef, ...] = ()) -> Outcome:
    return bench.perform(MasterRequest(kind=kind, facts=facts_of(bench, inputs[0]), masters=masters,
                                       inputs=tuple(inputs), output=output))


@pytest.fixture
def packed(night: Night, tmp_path: Path) -> Night:
    """Of each kind one frame is packed by gzip, and one by tiles."""
    made: Night = {}
    for kind in ("bias", "flat"):
        whole, zipped, tiled, *others = night[kind]
        one, other = tmp_path / f"{whole.name}.gz", tmp_path / f"{tiled.name}.fz"
        one.write_bytes(gzip.compress(zipped.read_bytes()))
        with fits.open(tiled) as hdus:
            fits.CompImageHDU(hdus[0].data, hdus[0].header).writeto(other)
        made[kind] = [whole, one, other, *others]
    return made


def test_a_master_is_the_same_to_the_bit_and_leaves_nothing(
        bench: Workbench, packed: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_master, "_CHUNK", 320 * 5 * 7)
    made = []
    for held in (build_master.HELD_BYTES, 300_000, 0):
        monkeypatch.setattr(build_master, "HELD_BYTES", held)
        folder = tmp_path / str(held)
        bias = request(bench, FrameKind.BIAS, packed["bias"], folder / "bias.fits")
        ref = MasterRef(id=1, kind=FrameKind.BIAS, path=folder / "bias.fits")
        flat = request(bench, FrameKind.FLAT, packed["flat"], folder / "flat.fits", (ref,))
        assert isinstance(bias, Done)
        assert isinstance(flat, Done)
        assert sorted(path.name for path in folder.iterdir()) == ["bias.fits", "flat.fits"]
        made.append((bias.value, flat.value))
    assert made[0] == made[1] == made[2]  # among it the digests of the files


def variants(raw: RawImage) -> dict[str, RawImage]:
    above, below = raw.part(slice(0, None, 2), slice(1, None, 2)), raw.part(
        slice(1, None, 2), slice(0, None, 2))
    return {"whole": raw, "cut": raw.part(slice(10, 90), slice(20, 300)),
            "upright": raw.part(slice(10, 90), slice(20, 300)).upright(flipped=True),
            "one colour": above.upright(flipped=True), "other colour": below,
            "overscan": RawImage(stored=raw.stored, zero=raw.zero, overscan=overscan_level(
                raw, (0, 12, 0, 256))).upright(flipped=True),
            "computed": RawImage(stored=(above.rows() + below.rows()) / np.float32(2.0))}


@pytest.mark.parametrize("name", list(variants(RawImage(stored=np.zeros((256, 320), ">i2")))))
def test_rows_of_a_file_are_those_of_the_image_in_memory(
        night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(parts, "_STRIP", 1000)
    path = night["flat"][0]
    file = open_fits(path)
    raw = variants(raw_image(file))[name]
    with ExitStack() as closed:
        found = by_rows(raw, file, path, path.stat(), scratch=tmp_path / "new", closed=closed)
        assert isinstance(found, RawRows)
        assert found.shape == raw.shape
        for first, last in ((0, raw.shape[0]), (3, 4), (5, 31), (raw.shape[0] - 2, 999)):
            assert np.array_equal(found.rows(first, last), raw.rows(first, last))
    assert (tmp_path / "new").exists() == (name == "computed")


@pytest.mark.parametrize("change", ["removed", "cut", "written again"])
def test_a_frame_that_changes_meanwhile_lets_the_job_run_again(
        bench: Workbench, night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        change: str) -> None:
    monkeypatch.setattr(build_master, "HELD_BYTES", 0)
    inputs = [tmp_path / path.name for path in night["bias"]]
    for path, copy in zip(night["bias"], inputs, strict=True):
        copy.write_bytes(path.read_bytes())
    combine = build_master._combine

    def later(*given: object) -> object:
        data = inputs[1].read_bytes()
        inputs[1].unlink()
        if change != "removed":
            inputs[1].write_bytes(data[:100_000] if change == "cut" else data)
        return combine(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(build_master, "_combine", later)
    outcome = request(bench, FrameKind.BIAS, inputs, tmp_path / "bias.fits")
    assert isinstance(outcome, Failed)
    assert outcome.stage == CHANGED
    assert inputs[1].name in outcome.reason
    assert not (tmp_path / "bias.fits").exists()


def test_a_full_disk_is_no_fault_of_a_packed_frame(
        bench: Workbench, packed: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_master, "HELD_BYTES", 0)
    with patch.object(parts, "TemporaryFile", side_effect=OSError(28, os.strerror(28))):
        outcome = request(bench, FrameKind.BIAS, packed["bias"], tmp_path / "bias.fits")
    assert isinstance(outcome, Failed)
    assert outcome.stage == NO_SPACE


def test_the_level_of_an_image_takes_its_memory_once_more_and_no_other(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Its values in order, and which are good: median and sigma as numpy has them of copies."""
    monkeypatch.setattr(combine, "_WHOLE", 20_000)
    image = np.random.default_rng(3).normal(300.0, 5.0, 1_000_000).astype(np.float32)
    image[::1000], image[5] = 9000.0, np.nan
    good = np.sort(image[np.isfinite(image)])
    kept = good[np.abs(good - np.median(good)) < 100]
    tracemalloc.start()
    level, sigma = robust_level(image)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert level == pytest.approx(float(np.median(kept)), abs=0.01)
    assert sigma == pytest.approx(5.0, rel=0.01)
    assert used < 1.4 * image.nbytes
