"""Whose frames go before all others: targets of opportunity, sources of active alerts and triggers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from iop4d.model.source import canonical
from iop4d.store import alerts, catalogue, sources, triggers
from iop4d.store.database import Connection
from iop4d.store.jobs import Priority

_LOOK = 5.0  # seconds for which names are kept: an alert that fires is followed that soon


class Urgency:
    """Tells from a frame's file name and OBJECT how urgent it is."""

    def __init__(self, first: Iterable[str], clock: Callable[[], float]) -> None:
        self._first = tuple(first)
        self._clock = clock
        self._names: frozenset[str] = frozenset()
        self._begins = re.compile("")
        self._look_at = float("-inf")
        self._made_of: tuple[int, frozenset[str]] = (-1, frozenset())

    def bonus(self, db: Connection, name: str, object_: str = "") -> int:
        """What a frame's jobs get on top of their priority."""
        names, begins = self._current(db)
        urgent = bool(names) and (canonical(object_) in names
                                  or begins.match(Path(name).name) is not None)
        return Priority.FIRST * urgent

    def _current(self, db: Connection) -> tuple[frozenset[str], re.Pattern[str]]:
        """The urgent sources' names, all that the catalogue has for them, and how files begin."""
        if not 0.0 <= self._clock() - self._look_at < _LOOK:
            self._look_at = self._clock()
            firing = alerts.firing_sources(db) | triggers.active_sources(db, self._look_at)
            made_of = (catalogue.version(db), firing)
            if made_of != self._made_of:
                self._made_of = made_of
                self._names = _all_names(db, {*self._first, *firing})
                self._begins = re.compile("|".join(map(_beginning, sorted(self._names))),
                                          re.IGNORECASE)
        return self._names, self._begins


def _all_names(db: Connection, urgent: set[str]) -> frozenset[str]:
    wanted = {canonical(name) for name in urgent}
    if not wanted:
        return frozenset()
    found = set(wanted)
    for name, others in sources.all_names(db):
        names = {canonical(one) for one in (name, *others)}
        if names & wanted:
            found |= names
    return frozenset(found - {""})


def _beginning(name: str) -> str:
    """Of a file named after a source, as a pattern: 3C454 is not the beginning of 3C4543."""
    return r"[\s_\-]*".join(map(re.escape, name)) + (r"(?!\d)" if name[-1].isdigit() else "")
