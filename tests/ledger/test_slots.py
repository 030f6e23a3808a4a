"""Slots of the dispatcher follow the workers of its engine; requests beside the queue end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from iop4d.config.load import parse_site
from iop4d.ledger import dispatch, trials
from iop4d.ledger.dispatch import Dispatcher
from iop4d.ledger.engines import RequestLostError
from iop4d.model.messages import ClassifyRequest, Failed, Outcome
from iop4d.store import health

REQUEST = ClassifyRequest(path=Path("a.fits"))


class Engine:
    """An engine without processes, of any size; what it is given is lost."""

    adapts = False

    def __init__(self, size: int) -> None:
        self.size = size
        self.given = 0

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def ready(self) -> bool:
        return True

    async def submit(self, _request: object, *, label: str) -> Outcome:
        self.given += 1
        raise RequestLostError("no worker is free")


class Nothing:
    """A ledger and its database, without a job."""

    is_due = next_due = None

    async def read(self, *_args: object) -> None:
        return None


def test_workers_are_started_for_a_request_beside_the_queue(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot for a message by day, when there is no job and so no worker."""
    monkeypatch.setattr(dispatch, "_WANT", 0.0)

    class Adapting(Engine):
        adapts = True
        wanted: ClassVar[list[int]] = []

        def want(self, jobs: int) -> None:
            self.wanted.append(jobs)
            self.size = jobs

    async def go() -> Outcome:
        it = dispatcher_of(Adapting(0))
        it._database = cast("Any", NoJobs())
        stop = asyncio.Event()
        running = asyncio.create_task(it.run(stop))
        try:
            async with asyncio.timeout(5.0):
                return await it.perform(REQUEST)
        finally:
            stop.set()
            await running

    assert isinstance(asyncio.run(go()), Failed)
    assert 1 in Adapting.wanted


class NoJobs:
    """A database that counts none."""

    async def read(self, query: object, *_args: object) -> int | None:
        return 0 if query is health.queued_jobs else None


def dispatcher_of(engine: Engine) -> Dispatcher:
    nothing = cast("Any", Nothing())
    return Dispatcher(engine=cast("Any", engine), ledger=nothing, database=nothing,
                      clock=lambda: 0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_FOLLOW", 0.01)
    monkeypatch.setattr(dispatch, "_IDLE_LOOK", 0.01)


def test_there_are_as_many_slots_as_workers_however_they_come_and_go() -> None:
    async def go() -> list[int]:
        engine, stop, seen = Engine(0), asyncio.Event(), []
        it = dispatcher_of(engine)
        task = asyncio.create_task(it.run(stop))
        for size in (0, 3, 1, 0, 5, 2):
            engine.size = size
            await asyncio.sleep(0.1)
            seen.append(sum(not slot.done() for slot in it._slots))
        stop.set()
        await task
        return [*seen, sum(not slot.done() for slot in it._slots)]

    assert asyncio.run(go()) == [0, 3, 1, 0, 5, 2, 0]


def test_a_side_job_whose_worker_is_lost_ends_with_why() -> None:
    async def go() -> Outcome:
        stop = asyncio.Event()
        it = dispatcher_of(Engine(1))
        task = asyncio.create_task(it.run(stop))
        outcome = await it.perform(REQUEST)
        stop.set()
        await task
        return outcome

    assert asyncio.run(go()) == Failed(stage="worker", reason="no worker is free")


def test_a_request_that_was_given_up_is_not_done_when_a_worker_comes() -> None:
    async def go() -> int:
        engine, stop = Engine(0), asyncio.Event()
        it = dispatcher_of(engine)
        task = asyncio.create_task(it.run(stop))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.perform(REQUEST), 0.03)
        engine.size = 1
        await asyncio.sleep(0.1)
        stop.set()
        await task
        return engine.given

    assert asyncio.run(go()) == 0


def test_what_is_asked_of_a_dispatcher_that_has_stopped_ends_at_once() -> None:
    async def go() -> None:
        stop = asyncio.Event()
        stop.set()
        it = dispatcher_of(Engine(1))
        await it.run(stop)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(it.perform(REQUEST), 1.0)

    asyncio.run(go())


def test_a_trial_for_which_no_worker_is_free_is_answered_all_the_same(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_FREE_IN", -0.9)

    async def never(_request: object) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    site = parse_site("[daemon]\njob_timeout = 1", root=tmp_path)
    it = trials.Trials(site, {}, cast("Any", Nothing()), never)
    answer = asyncio.run(it._answer(cast("Any", type("Row", (), {"content": {}}))))
    assert answer["error"].startswith("no worker was free within 0.1 s; 'iop4d status' shows")
