"""What a file's DATASUM and CHECKSUM say: refused, flagged, or told, with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.config.load import parse_site
from iop4d.fits.read import open_fits
from iop4d.model.errors import FrameError
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameKind
from iop4d.model.messages import ClassifyRequest, Done, MasterRef, Reduced, Rejected
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import SITE, FakeSolver, build, catalogue, reduce


def bench_that(does: str, root: Path) -> Workbench:
    found = Workbench(WorkerContext(catalogue=catalogue(), site=parse_site(
        f'{SITE}\n[photometry]\nwrong_datasum = "{does}"\n', root=root)))
    found.solver = FakeSolver()
    return found


def summed(path: Path, to: Path) -> Path:
    """The file with both sums."""
    with fits.open(path) as hdus:
        hdus.writeto(to, checksum=True)
    return to


def damaged(path: Path, at: int = -5000) -> Path:
    """With a flipped bit of a pixel."""
    content = bytearray(path.read_bytes())
    content[at] ^= 2
    path.write_bytes(bytes(content))
    return path


def reduced(bench: Workbench, path: Path, masters: tuple[MasterRef, ...]) -> Reduced:
    outcome = reduce(bench, path, masters)
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.value, Reduced)
    return outcome.value


def test_pixels_that_do_not_agree_with_their_sum_are_refused_with_what_takes_them(
        bench: Workbench, night: dict[str, list[Path]], tmp_path: Path) -> None:
    path = damaged(summed(night["science"][0], tmp_path / "a.fits"))
    outcome = bench.perform(ClassifyRequest(path=path))
    assert isinstance(outcome, Rejected)
    assert "do not agree with its DATASUM" in outcome.reason
    assert "wrong_datasum = 'flag'" in outcome.reason


@pytest.mark.parametrize(("does", "flag"), [("flag", Flag.PIXELS_DOUBTFUL), ("ignore", Flag(0))])
def test_such_a_file_is_taken_with_a_flag_or_without(
        does: str, flag: Flag, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    path = damaged(summed(night["science"][0], tmp_path / "a.fits"))
    found = reduced(bench_that(does, tmp_path), path, masters)
    assert found.results[0].flags == flag
    assert any("DATASUM" in warning for warning in found.warnings) == bool(flag)


@pytest.mark.parametrize(("does", "used"), [("flag", 4), ("ignore", 5)])
def test_masters_leave_out_what_is_flagged(does: str, used: int, night: dict[str, list[Path]],
                                           tmp_path: Path) -> None:
    biases = [summed(path, tmp_path / path.name) for path in night["bias"]]
    damaged(biases[2])
    _, built = build(bench_that(does, tmp_path), FrameKind.BIAS, biases, tmp_path)
    assert built.n_frames == used
    assert all(text.startswith("bias2.fits: is damaged") for text in built.left_out)


def test_cards_that_were_added_after_the_sum_are_told_and_no_flag(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    path = summed(night["science"][0], tmp_path / "a.fits")
    assert not reduced(bench, path, masters).warnings
    with fits.open(path, mode="update", checksum=False) as hdus:
        hdus[0].header["COMMENT"] = "solved"
    found = reduced(bench, path, masters)
    assert found.results[0].flags == 0
    assert found.warnings == ("its cards were changed after its CHECKSUM card was written",)


def test_a_wrong_checksum_alone_is_a_doubt(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    path = summed(night["science"][0], tmp_path / "a.fits")
    content = path.read_bytes()
    at = content.index(b"DATASUM =")
    path.write_bytes(content[:at] + b"DATASAM" + content[at + 7:])
    found = reduced(bench, path, masters)
    assert found.results[0].flags == Flag.PIXELS_DOUBTFUL
    assert found.warnings == ("its pixels or cards do not agree with its CHECKSUM card",)


@pytest.mark.parametrize("kind", [fits.ImageHDU, fits.CompImageHDU])
def test_sums_that_astropy_writes_are_right(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "a.fits"
    pixels = np.arange(40 * 30, dtype=np.int16).reshape(40, 30)
    fits.HDUList([fits.PrimaryHDU(), kind(pixels, name="SCI")]).writeto(path, checksum=True)
    file = open_fits(path)
    assert (file.doubt, file.changed) == ("", "")
    damaged(path, file.image.start + 700)
    with pytest.raises(FrameError, match="DATASUM"):
        open_fits(path)
