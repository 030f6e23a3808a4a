"""Flags by hand: set and removed on many results at once, kept with who and why, undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.model.errors import Iop4dError
from iop4d.store import audit, flagging
from iop4d.store.database import Database
from iop4d.store.results import find, take_changed_flags
from iop4d.store.schema import Event
from tests.web.curves.measured import database_of


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return database_of(tmp_path, {}, {}, {"band": "V"})


def names(database: Database) -> list[list[str]]:
    with database.read() as db:
        return [[mark["name"] for mark in row.human_flags] for id_ in (1, 2, 3)
                if (row := find(db, id_)) is not None]


def test_many_are_flagged_at_once_and_who_when_and_why_is_kept(database: Database) -> None:
    with database.write() as tx:
        assert flagging.set_flag(tx, [1, 3, 1], " clouds ", note="thick", by="Ana", now=5.0) == 2
        (row,) = audit.of_subject(tx, "result 3")
        assert (row.by, row.at, row.act, row.why, row.was) == ("Ana", 5.0, "flag", "thick", [])
        assert row.now == [{"name": "clouds", "note": "thick", "by": "Ana", "at": 5.0}]
        assert take_changed_flags(tx) == [1, 3], "the alerts look at them again"
        kinds = [event.content["band"] for event in tx.select(Event).where(Event.kind == "result")]
        assert sorted(kinds) == ["R", "V"], "pages hear once of each source and band"
    assert names(database) == [["clouds"], [], ["clouds"]]


def test_a_flag_is_removed_by_its_name_or_all_are(database: Database) -> None:
    with database.write() as tx:
        for name in ("clouds", "bad"):
            flagging.set_flag(tx, [1, 2], name, note="x", by="Ana", now=1.0)
        assert flagging.clear_flag(tx, [1, 2, 3], "bad", note="", by="Ben", now=2.0) == 2
        assert flagging.clear_flag(tx, [1], "", note="", by="Ben", now=3.0) == 1
        with pytest.raises(Iop4dError, match="result 1 has no flag 'bad'"):
            flagging.clear_flag(tx, [1], "bad", note="", by="Ben", now=4.0)
        with pytest.raises(Iop4dError, match="none of these results has a flag"):
            flagging.clear_flag(tx, [1, 3], "", note="", by="Ben", now=4.0)
    assert names(database) == [[], ["clouds"], []]


def test_undoing_brings_back_what_was_but_for_what_others_changed_since(
        database: Database) -> None:
    with database.write() as tx:
        flagging.set_flag(tx, [2], "bad", note="old", by="Ben", now=1.0)
        flagging.set_flag(tx, [1, 2, 3], "bad", note="new", by="Ana", now=2.0)
        flagging.set_flag(tx, [3], "trailed", note="", by="Ben", now=3.0)
        last = flagging.last_change(tx, "Ana", since=0.0)
        assert last is not None
        assert (last.results, last.name, last.why, last.is_set) == (3, "bad", "new", True)
        assert flagging.undo(tx, last.at, by="Ana", now=4.0) == (2, 1)
        found = find(tx, 2)
        assert found is not None
        assert found.human_flags[0]["note"] == "old"
        assert flagging.last_change(tx, "Ana", since=0.0) is None
        assert [row.act for row in audit.of_subject(tx, "result 1")] == ["undo flag", "flag"]
    assert names(database) == [[], ["bad"], ["bad", "trailed"]]


def test_a_change_that_was_undone_is_not_undone_again_over_another_person_s(
        database: Database) -> None:
    with database.write() as tx:
        flagging.set_flag(tx, [1], "bad", note="", by="Ben", now=1.0)
        flagging.clear_flag(tx, [1], "bad", note="", by="Ana", now=2.0)
        assert flagging.undo(tx, 2.0, by="Ana", now=3.0) == (1, 0)
        flagging.clear_flag(tx, [1], "bad", note="", by="Ben", now=4.0)
        assert flagging.undo(tx, 2.0, by="Ana", now=5.0) == (0, 1), "from a page left open"
    assert names(database)[0] == []


def test_nobody_undoes_the_change_of_somebody_else(database: Database) -> None:
    with database.write() as tx:
        flagging.set_flag(tx, [1], "bad", note="", by="Ana", now=2.0)
        with pytest.raises(Iop4dError, match="no such change of yours"):
            flagging.undo(tx, 2.0, by="Ben", now=3.0)
    assert names(database)[0] == ["bad"]


def test_what_cannot_be_flagged_changes_nothing(database: Database) -> None:
    for ids, name, why in (([1, 99], "bad", "no result 99"), ([1], "  ", "needs a name"),
                           (range(1, 20_000), "bad", "too many")):
        with pytest.raises(Iop4dError, match=why), database.write() as tx:
            flagging.set_flag(tx, list(ids), name, note="", by="Ana", now=1.0)
    assert names(database) == [[], [], []]
