"""The database: what keeps it from being used is one exception of the store."""

from __future__ import annotations

from pathlib import Path

import peewee as pw
import pysqlite3
import pytest

from iop4d.store.database import Database, StoreUnavailableError
from iop4d.store.schema import TABLES, Frame


def test_a_database_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="nothing has run") as caught:
        Database(tmp_path / "iop4d.db", read_only=True)
    assert caught.value.absent
    assert not (tmp_path / "iop4d.db").exists()


@pytest.mark.parametrize(("damage", "why", "absent"), [
    ("DROP TABLE frame", "being prepared", True), ("BEGIN EXCLUSIVE", "locked", False)])
def test_what_keeps_a_statement_from_being_carried_out_is_one_exception(
        damage: str, why: str, absent: bool, tmp_path: Path) -> None:
    Database(tmp_path / "iop4d.db").close()
    other = pysqlite3.connect(tmp_path / "iop4d.db", isolation_level=None)
    try:
        other.execute("PRAGMA journal_mode = delete")
        other.execute(damage)
        database = Database(tmp_path / "iop4d.db", read_only=True, busy_s=0.1)
        with pytest.raises(StoreUnavailableError, match=why) as caught, database.read() as db:
            list(db.select(Frame))
        assert caught.value.absent == absent
    finally:
        other.close()


def test_a_file_that_is_no_database_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "iop4d.db").write_bytes(b"not a database" * 1000)
    database = Database(tmp_path / "iop4d.db", read_only=True)
    with pytest.raises(StoreUnavailableError, match="cannot be read"), database.read() as db:
        list(db.select(Frame))


def test_no_table_is_bound_and_a_query_without_a_connection_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "iop4d.db")
    assert {table._meta.database for table in TABLES} == {None}
    with database.read() as db:
        assert not list(db.select(Frame))
        with pytest.raises(pw.InterfaceError, match="bound to a database"):
            list(Frame.select())
    database.close()
