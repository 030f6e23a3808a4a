"""What comes from outside: files that archives deliver, and changes of the catalogue."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

from iop4d.config import Site
from iop4d.ledger.engines import Engine
from iop4d.ledger.ledger import FoundFile, Ledger
from iop4d.model.frame import CompleteFile
from iop4d.model.source import Catalogue
from iop4d.reduction.context import WorkerContext
from iop4d.store import catalogue
from iop4d.store.database import Connection
from iop4d.store.thread import DatabaseThread

log = logging.getLogger(__name__)

_LIVE = 60.0  # seconds within which a file that appeared counts as live


class Intake:
    """Hands files of archives to the ledger. ``wake``: who does the work."""

    def __init__(self, ledger: Ledger, database: DatabaseThread, clock: Callable[[], float],
                 wake: Callable[[], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._database = database
        self._clock = clock
        self._wake = wake

    async def deliver(self, archive: str, files: Iterable[CompleteFile]) -> None:
        """Take in files of an archive."""
        now = self._clock()
        found = [FoundFile(archive=archive, path=file.path, size=file.size,
                           mtime_ns=file.mtime_ns, completed_at=file.completed_at,
                           live=file.announced or abs(now - file.mtime_ns / 1e9) < _LIVE)
                 for file in files]
        await self._database.write(self._ledger.accept, found)
        await self._wake()


class CatalogueFollower:
    """Gives workers the catalogue as it is now, and has results follow it."""

    def __init__(self, site: Site, ledger: Ledger, database: DatabaseThread, engine: Engine,
                 wake: Callable[[], Awaitable[None]]) -> None:
        self._site = site
        self._ledger = ledger
        self._database = database
        self._engine = engine
        self._wake = wake
        self._version = -1

    async def run_once(self) -> None:
        """Look whether the catalogue changed, and follow it."""
        loaded = await self._database.read(_newer, self._version)
        if loaded is None:
            return
        self._engine.set_context(WorkerContext(site=self._site, catalogue=loaded), loaded.version)
        self._version = loaded.version
        series, groups = await self._database.write(self._ledger.follow_catalogue, loaded.version)
        if series or groups:
            log.info("the catalogue changed: %d light curves and %d polarimetry groups are "
                     "recalibrated", series, groups)
            await self._wake()


def _newer(db: Connection, version: int) -> Catalogue | None:
    return None if catalogue.version(db) == version else catalogue.load(db)
