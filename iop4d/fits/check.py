"""The bounded check of a FITS file's structure, before any library sees it.

Large sizes in a damaged header make FITS libraries hang or allocate without end, and a truncated
file can pass as whole; this looks at every header, adds up the sizes, and compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.fits.cards import BLOCK, MAX_HEADER, Value, find_end, parse_cards
from iop4d.model.errors import FrameError

MAX_PIXELS = 500_000_000  # of one array
MAX_HDUS = 200
_BITPIX = (8, 16, 32, 64, -32, -64)  # FITS standard 4.4.1.1
_MAX_AXES = 9  # more than any image has; the standard allows 999
_MAX_FIELDS = 999  # FITS standard 7.2.1
_MAGIC = ((b"\x1f\x9d", "a file of Unix compress"), (b"PK\x03\x04", "a ZIP archive"),
          (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"),
          (b"%PDF", "a PDF document"), (b"BZh", "a bzip2 file"), (b"\xfd7zXZ", "an xz file"),
          (b"\x89HDF", "an HDF5 file"), (b"II*\x00", "a TIFF picture"),
          (b"MM\x00*", "a TIFF picture"))


@dataclass(frozen=True, kw_only=True)
class Hdu:
    """A header, which begins at byte ``first``, and where its data lie: ``start``, ``size`` in
    bytes, without padding."""

    header: dict[str, Value]
    first: int
    start: int
    size: int


def hdus_of(data: memoryview) -> tuple[Hdu, ...]:
    """Every HDU of a whole FITS file in memory; raises FrameError, saying what is wrong.

    The data must be complete. The padding of the last block may be missing, as a whole or in part,
    and zeros or blanks may follow; nothing else may.
    """
    check_beginning(data)
    hdus: list[Hdu] = []
    at = 0
    while at < len(data):
        if hdus and bytes(data[at:at + 8]) != b"XTENSION":
            if bytes(data[at:]).strip(b"\0 "):
                raise FrameError(f"has {len(data) - at} bytes after its end that are no FITS")
            break
        hdu = hdu_at(data, at, first=not hdus)
        hdus.append(hdu)
        at = _next(data, hdu)
        if len(hdus) > MAX_HDUS:
            raise FrameError(f"has more than {MAX_HDUS} extensions")
    return tuple(hdus)


def check_beginning(data: memoryview) -> None:
    """Raise FrameError, saying what it is, where a file does not begin as FITS."""
    head = bytes(data[:512])
    if not head:
        raise FrameError("is empty")
    if head[:9] == b"SIMPLE  =":
        return
    for magic, name in _MAGIC:
        if head.startswith(magic):
            raise FrameError(f"is {name}, not FITS")
    if bytes(data[257:262]) == b"ustar":
        raise FrameError("is a tar archive, not FITS")
    if not any(head):
        raise FrameError("holds nothing but zeros, not FITS")
    text = head[:60].decode("utf-8", "replace").strip()
    if b"\x00" not in head and sum(c.isprintable() or c.isspace() for c in text) > 0.9 * len(text):
        raise FrameError(f"is text, not FITS: begins with {' '.join(text[:40].split())!r}")
    raise FrameError("is not FITS: the first card is not SIMPLE")


def hdu_at(data: memoryview, at: int, *, first: bool) -> Hdu:
    """The HDU whose header begins at a byte; its data need not be there."""
    end = find_end(data, at)
    if end is None:
        if len(data) - at >= MAX_HEADER:
            raise FrameError(f"header has no END card within {MAX_HEADER // 1024} KiB")
        raise FrameError(f"is truncated within its header: {len(data)} bytes and no END card")
    header = parse_cards(bytes(data[at:end]))
    if first and header.get("SIMPLE") is not True:
        raise FrameError("header says that it is not standard FITS (SIMPLE is not T)")
    start = at + -(-(end + 80 - at) // BLOCK) * BLOCK
    if start > len(data):
        raise FrameError(f"is truncated: {len(data)} of at least {start} bytes")
    return Hdu(header=header, first=at, start=start, size=_data_size(header, first=first))


def _next(data: memoryview, hdu: Hdu) -> int:
    """Offset behind an HDU's padding; raises FrameError when the file ends before it should."""
    end = hdu.start + hdu.size
    padded = hdu.start + -(-hdu.size // BLOCK) * BLOCK
    if len(data) < end:
        raise FrameError(f"is truncated: {len(data)} of {padded} bytes")
    return padded


def _data_size(header: dict[str, Value], *, first: bool) -> int:
    """Bytes of an HDU's data, by FITS standard 4.4.1.1 and 7.1.1."""
    bitpix = _whole(header, "BITPIX")
    if bitpix not in _BITPIX:
        raise FrameError(f"header says BITPIX = {bitpix}, which no FITS file has")
    naxis = _whole(header, "NAXIS")
    if not 0 <= naxis <= _MAX_AXES:
        raise FrameError(f"header claims {naxis} axes, more than {_MAX_AXES}")
    axes = [_whole(header, f"NAXIS{number}") for number in range(1, naxis + 1)]
    if any(length < 0 for length in axes):
        raise FrameError(f"header claims a negative length: {_by(axes)} pixels")
    pixels = 1 if axes else 0
    for length in axes:
        pixels *= length
    heap = 0 if first else _whole(header, "PCOUNT", default=0)
    groups = 1 if first else _whole(header, "GCOUNT", default=1)
    if pixels > MAX_PIXELS or not 0 <= heap <= 8 * MAX_PIXELS or groups != 1:
        raise FrameError(f"header claims {_by(axes)} pixels and {heap} bytes more, "
                         f"over the limit of {MAX_PIXELS}")
    if first and header.get("GROUPS") is True:
        raise FrameError("holds random groups, not an image")
    if not 0 <= _whole(header, "TFIELDS", default=0) <= _MAX_FIELDS:
        raise FrameError(f"header claims {header['TFIELDS']} table columns")
    return abs(bitpix) // 8 * (pixels + heap)


def _whole(header: dict[str, Value], card: str, *, default: int | None = None) -> int:
    value = header.get(card, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FrameError(f"header has no {card}" if value is None
                         else f"header says {card} = {value!r}, not a whole number")
    return value


def _by(axes: list[int]) -> str:
    return " x ".join(map(str, axes)) or "no"
