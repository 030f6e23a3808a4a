"""A source's newest points as columns, as JSON takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from iop4d.model.bands import band_order
from iop4d.model.flags import names
from iop4d.model.result import STACK
from iop4d.model.uncertainty import chi_text, mag_text, p_shown, p_text
from iop4d.model.units import NOTHING, unix_of_jd
from iop4d.store import sources
from iop4d.store.database import Connection
from iop4d.store.results import frame_ids
from iop4d.web import formats

#: The newest points of an answer.
LIMIT = 10_000

_NUMBERS = ("t", "jd", "mag", "mag_lo", "mag_hi", "mag_limit", "p_debiased", "p_lo", "p_hi",
            "p_limit", "chi", "chi_lo", "chi_hi", "fill")
_IDS = ("id", "frame_id")
_TEXTS = ("label", "plabel", "telescope", "flags", "frame")


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points as columns, by band. None where there is no number."""

    source: str
    bands: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    changed_at: float = 0.0
    total: int = 0

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        # Not by asdict, which copies every number.
        return {"source": self.source, "bands": self.bands, "changed_at": self.changed_at,
                "total": self.total}


def points(db: Connection, source: str, *, after: float | None = None,
           limit: int = LIMIT) -> Points:
    """The newest points of a source, or those changed at or after a time."""
    rows = sources.points(db, source, after=after, limit=limit)
    frames = frame_ids(db, [row.id for row in rows])
    bands: dict[str, dict[str, list[Any]]] = {}
    for row in rows:
        columns = bands.setdefault(row.band, {name: [] for name in (*_NUMBERS, *_IDS, *_TEXTS)})
        for name, value in _point(row, frames.get(row.id)).items():
            columns[name].append(value)
    return Points(
        source=source, total=len(rows), bands={b: bands[b] for b in sorted(bands, key=band_order)},
        changed_at=max((row.changed_at for row in rows), default=after or 0.0))


def _point(row: Any, frame_id: int | None) -> dict[str, Any]:
    """A point's columns. One that was withdrawn has no number: the page draws it no more."""
    if row.withdrawn:
        return (dict.fromkeys(_NUMBERS) | dict.fromkeys(_TEXTS, "")
                | {"id": row.id, "fill": 0.0, "frame_id": 0})
    # Bars are random errors, by which points differ; a number by itself has all of its error.
    # A polarisation that is a limit has no bar and no angle.
    p, limit = formats.percent(p_shown(row)), formats.percent(row.p_limit)
    p, chi = (p, row.chi_deg) if limit is None else (None, None)
    flags = [", ".join(name.replace("_", " ") for name in names(row.flags)) or "good"]
    flags += ["flagged by hand"] * bool(row.human_flags) + ["provisional"] * bool(row.provisional)
    return {
        "id": row.id, "t": unix_of_jd(row.jd_mid) * 1000, "jd": row.jd_mid, "mag": row.mag,
        **_bar("mag", row.mag, row.mag_err), "p_debiased": p,
        **_bar("p", p, formats.percent(row.p_err)), "p_limit": limit,
        "chi": chi, **_bar("chi", chi, row.chi_err_deg),
        # Hollow: flagged; pale: of provisional masters.
        "fill": 0.0 if row.flags or row.human_flags else 0.35 if row.provisional else 0.9,
        "label": mag_text(row),
        "plabel": NOTHING if row.p is None else f"p {p_text(row)} %, χ {chi_text(row)}°",
        "mag_limit": row.mag_limit if row.mag is None else None,
        "telescope": row.telescope, "flags": ", ".join(flags),
        "frame": f"{len(row.frames)} frames put together" if row.mode == STACK
        else ", ".join(row.frames),
        "frame_id": frame_id or 0,
    }


def _bar(name: str, value: float | None, error: float | None) -> dict[str, float | None]:
    """The ends of an error bar."""
    if value is None or error is None:
        return {f"{name}_lo": value, f"{name}_hi": value}
    return {f"{name}_lo": value - error, f"{name}_hi": value + error}
