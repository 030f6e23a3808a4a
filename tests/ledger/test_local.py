"""The engine of local processes: each worker is replaced when it has done its share."""

from __future__ import annotations

import asyncio
from pathlib import Path

from iop4d.config import Daemon
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.ledger.engines.process import rss_mb
from iop4d.model.messages import ClassifyRequest, Done

SHARE = 3


async def pids_of_jobs(count: int) -> list[int]:
    """The process that did each of so many jobs."""
    engine = LocalProcesses(Daemon(max_jobs_per_worker=SHARE), 1,
                            worker_module="tests.ledger.faulty_worker")
    engine.set_context(None, 1)
    await engine.start()
    pids = []
    try:
        for _ in range(count):
            outcome = await engine.submit(ClassifyRequest(path=Path("good")), label="good")
            assert isinstance(outcome, Done)
            pids += [status.pid for status in engine.statuses]
            await asyncio.sleep(0.1)
    finally:
        await engine.stop()
    assert not any(map(rss_mb, pids))
    return pids


def test_a_worker_that_did_its_share_makes_room_for_another() -> None:
    pids = asyncio.run(pids_of_jobs(30))
    assert set(pids[:SHARE]) == {pids[0]}
    assert len(set(pids)) >= 2
    assert max(pids.count(pid) for pid in set(pids)) < 30  # its successor has to come up first
