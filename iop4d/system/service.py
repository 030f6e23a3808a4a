"""The daemon as a service: signals, the site file read again, the watchdog of the manager."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from iop4d.config import Site
from iop4d.model.errors import Iop4dError
from iop4d.model.states import DaemonState
from iop4d.system.heartbeat import Heartbeat
from iop4d.system.lock import SiteLock
from iop4d.system.notify import Notifier

log = logging.getLogger(__name__)

_STATUS = 10.0  # seconds between lines of status
_LAG = 5.0  # seconds by which the loop may be late and still count as alive
_PROBE = 30.0  # seconds within which the database must have been written


class ServedDaemon(Protocol):
    """A daemon as the service runs it."""

    heartbeat: Heartbeat

    async def run(self, stop: asyncio.Event, *,
                  ready: Callable[[Self], Awaitable[None]] | None = None) -> None:
        """Run until told to stop."""

    def stuck(self) -> list[str]:
        """Parts that make no progress, in words."""

    @property
    def waits_for(self) -> str:
        """What everything waits for, which a new start would not change; empty: nothing."""


class MakesDaemons(Protocol):
    """The class of a daemon."""

    def __call__(self, site: Site, *, lock: SiteLock,
                 reload: Callable[[], None]) -> ServedDaemon:
        """A daemon on a site."""

    def check(self, site: Site) -> None:
        """Raises Iop4dError if a daemon cannot be built on a site."""


class Service:
    """Runs a daemon until told to stop. ``load`` reads the site file again; it raises
    Iop4dError where that is wrong, and the daemon keeps using the previous one."""

    def __init__(self, site: Site, load: Callable[[], Site], daemon: MakesDaemons) -> None:
        self._site = site
        self._load = load
        self._make = daemon
        self._notifier = Notifier()
        self._stop, self._hangup = asyncio.Event(), asyncio.Event()
        self._error = ""

    async def run(self) -> None:
        """Until SIGTERM or Ctrl-C; SIGHUP has the site file read again."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)
        lock = SiteLock(self._site.lock)
        try:
            while not self._stop.is_set():
                await self._run_daemon(
                    self._make(self._site, lock=lock, reload=self._hangup.set))
        finally:
            lock.close()

    async def _run_daemon(self, daemon: ServedDaemon) -> None:
        """One daemon, from its start to its end or to another site file."""
        end = asyncio.Event()
        daemon.heartbeat.config_error = self._error
        running = asyncio.create_task(daemon.run(end, ready=self._ready), name="daemon")
        watching = asyncio.create_task(self._watch(daemon), name="watchdog")
        waits = {asyncio.create_task(event.wait()): event for event in (self._stop, self._hangup)}
        try:
            while not running.done() and not end.is_set():
                await asyncio.wait({running, *waits}, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.is_set():
                    self._notifier.stopping()
                    end.set()
                elif self._hangup.is_set():
                    self._hangup.clear()
                    waits[asyncio.create_task(self._hangup.wait())] = self._hangup
                    if self._reload(daemon):
                        end.set()
                waits = {task: event for task, event in waits.items() if not task.done()}
            await running
        finally:
            for task in (*waits, watching):
                task.cancel()
            await asyncio.gather(*waits, watching, return_exceptions=True)

    def _reload(self, daemon: ServedDaemon) -> bool:
        """Read the site file again; whether a daemon on it is to take over."""
        try:
            new = self._load()
            self._make.check(new)
        except Iop4dError as error:
            self._error = daemon.heartbeat.config_error = str(error)
            log.error("site file rejected, still using the previous one: %s", error)
            self._notifier.status(f"site file rejected: {error}")
            return False
        log.info("site file reloaded")
        self._error = daemon.heartbeat.config_error = ""
        self._site = new
        self._notifier.reloading()
        return True

    async def _ready(self, daemon: ServedDaemon) -> None:
        self._notifier.ready(daemon.heartbeat.line)
        log.info("ready")

    async def _watch(self, daemon: ServedDaemon) -> None:
        """Ping the watchdog, from the loop itself, and only while everything makes progress."""
        watchdog = self._notifier.watchdog
        pause = min(_STATUS, watchdog / 3.0 if watchdog else _STATUS)
        reported = -_STATUS
        while True:
            due = time.monotonic() + pause
            await asyncio.sleep(pause)
            late = time.monotonic() - due
            state = daemon.heartbeat.state
            if waits_for := daemon.waits_for:
                # What depends on it makes no progress, and need not.
                daemon.heartbeat.beaten_at = time.monotonic()
            if state is not DaemonState.RUNNING:
                if state is DaemonState.STARTING:
                    self._notifier.starting(waits_for or daemon.heartbeat.line)
                    if watchdog:
                        self._notifier.alive()
                continue
            stuck = _late(late) if waits_for else _stuck(daemon, late)
            if stuck:
                log.error("withholding the watchdog ping: %s", "; ".join(stuck))
                self._notifier.status("stuck: " + "; ".join(stuck))
            elif watchdog:
                self._notifier.alive()
            if not stuck and time.monotonic() - reported >= _STATUS:
                reported = time.monotonic()
                self._notifier.status(waits_for
                                      or (self._error and f"site file rejected: {self._error}")
                                      or daemon.heartbeat.line)


def _stuck(daemon: ServedDaemon, late: float) -> list[str]:
    """What makes no progress."""
    found = _late(late)
    if (idle := time.monotonic() - daemon.heartbeat.beaten_at) > _PROBE:
        found.append(f"the database was not written for {idle:.0f} s")
    return found + daemon.stuck()


def _late(late: float) -> list[str]:
    return [f"the event loop is {late:.1f} s late"] if late > _LAG else []


def serve(site: Site, load: Callable[[], Site], daemon: MakesDaemons) -> None:
    """Run the service to its end."""
    gc.collect()
    gc.freeze()  # the modules stay to the end: no collection of garbage goes through them again
    asyncio.run(Service(site, load, daemon).run())
