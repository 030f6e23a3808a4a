"""A database whose server may go away and come back: what was under way is done once, then.

A file of SQLite never goes away; what fails there fails at once. Another program that writes to
either for long is waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from iop4d.store.database import Connection, Database, StoreUnavailableError, Transaction

T = TypeVar("T")

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds between looks whether the server is back


class Lasting:
    """Reads and writes of one thread, which wait for as long as the server is away.

    ``make``: opens the database, at the first use. Until :meth:`end` is called: from then on an
    absent server is an error, StoreUnavailableError, at once.
    """

    def __init__(self, make: Callable[[], Database]) -> None:
        self._make = make
        self._database: Database | None = None
        self._end = threading.Event()
        self._claims = False
        self.away = ""  # why nothing is read or written now; empty while all is well

    @property
    def database(self) -> Database:
        """The database; opened if it is not yet."""
        while self._database is None:
            try:
                self._database = self._make()
            except StoreUnavailableError as error:
                self._wait(error)
        return self._database

    def read(self, query: Callable[[Connection], T]) -> T:
        """What a query answers."""
        while True:
            try:
                with self.database.read() as db:
                    return query(db)
            except StoreUnavailableError as error:
                self._wait(error)

    def write(self, act: Callable[[Transaction], T]) -> T:
        """Run a function in one transaction, which is committed when this returns.

        Where the server went away before that, the function is called again in a new one, unless
        the server says that the first one was committed.
        """
        while True:
            mark: str | None = None
            try:
                with self.database.write() as tx:
                    answer = act(tx)
                    mark = tx.mark
                self.away = ""
                return answer
            except StoreUnavailableError as error:
                self._wait(error)
                if mark and self._is_committed(mark):
                    return answer

    def claim(self) -> None:
        """Be the one daemon on this database, or of its node, from now on; raises Iop4dError if
        there is one."""
        self._claims = True
        self.read(lambda _: self._claim_again())

    def _claim_again(self) -> None:
        if self._claims:
            self.database.kind.claim()

    def lead(self) -> bool:
        """Whether this daemon is the one of several nodes' that does what is done once."""
        return self.read(lambda _: self.database.kind.lead())

    def end(self) -> None:
        """Wait no more."""
        self._end.set()

    def close(self) -> None:
        """Close this thread's connection; another daemon may work on the database."""
        if self._database is not None:
            self._database.kind.unclaim()
            self._database.close()

    def _is_committed(self, mark: str) -> bool:
        while True:
            try:
                with self.database.read():
                    return self.database.kind.is_committed(mark)
            except StoreUnavailableError as error:
                self._wait(error)

    def _wait(self, error: StoreUnavailableError) -> None:
        """Until the server answers; raises the error where it is none of an absent server."""
        if error.locked and not self._end.wait(_FIRST_PAUSE):
            self.away = str(error)  # until something is written; each try waits by itself
            log.error("%s; trying again", error)
            return
        if not self._passes(error):
            raise error
        self.away, began, pause = str(error), time.monotonic(), _FIRST_PAUSE
        log.error("%s; trying again until it is back", error)
        try:
            while not self._end.wait(pause):
                pause = min(2.0 * pause, _LONGEST_PAUSE)
                if self._answers():
                    log.warning("the database server is back after %.1f s",
                                time.monotonic() - began)
                    return
            raise error
        finally:
            self.away = ""

    def _answers(self) -> bool:
        try:
            database = self._database or self._make()
            with database.read() as db:
                db.rows("SELECT 1")
                self._database = database
                self._claim_again()
        except StoreUnavailableError as error:
            return not self._passes(error)
        return True

    def _passes(self, error: StoreUnavailableError) -> bool:
        """Whether it is of an absent server, or of one that let us in before: a password that is
        being changed, say."""
        return error.lost or (error.refused and self._database is not None)
