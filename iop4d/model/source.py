"""Sources of the catalogue: targets, calibrators and standards."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class SourceKind(StrEnum):
    """What a source is for."""

    TARGET = "target"
    CALIBRATOR = "calibrator"
    STANDARD = "standard"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of the catalogue.

    ``ra_deg``, ``dec_deg``: ICRS degrees. ``magnitudes``: band to (magnitude, error), error NaN if
    unknown. ``p`` is the degree of polarisation as a fraction, ``chi_deg`` east of north.
    ``calibrates``: names of the targets this star serves.
    """

    name: str
    ra_deg: float
    dec_deg: float
    kind: SourceKind
    other_names: tuple[str, ...] = ()
    calibrates: tuple[str, ...] = ()
    magnitudes: dict[str, tuple[float, float]] = field(default_factory=dict)
    p: float = float("nan")
    p_err: float = float("nan")
    chi_deg: float = float("nan")
    chi_err_deg: float = float("nan")
    redshift: float = float("nan")
    note: str = ""
    id: int = 0


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All sources at one moment; ``version`` rises with every change."""

    version: int
    sources: tuple[Source, ...]

    def named(self, name: str) -> Source | None:
        """The source of a name, its own or another, in any case and with or without spaces."""
        wanted = _plain(name)
        return next((s for s in self.sources if wanted and wanted in map(
            _plain, (s.name, *s.other_names))), None)

    def calibrators_of(self, target: str) -> tuple[Source, ...]:
        """The sources that calibrate a target, by the target's name."""
        return tuple(source for source in self.sources if target in source.calibrates)


def _plain(name: str) -> str:
    return "".join(name.casefold().replace("_", "").split())
