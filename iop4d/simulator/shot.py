"""What is to be exposed, as the observer types it: from it a camera makes name and header."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.simulator.camera import Window


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
