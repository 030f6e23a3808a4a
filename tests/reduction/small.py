"""A small camera and its sky, of which everything is known by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    MasterBuilt,
    MasterRef,
    MasterRequest,
    ReduceRequest,
)
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.workbench import Workbench
from iop4d.science.tan import Wcs

SHAPE = (256, 320)
TRUE = Wcs(ra0=120.0, dec0=30.0, x0=159.5, y0=127.5, cd=((-2.8e-4, 0.0), (0.0, 2.8e-4)))
ZERO_POINT = 22.0  # magnitude of a star of 1 ADU/s
BIAS, SKY, GAIN, EXPTIME = 300.0, 80.0, 2.0, 30.0
SITE = """
[astrometry]
index = []
[[camera]]
name = "Small"
telescope = "Test"
identify = { INSTRUME = "Small" }
pixel_scale = 1.008
gain = 2.0
saturation = 60000
kind_card = "IMAGETYP"
latitude = 37.06
longitude = -3.38
height = 2896
"""


@dataclass(frozen=True)
class Star:
    name: str
    x: float
    y: float
    mag: float
    kind: SourceKind = SourceKind.CALIBRATOR


TARGET = Star("Target", 150.3, 120.6, 14.0, SourceKind.TARGET)
CALIBRATORS = [Star("A", 60.2, 60.7, 13.5), Star("B", 250.4, 70.1, 13.0),
               Star("C", 80.8, 200.2, 14.2), Star("Bright", 240.1, 190.3, 8.5)]
OTHERS = [Star("", 25.0 + 45.0 * i, 25.0 + 14.0 * (i % 3), 14.5) for i in range(7)]
STARS = [TARGET, *CALIBRATORS, *OTHERS]


def expose(rng: np.random.Generator, light: np.ndarray | float) -> np.ndarray:
    electrons = rng.poisson(np.broadcast_to(light, SHAPE) * GAIN) + rng.normal(0.0, 8.0, SHAPE)
    return np.clip(np.rint(BIAS + electrons / GAIN), 0, 65535).astype(np.uint16)


def flat_field() -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    flat = 1.0 - 0.1 * (((columns - 160) / 160) ** 2 + ((rows - 128) / 128) ** 2)
    flat[50, 100] = 0.01
    return flat


#: A flat is 1 at its median, which makes all ADU those of the median pixel.
SEEN_SKY = SKY * float(np.median(flat_field()))


def write(path: Path, data: np.ndarray, kind: str, *, second: int, exptime: float) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update({
        "INSTRUME": "Small", "IMAGETYP": kind, "EXPTIME": exptime, "FILTER": "R",
        "DATE-OBS": f"2024-01-15T22:00:{second:02d}", "RA": 120.01, "DEC": 29.99,
        "OBJECT": "Target"})
    hdu.writeto(path)
    return path


class FakeSolver:
    """Knows where the field is, a little off, as a quad's solution is."""

    def __init__(self, *, finds: bool = True) -> None:
        self.finds = finds
        self.asked = 0

    def solve(self, *_: object) -> FakeSolver:
        self.asked += 1
        return self

    def has_match(self) -> bool:
        return self.finds

    def best_match(self) -> FakeSolver:
        return self

    @property
    def wcs_fields(self) -> dict[str, tuple[object, str]]:
        return {card: (value, "") for card, value in replace(TRUE, x0=160.1).cards().items()}

    @property
    def stars(self) -> list[object]:
        places = (TRUE.to_sky(s.x, s.y) for s in STARS)
        return [type("Star", (), {"ra_deg": float(ra), "dec_deg": float(dec)})
                for ra, dec in places]

    logodds = 50.0


def catalogue() -> Catalogue:
    sources = []
    for star in [TARGET, *CALIBRATORS, Star("Outside", 900.0, 10.0, 14.0)]:
        ra, dec = TRUE.to_sky(star.x, star.y)
        sources.append(Source(
            name=star.name, ra_deg=float(ra), dec_deg=float(dec), kind=star.kind,
            magnitudes={} if star is TARGET else {"R": (star.mag, 0.01)},
            calibrates=() if star is TARGET else ("Target",)))
    return Catalogue(version=1, sources=tuple(sources))


def facts_of(bench: Workbench, path: Path) -> FrameFacts:
    outcome = bench.perform(ClassifyRequest(path=path))
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Classified)
    return outcome.value.facts


def build(bench: Workbench, kind: FrameKind, inputs: list[Path], folder: Path,
          masters: tuple[MasterRef, ...] = ()) -> tuple[MasterRef, MasterBuilt]:
    outcome = bench.perform(MasterRequest(
        kind=kind, facts=facts_of(bench, inputs[0]), inputs=tuple(inputs), masters=masters,
        output=folder / f"{kind}.fits"))
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.value, MasterBuilt)
    return MasterRef(id=1, kind=kind, path=folder / f"{kind}.fits"), outcome.value


def reduce(bench: Workbench, path: Path, masters: tuple[MasterRef, ...],
           **paths: Path | None) -> object:
    return bench.perform(ReduceRequest(path=path, facts=facts_of(bench, path), masters=masters,
                                       **{"reduced_path": None, "preview_path": None, **paths}))
