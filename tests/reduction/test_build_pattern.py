"""The fixed pattern of a camera without darks and flats, and frames that are reduced with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iop4d.fits.read import read_image
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameKind
from iop4d.model.messages import Done, Failed, MasterRef, MasterRequest, Reduced, Rejected
from iop4d.reduction import build_pattern
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import (
    BIAS,
    EXPTIME,
    SHAPE,
    SKY,
    STARS,
    TARGET,
    ZERO_POINT,
    build,
    expose,
    facts_of,
    reduce,
    write,
)
from tests.science.skies import moffat_stars

HOT = (round(TARGET.y) + 1, round(TARGET.x))  # beside the target's middle
DEAD = (round(STARS[1].y), round(STARS[1].x))  # in calibrator A's


def field(folder: Path, name: str, shift: float, second: int, *, sound: bool = False) -> Path:
    rng = np.random.default_rng(100 + second)
    flux = np.array([EXPTIME * 10 ** (-0.4 * (star.mag - ZERO_POINT)) for star in STARS])
    light = moffat_stars(SHAPE, np.array([s.x + shift for s in STARS]),
                         np.array([s.y + shift for s in STARS]), flux,
                         np.full(len(STARS), 3.2)) + SKY
    light[HOT] += 0.0 if sound else 600.0
    pixels = expose(rng, light)
    pixels[DEAD] = pixels[DEAD] if sound else BIAS
    return write(folder / name, pixels, "light", second=second, exptime=EXPTIME)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Frames whose stars lie on other pixels."""
    folder = tmp_path_factory.mktemp("others")
    return [field(folder, f"{n}.fits", 9.0 + 6.0 * n, n) for n in range(14)]


def target_of(outcome: object) -> tuple[float, int, int]:
    """Instrumental magnitude and flags of the target, flags of calibrator A."""
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Reduced)
    found = {m.source: m for m in outcome.value.measurements}
    return found["Target"].mag_inst, found["Target"].flags, found["A"].flags


def test_hot_pixels_are_subtracted_and_dead_ones_flagged(
        bench: Workbench, night: dict[str, list[Path]], others: list[Path],
        tmp_path: Path) -> None:
    bias, _ = build(bench, FrameKind.BIAS, night["bias"], tmp_path)
    frame = field(tmp_path, "frame.fits", 0.0, 40)
    truth, _, a_flags = target_of(reduce(
        bench, field(tmp_path, "sound.fits", 0.0, 40, sound=True), (bias,)))
    assert not a_flags & Flag.BAD_PIXELS
    without, _, a_flags = target_of(reduce(bench, frame, (bias,)))
    assert without < truth - 0.012
    pattern, built = build(bench, FrameKind.PATTERN, others, tmp_path, (bias,))
    assert built.n_frames == 14
    image, header = read_image(pattern.path)
    assert header["IMAGETYP"] == "master pattern"
    assert image[HOT] == pytest.approx(600.0 / EXPTIME, rel=0.03)
    assert np.isnan(image[DEAD])
    mag, flags, a_flags = target_of(reduce(bench, frame, (bias, pattern)))
    assert mag == pytest.approx(truth, abs=0.006)
    assert not flags & Flag.BAD_PIXELS
    assert a_flags & Flag.BAD_PIXELS


def test_too_few_frames_show_no_pattern(bench: Workbench, others: list[Path],
                                        tmp_path: Path) -> None:
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"SIMPLE")
    outcome = bench.perform(MasterRequest(
        kind=FrameKind.PATTERN, facts=facts_of(bench, others[0]),
        inputs=(*others[:11], broken), masters=(), output=tmp_path / "pattern.fits"))
    assert isinstance(outcome, Rejected)
    assert "11 usable science frames show no pattern, at least 12 are needed: broken.fits" in (
        outcome.reason)


def test_frames_that_are_not_usable_leave_their_places_to_others(
        bench: Workbench, others: list[Path], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """A large camera has place for twelve."""
    monkeypatch.setattr(build_pattern, "MAX_PIXELS", 1)
    inputs = [others[0], *(tmp_path / f"gone{n}.fits" for n in range(14)), *others[1:]]
    _, built = build(bench, FrameKind.PATTERN, inputs, tmp_path)
    assert built.n_frames == 12
    assert built.left_out[0] == "gone2.fits: cannot be read: No such file or directory"


def test_a_pattern_is_of_frames_of_all_the_night(
        bench: Workbench, others: list[Path], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_pattern, "MAX_PIXELS", 1)
    _, built = build(bench, FrameKind.PATTERN, others[:12] * 2, tmp_path)
    assert built.used == tuple(path.name for path in (others[:12] * 2)[::2])


def test_a_pattern_that_is_made_strip_by_strip_is_the_same(
        bench: Workbench, others: list[Path], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    pattern, _ = build(bench, FrameKind.PATTERN, others, tmp_path)
    whole, _ = read_image(pattern.path)
    monkeypatch.setattr(build_pattern, "HELD_PIXELS", 14 * SHAPE[1] * 100)  # rows of 256
    pattern, _ = build(bench, FrameKind.PATTERN, others, tmp_path)
    strips, _ = read_image(pattern.path)
    assert strips.shape == SHAPE
    assert np.isnan(strips[DEAD])
    assert strips[HOT] == pytest.approx(whole[HOT], rel=0.002)
    assert ((strips != 0) == (whole != 0)).mean() > 0.999


def test_a_pixel_beyond_the_linear_range_is_bad(bench: Workbench, others: list[Path],
                                                tmp_path: Path) -> None:
    """Its excess is not that of another exposure time."""
    for instrument in (one for one in bench._instruments if one.name == "Small"):
        bench._instruments = (replace(instrument, linear_to_adu=BIAS + 500.0),)
    pattern, _ = build(bench, FrameKind.PATTERN, others, tmp_path)
    image, _ = read_image(pattern.path)
    assert np.isnan(image[HOT])


def test_a_pattern_and_its_frame_are_of_one_layout(bench: Workbench, others: list[Path],
                                                   tmp_path: Path) -> None:
    pattern, _ = build(bench, FrameKind.PATTERN, others, tmp_path)
    assert isinstance(pattern, MasterRef)
    cut = MasterRef(id=1, kind=FrameKind.PATTERN, path=pattern.path, origin=(50, 0))
    outcome = reduce(bench, others[0], (cut,))
    assert isinstance(outcome, Failed)
    assert outcome.reason == (
        "the master pattern pattern.fits of 320 x 256 pixels from pixel (50, 0) of the detector "
        "does not cover the frame of 320 x 256 from (0, 0)")
