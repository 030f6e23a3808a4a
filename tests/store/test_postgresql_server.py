"""What the administrator of a PostgreSQL server does or did not do, and how it is said."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from iop4d.config.store import ServerPlace
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store import postgresql
from iop4d.store.database import Database, StoreUnavailableError
from iop4d.store.lasting import Lasting
from iop4d.store.schema import Event
from tests.support.postgresql import PostgresServer, programs
from tests.support.real_servers import is_required

pytestmark = [
    pytest.mark.skipif(programs() is None and not is_required(),
                       reason="no PostgreSQL server is installed"),
    # The driver minds connections that end with what held them.
    pytest.mark.filterwarnings("ignore:.*psycopg.Connection:ResourceWarning")]

Admin = Callable[[str], None]


@pytest.fixture
def admin(server: PostgresServer) -> Iterator[Admin]:
    """Does something as the server's administrator."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        yield lambda text: connection.execute(text.encode()) and None


@pytest.fixture
def account(admin: Admin, place: ServerPlace) -> Iterator[ServerPlace]:
    """The same place for an account that was given nothing."""
    admin("CREATE ROLE guest LOGIN")
    yield replace(place, url=place.url.replace("iop4d@", "guest@"))
    admin("DROP OWNED BY guest CASCADE")
    admin("DROP ROLE guest")


def _schema_of(place: ServerPlace) -> str:
    return place.url.rpartition("%3D")[2]


