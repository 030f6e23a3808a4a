"""The one thread that owns the daemon's database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from iop4d.config.store import Place
from iop4d.store.database import PRIVATE, Connection, Database, Transaction

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """Runs queries off the event loop, one after the other, each with its connection.

    ``await database.write(jobs.recover, now)`` runs ``jobs.recover(transaction, now)`` in one
    transaction.
    """

    def __init__(self, database: Database, executor: ThreadPoolExecutor) -> None:
        self._database = database
        self._executor = executor

    @classmethod
    async def open(cls, place: Place, *, mode: int = PRIVATE) -> DatabaseThread:
        """Open a site's database on a thread of its own, and bring it up to date.

        ``mode``: the rights of its files.
        """
        executor = ThreadPoolExecutor(1, thread_name_prefix="database")
        try:
            database = await asyncio.get_running_loop().run_in_executor(
                executor, partial(Database, place, mode=mode))
        except BaseException:
            executor.shutdown()
            raise
        return cls(database, executor)

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args,
                   **kwargs: P.kwargs) -> T:
        """What a query answers."""
        def run() -> T:
            with self._database.read() as connection:
                return query(connection, *args, **kwargs)
        return await self.run(run)

    async def write(self, act: Callable[Concatenate[Transaction, P], T], *args: P.args,
                    **kwargs: P.kwargs) -> T:
        """Run a function in one transaction, which is committed when it returns."""
        def run() -> T:
            with self._database.write() as transaction:
                return act(transaction, *args, **kwargs)
        return await self.run(run)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the thread, with no connection."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, partial(function, *args, **kwargs))

    async def checkpoint(self) -> None:
        """Bring what the write-ahead log holds into the database file."""
        await self.run(self._database.checkpoint)

    def close(self) -> None:
        """Wait for what still runs, and close the database."""
        self._executor.submit(self._database.close).result()
        self._executor.shutdown()
