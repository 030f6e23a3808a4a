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
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.model.errors import Iop4dError
from iop4d.store.kind import StoreUnavailableError
from iop4d.store.migrate import migrate
from iop4d.store.schema import SCHEMA_VERSION, TABLES

try:
    import psycopg
    from psycopg import sql as names
    from psycopg.pq import TransactionStatus
    from psycopg.types.numeric import FloatDumper
    from psycopg.types.string import StrDumperUnknown
except ImportError:  # pragma: no cover - it is an extra
    psycopg = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

#: Advisory locks: the first number is ours, the second is a hash of the schema.
_WRITERS = 0x10B4D
_DAEMON = 0x10B4E
_NODE = 0x10B4F
_LEADER = 0x10B50
_CLAIM_LOOKS, _CLAIM_PAUSE = 6, 0.5  # times, and seconds between them
_CONNECT_SECONDS = 5
_PREPARED = "the database is being prepared"
#: The server's codes of errors, in words.
_STATES = {"42P01": _PREPARED, "3F000": _PREPARED,
           "55P03": "the database is locked by another program",
           "53100": "the disk is full: the database server cannot write",
           "25006": "the database cannot be written by this account"}
_NO_RIGHT = "42501"  # the server says to which table
#: What a server answers that lets no one in, such as a wrong password, and what passes by itself.
#: (The driver has no code of an error for a connection that was not made.)
_REFUSED = re.compile(r"\bFATAL:")
_PASSING = re.compile(r"starting up|shutting down|recovery|too many|remaining connection slots|"
                      r"terminating connection")
_LOOK_SECONDS = 0.05  # between looks at a transaction that is being ended


def check_driver() -> None:
    """Raises Iop4dError where psycopg is not installed."""
    if psycopg is None:
        raise Iop4dError("[store] url names a PostgreSQL server, which needs psycopg: "
                         "pip install 'iop4d[postgresql]'")


