"""What is written and read without peewee, for its time, is what peewee would write and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import peewee as pw
import pytest

from iop4d.model.states import FrameState
from iop4d.store.schema import TABLES, Frame, Measurement, Result
from iop4d.store.table import Table, as_json, db_values

Select = Callable[[type[Table]], Any]


def plain(table: type[Table]) -> pw.ModelSelect:
    return pw.ModelSelect(table, table._meta.sorted_fields, is_default=True)


@pytest.mark.parametrize("table", TABLES)
def test_of_each_table(table: type[Table]) -> None:
    first = table._meta.sorted_fields[0]
    assert table.select().where(first == 1).sql() == plain(table).where(first == 1).sql()


@pytest.mark.parametrize("refined", [
    lambda select: select(Frame).join(Measurement).where(Measurement.source == "BL Lac"),
    lambda select: select(Result).where(Result.id.in_(select(Frame).where(Frame.id > 3))),
    lambda select: select(Result).where(pw.fn.EXISTS(select(Frame).where(Frame.id == Result.id))),
    lambda select: select(Result).where(Result.id > 1) | select(Result).where(Result.id < 9),
    lambda select: select(Frame).order_by(Frame.night.desc()).limit(3).offset(2).distinct(),
])
def test_joined_nested_and_united(refined: Callable[[Select], Any]) -> None:
    assert refined(lambda table: table.select()).sql() == refined(plain).sql()


@pytest.mark.parametrize("value", [
    {"a": [1, 2.5, -0.0, 1e-7, 1e22, 0.1 + 0.2, None, True]}, (1, ("x", 2)), "BL Lac", 2**70,
    {3: "a number"}, {"name": "é \U0001f52d"}, 'a "\\u0000" and \\', [[]], FrameState.DONE,
])
def test_json_says_what_the_standard_library_says(value: object) -> None:
    text = as_json(value)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert text.isascii()
    assert ": " not in text.replace('"a ', "")


@pytest.mark.parametrize(("value", "read"), [
    ([float("nan"), float("inf"), 1.5], [None, None, 1.5]), ("a\0b", "a\ufffdb"),
    ({"x\udcff": "\udcff"}, {"x\ufffd": "\ufffd"})])
def test_json_holds_nothing_that_a_server_does_not_read(value: object, read: object) -> None:
    assert json.loads(as_json(value), parse_constant=pytest.fail) == read


@pytest.mark.parametrize(("column", "value"), [
    ("size", 3), ("size", True), ("size", "7"), ("jd_start", 2), ("jd_start", 2.5),
    ("jd_start", "2.5"), ("band", "R"), ("band", 5), ("state", FrameState.DONE), ("flipped", True),
    ("flipped", 1), ("info", {"a": 1}), ("band", None), ("info", None)])
def test_values_become_what_their_fields_make_of_them(column: str, value: object) -> None:
    made, = db_values(Frame, {column: value})
    expected = Frame._meta.fields[column].db_value(value)
    assert (made, type(made)) == (expected, type(expected))


def test_a_key_of_another_table_is_a_number() -> None:
    assert db_values(Measurement, {"frame": "3", "source": "a"}) == [3, "a"]
