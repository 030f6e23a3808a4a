"""The sums that a file holds of itself: DATASUM of its pixels, CHECKSUM of cards and pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iop4d.fits.check import Hdu

_ALL_ONES = 0xFFFFFFFF  # what an HDU with its CHECKSUM adds up to
UNDEFINED = "0" * 16  # a CHECKSUM that says nothing


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What the sums of an HDU say, in words, empty where they are right or missing.

    ``wrong_data``: its pixels do not agree with DATASUM; ``doubt``: that, or that they may not;
    ``changed``: its cards are others than those that were summed up, as after a program added some.
    """

    wrong_data: bool = False
    doubt: str = ""
    changed: str = ""


def checked_sums(data: memoryview, hdu: Hdu) -> Sums:
    """Compare the cards of an HDU with what they sum up (FITS standard 4.4.2.7).

    Costs nothing where the cards are missing. A CHECKSUM alone does not tell whether the pixels or
    the cards are others.
    """
    said = str(hdu.header.get("DATASUM", "")).strip()
    whole = str(hdu.header.get("CHECKSUM", "")).strip()
    has_whole = len(whole) == len(UNDEFINED) and whole != UNDEFINED
    if not said.isdigit() and not has_whole:
        return Sums()
    pixels = datasum(data[hdu.start:hdu.start + hdu.size])
    if said.isdigit() and pixels != int(said):
        return Sums(wrong_data=True, doubt="its pixels do not agree with its DATASUM card")
    if not has_whole or folded(pixels + datasum(data[hdu.first:hdu.start])) == _ALL_ONES:
        return Sums()
    if said.isdigit():
        return Sums(changed="its cards were changed after its CHECKSUM card was written")
    return Sums(doubt="its pixels or cards do not agree with its CHECKSUM card")


def datasum(data: memoryview | bytes) -> int:
    """The ones' complement sum of 32-bit words, zero-padded (FITS standard, appendix J)."""
    whole = len(data) // 4 * 4
    total = int(np.frombuffer(data[:whole], dtype=">u4").sum(dtype=np.uint64))
    return folded(total + int.from_bytes(bytes(data[whole:]).ljust(4, b"\0"), "big"))


def folded(total: int) -> int:
    """A sum with its carries added at its end."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def encoded(total: int) -> str:
    """The CHECKSUM of an HDU that adds up to ``total`` with its CHECKSUM undefined (appendix J)."""
    found = [""] * 16
    for place, byte in enumerate((~total & _ALL_ONES).to_bytes(4, "big")):
        four = [byte // 4 + byte % 4 + 48, *[byte // 4 + 48] * 3]
        while not all(chr(code).isalnum() for code in four):
            for pair in (0, 2):
                if not (chr(four[pair]).isalnum() and chr(four[pair + 1]).isalnum()):
                    four[pair] += 1
                    four[pair + 1] -= 1
        for row, code in enumerate(four):
            found[4 * row + place] = chr(code)
    return found[-1] + "".join(found[:-1])
