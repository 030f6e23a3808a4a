"""What one daemon does for all that share a database: judge rules, send messages, sum up nights.

The one that leads holds a lock of the server, which ends with its connection; another takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from iop4d.store import nodes
from iop4d.store.database import StoreUnavailableError
from iop4d.store.thread import DatabaseThread
from iop4d.system.parts import Parts

log = logging.getLogger(__name__)

_LOOK = 1.0  # seconds between looks whether the lead is to be had, or was lost
_GRACE = 10.0  # seconds that whoever led, and did not stop, has to notice and to end what it sends

Beats = Mapping[str, Mapping[str, Any]]


class Leading:
    """A part of a daemon of several: does what one of them does, while this one leads.

    ``make``: the parts that do it, of the parts among which they run and of the heartbeats of all.
    """

    def __init__(self, node: str, database: DatabaseThread, clock: Callable[[], float],
                 make: Callable[[Parts, Beats], Mapping[str, Coroutine[Any, Any, None]]]) -> None:
        self._node = node
        self._database = database
        self._clock = clock
        self._make = make
        self._inner: Parts | None = None
        self.is_ours = not node  # whether this daemon leads
        self.since = 0.0  # when it began to

    async def run(self, stop: asyncio.Event) -> None:
        """Lead whenever no other does, until told to stop."""
        while not stop.is_set():
            if await self._take(stop):
                self.since = self._clock()
                log.info("the node '%s' judges the rules, sends the messages and makes the "
                         "summaries from now on", self._node)
                await self._lead(stop)
            await _rest(stop, _LOOK)

    async def _take(self, stop: asyncio.Event) -> bool:
        try:
            self.is_ours = await self._database.lead()
        except StoreUnavailableError:
            if not stop.is_set():
                raise
            self.is_ours = False
        return self.is_ours

    async def _lead(self, stop: asyncio.Event) -> None:
        """Do it until told to stop, or until another daemon leads."""
        beats = await self._database.read(nodes.beats)
        if any(beat.get("leads") and nodes.is_seen(beat, self._clock())
               for node, beat in beats.items() if node != self._node):
            await _rest(stop, _GRACE)
        inner = self._inner = Parts(asyncio.Event())
        inner.start({**self._make(inner, beats), "watch over the lead": self._watch(inner, stop)})
        try:
            await inner.wait()
        finally:
            await inner.end()
            self._inner = None

    async def _watch(self, inner: Parts, stop: asyncio.Event) -> None:
        while not stop.is_set() and await self._take(stop):
            await _rest(stop, _LOOK)
        if not stop.is_set():
            log.warning("another node judges the rules and sends the messages from now on")
        inner.stop.set()

    @property
    def dead(self) -> list[str]:
        """Its parts that have ended, in words."""
        inner = self._inner
        return [] if inner is None or inner.stop.is_set() else inner.dead


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
