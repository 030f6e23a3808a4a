"""A site whose state the tests tell, with one rule about the system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from iop4d.alerts import system_measures
from iop4d.alerts.system_measures import SystemState
from iop4d.alerts.system_rules import SystemRules
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Alert, Frame, Outbox
from tests.alerts.bench import channel, site_of
from tests.conftest import FakeClock
from tests.support.rows import rows

ARCHIVE = '[[archive]]\nname = "one"\npath = "raw"\ntelescope = "OSN-T090"\n'
HOUR = 3600.0
DAY = 24 * HOUR


class System:
    """A site whose state a test sets."""

    def __init__(self, root: Path, condition: str, more: str = "") -> None:
        self.clock = FakeClock()
        self.site = site_of(root, ARCHIVE, f'[[rule]]\nname = "r"\ncondition = "{condition}"\n'
                            f'hold_minutes = 10\nchannels = ["team"]\n{more}', channel())
        self.database = Database(self.site.database)
        self.night = True
        self.unknown: dict[str, list[str]] = {}
        self.rules = SystemRules(self.site, self.clock, lambda _: self.night,
                                 lambda _: self.unknown)
        self.beat: dict[str, Any] = {"disk_free_gb": 100.0, "archives": [
            {"name": "one", "state": "ok"}]}

    def look(self, minutes: float = 0.0, *, every: int = 1) -> list[tuple[str, str]]:
        """Look every so many minutes for so long; the alerts."""
        for _ in range(int(minutes) // every + 1):
            with self.database.write() as tx:
                self.rules.run_once(tx, self.beat)
            self.clock.advance(60.0 * every)
        return [(row.source, row.state) for row in rows(self.database, Alert)]

    def told(self) -> list[str]:
        return [row.content["state"] for row in rows(self.database, Outbox)]


Make = Callable[..., System]


def frame(tx: Transaction, now: float, **columns: Any) -> Frame:
    return tx.create(Frame, **{
        "archive": "one", "path": f"/x/{now}", "name": "x.fit", "size": 1, "mtime_ns": 1,
        "state": "done", "telescope": "OSN-T090", "kind": "science", "completed_at": now,
        "seen_at": now, "changed_at": now, **columns})


def measured(it: System, quantity: str, window: float = 1.0, **more: Any) -> dict[str, float]:
    """What a rule about the system is compared with now."""
    with it.database.read() as db:
        state = SystemState(db=db, site=it.site, now=it.clock(), beat=it.beat, **{
            "observes": lambda _: True, **more})
        return system_measures.MEASURES[quantity](state, window)
