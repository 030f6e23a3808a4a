"""The cells of a table, as people read them: with links, marks of flags and states."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from flask import request
from markupsafe import Markup, escape

from iop4d.model import flags as quality
from iop4d.model.units import NOTHING, utc_of_jd, utc_of_unix
from iop4d.store.jobs import OF_A_FRAME, JobKind
from iop4d.store.tables import Column, Kind, Listing
from iop4d.web.context import parts
from iop4d.web.formats import jd, state

_LONGEST = 160  # characters of a text in a cell
#: Where the page of one row of each table is, where there is one.
_PAGES = {name: f"/{name}" for name in (
    "results", "frames", "masters", "groups", "nights", "summaries", "alerts")}
_OTHERS = {"frame_id": "frames", "reference_id": "frames", "group_id": "groups",
           "spectral_index_with": "results", "night": "nights", "alert_id": "alerts"}
#: Digits of numbers in the table, by their unit; files have more.
_DIGITS = {"mag": 3, "": 4, "arcsec": 2, "s": 1, "mJy": 3, "adu": 1, "pixel": 1}
_FLAGS = {str(flag.name).lower(): said for flag, said in quality.DESCRIPTIONS.items()}
#: Below this a level or scatter is that of a flat, which is about 1, or of few ADU.
_FLAT = 10.0
_STATES = ("state",)
#: What is read besides, for the cells of a table.
EXTRA = {"frames": ("preview_path", "changed_at", "node")}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a cell. ``look``: classes of it."""

    content: Markup
    label: str
    look: str = ""


def cells(listing: Listing, columns: tuple[Column, ...], row: dict[str, Any],
          also: dict[str, str]) -> list[Cell]:
    """The cells of a row. ``also``: other names of sources, which people use."""
    return [Cell(content=_content(listing, column, row, also), label=column.words,
                 look=_look(column, row[column.name])) for column in columns]


def _look(column: Column, value: Any) -> str:
    empty = " no" if value is None or value in ("", []) else ""
    if column.is_number and column.name not in ("id", "key"):
        return f"r num{' nowrap' if column.kind in (Kind.DAY, Kind.MOMENT) else ''}{empty}"
    if column.name == "reason" and not empty:
        return "reason"
    return f"{'nowrap' if column.kind in (Kind.SOURCE, Kind.NIGHT) else ''}{empty}".strip()


def _content(listing: Listing, column: Column, row: dict[str, Any],
             also: dict[str, str]) -> Markup:
    value = row[column.name]
    if value is None or value == "":
        return escape(NOTHING)
    text = _text(column, value)
    if column.name == listing.key:
        text = _picture(listing, row) + text
    address = _address(listing, column, row)
    found = Markup('<a href="{}">{}</a>').format(address, text) if address else text
    if column.kind is Kind.SOURCE and value in also:
        found += Markup(' <small class="quiet">{}</small>').format(also[value])
    return found


def _text(column: Column, value: Any) -> Markup:
    match column.kind:
        case Kind.DAY:
            return Markup('<span title="JD {}">{}</span>').format(jd(value), utc_of_jd(value))
        case Kind.MOMENT:
            found = escape(utc_of_unix(value) if value else NOTHING)
        case Kind.NUMBER:
            found = escape(_number(column, value))
        case Kind.FLAGS:
            found = Markup(" ").join(Markup('<span class="flag" title="{}">{}</span>').format(
                _FLAGS.get(name, "flagged by hand"), name.replace("_", " ")) for name in value)
        case Kind.YES_NO:
            found = state("provisional") if column.name == "provisional" and value \
                else escape("yes" if value else "no")
        case Kind.LIST:
            found = escape(_list(value))
        case Kind.CHOICE if column.name in _STATES:
            found = state(value)
        case _:
            found = _word(column, str(value))
    return found


def _word(column: Column, text: str) -> Markup:
    if column.name == "band":
        return Markup('<span class="band band-{}">{}</span>').format(text, text)
    if len(text) > _LONGEST:
        return Markup('<span title="{}">{}…</span>').format(text, text[:_LONGEST])
    if column.name in ("name", "path", "sha256", "key"):
        return Markup('<span class="file">{}</span>').format(text)
    return escape(text)


def _number(column: Column, value: float) -> str:
    digits = _DIGITS.get(column.unit, column.digits or 3)
    if column.unit == "deg":
        digits = 5 if (column.digits or 0) > 5 else 1
    if column.unit == "adu" and abs(value) < _FLAT:
        digits = 3
    return f"{column.rounded(value, digits):.{digits}f}"


def _list(value: Any) -> str:
    if isinstance(value, list):
        text = ", ".join(str(part) for part in value)
    elif isinstance(value, dict):
        text = ", ".join(
            f"{name} {part[0] if isinstance(part, list) and part else part}"
            for name, part in value.items())
    else:
        text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _picture(listing: Listing, row: dict[str, Any]) -> Markup:
    if (listing.name != "frames" or not row.get("preview_path")
            or row["node"] != parts().site.site.node):
        return Markup()
    return Markup('<img class="small" src="{}/frames/{}/thumbnail.jpg?v={}" alt="" width="40" '
                  'height="30" loading="lazy"> ').format(
        request.script_root, row["id"], f"{row['changed_at'] or 0:.3f}")


def _address(listing: Listing, column: Column, row: dict[str, Any]) -> str:
    """Where a cell leads, if anywhere."""
    value = row[column.name]
    if column.name == listing.key or (listing.name == "frames" and column.name == "name"):
        found = _page(listing.name, row[listing.key])
    elif column.kind is Kind.SOURCE and listing.name != "alerts":
        found = f"{request.script_root}/sources/{quote(str(value), safe='/+')}"
    elif column.name in _OTHERS:
        found = _page(_OTHERS[column.name], value)
    elif listing.name == "jobs" and column.name == "key":
        kinds = {kind.value: "frames" for kind in OF_A_FRAME} | {
            JobKind.MASTER.value: "masters", JobKind.POLARIMETRY.value: "groups"}
        found = _page(kinds.get(row.get("kind", ""), ""), value)
    else:
        found = ""
    return found


def _page(table: str, key: Any) -> str:
    pattern = _pattern(table, request.script_root)
    return pattern.format(quote(str(key), safe="")) if pattern else ""


@lru_cache(maxsize=64)
def _pattern(table: str, root: str) -> str:
    """The address of a row's page with a place for its key: to make each anew takes longer."""
    path = _PAGES.get(table, "")
    return f"{root}{path}/{{}}" if path else ""
