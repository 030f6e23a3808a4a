"""SQLite: WAL, every commit on the disk, one writer at a time."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import peewee as pw

from iop4d.model.errors import Iop4dError
from iop4d.store.kind import StoreUnavailableError, of_other_schema
from iop4d.store.migrate import migrate
from iop4d.store.patterns import matches
from iop4d.store.schema import SCHEMA_VERSION, TABLES

#: Releases with the fix of the WAL-reset bug, by minor series (sqlite.org/wal.html#walresetbug).
_SHARED = 65536  # bytes free that SQLite needs to share memory between processes
_MOST_WRONG = 20  # faults of a file that are named
_FIXED = {44: 6, 50: 7, 51: 3}

#: What SQLite says of missing rights, in words.
_RIGHTS = {"readonly": "the database cannot be written by this account",
           "unable to open": "the database cannot be opened by this account: it may not read the "
                             "file, or not write beside it"}
#: Rights of the database's files.
PRIVATE = 0o600
GROUP_READS = 0o640


class Sqlite:
    """A file of SQLite; see :class:`kind.Kind`. Its files are for their owner alone, or as ``mode``
    says: hashes of passwords are in them."""

    is_lasting = False

    def __init__(self, path: Path, *, read_only: bool, busy_s: float, create: bool,
                 mode: int) -> None:
        check_library(pw.sqlite3.sqlite_version_info)
        self._path = path
        self.node = ""
        if read_only and not path.exists():
            raise StoreUnavailableError(f"no database at {path} yet: nothing has run on this site",
                                        absent=True)
        self._is_new = create and not path.exists()
        if create:
            make_private(path, mode, create=True)
        pragmas: dict[str, Any] = {"foreign_keys": 1, "synchronous": "full",
                                   "journal_size_limit": 64 << 20, "temp_store": "memory"}
        if read_only:
            pragmas |= {"query_only": 1}
        else:
            pragmas |= {"journal_mode": "wal"}
        self.db: pw.Database = (_ReadOnly if read_only else pw.SqliteDatabase)(
            str(path), pragmas=pragmas, timeout=busy_s, check_same_thread=False)
        self.db.register_function(matches, "matches", 2)

    def sql(self, text: str) -> str:
        """As it is."""
        return text

    def insert(self, text: str, values: list[Any], key: str) -> int:
        """Make a row; the value of its key."""
        return int(self.db.execute_sql(text, values).lastrowid)

    def run_each(self, text: str, rows: list[list[Any]]) -> None:
        """One after the other."""
        with pw.__exception_wrapper__:
            self.db.connection().executemany(text, rows)

    def note_keys(self, table: str, key: str) -> None:
        """Nothing: SQLite looks at the largest key itself."""

    def is_in_transaction(self) -> bool:
        """Whether the transaction still runs: SQLite itself ends one when a disk fills, say."""
        return bool(self.db.connection().in_transaction)

    @contextmanager
    def transaction(self) -> Iterator[str]:
        """An immediate one: a deferred one that writes late is refused at once when another
        process committed in between, whatever the busy timeout."""
        with self.db.atomic("IMMEDIATE"):
            yield ""

    def is_committed(self, mark: str) -> bool:
        """Of no use: a file is not lost amid a commit."""
        raise NotImplementedError(mark)

    def prepare(self) -> None:
        """Make the tables, or bring those of an older schema to this one."""
        with self.transaction():
            version = self.version()
            if version > SCHEMA_VERSION:
                raise Iop4dError(
                    f"{self._path} was written by a newer iop4d (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}): install that version, or restore a backup")
            if 0 < version < SCHEMA_VERSION:
                migrate(self)
            for statement in (*_ddl(), *_TRIGGERS):
                self.db.execute_sql(statement)
            self.db.execute_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def discard(self) -> None:
        """Remove the file that this made, where a full disk let nothing be written into it."""
        if self._is_new and is_empty(self._path) and _is_full(self._path.parent):
            for end in ("-wal", "-shm", ""):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def version(self) -> int:
        """The schema's version; 0: there are no tables yet."""
        return int(self.db.execute_sql("PRAGMA user_version").fetchone()[0])

    def claim(self) -> None:
        """Nothing: the lock of the site's folder keeps other daemons away from the file."""

    def lead(self) -> bool:
        """Always: there is no other."""
        return True

    def unclaim(self) -> None:
        """Nothing: see ``claim``."""

    def unavailable(self, error: pw.PeeweeException) -> StoreUnavailableError:
        """What an error of SQLite means, in words."""
        # What fails as a transaction is undone, as SQLite has ended it, hides what ended it.
        first: BaseException = error
        while isinstance(first.__context__, pw.PeeweeException | pw.sqlite3.Error):
            first = first.__context__
        text = str(first)
        if "no such table" in text or "no such column" in text:
            return self._without_tables()
        if "locked" in text or "busy" in text:
            return StoreUnavailableError("the database is locked by another program", locked=True)
        if "full" in text or ("I/O" in text and _is_full(self._path.parent)):
            return StoreUnavailableError("the disk is full: the database cannot be written")
        if said := next((said for words, said in _RIGHTS.items() if words in text), ""):
            return StoreUnavailableError(said)
        if "not a database" in text or "malformed" in text:
            return StoreUnavailableError(
                f"the database is damaged ({text}): stop the daemon, and restore the newest "
                "backup that is sound: iop4d backup --list, iop4d restore")
        return StoreUnavailableError(f"the database cannot be read: {text}")

    def _without_tables(self) -> StoreUnavailableError:
        """Why there is no such table or column, which all of this schema have."""
        if is_empty(self._path):
            return StoreUnavailableError(
                f"the database {self._path} is empty (0 bytes), so nothing is left of what it "
                "held: restore a backup (iop4d backup --list, iop4d restore); where nothing ever "
                "ran on this site, iop4d run fills it")
        if (version := self.version()) not in (0, SCHEMA_VERSION):
            return of_other_schema(f"the database {self._path}", version)
        return StoreUnavailableError("the database is being prepared", absent=True)

    def tidy(self) -> None:
        """Bring what the write-ahead log holds into the database file, and empty the log."""
        self.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def save_as(self, path: Path) -> bool:
        """By SQLite's backup, in one step: in WAL mode nobody who writes waits for it."""
        target = pw.sqlite3.connect(str(path))
        try:
            self.db.connection().backup(target)
            target.execute("PRAGMA journal_mode = delete")  # one file, with no log beside it
        finally:
            target.close()
        return True

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A transaction that only reads, which in WAL mode is one."""
        self.db.execute_sql("BEGIN")
        try:
            yield
        finally:
            self.db.execute_sql("COMMIT")

    def wrong(self) -> list[str]:
        """What SQLite's check of the whole file finds, its first lines."""
        try:
            found = [str(row[0]) for row in self.db.execute_sql(
                f"PRAGMA integrity_check({_MOST_WRONG})").fetchall()]
            lost = self.db.execute_sql("PRAGMA foreign_key_check").fetchmany(_MOST_WRONG)
        except (pw.DatabaseError, pw.sqlite3.DatabaseError) as error:
            return [str(error)]  # worse than what the check itself would name
        return [text for text in found if text != "ok"] + [
            f"a row of {table} refers to one of {parent} that is not there"
            for table, _, parent, _ in lost] + self.missing()

    def missing(self) -> list[str]:
        """By the tables and columns of a new file; an index that is not there is made at once by
        whatever writes."""
        if self.version() != SCHEMA_VERSION:
            return []
        there = _columns(self.db.execute_sql)
        tables = {table for table, _ in there}
        return [f"the table {name} is missing"
                for name in dict.fromkeys(table for table, _ in _columns_of_new())
                if name not in tables] + [
            f"the column {column} of the table {table} is missing"
            for table, column in _columns_of_new()
            if table in tables and (table, column) not in there]

    def forbidden(self) -> list[str]:
        """Nothing: the rights of a file are the kernel's to say."""
        return []


