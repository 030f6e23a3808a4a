"""A worker that crashes, hangs or answers nonsense costs the one job it had; another follows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config.load import parse_site
from iop4d.ledger.engines import local as local_engine
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.ledger.engines.pipe import pack
from iop4d.ledger.engines.process import Worker, rss_mb
from iop4d.model.messages import ClassifyRequest, Crashed, Done, Outcome, TimedOut

CONTEXT = pack(("context", None))


async def perform(*names: str, deadline: float = 10.0) -> tuple[list[Outcome], Worker]:
    worker = await Worker.start(memory_mb=1024, module="tests.ledger.faulty_worker")
    await worker.give_context(CONTEXT, 1)
    outcomes = [await worker.perform(ClassifyRequest(path=Path(name)), label=name,
                                     deadline=deadline) for name in names]
    await worker.close()
    return outcomes, worker


def gone(pid: int) -> bool:
    return rss_mb(pid) == 0.0


def test_work_is_done_and_noise_is_no_matter() -> None:
    outcomes, worker = asyncio.run(perform("good", "noise", "good"))
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Done]
    assert worker.status.jobs == 3
    assert gone(worker.status.pid)


def test_what_a_worker_prints_is_logged_as_far_as_anybody_would_read_it(
        caplog: pytest.LogCaptureFixture) -> None:
    outcomes, _ = asyncio.run(perform("words", "flood", "good"))
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Done]
    assert caplog.text.count("a library says something") == 1
    assert "further bytes of its output discarded" in caplog.text
    assert len(caplog.text) < 200_000


@pytest.mark.parametrize(("name", "how"), [
    ("kill", "SIGKILL"), ("segv", "SIGSEGV"), ("exit", "exit code 3"), ("unreadable", "read")])
def test_a_worker_that_dies_is_an_outcome(name: str, how: str) -> None:
    outcomes, worker = asyncio.run(perform(name))
    assert isinstance(outcomes[0], Crashed)
    assert how in outcomes[0].how
    assert not worker.alive
    assert gone(worker.status.pid)


def test_a_worker_that_hangs_is_killed_at_its_deadline() -> None:
    started = time.monotonic()
    outcomes, worker = asyncio.run(perform("hang", deadline=0.5))
    assert isinstance(outcomes[0], TimedOut)
    assert time.monotonic() - started < 20.0  # a worker that hangs does so for a minute
    assert gone(worker.status.pid)


def test_a_real_worker_dies_with_its_daemon(tmp_path: Path) -> None:
    """The daemon is killed; its worker must be gone within a second."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, os, signal\n"
        "from iop4d.ledger.engines.local import WORKER\n"
        "from iop4d.ledger.engines.process import Worker\n"
        "async def main():\n"
        "    worker = await Worker.start(memory_mb=1024, module=WORKER)\n"
        "    await asyncio.sleep(0.5)\n"
        "    print(worker.status.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n", encoding="utf-8")
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True,
                         check=False, timeout=30)
    assert ran.returncode == -9
    pid = int(ran.stdout)
    deadline = time.monotonic() + 1.0
    while not _dead(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _dead(pid)


def _dead(pid: int) -> bool:
    """Gone, or a zombie that nobody reaps in a bare container."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] \
            == "Z"
    except OSError:
        return not Path(f"/proc/{pid}").exists()


# The engine.

FAULTY = "tests.ledger.faulty_worker"


def engine(size: int = 1, *, module: str = FAULTY, **settings: int) -> LocalProcesses:
    section = parse_site("", root=Path("/site")).daemon
    made = LocalProcesses(replace(section, worker_memory_mb=1024, **settings), size,
                          worker_module=module)
    made.set_context(None, 1)
    return made


def ask(name: str) -> ClassifyRequest:
    return ClassifyRequest(path=Path(name))


def test_a_worker_that_died_is_followed_by_another() -> None:
    async def go() -> tuple[list[type], set[int]]:
        local = engine()
        await local.start()
        outcomes, pids = [], set()
        for name in ("good", "kill", "good", "unreadable", "good"):
            assert await local.ready()
            pids.add(local.statuses[0].pid)
            outcomes.append(type(await local.submit(ask(name), label=name)))
        await local.stop()
        return outcomes, pids

    outcomes, pids = asyncio.run(go())
    assert outcomes == [Done, Crashed, Done, Crashed, Done]
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_a_worker_that_has_done_its_share_is_followed_without_a_pause() -> None:
    async def go() -> list[int]:
        local = engine(max_jobs_per_worker=2)
        await local.start()
        pids = []
        async with asyncio.timeout(20):
            while len(set(pids)) < 3:
                assert isinstance(await local.submit(ask("good"), label="good"), Done)
                pids.append(local.statuses[0].pid)
        await local.stop()
        return pids

    pids = asyncio.run(go())
    first = pids.index(next(pid for pid in pids if pid != pids[0]))
    assert first >= 2
    assert all(gone(pid) for pid in set(pids))


def test_a_worker_that_did_its_share_goes_on_only_until_its_successor_is_up() -> None:
    async def go() -> list[int]:
        local = engine(max_jobs_per_worker=3)
        await local.start()
        pids = []
        for _ in range(30):
            assert isinstance(await local.submit(ask("good"), label="good"), Done)
            pids.append(local.statuses[0].pid)
            await asyncio.sleep(0.1)
        await local.stop()
        return pids

    pids = asyncio.run(go())
    assert set(pids[:3]) == {pids[0]}
    assert len(set(pids)) >= 2
    assert max(pids.count(pid) for pid in set(pids)) < 30
    assert all(gone(pid) for pid in set(pids))


def test_as_many_requests_as_there_are_workers_are_done_side_by_side() -> None:
    async def go() -> tuple[list[Outcome], int]:
        local = engine(2)
        await local.start()
        outcomes = await asyncio.gather(*(
            local.submit(ask("good"), label=str(number)) for number in range(6)))
        workers = len(local.statuses)
        await local.stop()
        return outcomes, workers

    outcomes, workers = asyncio.run(go())
    assert [type(outcome) for outcome in outcomes] == [Done] * 6
    assert workers == 2


def test_a_worker_that_does_not_start_is_no_reason_to_claim_a_job(
        caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_engine, "_RESTART_PAUSE", 0.01)

    async def go() -> bool:
        local = engine(module="tests.ledger.no_such_module")
        await local.start()
        is_ready = await local.ready()
        await local.stop()
        return is_ready

    assert asyncio.run(go()) is False
    assert "a worker did not start" in caplog.text


def test_a_request_that_is_given_up_ends_its_worker() -> None:
    async def go() -> int:
        local = engine()
        await local.start()
        await local.ready()
        pid = local.statuses[0].pid
        task = asyncio.create_task(local.submit(ask("hang"), label="hang"))
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert gone(pid)
        await local.stop()
        return pid

    assert gone(asyncio.run(go()))


def test_after_some_tries_it_says_why_no_worker_comes_up(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_engine, "_RESTART_PAUSE", 0.0)

    async def go() -> tuple[list[str], bool, str]:
        local = engine(module="tests.ledger.no_such_module")
        await local.start()
        troubles = []
        for _ in range(3):
            assert not await local.ready()
            troubles.append(local.trouble)
        was_up = local.is_up
        monkeypatch.setattr(local, "_module", FAULTY)
        assert await local.ready()
        assert local.is_up
        await local.stop()
        return troubles, was_up, local.trouble

    troubles, was_up, after = asyncio.run(go())
    assert (was_up, after) == (False, "")
    assert troubles[:2] == ["", ""]
    assert troubles[2].startswith("no worker process starts: exit code 1: ")
    assert "No module named tests.ledger.no_such_module" in troubles[2]
