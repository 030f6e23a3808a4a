"""The list of sources: last values in all bands, where they stand on the sky, and how high tonight.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, request

from iop4d.config import Site
from iop4d.model.source import SourceKind, canonical
from iop4d.model.uncertainty import p_shown
from iop4d.store import catalogue
from iop4d.store.database import Connection
from iop4d.store.last_values import SourceRow, bands_of, source_rows
from iop4d.web import visibility
from iop4d.web.context import parts, reading, render
from iop4d.web.visibility import Night, Tonight

blueprint = Blueprint("source_list", __name__)

_NEVER = float("inf")
_KINDS = ("targets", "standards", "calibrators", "all")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of the list. ``tonight``: None without a place on the sky, or of the telescope."""

    row: SourceRow
    tags: tuple[str, ...]
    tonight: Tonight | None

    @property
    def name(self) -> str:
        """The source's name."""
        return self.row.name


@blueprint.get("/sources")
@reading
def source_list(db: Connection) -> str:
    """Every source, filtered and sorted as the address says."""
    site, now = parts().site, time.time()
    rows = source_rows(db, calibrators=_kind() in ("calibrators", "all"))
    tags = tags_of(site, rows)
    telescopes = visibility.telescopes_of(site)
    telescope = next((one for one in telescopes if one.name == request.args.get("from")),
                     next(iter(telescopes), None))
    night = visibility.tonight(telescope, now) if telescope else None
    lines = _lines([row for row in rows if _is_wanted(row, tags)], tags, night)
    bands, sort = bands_of(rows), _sort()
    lines.sort(key=_key(sort))
    return render(db, "sources.html", lines=lines, bands=bands, sort=sort, night=night,
                  telescopes=telescopes, kinds=_KINDS, kind=_kind(), total=len(rows),
                  all_tags=sorted({tag for found in tags.values() for tag in found}),
                  small=visibility.small, night_symbol=visibility.night_symbol,
                  sort_by=_sorted_by, choices=_choices(bands, night), wanted=request.args)


def tags_of(site: Site, rows: list[SourceRow]) -> dict[str, tuple[str, ...]]:
    """The tags of each source: those of the catalogue, and those of the site file."""
    owner = {canonical(name): row.name for row in rows if row.entry
             for name in (row.entry.name, *row.entry.other_names)}
    found = {row.name: list(row.entry.tags) if row.entry else [] for row in rows}
    for tag in site.tag:
        for name in tag.sources:
            mine = found.get(owner.get(canonical(name), ""), [])
            if tag.name not in mine:
                mine.append(tag.name)
    return {name: tuple(tags) for name, tags in found.items()}


def _kind() -> str:
    said = request.args.get("kind", "")
    return said if said in _KINDS else _KINDS[0]


def _is_wanted(row: SourceRow, tags: dict[str, tuple[str, ...]]) -> bool:
    kind = _kind()
    mine = row.entry.kind if row.entry else None
    if kind == "targets" and mine is not SourceKind.TARGET and not row.last:
        return False
    if kind == "standards" and mine is not SourceKind.STANDARD:
        return False
    if kind == "calibrators" and mine is not SourceKind.CALIBRATOR:
        return False
    tag = request.args.get("tag", "")
    if tag and tag not in tags[row.name]:
        return False
    text = request.args.get("q", "")
    if not (wanted := canonical(text)):
        return True
    names = (row.name, *(row.entry.other_names if row.entry else ()))
    return any(wanted in canonical(name) for name in names) or bool(
        row.entry and text.strip().casefold() in row.entry.note.casefold())


def _lines(rows: list[SourceRow], tags: dict[str, tuple[str, ...]],
           night: Night | None) -> list[Line]:
    placed = [row for row in rows if row.entry]
    found: tuple[Tonight, ...] = visibility.tracks(night, tuple(
        (row.entry.ra_deg, row.entry.dec_deg) for row in placed if row.entry)) if night else ()
    seen = {row.name: track for row, track in zip(placed, found, strict=False)}
    return [Line(row=row, tags=tags[row.name], tonight=seen.get(row.name)) for row in rows]


# Sorting.


def _sort() -> str:
    return request.args.get("sort", "")[:40]


def _sorted_by(column: str) -> str:
    """The address of the same list sorted by a column; by the same again: the other way."""
    turned = f"-{column}" if _sort() == column else column
    return "?" + urlencode({**request.args, "sort": turned})


def _choices(bands: list[str], night: Night | None) -> list[tuple[str, str]]:
    """By what a phone sorts, where the heads of columns are not shown."""
    return [("", "last observed"), ("name", "name"),
            *((f"mag_{band}", f"magnitude in {band}") for band in bands), ("-p", "polarisation"),
            ("ra", "right ascension"), *([("-hours", "hours tonight")] if night else [])]


def _key(sort: str) -> Callable[[Line], Any]:
    column, sign = sort.removeprefix("-"), -1.0 if sort.startswith("-") else 1.0

    def value(line: Line) -> float | None:
        row = line.row
        if column.startswith("mag_"):
            last = row.last.get(column.removeprefix("mag_"))
            return last.mag if last else None
        if column == "p":
            return p_shown(row.polarised) if row.polarised else None
        if column in ("ra", "dec"):
            return getattr(row.entry, f"{column}_deg") if row.entry else None
        if column in ("hours", "highest_deg"):
            return getattr(line.tonight, column) if line.tonight else None
        return None

    def key(line: Line) -> tuple[Any, ...]:
        name = line.name.casefold()
        if column == "name":
            # Letters have no negative; the list is turned by their codes, and the end of a name.
            return (0, (*(sign * ord(letter) for letter in name), 0))
        if not column or column == "last":
            jd = line.row.newest_jd
            first = _NEVER if jd is None else (jd if sort == "-last" else -jd)
            target = line.row.entry is not None and line.row.entry.kind is SourceKind.TARGET
            return (jd is None, not target and jd is None, first, name)
        found = value(line)
        return (found is None, sign * (found or 0.0), name)

    return key


def tonight_of(name: str, db: Connection) -> tuple[Night, Tonight] | None:
    """How a source of the catalogue stands tonight over the first telescope of the site."""
    entry = next((s for s in catalogue.load(db).sources if s.name == name), None)
    telescope = next(iter(visibility.telescopes_of(parts().site)), None)
    if entry is None or telescope is None:
        return None
    night = visibility.tonight(telescope, time.time())
    return night, visibility.tracks(night, ((entry.ra_deg, entry.dec_deg),))[0]
