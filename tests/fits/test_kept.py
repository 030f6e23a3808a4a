"""What a product keeps of its raw frame's header: sound for every program that reads FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fits.cards import parse_cards
from iop4d.fits.kept import MOST, common_headers, kept_of, raw_headers
from iop4d.fits.read import open_fits, read_header
from iop4d.fits.write import write_image
from tests.support.fitsverify import complaints, needs_fitsverify

LONG = ["LONG    = 'one two three four five six seven eight nine ten eleven twelve thir&'",
        "CONTINUE  'teen'       / [m] of many words"]
SOUND = ["EXPOSED = 1.50D3              / [s] exponent of FORTRAN",
         "UPPER   =                    T",
         "HIERARCH ESO DET GAIN = 2.5 / [e/adu] gain", "O'BRIEN = 'no'", "CPLX    = (1.0, 2.0)",
         "ENDS    = 'with &'", *LONG, "COMMENT = 'is no value'", "HISTORY camera program",
         "        text without a name", "RA      = '22:02:43.3'         / [h]"]
#: Not as the standard has it, and how it is written.
MENDED = {"LOWER   = 1.5e-3 / [m]": ("LOWER", 1.5e-3, "[m]"), "FREE    =5": ("FREE", 5, ""),
          "NANV    =                  NaN / [K]": ("NANV", "NaN", "[K]"),
          "NOQUOTE = 12:30:05 / [h]": ("NOQUOTE", "12:30:05", "[h]"),
          "OPEN    = 'never closed": ("OPEN", "never closed", ""),
          "small   = 3": ("SMALL", 3, ""), "OBSERVER=                   12": ("OBSERVER", "12", ""),
          "TAB     = 'a\tb'": ("TAB", "a?b", ""), "UMLAUT  = 'Müller'": ("UMLAUT", "M?ller", ""),
          "UNIT    =                  1.5 / [µm] width": ("UNIT", 1.5, "[?m] width")}
#: Of the file, or wrong for another image: lines of HISTORY, or nothing at all.
SAID = ["UNDEF   =                      / [K] not known", "MY.KEY  = 5", "UNDECIDED=5",
        "DATE    = 20171220", "DATE-END= '2017-12-20 01:02:03'", "MJD-OBS = '58107.0'",
        "OBSGEO-X= 'far'", "EQUINOX = '2000.0'", "EPOCH   = 1950.0", "RADECSYS= 'FK5'",
        "CRVAL1  = 12.0", "CROTA2  = 5.0", "PC1_1   = 0.5", "CDELT1A = 0.5", "PV1_1   = 'a'",
        "A_ORDER = 2", "AP_0_1  = 1.0", "WAT1_001= 'wtype=tnx'", "CTYPE3  = 'FREQ'",
        "LTV1    = 3.0",
        "TRIMSEC = '[1:10,1:20]'", "BAYERPAT= 'RGGB'", "TIMESYS = 'TT'", "FILTER  = 'R_J' / wheel",
        "CONTINUE  'of nothing'"]
STORAGE = ["BSCALE  = 2.0", "BZERO   = 32768.0", "BLANK   = -5", "DATAMAX = 'a'", "BUNIT   = 3",
           "EXTEND  = T", "BLOCKED = T", "PCOUNT  = 0", "TFIELDS = 4", "TTYPE1  = 'A'",
           "ZIMAGE  = T", "ZCMPTYPE= 'RICE_1'", "XTENSION= 'IMAGE'", "CHECKSUM= 'abcd'",
           "DATASUM = '12'", "EXTNAME = 'X'", "INHERIT = F", "NAXIS3  = 1", "LONGSTRN= 'OGIP 1.0'"]


def header_of(*lines: str) -> bytes:
    return "".join(line.ljust(80) for line in (*lines, "END")).encode("latin-1")


def product(path: Path, *headers: bytes) -> Path:
    image = np.zeros((4, 5), dtype=np.float32)
    image[1, 1] = np.nan
    write_image(path, image, {"FILTER": "R", "RAWFILE": "it's a long name " * 10},
                comments={"FILTER": "Band", "RAWFILE": "Name"}, kept=kept_of(headers, {"FILTER"}),
                history=["a sentence of many words " * 8])
    return path


@pytest.fixture
def awkward(tmp_path: Path) -> Path:
    twice = ["DUP     = 1", "DUP     = 2", "UPPER   = F"]
    return product(tmp_path / "product.fits",
                   header_of(*SOUND, *MENDED, *SAID, *STORAGE, *twice))


@needs_fitsverify
def test_fitsverify_has_nothing_to_say(awkward: Path) -> None:
    assert complaints(awkward) == []


@needs_fitsverify
def test_fitsverify_does_complain_of_such_a_header(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    structure = ["SIMPLE  =                    T", "BITPIX  =                    8",
                 "NAXIS   =                    0"]
    path.write_bytes(header_of(*structure, *SAID, *MENDED).ljust(5 * 2880))
    assert len(complaints(path)) > 10


def test_astropy_reads_every_card(awkward: Path) -> None:
    with fits.open(awkward, checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        for name, value, comment in MENDED.values():
            assert (header[name], header.comments[name]) == (value, comment)
        assert header["LONG"].endswith("twelve thirteen")
        assert header.comments["LONG"] == "[m] of many words"
        assert header["RAWFILE"] == ("it's a long name " * 10).rstrip()
        assert header["ESO DET GAIN"] == 2.5
        assert header["DUP"] == 1
        assert header["ENDS"] == "with &"
        assert header["FILTER"] == "R"


def test_a_sound_card_stays_byte_for_byte(awkward: Path) -> None:
    raw = awkward.read_bytes()
    for line in SOUND:
        if not line.startswith("O'"):
            assert line.ljust(80).encode() in raw, line


def test_what_is_not_of_the_image_is_history(awkward: Path) -> None:
    header = fits.getheader(awkward)
    told = "\n".join(header["HISTORY"])
    for line in SAID:
        name = line[:8].rstrip()
        assert f"raw: {line}" in told, line
        assert name == "FILTER" or name not in header, name
    assert "raw: DUP     = 2" in told
    assert " ".join(told.split()).endswith(("a sentence of many words " * 8).rstrip())


def test_how_the_raw_file_stored_its_pixels_is_not_kept(awkward: Path) -> None:
    header = fits.getheader(awkward)
    told = "\n".join(header["HISTORY"])
    assert (header["BITPIX"], header["NAXIS"], header["NAXIS1"], header["NAXIS2"]) == (-32, 2, 5, 4)
    for line in STORAGE:
        name = line[:8].rstrip()
        assert name not in header or name in ("CHECKSUM", "DATASUM", "LONGSTRN"), name
        assert line not in told


def test_iop4d_reads_its_product_as_it_read_the_raw_frame(awkward: Path) -> None:
    ours, raw = read_header(awkward), parse_cards(header_of(*SOUND, *MENDED))
    assert open_fits(awkward).changed == ""
    plain = {name: value for name, value in raw.items()
             if name not in ("UMLAUT", "TAB", "OBSERVER", "O'BRIEN", "HISTORY")}
    assert {name: ours.get(name) for name in plain} == plain


def test_a_header_of_its_own_and_of_the_primary_hdu(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU()
    image = fits.ImageHDU(np.zeros((40, 40), dtype=np.int16), name="SCI")
    primary.header.update({"OBSERVER": "Ana", "SITE": "primary"})
    primary.header["COMMENT"] = "said twice"
    image.header.update({"SITE": "image", "GAIN": (2.5, "[e/adu]")})
    image.header["COMMENT"] = "said twice"
    path = tmp_path / "raw.fits"
    fits.HDUList([primary, image]).writeto(path, checksum=True)
    header = fits.getheader(product(tmp_path / "product.fits", *raw_headers(open_fits(path))))
    assert (header["OBSERVER"], header["SITE"], header["GAIN"]) == ("Ana", "image", 2.5)
    assert header.comments["GAIN"] == "[e/adu]"
    assert list(header["COMMENT"]).count("said twice") == 1
    assert "EXTNAME" not in header


@needs_fitsverify
@pytest.mark.parametrize("packed", ["fz", "gz"])
def test_a_packed_frame(tmp_path: Path, packed: str) -> None:
    rng = np.random.default_rng(1)
    header = fits.Header([("GAIN", 2.5, "[e/adu]"), ("OBSERVER", "Ana")])
    data = rng.normal(1000.0, 10.0, (64, 64)).astype(np.uint16)
    path = tmp_path / f"raw.fits.{packed}"
    if packed == "fz":
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, header)]).writeto(
            path, checksum=True)
    else:
        fits.PrimaryHDU(data, header).writeto(path, checksum=True)
    made = product(tmp_path / "product.fits", *raw_headers(open_fits(path)))
    assert complaints(made) == []
    found = fits.getheader(made)
    assert (found["GAIN"], found["OBSERVER"]) == (2.5, "Ana")
    assert not [name for name in found if name.startswith(("Z", "TTYPE", "BZERO"))]


def test_a_header_of_endless_cards_is_bounded(tmp_path: Path) -> None:
    path = product(tmp_path / "product.fits", header_of(*(f"K{n:07d}= 1" for n in range(13_000))))
    assert 9_000 < len(read_header(path)) < MOST + 100
    assert "3000 more cards are left out" in " ".join(fits.getheader(path)["HISTORY"])


def test_a_master_keeps_what_its_frames_share() -> None:
    first = (header_of("GAIN    = 2.5 / [e/adu]", "EXPTIME = 3.0", "DATE-OBS= '2024-01-01'"),)
    second = (header_of("GAIN    = 2.5 / [e/adu]", "EXPTIME = 4.0", "DATE-OBS= '2024-01-01'"),)
    kept = kept_of(common_headers([first, second]), set())
    assert [card.rstrip() for card in kept.cards] == ["GAIN    = 2.5 / [e/adu]",
                                                      "DATE-OBS= '2024-01-01'"]
    assert kept.history == ()
    assert common_headers([]) == ()


@needs_fitsverify
@pytest.mark.realdata
def test_the_header_of_a_real_frame(hatp32: Path, tmp_path: Path) -> None:
    for number, raw in enumerate(sorted((hatp32 / "raw").glob("*.fits.gz"))[::40]):
        path = product(tmp_path / f"{number}.fits", *raw_headers(open_fits(raw)))
        assert complaints(path) == [], raw
        before, after = fits.getheader(raw), fits.getheader(path)
        assert after["EXPTIME"] == before["EXPTIME"]
        assert after.comments["EXPTIME"] == before.comments["EXPTIME"]
