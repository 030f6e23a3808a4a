"""The site's database: SQLite's file, or a schema of a PostgreSQL server.

What a query needs stands here: :class:`Connection`, :class:`Transaction` and their
:class:`Database`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.config.store import Place, ServerPlace, as_place
from iop4d.store.connection import Connection, Transaction
from iop4d.store.kind import Kind, StoreUnavailableError, of_other_schema
from iop4d.store.postgresql import Postgresql
from iop4d.store.schema import SCHEMA_VERSION
from iop4d.store.sqlite import (
    GROUP_READS,
    PRIVATE,
    Sqlite,
    is_empty,
    make_private,
    sqlite_version,
)

__all__ = ["GROUP_READS", "PRIVATE", "Connection", "Database", "StoreUnavailableError",
           "Transaction", "finite", "is_empty", "is_there", "make_private", "number",
           "plain", "sqlite_version"]


class Database:
    """The database of one site, for any thread; each has a connection of its own.

    ``busy_s``: how long a statement waits for another writer's lock. ``prepare``: whether to make
    and migrate the tables, where this may write; who only requests something leaves that to others.
    ``mode``: the rights of its files, if it has some.
    """

    def __init__(self, place: Place | Path, *, read_only: bool = False, busy_s: float = 10.0,
                 prepare: bool = True, mode: int = PRIVATE) -> None:
        self.place = as_place(place)
        self.read_only = read_only
        self._kept: dict[str, Any] | None = {} if read_only else None
        prepare = prepare and not read_only
        self.kind: Kind = (
            Postgresql(self.place.reader_url if read_only else self.place.url,
                       self.place.password, read_only=read_only, busy_s=busy_s,
                       node=self.place.node)
            if isinstance(self.place, ServerPlace) else
            Sqlite(self.place.path, read_only=read_only, busy_s=busy_s, create=prepare, mode=mode))
        self.db = self.kind.db
        if prepare:
            try:
                with self.read():
                    self.kind.prepare()
            except BaseException:
                self.close()
                self.kind.discard()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection of this thread; of a file that is only read it is closed at the end.

        Raises StoreUnavailableError, also for a statement inside that could not be carried out.
        """
        opened = False
        try:
            opened = self.db.connect(reuse_if_open=True)
            yield Connection(self.kind, self._kept)
        except pw.IntegrityError:
            raise  # a fault of the program
        except (pw.DatabaseError, pw.InterfaceError) as error:
            raise self.kind.unavailable(error) from error
        finally:
            if opened and self.read_only and not self.kind.is_lasting:
                self.db.close()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction: all of it is committed, or nothing; no other writes meanwhile."""
        with self.read(), self.kind.transaction() as mark:
            yield Transaction(self.kind, mark)

    def check_schema(self) -> None:
        """Raise StoreUnavailableError where the tables are of another version than this program's,
        which who only reads does not bring to it."""
        with self.read():
            version = self.kind.version()
        if version == SCHEMA_VERSION:
            return
        if not version and not isinstance(self.place, ServerPlace) and is_empty(self.place.path):
            raise self.kind.unavailable(pw.OperationalError("no such table"))
        if not version:
            raise StoreUnavailableError(f"{self.place} holds no tables of iop4d yet: nothing has "
                                        "run on this site", absent=True)
        raise of_other_schema(str(self.place), version)

    def checkpoint(self) -> None:
        """The database's own upkeep, once a day."""
        self.kind.tidy()

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.db.is_closed():
            self.db.close()


def is_there(place: Place | Path) -> bool:
    """Whether a database was ever made at a place; raises StoreUnavailableError where none can
    tell."""
    where = as_place(place)
    if not isinstance(where, ServerPlace):
        return where.path.exists()
    database = Database(where, read_only=True)
    try:
        with database.read() as db:
            return db.rows("SELECT to_regclass('meta')")[0][0] is not None
    finally:
        database.close()


def finite(value: float | None) -> float | None:
    """NaN and infinities as None, which SQLite and JSON both know."""
    return value if value is not None and math.isfinite(value) else None


def plain(one: object, names: Iterable[str]) -> dict[str, Any]:
    """Attributes by their names; NaN and infinities as None."""
    return {name: None if isinstance(value := getattr(one, name), float)
            and not math.isfinite(value) else value for name in names}


def number(value: float | None) -> float:
    """None as NaN."""
    return float("nan") if value is None else float(value)
