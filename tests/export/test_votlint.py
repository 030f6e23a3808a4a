"""VOTables as votlint and fitsverify read them: of every listing, with and without values."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from iop4d.export.content import Content
from iop4d.export.forms import FORMS
from iop4d.store.tables import LISTINGS
from iop4d.store.tables.columns import Column, Kind
from tests.support import fitsverify
from tests.support.votlint import QUICK, complaints, needs_votlint

_VALUES: dict[Kind, Any] = {
    Kind.WHOLE: 3, Kind.NUMBER: -1.5e-9, Kind.DAY: 2461000.5, Kind.MOMENT: 1.5e9,
    Kind.YES_NO: True, Kind.FLAGS: ["edge", "said by a human, <so>"], Kind.LIST: ["a", "b"]}
_TEXT = "Ünäme of α & <b> \x07"


def write(path: Path, name: str, form: str, rows: list[dict[str, Any]]) -> Path:
    content = Content(name=name, columns=LISTINGS[name].columns, about="Of a <test> & more",
                      made="2026-11-28 00:00:00")
    path.write_bytes(b"".join(FORMS[form].write(content, iter([rows] if rows else []))))
    return path


def rows_of(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    return [{column.name: _VALUES.get(column.kind, _TEXT) for column in columns},
            {column.name: None for column in columns}]


@needs_votlint
@pytest.mark.parametrize("name", sorted(LISTINGS))
def test_votlint_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "t.vot", name, "votable", rows_of(LISTINGS[name].columns))
    assert complaints(path) == []


@needs_votlint
def test_votlint_has_nothing_to_say_of_a_table_without_rows(tmp_path: Path) -> None:
    assert complaints(write(tmp_path / "t.vot", "results", "votable", [])) == []


@needs_votlint
def test_votlint_does_complain(tmp_path: Path) -> None:
    path = write(tmp_path / "t.vot", "results", "votable", [])
    text = path.read_text(encoding="utf-8")
    for right, wrong in (('datatype="double"', 'datatype="real"'), ("<INFO ", "<INFORMATION "),
                         ('ref="utc"', 'ref="nothing"')):
        path.write_text(text.replace(right, wrong, 1), "utf-8")
        assert complaints(path), wrong


@fitsverify.needs_fitsverify
@pytest.mark.parametrize("name", sorted(LISTINGS))
def test_fitsverify_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    for rows in ([], rows_of(LISTINGS[name].columns)):
        path = write(tmp_path / "t.fits", name, "fits", rows)
        assert fitsverify.complaints(path) == []


@needs_votlint
@pytest.mark.parametrize("form", ["fits", "votable"])
def test_what_is_neither_yes_nor_no_is_empty_in_topcat(form: str, tmp_path: Path) -> None:
    """A file of FITS said no."""
    path = tmp_path / "t"
    content = Content(name="frames", about="", columns=tuple(
        LISTINGS["frames"].by_name[name] for name in ("id", "provisional")))
    rows = [{"id": id_, "provisional": said} for id_, said in enumerate([True, False, None])]
    path.write_bytes(b"".join(FORMS[form].write(content, iter([rows]))))
    said = subprocess.run(
        ["stilts", *QUICK, "tpipe", f"in={path}", f"ifmt={form}", "ofmt=csv"],
        capture_output=True, text=True, check=True, timeout=100)
    assert said.stdout.split() == ["id,provisional", "0,true", "1,false", "2,"]


@pytest.mark.parametrize("name", sorted(LISTINGS))
def test_every_column_has_a_description_and_a_ucd(name: str) -> None:
    assert [column.name for column in LISTINGS[name].columns
            if not column.says or not column.ucd] == []
