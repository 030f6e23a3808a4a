"""Of several images in a file the one that is meant, or none; small strictnesses are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits.read import open_fits, raw_image
from iop4d.model.errors import FrameError

IMAGE = np.arange(40 * 60, dtype=np.int16).reshape(40, 60)
OTHER = IMAGE[::-1].copy()


def opened(path: Path, *hdus: object) -> np.ndarray:
    fits.HDUList(list(hdus)).writeto(path)
    return raw_image(open_fits(path)).rows()


@pytest.mark.parametrize("beside", [
    [fits.PrimaryHDU(IMAGE[:8, :8]), fits.ImageHDU(IMAGE, name="SCI")],  # a thumbnail
    [fits.PrimaryHDU(), fits.ImageHDU(OTHER, name="MASK"), fits.ImageHDU(IMAGE)],
    [fits.PrimaryHDU(), fits.ImageHDU(IMAGE, name="SCI"), fits.ImageHDU(OTHER, name="ERR"),
     fits.ImageHDU(OTHER, name="DQ")],
    [fits.PrimaryHDU(IMAGE), fits.ImageHDU(np.zeros((40, 60), np.uint8))],
    [fits.PrimaryHDU(), fits.CompImageHDU(IMAGE), fits.ImageHDU(OTHER, name="BPM")],
    [fits.PrimaryHDU(np.zeros((4, 4, 3), np.float32)), fits.ImageHDU(IMAGE)],
])
def test_what_stands_beside_an_image_does_not_count(tmp_path: Path, beside: list[object]) -> None:
    assert (opened(tmp_path / "a.fits", *beside) == IMAGE).all()


@pytest.mark.parametrize(("name", "other"), [("CHIP1", "CHIP2"), ("SCI", "SCI"), ("", "")])
def test_several_chips_are_refused_by_their_names(tmp_path: Path, name: str, other: str) -> None:
    with pytest.raises(FrameError, match=r"holds 2 images \(.* of 60 x 40 px, .* file of its own"):
        opened(tmp_path / "a.fits", fits.PrimaryHDU(), fits.ImageHDU(IMAGE, name=name),
               fits.ImageHDU(OTHER, name=other))


@pytest.mark.parametrize("side", [b"", b"0", b"-2147483649"])
def test_a_packed_image_whose_sides_are_damaged_is_refused(tmp_path: Path, side: bytes) -> None:
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(IMAGE)]).writeto(path)
    data = path.read_bytes()
    place = data.index(b"ZNAXIS1 =")
    damaged = b"ZNAXIS1 = " + side.rjust(20) if side else b" " * 30
    path.write_bytes(data[:place] + damaged + data[place + 30:])
    with pytest.raises(FrameError):
        raw_image(open_fits(path))


def test_a_cube_of_one_plane_is_an_image_and_one_of_several_is_none(tmp_path: Path) -> None:
    assert (opened(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE[None])) == IMAGE).all()
    with pytest.raises(FrameError, match="no plain image of two axes"):
        opened(tmp_path / "b.fits", fits.PrimaryHDU(np.stack([IMAGE, OTHER])))


@pytest.mark.parametrize("change", [
    lambda data: data + b" " * 100, lambda data: data + bytes(2880),
    lambda data: data[:2880 + 4800], lambda data: data[:2880 + 5000]])
def test_what_follows_the_data_may_be_anything_empty(tmp_path: Path, change: object) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(IMAGE).writeto(path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    assert (raw_image(open_fits(path)).rows() == IMAGE).all()


def test_data_that_end_too_early_are_still_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(IMAGE).writeto(path)
    path.write_bytes(path.read_bytes()[:2880 + 4799])
    with pytest.raises(FrameError, match="truncated"):
        open_fits(path)


def test_a_zero_point_of_numbers_may_be_text(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(IMAGE)
    hdu.header["BSCALX"] = "100"
    hdu.writeto(path)
    path.write_bytes(path.read_bytes().replace(b"BSCALX  =", b"BZERO   ="))
    assert (raw_image(open_fits(path)).rows() == IMAGE + 100.0).all()
