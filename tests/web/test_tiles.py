"""Tiles of images: the pixels of their place, whatever the file and its size, in bounded memory."""

from __future__ import annotations

import gzip
import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iop4d.fits.window import Cut, binned
from iop4d.fits.write import write_image
from iop4d.science.display import NONE, decode, levels_of
from iop4d.web import tiles
from iop4d.web.held import Held
from iop4d.web.reader import RefusedError
from iop4d.web.tiles import TILE, Pictures, Place, cutout


def sky(ny: int = 700, nx: int = 900) -> np.ndarray:
    image = np.random.default_rng(2).normal(200.0, 8.0, (ny, nx)).astype(np.float32)
    image[300:304, 500:504] += 40_000.0
    image[10, 10] = np.nan
    return image


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_image(tmp_path / "a.fits", sky(), {})
    return Place(path=str(tmp_path / "a.fits"), roots=(tmp_path,), cut=Cut())


def codes(packed: bytes, nx: int) -> np.ndarray:
    plain = np.frombuffer(gzip.decompress(packed), dtype=np.uint8)
    half = plain.size // 2
    return np.stack([plain[:half], plain[half:]], axis=1).copy().view("<i2").reshape(-1, nx)


def near(found: np.ndarray, wanted: np.ndarray) -> None:
    allowed = 0.02 * np.hypot(8.5, wanted - 200.0)
    np.testing.assert_array_less(np.abs(found - wanted)[np.isfinite(wanted)],
                                 allowed[np.isfinite(wanted)])


@pytest.mark.parametrize("held", [10**7, 20_000])  # the second: too large to be held as it is
def test_a_tile_holds_the_pixels_of_its_place(place: Place, tmp_path: Path, held: int,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_OVERVIEW", held)
    pictures = Pictures(tmp_path)
    picture = pictures.picture(place)
    assert (picture.shape, picture.depth) == ((700, 900), 2)
    levels = picture.levels
    whole = codes(pictures.tile(place, 0, 1, 1), TILE)
    near(decode(whole, levels.sky, levels.sigma), sky()[256:512, 256:512])
    edge = codes(pictures.tile(place, 0, 3, 2), 900 - 3 * TILE)
    assert edge.shape == (700 - 2 * TILE, 900 - 3 * TILE)
    small = codes(pictures.tile(place, 2, 0, 0), 225)
    near(decode(small, levels.sky, levels.sigma), binned(sky(), 4))
    assert codes(pictures.tile(place, 0, 0, 0), TILE)[10, 10] == NONE
    assert float(pictures.part(place, 500, 300, 1, 1)[0, 0]) == sky()[300, 500]


@pytest.mark.parametrize("where", [(3, 0, 0), (0, 4, 0), (0, 0, 3), (60, 0, 0)])
def test_there_is_no_tile_outside(place: Place, tmp_path: Path,
                                  where: tuple[int, int, int]) -> None:
    with pytest.raises(RefusedError):
        Pictures(tmp_path).tile(place, *where)


def test_files_outside_the_site_are_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    outside = Place(path=place.path, roots=(tmp_path / "other",), cut=Cut())
    with pytest.raises(RefusedError):
        Pictures(tmp_path).picture(outside)


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(b"no image")
    with pytest.raises(RefusedError, match="FITS"):
        Pictures(tmp_path).picture(Place(path=str(tmp_path / "a.fits"), roots=(tmp_path,),
                                         cut=Cut()))


def test_a_file_that_changed_is_read_again(place: Place, tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    pictures.tile(place, 0, 0, 0)
    write_image(Path(place.path), sky() + np.float32(1000.0), {})
    assert pictures.picture(place).levels.sky == pytest.approx(1200.0, abs=1.0)


def test_what_is_held_stays_below_its_limit() -> None:
    gone: list[str] = []
    held: Held[int, str] = Held(10, len, gone.append)
    for number in range(5):
        held.get(number, lambda: "xxxx")
    assert len(gone) == 3
    held.get(9, lambda: "y" * 50)  # larger than all: alone
    assert sum(map(len, gone)) == 5 * 4


def test_one_thread_makes_what_several_ask_for() -> None:
    made, held = [], Held[int, str](10, len)
    begun = threading.Barrier(4)

    def make() -> str:
        made.append(1)
        return "x"

    def ask() -> None:
        begun.wait()
        held.get(1, make)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_still_picture_shows_all_of_it(place: Place, tmp_path: Path) -> None:
    picture = Image.open(io.BytesIO(tiles.still(Pictures(tmp_path).picture(place))))
    assert picture.size == (450, 350)  # two pixels of the image for one
    assert picture.getpixel((251, 349 - 151)) == 255  # the bright square, y upwards


def test_a_cutout_is_a_small_picture_with_its_circles() -> None:
    pixels = sky()[290:320, 490:520]
    png = cutout(pixels, levels_of(sky()), circles=[(12.0, 12.0, 6.0)])
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (150, 150)
    assert (255, 209, 102) in {colour for _, colour in picture.getcolors(99999)}
    assert picture.getpixel((62, 149 - 62)) == (255, 255, 255)  # the star, y upwards
