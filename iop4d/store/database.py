"""The site's SQLite database: WAL, every commit on the disk, one writer at a time.

No table is bound to a database. Every statement is made by a :class:`Connection`, which a query is
handed as its first argument; one that writes needs a :class:`Transaction`, so a write outside one
does not pass the type checker.
"""

from __future__ import annotations

import math
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import peewee as pw

from iop4d.model.errors import Iop4dError
from iop4d.store.migrate import migrate
from iop4d.store.patterns import matches
from iop4d.store.schema import SCHEMA_VERSION, TABLES, TRIGGERS
from iop4d.store.statement import Statement
from iop4d.store.table import (
    Table,
    db_values,
    insert_row,
    read_rows,
    select_by,
    update_by_key,
)

Row = TypeVar("Row", bound=Table)

#: Releases with the fix of the WAL-reset bug, by minor series (sqlite.org/wal.html#walresetbug).
_SHARED = 65536  # bytes free that SQLite needs to share memory between processes
_FIXED = {44: 6, 50: 7, 51: 3}


#: Rights of the database's files.
PRIVATE = 0o600
GROUP_READS = 0o640


class StoreUnavailableError(Iop4dError):
    """The database cannot be used now. ``absent``: there is none yet, which is no fault."""

    def __init__(self, why: str, *, absent: bool = False) -> None:
        super().__init__(why)
        self.absent = absent


class Connection:
    """Reads. What its methods make is bound to this database, and to no other.

    ``kept``: what may be kept from one read to the next, of a database that is only read; None of
    one that this program writes, where what is read may never be committed.
    """

    def __init__(self, db: pw.Database, kept: dict[str, Any] | None = None) -> None:
        self._db = db
        self.kept = kept

    def select(self, table: type[Table], *columns: Any) -> Any:
        """A SELECT to be refined with ``where``, ``join``, ``order_by`` and so on."""
        return table.select(*columns).bind(self._db)

    def raw(self, table: type[Row], sql: str, *values: Any) -> list[Row]:
        """The rows of a statement whose text is made once, for what is asked at every frame."""
        cursor = self._db.execute_sql(sql, values)
        return read_rows(table, tuple(name for name, *_ in cursor.description), cursor)

    def found(self, statement: Statement, **given: Any) -> list[Any]:
        """The rows that a statement finds with the values that are given."""
        text, values = statement.filled(given)
        return self.raw(statement.table, text, *values)

    def tuples(self, statement: Statement, **given: Any) -> list[tuple[Any, ...]]:
        """What a statement finds, as plain rows of what the database keeps."""
        text, values = statement.filled(given)
        return self.rows(text, *values)

    def get(self, table: type[Row], *conditions: Any) -> Row | None:
        """The first row that meets the conditions."""
        row: Row | None = self.select(table).where(*conditions).first()
        return row

    def by_id(self, table: type[Row], key: Any) -> Row:
        """The row of a primary key; raises ``table.DoesNotExist``."""
        row = self.by(table, table._meta.primary_key.name, key)
        if row is None:
            raise table.DoesNotExist(f"no row {key} in {table.__name__}")
        return row

    def by(self, table: type[Row], column: str, value: Any) -> Row | None:
        """The first row of which a column has a value, by a text that is made once."""
        return next(iter(self.raw(table, select_by(table, column), value)), None)  # type: ignore[arg-type]

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The plain rows of a statement in SQL."""
        return list(self._db.execute_sql(sql, values).fetchall())


class Transaction(Connection):
    """Reads and writes: all of it is committed together, or nothing."""

    def create(self, table: type[Row], **columns: Any) -> Row:
        """A new row, with its defaults and its key."""
        row = table(**columns)
        cursor = self._db.execute_sql(insert_row(table, tuple(row.__data__)),  # type: ignore[arg-type]
                                      db_values(table, row.__data__))
        meta: Any = table._meta
        if meta.auto_increment:
            setattr(row, meta.primary_key.name, cursor.lastrowid)
        return row

    def get_or_create(self, table: type[Row], *, defaults: dict[str, Any], **key: Any) -> Row:
        """The row whose columns are ``key``, made with ``defaults`` if there is none."""
        found = self.get(table, *(getattr(table, name) == value for name, value in key.items()))
        return found if found is not None else self.create(table, **key, **defaults)

    def insert(self, table: type[Table], **columns: Any) -> Any:
        """An INSERT, to be refined with ``on_conflict_ignore`` and executed."""
        return table.insert(**columns).bind(self._db)

    def insert_many(self, table: type[Table], rows: list[dict[str, Any]]) -> None:
        """Many new rows of the same columns; what they do not name has its default."""
        if not rows:
            return
        fields: Any = table._meta.sorted_fields
        missing = [field for field in fields
                   if field.default is not None and field.name not in rows[0]]
        for row in rows:
            whole = row | {field.name: field.default() if callable(field.default)
                           else field.default for field in missing}
            self._db.execute_sql(insert_row(table, tuple(whole)), db_values(table, whole))  # type: ignore[arg-type]

    def replace(self, table: type[Table], **columns: Any) -> None:
        """A row in the place of whatever has its key."""
        table.replace(**columns).bind(self._db).execute()

    def update(self, table: type[Table], **columns: Any) -> Any:
        """An UPDATE, to be refined with ``where`` and executed; it gives the number of rows."""
        return table.update(**columns).bind(self._db)

    def set_by_key(self, table: type[Table], key: Any, **columns: Any) -> None:
        """Set columns of the row of a primary key, by a text that is made once for the same ones.

        Values alone: no expressions of columns.
        """
        self._db.execute_sql(update_by_key(table, tuple(columns)),  # type: ignore[arg-type]
                             [*db_values(table, columns), key])

    def run(self, statement: Statement, **given: Any) -> int:
        """Do what a statement does, with the values that are given; the number of its rows."""
        text, values = statement.filled(given)
        return int(self._db.execute_sql(text, values).rowcount)

    def delete(self, table: type[Table]) -> Any:
        """A DELETE, to be refined with ``where`` and executed; it gives the number of rows."""
        return table.delete().bind(self._db)

    @property
    def is_open(self) -> bool:
        """Whether it still runs: SQLite itself ends one when a disk fills, say."""
        return bool(self._db.connection().in_transaction)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that may fail by itself: an exception undoes it alone, and is passed on."""
        with self._db.atomic():
            yield


