"""The SELECT of whole rows, whose columns stand in a text, is the one that peewee writes itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peewee as pw
import pytest

from iop4d.store.schema import TABLES, Frame, Measurement, Result
from iop4d.store.table import Table

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
