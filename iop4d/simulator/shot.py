"""What is to be exposed, as the observer types it: from it a camera makes name and header."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from iop4d.simulator.camera import Window

_EPOCH = 2440587.5  # JD of 1970-01-01T00:00 UTC


@dataclass(frozen=True, kw_only=True)
class Shot:
    """An exposure. ``kind``: BIAS, DARK, FLAT or LIGHT; ``object`` and ``number`` of a light.

    ``plate_deg``: position of the polaroid or the half-wave plate, None in photometry; ``window``:
    what is read of the CCD. ``flipped`` and ``fts``: habits of DIPOL's program, see NightPlan.
    """

    kind: str
    instrument: str
    jd_start: float
    exptime_s: float
    binning: int
    window: Window
    band: str = ""
    object: str = ""
    number: int = 1
    plate_deg: float | None = None
    pointing_deg: tuple[float, float] | None = None
    flipped: bool = False
    fts: bool = False


def iso(jd: float) -> str:
    """JD(UTC) as DATE-OBS has it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - _EPOCH)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def sexagesimal(value: float, *, sign: bool = False) -> str:
    """``22 02 43``, or with its sign ``+42 16 40``."""
    seconds = round(abs(value) * 3600)
    text = f"{seconds // 3600:02d} {seconds // 60 % 60:02d} {seconds % 60:02d}"
    return f"{'-' if value < 0 else '+'}{text}" if sign else text
