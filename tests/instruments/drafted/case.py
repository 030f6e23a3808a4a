"""A camera as its frames describe it: their cards, and by hand what these say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from iop4d.fits.cards import BLOCK, CARD

#: What a frame says of which nothing is written down.
NOTHING: dict[str, Any] = {
    "kind": "science", "band": None, "object": "", "pointing": None, "binning": 1,
    "origin": (0, 0), "gain": None, "noise": None, "saturation": None, "trim": None,
    "overscan": None, "calibrated": (), "mosaic": "", "flipped": False}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A file: its name, its own cards, and its own facts."""

    name: str
    cards: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A camera: the cards and facts that its frames share, their size (x, y) in pixels, and what
    the drafted section has to say and must not say.

    ``facts``: ``scale``: arcsec per pixel as read out; ``place``: latitude, longitude and height;
    ``masters``: those that a science frame needs.
    """

    cards: str
    frames: tuple[Frame, ...]
    facts: Mapping[str, Any]
    says: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 100)
    extension: str = ""  # cards of an extension that holds the image, behind an empty primary HDU

    def write(self, folder: Path) -> list[Path]:
        """The frames as files."""
        paths = []
        for frame in self.frames:
            path = folder / frame.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._file(frame))
            paths.append(path)
        return paths

    def _file(self, frame: Frame) -> bytes:
        own = f"{self.cards}\n{frame.cards}"
        nx, ny = self.size
        axes = f"BITPIX  = 16\nNAXIS   = 2\nNAXIS1  = {nx}\nNAXIS2  = {ny}\n"
        zero = "BZERO   = 32768\nBSCALE  = 1\n"
        pixels = _pixels(nx, ny, frame.facts.get("kind", "science"))
        if self.extension:
            return b"".join([
                _header(f"SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0\nEXTEND  = T\n{own}"),
                _header(f"XTENSION= 'IMAGE   '\n{axes}PCOUNT  = 0\nGCOUNT  = 1\n{zero}"
                        f"{self.extension}"), pixels])
        return _header(f"SIMPLE  = T\n{axes}{zero}{own}") + pixels


def _header(cards: str) -> bytes:
    lines = [line for line in cards.splitlines() if line.strip()]
    raw = "".join(f"{line:<{CARD}.{CARD}}" for line in [*lines, "END"])
    return raw.ljust(-(-len(raw) // BLOCK) * BLOCK).encode("latin-1")


def _pixels(nx: int, ny: int, kind: str) -> bytes:
    """A sky with stars, or an even frame, as numbers of two bytes about BZERO 32768."""
    rng = np.random.default_rng(1)
    image = rng.normal({"bias": 300.0, "dark": 310.0, "flat": 20000.0}.get(kind, 1000.0), 5.0,
                       (ny, nx))
    if kind == "science":
        y, x = np.mgrid[:ny, :nx]
        for cx, cy, peak in zip(rng.uniform(10, nx - 10, 9), rng.uniform(10, ny - 10, 9),
                                np.geomspace(300.0, 20000.0, 9), strict=True):
            image += peak * np.exp(-((x - cx)**2 + (y - cy)**2) / 8.0)
    stored = (np.clip(image, 0, 65535) - 32768).astype(">i2").tobytes()
    return stored.ljust(-(-len(stored) // BLOCK) * BLOCK, b"\0")
