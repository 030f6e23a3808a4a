"""The fixed pattern of a camera without darks and flats, and frames that are reduced with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iop4d.fits.read import read_image
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameKind
from iop4d.model.messages import Done, MasterRef, MasterRequest, Reduced, Rejected
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


@pytest.fixture
def others(tmp_path: Path) -> list[Path]:
    """Frames whose stars lie on other pixels."""
    folder = tmp_path / "others"
    folder.mkdir()
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


def test_a_pattern_and_its_frame_are_of_one_layout(bench: Workbench, others: list[Path],
                                                   tmp_path: Path) -> None:
    pattern, _ = build(bench, FrameKind.PATTERN, others, tmp_path)
    assert isinstance(pattern, MasterRef)
    cut = MasterRef(id=1, kind=FrameKind.PATTERN, path=pattern.path, origin=(50, 0))
    outcome = reduce(bench, others[0], (cut,))
    assert not isinstance(outcome, Done)
