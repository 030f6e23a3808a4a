"""PostgreSQL: a schema of a server's database, one writer at a time, as strict as SQLite.

Needs psycopg (``pip install 'iop4d[postgresql]'``). What the queries ask of SQLite's functions
is defined here by functions of the same names.
"""

from __future__ import annotations

import logging
import math
import re
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store.kind import StoreUnavailableError
from iop4d.store.migrate import migrate
from iop4d.store.postgresql_claim import POOLED, Claim
from iop4d.store.postgresql_tables import FIELD_TYPES, definitions
from iop4d.store.schema import SCHEMA_VERSION, TABLES
from iop4d.store.table import Table

try:
    import psycopg
    from psycopg import sql as names
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.pq import TransactionStatus
    from psycopg.types.numeric import FloatDumper
    from psycopg.types.string import StrDumperUnknown
except ImportError:  # pragma: no cover - it is an extra
    psycopg = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_WRITERS = 0x10B4D  # an advisory lock of ours, with a hash of the schema
_OLDEST = 14  # version of the server
#: Of a connection whose url does not say otherwise: a server that is cut off without a word (power,
#: network) is noticed within half a minute.
_REACHES: dict[str, Any] = {
    "connect_timeout": 5, "keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5,
    "keepalives_count": 4, "tcp_user_timeout": 30_000, "application_name": "iop4d"}
#: And the server notices within half a minute that a machine of ours is, whose locks it holds.
_SETTINGS = {"jit": "off", "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5",
             "tcp_keepalives_count": "4", "tcp_user_timeout": "30s", "idle_session_timeout": "0"}
_PREPARED = "the database is being prepared"
#: The server's codes of errors, in words.
_STATES = {"42P01": _PREPARED, "3F000": _PREPARED,
           "53100": "the disk is full: the database server cannot write",
           "25006": "the database cannot be written by this account",
           "42P05": POOLED, "26000": POOLED}  # another connection's prepared statement, or none
_NO_RIGHT, _LOCKED = "42501", "55P03"
#: PgBouncer has one code for all that it says of a connection, most of which passes.
_OF_POOLER, _FOR_GOOD = "08P01", "pooling mode"
#: What a server answers that lets no one in, such as a wrong password: it names an account, a
#: database, a host. What passes by itself (it is starting up, has too many connections) does not,
#: in whatever language the server speaks, but for one. (The driver has no code of an error for a
#: connection that was not made.)
_REFUSED = re.compile(
    r'\bFATAL:.*["«»„]|FATAL: +unsupported startup parameter|invalid (?:integer|port)')
_PASSING = re.compile(r"too many connections")
_LOOK_SECONDS = 0.05  # between looks at a transaction that is being ended


def check_driver() -> None:
    """Raises Iop4dError where psycopg is not installed."""
    if psycopg is None:
        raise Iop4dError("[store] url names a PostgreSQL server, which needs psycopg: "
                         "pip install 'iop4d[postgresql]'")


