"""A PostgreSQL server that goes away, at any moment, and comes back."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import peewee as pw
import psycopg
import pytest

from iop4d.config.load import parse_site
from iop4d.config.store import ServerPlace, place_of_url
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store import tonight
from iop4d.store.database import Database, StoreUnavailableError, Transaction, is_there
from iop4d.store.lasting import Lasting
from iop4d.store.schema import Event, Frame, Meta
from tests.support.postgresql import PostgresServer, programs
from tests.support.real_servers import is_required

pytestmark = pytest.mark.skipif(programs() is None and not is_required(),
                                reason="no PostgreSQL server is installed")


@pytest.fixture
def database(place: ServerPlace) -> Iterator[Database]:
    made = Database(place)
    yield made
    made.close()


def _note(tx: Transaction, calls: list[str]) -> int:
    calls.append(tx.mark)
    return int(tx.create(Event, at=1.0, kind="test", content={"n": len(calls)}).id)


def _events(database: Database) -> int:
    with database.read() as db:
        return int(db.rows("SELECT count(*) FROM event")[0][0])


def _end_connection(server: PostgresServer, tx: Transaction) -> None:
    """The server ends the connection of a transaction, as when it restarts."""
    ((pid,),) = tx.rows("SELECT pg_backend_pid()")
    with psycopg.connect(server.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        time.sleep(0.1)


def test_what_was_under_way_when_the_connection_was_lost_is_done_once(
        database: Database, server: PostgresServer) -> None:
    calls: list[str] = []

    def act(tx: Transaction) -> int:
        made = _note(tx, calls)
        if len(calls) == 1:
            _end_connection(server, tx)
        return made

    Lasting(lambda: database).write(act)
    assert len(calls) == 2
    assert _events(database) == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_without_an_answer_is_asked_for(
        database: Database, server: PostgresServer, committed: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks while the commit is under way: it may have been done, or not."""
    calls: list[str] = []
    commit = database.db.commit

    def breaks(*_: Any) -> None:
        monkeypatch.undo()
        if committed:
            commit()
        database.db.connection().close()
        raise pw.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(database.db, "commit", breaks)
    answer = Lasting(lambda: database).write(lambda tx: _note(tx, calls))
    assert len(calls) == (1 if committed else 2)
    assert _events(database) == 1
    with database.read() as db:
        assert db.by_id(Event, answer).content == {"n": len(calls)}


def test_a_killed_server_is_waited_for_and_loses_nothing(
        database: Database, server: PostgresServer) -> None:
    calls: list[str] = []
    lasting = Lasting(lambda: database)
    lasting.write(lambda tx: _note(tx, calls))
    server.kill()
    back = threading.Timer(0.7, server.start)
    back.start()
    lasting.write(lambda tx: _note(tx, calls))
    back.join()
    assert lasting.away == ""
    assert _events(database) == 2


def test_two_daemons_on_one_database_are_refused(place: ServerPlace,
                                                 server: PostgresServer) -> None:
    """Until the first one ends; and one whose server was restarted has its claim again."""
    first, second = (Lasting(lambda: Database(place)) for _ in range(2))
    first.claim()
    with pytest.raises(Iop4dError, match="another daemon works on this database"):
        second.claim()
    server.kill()
    server.start()
    first.read(lambda db: db.rows("SELECT 1"))
    with pytest.raises(Iop4dError, match="another daemon works on this database"):
        second.claim()
    first.close()
    second.claim()
    second.close()


def test_who_stops_waits_no_more(database: Database, server: PostgresServer) -> None:
    lasting = Lasting(lambda: database)
    lasting.read(lambda db: db.rows("SELECT 1"))
    server.kill()
    try:
        threading.Timer(0.5, lasting.end).start()
        with pytest.raises(StoreUnavailableError, match="the database server is away"):
            lasting.read(lambda db: db.rows("SELECT 1"))
    finally:
        server.start()


def test_one_writes_at_a_time_and_who_waits_too_long_is_refused(place: ServerPlace,
                                                            database: Database) -> None:
    other = Database(place, busy_s=0.2)
    with database.write() as tx:
        tx.replace(Meta, key="n", value=1)
        with pytest.raises(StoreUnavailableError, match="locked by another program"), \
                other.write():
            pass
    with other.write() as tx:
        assert tx.by_id(Meta, "n").value == 1
    other.close()


def test_who_only_reads_cannot_write(place: ServerPlace, database: Database) -> None:
    reader = Database(place, read_only=True)
    with pytest.raises(StoreUnavailableError, match="cannot be written by this account"), \
            reader.write() as tx:
        tx.replace(Meta, key="n", value=1)
    reader.close()


def test_a_reader_signs_in_as_its_own_role(place: ServerPlace, server: PostgresServer,
                                           database: Database) -> None:
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS looks")
        admin.execute("CREATE ROLE looks LOGIN")
        (schema,) = database.db.execute_sql("SELECT current_schema()").fetchone()
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO looks")
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO looks")
    reader = Database(ServerPlace(place.url, "looks"), read_only=True)
    with reader.read() as db:
        assert db.rows("SELECT current_user, count(*) FROM event") == [("looks", 0)]
    reader.close()


