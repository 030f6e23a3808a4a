"""Gives the ledger's jobs to an engine, and their outcomes back to the ledger."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from iop4d.ledger.engines import Engine, RequestLostError
from iop4d.ledger.ledger import Ledger
from iop4d.ledger.plan import Claim
from iop4d.ledger.space import is_full
from iop4d.model.errors import LEFT_ALONE
from iop4d.model.messages import (
    Crashed,
    Done,
    Failed,
    NightPlotRequest,
    Outcome,
    PlotRequest,
    Plotted,
    Request,
    TimedOut,
)
from iop4d.store import health
from iop4d.store.thread import DatabaseThread
from iop4d.system.logfile import about

log = logging.getLogger(__name__)

_IDLE_LOOK = 1.0  # seconds between looks at the queue when nothing wakes us
_FULL_PAUSE = 5.0  # seconds until an outcome is written again when the disk is full
_WANT = 2.0  # seconds between counts of the queue, for an engine that adapts to it
_FOLLOW = 0.5  # seconds between looks how many workers there are
_DRAW_IN = 60.0  # seconds after which a message goes without its plot
_FINISH_IN = 30.0  # seconds that running jobs get when the daemon stops


class Dispatcher:
    """Keeps the engine busy with the most urgent jobs there are."""

    def __init__(self, *, engine: Engine, ledger: Ledger, database: DatabaseThread,
                 clock: Callable[[], float]) -> None:
        self._engine = engine
        self._ledger = ledger
        self._database = database
        self._clock = clock
        self._wake = asyncio.Condition()
        self._stopping = False
        self._slots: list[asyncio.Task[None]] = []
        self._busy = 0  # slots that have a job
        self._wanted_at = 0.0  # monotonic, when the engine was last given the number of jobs
        self._surplus = 0  # slots that are to end
        self._side: deque[tuple[Request, asyncio.Future[Outcome]]] = deque()
        self.finished = 0  # jobs

    async def wake(self) -> None:
        """Say that there may be something to do."""
        async with self._wake:
            self._wake.notify_all()

    async def draw(self, request: PlotRequest | NightPlotRequest) -> bytes | None:
        """A picture (PNG), drawn by a worker ahead of the queue; None if that failed."""
        try:
            async with asyncio.timeout(_DRAW_IN):
                outcome = await self.perform(request)
        except TimeoutError:
            outcome = Failed(stage="plot", reason="no worker was free in time")
        if isinstance(outcome, Done) and isinstance(outcome.value, Plotted):
            return outcome.value.png
        log.warning("a plot for a message was not made: %s", outcome)
        return None

    async def perform(self, request: Request) -> Outcome:
        """What comes of a request that is no job, done by a worker ahead of the queue."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._stopping:
            future.cancel()  # no slot is left to do it
            return await future
        self._side.append((request, future))
        await self.wake()
        return await future

    async def run(self, stop: asyncio.Event) -> None:
        """Work until the stop event; running jobs may end, the rest is for the next start."""
        await self._engine.start()
        stopper = asyncio.create_task(stop.wait(), name="dispatcher stop")
        try:
            while not stopper.done():
                await self._follow_size()
                done, _ = await asyncio.wait([*self._slots, stopper], timeout=_FOLLOW,
                                             return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopper}:
                    task.result()  # a slot that failed: let the daemon know
            self._stopping = True
            await self.wake()
            if self._slots:
                await asyncio.wait(self._slots, timeout=_FINISH_IN)
        finally:
            self._stopping = True
            stopper.cancel()
            for slot in self._slots:
                slot.cancel()
            await asyncio.gather(*self._slots, stopper, return_exceptions=True)
            for _, future in self._side:
                future.cancel()
            await self._engine.stop()

    async def _follow_size(self) -> None:
        """As many slots as the engine has workers; those beyond end with the job they have."""
        self._slots = [slot for slot in self._slots if not slot.done()]
        self._slots += [asyncio.create_task(self._slot(), name="slot")
                        for _ in range(self._engine.size - len(self._slots))]
        self._surplus = len(self._slots) - self._engine.size
        if self._surplus > 0:
            await self.wake()
        if self._engine.adapts and time.monotonic() - self._wanted_at > _WANT:
            self._wanted_at = time.monotonic()
            queued = await self._database.read(health.queued_jobs, self._clock())
            others = sum(not future.done() for _, future in self._side)
            self._engine.want(queued + self._busy + others)

    async def _slot(self) -> None:
        """One job after the other."""
        claims: list[Claim] = []  # taken with the end of the job before
        try:
            while not (self._stopping or self._is_surplus()):
                if not await self._engine.ready():
                    continue
                if self._side:
                    request, future = self._side.popleft()
                    if not future.done():  # a plot may have been given up since
                        await self._side_job(request, future)
                elif claims or (claims := await self._claim()):
                    claims = await self._job(claims.pop())
                else:
                    await self._sleep()
        finally:
            if claims:
                await self._database.write(self._ledger.give_back, claims)

    def _is_surplus(self) -> bool:
        """Whether a slot is to end, because there are fewer workers now."""
        if self._surplus <= 0:
            return False
        self._surplus -= 1
        return True

    async def _claim(self) -> list[Claim]:
        if not await self._database.read(self._ledger.is_due):
            return []
        return await self._database.write(self._ledger.claim, 1)

    async def _side_job(self, request: Request, future: asyncio.Future[Outcome]) -> None:
        try:
            outcome = await self._engine.submit(request, label="side job")
            if not future.done():
                future.set_result(outcome)
        except RequestLostError as error:
            if not future.done():
                future.set_result(Failed(stage="worker", reason=str(error)))
        finally:
            future.cancel()  # who waits for it must not wait for ever where it was given up

    async def _job(self, claim: Claim) -> list[Claim]:
        """Do it and commit what came of it; the job that is to be done next here, if any."""
        self._busy += 1
        try:
            outcome = await self._engine.submit(claim.request, label=claim.label)
        except asyncio.CancelledError:
            await self._database.write(self._ledger.give_back, [claim])
            raise
        except RequestLostError as error:
            log.warning("%s: given back to the queue: %s", claim.label, error)
            await self._database.write(self._ledger.give_back, [claim])
            return []
        finally:
            self._busy -= 1
        _report(claim, outcome)
        claims = await self._finish(claim, outcome)
        self.finished += 1
        await self.wake()
        return claims

    async def _finish(self, claim: Claim, outcome: Outcome) -> list[Claim]:
        """Commit an outcome; while the disk is full it is kept here and tried again."""
        while True:
            try:
                return await self._database.write(self._ledger.finish, claim, outcome,
                                                  then=0 if self._stopping else 1)
            except Exception as error:
                if not is_full(str(error)) or self._stopping:
                    raise
                log.error("%s: cannot write its outcome: %s; trying again", claim.label, error)
                await asyncio.sleep(_FULL_PAUSE)

    async def _sleep(self) -> None:
        """Until something wakes us, the next job is due, or a while has passed."""
        due = await self._database.read(self._ledger.next_due)
        pause = _IDLE_LOOK if due is None else min(max(due - self._clock(), 0.01), _IDLE_LOOK)
        async with self._wake:
            if self._stopping or self._side:
                return
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass


def _report(claim: Claim, outcome: Outcome) -> None:
    extra = about(frames=claim.frames, telescope=claim.telescope, job=claim.kind.value)
    match outcome:
        case Done(core_s=core_s):
            log.info("%s: done in %.0f ms", claim.label, 1e3 * core_s, extra=extra)
        case Crashed() | TimedOut():
            log.error("%s: %s", claim.label, outcome, extra=extra)
        case _:
            left_alone = outcome.reason.endswith(LEFT_ALONE)
            log.log(logging.INFO if left_alone else logging.WARNING, "%s: %s", claim.label,
                    outcome.reason, extra=extra)
