"""The daemon's heartbeat: what it does, written every two seconds for pages and monitors."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iop4d import __version__
from iop4d.model.states import DaemonState
from iop4d.store import health, status
from iop4d.store.database import Transaction
from iop4d.store.thread import DatabaseThread
from iop4d.system.disk import free_bytes

BEAT = 2.0  # seconds between heartbeats


class Heartbeat:
    """What a daemon says of itself, and when it last could.

    ``parts`` gives what the daemon's parts say: ``archives`` and ``workers`` among it.
    """

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self._root = root
        self._clock = clock
        self._started_at = clock()
        self.state = DaemonState.STARTING
        self.config_error = ""  # why a new site file was rejected
        self.clock_set: dict[str, float] | None = None  # when it was, and by how many seconds
        self.wrong_rules: list[dict[str, str]] = []  # name and why, of those that are not used
        self.beaten_at = time.monotonic()  # when the database was last written for sure
        self.line = "starting"  # the night's counts, for people
        self.last: dict[str, Any] = {}

    async def beat(self, database: DatabaseThread, parts: Mapping[str, Any]) -> None:
        """Write a heartbeat."""
        free = await asyncio.to_thread(free_bytes, self._root)
        self.last = {
            "pid": os.getpid(), "version": __version__, "state": self.state.value,
            "started_at": self._started_at, "beat_at": self._clock(),
            "disk_free_gb": round(free / 1e9, 1), "config_error": self.config_error,
            "wrong_rules": self.wrong_rules, "clock_set": self.clock_set, **parts}
        without = "".join(f"running without the rule '{rule['name']}': {rule['why']}; "
                          for rule in self.wrong_rules)
        trouble = f"reduces nothing: {parts['trouble']}; " if parts.get("trouble") else ""
        self.line = trouble + without + await database.write(_written, self.last, self._clock())
        self.beaten_at = time.monotonic()


def _written(tx: Transaction, beat: Mapping[str, Any], now: float) -> str:
    status.beat(tx, dict(beat))
    others = [beat[name] for name in ("engine", "triggers") if beat.get(name)]
    health.note_outages(tx, [*beat["archives"], *others], now)
    return status.night_line(tx)
