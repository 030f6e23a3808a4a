"""A simulated frame: its header and pixels, what is true about it, and the file that it becomes."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class StarTruth:
    """The stars of a frame, brightest first: 0-based pixel centres, magnitudes, names.

    Where stars have two images ``x``, ``y`` are of the extraordinary one, ``ordinary_x``,
    ``ordinary_y`` of the ordinary one, and one of them may lie outside; ``saturated``: either is.
    ``q``, ``u``: on the sky, fractions. The last four are empty where they do not apply.
    """

    x: list[float]
    y: list[float]
    mag: list[float]
    name: list[str]
    saturated: list[bool]
    ordinary_x: list[float] = field(default_factory=list)
    ordinary_y: list[float] = field(default_factory=list)
    q: list[float] = field(default_factory=list)
    u: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true about a science frame; ``target_mag`` is the mean over the exposure.

    ``wcs`` is of the extraordinary image where there are two. Pixels are those of the frame as the
    camera saw it: the rows of a flipped file are to be reversed first. ``p``, ``q``, ``u``
    (fractions) and ``chi_deg`` (east of north, in [0, 180)) are the target's on the sky, None
    through no analyser; ``group`` counts from 1, 0 is none. ``pair_offset``: ordinary minus
    extraordinary, pixels as read out; ``origin``: (x, y) of the first pixel on the CCD;
    ``transparency``: factor in all fluxes.
    """

    name: str
    source: str
    band: str
    exptime_s: float
    jd_mid: float
    target_mag: float
    wcs: dict[str, float]  # FITS keywords, 1-based CRPIX
    fwhm_arcsec: float
    sky_adu: float
    extinction_mag: float
    airmass: float
    density: str
    stars: StarTruth
    instrument: str = "AndorT90"
    mode: str = "photometry"
    polariser_deg: float | None = None
    group: int = 0
    p: float | None = None
    chi_deg: float | None = None
    q: float | None = None
    u: float | None = None
    pair_offset: tuple[float, float] | None = None
    origin: tuple[int, int] = (0, 0)
    transparency: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SimulatedFrame:
    """A raw frame; ``at_s``: seconds from the night's first frame at which it is complete."""

    name: str
    kind: str
    header: fits.Header
    data: NDArray[np.uint16]
    at_s: float
    truth: Truth | None = None


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
