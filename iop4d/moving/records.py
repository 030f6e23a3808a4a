"""What an IOP4 site kept: rows of its SQLite database, or of a dump by Django's ``dumpdata``.

IOP4 (Escudero Pedrosa et al. 2024, AJ 168, 84) keeps models of Django. ``dumpdata iop4api`` writes
them as JSON or YAML, with ``--natural-foreign`` sources by their names instead of numbers. Files
are opened to be read alone; an IOP4 that runs beside is not disturbed.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iop4d.model.errors import Iop4dError

Row = Mapping[str, Any]
_WHOLE = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")
_SQLITE = b"SQLite format 3\x00"
_APP = "iop4api"


@dataclass(kw_only=True)
class Records:
    """Rows by column, as IOP4 names them.

    ``sources``: with ``calibrates``, names of sources. ``results``: with ``source`` (a name or
    None), ``telescope``, ``night`` (a date as text) and ``files``, names in order of time.
    """

    sources: list[Row] = field(default_factory=list)
    results: list[Row] = field(default_factory=list)


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read(path: Path) -> Records:
    """The records of a database or a dump; raises Iop4dError for a file that is neither."""
    rows = _of_database(path) if is_database(path) else _of_dump(path)
    if not rows.get("astrosource"):
        raise Iop4dError(f"{path} holds no catalogue of IOP4: expected its database (iop4.db), or "
                         "what its 'manage.py dumpdata iop4api' wrote as JSON or YAML")
    return _joined(rows)


_Tables = dict[str, list[dict[str, Any]]]


def _of_database(path: Path) -> _Tables:
    try:
        with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) as db:
            db.row_factory = sqlite3.Row
            db.text_factory = lambda data: data.decode("utf-8", "replace")
            there = {name.removeprefix(f"{_APP}_") for (name,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'")
                if name.startswith(f"{_APP}_")}
            return {table: [_plain(dict(row)) for row in db.execute(
                f'SELECT * FROM "{_APP}_{table}"')]  # noqa: S608 - a name of the list below
                for table in _WANTED if table in there}
    except sqlite3.Error as error:
        raise Iop4dError(f"{path} cannot be read as a database: {error}") from None


_WANTED = ("astrosource", "astrosource_calibrates", "epoch", "rawfit", "photopolresult",
           "photopolresultreducedfitrelation")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the names of a dump: ``epoch`` for ``epoch_id``."""
    return {name.removesuffix("_id") if name != "id" else "pk": value
            for name, value in row.items()}


def _of_dump(path: Path) -> _Tables:
    content = _parsed(path)
    if not isinstance(content, list) or not all(
            isinstance(item, dict) and isinstance(item.get("fields"), dict) for item in content):
        raise Iop4dError(f"{path} is no dump of IOP4: expected a list of models with their fields")
    tables: _Tables = {}
    for item in content:
        app, _, name = str(item.get("model", "")).partition(".")
        if app == _APP:
            tables.setdefault(name, []).append({"pk": item.get("pk"), **item["fields"]})
    return tables


def _parsed(path: Path) -> Any:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        # JSON is read as such, a thousand times faster; YAML without what would turn 01:02:03 into
        # a number of seconds.
        return json.loads(text) if text.lstrip()[:1] in "[{" \
            else yaml.load(text, _words(yaml))  # noqa: S506 - a safe loader
    except (ValueError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise Iop4dError(f"{path} is neither JSON nor YAML: {problem}") from None


def _words(yaml: Any) -> Any:
    """A safe loader that leaves dates, and numbers to the base of 60, as text."""
    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found
                if not tag.endswith((":timestamp", ":int"))]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _WHOLE, list("-+0123456789"))
    return Loader


def _joined(rows: _Tables) -> Records:
    sources = rows.get("astrosource", [])
    names = {_key(row["pk"]): text_of(row, "name") for row in sources if row["pk"] is not None}
    name_of = _name_by(names)
    served: dict[Any, list[str]] = {}
    for link in rows.get("astrosource_calibrates", []):
        served.setdefault(_key(link.get("from_astrosource")), []).append(
            name_of(link.get("to_astrosource")))
    nights = {_key(row["pk"]): row for row in rows.get("epoch", [])}
    files = {_key(row["pk"]): row for row in rows.get("rawfit", [])}
    used: dict[Any, list[Any]] = {}
    for link in rows.get("photopolresultreducedfitrelation", []):
        used.setdefault(_key(link.get("photopolresult")), []).append(_key(link.get("reducedfit")))
    return Records(
        sources=[{**row, "name": text_of(row, "name"), "calibrates": served.get(_key(row["pk"])) or
                  [name_of(one) for one in _list(row.get("calibrates"))]} for row in sources],
        results=[{**row, "source": name_of(row.get("astrosource")),
                  **_place(nights.get(_key(row.get("epoch")))),
                  "files": _in_time(files, used.get(_key(row["pk"]), ()))}
                 for row in rows.get("photopolresult", [])])


def text_of(row: Row, name: str) -> str:
    """A text of a row; empty where it is missing, or is none."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _key(value: Any) -> Any:
    """A number of a row; None for what is none, which belongs to nothing."""
    return value if isinstance(value, int | str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _name_by(names: Mapping[Any, str]) -> Callable[[Any], str]:
    """Of a number, or of the natural key that a dump has: a list of the name alone."""
    def name_of(key: Any) -> str:
        if isinstance(key, list):
            return str(key[0]) if key else ""
        return names.get(_key(key), "")

    return name_of


def _place(night: Row | None) -> dict[str, str]:
    return {name: text_of(night or {}, name) for name in ("telescope", "night")}


def _in_time(files: Mapping[Any, Row], keys: Iterable[Any]) -> tuple[str, ...]:
    found = [files[key] for key in keys if key in files and text_of(files[key], "filename")]
    return tuple(text_of(row, "filename") for row in sorted(
        found, key=lambda row: (number_of(row, "juliandate", 0.0), text_of(row, "filename"))))


def number_of(row: Row, name: str, none: float = math.nan) -> float:
    """A finite number of a row, also where it stands as text; else ``none``."""
    value = row.get(name)
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            if math.isfinite(number := float(value)):
                return number
    return none