# What a database must be.


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_does_not_hold_all_letters_is_refused(
        server: PostgresServer, admin: Admin, encoding: str) -> None:
    """It took them until the first Greek letter came, or held what it could not sort."""
    admin(f"CREATE DATABASE of_{encoding} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    place = ServerPlace(server.url.replace("/postgres", f"/of_{encoding.lower()}"))
    with pytest.raises(Iop4dError, match=f"has the encoding {encoding}, which does not hold all"):
        Database(place)


def test_a_server_that_is_too_old_is_refused_with_its_version(
        place: ServerPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked of it that it does not know."""
    monkeypatch.setattr(postgresql, "_OLDEST", 99)
    monkeypatch.setattr(postgresql, "_SETTINGS", {"no_such_setting": "1"})
    with pytest.raises(Iop4dError, match=r"is PostgreSQL \d\d, which is too old: 99 or newer"):
        Database(place)


@pytest.mark.parametrize("table", ["frame", "meta"])
def test_a_schema_with_tables_of_another_program_is_refused(
        place: ServerPlace, admin: Admin, table: str) -> None:
    admin(f"CREATE SCHEMA {_schema_of(place)}")
    admin(f"CREATE TABLE {_schema_of(place)}.{table} (id int)")
    with pytest.raises(Iop4dError, match=rf"holds tables of another program \({table}"):
        Database(place)


def test_a_schema_that_an_account_was_given_is_used(
        account: ServerPlace, admin: Admin) -> None:
    """It may make none itself."""
    admin(f"CREATE SCHEMA {_schema_of(account)} AUTHORIZATION guest")
    database = Database(account)
    with database.write() as tx:
        tx.create(Event, at=1.0, kind="test", content={})
    database.close()


# Rights.


def test_what_an_account_may_not_do_is_a_sentence(account: ServerPlace, admin: Admin) -> None:
    schema = _schema_of(account)
    with pytest.raises(StoreUnavailableError, match="refuses: permission denied for data"):
        Database(account)
    Database(replace(account, url=account.url.replace("guest@", "iop4d@"))).close()
    reader = Database(account, read_only=True)
    with pytest.raises(StoreUnavailableError, match=f"GRANT USAGE ON SCHEMA {schema} TO guest"):
        _count(reader)
    admin(f"GRANT USAGE ON SCHEMA {schema} TO guest")
    with pytest.raises(StoreUnavailableError, match="permission denied for table event"):
        _count(reader)
    admin(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO guest")
    assert _count(reader) == 0
    reader.close()


def _count(database: Database) -> int:
    with database.read() as db:
        return int(db.select(Event).count())


# Who is let in.


@pytest.mark.parametrize(("locks", "opens"), [
    ("ALTER ROLE guest NOLOGIN", "ALTER ROLE guest LOGIN"),
    ("ALTER ROLE guest CONNECTION LIMIT 0", "ALTER ROLE guest CONNECTION LIMIT -1"),
    ("ALTER ROLE guest CONNECTION LIMIT 1", "ALTER ROLE guest CONNECTION LIMIT -1")])
def test_who_was_let_in_waits_while_it_is_not(
        account: ServerPlace, admin: Admin, locks: str, opens: str) -> None:
    """A password that is being changed, a limit of connections that is reached by others."""
    admin(f"CREATE SCHEMA {_schema_of(account)} AUTHORIZATION guest")
    lasting = Lasting(lambda: Database(account))
    lasting.claim()
    admin(locks)
    admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'")
    later = threading.Timer(0.7, admin, [opens])
    later.start()
    began = time.monotonic()
    lasting.write(lambda tx: tx.create(Event, at=1.0, kind="test", content={}))
    lasting.claim()
    later.join()
    assert time.monotonic() - began > 0.5
    assert lasting.away == ""
    lasting.close()


def test_a_limit_of_connections_that_is_reached_at_the_start_is_waited_for(
        account: ServerPlace, admin: Admin) -> None:
    """A daemon needs two, and gets one."""
    admin(f"CREATE SCHEMA {_schema_of(account)} AUTHORIZATION guest")
    admin("ALTER ROLE guest CONNECTION LIMIT 1")
    later = threading.Timer(0.7, admin, ["ALTER ROLE guest CONNECTION LIMIT -1"])
    later.start()
    lasting = Lasting(lambda: Database(account))
    lasting.claim()
    later.join()
    lasting.close()


@pytest.mark.parametrize(("text", "is_refused"), [
    ('FATAL:  no existe el rol «iop4d»', True),
    ('FATAL:  la autentificación password falló para el usuario «iop4d»', True),
    ('FATAL:  el sistema de base de datos está iniciándose', False),
    ("FATAL:  sorry, too many clients already", False),
    ('ВАЖНО:  система баз данных запускается', False),
    ('FATAL:  the database system is starting up\n- host: "::1": Connection refused', False)])
def test_a_server_that_starts_up_is_waited_for_in_its_language(
        place: ServerPlace, monkeypatch: pytest.MonkeyPatch, text: str, is_refused: bool) -> None:
    def refuse(**_: Any) -> None:
        raise psycopg.OperationalError(
            f'connection failed: connection to server at "127.0.0.1", port 5432 failed: {text}')

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(StoreUnavailableError) as caught:
        Database(place)
    assert (caught.value.refused, caught.value.lost) == (is_refused, not is_refused)


def test_a_password_is_asked_for_at_each_connection(
        place: ServerPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a changed one is used; where its file is away for a moment, the one before."""
    passwords: list[Any] = ["old", "new", ConfigError("its file is away")]
    connect, used = psycopg.connect, []

    def ask() -> str:
        found = passwords.pop(0)
        if isinstance(found, Exception):
            raise found
        return str(found)

    def connects(**given: Any) -> Any:
        used.append(given["password"])
        return connect(**given)

    monkeypatch.setattr(psycopg, "connect", connects)
    database = Database(replace(place, password=ask))
    for _ in range(2):
        database.close()
        with database.read() as db:
            db.rows("SELECT 1")
    database.close()
    assert used == ["old", "new", "new"]


# Connections that are dropped.


def test_a_peer_that_is_gone_without_a_word_is_noticed_on_both_sides(place: ServerPlace) -> None:
    """Else the locks of a machine without power last for two hours, and so does a read here."""
    database = Database(place)
    with database.read() as db:
        for name in ("keepalives_idle", "keepalives_interval", "keepalives_count"):
            ((said,),) = db.rows(f"SHOW tcp_{name}")
            assert int(re.sub(r"\D", "", said)) <= 10
        assert db.rows("SHOW tcp_user_timeout") == [("30000",)]
        assert db.rows("SHOW idle_session_timeout") == [("0",)]
    with socket.socket(fileno=database.db.connection().fileno()) as own:
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        own.detach()
    database.close()


def test_what_a_url_says_of_its_connections_holds(place: ServerPlace) -> None:
    url = place.url.replace("?", "?application_name=ours&keepalives_idle=77&")
    database = Database(replace(place, url=url))
    with database.read() as db:
        assert db.rows("SHOW application_name") == [("ours",)]
    with socket.socket(fileno=database.db.connection().fileno()) as own:
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
        own.detach()
    database.close()


def test_a_claim_whose_connection_was_dropped_is_made_again_or_ends_the_daemon(
        place: ServerPlace, admin: Admin) -> None:
    """Nothing else uses that connection, so that nothing else would notice."""
    first, second = (Lasting(lambda: Database(place)) for _ in range(2))
    for taken in (False, True):
        first.claim()
        pid = first.database.kind._claim._connection.info.backend_pid  # type: ignore[attr-defined]
        admin(f"SELECT pg_terminate_backend({pid})")
        if taken:
            second.claim()
            with pytest.raises(Iop4dError, match="another daemon works on this database"):
                first.claim()
    second.close()
    first.close()


def test_a_server_that_takes_no_writes_is_waited_for(
        server: PostgresServer, place: ServerPlace, admin: Admin) -> None:
    """Of two servers one takes over when the other fails; until then it only reads."""
    lasting = Lasting(lambda: Database(place))
    lasting.claim()
    server.kill()
    server.follow()
    later = threading.Timer(1.0, server.lead)
    later.start()
    lasting.write(lambda tx: tx.create(Event, at=1.0, kind="test", content={}))
    later.join()
    lasting.close()
