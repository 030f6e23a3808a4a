"""The database: what keeps it from being used is one exception of the store."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import peewee as pw
import pysqlite3
import pytest

from iop4d.cli.endings import ending_of
from iop4d.config.store import place_of_url
from iop4d.store import sqlite
from iop4d.store.database import GROUP_READS, Database, StoreUnavailableError
from iop4d.store.lasting import Lasting
from iop4d.store.schema import SCHEMA_VERSION, TABLES, Frame, Meta, User, WebSession
from iop4d.store.sqlite import Sqlite
from tests.support.stores import held_by_another


@pytest.mark.sqlite
def test_a_database_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="nothing has run") as caught:
        Database(tmp_path / "iop4d.db", read_only=True)
    assert caught.value.absent
    assert not (tmp_path / "iop4d.db").exists()


@pytest.mark.sqlite
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


@pytest.mark.sqlite
def test_a_file_that_is_no_database_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "iop4d.db").write_bytes(b"not a database" * 1000)
    database = Database(tmp_path / "iop4d.db", read_only=True)
    with pytest.raises(StoreUnavailableError, match="is damaged") as found, \
            database.read() as db:
        list(db.select(Frame))
    assert "iop4d backup --list, iop4d restore" in str(found.value)


@pytest.mark.sqlite
def test_a_database_of_0_bytes_is_said_to_be_empty_with_how_to_restore_it(tmp_path: Path) -> None:
    (tmp_path / "iop4d.db").touch()
    database = Database(tmp_path / "iop4d.db", read_only=True)
    with pytest.raises(StoreUnavailableError, match=r"is empty \(0 bytes\)") as found, \
            database.read() as db:
        list(db.select(Frame))
    assert "iop4d backup --list, iop4d restore" in str(found.value)
    assert not found.value.absent
    with pytest.raises(StoreUnavailableError, match=r"is empty \(0 bytes\)"):
        database.check_schema()


@pytest.mark.sqlite
@pytest.mark.parametrize("damage", ["DROP TABLE frame", "ALTER TABLE frame DROP COLUMN archive"])
def test_a_database_of_an_older_version_is_not_said_to_be_being_prepared(
        damage: str, tmp_path: Path) -> None:
    """A page of a new version beside a daemon that was not started again yet."""
    Database(tmp_path / "iop4d.db").close()
    other = pysqlite3.connect(tmp_path / "iop4d.db", isolation_level=None)
    for (name,) in other.execute("SELECT name FROM sqlite_master WHERE tbl_name = 'frame' AND "
                                 "type = 'index' AND sql IS NOT NULL").fetchall():
        other.execute(f"DROP INDEX {name}")
    other.execute(damage)
    other.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    other.close()
    database = Database(tmp_path / "iop4d.db", read_only=True)
    with pytest.raises(StoreUnavailableError, match=r"an older iop4d .* start the daemon once") \
            as found, database.read() as db:
        list(db.select(Frame))
    assert not found.value.absent


@pytest.mark.sqlite
def test_a_full_disk_leaves_no_empty_file_of_a_new_database(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(kind: Sqlite) -> None:
        os.truncate(kind._path, 0)
        raise pw.OperationalError("database or disk is full")

    monkeypatch.setattr(Sqlite, "prepare", no_room)
    monkeypatch.setattr(sqlite, "_is_full", lambda _: True)
    (tmp_path / "old.db").touch()
    for name, stays in (("new.db", False), ("old.db", True)):
        with pytest.raises(StoreUnavailableError, match="the disk is full"):
            Database(tmp_path / name)
        assert (tmp_path / name).exists() == stays


def test_no_table_is_bound_and_a_query_without_a_connection_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "iop4d.db")
    assert {table._meta.database for table in TABLES} == {None}
    with database.read() as db:
        assert not list(db.select(Frame))
        with pytest.raises(pw.InterfaceError, match="bound to a database"):
            list(Frame.select())
    database.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account reaches, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "100% of a site?")
        folder.mkdir()
        Path(name).chmod(0o755)
        yield folder
        folder.chmod(0o755)


def as_another(folder: Path, call: Callable[[], object]) -> str:
    """What a call gives for an account that may read a folder alone, of a child process."""
    folder.chmod(0o555)
    for file in folder.iterdir():
        file.chmod(0o444)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "a fault"
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            said = str(call())
        except StoreUnavailableError as error:
            said = f"unavailable: {error}"
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said_by_child:
        said = said_by_child.read()
    os.waitpid(child, 0)
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)
    return said


@pytest.mark.sqlite
@pytest.mark.parametrize("daemon", ["stopped", "running", "killed"])
def test_an_account_that_may_not_write_reads(open_folder: Path, daemon: str) -> None:
    """SQLite wants to make files beside a database in WAL mode: it was refused."""
    path = open_folder / "iop4d.db"
    opened = Database(path)
    with opened.write() as tx:
        tx.create(Meta, key="x", value="as written")
    kept = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    contents = [file.read_bytes() for file in kept]
    if daemon != "running":
        opened.close()
    if daemon == "killed":
        for file, content in zip(kept, contents, strict=True):
            file.write_bytes(content)

    def read() -> object:
        with Database(path, read_only=True).read() as db:
            row = db.get(Meta, Meta.key == "x")
            return row.value if row else None

    def write() -> object:
        with Database(path).write() as tx:
            return tx.create(Meta, key="y", value="z")
    assert as_another(open_folder, read) == "as written"
    assert as_another(open_folder, write) == (
        "unavailable: the database cannot be written by this account")
    opened.close()


@pytest.mark.sqlite
@pytest.mark.parametrize(("options", "mode"), [({}, 0o600), ({"mode": GROUP_READS}, 0o640)])
def test_the_files_are_for_their_owner_alone_or_for_the_group(
        tmp_path: Path, options: dict[str, int], mode: int) -> None:
    path = tmp_path / "iop4d.db"
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    before = os.umask(0)
    try:
        database = Database(path, **options)
        assert [file.stat().st_mode & 0o777 for file in files] == [mode] * 3
        for file in files:
            file.chmod(0o666)
        again = Database(path, **options)
        assert [file.stat().st_mode & 0o777 for file in files] == [mode] * 3
        again.close()
        database.close()
    finally:
        os.umask(before)


@pytest.mark.sqlite
def test_the_umask_of_an_account_leaves_the_group_its_right(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Database(tmp_path / "iop4d.db", mode=GROUP_READS).close()
    finally:
        os.umask(before)
    assert (tmp_path / "iop4d.db").stat().st_mode & 0o777 == 0o640


@pytest.mark.sqlite
def test_what_is_at_rest_is_read_on_a_full_disk_too(
        open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has no room for the memory that it shares between processes."""
    path = open_folder / "iop4d.db"
    opened = Database(path)
    with opened.write() as tx:
        tx.create(Meta, key="x", value="as written")
    opened.close()
    full = type(shutil.disk_usage("/"))(1000, 1000, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with Database(path, read_only=True).read() as db:
        row = db.get(Meta, Meta.key == "x")
        assert row is not None
        assert row.value == "as written"
        assert not path.with_name("iop4d.db-shm").exists()
    with pytest.raises(StoreUnavailableError, match="the disk is full"), \
            Database(path, read_only=True).read():
        raise pw.OperationalError("disk I/O error")


def test_a_row_is_made_changed_and_read_as_by_statements_that_are_made_each_time(
        tmp_path: Path) -> None:
    """Columns in any order, each kind of value: text, number, JSON, truth, the row of another."""
    database = Database(tmp_path / "iop4d.db")
    common = {"archive": "a", "path": "/a/1", "size": 1, "mtime_ns": 1, "seen_at": 0.0,
              "completed_at": 0.0, "changed_at": 0.0}
    with database.write() as tx:
        frame = tx.create(Frame, name="1", state="done", **common)
        tx.insert(Frame, name="2", state="done", **common).execute()
        tx.update(Frame, masters=[[1, 2]], reason="why").where(Frame.name == "2").execute()
        tx.set_by_key(Frame, frame.id, masters=[[1, 2]], reason="why")
    with database.read() as db:
        fast, slow = db.by(Frame, "id", frame.id), db.get(Frame, Frame.name == "2")
        assert db.by(Frame, "name", "3") is None
        assert db.by_id(Frame, frame.id).masters == [[1, 2]]
    assert fast is not None
    assert slow is not None
    assert {**fast.__data__, "id": 0, "name": ""} == {**slow.__data__, "id": 0, "name": ""}
    with pytest.raises(KeyError), database.write() as tx:
        tx.set_by_key(Frame, frame.id, no_such_column=1)
    database.close()


def test_the_row_of_another_table_stands_for_its_key(tmp_path: Path) -> None:
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        users = [tx.create(User, name=name, password="x", made_at=0.0) for name in ("a", "b")]
        session = tx.create(WebSession, user=users[0], token="t", address="", ends_at=1.0)
        tx.set_by_key(WebSession, session.id, user=users[1], token="u")
    with database.read() as db:
        row = db.by_id(WebSession, session.id)
        assert (row.user_id, row.token, row.ends_at) == (users[1].id, "u", 1.0)
    database.close()


@pytest.mark.parametrize("gives_up", [False, True])
def test_another_program_that_writes_for_long_is_waited_for(
        gives_up: bool, tmp_path: Path) -> None:
    """A daemon that ended for it would be started again five times, and then no more."""
    place = place_of_url("", tmp_path)
    Database(place).close()
    lasting = Lasting(lambda: Database(place, busy_s=0.1))
    ends: list[object] = []

    def write() -> None:
        try:
            ends.append(lasting.write(lambda tx: tx.replace(Meta, key="n", value=1)))
        except StoreUnavailableError as error:
            ends.append(error.locked)
        lasting.close()

    writer = threading.Thread(target=write)
    with held_by_another(place):
        writer.start()
        for _ in range(3):
            _until(lambda: "locked by another program" in lasting.away)
            assert not ends
        if gives_up:
            lasting.end()
            writer.join(10.0)
    writer.join(10.0)
    assert ends == [True if gives_up else None]
    assert gives_up or lasting.away == ""


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_locked_database_has_an_exit_code_of_its_own() -> None:
    ending = ending_of(StoreUnavailableError("the database is locked", locked=True))
    assert ending is not None
    assert (ending.code, "try again" in ending.text) == (75, True)
