"""FITS files: what is whole is read as astropy reads it, what is not is turned down, saying why."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits import read
from iop4d.fits.cards import parse_cards
from iop4d.fits.read import open_fits, read_header, read_image
from iop4d.fits.write import write_image
from iop4d.model.errors import FrameError, StageError
from iop4d.model.messages import CHANGED

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 60000, (37, 53)).astype(np.uint16)


def plain(pixels: np.ndarray = PIXELS, **cards: object) -> bytes:
    out = io.BytesIO()
    hdu = fits.PrimaryHDU(pixels)
    for name, value in cards.items():
        hdu.header[name] = value
    hdu.writeto(out)
    return out.getvalue()


def reason(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(FrameError) as caught:
        read_header(path)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frame.fits"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_every_kind_of_pixel_is_read_as_astropy_reads_it(path: Path, dtype: str) -> None:
    pixels = RNG.integers(0, 250, (20, 31)).astype(dtype)
    path.write_bytes(plain(pixels, OBJECT="BL Lac"))
    image, header = read_image(path)
    assert image.dtype == np.float32
    assert np.array_equal(image, pixels)
    assert header["OBJECT"] == "BL Lac"
    assert (header["NAXIS1"], header["NAXIS2"]) == (31, 20)


def test_scaled_pixels_and_blanks(path: Path) -> None:
    pixels = np.array([[-1, 0, 10]], dtype=np.int16)
    path.write_bytes(plain(pixels, BLANK=-1, BSCALE=0.5, BZERO=100.0))
    content = plain(pixels)
    card = f"{'BSCALE':8}= {0.5:>20}".ljust(80) + f"{'BZERO':8}= {100.0:>20}".ljust(80) \
        + f"{'BLANK':8}= {-1:>20}".ljust(80) + "END".ljust(80)
    end = content.index(b"END" + b" " * 77)
    path.write_bytes(content[:end] + card.encode() + content[end + len(card):])
    image, _ = read_image(path)
    assert np.array_equal(image, [[np.nan, 100.0, 105.0]], equal_nan=True)


def test_gzip_and_the_checksum_of_what_is_stored(path: Path) -> None:
    content = gzip.compress(plain())
    path.write_bytes(content)
    file = open_fits(path, digest=True)
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.size == len(content)
    assert np.array_equal(read_image(path)[0], PIXELS)


def test_tile_compression(path: Path) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(PIXELS)])
    hdus[1].header["FILTER"] = "R"
    hdus.writeto(path)
    image, header = read_image(path)
    assert np.array_equal(image, PIXELS)
    assert header["FILTER"] == "R"
    assert [header[card] for card in ("NAXIS", "NAXIS1", "NAXIS2")] == [2, 53, 37]


def test_an_image_in_an_extension(path: Path) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(PIXELS)])
    hdus[0].header["TELESCOP"] = "T90"
    hdus.writeto(path)
    image, header = read_image(path)
    assert np.array_equal(image, PIXELS)
    assert header["TELESCOP"] == "T90"


def test_truncation_is_found_at_every_block_and_beside_it(path: Path) -> None:
    for content in (plain(), plain(np.zeros((64, 45), dtype=np.int16))):
        for at in {near for block in range(0, len(content), 2880)
                   for near in (block - 1, block, block + 1) if 0 <= near < len(content)}:
            assert reason(path, content[:at])


def test_every_length_of_a_short_file_is_truncated_but_those_with_all_pixels(path: Path) -> None:
    content = plain(np.zeros((5, 5), dtype=np.uint8))
    data_end = 2880 + 25
    for at in range(2800, len(content)):
        path.write_bytes(content[:at])
        if at >= data_end:  # its padding is missing, or a part of it
            read_image(path)
        else:
            with pytest.raises(FrameError):
                read_image(path)


def test_truncation_names_both_sizes(path: Path) -> None:
    content = plain()
    assert reason(path, content[:4000]) == f"is truncated: 4000 of {len(content)} bytes"


def test_every_flipped_bit_of_a_gzip_is_found(path: Path) -> None:
    whole = plain(PIXELS[:12, :20])
    content = bytearray(gzip.compress(whole))
    padding = 0
    # The first ten bytes hold a date and the like, which change no pixel.
    for bit in np.random.default_rng(2).choice(np.arange(80, 8 * len(content)), 400, replace=False):
        content[bit // 8] ^= 1 << bit % 8
        try:
            if gzip.decompress(bytes(content)) == whole:
                padding += 1  # of the last byte of the compressed stream, which hold nothing
                continue
        except (OSError, EOFError, zlib.error):
            pass
        finally:
            path.write_bytes(content)
            content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FrameError):
            read_header(path)
    assert padding <= 7


def test_every_truncated_gzip_is_found(path: Path) -> None:
    content = gzip.compress(plain(PIXELS[:12, :20]))
    for at in range(0, len(content), 7):
        assert reason(path, content[:at])


def test_a_wrong_datasum_is_found(path: Path) -> None:
    fits.PrimaryHDU(PIXELS).writeto(path, checksum=True)
    content = bytearray(path.read_bytes())
    read_image(path)
    content[3000] ^= 4
    assert "DATASUM" in reason(path, bytes(content))


def card(content: bytes, name: str, value: str) -> bytes:
    at = content.index(f"{name:8}=".encode())
    return content[:at] + f"{name:8}= {value:>20}".ljust(80).encode() + content[at + 80:]


@pytest.mark.parametrize(("name", "value", "said"), [
    ("NAXIS1", "999999999", "999999999 x 37 pixels"),
    ("NAXIS2", "-5", "negative"),
    ("NAXIS", "999999999", "999999999 axes"),
    ("NAXIS", "'two'", "not a whole number"),
    ("NAXIS", "T", "not a whole number"),
    ("BITPIX", "17", "BITPIX = 17"),
    ("NAXIS1", "9" * 60, "pixels"),
    ("SIMPLE", "F", "not standard"),
])
def test_absurd_headers_are_told_at_once(path: Path, name: str, value: str, said: str) -> None:
    assert said in reason(path, card(plain(), name, value))


def test_absurd_extensions(path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(3))])
    fits.HDUList([fits.PrimaryHDU(PIXELS), table]).writeto(path)
    content = path.read_bytes()
    assert "table columns" in reason(path, card(content, "TFIELDS", "999999999"))
    assert "limit" in reason(path, card(content, "PCOUNT", "99999999999999"))


@pytest.mark.parametrize(("content", "said"), [
    (b"", "is empty"),
    (b"<!DOCTYPE html><html>404</html>", "is text, not FITS: begins with '<!DOCTYPE"),
    (b"The camera is warm.\n" * 300, "is text, not FITS"),
    (b"\0" * 5760, "nothing but zeros"),
    (b"\x89PNG\r\n" + b"\1" * 3000, "is a PNG picture"),
    (b"PK\x03\x04" + b"\1" * 3000, "is a ZIP archive"),
    (bytes(range(256)) * 20, "is not FITS"),
    (b"SIMPLE  =" + b" " * 5000, "no END card"),
    (b"SIMPLE  =" + b" " * (2 << 20), "no END card within 1024 KiB"),
])
def test_what_is_no_fits_is_told(path: Path, content: bytes, said: str) -> None:
    assert said in reason(path, content)


def test_a_gzip_bomb_is_told(path: Path) -> None:
    assert "no frame does" in reason(path, gzip.compress(bytes(40 << 20)))


def test_rubbish_after_the_end_is_told_and_zeros_are_not(path: Path) -> None:
    assert "after its end" in reason(path, plain() + b"rubbish" * 100)
    path.write_bytes(plain() + bytes(2880))
    read_image(path)
    path.write_bytes(gzip.compress(plain()) + bytes(512))
    read_image(path)
    assert "after its end" in reason(path, gzip.compress(plain()) + b"rubbish")


def test_no_image_and_no_plain_image(path: Path) -> None:
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(FrameError, match="holds no image"):
        read_header(path)
    fits.PrimaryHDU(np.zeros((2, 3, 4), dtype=np.int16)).writeto(path, overwrite=True)
    with pytest.raises(FrameError, match="two axes"):
        read_image(path)


def test_a_file_that_changes_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(plain())
    before = os.fstat

    def grown(descriptor: int) -> os.stat_result:
        found = before(descriptor)
        path.write_bytes(plain() + bytes(2880))
        return found

    monkeypatch.setattr(read.os, "fstat", grown)
    with pytest.raises(StageError, match="changed while it was read") as caught:
        read_header(path)
    assert caught.value.stage == CHANGED


def test_cards_as_cameras_write_them() -> None:
    lines = ["EQUINOX = 2000.0 / free format", "EXPTIME = 060.00 / s", "TELHUM  = 05",
             "TELALT  = +62.592", "OBJECT  = 'O''Brien  '  / name", "GOOD    =   T",
             "BIG     = 1.5D3", "RAW     = 12:30:05 / no quotes", "COMMENT nothing",
             "HIERARCH ESO DET GAIN = 2.5", "LONG    = 'one &'", "CONTINUE  'two'", "EMPTY   =",
             "object  = 'second'"]
    header = parse_cards("".join(line.ljust(80) for line in lines).encode())
    assert header == {
        "EQUINOX": 2000.0, "EXPTIME": 60.0, "TELHUM": 5, "TELALT": 62.592, "OBJECT": "O'Brien",
        "GOOD": True, "BIG": 1500.0, "RAW": "12:30:05", "ESO DET GAIN": 2.5,
        "LONG": "one two", "EMPTY": ""}


def test_what_we_write_is_read_by_us_and_by_astropy(path: Path) -> None:
    image = RNG.normal(0.0, 1.0, (31, 17)).astype(np.float32)
    image[3, 4] = np.nan
    cards = {"OBJECT": "it's α", "EXPTIME": 60.0, "SMALL": 1.25e-30, "N": 3, "YES": True,
             "BAD": float("nan"), "LONG": "x'" * 60}
    sha256 = write_image(path, image, cards, history=["made by hand"])
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    again, header = read_image(path)
    assert np.array_equal(again, image, equal_nan=True)
    assert (header["OBJECT"], header["EXPTIME"], header["SMALL"]) == ("it's ?", 60.0, 1.25e-30)
    assert "BAD" not in header
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        assert np.array_equal(hdus[0].data, image, equal_nan=True)
        assert hdus[0].header["YES"] is True
        assert "made by hand" in hdus[0].header["HISTORY"]


def test_a_write_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_image(path, np.zeros((4, 4), dtype=np.float32), {})
    assert list(path.parent.iterdir()) == []


@pytest.mark.realdata
def test_every_real_frame_is_sound(hatp32: Path) -> None:
    files = sorted((hatp32 / "raw").glob("*.fits.gz"))
    assert len(files) == 142
    for file in files:
        header = read_header(file)
        assert (header["EXPTIME"], header["FILTER"]) == (60.0, "Clear")
    assert np.array_equal(read_image(files[0])[0], fits.getdata(files[0]))
