"""Open the site's SQLite database: WAL, every commit on the disk, one writer at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.crashpoint import crash_point
from iop4d.model.errors import Iop4dError
from iop4d.store.migrate import migrate
from iop4d.store.tables import SCHEMA_VERSION, TABLES

#: Releases with the fix of the WAL-reset bug, by minor series (sqlite.org/wal.html#walresetbug).
_FIXED = {44: 6, 50: 7, 51: 3}


class Database:
    """The database of one site. Binds the tables to it; open one at a time in a process.

    ``write()`` gives an immediate transaction: a deferred one that writes late is refused at once
    when another process committed in between, whatever the busy timeout.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        check_library(pw.sqlite3.sqlite_version_info)
        self.path = path
        self.read_only = read_only
        if read_only and not path.exists():
            raise Iop4dError(f"no database at {path} yet: nothing has run on this site")
        pragmas: dict[str, Any] = {"foreign_keys": 1, "synchronous": "full",
                                   "journal_size_limit": 64 << 20, "temp_store": "memory"}
        if read_only:
            pragmas |= {"query_only": 1}
        else:
            pragmas |= {"journal_mode": "wal"}
        self.db = pw.SqliteDatabase(str(path), pragmas=pragmas, timeout=10,
                                    check_same_thread=False)
        self.db.bind(TABLES)
        if not read_only:
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
            self.db.create_tables(TABLES, safe=True)
            self.db.execute_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def write(self) -> Iterator[None]:
        """One immediate transaction: all of it is committed, or nothing."""
        with self.connected():
            with self.db.atomic("IMMEDIATE"):
                yield
                crash_point("commit-before")
            crash_point("commit-after")

    @contextmanager
    def connected(self) -> Iterator[None]:
        """A connection of this thread, closed at the end if it was opened here."""
        opened = self.db.connect(reuse_if_open=True)
        try:
            yield
        finally:
            if opened and self.read_only:
                self.db.close()

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.db.is_closed():
            self.db.close()


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
