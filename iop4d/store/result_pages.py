"""What the page of a result shows besides what it rests on: curves of growth, its calibrators'
past, and which settings are not the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iop4d.config import Site
from iop4d.store.database import Connection
from iop4d.store.provenance import settings_of
from iop4d.store.results import standing
from iop4d.store.schema import Measurement, Result

_USES = 500  # results of which a calibrator's part is shown


def growth(db: Connection, frame_id: int, source: str) -> dict[str, list[list[float]]]:
    """The curves of growth of a source on a frame, by beam: GrowthPoint's fields in order."""
    return {row.beam: row.growth for row in db.select(
        Measurement, Measurement.beam, Measurement.growth).where(
        (Measurement.frame == frame_id) & (Measurement.source == source)) if row.growth}


@dataclass(frozen=True, kw_only=True)
class Use:
    """A calibrator's part in one result."""

    result: int
    jd_mid: float
    night: str
    residual: float | None
    zero_point_err: float | None
    weight: float
    why_not: str


def uses_of(db: Connection, result: Result, star: str) -> list[Use]:
    """A calibrator's part in the newest results of a result's source, band and instrument.

    In order of time.
    """
    rows = standing(db, Result.id, Result.jd_mid, Result.night, Result.calibrators).where(
        (Result.source == result.source) & (Result.band == result.band)
        & (Result.instrument == result.instrument)).order_by(Result.jd_mid.desc()).limit(_USES)
    found = [Use(result=row.id, jd_mid=row.jd_mid, night=row.night, residual=use.get("residual"),
                 zero_point_err=use.get("zero_point_err"), weight=use.get("weight") or 0.0,
                 why_not=use.get("why_not") or "")
             for row in rows for use in row.calibrators if use["source"] == star]
    return found[::-1]


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A setting that is not its default: ``[section] key``, its value and the default."""

    key: str
    value: Any
    default: Any


def changed(settings: dict[str, Any], site: Site) -> list[Changed]:
    """Which of some settings, as ``provenance.settings_of`` has them, are not the defaults.

    Where index files lie is none: it stands in every site file.
    """
    default = settings_of(Site(root=site.root))
    found = []
    for section, values in settings.items():
        usual = default.get(section)
        if isinstance(values, dict) and isinstance(usual, dict):
            found += [Changed(key=f"[{section}] {key}", value=value, default=usual.get(key))
                      for key, value in values.items()
                      if value != usual.get(key) and (section, key) != ("astrometry", "index")]
        elif values != usual:
            found.append(Changed(key=f"[[{section}]]", value=values, default=usual))
    return found
