"""CSV, and ECSV with units, descriptions and how to cite in its header."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from iop4d.export.content import Content, Row, text_of
from iop4d.store.tables.columns import Column, Kind

#: Where astropy, as Python, ends a line too: one row would be two.
_ODD_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
_TYPES = {Kind.WHOLE: "int64", Kind.NUMBER: "float64", Kind.DAY: "float64",
          Kind.MOMENT: "float64", Kind.YES_NO: "bool"}


def as_csv(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    """Plain CSV: empty where there is none. Comments, which begin with #, say what is in it."""
    head = ""
    if content.comments:
        lines = [*content.lines, *(f"{column.name}{_unit(column)}: {column.says}"
                                   for column in content.columns)]
        head = "".join(f"# {_one_line(line)}\n" for line in lines)
    yield (head + _lines([[column.name for column in content.columns]])).encode()
    for rows in parts:
        yield _lines([[_csv(text_of(column, row[column.name])) for column in content.columns]
                      for row in rows]).encode()


def as_ecsv(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    """Enhanced CSV (APE 6), for astropy: NaN where there is no number."""
    head = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for column in content.columns:
        said = {"name": column.name, "unit": column.unit,
                "datatype": _TYPES.get(column.kind, "string"), "description": column.says}
        meta = {"meta": {"ucd": column.ucd}} if column.ucd else {}
        # JSON is YAML.
        head.append("- " + json.dumps({n: v for n, v in said.items() if v} | meta))
    head += ["meta: " + json.dumps({"name": content.name, "comments": content.lines}),
             "schema: astropy-2.0"]
    yield ("".join(f"# {line}\n" for line in head)
           + _lines([[column.name for column in content.columns]])).encode()
    for rows in parts:
        yield _lines([[_ecsv(column, row[column.name]) for column in content.columns]
                      for row in rows]).encode()


def _csv(text: str) -> str:
    """A cell, whose ends of lines are those that CSV has."""
    return text if text.isprintable() else _ODD_ENDS.sub(" ", text)


def _ecsv(column: Column, value: Any) -> str:
    if value is None and _TYPES.get(column.kind) == "float64":
        return "nan"
    if column.kind is Kind.YES_NO and value is not None:
        return "True" if value else "False"
    # A line of the table is a line of the file.
    return _one_line(text_of(column, value))


def _lines(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _unit(column: Column) -> str:
    return f" [{column.unit}]" if column.unit else ""


def _one_line(text: str) -> str:
    """A text without any character at which a reader may end a line, such as a form feed."""
    return text if text.isprintable() else " ".join(text.splitlines())