class _ReadOnly(pw.SqliteDatabase):  # type: ignore[misc]
    """For accounts that may not write the folder, too, while no daemon keeps the log's files."""

    def _connect(self) -> Any:
        path = Path(self.database)
        if not _is_at_rest(path):
            return super()._connect()
        connection = pw.sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?immutable=1", uri=True, timeout=self._timeout,
            isolation_level=None, **self.connect_params)
        self._add_conn_hooks(connection)
        return connection


def _is_at_rest(path: Path) -> bool:
    """Whether SQLite could not make the files beside a database in WAL mode, and needs none."""
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    makes = os.access(path.parent, os.W_OK) and not _is_full(path.parent)
    return not (makes or shared.exists() or (log.exists() and log.stat().st_size))


def _is_full(folder: Path) -> bool:
    """Whether the disk has no room for SQLite's shared memory, which reading needs too."""
    try:
        return shutil.disk_usage(folder).free < _SHARED
    except OSError:
        return False


class Database:
    """The database of one site, for any thread; each has a connection of its own.

    Its files are for their owner alone, or as ``mode`` says: hashes of passwords are in them.

    ``busy_s``: how long a statement waits for another writer's lock. ``prepare``: whether to make
    and migrate the tables, where this may write; who only requests something leaves that to others.
    """

    def __init__(self, path: Path, *, read_only: bool = False, busy_s: float = 10.0,
                 prepare: bool = True, mode: int = PRIVATE) -> None:
        check_library(pw.sqlite3.sqlite_version_info)
        self.path = path
        self.read_only = read_only
        self._kept: dict[str, Any] | None = {} if read_only else None
        if read_only and not path.exists():
            raise StoreUnavailableError(f"no database at {path} yet: nothing has run on this site",
                                        absent=True)
        if prepare and not read_only:
            make_private(path, mode, create=True)
        pragmas: dict[str, Any] = {"foreign_keys": 1, "synchronous": "full",
                                   "journal_size_limit": 64 << 20, "temp_store": "memory"}
        if read_only:
            pragmas |= {"query_only": 1}
        else:
            pragmas |= {"journal_mode": "wal"}
        self.db = (_ReadOnly if read_only else pw.SqliteDatabase)(
            str(path), pragmas=pragmas, timeout=busy_s, check_same_thread=False)
        self.db.register_function(matches, "matches", 2)
        if prepare and not read_only:
            self._prepare()

    def _prepare(self) -> None:
        with self.write():
            version = self.db.execute_sql("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise Iop4dError(
                    f"{self.path} was written by a newer iop4d (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}): install that version, or restore a backup")
            if 0 < version < SCHEMA_VERSION:
                migrate(self.db)
            for table in TABLES:
                pw.SchemaManager(table, self.db).create_all(safe=True)
            for trigger in TRIGGERS:
                self.db.execute_sql(trigger)
            self.db.execute_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection of this thread; of a read-only database it is closed at the end.

        Raises StoreUnavailableError, also for a statement inside that SQLite could not carry out.
        """
        opened = False
        try:
            opened = self.db.connect(reuse_if_open=True)
            yield Connection(self.db, self._kept)
        except pw.IntegrityError:
            raise  # a fault of the program
        except pw.DatabaseError as error:
            raise _unavailable(error, full=_is_full(self.path.parent)) from error
        finally:
            if opened and self.read_only:
                self.db.close()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction: all of it is committed, or nothing.

        It is an immediate one: a deferred one that writes late is refused at once when another
        process committed in between, whatever the busy timeout.
        """
        with self.read(), self.db.atomic("IMMEDIATE"):
            yield Transaction(self.db)

    def checkpoint(self) -> None:
        """Bring what the write-ahead log holds into the database file, and empty the log."""
        self.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.db.is_closed():
            self.db.close()


