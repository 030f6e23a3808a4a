"""The database as the site reads it: opened when there is one, its troubles as one exception."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee as pw

from iop4d.model.errors import Iop4dError
from iop4d.store.database import Database

#: A page that waits longer for a lock is better told so.
_BUSY_SECONDS = 2.0


class UnavailableError(Exception):
    """The database cannot be read now. ``absent``: there is none yet, which is no fault."""

    def __init__(self, why: str, *, absent: bool = False) -> None:
        self.why = why
        self.absent = absent
        super().__init__(why)


class Reader:
    """Read-only access to the site's database, from any thread, from before it exists."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Database | None = None
        self._opening = threading.Lock()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """A connection of this thread; raises UnavailableError, also for what fails inside."""
        database = self._open()
        try:
            with database.connected():
                yield
        except pw.DatabaseError as error:
            raise _unavailable(error) from error

    def _open(self) -> Database:
        with self._opening:
            if not self._path.exists():
                # A connection would make an empty file, which the daemon has not prepared.
                self._database = None
                raise UnavailableError("nothing has run on this site yet", absent=True)
            if self._database is None:
                try:
                    self._database = Database(self._path, read_only=True, busy_s=_BUSY_SECONDS)
                except Iop4dError as error:
                    raise UnavailableError(str(error)) from error
            return self._database


def _unavailable(error: pw.DatabaseError) -> UnavailableError:
    text = str(error)
    if "no such table" in text:
        return UnavailableError("the database is being prepared", absent=True)
    if "locked" in text or "busy" in text:
        return UnavailableError("the database is locked by another program")
    return UnavailableError(f"the database cannot be read: {text}")
