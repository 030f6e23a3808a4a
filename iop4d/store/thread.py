"""The one thread that owns the daemon's database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from iop4d.config.store import Place
from iop4d.store.database import (
    PRIVATE,
    Connection,
    Database,
    StoreUnavailableError,
    Transaction,
)
from iop4d.store.lasting import Lasting

P = ParamSpec("P")
T = TypeVar("T")

_HOLD = 10.0  # seconds between looks whether this is still the one daemon on the database


class DatabaseThread:
    """Runs queries off the event loop, one after the other, each with its connection.

    ``await database.write(jobs.recover, now)`` runs ``jobs.recover(transaction, now)`` in one
    transaction.
    """

    def __init__(self, lasting: Lasting, executor: ThreadPoolExecutor) -> None:
        self._lasting = lasting
        self._executor = executor

    @classmethod
    def of(cls, place: Place, *, mode: int = PRIVATE) -> DatabaseThread:
        """A site's database on a thread of its own, which is to be opened.

        ``mode``: the rights of its files.
        """
        return cls(Lasting(partial(Database, place, mode=mode)),
                   ThreadPoolExecutor(1, thread_name_prefix="database"))

    async def open(self) -> None:
        """Open the database, bring it up to date, and be the one daemon on it; waits for a server
        that is away. Raises Iop4dError where another daemon works on it."""
        await self.run(self._lasting.claim)

    async def hold(self, stop: asyncio.Event) -> None:
        """Stay the one daemon on it until told to stop, though the connection that says so may be
        dropped while nothing uses it. Raises Iop4dError where another daemon came first then."""
        while not stop.is_set():
            try:
                await self.run(self._lasting.claim)
                async with asyncio.timeout(_HOLD):
                    await stop.wait()
            except TimeoutError:
                continue
            except StoreUnavailableError:
                if not stop.is_set():
                    raise

    async def lead(self) -> bool:
        """Whether this daemon is the one of several nodes' that does what is done once."""
        return await self.run(self._lasting.lead)

    @property
    def away(self) -> str:
        """Why nothing is read or written now; empty while all is well."""
        return self._lasting.away

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args,
                   **kwargs: P.kwargs) -> T:
        """What a query answers."""
        return await self.run(self._lasting.read,
                              lambda connection: query(connection, *args, **kwargs))

    async def write(self, act: Callable[Concatenate[Transaction, P], T], *args: P.args,
                    **kwargs: P.kwargs) -> T:
        """Run a function in one transaction, which is committed when it returns."""
        return await self.run(self._lasting.write,
                              lambda transaction: act(transaction, *args, **kwargs))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the thread, with no connection."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, partial(function, *args, **kwargs))

    async def checkpoint(self) -> None:
        """Bring what the write-ahead log holds into the database file."""
        await self.run(self._lasting.database.checkpoint)

    def end_waiting(self) -> None:
        """From now on a server that is away is an error at once."""
        self._lasting.end()

    def close(self) -> None:
        """Wait for what still runs, and close the database."""
        self.end_waiting()
        self._executor.submit(self._lasting.close).result()
        self._executor.shutdown()
