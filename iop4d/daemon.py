"""The composition root: builds every part, runs them, and stops them. No behaviour of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import asdict
from functools import partial
from typing import Any

from iop4d.alerts.atel.drafts import Drafter
from iop4d.alerts.channels.bot_replies import commands_of
from iop4d.alerts.check import alerting_keys, without_wrong_rules
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.points import latest_jd
from iop4d.alerts.relay import Relay
from iop4d.alerts.rule_edits import RuleRequests
from iop4d.alerts.rule_intents import settle
from iop4d.alerts.summary.scheduler import SummaryScheduler, telescopes_of, with_those_of
from iop4d.alerts.system_measures import senders
from iop4d.alerts.system_rules import SystemRules
from iop4d.archives.folder import WatchedFolder
from iop4d.archives.known import KnownFiles
from iop4d.archives.nights import any_observes
from iop4d.archives.server import PolledServer
from iop4d.archives.session import connect
from iop4d.archives.tree import look
from iop4d.config import Archive, FolderArchive, Site
from iop4d.config.secret import exposed_secrets
from iop4d.config.workers import ENGINE
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.dispatch import Dispatcher
from iop4d.ledger.engines import Engine
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.ledger.engines.process import rss_mb
from iop4d.ledger.intake import CatalogueFollower, Intake
from iop4d.ledger.ledger import Ledger
from iop4d.ledger.requests import FilesByHand, IgnoreFrames, JudgeMasters, Reprocess, Requests
from iop4d.ledger.trials import Trials
from iop4d.model.errors import Iop4dError
from iop4d.model.states import DaemonState, RequestKind
from iop4d.model.units import span_text
from iop4d.operations.backup import refuse_emptied
from iop4d.operations.prune import DailyPrune
from iop4d.store import (
    changes,
    disk_history,
    events,
    frame_files,
    identity,
    nodes,
    provenance,
    unjudged,
)
from iop4d.store.database import GROUP_READS, PRIVATE, Transaction
from iop4d.store.thread import DatabaseThread
from iop4d.system.clock import ClockWatch
from iop4d.system.disk import free_bytes
from iop4d.system.heartbeat import BEAT, Heartbeat
from iop4d.system.leading import Beats, Leading
from iop4d.system.lock import SiteLock
from iop4d.system.parts import Calendar, Parts
from iop4d.triggers import broker
from iop4d.triggers.listener import Listener
from iop4d.triggers.upkeep import Matching

log = logging.getLogger(__name__)

_REQUESTS = 0.3  # seconds between looks at requests, and at the catalogue
_UP = 0.05  # seconds between looks whether a worker is up
_JUDGE = 0.5  # seconds between looks at results that are to be judged again, or by this node
_ALERTS = 5.0  # seconds between looks at active alerts, and at the system
_CLOCK = 2.0  # seconds between looks whether the clock was set
_TIDY_AT = 12  # o'clock UTC


class Daemon:
    """A whole iop4d on one site. ``watch``: also watch the archives, as the service does.

    ``lock``: held by who runs one daemon after the other; without it this one takes its own.
    ``reload``: has the site file read again; None if nobody can. ``engine``: who does the work;
    local processes if none is given.
    """

    def __init__(self, site: Site, *, watch: bool = True, clock: Callable[[], float] = time.time,
                 lock: SiteLock | None = None, reload: Callable[[], None] | None = None,
                 engine: Engine | None = None) -> None:
        self._site = site = without_wrong_rules(site)
        self._watch = watch
        self._clock = clock
        self._own_lock = SiteLock(site.lock) if lock is None else None
        self._reload = reload
        self._engine = engine or _engine_of(site)
        self._instruments = {i.name: i for i in find_instruments(site.camera, site.polarimeter)}
        self._places = {i.telescope.name: i.telescope for i in self._instruments.values()}
        self._archives: list[WatchedFolder | PolledServer] = []
        self.heartbeat = Heartbeat(site.root, clock)
        self._clock_watch = ClockWatch(clock)
        self.heartbeat.wrong_rules = [asdict(rule) for rule in site.wrong_rules]
        for rule in site.wrong_rules:
            log.error("running without the rule '%s': %s", rule.name, rule.why)
        for exposed in exposed_secrets(site):
            log.warning("%s", exposed)
        self.database: DatabaseThread
        self.relay: Relay

    @staticmethod
    def check(site: Site) -> None:
        """Raises Iop4dError if a daemon cannot be built on a site."""
        refuse_emptied(site)
        find_instruments(site.camera, site.polarimeter, site.colour_term)
        AlertEngine(site, time.time)
        if site.workers.engine == "dask":
            _dask_workers()
        if site.triggers.topics and not broker.is_installed():
            raise Iop4dError(broker.MISSING)

    async def run(self, stop: asyncio.Event, *,
                  ready: Callable[[Daemon], Awaitable[None]] | None = None) -> None:
        """Run until the stop event. ``ready`` is called once everything works."""
        try:
            refuse_emptied(self._site)
            self.database = DatabaseThread.of(
                self._site.database,
                mode=GROUP_READS if self._site.daemon.group_reads else PRIVATE)
            impatient = asyncio.create_task(self._end_waiting_after(stop), name="impatience")
            try:
                await self.database.open()
                await self._build(stop)
                await self._run_parts(ready)
            finally:
                impatient.cancel()
                self.database.close()
        finally:
            if self._own_lock is not None:
                self._own_lock.close()

    async def _end_waiting_after(self, stop: asyncio.Event) -> None:
        """Who stops waits for no database server any more."""
        await stop.wait()
        self.database.end_waiting()

    @property
    def waits_for(self) -> str:
        """What everything waits for; empty while it need not."""
        return self.database.away if hasattr(self, "database") else ""

    # Building.

    async def _build(self, stop: asyncio.Event) -> None:
        self._parts = Parts(stop)
        self._mail_wake = asyncio.Event()
        await self.database.write(nodes.enter, [archive.name for archive in self._site.archive])
        await self.database.write(identity.ensure)
        await self.database.write(provenance.keep_settings, self._site)
        if missed := await self.database.write(settle, self._site.root):
            log.info("%d changes of rules, cut off by a crash, are in the audit now", missed)
        self._build_alerts()
        self._ledger = Ledger(self._site, self._instruments, self._clock, listener=_ToAlerts(
            self._alerts, asyncio.get_running_loop(), self._mail_wake, lambda: self.leads))
        if recovered := await self.database.write(self._ledger.recover):
            log.info("%d jobs of the last run are queued again", recovered)
        self._dispatcher = Dispatcher(engine=self._engine, ledger=self._ledger,
                                      database=self.database, clock=self._clock)
        wake = self._dispatcher.wake
        self._catalogue = CatalogueFollower(self._site, self._ledger, self.database, self._engine,
                                            wake)
        await self._catalogue.run_once()
        self._requests = Requests(self.database, {
            RequestKind.REDUCE: FilesByHand(self._site, self._ledger, self._clock, wake,
                                            look=look),
            RequestKind.REPROCESS: Reprocess(self._ledger, self._clock, wake),
            RequestKind.MASTERS: JudgeMasters(self._ledger, self._clock, wake),
            RequestKind.IGNORE: IgnoreFrames(self._ledger, self._clock, wake),
            RequestKind.ALERTS: RuleRequests(self._site.root, self._clock, self._reload)})
        self._trials = Trials(self._site, self._instruments, self.database,
                              self._dispatcher.perform)
        self._build_messages()
        self._listener: Listener | None = None  # while this daemon leads
        self._prune = DailyPrune(self._site, self.database, self._clock)
        if self._watch:
            self._intake = Intake(self._ledger, self.database, self._clock, wake)
            for archive in self._site.archive:
                self._archives.append(self._archive_of(archive))

    def _build_alerts(self) -> None:
        self._alerts = AlertEngine(self._site, self._clock)
        self._leading = Leading(self._site.site.node, self.database, self._clock,
                                self._of_leading)
        self._system_rules = SystemRules(self._site, self._clock, self._observes,
                                         self._alerts.unknown)

    def _build_messages(self) -> None:
        self.relay = Relay(database=self.database, site=self._site, clock=self._clock,
                           plot=self._dispatcher.draw)
        self._drafter = Drafter(
            database=self.database, site=self._site, clock=self._clock,
            rules={rule.name for rule in self._site.rule if rule.severity == "atel"})

    async def _known_files(self, archive: str) -> AsyncIterator[list[tuple[str, int, int]]]:
        """What was delivered before, in parts between which others read and write."""
        after = ("", 0)
        while found := await self.database.read(frame_files.known_part, archive, after):
            after = found[-1][:2]
            yield [(path, size, mtime_ns) for path, _, size, mtime_ns in found]

    def _archive_of(self, archive: Archive) -> WatchedFolder | PolledServer:
        settings, recall = self._site.daemon, partial(self._known_files, archive.name)
        if isinstance(archive, FolderArchive):
            return WatchedFolder(
                archive=archive, known=KnownFiles(), recall=recall,
                deliver=self._intake.deliver, settle=settings.settle,
                settle_unannounced=settings.settle_after_scan,
                scan_interval=settings.scan_interval, clock=self._clock)
        return PolledServer(
            archive=archive, known=KnownFiles(), recall=recall, deliver=self._intake.deliver,
            connect=connect,
            telescope=self._places.get(archive.telescope), clock=self._clock,
            short=lambda: self._ledger.space.reason)

    # Running.

    async def _run_parts(self, ready: Callable[[Daemon], Awaitable[None]] | None) -> None:
        self._parts.start(self._of_work() | (self._of_watching() if self._watch else {}))
        try:
            await self._beat()
            if await self._can_work():
                self.heartbeat.state = DaemonState.RUNNING
                await self._beat()
                if ready is not None:
                    await ready(self)
            await self._parts.wait()
        finally:
            self.heartbeat.state = DaemonState.STOPPING
            await self._parts.end()
            self.heartbeat.state = DaemonState.STOPPED
            await self._beat()

    async def _can_work(self) -> bool:
        """Wait for a worker to come up; False if it is time to stop before.

        A daemon for one request raises Iop4dError where none comes up; another one keeps trying,
        and watches its archives meanwhile.
        """
        while not (self._engine.is_up or self._parts.stop.is_set() or self._parts.dead):
            if self.trouble and not self._watch:
                raise Iop4dError(self.trouble)
            await asyncio.sleep(_UP)
        return self._engine.is_up

    @property
    def trouble(self) -> str:
        """Why nothing is reduced; empty while it is."""
        return self._engine.trouble

    def _of_work(self) -> dict[str, Coroutine[Any, Any, None]]:
        every, calendar = self._parts.every, Calendar()
        calendar.add("tidying", self._tidy, hour=_TIDY_AT)
        if self._watch:
            calendar.add("pruning", self._prune.run_once, hour=_TIDY_AT, minute=10)
            calendar.add("disk", self._note_disk, hour=0, at_start=True)
        return {
            "dispatcher": self._dispatcher.run(self._parts.stop),
            "claim of the database": self.database.hold(self._parts.stop),
            "heartbeat": every(BEAT, self._beat),
            "clock": every(_CLOCK, self._follow_clock),
            "requests": every(_REQUESTS, self._requests.run_once),
            "trials": every(_REQUESTS, self._trials.run_once),
            "catalogue": every(_REQUESTS, self._catalogue.run_once),
            "calendar": calendar.run(self._parts.stop),
        }

    def _of_watching(self) -> dict[str, Coroutine[Any, Any, None]]:
        every, stop = self._parts.every, self._parts.stop
        return {
            **({"leading": self._leading.run(stop)} if self._site.site.node
               else self._of_leading(self._parts, {})),
            "drafts": every(_ALERTS, self._drafter.run_once),
            **{f"archive {number}": archive.run(stop)
               for number, archive in enumerate(self._archives)},
        }

    def _of_leading(self, parts: Parts, beats: Beats) -> dict[str, Coroutine[Any, Any, None]]:
        """What one daemon does for all that share the database; ``beats``: their heartbeats."""
        calendar, stop = Calendar(), parts.stop
        summaries = SummaryScheduler(
            site=self._site, database=self.database, clock=self._clock,
            telescopes=with_those_of(telescopes_of(self._site, list(self._places.values())), beats),
            plot=self._dispatcher.draw, wake=self._mail_wake.set)
        # What is due follows from the rows that are there: one look more or less does no harm.
        calendar.add("summaries", summaries.run_once, minute="*", at_start=True)
        return {
            "upkeep of alerts": parts.every(_ALERTS, self._tend_alerts),
            "relay": self.relay.run(stop, self._mail_wake),
            "summaries": calendar.run(stop),
            **commands_of(self._site, self.relay.channels, self.database, self._clock, stop),
            "results to judge": parts.every(_JUDGE, self._judge_left),
            **self._of_triggers(parts),
        }

    def _of_triggers(self, parts: Parts) -> dict[str, Coroutine[Any, Any, None]]:
        settings = self._site.triggers
        matching = Matching(settings, self.database, self._clock)
        found = {"sources of triggers": parts.every(_ALERTS, matching.run_once)}
        if settings.topics:
            self._listener = Listener(settings=settings, database=self.database,
                                      clock=self._clock)
            found["triggers"] = self._listener.run(parts.stop)
        return found

    @property
    def leads(self) -> bool:
        """Whether this daemon judges rules and sends messages: of several, one does."""
        return self._leading.is_ours

    def stuck(self) -> list[str]:
        """Parts that make no progress, in words."""
        found, now = [*self._parts.dead, *self._leading.dead], time.monotonic()
        for archive in self._archives:
            silent = now - archive.ticked_at
            if silent > 3.0 * archive.interval:
                found.append(f"the archive {archive.status['name']} did nothing for {silent:.0f} s")
        return found

    # What the parts need of each other.

    async def _beat(self) -> None:
        await self.heartbeat.beat(self.database, {
            "archives": [archive.status for archive in self._archives],
            "workers": [asdict(status) | {"rss_mb": round(status.rss_mb)}
                        for status in self._engine.statuses],
            "engine": self._of_engine(), "triggers": self._of_broker(), "trouble": self.trouble,
            "loop_lag_s": round(self._parts.lag, 3),
            "rss_mb": round(rss_mb()),
            "finished_jobs": self._dispatcher.finished, "paused": self._ledger.space.reason,
            **self._of_node()})

    def _of_node(self) -> dict[str, Any]:
        """What a heartbeat says to the other nodes: where it runs, and what to expect of it."""
        if not self._site.site.node:
            return {}
        return {
            "node": self._site.site.node, "host": socket.gethostname(), "leads": self.leads,
            "leads_since": self._leading.since,
            "alerting": alerting_keys(self._site),
            "senders": {subject: [archive, self._observes(subject)]
                        for subject, archive in senders(self._site).items()},
            "telescopes": [[one.name, one.latitude_deg, one.longitude_deg] for one in telescopes_of(
                self._site, list(self._places.values())) if one.is_placed]}

    def _of_engine(self) -> dict[str, str] | None:
        """How the engine is, as of an archive; nothing of local processes."""
        if self._site.workers.engine == "local":
            return None
        return {"name": ENGINE, "state": "unreachable" if self.trouble else "ok",
                "reason": self.trouble}

    def _of_broker(self) -> dict[str, Any] | None:
        """How the broker is from which notices come; nothing where this daemon does not listen."""
        return self._listener.status if self._listener is not None and self.leads else None

    def _observes(self, subject: str) -> bool:
        return any_observes(self._site.archive, self._places, subject, self._clock())

    async def _tend_alerts(self) -> None:
        def tend(tx: Transaction) -> None:
            self._alerts.run_once(tx)
            self._system_rules.run_once(tx, self.heartbeat.last)

        await self.database.write(tend)
        self._mail_wake.set()

    async def _follow_clock(self) -> None:
        """Where it was set while we run: nothing waits for a time far ahead, and points that were
        in its future are judged."""
        now, by = self._clock(), self._clock_watch.set_by()
        if by:
            log.warning("the clock was set %s by %s; what waits follows it",
                        "forward" if by > 0.0 else "back", span_text(round(abs(by))))
            self.heartbeat.clock_set = {"at": now, "by": by}
            if by < 0.0:
                await self.database.write(self._ledger.follow_clock)
                await self._dispatcher.wake()
            elif self.leads:
                await self.database.write(unjudged.put_of_the_future, latest_jd(now - by),
                                          latest_jd(now))

    async def _note_disk(self) -> None:
        """Once a day, and at the start: from these follows how the disk fills."""
        free = await asyncio.to_thread(free_bytes, self._site.root)
        await self.database.write(disk_history.note, self._clock(), free)

    async def _judge_left(self) -> None:
        def judge(tx: Transaction) -> None:
            self._alerts.on_results(tx, unjudged.take(tx))

        while await self.database.read(unjudged.is_any):
            await self.database.write(judge)
            self._mail_wake.set()

    async def _tidy(self) -> None:
        await self.database.write(events.trim)
        await self.database.write(changes.trim)
        await self.database.checkpoint()


def _engine_of(site: Site) -> Engine:
    """Who does the work, as the site file says."""
    if site.workers.engine == "dask":
        return _dask_workers()(site)
    return LocalProcesses(site.daemon, site.daemon.workers or os.cpu_count() or 1)


def _dask_workers() -> Callable[[Site], Engine]:
    """The engine of Dask, whose libraries are an extra; raises Iop4dError without them."""
    try:
        from iop4d.ledger.engines.dask.engine import DaskWorkers
    except ImportError as error:
        raise Iop4dError(f"[workers] engine = 'dask' needs the extra iop4d[dask]: {error}; "
                         "pip install 'iop4d[dask]'") from error
    return DaskWorkers


class _ToAlerts:
    """Hands new results to the rules, in their transaction, and wakes who sends the messages."""

    def __init__(self, engine: AlertEngine, loop: asyncio.AbstractEventLoop,
                 wake: asyncio.Event, leads: Callable[[], bool]) -> None:
        self._leads = leads
        self._engine = engine
        self._loop = loop
        self._wake = wake

    def on_results(self, tx: Transaction, ids: list[int]) -> None:
        """Evaluate the rules that watch these results, or leave them to the node that does."""
        if not self._leads():
            unjudged.put(tx, ids)
            return
        if self._engine.on_results(tx, ids):
            self._loop.call_soon_threadsafe(self._wake.set)
