"""The composition root: builds every part, runs them, and stops them.

Every part is a named task with a stop event. A part that ends by itself has failed, and stops the
daemon with an error, so that the service manager starts it anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from iop4d import __version__
from iop4d.alerts import actions
from iop4d.alerts.atel.drafts import Drafter
from iop4d.alerts.channels.bot_replies import commands_of
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.relay import Relay
from iop4d.alerts.summary.scheduler import SummaryScheduler, telescopes_of
from iop4d.alerts.system_rules import SystemRules
from iop4d.archives.folder import WatchedFolder
from iop4d.archives.nights import observes
from iop4d.archives.server import PolledServer
from iop4d.archives.session import connect
from iop4d.archives.settle import SettledFile
from iop4d.archives.tree import look
from iop4d.config import Archive, FolderArchive, Site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.dispatch import Dispatcher
from iop4d.ledger.engines import pipe
from iop4d.ledger.engines.process import rss_mb
from iop4d.ledger.ledger import FoundFile, Ledger
from iop4d.model.errors import Iop4dError
from iop4d.model.messages import Done, NightPlotRequest, PlotRequest, Plotted
from iop4d.reduction.context import WorkerContext
from iop4d.store import catalogue, events, frames, outages, provenance, requests
from iop4d.store.database import Database, ambient
from iop4d.store.schema import Request
from iop4d.store.status import beat, night_line
from iop4d.store.thread import DatabaseThread
from iop4d.system.lock import SiteLock

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_BEAT = 2.0  # seconds between heartbeats
_ASK = 0.3  # seconds between looks at what commands ask for
_TEND = 5.0  # seconds between looks at alerts that go on, and at the system
_LIVE = 60.0  # seconds within which a file that appeared counts as live


class Daemon:
    """A whole iop4d on one site. ``watch``: also watch the archives, as the service does.

    ``lock``: held by who runs one daemon after the other; without it this one takes its own.
    """

    def __init__(self, site: Site, *, watch: bool = True, clock: Callable[[], float] = time.time,
                 lock: SiteLock | None = None) -> None:
        self._site = site
        self._watch = watch
        self._clock = clock
        self._own_lock = SiteLock(site.lock) if lock is None else None
        self._db_thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._instruments = {i.name: i for i in find_instruments(site.camera, site.polarimeter)}
        self._archives: list[WatchedFolder | PolledServer] = []
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._context = (b"", -1)
        self._catalogue_version = -1
        self._started_at = clock()
        self._lag = 0.0
        self._last_beat: dict[str, Any] = {}
        self.state = "starting"
        self.config_error = ""  # why a new site file was not taken
        self.beaten_at = time.monotonic()  # when the database was last written for sure
        self.line = "starting"  # the night's counts, for people

    async def run_db(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the thread that owns the database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._db_thread, partial(function, *args, **kwargs))

    async def run(self, stop: asyncio.Event, *,
                  ready: Callable[[Daemon], Awaitable[None]] | None = None) -> None:
        """Run until told to stop. ``ready`` is called once everything works."""
        try:
            await self._build()
            await self._run_parts(stop, ready)
        finally:
            self._db_thread.submit(self._close_database).result()
            self._db_thread.shutdown()
            if self._own_lock is not None:
                self._own_lock.close()

    # Building.

    async def _build(self) -> None:
        self.database = await self.run_db(Database, self._site.database)
        self._engine = AlertEngine(self._site, self._clock)
        self._system_rules = SystemRules(self._site, self._clock, self._observes,
                                         self._engine.unknown)
        self._mail_wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.ledger = Ledger(database=self.database, site=self._site,
                             instruments=self._instruments, clock=self._clock,
                             on_results=self._on_results)
        await self.run_db(self._keep_settings)
        recovered = await self.run_db(self.ledger.recover)
        if recovered:
            log.info("%d jobs go on where the last run ended", recovered)
        await self._refresh_catalogue()
        settings = self._site.daemon
        self.dispatcher = Dispatcher(
            settings=settings, n_workers=settings.workers or os.cpu_count() or 1,
            ledger=self.ledger, run_db=self.run_db, context=lambda: self._context,
            clock=self._clock)
        self.relay = Relay(database=DatabaseThread(self.database, self._db_thread),
                           site=self._site, clock=self._clock, plot=self._plot)
        self._drafter = Drafter(
            database=DatabaseThread(self.database, self._db_thread), site=self._site,
            rules={rule.name for rule in self._site.rule if rule.severity == "atel"},
            clock=self._clock)
        self._summaries = SummaryScheduler(
            site=self._site, database=DatabaseThread(self.database, self._db_thread),
            clock=self._clock, telescopes=telescopes_of(
                self._site, [i.telescope for i in self._instruments.values()]),
            plot=self._plot, wake=self._mail_wake.set)
        if self._watch:
            for archive in self._site.archive:
                known = await self.run_db(self._known, archive.name)
                self._archives.append(self._archive_of(archive, known))

    def _archive_of(self, archive: Archive, known: dict[str, tuple[int, int]],
                    ) -> WatchedFolder | PolledServer:
        if not isinstance(archive, FolderArchive):
            telescopes = {i.telescope.name: i.telescope for i in self._instruments.values()}
            return PolledServer(archive=archive, known=known, deliver=self._deliver,
                                 telescope=telescopes.get(archive.telescope), connect=connect,
                                 clock=self._clock, short=self._no_room)
        settings = self._site.daemon
        return WatchedFolder(
            archive=archive, known=known, deliver=self._deliver, settle=settings.settle,
            settle_unannounced=settings.settle_after_scan,
            scan_interval=settings.scan_interval, clock=self._clock)

    def _known(self, archive: str) -> dict[str, tuple[int, int]]:
        with self.database.connected():
            return frames.known_files(archive)

    def _keep_settings(self) -> None:
        with self.database.write() as tx:
            provenance.keep_settings(tx, self._site)

    def _close_database(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    # Running.

    async def _run_parts(self, stop: asyncio.Event,
                         ready: Callable[[Daemon], Awaitable[None]] | None) -> None:
        parts: dict[str, Coroutine[Any, Any, None]] = {
            "dispatcher": self.dispatcher.run(stop),
            "heartbeat": self._every(_BEAT, self._beat, stop),
            "asks": self._every(_ASK, self._answer_asks, stop),
        }
        if self._watch:
            parts["upkeep of alerts"] = self._every(_TEND, self._tend_alerts, stop)
            parts["relay"] = self.relay.run(stop, self._mail_wake)
            parts["drafts"] = self._every(_TEND, self._drafter.run_once, stop)
            parts |= commands_of(self._site, self.relay.channels,
                                 DatabaseThread(self.database, self._db_thread), self._clock,
                                 stop)
            parts |= {f"archive {number}": archive.run(stop)
                      for number, archive in enumerate(self._archives)}
        tasks = {asyncio.create_task(part, name=name): name for name, part in parts.items()}
        self._tasks = tasks
        scheduler = self._schedule()
        self.state = "running"
        try:
            await self._beat()
            if ready is not None:
                await ready(self)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                self._report_dead(done)
        finally:
            self.state = "stopping"
            stop.set()
            scheduler.shutdown(wait=False)
            await asyncio.wait(tasks)
            await self._beat(state="stopped")
            for task in tasks:
                if not task.cancelled() and (error := task.exception()):
                    log.error("%s ended with an error", task.get_name(), exc_info=error)

    def stuck(self) -> list[str]:
        """Parts that make no progress, in words."""
        found = [f"the {name} ended" for task, name in self._tasks.items() if task.done()]
        now = time.monotonic()
        for archive in self._archives:
            silent = now - archive.ticked_at
            if silent > 3.0 * archive.interval:
                found.append(f"the archive {archive.status['name']} did nothing for {silent:.0f} s")
        return found

    @staticmethod
    def _report_dead(done: set[asyncio.Task[None]]) -> None:
        task = next(iter(done))
        error = task.exception()
        raise Iop4dError(f"the {task.get_name()} ended by itself: {error!r}") from error

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]],
                     stop: asyncio.Event) -> None:
        """Do something at a cadence until told to stop."""
        while not stop.is_set():
            due = time.monotonic() + seconds
            try:
                await act()
            # A look that fails once (a locked database, say) must not end the cadence: it is
            # told, and the next one comes.
            except Exception:
                log.exception("%s failed", getattr(act, "__name__", act))
            try:
                async with asyncio.timeout(max(due - time.monotonic(), 0.0)):
                    await stop.wait()
            except TimeoutError:
                self._lag = max(time.monotonic() - due, self._lag * 0.9)

    def _schedule(self) -> AsyncIOScheduler:
        """Daily upkeep. A job is never dropped for being late: see the settings."""
        scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={
            "misfire_grace_time": None, "coalesce": True, "max_instances": 1})
        scheduler.add_job(_unhurried(self._upkeep), "cron", hour=12, id="upkeep")
        if self._watch:
            # What is due follows from the rows that are there: a look more does no harm, and one
            # less (a loop that hung) only makes it later.
            scheduler.add_job(_unhurried(self._summaries.run_once), "cron", minute="*",
                              id="summaries", next_run_time=datetime.now(UTC))
        scheduler.start()
        return scheduler

    async def _upkeep(self) -> None:
        def tidy() -> None:
            with self.database.write() as tx:
                events.trim(tx)
            self.database.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        await self.run_db(tidy)

    # What the parts need of each other.

    async def _deliver(self, archive: str, files: list[SettledFile]) -> None:
        now = self._clock()
        found = [FoundFile(archive=archive, path=file.path, size=file.size,
                           mtime_ns=file.mtime_ns, completed_at=file.completed_at,
                           live=file.announced or abs(now - file.mtime_ns / 1e9) < _LIVE)
                 for file in files]
        await self.run_db(self.ledger.accept, found)
        await self.dispatcher.wake()

    def _on_results(self, ids: list[int]) -> None:
        """New results, on the database's thread and inside their transaction."""
        self._engine.on_results(ambient(), ids)
        self._loop.call_soon_threadsafe(self._mail_wake.set)

    async def _plot(self, request: PlotRequest | NightPlotRequest) -> bytes | None:
        outcome = await self.dispatcher.ask(request)
        if isinstance(outcome, Done) and isinstance(outcome.value, Plotted):
            return outcome.value.png
        log.warning("a plot for a message was not made: %s", outcome)
        return None

    async def send_mails(self) -> None:
        """Try once to send what is due, for a run that does not stay."""
        try:
            async with asyncio.timeout(self._site.alerts.timeout):
                await self.relay.send_due()
        except TimeoutError:
            log.warning("mails stay unsent; they go out when the daemon runs")

    async def _refresh_catalogue(self) -> bool:
        """Give the workers the catalogue of now; whether it changed, so that there is work."""
        def load() -> Any:
            with self.database.connected():
                if catalogue.version() == self._catalogue_version:
                    return None
                return catalogue.load()
        loaded = await self.run_db(load)
        if loaded is None:
            return False
        context = WorkerContext(site=self._site, catalogue=loaded)
        self._context = (pipe.pack(("context", context)), loaded.version)
        self._catalogue_version = loaded.version
        count = await self.run_db(self.ledger.follow_catalogue, loaded.version)
        if count:
            log.info("the catalogue changed: %d frames are calibrated again", count)
        return True

    def _act(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What somebody asked for on the page; what is done, or why it is not."""
        try:
            if asked["act"] == "add-rule":
                actions.add_rule(self._site.root, asked["keys"])
                log.info("%s added the rule '%s' on the page", asked["by"], asked["keys"]["name"])
                os.kill(os.getpid(), signal.SIGHUP)  # read the site file anew
                return {"said": "The rule is in the site file; the daemon takes it up."}
            with self.database.write() as tx:
                said = actions.act(tx, asked, now=self._clock(), rules=self._engine.rules)
        except (Iop4dError, OSError) as error:
            log.warning("%s asked to %s, which is not done: %s", asked.get("by"),
                        asked.get("act"), error)
            return {"error": str(error)}
        return {"said": said}

    def _no_room(self) -> str:
        """Why nothing is to be fetched; empty while there is room on the disk."""
        space = self.ledger.space
        return space.reason if space.is_short(self._clock()) else ""

    def _observes(self, telescope: str) -> bool:
        """Whether new frames of a telescope are to be expected now."""
        places = {i.telescope.name: i.telescope for i in self._instruments.values()}
        return any(observes(archive, places.get(telescope), self._clock())
                   for archive in self._site.archive if archive.telescope == telescope)

    async def _tend_alerts(self) -> None:
        def tend() -> None:
            with self.database.write() as tx:
                self._engine.run_once(tx)
                self._system_rules.run_once(tx, self._last_beat)

        await self.run_db(tend)
        self._mail_wake.set()

    async def _answer_asks(self) -> None:
        if await self._refresh_catalogue():
            await self.dispatcher.wake()
        for ask in await self.run_db(self._queued):
            if ask.kind == "reprocess":
                ids = await self.run_db(self.ledger.redo, ask.content["frames"])
            elif ask.kind == "desk":
                done = await self.run_db(self._act, ask.content)
                await self.run_db(self._answer, ask.id, done)
                continue
            elif ask.kind == "masters":
                await self.run_db(self.ledger.judge_masters, **ask.content)
                ids = []
            else:
                found = [_found_by_hand(Path(path), self._site, self._clock())
                         for path in ask.content["paths"]]
                ids = await self.run_db(self.ledger.accept, [f for f in found if f is not None])
            await self.run_db(self._answer, ask.id, {"frames": ids})
            await self.dispatcher.wake()

    def _queued(self) -> list[Request]:
        with self.database.read() as db:
            return requests.queued(db)

    def _answer(self, id_: int, content: dict[str, Any]) -> None:
        with self.database.write() as tx:
            requests.answer(tx, id_, content)

    async def _beat(self, state: str = "") -> None:
        archives = [archive.status for archive in self._archives]
        workers = [asdict(status) | {"rss_mb": round(rss)}
                   for status, rss in self.dispatcher.statuses]
        free = shutil.disk_usage(self._site.root).free
        status = {
            "pid": os.getpid(), "version": __version__, "state": state or self.state,
            "started_at": self._started_at, "beat_at": self._clock(), "workers": workers,
            "archives": archives, "disk_free_gb": round(free / 1e9, 1),
            "loop_lag_s": round(self._lag, 3), "rss_mb": round(rss_mb()),
            "finished_jobs": self.dispatcher.finished, "config_error": self.config_error,
            "paused": self.ledger.space.reason,
        }

        self._last_beat = status

        def write() -> str:
            with self.database.write() as tx:
                beat(tx, status)
                outages.note(tx, archives, self._clock())
                return night_line(tx)

        self.line = await self.run_db(write)
        self.beaten_at = time.monotonic()


def _unhurried(job: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A job of the scheduler whose end with the daemon is no error of it."""
    async def act() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await job()
    return act


def _found_by_hand(path: Path, site: Site, now: float) -> FoundFile | None:
    stamp = look(path)
    if stamp is None:
        return None
    archive = next((a.name for a in site.archive if path.is_relative_to(a.path)), "by hand")
    return FoundFile(archive=archive, path=path, size=stamp[0], mtime_ns=stamp[1],
                     completed_at=now, wanted=True)
