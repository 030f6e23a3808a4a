"""Workers of Dask that come, go and fail at the worst moment, without a Dask."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iop4d import __version__
from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.engines import RequestLostError
from iop4d.ledger.engines.dask import calls, engine, node
from iop4d.ledger.engines.dask.connect import Link
from iop4d.ledger.engines.dask.engine import DaskWorkers
from iop4d.ledger.engines.dask.members import Member, Members, WorkerGoneError
from iop4d.ledger.engines.dask.node import Answer, Introduction, Terms, What
from iop4d.ledger.engines.dask.stage import Part, Stage
from iop4d.model.messages import NO_SPACE, ClassifyRequest, Crashed, Failed, Outcome

REQUEST = ClassifyRequest(path=Path("a.fits"))
SAID = Introduction(node="n", host="far", pid=1, versions={}, files="")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return parse_site('[workers]\nengine = "dask"\nscheduler = "tcp://127.0.0.1:1"',
                      root=tmp_path)


def follow(members: Members, *addresses: str) -> list[Member]:
    return members.follow({one: {"last_seen": 1.0, "nthreads": 1} for one in addresses})


async def engine_with(site: Site, *addresses: str) -> DaskWorkers:
    """An engine whose workers have introduced themselves."""
    it = DaskWorkers(site)
    it.set_context(None, 1)
    for member in follow(it._members, *addresses):
        await it._members.admit(member, SAID, here="here")
    return it


def answers(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Member], Answer]) -> None:
    """Have each call of a worker end with an answer, or with what that raises."""
    async def called(_link: Link, member: Member, *_args: object) -> Answer:
        return answer(member)

    monkeypatch.setattr(engine, "call", called)


def test_a_worker_that_left_while_it_introduced_itself_gets_no_place() -> None:
    async def go() -> tuple[int, object]:
        members = Members()
        (member,) = follow(members, "a")
        follow(members)
        await members.admit(member, SAID, here="here")
        return len(member.seats), await members.take(0.01)

    assert asyncio.run(go()) == (0, None)


def test_a_request_whose_worker_leaves_before_it_had_it_goes_back_to_the_ledger(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_member: Member) -> Answer:
        raise WorkerGoneError("it left the scheduler")

    async def go() -> None:
        it = await engine_with(site, "a")
        with pytest.raises(RequestLostError, match="its worker a was lost: it left"):
            await it.submit(REQUEST, label="a")

    answers(monkeypatch, gone)
    asyncio.run(go())


def test_while_a_worker_cannot_be_prepared_all_others_go_on(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_member: Member) -> Answer:
        raise RequestLostError("the scheduler is gone")

    async def go() -> list[str]:
        it = await engine_with(site, "a")
        order: list[str] = []
        asyncio.get_running_loop().call_soon(order.append, "others")
        assert not await it.ready()
        return [*order, "ready"]

    monkeypatch.setattr(engine, "_LOOK", 0.01)
    answers(monkeypatch, lost)
    assert asyncio.run(go()) == ["others", "ready"]


def test_trouble_is_that_no_worker_starts_a_process_not_that_one_does_not(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> list[str]:
        it = await engine_with(site, "good")
        it._away = ""
        assert await it.ready()
        (bad,) = follow(it._members, "good", "bad")
        await it._members.admit(bad, SAID, here="here")
        assert not await it.ready()
        said = [it.trouble]
        follow(it._members, "bad")
        return [*said, it.trouble]

    monkeypatch.setattr(engine, "_LOOK", 0.01)
    answers(monkeypatch, lambda member: Answer(what=What.DONE) if member.address == "good" else
            Answer(what=What.NOT_STARTED, why="no such module"))
    assert asyncio.run(go()) == ["", "no worker process starts at bad: no such module"]


def test_a_worker_is_asked_again_whose_introduction_was_lost(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> int:
        it = DaskWorkers(site)
        (member,) = follow(it._members, "a")
        asked: list[Member] = []

        async def ask(member: Member) -> str:
            asked.append(member)
            if len(asked) == 1:
                raise RequestLostError("the connection to the scheduler was lost")
            await it._members.admit(member, SAID, here="here")
            return ""

        monkeypatch.setattr(it, "_ask", ask)
        await it._introduce(member)
        return it.size

    monkeypatch.setattr(engine, "_PAUSE", 0.01)
    assert asyncio.run(go()) == 1


def test_probes_of_a_daemon_that_crashed_are_removed(site: Site) -> None:
    (site.root / ".probe-0123").write_bytes(b"")
    (site.root / ".probe-0123-4567").write_bytes(b"")

    async def go() -> None:
        it = DaskWorkers(site)
        await it.start()
        await it.stop()

    asyncio.run(go())
    assert list(site.root.iterdir()) == []


def test_a_worker_that_joins_again_has_another_session() -> None:
    """By which what it did before is known, and given up."""
    async def go() -> tuple[Member, Member]:
        members = Members()
        (member,) = follow(members, "a")
        members.silence(member)
        (again,) = members.follow({"a": {"last_seen": 2.0, "nthreads": 1}})
        return member, again

    before, after = asyncio.run(go())
    assert before.session != after.session


def test_a_job_whose_connection_breaks_is_given_up_at_its_worker(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> tuple[Outcome, list[object]]:
        it = await engine_with(site, "a")
        given_up: list[object] = []

        async def run(function: object, *args: object, **_how: object) -> None:
            given_up.extend((function, args[1]))

        monkeypatch.setattr(it._link, "run", run)
        outcome = await it.submit(REQUEST, label="a")
        await asyncio.sleep(0)
        (member,) = it._members.known
        assert str(given_up[1]).startswith(member.session)
        return outcome, given_up

    def breaks(_member: Member) -> Answer:
        calls_.append(1)
        if len(calls_) == 1:
            return Answer(what=What.DONE)
        raise WorkerGoneError("the connection to it was lost")

    calls_: list[int] = []
    answers(monkeypatch, breaks)
    outcome, (function, _) = asyncio.run(go())
    assert isinstance(outcome, Crashed)
    assert function is node.give_up


def test_a_worker_without_room_costs_no_job_an_attempt_and_is_asked_again(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails at once, and would so take each job before the others come to it."""
    async def go() -> tuple[int, bool]:
        it = await engine_with(site, "full")
        (member,) = it._members.known
        with pytest.raises(RequestLostError, match="the worker full keeps no files: no space left"):
            await it.submit(REQUEST, label="a")
        return it.size, isinstance(member.gone.result(), RequestLostError)

    def full(_member: Member) -> Answer:
        return Answer(what=What.NO_ROOM if asked else What.DONE, why="no space left",
                      pid=asked.append(1) or 0)

    asked: list[int] = []
    answers(monkeypatch, full)
    assert asyncio.run(go()) == (0, True)


