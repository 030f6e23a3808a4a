"""VOTable 1.4, for TOPCAT, Aladin and astropy, a part at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from iop4d.export.content import Content, Row, text_of
from iop4d.store.tables.columns import Column, Kind

_TYPES = {Kind.WHOLE: 'datatype="long"', Kind.NUMBER: 'datatype="double"',
          Kind.DAY: 'datatype="double"', Kind.MOMENT: 'datatype="double"',
          Kind.YES_NO: 'datatype="boolean"'}
_TEXT = 'datatype="unicodeChar" arraysize="*"'
#: Scales of time: of JD(UTC), of MJD(UTC), of BJD(TDB), and of Unix seconds.
_SYSTEMS = {
    "utc": 'timescale="UTC" refposition="TOPOCENTER" timeorigin="JD-origin"',
    "mjd": 'timescale="UTC" refposition="TOPOCENTER" timeorigin="MJD-origin"',
    "tdb": 'timescale="TDB" refposition="BARYCENTER" timeorigin="JD-origin"',
    "unix": 'timescale="UTC" refposition="TOPOCENTER" timeorigin="2440587.5"'}
#: Characters that XML has not.
_NONE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_votable(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    """The table with units, UCDs, descriptions, and the systems of its times and places."""
    systems = {name for column in content.columns if (name := _system(column))}
    head = ['<?xml version="1.0" encoding="UTF-8"?>',
            '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">',
            '<RESOURCE type="results">', f"<DESCRIPTION>{_text(content.about)}</DESCRIPTION>",
            f'<INFO name="citation" value={_value(content.citation)}/>']
    if content.made:
        head.append(f'<INFO name="made" value={_value(content.made)}/>')
    if "icrs" in systems:
        head.append('<COOSYS ID="icrs" system="ICRS"/>')
    head += [f'<TIMESYS ID="{name}" {said}/>' for name, said in _SYSTEMS.items()
             if name in systems]
    head += [f"<TABLE name={_value(content.name)}>",
             *(_field(column) for column in content.columns)]
    yield ("\n".join([*head, "<DATA><TABLEDATA>"]) + "\n").encode()
    for rows in parts:
        yield "".join(_row(content.columns, row) for row in rows).encode()
    yield b"</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"


def _field(column: Column) -> str:
    said = {"unit": column.unit, "ucd": column.ucd, "ref": _system(column)}
    more = "".join(f" {name}={_value(value)}" for name, value in said.items() if value)
    return (f"<FIELD name={_value(column.name)} {_TYPES.get(column.kind, _TEXT)}{more}>"
            f"<DESCRIPTION>{_text(column.says)}</DESCRIPTION></FIELD>")


def _system(column: Column) -> str:
    if column.kind is Kind.DAY:
        return "tdb" if column.name.startswith("bjd") else "utc"
    if column.name.startswith("mjd"):
        return "mjd"
    if column.kind is Kind.MOMENT:
        return "unix"
    return "icrs" if column.name in ("ra_deg", "dec_deg") else ""


def _row(columns: tuple[Column, ...], row: Row) -> str:
    cells = "".join(f"<TD>{_cell(column, row[column.name])}</TD>" for column in columns)
    return f"<TR>{cells}</TR>\n"


def _cell(column: Column, value: Any) -> str:
    if value is None and column.kind in (Kind.NUMBER, Kind.DAY, Kind.MOMENT):
        return "NaN"
    return _text(text_of(column, value))


def _text(text: str) -> str:
    return escape(_NONE.sub("?", text))


def _value(text: str) -> str:
    return quoteattr(_NONE.sub("?", text))
