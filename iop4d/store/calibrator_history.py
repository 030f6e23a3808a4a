"""What a calibrator did to the zero points of a target through the nights."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.store.database import Connection
from iop4d.store.table import number_in

_NEWEST = 1000  # results of the target that are looked at

_SQL = f"""
SELECT r.id, r.jd_mid, r.night, r.instrument, r.band, json_extract(c.value, '$.source'),
       {number_in("c.value", "residual")}, {number_in("c.value", "zero_point_err")},
       {number_in("c.value", "weight")}, json_extract(c.value, '$.why_not')
FROM (SELECT * FROM result WHERE source = ? AND NOT withdrawn
      ORDER BY jd_mid DESC LIMIT ?) r, json_each(r.calibrators) c
{{where}} ORDER BY r.jd_mid
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, kw_only=True)
class Use:
    """A calibrator on one frame or group: its own zero point minus that of all (mag), with its
    error; ``why_not``: empty, or why it was left out."""

    result: int
    jd: float
    night: str
    instrument: str
    band: str
    source: str
    residual: float | None
    err: float | None
    weight: float | None
    why_not: str


def uses_of(db: Connection, target: str, star: str | None = None,
            newest: int = _NEWEST) -> list[Use]:
    """How the calibrators of a target, or one of them, did on its newest results, oldest first."""
    where, values = ("WHERE json_extract(c.value, '$.source') = ?", [star]) if star else ("", [])
    return [Use(result=id_, jd=jd, night=night, instrument=instrument, band=band, source=source,
                residual=residual, err=err, weight=weight, why_not=why_not or "")
            for id_, jd, night, instrument, band, source, residual, err, weight, why_not
            in db.rows(_SQL.format(where=where), target, newest, *values)]
