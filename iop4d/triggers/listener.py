"""Listens to the topics of a broker: each notice is stored first, and confirmed to the broker then.

The client blocks, so it has a thread of its own. A broker that is away is no end: the client tries
again by itself, and what goes wrong otherwise begins a new one after a wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from iop4d.config.triggers import BROKER, Triggers
from iop4d.store.database import Transaction
from iop4d.store.thread import DatabaseThread
from iop4d.triggers.broker import Connect, Consumer, Message, connect
from iop4d.triggers.receive import receive

log = logging.getLogger(__name__)

HEARTBEAT = "gcn.heartbeat"  # a topic of GCN that says that it works, and nothing else
_POLL = 0.5  # seconds for which the thread waits for a message: so long a stop may take
_LOOK = 30.0  # seconds between looks whether the broker answers
_ANSWER = 5.0  # seconds in which it must
_WAIT = (1.0, 300.0)  # seconds before a new client, at first and at most

P = ParamSpec("P")
T = TypeVar("T")


class Listener:
    """A part of the daemon: receives notices until it has to stop."""

    def __init__(self, *, settings: Triggers, database: DatabaseThread,
                 clock: Callable[[], float], connect: Connect = connect, look: float = _LOOK,
                 wait: tuple[float, float] = _WAIT) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._connect = connect
        self._look = look
        self._waits = wait
        self._wait = wait[0]
        self._said = ""  # by the client, of what goes wrong
        self._state, self._reason = "starting", ""
        self._received, self._last_at = 0, 0.0
        self._looked_at = float("-inf")

    @property
    def status(self) -> dict[str, Any]:
        """How the broker is, as of an archive."""
        return {"name": BROKER, "state": self._state, "reason": self._reason,
                "received": self._received, "last_at": self._last_at or None,
                "topics": list(self._settings.topics)}

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until ``stop`` is set."""
        with ThreadPoolExecutor(1, thread_name_prefix="triggers") as thread:
            while not stop.is_set():
                try:
                    await self._listen(thread, stop)
                # Whatever fails, of the network, the client or the store, must not end the
                # daemon: it is said, and tried again. What was not stored is not committed, and
                # comes again.
                except Exception as error:  # noqa: BLE001
                    self._troubled(str(error) or type(error).__name__)
                    await self._pause(stop)

    async def _pause(self, stop: asyncio.Event) -> None:
        """Wait before another try, longer each time, or until ``stop`` is set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait):
                await stop.wait()
        self._wait = min(2.0 * self._wait, self._waits[1])

    async def _listen(self, thread: ThreadPoolExecutor, stop: asyncio.Event) -> None:
        """With one client, until ``stop`` is set or something fails."""
        self._said, self._looked_at = "", float("-inf")
        consumer = await _on(thread, self._connect, self._settings, self._note)
        try:
            while not stop.is_set():
                message = await _on(thread, consumer.poll, _POLL)
                if message is not None and message.error() is None:
                    await self._store(message)
                    await _on(thread, partial(consumer.commit, message=message,
                                              asynchronous=False))
                elif message is not None:
                    self._note(str(message.error()))
                if time.monotonic() - self._looked_at >= self._look:
                    await self._look_at(thread, consumer)
        finally:
            await _on(thread, consumer.close)

    async def _store(self, message: Message) -> None:
        topic = message.topic() or ""
        if topic != HEARTBEAT:
            await self._database.write(_received, message.value() or b"", f"topic {topic}",
                                       self._settings, self._clock())
            self._received += 1
        self._last_at = self._clock()
        self._works()

    async def _look_at(self, thread: ThreadPoolExecutor, consumer: Consumer) -> None:
        """Ask the broker what topics it has: whether it answers, and has those of the site."""
        self._looked_at = time.monotonic()
        try:
            there = await _on(thread, partial(consumer.list_topics, timeout=_ANSWER))
        # The client says by this that the broker does not answer; it connects again by itself.
        except Exception as error:  # noqa: BLE001
            self._troubled(self._said or str(error))
            return
        missing = [one for one in self._settings.topics if one not in there.topics]
        if missing:
            self._troubled(f"the broker has no topic {', '.join(missing)}, or the account may "
                           "not read it")
        else:
            self._works()

    def _note(self, said: str) -> None:
        """Keep what the client says of an error, for when the broker does not answer. It says many
        that pass."""
        self._said = said or self._said

    def _works(self) -> None:
        if self._state == "unreachable":
            log.info("the broker of triggers answers again")
        self._state, self._reason, self._said = "ok", "", ""
        self._wait = self._waits[0]

    def _troubled(self, why: str) -> None:
        why = " ".join(why.split())[:300]
        if (self._state, self._reason) != ("unreachable", why):
            log.warning("no triggers are received: %s", why)
        self._state, self._reason = "unreachable", why


def _received(tx: Transaction, body: bytes, origin: str, settings: Triggers, now: float) -> None:
    receive(tx, body, origin=origin, settings=settings, now=now)


async def _on(thread: ThreadPoolExecutor, function: Callable[P, T], *args: P.args,
              **kwargs: P.kwargs) -> T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, partial(function, *args, **kwargs))
