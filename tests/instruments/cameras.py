"""A camera that the site file describes, and how its frames are read."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from iop4d.config.load import parse_site
from iop4d.instruments.base import Instrument
from iop4d.instruments.camera import instrument_of
from iop4d.model.frame import FrameFacts

SECTION = """
[[camera]]
name = "Cam"
telescope = "T"
identify = { INSTRUME = "Cam" }
"""
#: What a plain camera program writes.
PLAIN: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 640, "NAXIS2": 480, "INSTRUME": "Cam", "DATE-OBS": "2024-03-14T21:30:00",
    "EXPTIME": 60.0, "FILTER": "R", "OBJECT": "M 67"}


def camera(*keys: str, scale: str = "pixel_scale = 1.0") -> Instrument:
    """The camera with more keys."""
    (section,) = parse_site("\n".join([SECTION, scale, *keys]), root=Path("/")).camera
    return instrument_of(section)


def read(cards: dict[str, Any], *keys: str, path: str = "x.fits", **more: str) -> FrameFacts:
    """How a frame is read whose cards differ by these from the plain ones; None: it lacks one."""
    full = {name: value for name, value in (PLAIN | cards).items() if value is not None}
    return camera(*keys, **more).facts_of(full, PurePath(path))
