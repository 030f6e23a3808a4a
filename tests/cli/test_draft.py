"""``iop4d instruments draft``: from files to a section of the site file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config.load import parse_site
from tests.instruments.headers import CAFOS


def stars(offset: tuple[int, int] | None = None, clip: float = 65535.0) -> np.ndarray:
    """A sky of 1000 ADU with forty stars, each twice where there is an offset."""
    rng = np.random.default_rng(1)
    image = rng.normal(1000.0, 10.0, (300, 400))
    y, x = np.mgrid[-7:8, -7:8]
    shape = np.exp(-(x**2 + y**2) / 2 / 1.5**2)
    for _ in range(40):
        cx, cy = rng.integers(60, 340), rng.integers(60, 240)
        flux = 10 ** rng.uniform(2.7, 4.5)
        for dx, dy in ((0, 0), offset) if offset else ((0, 0),):
            image[cy + dy - 7:cy + dy + 8, cx + dx - 7:cx + dx + 8] += flux * shape
    return np.clip(image, 0, clip).astype(np.uint16)


def write(path: Path, image: np.ndarray, **cards: object) -> Path:
    header = fits.Header()
    header["INSTRUME"], header["DATE-OBS"], header["EXPTIME"] = "Cam", "2024-03-14T21:30:00", 60.0
    for name, value in cards.items():
        header[name] = value
    fits.writeto(path, image, header)
    return path


def drafted(*files: Path) -> str:
    result = CliRunner().invoke(cli, ["instruments", "draft", *map(str, files)])
    return result.output if result.exit_code == 0 else f"{result.exception}"


def test_the_printed_section_is_a_site_s_and_tells_how_the_frames_are_read(tmp_path: Path) -> None:
    flat = write(tmp_path / "flat-1.fits", np.full((300, 400), 30000, np.uint16))
    science = write(tmp_path / "m67.fits", stars(clip=4095.0))
    bias = write(tmp_path / "b.fits", np.full((300, 400), 300, np.uint16), IMAGETYP="Bias")
    printed = drafted(flat, science)
    assert "# b.fits: bias, middle 2024" in drafted(bias, science)
    (camera,) = parse_site(printed, root=tmp_path).camera
    assert (camera.name, camera.band, camera.masters) == ("Cam", "C", ("flat",))
    assert camera.saturation == 4095.0
    assert "# flat-1.fits: flat C, middle 2024-03-14 21:30:30 UTC, 60 s, binning 1\n" in printed
    assert "# m67.fits: science C," in printed
    assert "second image" not in printed


def test_two_images_of_every_star_are_noticed_in_the_pixels(tmp_path: Path) -> None:
    printed = drafted(write(tmp_path / "oj.fits", stars(offset=(25, 31))))
    assert "every star has a second image, at -25.0, -31.0 px" in printed


def test_frames_that_iop4d_knows_need_no_section_and_other_files_are_none(tmp_path: Path) -> None:
    cards = {name: value for name, value in CAFOS.items() if not name.startswith("NAXIS")}
    printed = drafted(write(tmp_path / "caf.fits", stars(), **cards))
    assert "# caf.fits: needs no section, CAFOS is an instrument of iop4d" in printed
    (tmp_path / "x.txt").write_text("hello", encoding="utf-8")
    assert "is text, not FITS" in drafted(tmp_path / "x.txt")


def test_a_frame_without_stars_that_nothing_calls_a_dark_is_a_question(tmp_path: Path) -> None:
    """An old fault: it became a science frame without a word."""
    empty = np.random.default_rng(2).normal(300.0, 5.0, (300, 400)).astype(np.uint16)
    printed = drafted(write(tmp_path / "0001.fits", empty), write(tmp_path / "0002.fits", stars()))
    assert "whether 0001.fits is a bias, dark or flat: it shows no stars" in printed
    assert "whether 0002.fits" not in printed
    printed = drafted(write(tmp_path / "0003.fits", empty, IMAGETYP="Light"))
    assert "whether 0003.fits" not in printed