class Postgresql:
    """A schema on a server; see :class:`kind.Kind`.

    ``url``: as libpq takes it; the first schema of its search_path holds the tables. ``busy_s``:
    how long a statement waits for another writer. ``node``: see :class:`kind.Kind`.
    """

    is_lasting = True

    def __init__(self, url: str, password: str | None, *, read_only: bool, busy_s: float,
                 node: str = "") -> None:
        check_driver()
        self._url = url
        self.node = node
        self._claim: Any = None
        self._leads = False
        self._reads_only = read_only
        self.db: pw.Database = _Server(url, password, read_only=read_only, busy_s=busy_s)

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
        if self.version() == SCHEMA_VERSION:
            return
        schema = self._schema()
        with self.db.atomic():
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
            connection.execute(names.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(
                names.Identifier(schema)))
            if version:
                migrate(self)
            connection.execute(_ddl())
            self.db.execute_sql(
                "INSERT INTO meta (key, value) VALUES ('schema', %s) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value", (str(SCHEMA_VERSION),))

    def _schema(self) -> str:
        """The first schema of the search path, which need not exist yet."""
        (path,) = self.db.execute_sql("SHOW search_path").fetchone()
        (user,) = self.db.execute_sql("SELECT current_user").fetchone()
        for name in (part.strip().strip('"') for part in path.split(",")):
            if name == "$user":
                found = self.db.execute_sql(
                    "SELECT 1 FROM pg_namespace WHERE nspname = %s", (user,)).fetchone()
                if found is None:
                    continue
                return str(user)
            return str(name)
        return "public"

    def version(self) -> int:
        """The schema's version; 0: there is none yet."""
        there = self.db.execute_sql(
            "SELECT to_regclass(quote_ident(current_schema()) || '.meta')").fetchone()[0]
        if there is None:
            return 0
        row = self.db.execute_sql("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        return int(row[0]) if row else 0

    def claim(self) -> None:
        """Be the one daemon that works on this schema, or on its node's part of it, for as long as
        a connection lasts that nothing else uses. One that has just died is waited for."""
        if self._has_claim():
            return
        refused = ""
        with pw.__exception_wrapper__:
            self._claim = self.db._connect()
            for _ in range(_CLAIM_LOOKS):
                if not (refused := self._refused()):
                    return
                time.sleep(_CLAIM_PAUSE)
        self.unclaim()
        raise Iop4dError(refused)

    def _refused(self) -> str:
        """Why the locks of a daemon cannot be had; empty: they are held now.

        A daemon that is alone has the schema's; those of nodes share that, and each has one more.
        """
        if not self._try_lock(_DAEMON, shared=bool(self.node)):
            if self.node:
                return (f"a daemon without [site] node works on this database, {self._url}: stop "
                        "it, or give it a node too")
            return (f"another daemon works on this database, {self._url}: stop it, give this site "
                    "a database or schema of its own, or give each a [site] node")
        if self.node and not self._try_lock(_NODE, of=self.node):
            return (f"another daemon of the node '{self.node}' works on this database, "
                    f"{self._url}: each needs a [site] node of its own")
        return ""

    def _try_lock(self, number: int, *, of: str = "", shared: bool = False) -> bool:
        """Take a lock of the schema, if it is free, for as long as the claim lasts."""
        taken = self._claim.execute(
            f"SELECT pg_try_advisory_lock{'_shared' * shared}"
            "(%s, hashtext(current_schema() || %s))", (number, f" {of}" if of else "")).fetchone()
        return bool(taken[0])

    def lead(self) -> bool:
        """Be the one of the nodes' daemons that does what is done once, if no other one is."""
        if not self.node:
            return True
        self.claim()
        if not self._leads:
            with pw.__exception_wrapper__:
                self._leads = self._try_lock(_LEADER)
        return self._leads

    def _has_claim(self) -> bool:
        """Whether the connection that claims still lasts: a server that was restarted ended it."""
        if self._claim is None:
            return False
        try:
            self._claim.execute("SELECT 1")
        except psycopg.Error:
            self.unclaim()
            return False
        return True

    def unclaim(self) -> None:
        """Let another daemon work on it."""
        self._leads = False
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def unavailable(self, error: pw.PeeweeException) -> StoreUnavailableError:
        """What an error of the server means, in words."""
        state = next((one.sqlstate for one in (error.__context__, error.__cause__, *error.args)
                      if isinstance(one, psycopg.Error)), None) or ""
        text = " ".join(str(error).split())
        if state == _NO_RIGHT:
            return StoreUnavailableError(f"the database server refuses: {text}")
        if state in _STATES:
            return StoreUnavailableError(_STATES[state], absent=_STATES[state] == _PREPARED)
        if not isinstance(error, pw.OperationalError | pw.InterfaceError) or not self._is_gone():
            return StoreUnavailableError(f"the database cannot be read: {text}")
        if _REFUSED.search(text) and not _PASSING.search(text):
            return StoreUnavailableError(f"the database server refuses: {text}")
        return StoreUnavailableError(f"the database server is away: {text}", lost=True)

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
        refused = [(right, name) for right in rights for (name,) in self.db.execute_sql(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = current_schema() AND c.relkind = 'r' "
            "AND NOT has_table_privilege(c.oid, %s) ORDER BY c.relname", (right,)).fetchall()]
        if not self._reads_only:
            refused += [("USAGE", name) for (name,) in self.db.execute_sql(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = current_schema() AND c.relkind = 'S' "
                "AND NOT has_sequence_privilege(c.oid, 'USAGE') ORDER BY c.relname").fetchall()]
        (role,) = self.db.execute_sql("SELECT current_user").fetchone()
        return [f"the role {role} has not the right {right} on {name}" for right, name in refused]


class _Server(pw.PostgresqlDatabase):  # type: ignore[misc]
    """Connections to a server, each with what a site asks of it."""

    field_types = pw.PostgresqlDatabase.field_types | {
        "AUTO": "BIGSERIAL", "INT": "BIGINT", "FLOAT": "DOUBLE PRECISION",
        "TEXT": 'TEXT COLLATE "C"'}

    def __init__(self, url: str, password: str | None, *, read_only: bool, busy_s: float) -> None:
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()  # of all threads
        super().__init__(url, prefer_psycopg3=True, autoconnect=True)
        self._password = password
        self._settings = {"lock_timeout": f"{math.ceil(busy_s * 1e3)}ms", "jit": "off",
                          "default_transaction_read_only": "on" if read_only else "off"}

    def _connect(self) -> Any:
        given: dict[str, Any] = {"password": self._password} if self._password else {}
        connection = psycopg.connect(self.database, autocommit=True, application_name="iop4d",
                                     client_encoding="utf-8", connect_timeout=_CONNECT_SECONDS,
                                     **given)
        connection.adapters.register_dumper(float, _Number)
        connection.adapters.register_dumper(str, _Text)
        for name, value in self._settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
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


@cache
def _ddl() -> str:
    """Everything that a new schema holds, as one text."""
    server = _Server("", None, read_only=False, busy_s=0.0)
    parts = [_FUNCTIONS]
    for table in TABLES:
        manager = pw.SchemaManager(table, server)
        for statement in (manager._create_table(safe=True), *manager._create_indexes(safe=True)):
            text, values = statement.query()
            assert not values, text
            parts.append(text)
    parts.append(_NOTING)
    return ";\n".join(part.strip().rstrip(";") for part in parts)


_FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION json_extract(document text, path text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT document::pg_catalog.json #>> pg_catalog.string_to_array(
        pg_catalog.substr(pg_catalog.regexp_replace(path, '\[(\d+)\]', '.\1', 'g'), 3), '.') $$;
CREATE OR REPLACE FUNCTION json_array_length(document text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE pg_catalog.json_typeof(document::pg_catalog.json) WHEN 'array'
        THEN pg_catalog.json_array_length(document::pg_catalog.json) ELSE 0 END $$;
CREATE OR REPLACE FUNCTION json_each(document text)
    RETURNS TABLE(key text, value text, type text)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (number - 1)::text, one #>> '{}', pg_catalog.json_typeof(one)
    FROM pg_catalog.json_array_elements(CASE pg_catalog.json_typeof(document::pg_catalog.json)
        WHEN 'array' THEN document::pg_catalog.json ELSE '[]' END)
        WITH ORDINALITY AS list(one, number)
    UNION ALL
    SELECT pair.key, pair.value #>> '{}', pg_catalog.json_typeof(pair.value)
    FROM pg_catalog.json_each(CASE pg_catalog.json_typeof(document::pg_catalog.json)
        WHEN 'object' THEN document::pg_catalog.json ELSE '{}' END) AS pair $$;
CREATE OR REPLACE FUNCTION json_each(document text, path text)
    RETURNS TABLE(key text, value text, type text)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT * FROM json_each(json_extract(document, path)) $$;
CREATE OR REPLACE FUNCTION instr(whole text, part text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.strpos(whole, part) $$;
CREATE OR REPLACE FUNCTION matches(expression text, whole text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT whole ~* expression $$;
CREATE OR REPLACE FUNCTION as_it_is(one text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT one $$;
CREATE OR REPLACE FUNCTION as_it_is(one boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT one $$;
-- A plus before a column says that no index of it is to be used.
DO $$ BEGIN
    CREATE OPERATOR + (RIGHTARG = text, FUNCTION = as_it_is);
    CREATE OPERATOR + (RIGHTARG = boolean, FUNCTION = as_it_is);
EXCEPTION WHEN duplicate_function THEN NULL; END $$
"""

#: What the database does by itself, whichever program writes: see ``schema.ResultChange``.
_NOTING = """
CREATE OR REPLACE FUNCTION note_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.source IS DISTINCT FROM NEW.source
                              OR OLD.band IS DISTINCT FROM NEW.band) THEN
        INSERT INTO resultchange (result, source, band, token) VALUES (OLD.id, OLD.source,
            OLD.band, ((random() - 0.5) * 1.8e19)::bigint);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO resultchange (result, source, band, token) VALUES (NEW.id, NEW.source,
            NEW.band, ((random() - 0.5) * 1.8e19)::bigint);
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS result_noted ON result;
CREATE TRIGGER result_noted AFTER INSERT OR UPDATE OR DELETE ON result
    FOR EACH ROW EXECUTE FUNCTION note_result()
"""
