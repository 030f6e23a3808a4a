"""How selections and rows are shown in notebooks; all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from iop4d.export.content import text_of
from iop4d.library.reader import Row
from iop4d.model.units import utc_of_jd, utc_of_unix
from iop4d.store.tables import Column, Kind

_LONGEST = 60  # characters of a cell


def html_of_rows(said: str, count: int, rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Some rows of a selection as a table; ``said``: what the selection is, ``count``: of all."""
    more = f", the first {len(rows)} of them" if count > len(rows) else ""
    head = "".join(f"<th title={_quoted(column.says)}>{escape(_name(column))}</th>"
                   for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{_cell(column, row[column.name])}</td>"
                                    for column in columns) + "</tr>" for row in rows)
    return (f"<div><p>{escape(said)}: {count}{more}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")


def html_of_row(said: str, values: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """One row as a table of its columns; those without a value are left out."""
    there = [column for column in columns if text_of(column, values.get(column.name))]
    body = "".join(f"<tr><th>{escape(column.name)}</th><td>{_cell(column, values[column.name])}"
                   f"</td><td>{escape(column.unit)}</td><td>{escape(column.says)}</td></tr>"
                   for column in there)
    return f"<div><p>{escape(said)}</p><table><tbody>{body}</tbody></table></div>"


def _name(column: Column) -> str:
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def _cell(column: Column, value: Any) -> str:
    text = text_of(column, value)
    if column.kind is Kind.NUMBER and value is not None and column.digits is not None:
        text = f"{value:.{column.digits}f}"
    moment = utc_of_jd(value) if column.kind is Kind.DAY and value is not None else \
        utc_of_unix(value) if column.kind is Kind.MOMENT and value is not None else ""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST - 1]}…"
    says = moment and f"{moment} {'TDB' if column.name.startswith('bjd') else 'UTC'}"
    return f"<span title={_quoted(says or text)}>{escape(short)}</span>"


def _quoted(text: str) -> str:
    return f'"{escape(text)}"'
