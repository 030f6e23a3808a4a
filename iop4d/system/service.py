"""The daemon as a service: signals, the site file read anew, signs of life."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from typing import Any

from iop4d.alerts.engine import AlertEngine
from iop4d.config import Site
from iop4d.daemon import Daemon
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import Iop4dError
from iop4d.system.lock import SiteLock
from iop4d.system.notify import Notifier

log = logging.getLogger(__name__)

_STATUS = 10.0  # seconds between lines of status
_LAG = 5.0  # seconds by which the loop may be late and still count as alive
_PROBE = 30.0  # seconds within which the database must have been written


class Service:
    """Runs a daemon until told to stop. ``load`` reads the site file again; it raises
    Iop4dError where that is wrong, and the daemon goes on as it was."""

    def __init__(self, site: Site, load: Callable[[], Site]) -> None:
        self._site = site
        self._load = load
        self._notifier = Notifier()
        self._stop, self._hangup = asyncio.Event(), asyncio.Event()
        self._error = ""

    async def run(self) -> None:
        """Until SIGTERM or Ctrl-C; SIGHUP has the site file read anew."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)
        lock = SiteLock(self._site.lock)
        try:
            while not self._stop.is_set():
                await self._run_daemon(Daemon(self._site, lock=lock))
        finally:
            lock.close()

    async def _run_daemon(self, daemon: Daemon) -> None:
        """One daemon, from its start to its end or to another site file."""
        end = asyncio.Event()
        daemon.config_error = self._error
        running = asyncio.create_task(daemon.run(end, ready=self._ready), name="daemon")
        watching = asyncio.create_task(self._watch(daemon), name="signs of life")
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
                    if self._take(daemon):
                        end.set()
                waits = {task: event for task, event in waits.items() if not task.done()}
            await running
        finally:
            for task in (*waits, watching):
                task.cancel()
            await asyncio.gather(*waits, watching, return_exceptions=True)

    def _take(self, daemon: Daemon) -> bool:
        """Read the site file anew; whether a daemon on it is to take over."""
        try:
            new = self._load()
            find_instruments(new.camera, new.polarimeter)
            AlertEngine(new, time.time)
        except Iop4dError as error:
            self._error = daemon.config_error = str(error)
            log.error("the site file is not taken, the old one stays: %s", error)
            self._notifier.status(f"the site file is wrong: {error}")
            return False
        log.info("the site file is taken")
        self._error, self._site = "", new
        self._notifier.reloading()
        return True

    async def _ready(self, daemon: Daemon) -> None:
        self._notifier.ready(daemon.line)
        log.info("ready")

    async def _watch(self, daemon: Daemon) -> None:
        """Signs of life, from the loop itself, and only while everything makes progress."""
        watchdog = self._notifier.watchdog
        pause = min(_STATUS, watchdog / 3.0 if watchdog else _STATUS)
        told = -_STATUS
        while True:
            due = time.monotonic() + pause
            await asyncio.sleep(pause)
            late = time.monotonic() - due
            if daemon.state != "running":
                if watchdog and daemon.state == "starting":
                    self._notifier.alive()
                continue
            stuck = self._stuck(daemon, late)
            if stuck:
                log.error("no sign of life: %s", "; ".join(stuck))
                self._notifier.status("stuck: " + "; ".join(stuck))
            elif watchdog:
                self._notifier.alive()
            if not stuck and time.monotonic() - told >= _STATUS:
                told = time.monotonic()
                self._notifier.status((self._error and f"the site file is wrong: {self._error}")
                                      or daemon.line)

    @staticmethod
    def _stuck(daemon: Daemon, late: float) -> list[str]:
        """What makes no progress."""
        found = []
        if late > _LAG:
            found.append(f"the loop is {late:.1f} s late")
        if (idle := time.monotonic() - daemon.beaten_at) > _PROBE:
            found.append(f"the database was not written for {idle:.0f} s")
        return found + daemon.stuck()


def serve(site: Site, load: Callable[[], Site]) -> None:
    """Run the service to its end."""
    async def go() -> Any:
        await Service(site, load).run()

    asyncio.run(go())
