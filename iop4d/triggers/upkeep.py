"""Finds the sources of notices that the catalogue did not have, once it has changed."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.config.triggers import Triggers
from iop4d.store import catalogue
from iop4d.store.database import Transaction
from iop4d.store.thread import DatabaseThread
from iop4d.triggers.receive import match_again


class Matching:
    """Looks again at notices without a source whenever the catalogue is another one."""

    def __init__(self, settings: Triggers, database: DatabaseThread,
                 clock: Callable[[], float]) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._version = -1

    async def run_once(self) -> None:
        """Look, if the catalogue changed since the last look."""
        version = await self._database.read(catalogue.version)
        if version != self._version:
            await self._database.write(self._match)
            self._version = version

    def _match(self, tx: Transaction) -> None:
        match_again(tx, self._settings, self._clock())
