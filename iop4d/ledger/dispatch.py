"""Gives the ledger's jobs to the workers, and their outcomes back to the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol, TypeVar

from iop4d.config import Daemon
from iop4d.ledger.engines.process import Worker, WorkerStartError, WorkerStatus
from iop4d.ledger.jobs import Claim
from iop4d.ledger.ledger import Ledger
from iop4d.ledger.space import is_full
from iop4d.model.messages import Crashed, Done, Outcome, Request, TimedOut

log = logging.getLogger(__name__)

_IDLE_LOOK = 1.0  # seconds between looks at the queue when nothing wakes us
_RESTART_PAUSE = 2.0  # seconds before a worker that did not start is tried again
_FULL_PAUSE = 5.0  # seconds until an outcome is written again when the disk is full
_FINISH_IN = 30.0  # seconds that running jobs get when the daemon stops


P = ParamSpec("P")
T = TypeVar("T")


class RunDb(Protocol):
    """Runs a function on the thread that owns the database."""

    def __call__(self, function: Callable[P, T], *args: P.args,
                         **kwargs: P.kwargs) -> Awaitable[T]: ...


class Dispatcher:
    """Keeps every worker busy with the most urgent job there is."""

    def __init__(self, *, settings: Daemon, n_workers: int, ledger: Ledger, run_db: RunDb,
                 context: Callable[[], tuple[bytes, int]], clock: Callable[[], float]) -> None:
        self._settings = settings
        self._n_workers = n_workers
        self._ledger = ledger
        self._run_db = run_db
        self._context = context
        self._clock = clock
        self._wake = asyncio.Condition()
        self._stopping = False
        self._side: deque[tuple[Request, asyncio.Future[Outcome]]] = deque()
        self.workers: dict[int, Worker] = {}
        self.finished = 0

    @property
    def statuses(self) -> list[tuple[WorkerStatus, float]]:
        """What each worker does, and its resident memory in MB."""
        return [(worker.status, worker.rss_mb()) for worker in self.workers.values()]

    async def wake(self) -> None:
        """Say that there may be something to do."""
        async with self._wake:
            self._wake.notify_all()

    async def ask(self, request: Request) -> Outcome:
        """Have a worker do something that needs no row, such as a plot; ahead of the queue."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._side.append((request, future))
        await self.wake()
        return await future

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; running jobs may end, the rest is for the next start."""
        slots = [asyncio.create_task(self._slot(number), name=f"worker slot {number}")
                 for number in range(self._n_workers)]
        stopper = asyncio.create_task(stop.wait(), name="dispatcher stop")
        try:
            done, _ = await asyncio.wait([*slots, stopper], return_when=asyncio.FIRST_COMPLETED)
            self._stopping = True
            await self.wake()
            for task in done - {stopper}:
                task.result()  # a slot that ended by itself has failed: let the daemon know
            await asyncio.wait(slots, timeout=_FINISH_IN)
        finally:
            stopper.cancel()
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, stopper, return_exceptions=True)
            for _, future in self._side:
                future.cancel()

    async def _slot(self, number: int) -> None:
        worker: Worker | None = None
        successor: asyncio.Task[Worker] | None = None
        claims: list[Claim] = []  # taken with the end of the job before
        try:
            while not self._stopping:
                if worker is None or not worker.alive:
                    worker = await self._replace(number, worker, None)
                    continue
                if successor is None and worker.status.jobs >= self._settings.max_jobs_per_worker:
                    successor = asyncio.create_task(self._start(), name=f"successor {number}")
                if successor is not None and successor.done():
                    worker = await self._replace(number, worker, successor)
                    successor = None
                    continue
                if self._side:
                    await self._side_job(worker)
                elif claims or (claims := await self._run_db(self._ledger.claim, 1)):
                    claims = await self._one_job(worker, claims.pop())
                else:
                    await self._sleep()
        finally:
            if claims:
                await self._run_db(self._ledger.give_back, claims)
            if successor is not None:
                successor.cancel()
            if worker is not None:
                await worker.close()
            self.workers.pop(number, None)

    async def _replace(self, number: int, old: Worker | None,
                       successor: asyncio.Task[Worker] | None) -> Worker | None:
        try:
            new = await (successor or self._start())
        except (WorkerStartError, OSError) as error:
            log.error("a worker did not start: %s; trying again", error)
            await asyncio.sleep(_RESTART_PAUSE)
            return old
        if old is not None:
            await old.close()
        self.workers[number] = new
        return new

    async def _start(self) -> Worker:
        worker = await Worker.start(memory_mb=self._settings.worker_memory_mb)
        try:
            await worker.give_context(*self._context())
        except BaseException:
            await worker.kill()
            raise
        return worker

    async def _side_job(self, worker: Worker) -> None:
        request, future = self._side.popleft()
        outcome = await self._perform(worker, request, "side job")
        if not future.done():
            future.set_result(outcome)

    async def _one_job(self, worker: Worker, claim: Claim) -> list[Claim]:
        """Do it and commit what came of it; the job that this worker is to do next, if any."""
        try:
            outcome = await self._perform(worker, claim.request, claim.label)
        except asyncio.CancelledError:
            await worker.kill()
            await self._run_db(self._ledger.give_back, [claim])
            raise
        self._report(claim, outcome)
        claims = await self._finish(claim, outcome)
        self.finished += 1
        await self.wake()
        return claims

    async def _finish(self, claim: Claim, outcome: Outcome) -> list[Claim]:
        """Commit an outcome; while the disk is full it is kept here and tried again."""
        while True:
            try:
                return await self._run_db(self._ledger.finish, claim, outcome,
                                          then=0 if self._stopping else 1)
            except Exception as error:
                if not is_full(str(error)) or self._stopping:
                    raise
                log.error("%s: its outcome cannot be written: %s; trying again", claim.label,
                          error)
                await asyncio.sleep(_FULL_PAUSE)

    async def _perform(self, worker: Worker, request: Request, label: str) -> Outcome:
        await worker.give_context(*self._context())
        return await worker.perform(request, label=label, deadline=self._settings.job_timeout)

    async def _sleep(self) -> None:
        """Until something wakes us, the next job is due, or a while has passed."""
        due = await self._run_db(self._ledger.next_due)
        pause = _IDLE_LOOK if due is None else min(max(due - self._clock(), 0.01), _IDLE_LOOK)
        async with self._wake:
            if self._stopping or self._side:
                return
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass

    @staticmethod
    def _report(claim: Claim, outcome: Outcome) -> None:
        match outcome:
            case Done(core_s=core_s):
                log.info("%s: done in %.0f ms", claim.label, 1e3 * core_s)
            case Crashed() | TimedOut():
                log.error("%s: %s", claim.label, outcome)
            case _:
                log.warning("%s: %s", claim.label, outcome.reason)
