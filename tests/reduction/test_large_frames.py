"""Large frames: masters stay in their files, and what is written waits in one; all values alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iop4d.fits import write
from iop4d.fits.read import RawImage, read_image
from iop4d.fits.stored import StoredImage, in_its_file
from iop4d.fits.write import StoredPixels, write_image
from iop4d.model.frame import FrameKind
from iop4d.model.messages import MasterRef
from iop4d.reduction import masters
from iop4d.reduction.masters import MasterCache, MasterSet, calibrate_pixels
from iop4d.reduction.product import _shrink

SHAPE = (37, 50)
RNG = np.random.default_rng(5)


def written(path: Path, image: np.ndarray) -> Path:
    write_image(path, image.astype(np.float32), {})
    return path


def test_rows_of_an_image_in_its_file_are_those_of_the_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", RNG.normal(size=SHAPE))
    whole, _ = read_image(path)
    stored = in_its_file(path, fewest=1)
    assert isinstance(stored, StoredImage)
    assert (stored.shape, stored.size) == (SHAPE, whole.size)
    for where in (slice(3, 9), slice(0, 37), slice(5, 5)):
        assert np.array_equal(stored[where], whole[where])
    for both in ((slice(None, None, 4), slice(None, None, 4)), (slice(2, 30), slice(7, 20))):
        assert np.array_equal(stored[both], whole[both])
    assert stored[0:2].flags.writeable
    assert stored[0:2].dtype == np.dtype("=f4")
    assert isinstance(in_its_file(path, fewest=whole.size + 1), np.ndarray)


def test_a_frame_is_calibrated_alike_with_masters_in_memory_and_in_their_files(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand at one pixel: (1000 - 300 - 0.5 * 10) / 2 = 347.5."""
    monkeypatch.setattr(masters, "_IN_FILE", 1)
    monkeypatch.setattr(masters, "_STRIP", 3 * SHAPE[1])
    bias, dark, flat = np.full(SHAPE, 300.0), np.full(SHAPE, 0.5), RNG.normal(1.0, 0.1, SHAPE)
    flat[4, 5], flat[30, 40] = 2.0, np.nan
    stored = RNG.integers(900, 40000, SHAPE).astype(">u2")
    stored[4, 5], stored[20, 3] = 1000, 65535
    images = {FrameKind.BIAS: bias, FrameKind.DARK: dark, FrameKind.FLAT: flat}
    refs = [MasterRef(id=n, kind=kind, path=written(tmp_path / f"{kind}.fits", image),
                      origin=(0, 0)) for n, (kind, image) in enumerate(images.items())]
    cache = MasterCache(max_pixels=10)
    in_files = cache.set_of(refs, SHAPE)
    assert isinstance(in_files.flat, StoredImage)
    assert len(cache._images) == 3  # none is forgotten: they hold no memory
    in_memory = MasterSet(**{kind.value: image.astype(np.float32)
                             for kind, image in images.items()})
    one, other = (calibrate_pixels(RawImage(stored=stored), found, exptime_s=10.0,
                                   saturation_adu=60000.0, linear_to_adu=39000.0)
                  for found in (in_files, in_memory))
    assert one.image[4, 5] == pytest.approx(347.5)
    assert np.array_equal(one.image, other.image, equal_nan=True)
    assert one.highest == other.highest == 65535.0
    assert one.saturated is not None
    assert np.argwhere(one.saturated).tolist() == [[20, 3]]
    assert one.bad is not None
    assert np.argwhere(one.bad).tolist() == [[30, 40]]
    assert np.array_equal(one.nonlinear, stored > 39000)


def test_a_part_of_the_detector_has_its_cut_of_a_master_in_its_file(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masters, "_IN_FILE", 1)
    image = RNG.normal(size=SHAPE).astype(np.float32)
    ref = MasterRef(id=1, kind=FrameKind.BIAS, path=written(tmp_path / "b.fits", image),
                    origin=(0, 0))
    found = MasterCache().set_of([ref], (10, 12), (7, 3)).bias
    assert np.array_equal(np.asarray(found), image[3:13, 7:19])


def test_what_waits_in_a_file_is_written_to_the_last_byte_as_from_memory(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = RNG.normal(size=SHAPE).astype(np.float32)
    image[3, 4] = np.nan
    first = write_image(tmp_path / "a.fits", image, {"FILTER": "R"})
    monkeypatch.setattr(write, "_HELD", 1)
    monkeypatch.setattr(write, "_STRIP", 3 * SHAPE[1])
    pixels = StoredPixels(image, tmp_path / "later")
    image[:] = 0.0  # the sky is subtracted meanwhile
    second = write_image(tmp_path / "b.fits", pixels, {"FILTER": "R"})
    assert first == second
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()
    assert list((tmp_path / "later").iterdir()) == []


def test_a_preview_shows_the_means_of_squares() -> None:
    image = np.arange(7 * 10, dtype=np.float32).reshape(7, 10)
    small = _shrink(image, 3)
    assert small.shape == (2, 3)
    assert small[1, 2] == image[3:6, 6:9].mean()
