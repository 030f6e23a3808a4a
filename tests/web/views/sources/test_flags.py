"""Flags from the pages: who may, what is said, and how it is undone without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import audit
from iop4d.store.database import Database
from iop4d.store.schema import Result
from iop4d.web.app import create_app
from tests.web.conftest import OURS, add_account, enter, execute

PAGE = "/sources/2200+420?period=30d"


def flags_of(site: Site, id_: int) -> list[str]:
    with Database(site.database, read_only=True).read() as db:
        return [mark["name"] for mark in db.by_id(Result, id_).human_flags]


def send(client: FlaskClient, **form: Any) -> Any:
    return client.post("/results/flags", headers=OURS, data={"back": PAGE} | form)


def test_a_form_flags_what_is_ticked_and_the_page_offers_to_undo_it(own: Site) -> None:
    client = create_app(own).test_client()
    enter(client)
    page = client.get("/sources/BL%20Lac?period=30d").text
    (first, second) = re.findall(r'name="result" value="(\d+)" aria', page)[:2]
    answer = send(client, result=[first, second], act="set", flag="trailed", note="a satellite")
    assert answer.status_code == 303
    assert answer.headers["Location"] == PAGE
    page = client.get(answer.headers["Location"]).text
    assert "2 results flagged &#39;trailed&#39;." in page
    assert page.count('title="flagged by hand by Ana: a satellite">trailed') == 2
    (at,) = re.findall(r'name="at" value="([\d.]+)"', page)
    assert "Undone: 2 results as before." in client.get(
        send(client, act="undo", at=at).headers["Location"]).text
    assert flags_of(own, int(first)) == flags_of(own, int(second)) == []
    with Database(own.database, read_only=True).read() as db:
        assert [(row.by, row.act) for row in audit.of_subject(db, f"result {first}")] == [
            ("Ana", "undo flag"), ("Ana", "flag")]


def test_scripts_get_json_and_every_selected_result_is_flagged(own: Site) -> None:
    client = create_app(own).test_client()
    enter(client)
    headers = OURS | {"Accept": "application/json"}
    answer = client.post("/results/flags", headers=headers, data={
        "result": "1", "more": "4,7", "act": "set", "flag": "clouds", "note": "thick"})
    assert answer.json["said"] == "3 results flagged 'clouds'."
    assert answer.json["at"] > 0
    answer = client.post("/results/flags", headers=headers, data={
        "result": ["1", "7"], "act": "clear", "flag": "clouds"})
    assert answer.json["said"] == "Flag removed from 2 results."
    assert (flags_of(own, 1), flags_of(own, 4), flags_of(own, 7)) == ([], ["clouds"], [])


@pytest.mark.parametrize(("form", "why"), [
    ({"act": "set", "flag": "bad", "note": "x"}, "Choose at least one"),
    ({"act": "set", "result": "1", "flag": "bad"}, "needs a reason"),
    ({"act": "set", "result": "1", "flag": " ", "note": "x"}, "needs a name"),
    ({"act": "set", "result": "99999", "flag": "bad", "note": "x"}, "There is no result 99999"),
    ({"act": "clear", "result": "1", "flag": "bad"}, "has no flag"),
    ({"act": "undo", "at": "1.0"}, "no such change of yours"),
    ({"act": "undo", "at": "x"}, "no such change of yours"),
    ({"act": "drop", "result": "1"}, "expected set")])
def test_what_cannot_be_done_is_said_and_changes_nothing(
        own: Site, form: dict[str, str], why: str) -> None:
    client = create_app(own).test_client()
    enter(client)
    answer = client.post("/results/flags", headers=OURS | {"Accept": "application/json"}, data=form)
    assert answer.status_code == 400
    assert why in answer.json["error"]
    assert flags_of(own, 1) == []


def test_what_is_said_of_a_flag_is_what_is_kept(own: Site) -> None:
    client = create_app(own).test_client()
    enter(client)
    answer = client.post("/results/flags", headers=OURS | {"Accept": "application/json"}, data={
        "act": "set", "result": "1", "flag": "ü" * 500, "note": "x"})
    assert answer.json["said"] == f"1 result flagged '{flags_of(own, 1)[0]}'."


def test_viewers_and_outsiders_flag_nothing(own: Site) -> None:
    client = create_app(own).test_client()
    assert send(client, result="1", act="set", flag="bad", note="x").status_code == 403
    add_account(own, "Vera")
    execute(own, "UPDATE \"user\" SET role = ? WHERE name = 'Vera'", Role.VIEWER.value)
    enter(client, name="Vera")
    assert send(client, result="1", act="set", flag="bad", note="x").status_code == 403
    assert flags_of(own, 1) == []
    assert "Set the flag" not in client.get("/sources/BL%20Lac").text
