"""The parts of a daemon: named tasks that run side by side until they are told to stop.

A part that ends by itself has failed, and stops the others with an error, so that the service
manager starts the daemon again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from iop4d.model.errors import Iop4dError
from iop4d.system.clock import ClockWatch

log = logging.getLogger(__name__)

_LATE = timedelta(hours=1)
_CLOCK = 5.0  # seconds between looks whether the clock was set


class Parts:
    """Runs parts, and watches over them."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.stop = stop
        self._tasks: dict[asyncio.Task[None], str] = {}
        self.lag = 0.0  # seconds by which the event loop is late

    def start(self, parts: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        """Begin them all."""
        self._tasks = {asyncio.create_task(part, name=name): name for name, part in parts.items()}

    async def wait(self) -> None:
        """Until it is time to stop; raises Iop4dError if a part ends before."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if not self.stop.is_set():
            task = next(iter(done))
            error = task.exception()
            if isinstance(error, Iop4dError):
                raise error
            raise Iop4dError(f"the {task.get_name()} ended by itself: {error!r}") from error

    async def end(self) -> None:
        """Tell them to stop, and wait until they have."""
        self.stop.set()
        await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled() and (error := task.exception()):
                known = isinstance(error, Iop4dError)
                log.error("%s ended with an error%s", task.get_name(), f": {error}" * known,
                          exc_info=None if known else error)

    @property
    def dead(self) -> list[str]:
        """Parts that have ended, in words."""
        return [f"the {name} ended" for task, name in self._tasks.items() if task.done()]

    async def every(self, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
        """Do something at a cadence until told to stop."""
        while not self.stop.is_set():
            due = time.monotonic() + seconds
            try:
                await act()
            except Iop4dError as error:
                log.error("%s", error)
            # A look that fails once (a locked database, say) must not end the cadence: it is
            # logged, and the next one comes.
            except Exception:
                log.exception("%s failed", getattr(act, "__qualname__", act))
            try:
                async with asyncio.timeout(max(due - time.monotonic(), 0.0)):
                    await self.stop.wait()
            except TimeoutError:
                self.lag = max(time.monotonic() - due, self.lag * 0.9)


class Calendar:
    """Does things by the clock, UTC: a part of the daemon like the others.

    What is late is done all the same, once: a loop that hung, or a machine that slept, drops
    nothing. A clock that is set is followed: set back, things are due when it says so again.
    """

    def __init__(self, watch: ClockWatch | None = None) -> None:
        self._watch = watch or ClockWatch()
        self._scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={
            "misfire_grace_time": None, "coalesce": True, "max_instances": 1})

    def add(self, name: str, act: Callable[[], Awaitable[object]], *, at_start: bool = False,
            **when: int | str) -> None:
        """Do something at the times that ``when`` gives as cron does: ``hour=12``, ``minute="*"``.

        ``at_start``: and at once, when the calendar begins.
        """
        first = {"next_run_time": datetime.now(UTC)} if at_start else {}
        times = _Times(**when, timezone=UTC)
        self._scheduler.add_job(_ending_quietly(act), times, id=name, **first)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the times until told to stop."""
        self._scheduler.start()
        try:
            while not stop.is_set():
                if self._watch.set_by():
                    self._follow_clock()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CLOCK):
                        await stop.wait()
        finally:
            self._scheduler.shutdown(wait=False)

    def _follow_clock(self) -> None:
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            due = job.trigger.get_next_fire_time(None, now)
            if job.next_run_time is None or due is None or job.next_run_time > due:
                job.modify(next_run_time=due)
        self._scheduler.wakeup()


class _Times(CronTrigger):  # type: ignore[misc]  # it has no types
    """Those of cron. What is long past counts once: a clock that leaps over years (1970, before
    NTP) would have every minute of them counted."""

    def get_next_fire_time(self, previous_fire_time: datetime | None,
                           now: datetime) -> datetime | None:
        """As of cron, from now on where the one before is long past."""
        is_late = previous_fire_time is not None and now - previous_fire_time > _LATE
        due: datetime | None = super().get_next_fire_time(
            None if is_late else previous_fire_time, now)
        return due


def _ending_quietly(act: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Something that the scheduler does, whose end with the daemon is no error of it."""
    async def job() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await act()
    return job
