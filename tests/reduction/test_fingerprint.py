"""An exposure is known again in whatever container or processing it comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits.fingerprint import fingerprint, sample_rows
from iop4d.fits.read import open_fits, sampled_rows
from iop4d.model.frame import is_same_exposure

RNG = np.random.default_rng(11)
RAW = (RNG.poisson(500.0, (96, 128)) + 300).astype(np.uint16)
OTHER = (RNG.poisson(500.0, (96, 128)) + 300).astype(np.uint16)


def of(path: Path, hdus: list[object]) -> str:
    fits.HDUList(hdus).writeto(path)
    file = open_fits(path)
    return fingerprint(sampled_rows(file, sample_rows(96)))


def test_lossless_copies_have_the_same_fingerprint(tmp_path: Path) -> None:
    first = of(tmp_path / "a.fit", [fits.PrimaryHDU(RAW)])
    assert len(first) == 64
    copies = {
        "a.fit.gz": [fits.PrimaryHDU(RAW)],
        "rice.fits.fz": [fits.PrimaryHDU(), fits.CompImageHDU(RAW)],
        "tiles.fits.fz": [fits.PrimaryHDU(), fits.CompImageHDU(RAW, tile_shape=(32, 50))],
        "float.fit": [fits.PrimaryHDU(RAW.astype(np.float32))],
        "part_of_one.fit": [fits.PrimaryHDU((RAW / 65535.0).astype(np.float32))],
        "in_extension.fit": [fits.PrimaryHDU(), fits.ImageHDU(RAW)]}
    assert {name: of(tmp_path / name, hdus) for name, hdus in copies.items()} == dict.fromkeys(
        copies, first)


@pytest.mark.parametrize(("name", "hdus"), [
    ("quantised.fits.fz", [fits.PrimaryHDU(), fits.CompImageHDU(
        RAW.astype(np.float32), quantize_level=4)]),
    ("calibrated.fit", [fits.PrimaryHDU(
        ((RAW - 300.0 - RNG.normal(0.0, 2.0, RAW.shape)) / RNG.normal(
            1.0, 0.01, RAW.shape)).astype(np.float32))])])
def test_lossy_and_calibrated_copies_are_nearly_alike(tmp_path: Path, name: str,
                                                      hdus: list[object]) -> None:
    first = of(tmp_path / "a.fit", [fits.PrimaryHDU(RAW)])
    copy = of(tmp_path / name, hdus)
    assert copy != first
    assert is_same_exposure(copy, first)


def test_other_exposures_are_not_alike(tmp_path: Path) -> None:
    """Of noise as of a pattern that the detector adds to each: three times the noise."""
    first = of(tmp_path / "a.fit", [fits.PrimaryHDU(RAW)])
    assert not is_same_exposure(of(tmp_path / "b.fit", [fits.PrimaryHDU(OTHER)]), first)
    pattern = RNG.normal(0.0, 40.0, RAW.shape)
    one, two = (of(tmp_path / f"{n}.fit", [fits.PrimaryHDU((raw + pattern).astype(np.float32))])
                for n, raw in enumerate((RAW, OTHER)))
    assert one != two
    assert not is_same_exposure(one, two)


def test_an_image_without_noise_is_like_no_other(tmp_path: Path) -> None:
    flat = of(tmp_path / "a.fit", [fits.PrimaryHDU(np.full((96, 128), 65535, np.uint16))])
    assert flat == ""
    assert not is_same_exposure(flat, flat)
    assert fingerprint(np.zeros((16, 20), np.float32)) == ""
