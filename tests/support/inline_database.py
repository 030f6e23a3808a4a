"""Stands in for the daemon's database thread: runs queries in the thread of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from iop4d.store.database import Database
from iop4d.store.lasting import Lasting
from iop4d.store.thread import DatabaseThread

P = ParamSpec("P")
T = TypeVar("T")


class InlineDatabase(DatabaseThread):
    """A database whose queries are done at once."""

    def __init__(self, database: Database) -> None:
        self._lasting = Lasting(lambda: database)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function now."""
        await asyncio.sleep(0)
        return function(*args, **kwargs)