def test_a_worker_whose_disk_fills_says_that_it_has_no_room(
        site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Stage, _part: Part) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/there")

    async def go() -> tuple[Answer, Answer, Answer]:
        worker = type("Worker", (), {"local_directory": str(tmp_path)})
        opened = await node.open_stage(node.NODE, "one", worker)
        monkeypatch.setattr(Stage, "put", full)
        put = await node.take_part(node.NODE, "one", Part(
            job="j", path=Path("/a"), offset=0, data=b""))
        done = await node._with_outcome(
            Answer(what=What.DONE), Failed(stage=NO_SPACE, reason="no room for a.fits"), REQUEST,
            Stage(tmp_path), "j")
        monkeypatch.setattr(node, "_LEAST_FREE", 1 << 62)
        refused = await node.open_stage(node.NODE, "one", worker)
        assert opened.what is What.DONE
        return put, done, refused

    monkeypatch.setattr(node, "_stages", {})
    put, done, refused = asyncio.run(go())
    assert [answer.what for answer in (put, done, refused)] == [What.NO_ROOM] * 3
    assert put.why == "No space left on device: /there"
    assert f"MB are free in {tmp_path}" in refused.why
    assert site.root


@pytest.mark.parametrize(("installed", "said"), [
    ("0.0.1", f"it has iop4d 0.0.1; the daemon has iop4d {__version__}"),
    (RuntimeError("PackageNotFoundError('iop4d')"), "iop4d is not installed there"),
    (__version__, "it cannot introduce itself: takes 1 argument")])
def test_a_worker_that_does_not_understand_us_is_asked_for_its_version(
        site: Site, monkeypatch: pytest.MonkeyPatch, installed: Any, said: str) -> None:
    async def called(_link: Link, _member: Member, function: object, *_args: object) -> Any:
        if function is node.introduce:
            raise RuntimeError("takes 1 argument")
        if isinstance(installed, Exception):
            raise installed
        return installed

    async def reached(*_: object) -> bool:
        return True

    async def go() -> str:
        it = DaskWorkers(site)
        (member,) = follow(it._members, "a")
        asking = asyncio.create_task(it._introduce(member))
        while not it._members.refused:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
        member.gone.set_result(WorkerGoneError("it left"))
        await asking
        return it._members.refused["a"]

    monkeypatch.setattr(engine, "call", called)
    monkeypatch.setattr(engine, "is_reached", reached)
    assert asyncio.run(go()) == said


