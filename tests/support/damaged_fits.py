"""Damaged FITS files: what cameras, networks, disks and people do to a frame, and worse.

Each mutant is made from a sound small frame by changes that know the structure of FITS: its cards,
its sizes, its blocks, its compression. The same seed gives the same mutants.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy.io import fits

from iop4d.fits.cards import BLOCK, CARD
from iop4d.simulator.night import Night, NightPlan

_SIDE = 96  # pixels of a seed frame
_CAMERAS = {"AndorT90": "2022-09-08", "CAFOS": "2022-09-08", "DIPOL": "2023-10-10"}

#: Values that headers have been seen to hold, and some that nobody has seen yet.
HOSTILE = (
    "999999999", "-1", "0", "1", "-2147483649", "9" * 60, "1E999", "-1E999", "NaN", "INF", "T", "F",
    "''", "'", "'two'", "'" + "A" * 67 + "'", "1.5", "2.", ".", "+", "0x10", "1D400", "''''''",
    "'T90/%s%n'", "'../../etc'", "'\x00\x01'", "'\xff\xfe'", "1 / 2", "", "'long &'", "(1, 2)",
    "1e-400", "32767.5", "-0", "16 16", "'<script>'", "'-99:99:99'", "'2022-13-45T99:99:99'",
)
_STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "BZERO", "BSCALE", "BLANK",
              "XTENSION", "PCOUNT", "GCOUNT", "TFIELDS", "TFORM1", "TTYPE1", "ZIMAGE", "ZBITPIX",
              "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZTILE1", "ZTILE2", "ZCMPTYPE", "ZNAME1", "ZVAL1",
              "ZQUANTIZ", "DATASUM", "CHECKSUM", "END")


@dataclass(frozen=True, kw_only=True)
class Seed:
    """A sound file of a form: plain, checksum, float, extension, table, gz, rice, gzip2."""

    name: str
    form: str
    data: bytes

    @property
    def is_packed(self) -> bool:
        """Whether the whole file is gzipped."""
        return self.form == "gz"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A damaged file. ``must_fail``: it may never be taken for a sound one."""

    name: str
    data: bytes
    why: str
    must_fail: bool = False


@cache
def seeds() -> tuple[Seed, ...]:
    """A science frame and a bias of each camera, cut small, in every form that is read."""
    found = []
    for instrument, night in _CAMERAS.items():
        plan = NightPlan(seed=4, night=night, instrument=instrument, frames=1, n_bias=1, n_flat=0,
                         n_dark=0)
        for frame in Night(plan).frames():
            pixels = frame.data[:_SIDE, :_SIDE].copy()
            for form, make in _FORMS.items():
                data = make(pixels, frame.header)
                found.append(Seed(name=f"{instrument}-{frame.name.split('.')[0]}", form=form,
                                  data=data))
    return tuple(found)


def _bytes(*hdus: fits.PrimaryHDU | fits.ImageHDU, checksum: bool = False) -> bytes:
    out = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(out, checksum=checksum)
    return out.getvalue()


def _table() -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(5)),
                                          fits.Column("b", "8A", array=["x"] * 5)])


def _tiles(pixels: np.ndarray, header: fits.Header, kind: str) -> bytes:
    return _bytes(fits.PrimaryHDU(), fits.CompImageHDU(pixels, header, compression_type=kind))


_FORMS: dict[str, Callable[[np.ndarray, fits.Header], bytes]] = {
    "plain": lambda pixels, header: _bytes(fits.PrimaryHDU(pixels, header)),
    "checksum": lambda pixels, header: _bytes(fits.PrimaryHDU(pixels, header), checksum=True),
    "float": lambda pixels, header: _bytes(fits.PrimaryHDU(pixels.astype("f4"), header)),
    "extension": lambda pixels, header: _bytes(fits.PrimaryHDU(), fits.ImageHDU(pixels, header)),
    "table": lambda pixels, header: _bytes(fits.PrimaryHDU(pixels, header), _table()),
    "gz": lambda pixels, header: gzip.compress(_bytes(fits.PrimaryHDU(pixels, header)), mtime=0),
    "rice": lambda pixels, header: _tiles(pixels, header, "RICE_1"),
    "gzip2": lambda pixels, header: _tiles(pixels, header, "GZIP_2"),
}