def is_empty(path: Path) -> bool:
    """Whether the file of a database is there with nothing in it, nor in the log beside it."""
    log = path.with_name(path.name + "-wal")
    try:
        return path.stat().st_size == 0 and not (log.exists() and log.stat().st_size)
    except OSError:
        return False


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


@cache
def _ddl() -> tuple[str, ...]:
    """What makes the tables and indexes that are missing; each opening of a database runs it."""
    anywhere, parts = pw.SqliteDatabase(None), []
    for table in TABLES:
        manager = pw.SchemaManager(table, anywhere)
        for statement in (manager._create_table(safe=True), *manager._create_indexes(safe=True)):
            text, values = statement.query()
            assert not values, text
            parts.append(text)
    return tuple(parts)


def _columns(run: Callable[[str], Any]) -> list[tuple[str, str]]:
    """Every table of a file with each of its columns."""
    found = run("SELECT m.name, c.name FROM sqlite_master AS m "
                "JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' "
                "AND m.name NOT LIKE 'sqlite_%' ORDER BY m.rowid, c.cid").fetchall()
    return [(str(table), str(column)) for table, column in found]


@cache
def _columns_of_new() -> tuple[tuple[str, str], ...]:
    """The same of a new file."""
    memory = pw.sqlite3.connect(":memory:")
    try:
        for statement in _ddl():
            memory.execute(statement)
        return tuple(_columns(memory.execute))
    finally:
        memory.close()


_NOTE = ("INSERT INTO resultchange (result, source, band, token) "
         "VALUES ({row}.id, {row}.source, {row}.band, random());")

#: What the database does by itself, whichever program writes: see ``schema.ResultChange``.
_TRIGGERS: tuple[str, ...] = (
    f"CREATE TRIGGER IF NOT EXISTS result_made AFTER INSERT ON result "
    f"BEGIN {_NOTE.format(row='NEW')} END",
    f"CREATE TRIGGER IF NOT EXISTS result_changed AFTER UPDATE ON result "
    f"BEGIN {_NOTE.format(row='NEW')} END",
    f"CREATE TRIGGER IF NOT EXISTS result_moved AFTER UPDATE ON result "
    f"WHEN OLD.source IS NOT NEW.source OR OLD.band IS NOT NEW.band "
    f"BEGIN {_NOTE.format(row='OLD')} END",
    f"CREATE TRIGGER IF NOT EXISTS result_deleted AFTER DELETE ON result "
    f"BEGIN {_NOTE.format(row='OLD')} END",
)
