"""Local worker processes: as many as there are cores, each replaced when it has done its share."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from iop4d.config import Daemon
from iop4d.ledger.engines import WorkerStatus
from iop4d.ledger.engines.pipe import pack
from iop4d.ledger.engines.process import Worker, WorkerStartError
from iop4d.model.messages import Outcome, Request

log = logging.getLogger(__name__)

WORKER = "iop4d.ledger.engines.worker"  # the module that a worker runs
_RESTART_PAUSE = 2.0  # seconds before a worker that did not start is tried again
_LONGEST_PAUSE = 30.0  # seconds
_TRIES = 3  # starts of each worker that may fail in a row before that is trouble


class LocalProcesses:
    """An engine of worker processes on this machine; see :class:`engines.Engine`.

    ``worker_module``: what a worker runs, ``python -m`` of it.
    """

    def __init__(self, settings: Daemon, size: int, *, worker_module: str = WORKER) -> None:
        self.size = size
        self._settings = settings
        self._module = worker_module
        self._context: tuple[bytes, int] = (b"", -1)
        self._seats = [_Seat() for _ in range(size)]
        self._failed_starts = 0  # in a row
        self._last_failure = ""
        self.is_up = False
        self.adapts = False
        #: The one that came free last is taken first: its worker has come up for sure.
        self._free: asyncio.LifoQueue[_Seat] = asyncio.LifoQueue()

    @property
    def statuses(self) -> list[WorkerStatus]:
        """What each worker does."""
        return [replace(seat.worker.status, rss_mb=seat.worker.rss_mb())
                for seat in self._seats if seat.worker is not None]

    @property
    def last_failure(self) -> str:
        """Why a worker did not start last."""
        return self._last_failure

    @property
    def trouble(self) -> str:
        """Why no worker comes up, after some tries; empty while they do."""
        if self._failed_starts < _TRIES * self.size:
            return ""
        return f"no worker process starts: {self._last_failure}"

    def set_context(self, context: object, version: int) -> None:
        """What workers must know, from the next request on."""
        self._context = (pack(("context", context)), version)

    async def start(self) -> None:
        """Offer the seats; the worker of each starts when it is looked for."""
        for seat in self._seats:
            self._free.put_nowait(seat)

    async def ready(self) -> bool:
        """Wait for a worker to come up; whether one can begin a request at once."""
        seat = await self._free.get()
        try:
            return await self._manned(seat) is not None
        finally:
            self._free.put_nowait(seat)

    async def submit(self, request: Request, *, label: str) -> Outcome:
        """Have a request done by the first worker that is free."""
        seat = await self._free.get()
        try:
            while (worker := await self._manned(seat)) is None:
                pass
            try:
                return await worker.perform(request, label=label,
                                            deadline=self._settings.job_timeout)
            except asyncio.CancelledError:
                await worker.kill()
                raise
        finally:
            self._free.put_nowait(seat)

    def want(self, jobs: int) -> None:
        """Nothing: as many workers as there are."""

    async def stop(self) -> None:
        """End all workers."""
        await asyncio.gather(*(seat.close() for seat in self._seats))

    async def _manned(self, seat: _Seat) -> Worker | None:
        """The seat's worker, alive and with the context of now; None if none came up."""
        try:
            if seat.worker is None or not seat.worker.alive:
                await seat.replace(await self._start())
            elif seat.successor is None:
                if seat.worker.status.jobs >= self._settings.max_jobs_per_worker:
                    seat.successor = asyncio.create_task(self._start(), name="successor")
            elif seat.successor.done():
                successor, seat.successor = seat.successor, None
                await seat.replace(successor.result())
            assert seat.worker is not None
            await seat.worker.give_context(*self._context)
        except (WorkerStartError, OSError) as error:
            await self._note_failure(str(error))
            return None
        self._failed_starts, self.is_up = 0, True
        return seat.worker

    async def _note_failure(self, why: str) -> None:
        """Log it, and wait: the longer, the more often it failed."""
        self._failed_starts += 1
        self._last_failure = why
        rounds = self._failed_starts // self.size
        pause = min(_RESTART_PAUSE * 2.0 ** min(max(rounds - _TRIES, 0), 10), _LONGEST_PAUSE)
        log.error("a worker did not start: %s; trying again in %g s", why, pause)
        await asyncio.sleep(pause)

    async def _start(self) -> Worker:
        worker = await Worker.start(memory_mb=self._settings.worker_memory_mb, module=self._module)
        try:
            await worker.give_context(*self._context)
        except BaseException:
            await worker.kill()
            raise
        return worker


class _Seat:
    """The place of one worker, and of its successor while that comes up."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.successor: asyncio.Task[Worker] | None = None

    async def replace(self, new: Worker) -> None:
        """Put another worker into the place."""
        old, self.worker = self.worker, new
        if old is not None:
            await old.close()

    async def close(self) -> None:
        """End the worker, and whoever was to follow it."""
        if self.successor is not None:
            self.successor.cancel()
            await asyncio.gather(self.successor, return_exceptions=True)
            if not self.successor.cancelled() and self.successor.exception() is None:
                await self.successor.result().close()
        if self.worker is not None:
            await self.worker.close()
        self.worker = None