# Cards.

def card_places(data: bytes) -> list[int]:
    """Where the cards of all headers begin, as far as headers can be followed by their words."""
    places = []
    for block in range(0, len(data) - BLOCK + 1, BLOCK):
        if data[block:block + 6] in (b"SIMPLE", b"XTENSI"):
            for at in range(block, len(data) - CARD + 1, CARD):
                places.append(at)
                if data[at:at + 8] == b"END     ":
                    break
    return places


def _named(data: bytes, name: str) -> list[int]:
    word = f"{name:8}".encode()
    return [at for at in card_places(data) if data[at:at + 8] == word]


def with_card(data: bytes, at: int, name: str, value: str) -> bytes:
    """Another card in the place of one."""
    card = f"{name:8}= {value:>20}".encode("latin-1")[:CARD].ljust(CARD)
    return data[:at] + card + data[at + CARD:]


def _pick(rng: np.random.Generator, choices: Sequence[int]) -> int:
    return int(choices[int(rng.integers(len(choices)))])


def _hostile(rng: np.random.Generator) -> str:
    return HOSTILE[int(rng.integers(len(HOSTILE)))]


def _any_card(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at = _pick(rng, card_places(data))
    name, value = data[at:at + 8].decode("latin-1").strip(), _hostile(rng)
    return with_card(data, at, name, value), f"{name} = {value!r}"


def _structure_card(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    there = [(name, at) for name in _STRUCTURE for at in _named(data, name)]
    name, at = there[int(rng.integers(len(there)))]
    value = _hostile(rng)
    return with_card(data, at, name, value), f"{name} = {value!r}"


def _fact_card(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """A card that says something of the exposure, not of the file's structure."""
    there = [at for at in card_places(data) if data[at + 8:at + 9] == b"="
             and data[at:at + 8].decode("latin-1").strip() not in _STRUCTURE]
    if not there:
        return data, "no such card"
    at = _pick(rng, there)
    name, value = data[at:at + 8].decode("latin-1").strip(), _hostile(rng)
    return with_card(data, at, name, value), f"{name} = {value!r}"


def _delete_card(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at = _pick(rng, card_places(data))
    return data[:at] + b" " * CARD + data[at + CARD:], f"card {at // CARD} blank"


def _remove_card(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at = _pick(rng, card_places(data))
    return data[:at] + data[at + CARD:], f"card {at // CARD} taken out, all after it moved"


def _copy_card(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    one, other = _pick(rng, card_places(data)), _pick(rng, card_places(data))
    return (data[:other] + data[one:one + CARD] + data[other + CARD:],
            f"card {one // CARD} in the place of {other // CARD}")


def _bad_letter(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at = _pick(rng, card_places(data)) + int(rng.integers(CARD))
    byte = int(rng.integers(256))
    return data[:at] + bytes([byte]) + data[at + 1:], f"byte {at} is {byte:#x}"


# Sizes and bits.

def _cut(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at = int(rng.integers(len(data)))
    return data[:at], f"cut at {at}"


def _hole(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 2 * BLOCK))
    filled = rng.integers(256) if rng.random() < 0.5 else 0
    return (data[:at] + bytes([int(filled)]) * min(size, len(data) - at) + data[at + size:],
            f"{size} bytes at {at} are {filled}")


def _moved(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    at, size = int(rng.integers(len(data))), int(rng.choice([1, 2, CARD, 512, BLOCK]))
    if rng.random() < 0.5:
        return data[:at] + bytes(size) + data[at:], f"{size} bytes put in at {at}"
    return data[:at] + data[at + size:], f"{size} bytes taken out at {at}"


def _bits(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    changed = bytearray(data)
    count = int(rng.integers(1, 20))
    for _ in range(count):
        changed[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(changed), f"{count} bits flipped"


def _pixels(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Pixels that no detector gives: NaN, infinities, the ends of the range."""
    words = (b"\x7f\xc0\x00\x00", b"\x7f\x80\x00\x00", b"\xff\x80\x00\x00", b"\x7f\x7f\xff\xff",
             b"\x80\x00\x80\x00", b"\x7f\xff\x7f\xff", b"\x00\x00\x00\x01")
    word = words[int(rng.integers(len(words)))]
    first = len(data) // BLOCK // 3 * BLOCK
    count = int(rng.integers(1, max(2, (len(data) - first) // 4)))
    at = first + 4 * int(rng.integers(max(1, (len(data) - first) // 4 - count)))
    return data[:at] + word * count + data[at + 4 * count:], f"{count} times {word.hex()} at {at}"


def _twice(data: bytes, _: np.random.Generator) -> tuple[bytes, str]:
    return data + data, "the file twice"


def _tail(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    size = int(rng.integers(1, 3 * BLOCK))
    return data + rng.bytes(size), f"{size} bytes of noise after the end"


def _packed(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    inner, why = _OF_FITS[int(rng.integers(len(_OF_FITS)))](data, rng)
    return gzip.compress(inner, mtime=0), f"gzip of: {why}"


_OF_FITS = (_any_card, _fact_card, _fact_card, _fact_card, _fact_card, _pixels, _pixels,
            _structure_card, _structure_card, _structure_card, _delete_card, _remove_card,
            _copy_card, _bad_letter, _cut, _hole, _moved, _bits, _twice, _tail)
_OF_ANY = (_cut, _hole, _moved, _bits, _twice, _tail)


def mutants(count: int, seed: int = 1) -> Iterator[Mutant]:
    """So many random mutants."""
    rng = np.random.default_rng(seed)
    sound = seeds()
    for number in range(count):
        parent = sound[int(rng.integers(len(sound)))]
        kinds = _OF_ANY if parent.is_packed else (*_OF_FITS, _packed)
        data, why = parent.data, []
        for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
            if not data or (kinds is not _OF_ANY and not card_places(data)):
                break
            data, said = kinds[int(rng.integers(len(kinds)))](data, rng)
            why.append(said)
            if data[:2] == b"\x1f\x8b":
                kinds = _OF_ANY
        yield Mutant(name=f"{number:05d}-{parent.name}-{parent.form}.fits", data=data,
                     why=f"{parent.form}: {'; '.join(why)}")


def truncations() -> Iterator[Mutant]:
    """Every form cut at each block and one byte beside it; none of them is a whole file."""
    for parent in seeds():
        whole = _ends(parent)
        for block in range(0, len(parent.data), BLOCK):
            for at in (block - 1, block, block + 1):
                if 0 <= at < whole[-1][1] and not any(low <= at <= high for low, high in whole):
                    yield Mutant(name=f"{parent.name}-{parent.form}-{at}.fits",
                                 data=parent.data[:at], why=f"cut at {at}", must_fail=True)


def _ends(parent: Seed) -> list[tuple[int, int]]:
    """Where a file can end and be whole: from the end of an HDU's data to that of its padding.

    But not without an image. (first, last) of each, rising.
    """
    if parent.is_packed:
        return [(len(parent.data), len(parent.data))]
    ends: list[tuple[int, int]] = []
    with fits.open(io.BytesIO(parent.data), disable_image_compression=True) as hdus:
        for hdu in hdus:
            start = int(hdu.fileinfo()["datLoc"])
            if hdu.size:
                ends.append((start + int(hdu.size), start + -(-int(hdu.size) // BLOCK) * BLOCK))
    return ends


def gzip_flips(count: int, seed: int = 2) -> Iterator[Mutant]:
    """Single flipped bits of gzip files; those that change nothing in what is packed are left out.

    Such are the date in the head and what pads the last byte of the stream.
    """
    rng = np.random.default_rng(seed)
    packed = [parent for parent in seeds() if parent.is_packed]
    while count > 0:
        parent = packed[int(rng.integers(len(packed)))]
        bit = int(rng.integers(8 * len(parent.data)))
        data = bytearray(parent.data)
        data[bit // 8] ^= 1 << bit % 8
        if _unpacks_to(bytes(data)) == _unpacks_to(parent.data):
            continue
        count -= 1
        yield Mutant(name=f"{parent.name}-{bit}.fits.gz", data=bytes(data),
                     why=f"bit {bit} of its gzip flipped", must_fail=True)


def _unpacks_to(data: bytes) -> bytes | None:
    try:
        return gzip.decompress(data)
    except Exception:  # noqa: BLE001 - damaged streams raise half a dozen kinds of errors
        return None


def wrong_sums(count: int, seed: int = 3) -> Iterator[Mutant]:
    """Flipped bits of pixels under a DATASUM card."""
    rng = np.random.default_rng(seed)
    summed = [parent for parent in seeds() if parent.form == "checksum"]
    for number in range(count):
        parent = summed[int(rng.integers(len(summed)))]
        first = card_places(parent.data)[-1] // BLOCK * BLOCK + BLOCK
        at = int(rng.integers(first, first + 2 * _SIDE * _SIDE))
        data = bytearray(parent.data)
        data[at] ^= 1 << int(rng.integers(8))
        yield Mutant(name=f"{parent.name}-{number}.fits", data=bytes(data),
                     why=f"a bit of byte {at} under a DATASUM", must_fail=True)


def strangers() -> Iterator[Mutant]:
    """What is no frame at all, and what was made to do harm."""
    sound = seeds()[0].data
    tar, archive = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        entry = tarfile.TarInfo("frame.fits")
        entry.size = len(sound)
        file.addfile(entry, io.BytesIO(sound))
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("frame.fits", sound)
    made = {
        "empty": b"", "one-byte": b"S", "text": b"The camera is warm.\n" * 500,
        "page": b"<!DOCTYPE html><html>404</html>", "zeros": bytes(10 * BLOCK),
        "tar": tar.getvalue(), "zip": archive.getvalue(), "png": b"\x89PNG\r\n" + bytes(4000),
        "bomb": gzip.compress(bytes(64 << 20)), "bomb-of-bombs": gzip.compress(
            gzip.compress(bytes(64 << 20))), "packed-twice": gzip.compress(gzip.compress(sound)),
        "bomb-behind": sound + gzip.compress(bytes(32 << 20)),
        "no-end": b"SIMPLE  =" + b" " * (3 << 20), "gzip-head": b"\x1f\x8b",
        "gzip-of-nothing": gzip.compress(b""), "blanks": b" " * (4 * BLOCK),
        "many-members": gzip.compress(b"") * 50_000,
        "many-extensions": sound + _bytes(fits.PrimaryHDU(), fits.ImageHDU())[BLOCK:] * 5000,
    }
    for name, value in (("NAXIS", "999999999"), ("NAXIS1", "999999999"), ("NAXIS2", "-1"),
                        ("BITPIX", "-128"), ("BITPIX", "9" * 70)):
        at = _named(sound, name)[0]
        made[f"{name}-{value[:10]}"] = with_card(sound, at, name, value)
    table = next(parent.data for parent in seeds() if parent.form == "table")
    for name in ("TFIELDS", "PCOUNT", "GCOUNT"):
        made[f"{name}-999999999"] = with_card(table, _named(table, name)[0], name, "999999999")
    for name, data in made.items():
        yield Mutant(name=f"{name}.fits", data=data, why=name, must_fail=True)