def test_a_right_that_a_role_has_not_is_named(place: ServerPlace, server: PostgresServer,
                                              database: Database) -> None:
    """Of who writes all that writing takes, of who only reads nothing but that."""
    assert database.kind.forbidden() == []
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS limited")
        admin.execute("CREATE ROLE limited LOGIN")
        (schema,) = database.db.execute_sql("SELECT current_schema()").fetchone()
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO limited")
        admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO limited")
        admin.execute(f"REVOKE SELECT ON {schema}.event FROM limited")
        admin.execute(f"REVOKE DELETE ON {schema}.job FROM limited")
    limited = ServerPlace(place.url.replace("postgresql://", "postgresql://limited@", 1)
                          if "@" not in place.url else re.sub(
                              "//[^@]*@", "//limited@", place.url))
    reader, writer = Database(limited, read_only=True), Database(limited, prepare=False)
    with reader.read():
        assert reader.kind.forbidden() == ["the role limited has not the right SELECT on event"]
    with pytest.raises(StoreUnavailableError, match="permission denied for table event"), \
            reader.read() as db:
        db.rows("SELECT id FROM event")
    with writer.read():
        said = writer.kind.forbidden()
    assert said[:2] == ["the role limited has not the right SELECT on event",
                        "the role limited has not the right DELETE on job"]
    assert "the role limited has not the right USAGE on frame_id_seq" in said
    reader.close()
    writer.close()


def test_nothing_ran_yet(place: ServerPlace) -> None:
    assert not is_there(place)
    Database(place).close()
    assert is_there(place)


def test_a_newer_schema_is_refused(place: ServerPlace, database: Database) -> None:
    database.db.execute_sql("UPDATE meta SET value = '999' WHERE key = 'schema'")
    with pytest.raises(Exception, match="written by a newer iop4d"):
        Database(place)


def test_an_older_schema_is_brought_to_this_one(place: ServerPlace, database: Database) -> None:
    """A column that is missing comes back with its default, for rows that are there."""
    with database.write() as tx:
        key = tx.create(Frame, archive="a", path="p", name="n", size=1, mtime_ns=2, state="done",
                        kind="light", completed_at=1.0, seen_at=1.0, changed_at=1.0).id
    for change in ("ALTER TABLE frame DROP COLUMN subframe", "ALTER TABLE frame DROP COLUMN mode",
                   "ALTER TABLE frame DROP COLUMN ra_deg", "DROP INDEX frame_began",
                   "UPDATE meta SET value = '1' WHERE key = 'schema'"):
        database.db.execute_sql(change)
    again = Database(place)
    with again.read() as db:
        row = db.by_id(Frame, key)
        (count,) = db.rows("SELECT count(*) FROM pg_indexes WHERE indexname = 'frame_began' "
                           "AND schemaname = current_schema()")[0]
    again.close()
    assert (row.subframe, row.mode, row.ra_deg) == (False, "photometry", None)
    assert row.kind == "science"
    assert count == 1


def test_a_server_that_lets_no_one_in_is_not_waited_for(server: PostgresServer) -> None:
    lasting = Lasting(lambda: Database(ServerPlace(server.url.replace("/postgres", "/none"))))
    with pytest.raises(StoreUnavailableError, match=r"refuses: .*does not exist"):
        lasting.read(lambda db: db.rows("SELECT 1"))


def test_texts_and_numbers_are_kept_as_in_a_file(database: Database) -> None:
    with database.write() as tx:
        made = tx.create(Event, at=0.1 + 0.2, kind="a\0b", content={})
        found = tx.by_id(Event, made.id)
    assert found.at == 0.1 + 0.2
    assert found.kind == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("url", [
    "postgresql://iop4d:geheim@db/iop4d", "postgresql://db/iop4d?password=geheim"])
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="without a password") as caught:
        parse_site(f'[store]\nurl = "{url}"\n', root=tmp_path)
    assert "geheim" not in str(caught.value)


def test_the_url_of_many_sites_names_each(tmp_path: Any) -> None:
    one, other = (place_of_url("postgresql://db/x?options=-csearch_path%3D{site}", tmp_path / name)
                  for name in "ab")
    assert one != other
    assert "{site}" not in str(one)


def test_of_no_names_nothing_is_found(database: Database) -> None:
    """A night of which nothing is known; an empty list is no SQL, but for SQLite."""
    with database.read() as db:
        assert tonight.all_names(db, []) == {}


def test_json_that_a_server_does_not_read_is_not_written(database: Database) -> None:
    """One such text would spoil every query of its column."""
    with database.write() as tx:
        tx.create(Event, at=1.0, kind="a", content={
            "nul": "a\0b", "half": "\udcff", "nan": float("nan"), "all": [float("inf"), 1],
            "face": "\N{GRINNING FACE}", "number": 2})
        for name, value in (("number", "2"), ("face", "\N{GRINNING FACE}"), ("nan", None),
                            ("nul", "a\N{REPLACEMENT CHARACTER}b"),
                            ("half", "\N{REPLACEMENT CHARACTER}")):
            assert tx.rows(f"SELECT json_extract(content, '$.{name}') FROM event") == [(value,)]
        assert tx.select(Event).get().content["all"] == [None, 1]
