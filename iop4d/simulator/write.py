"""Writes simulated frames as a camera program would, and bad files as the world does."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from iop4d.simulator.night import Night, SimulatedFrame


def as_fits(frame: SimulatedFrame) -> bytes:
    """A frame as the bytes of its FITS file: 16 bits, unsigned."""
    out = io.BytesIO()
    fits.PrimaryHDU(frame.data, frame.header).writeto(out)
    return out.getvalue()


def write_frame(frame: SimulatedFrame, folder: Path) -> Path:
    """Write a frame under its final name in one go, as the cameras do; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / frame.name
    path.write_bytes(as_fits(frame))
    return path


def write_night(night: Night, folder: Path, *, truth_path: Path | None = None,
                speed: float | None = None, is_over: Callable[[], bool] = lambda: False,
                wrote: Callable[[SimulatedFrame], None] = lambda _: None) -> int:
    """Write a night into ``folder/<yyyy-mm-dd>/``; how many frames were written.

    ``speed``: times faster than real that frames appear; None: as fast as they are made. Biases and
    flats, which are taken before the night, come without delay. ``truth_path``: a file that gets
    the truth of each light frame as a line of JSON.
    """
    place = folder / night.plan.night
    began: tuple[float, float] | None = None
    count = 0
    for frame in night.frames():
        if speed is not None and frame.truth is not None:
            began = began or (time.monotonic(), frame.at_s)
            due = began[0] + (frame.at_s - began[1]) / speed
            while time.monotonic() < due and not is_over():
                time.sleep(min(0.1, max(due - time.monotonic(), 0.0)))
        if is_over():
            break
        write_frame(frame, place)
        count += 1
        if truth_path is not None and frame.truth is not None:
            with truth_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(frame.truth.to_json()) + "\n")
        wrote(frame)
    return count


def bad_files(good: bytes, folder: Path) -> dict[str, str]:
    """Write bad files among good ones; name to what is wrong with each.

    ``good``: the bytes of a good light frame, from which most are made.
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

