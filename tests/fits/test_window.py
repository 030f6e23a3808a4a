"""Parts of an image as they are shown: the same pixels as those that are reduced."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits.overscan import trimmed
from iop4d.fits.read import open_fits, raw_image
from iop4d.fits.window import Cut, ImageFile, binned
from iop4d.model.errors import FrameError
from iop4d.model.frame import Detector, FrameFacts, FrameKind

FACTS = FrameFacts(telescope="T", instrument="C", kind=FrameKind.SCIENCE, night="2025-11-22",
                   jd_start=2460000.0, exptime_s=1.0, shape=(30, 40))


Opening = Callable[..., ImageFile]


def pixels(ny: int = 30, nx: int = 40) -> np.ndarray:
    return (np.arange(ny * nx, dtype=np.uint16).reshape(ny, nx) * 37) % 60000


def written(path: Path, data: np.ndarray, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


@pytest.fixture
def opened() -> Iterator[Opening]:
    """Opens images, and closes them in the end."""
    with ExitStack() as held:
        def open_image(path: Path, cut: Cut | None = None) -> ImageFile:
            file = held.enter_context(path.open("rb"))
            image = ImageFile(file, cut or Cut(), scratch=path.parent)
            held.callback(image.close)
            return image
        yield open_image


def test_a_part_holds_the_pixels_of_its_place(opened: Opening, tmp_path: Path) -> None:
    image = opened(written(tmp_path / "a.fits", pixels()))
    assert image.shape == (30, 40)
    np.testing.assert_array_equal(image.part(3, 5, 7, 4), pixels()[5:9, 3:10])
    np.testing.assert_array_equal(image.part(35, 28, 99, 99), pixels()[28:, 35:])
    assert image.part(40, 0, 5, 5).size == 0


@pytest.mark.parametrize("mosaic", ["", "R:RGGB", "G:RGGB"])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_raw_image_lies_as_the_reduced_one(opened: Opening, tmp_path: Path, mosaic: str,
                                             flipped: bool) -> None:
    path = written(tmp_path / "a.fits", pixels())
    detector = Detector(trim=(4, 36, 2, 28), mosaic=mosaic)
    ours = opened(path, Cut(trim=detector.trim, mosaic=mosaic, flipped=flipped))
    theirs = trimmed(raw_image(open_fits(path)),
                     replace(FACTS, detector=detector, flipped=flipped)).rows()
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(ours.part(0, 0, 99, 99), theirs)
    np.testing.assert_array_equal(ours.part(3, 2, 5, 6), theirs[2:8, 3:8])


def test_packed_files_hold_the_same_pixels_and_leave_nothing_behind(opened: Opening,
                                                                    tmp_path: Path) -> None:
    plain = written(tmp_path / "a.fits", pixels())
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    tiles = tmp_path / "a.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels())]).writeto(tiles)
    before = sorted(tmp_path.iterdir())
    for path in (packed, tiles):
        image = opened(path)
        np.testing.assert_array_equal(image.part(3, 5, 7, 4), pixels()[5:9, 3:10])
        assert image.scratch_bytes > 0
        assert sorted(tmp_path.iterdir()) == before
        image.close()


def test_blank_pixels_have_no_value(opened: Opening, tmp_path: Path) -> None:
    data = pixels().astype(np.int16)
    data[2, 3] = -5
    image = opened(written(tmp_path / "a.fits", data, BLANK=-5))
    part = image.part(0, 0, 40, 30)
    assert np.isnan(part[2, 3])
    assert np.isfinite(part).sum() == 30 * 40 - 1


def test_a_file_that_is_cut_short_gives_an_error(opened: Opening, tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", pixels(300, 400))
    image = opened(path)
    with path.open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(FrameError, match="truncated"):
        image.part(0, 299, 10, 1)
    with pytest.raises(FrameError, match="truncated"):
        opened(path)


@pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(5000), b"SIMPLE  =" + bytes(9000)])
def test_what_is_no_fits_is_refused(opened: Opening, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    with pytest.raises(FrameError):
        opened(path)


def test_a_smaller_image_is_one_of_means(opened: Opening, tmp_path: Path) -> None:
    image = opened(written(tmp_path / "a.fits", pixels()))
    small = image.smaller(4)
    assert small.shape == (8, 10)
    assert small[1, 2] == pytest.approx(pixels()[4:8, 8:12].mean())
    assert small[7, 9] == pytest.approx(pixels()[28:, 36:].mean())  # of a square at the edge


def test_a_mean_leaves_out_what_has_no_value() -> None:
    square = np.array([[1.0, np.nan], [3.0, 5.0]], dtype=np.float32)
    assert binned(square, 2)[0, 0] == pytest.approx(3.0)
    assert np.isnan(binned(np.full((2, 2), np.nan, dtype=np.float32), 2)[0, 0])


def test_headers_longer_than_usual_are_read(opened: Opening, tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(pixels())
    for number in range(1500):
        hdu.header[f"K{number}"] = number
    held = io.BytesIO()
    hdu.writeto(held)
    path = tmp_path / "a.fits"
    path.write_bytes(held.getvalue())
    assert opened(path).header["K1499"] == 1499
