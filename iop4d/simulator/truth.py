"""What is true about a simulated frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class StarsInFrame:
    """Every star in a frame, brightest first: arrays (n,).

    ``x``, ``y``: 0-based, a pixel's centre is its integer; ``mag``: true, outside the atmosphere;
    ``names``: empty if not catalogued; ``saturated``: the converter clipped at its centre.
    """

    x: Floats
    y: Floats
    mag: Floats
    names: tuple[str, ...]
    saturated: Bools
    blended: Bools

    def __len__(self) -> int:
        return len(self.names)

    def to_json(self) -> dict[str, Any]:
        """Columns; names and marks by the star's number, since few have any."""
        return {
            "x": self.x.round(3).tolist(), "y": self.y.round(3).tolist(),
            "mag": self.mag.round(4).tolist(),
            "names": {str(i): name for i, name in enumerate(self.names) if name},
            "saturated": np.flatnonzero(self.saturated).tolist(),
            "blended": np.flatnonzero(self.blended).tolist(),
        }

    @classmethod
    def from_json(cls, columns: Mapping[str, Any]) -> StarsInFrame:
        """What ``to_json`` gave."""
        n = len(columns["x"])
        marks = {}
        for mark in ("saturated", "blended"):
            marks[mark] = np.zeros(n, dtype=np.bool_)
            marks[mark][columns[mark]] = True
        return cls(x=np.array(columns["x"]), y=np.array(columns["y"]),
                   mag=np.array(columns["mag"]),
                   names=tuple(columns["names"].get(str(i), "") for i in range(n)), **marks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The truth of a frame; bias and flat have no target, no WCS and no stars.

    ``target_mag``: of the mean flux over the exposure; ``wcs``: FITS keywords, CRPIX 1-based, CD in
    degrees a pixel, no distortion; ``fwhm_arcsec``: at the centre; ``sky_adu``: sky level above the
    bias, a pixel, at the centre; ``extinction_mag``: by clouds alone; ``zero_point_mag``: magnitude
    of a star that gives 1 ADU/s in this frame, through air and clouds.
    """

    name: str
    kind: str
    night: str
    band: str | None
    exptime_s: float
    jd_mid: float
    field: str | None = None
    density: str | None = None
    target_mag: float | None = None
    wcs: Mapping[str, float | str] | None = None
    fwhm_arcsec: float | None = None
    sky_adu: float | None = None
    airmass: float | None = None
    extinction_mag: float | None = None
    zero_point_mag: float | None = None
    stars: StarsInFrame | None = None

    @property
    def target(self) -> str | None:
        """The target's name in the catalogue, which its field shares."""
        return self.field

    def to_json(self) -> str:
        """One line."""
        plain = {key: value for key, value in vars(self).items() if key != "stars"}
        plain["target"] = self.field
        plain["wcs"] = None if self.wcs is None else dict(self.wcs)
        plain["stars"] = None if self.stars is None else self.stars.to_json()
        return json.dumps(plain)

    @classmethod
    def from_json(cls, line: str) -> Truth:
        """What ``to_json`` gave."""
        plain = json.loads(line)
        del plain["target"]
        if plain["stars"] is not None:
            plain["stars"] = StarsInFrame.from_json(plain["stars"])
        return cls(**plain)