class Postgresql:
    """A schema on a server; see :class:`kind.Kind`.

    ``url``: as libpq takes it; the first schema of its search_path holds the tables. ``password``:
    asked at each connection. ``busy_s``: how long a statement waits for another writer. ``node``:
    see :class:`kind.Kind`.
    """

    is_lasting = True

    def __init__(self, url: str, password: Callable[[], str | None], *, read_only: bool,
                 busy_s: float, node: str = "") -> None:
        check_driver()
        self._url = url
        self.node = node
        self._reads_only = read_only
        self.db: pw.Database = _Server(url, password, read_only=read_only, busy_s=busy_s)
        self._claim = Claim(self.db, url, node)

    def sql(self, text: str) -> str:
        """With the driver's marks for values."""
        return _marked(text)

    def insert(self, text: str, values: list[Any], key: str) -> int:
        """Make a row; the value of its key."""
        cursor = self.db.execute_sql(f'{_marked(text)} RETURNING "{key}"', values)
        return int(cursor.fetchone()[0])

    def run_each(self, text: str, rows: list[list[Any]]) -> None:
        """All of them are sent before the first is answered."""
        with pw.__exception_wrapper__, self.db.connection().cursor() as cursor:
            cursor.executemany(_marked(text), rows)

    def note_keys(self, table: str, key: str) -> None:
        """Have the keys that the server chooses go on above those that there are."""
        self.db.execute_sql(
            "SELECT setval(pg_get_serial_sequence(quote_ident(%s), %s), "  # noqa: S608
            f'(SELECT max("{key}") FROM "{table}"))', (table, key))

    def is_in_transaction(self) -> bool:
        """Whether the transaction still runs."""
        status = self.db.connection().info.transaction_status
        return bool(status == TransactionStatus.INTRANS)

    @contextmanager
    def transaction(self) -> Iterator[str]:
        """A transaction beside which no other writes, on whatever machine: it sees all that was
        committed before it began, as SQLite's immediate ones."""
        with self.db.atomic():
            _, mark = self.db.execute_sql(
                "SELECT pg_advisory_xact_lock(%s, hashtext(current_schema())), "
                "pg_current_xact_id()::text", (_WRITERS,)).fetchone()
            yield str(mark)

    def is_committed(self, mark: str) -> bool:
        """Whether the transaction of a mark was committed; the server knows it after a crash, too.

        What is still being ended is waited for.
        """
        while True:
            (status,) = self.db.execute_sql("SELECT pg_xact_status(%s::xid8)",
                                            (mark,)).fetchone()
            if status != "in progress":
                return bool(status == "committed")
            time.sleep(_LOOK_SECONDS)

    def discard(self) -> None:
        """Nothing: it was made in one transaction."""

    def prepare(self) -> None:
        """Make the schema and the tables, where they are not there as they should be."""
        self._check_encoding()
        if self.version() == SCHEMA_VERSION:
            return
        schema = self._schema()
        with pw.__exception_wrapper__, self.db.atomic():
            self.db.execute_sql("SELECT pg_advisory_xact_lock(%s, hashtext(%s))",
                                (_WRITERS, schema))
            version = self.version()
            if version > SCHEMA_VERSION:
                raise Iop4dError(
                    f"{self._url} was written by a newer iop4d (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}): install that version, or restore a backup")
            if version == SCHEMA_VERSION:
                return
            connection = self.db.connection()
            if not self._has_schema(schema):  # who may not make one may have been given one
                connection.execute(names.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(
                    names.Identifier(schema)))
            if version:
                migrate(self)
            elif taken := sorted(self._tables() & {_name(table) for table in TABLES}):
                raise Iop4dError(
                    f"the schema {schema} of {self._url} holds tables of another program "
                    f"({', '.join(taken[:4])}): give this site a schema or database of its own")
            connection.execute(definitions())
            self.db.execute_sql(
                "INSERT INTO meta (key, value) VALUES ('schema', %s) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value", (str(SCHEMA_VERSION),))

    def _check_encoding(self) -> None:
        """Raises Iop4dError where the database does not hold all letters."""
        encoding = self.db.connection().info.parameter_status("server_encoding")
        if encoding not in (None, "UTF8"):
            raise Iop4dError(
                f"the database of {self._url} has the encoding {encoding}, which does not hold all "
                "letters: make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")

    def _has_schema(self, name: str) -> bool:
        return self.db.execute_sql("SELECT 1 FROM pg_namespace WHERE nspname = %s",
                                   (name,)).fetchone() is not None

    def _tables(self) -> set[str]:
        """The names of the tables that there are."""
        return {name for (name,) in self.db.execute_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()}

    def _schema(self) -> str:
        """The first schema of the search path, which need not exist yet."""
        (path,) = self.db.execute_sql("SHOW search_path").fetchone()
        (user,) = self.db.execute_sql("SELECT current_user").fetchone()
        for name in (part.strip().strip('"') for part in path.split(",")):
            if name == "$user":
                if not self._has_schema(user):
                    continue
                return str(user)
            if not name:
                raise Iop4dError(f"the search_path of {self._url} names no schema")
            return str(name)
        return "public"

    def version(self) -> int:
        """The schema's version; 0: there is none yet."""
        (columns,) = self.db.execute_sql(
            "SELECT count(*) FROM pg_attribute WHERE attname IN ('key', 'value') AND attrelid = "
            "to_regclass(quote_ident(current_schema()) || '.meta')").fetchone()
        if columns < 2:
            return 0
        row = self.db.execute_sql("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        return int(row[0]) if row else 0

    def claim(self) -> None:
        """Be the one daemon that works on this schema, or on its node's part of it."""
        self._claim.take()

    def lead(self) -> bool:
        """Be the one of the nodes' daemons that does what is done once, if no other one is."""
        return self._claim.lead()

    def unclaim(self) -> None:
        """Let another daemon work on it."""
        self._claim.release()

    def unavailable(self, error: pw.PeeweeException) -> StoreUnavailableError:
        """What an error of the server means, in words."""
        own = _of_driver(error)
        state, text = (own and own.sqlstate) or "", " ".join(str(error).split())
        if state == _NO_RIGHT or (state == _OF_POOLER and _FOR_GOOD in text):
            return StoreUnavailableError(f"the database server refuses: {text}")
        if state == _LOCKED:
            return StoreUnavailableError("the database is locked by another program", locked=True)
        if state in _STATES:
            is_absent = _STATES[state] == _PREPARED
            return StoreUnavailableError((is_absent and self._hidden()) or _STATES[state],
                                         absent=is_absent)
        is_unanswered = isinstance(own, psycopg.OperationalError) and not state
        if not isinstance(error, pw.OperationalError | pw.InterfaceError) or not (
                self._is_gone() or is_unanswered):
            return StoreUnavailableError(f"the database cannot be read: {text}")
        if _REFUSED.search(str(error)) and not _PASSING.search(text):
            return StoreUnavailableError(f"the database server refuses: {text}", refused=True)
        return StoreUnavailableError(f"the database server is away: {text}", lost=True)

    def _hidden(self) -> str:
        """That this account does not see the schema's tables, which may be there; empty where it
        would."""
        if self.db.connection().info.transaction_status != TransactionStatus.IDLE:
            return ""
        user, hidden = self.db.execute_sql(
            "SELECT current_user, EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s "
            "AND NOT has_schema_privilege(oid, 'USAGE'))", (self._schema(),)).fetchone()
        return hidden and (f"the account {user} of the database does not see the schema "
                           f"{self._schema()}: GRANT USAGE ON SCHEMA {self._schema()} TO {user}")

    def _is_gone(self) -> bool:
        """Whether this thread has no connection of use; a useless one is closed."""
        if self.db.is_closed():
            return True
        connection = self.db.connection()
        if not (connection.closed or connection.broken):
            return False
        connection.close()
        self.db._state.reset()
        return True

    def tidy(self) -> None:
        """Nothing: the server does its own upkeep."""

    def save_as(self, path: Path) -> bool:
        """No: its own means are programs of the server's version, and files for it alone."""
        return False

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A transaction that only reads, and sees what its first statement saw."""
        self.db.execute_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self.db.execute_sql("ROLLBACK")

    def wrong(self) -> list[str]:
        """Indexes that the server calls invalid, and tables that are not there."""
        broken = self.db.execute_sql(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = current_schema() AND NOT i.indisvalid").fetchall()
        return [f"the index {name} is not valid" for (name,) in broken] + self.missing()

    def missing(self) -> list[str]:
        """By the names of the tables and columns of this version."""
        if self.version() not in (0, SCHEMA_VERSION):
            return []
        there = {(table, column) for table, column in self.db.execute_sql(
            "SELECT c.relname, a.attname FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = current_schema() AND a.attnum > 0 AND NOT a.attisdropped"
            ).fetchall()}
        tables = {table for table, _ in there}
        found = []
        for table in TABLES:
            name = table._meta.table_name
            if name not in tables:
                found.append(f"the table {name} is missing")
            else:
                found += [f"the column {field.column_name} of the table {name} is missing"
                          for field in table._meta.sorted_fields
                          if (name, field.column_name) not in there]
        return found

    def forbidden(self) -> list[str]:
        """Of the tables and their counters, as the server judges."""
        rights = ("SELECT",) if self._reads_only else ("SELECT", "INSERT", "UPDATE", "DELETE")
        refused = [(right, name) for right in rights for name in self._without(
            "r", "has_table_privilege(c.oid, %s)", right)]
        if not self._reads_only:
            refused += [("USAGE", name) for name in self._without(
                "S", "has_sequence_privilege(c.oid, %s)", "USAGE")]
        (role,) = self.db.execute_sql("SELECT current_user").fetchone()
        return [f"the role {role} has not the right {right} on {name}" for right, name in refused]

    def _without(self, kind: str, has: str, right: str) -> list[str]:
        """Tables or counters on which this role has not a right."""
        # CASE: the server may look at the right of what is of another kind first, and fail.
        found = self.db.execute_sql(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "  # noqa: S608 - of ours
            f"WHERE n.nspname = current_schema() AND CASE WHEN c.relkind = %s THEN NOT {has} "
            "ELSE FALSE END ORDER BY c.relname", (kind, right)).fetchall()
        return [str(name) for (name,) in found]


def _of_driver(error: BaseException | None) -> Any:
    """The driver's own error, which peewee may have wrapped more than once; or None."""
    while error is not None and not isinstance(error, psycopg.Error):
        error = next((one for one in error.args if isinstance(one, psycopg.Error)),
                     error.__cause__ or error.__context__)
    return error


def _name(table: type[Table]) -> str:
    name: str = table._meta.table_name
    return name


class _Server(pw.PostgresqlDatabase):  # type: ignore[misc]
    """Connections to a server, each with what a site asks of it."""

    field_types = FIELD_TYPES

    def __init__(self, url: str, password: Callable[[], str | None], *, read_only: bool,
                 busy_s: float) -> None:
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()  # of all threads
        super().__init__(url, prefer_psycopg3=True, autoconnect=True)
        self._ask_password = password
        self._password: str | None = None
        #: Who writes wants the server that takes writes, of several that a url names.
        self._reaches = _REACHES if read_only else _REACHES | {"target_session_attrs": "primary"}
        self._settings = _SETTINGS | {
            "lock_timeout": f"{math.ceil(busy_s * 1e3)}ms",
            "default_transaction_read_only": "on" if read_only else "off"}
        if not read_only:
            self._settings |= {"statement_timeout": "0"}

    def _connect(self) -> Any:
        given = self._reaches | conninfo_to_dict(self.database) | {"client_encoding": "utf-8"}
        try:
            self._password = self._ask_password()
        except ConfigError:
            if self._password is None:
                raise
            # Its file is away for a moment, and the password may be what it was.
        if self._password:
            given |= {"password": self._password}
        connection = psycopg.connect(autocommit=True, **given)
        version = connection.info.server_version // 10_000
        if version < _OLDEST:
            connection.close()
            raise Iop4dError(f"the server of {self.database} is PostgreSQL {version}, which is too "
                             f"old: {_OLDEST} or newer is needed")
        connection.adapters.register_dumper(float, _Number)
        connection.adapters.register_dumper(str, _Text)
        connection.execute(
            f"SELECT {', '.join(['set_config(%s, %s, false)'] * len(self._settings))}",
            [part for setting in self._settings.items() for part in setting])
        self._opened.add(connection)
        return connection

    def __del__(self) -> None:
        for connection in self._opened:
            connection.close()


if psycopg is not None:
    class _Number(FloatDumper):
        """NaN is no number: NULL, as in SQLite."""

        def dump(self, obj: float) -> Any:
            """The text of a number; None stands for NULL."""
            return None if math.isnan(obj) else super().dump(obj)

    class _Text(StrDumperUnknown):
        """The server takes no NUL within a text."""

        def dump(self, obj: str) -> Any:
            """The text, with a mark where it had a NUL."""
            return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


@lru_cache(maxsize=2000)
def _marked(text: str) -> str:
    """A statement with ``%s`` for each ``?``."""
    return text.replace("%", "%%").replace("?", "%s")