class FakePool:
    """Connections to workers, whose answers come when a test says so, or never."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[object]] = []
        self.given_back = 0

    async def connect(self, _address: str) -> object:
        return self

    def reuse(self, _address: str, _comm: object) -> None:
        self.given_back += 1


class FakeClient:
    """A client with a way to its workers."""

    def __init__(self) -> None:
        self.rpc = FakePool()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> FakePool:
    async def send_recv(comm: FakePool, **_how: object) -> object:
        comm.answers.append(asyncio.get_running_loop().create_future())
        return await comm.answers[-1]

    monkeypatch.setattr(calls, "send_recv", send_recv)
    return FakePool()


async def ask(site: Site, pool: FakePool, members: Members) -> asyncio.Task[Any]:
    """A call of the worker a that is under way."""
    link = Link(site)
    link.client = FakeClient()
    link.client.rpc = pool
    (member,) = follow(members, "a")
    task = asyncio.create_task(calls.call(link, member, node.clear))
    await asyncio.sleep(0.01)
    return task


def test_a_call_ends_when_its_worker_is_lost_and_its_answer_is_dropped(
        site: Site, pool: FakePool) -> None:
    async def go() -> None:
        members = Members()
        task = await ask(site, pool, members)
        follow(members)
        with pytest.raises(WorkerGoneError):
            await task
        await asyncio.sleep(0)
        (late,) = pool.answers
        assert late.cancelled()
        assert pool.given_back == 1

    asyncio.run(go())


def test_a_connection_that_breaks_with_the_scheduler_is_not_the_workers_fault(
        site: Site, pool: FakePool) -> None:
    async def go() -> None:
        members = Members()
        task = await ask(site, pool, members)
        pool.answers[0].set_exception(OSError("closed"))
        await asyncio.sleep(0.01)
        members.dismiss_all("the scheduler is unreachable")
        with pytest.raises(RequestLostError):
            await task

    asyncio.run(go())


def test_a_connection_that_breaks_while_the_scheduler_is_there_is(
        site: Site, pool: FakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_ANSWER_OF_SCHEDULER_IN", 0.01)

    async def go() -> None:
        task = await ask(site, pool, Members())
        pool.answers[0].set_exception(OSError("closed"))
        with pytest.raises(WorkerGoneError, match="the connection to it was lost: closed"):
            await task

    asyncio.run(go())


class FakeProcesses:
    """Worker processes of a site, that take a moment to end."""

    running = 0

    def __init__(self, *_args: object, **_how: object) -> None:
        self.ended = asyncio.Event()

    def set_context(self, context: object, version: int) -> None:
        pass

    async def start(self) -> None:
        FakeProcesses.running += 1

    async def ready(self) -> bool:
        return True

    async def submit(self, _request: object, *, label: str) -> Outcome:
        await self.ended.wait()
        return Crashed(how="killed")

    async def stop(self) -> None:
        await asyncio.sleep(0.01)
        self.ended.set()
        FakeProcesses.running -= 1


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a Dask worker holds; nothing at first."""
    monkeypatch.setattr(node, "LocalProcesses", FakeProcesses)
    monkeypatch.setattr(FakeProcesses, "running", 0)
    monkeypatch.setattr(node, "_changing", asyncio.Lock(), raising=False)
    monkeypatch.setattr(node, "_held", {})
    return node._held


def terms(site: Site, name: str = "one", **more: Any) -> Terms:
    return Terms(**{"site": name, "digest": "d", "settings": site.daemon, "size": 2,
                    "module": "m", **more})


@pytest.mark.usefixtures("held")
def test_two_requests_that_bring_new_settings_start_worker_processes_once(site: Site) -> None:
    async def go() -> int:
        await node.take_context(node.NODE, terms(site), pickle.dumps(None))
        new = terms(site, module="other", digest="e")
        await asyncio.gather(*(
            node.take_context(node.NODE, new, pickle.dumps(None)) for _ in range(2)))
        return FakeProcesses.running

    assert asyncio.run(go()) == 1


@pytest.mark.usefixtures("held")
def test_a_request_whose_worker_processes_end_for_another_site_has_not_crashed(
        site: Site) -> None:
    async def go() -> What:
        context = pickle.dumps(None)
        await node.take_context(node.NODE, terms(site), context)
        task = asyncio.create_task(node.perform(
            node.NODE, "one", "d", "job", pickle.dumps(REQUEST), "label"))
        await asyncio.sleep(0)
        for name in ("two", "three"):
            await node.take_context(node.NODE, terms(site, name), context)
        return (await task).what

    assert asyncio.run(go()) is What.NO_CONTEXT


@pytest.mark.usefixtures("held")
def test_what_is_still_done_for_an_earlier_connection_of_the_daemon_is_given_up(
        site: Site) -> None:
    async def go() -> None:
        await node.take_context(node.NODE, terms(site), pickle.dumps(None))
        old, new = (asyncio.create_task(node.perform(
            node.NODE, "one", "d", job, pickle.dumps(REQUEST), "label"))
            for job in ("old-1", "new-1"))
        await asyncio.sleep(0)
        await node.introduce("one", "new", site.root / "probe", b"", [])
        assert (await old).what is What.GIVEN_UP
        assert not new.done()
        new.cancel()
        await asyncio.gather(new, return_exceptions=True)

    asyncio.run(go())
