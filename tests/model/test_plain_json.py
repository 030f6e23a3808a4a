"""JSON without numbers that JSON has not."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from iop4d.model import plain_json
from iop4d.model.states import Role


@dataclass(frozen=True)
class _Point:
    mag: float
    name: str = "BL Lac"


def test_what_is_no_number_is_null_wherever_it_stands() -> None:
    value = {"mag": math.nan, "p": [math.inf, 1.5, (2, -math.inf)], 3: {"deep": [{"x": math.nan}]}}
    text = plain_json.dumps(value)
    assert json.loads(text, parse_constant=pytest.fail) == {
        "mag": None, "p": [None, 1.5, [2, None]], "3": {"deep": [{"x": None}]}}
    assert plain_json.dumps(value, separators=(",", ":")).startswith('{"mag":null,"p":[null,1.5,')


def test_what_json_has_is_written_as_json_writes_it() -> None:
    value = {"b": [1, 2.5, None, True, "é"], "a": {}}
    assert plain_json.dumps(value) == json.dumps(value)
    assert plain_json.dumps(value, indent=1, ensure_ascii=False) == json.dumps(
        value, indent=1, ensure_ascii=False)
    said = plain_json.dumps({"at": Path("x"), "n": math.nan}, default=str)
    assert said == '{"at": "x", "n": null}'


def test_objects_become_what_json_has() -> None:
    assert plain_json.plain([_Point(math.nan), Role.ADMIN, Path("a/b"), {1}]) == [
        {"mag": None, "name": "BL Lac"}, "admin", "a/b", [1]]


def test_many_rows_are_written_to_the_same_values_without_spaces() -> None:
    rows = [{"mag": 13.412, "n": 2**53 + 1, "flags": ["edge"], "é": None, 3: (True, 1e-300)},
            {"mag": math.nan, "at": -math.inf}]
    text = plain_json.fast(rows)
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(plain_json.dumps(rows))
    assert plain_json.fast([{"a": 1, "b": [1.5]}]) == '[{"a":1,"b":[1.5]}]'


@pytest.mark.parametrize("odd", [2**70, "\ud800"])
def test_values_that_the_fast_writer_has_not_are_written_all_the_same(odd: object) -> None:
    assert json.loads(plain_json.fast({"of": odd, "mag": math.nan})) == {"of": odd, "mag": None}
