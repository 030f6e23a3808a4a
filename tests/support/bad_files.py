"""Bad files among simulated frames, as the world makes them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits


def bad_files(good: bytes, folder: Path) -> dict[str, str]:
    """Write bad files among good ones; name to what is wrong with each.

    ``good``: the bytes of a good science frame, from which most are made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "truncated.fit": (good[:len(good) // 2], "cut in the middle of its pixels"),
        "header-cut.fit": (good[:1000], "cut in the middle of its header"),
        "empty.fit": (b"", "empty"),
        "text.fit": (b"The camera is warm.\n" * 200, "text"),
        "page.fits": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "a web page"),
        "no-kind.fit": (_without(good, "IMAGETYP"), "no IMAGETYP card"),
        "no-filter.fit": (_without(good, "FILTER"), "no FILTER card"),
        "no-time.fit": (_without(good, "JD", "DATE-OBS"), "no time"),
        "other-camera.fit": (_with(good, INSTRUME="Prototype 7"), "of an unknown instrument"),
        "absurd.fit": (_card(good, "NAXIS1", "999999999"), "claims a billion columns"),
        "negative.fit": (_card(good, "NAXIS2", "-5"), "claims -5 rows"),
        "flipped.fits.gz": (_flipped(gzip.compress(good[:200_000])), "a flipped bit in its gzip"),
        "static.fit": (_static(good), "nothing but noise: no star to solve"),
    }
    for name, (content, _) in made.items():
        (folder / name).write_bytes(content)
    return {name: what for name, (_, what) in made.items()}


def _change(good: bytes, change: Callable[[fits.PrimaryHDU], None]) -> bytes:
    with fits.open(io.BytesIO(good)) as hdus:
        hdu = fits.PrimaryHDU(hdus[0].data, hdus[0].header)
    change(hdu)
    out = io.BytesIO()
    hdu.writeto(out)
    return out.getvalue()


def _without(good: bytes, *cards: str) -> bytes:
    def change(hdu: fits.PrimaryHDU) -> None:
        for card in cards:
            del hdu.header[card]
    return _change(good, change)


def _with(good: bytes, **cards: str) -> bytes:
    return _change(good, lambda hdu: hdu.header.update(cards))


def _card(good: bytes, card: str, value: str) -> bytes:
    """Write a value into the raw header, which no library would."""
    at = good.index(f"{card:<8}=".encode())
    return good[:at] + f"{card:<8}= {value:>20}".encode().ljust(80) + good[at + 80:]


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1:]


def _static(good: bytes) -> bytes:
    def change(hdu: fits.PrimaryHDU) -> None:
        rng = np.random.default_rng(0)
        hdu.data = rng.normal(400.0, 10.0, hdu.data.shape).astype(np.uint16)
    return _change(good, change)

