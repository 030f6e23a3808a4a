"""A statement whose text is made once finds the same rows as a query that is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.store import frames, schema
from iop4d.store.database import Database
from iop4d.store.schema import Frame, FrameStars, Job
from iop4d.store.statement import Statement, same
from iop4d.store.table import read_rows

OF_BAND = Statement(lambda given: Frame.select().where(
    same(Frame.band, given("band")) & Frame.state.in_(["queued", "done"])
    & Frame.name.startswith("a")).order_by(Frame.id))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "iop4d.db")
    with found.write() as tx:
        for number, band in enumerate(("R", "V", None, "R")):
            frames.create(tx, 0.5, archive="x", path=f"/{number}", name=f"a{number}", size=1,
                          mtime_ns=2**40, completed_at=1.0, band=band, subframe=number == 3,
                          masters=[[1, 2]], info={"wcs": {"CD1_2": 0.1}} if number else {})
        tx.create(FrameStars, frame=1, stars=[[1.0, 2.0, 3.5]], field=[])
    yield found
    found.close()


@pytest.mark.parametrize(("band", "names"), [("R", ["a0", "a3"]), ("V", ["a1"]), (None, ["a2"]),
                                             ("I", [])])
def test_each_run_has_its_own_values_and_none_is_null(
        database: Database, band: str | None, names: list[str]) -> None:
    with database.read() as db:
        assert [row.name for row in db.found(OF_BAND, band=band, other="is not needed")] == names
        assert [row[5] for row in db.tuples(OF_BAND, band=band)] == names


def test_a_value_that_is_not_given_is_an_error(database: Database) -> None:
    with database.read() as db, pytest.raises(KeyError, match="band"):
        db.found(OF_BAND)


def test_rows_hold_what_those_of_a_new_query_hold(database: Database) -> None:
    with database.read() as db:
        for table in schema.TABLES:
            new = list(db.select(table))
            read = db.raw(table, table.select().sql()[0])
            assert [repr(row.__data__) for row in read] == [repr(row.__data__) for row in new]
            assert all(type(row) is table and not row.dirty_fields for row in read)
        assert [row.subframe for row in db.found(OF_BAND, band="R")] == [False, True]


def test_a_column_of_no_table_is_an_attribute_of_the_row() -> None:
    row, = read_rows(Frame, ("id", "said"), [(3, 7)])
    assert (row.id, row.said, row.__data__) == (3, 7, {"id": 3})


def test_a_row_that_is_set_says_what_it_holds_elsewhere(database: Database) -> None:
    with database.write() as tx:
        assert tx.set_and_ask(Frame, 2, "band", state="done", reason="so") == "V"
        assert tx.set_and_ask(Frame, 3, "band", state="done") is None
        assert tx.set_and_ask(Frame, 99, "band", state="done") is None
        assert [(row.state, row.reason) for row in tx.select(Frame).order_by(Frame.id)] == [
            ("queued", ""), ("done", "so"), ("done", ""), ("queued", "")]


def test_rows_are_found_by_any_number_of_values(database: Database) -> None:
    with database.read() as db:
        assert sorted(frames.by_ids(db, [4, 2, 99])) == [2, 4]
        assert frames.by_ids(db, []) == {}
        assert frames.by_ids(db, range(1, 100_000))[3].name == "a2"


def test_a_statement_that_writes_says_how_many_rows_it_wrote(database: Database) -> None:
    raised = Statement(lambda given: Job.update(priority=Job.priority + given("more")).where(
        Job.kind == given("kind")))
    with database.write() as tx:
        for key in (1, 2):
            tx.create(Job, kind="reduce", key=key, state="queued", priority=5, changed_at=0.0)
        assert tx.run(raised, more=3, kind="reduce") == 2
        assert tx.run(raised, more=3, kind="master") == 0
        assert {row.priority for row in tx.select(Job)} == {8}
