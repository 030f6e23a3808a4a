"""A file of several chips becomes one file for each, which iop4d reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config.load import parse_site
from iop4d.fits.read import open_fits, raw_image
from iop4d.fits.split import split
from iop4d.model.errors import FrameError

LEFT = (np.arange(40 * 60) + 40000).astype(np.uint16).reshape(40, 60)
RIGHT = LEFT[::-1].copy()


def primary() -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    for name, value in (("INSTRUME", "WFI"), ("DATE-OBS", "2020-01-02T03:04:05"), ("EXPTIME", 60.0),
                        ("FILTER", "R"), ("GAIN", 9.9), ("HISTORY", "of all"),
                        ("BZERO", 7.0)):
        hdu.header[name] = value
    hdu.header["HIERARCH ESO DPR TYPE"] = "OBJECT"
    return hdu


def chip(pixels: np.ndarray, name: str, gain: float, *, packed: bool = False) -> fits.ImageHDU:
    hdu = (fits.CompImageHDU if packed else fits.ImageHDU)(pixels, name=name)
    hdu.header["GAIN"] = (gain, "e-/ADU")
    return hdu


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("names", "called"), [
    (("CCD 1", "CCD 2"), ("mef-CCD_1.fits", "mef-CCD_2.fits")),
    (("SCI", "SCI"), ("mef-1.fits", "mef-2.fits"))])
def test_each_chip_is_a_file_with_the_cards_of_all_and_its_own(
        tmp_path: Path, names: tuple[str, str], called: tuple[str, str], *, packed: bool) -> None:
    path = tmp_path / "mef.fits.gz"
    fits.HDUList([primary(), chip(LEFT, names[0], 1.5, packed=packed),
                  chip(RIGHT, names[1], 2.5, packed=packed),
                  fits.ImageHDU(LEFT, name="MASK")]).writeto(path)
    written = split(path, tmp_path / "chips")
    assert tuple(one.name for one in written) == called
    for one, pixels, gain in zip(written, (LEFT, RIGHT), (1.5, 2.5), strict=True):
        file = open_fits(one)
        assert (raw_image(file).rows() == pixels).all()
        assert (file.header["GAIN"], file.header["FILTER"], file.header["CHIPOF"]) == (
            gain, "R", "mef.fits.gz")
        assert file.header["ESO DPR TYPE"] == "OBJECT"
        assert raw_image(file).stored.dtype.itemsize == 2  # as it was
    assert [open_fits(one).header["CHIP"] for one in written] == (
        list(names) if names[0] != names[1] else ["1", "2"])


def test_a_file_of_one_image_is_left_as_it_is(tmp_path: Path) -> None:
    fits.PrimaryHDU(LEFT).writeto(tmp_path / "one.fits")
    with pytest.raises(FrameError, match="holds one image only"):
        split(tmp_path / "one.fits", tmp_path)


def test_the_refusal_names_the_command_and_its_files_are_drafted_as_a_camera_of_their_own(
        tmp_path: Path) -> None:
    for name in ("a", "b"):
        fits.HDUList([primary(), chip(LEFT, "CCD1", 1.5), chip(RIGHT, "CCD2", 2.5)]).writeto(
            tmp_path / f"{name}.fits")
    run = CliRunner()
    refused = run.invoke(cli, ["instruments", "draft", str(tmp_path / "a.fits")])
    assert "'iop4d instruments split FILE...' writes each as a file of its own" in str(
        refused.exception)
    done = run.invoke(cli, ["instruments", "split", str(tmp_path / "a.fits"),
                            str(tmp_path / "b.fits"), "--into", str(tmp_path / "chips")])
    assert done.exit_code == 0, done.output
    assert "a.fits: a-CCD1.fits, a-CCD2.fits" in done.output
    chips = tmp_path / "chips"
    printed = run.invoke(cli, ["instruments", "draft", *(
        str(chips / f"{name}-CCD2.fits") for name in ("a", "b"))])
    (camera,) = parse_site(printed.output, root=tmp_path).camera
    assert (camera.name, camera.identify["CHIP"]) == ("WFI CCD2", "CCD2")
    both = run.invoke(cli, ["instruments", "draft", *(
        str(chips / f"a-{name}.fits") for name in ("CCD1", "CCD2"))])
    assert "the frames are of 2 cameras, by CHIP: CCD1, CCD2" in str(both.exception)
    single = run.invoke(cli, ["instruments", "split", str(chips / "a-CCD1.fits")])
    assert single.exit_code == 1
    assert "holds one image only" in single.output
    asked = run.invoke(cli, ["instruments", "split", "--json", str(tmp_path / "a.fits"),
                             str(chips / "a-CCD1.fits")])
    first, second = json.loads(asked.output)
    assert len(first["written"]) == 2
    assert second["error"].startswith("holds one image only")