def make_private(path: Path, mode: int = PRIVATE, *, create: bool = False) -> None:
    """Give a database and the files beside it their rights; SQLite makes the latter with the same.

    ``create``: make the file if there is none. Files of another account stay as they are.
    """
    with suppress(OSError):  # who may not do this is told so by SQLite
        if create:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode))
        for end in ("", "-wal", "-shm", "-journal"):
            file = path.with_name(path.name + end)
            if file.exists() and stat.S_IMODE(file.stat().st_mode) != mode:
                file.chmod(mode)


def _unavailable(error: pw.DatabaseError, *, full: bool) -> StoreUnavailableError:
    text = str(error)
    if "no such table" in text:
        return StoreUnavailableError("the database is being prepared", absent=True)
    if "locked" in text or "busy" in text:
        return StoreUnavailableError("the database is locked by another program")
    if "full" in text or (full and "I/O" in text):
        return StoreUnavailableError("the disk is full: the database cannot be written")
    if "readonly" in text:
        return StoreUnavailableError("the database cannot be written by this account")
    return StoreUnavailableError(f"the database cannot be read: {text}")


def sqlite_version() -> str:
    """The version of the SQLite that is used."""
    return str(pw.sqlite3.sqlite_version)


def check_library(version: tuple[int, ...]) -> None:
    """Refuse an SQLite that can lose commits when several connections write (WAL-reset bug)."""
    _, minor, patch = version[:3]
    if version[0] == 3 and (minor > 51 or patch >= _FIXED.get(minor, 1 << 30)):
        return
    raise Iop4dError(
        f"SQLite {'.'.join(map(str, version))} can lose commits (its WAL-reset bug): install "
        "pysqlite3 0.6.1 or newer, or a Python with SQLite 3.51.3 or newer")


def finite(value: float | None) -> float | None:
    """NaN and infinities as None, which SQLite and JSON both know."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None) -> float:
    """None as NaN."""
    return float("nan") if value is None else float(value)
