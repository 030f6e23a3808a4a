"""A worker that crashes, hangs or answers nonsense costs the one job it had."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

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
    assert time.monotonic() - started < 5.0
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
