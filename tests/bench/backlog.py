"""A daemon with a long backlog: is its loop free, and do new frames pass? Part of ``make bench``.

The daemon runs in this process, so that its loop can be watched from within; its workers are stubs
that take as long as a frame does, since it is the daemon that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from iop4d.config.load import load_site
from iop4d.daemon import Daemon
from iop4d.ledger.engines.process import rss_mb
from iop4d.model.states import FrameState, JobState
from iop4d.simulator.servers import free_port
from iop4d.store.database import Connection
from iop4d.store.schema import Frame, Job
from tests.support.daemon_under_test import use_workers
from tests.support.sites import make_stub_site, write_corpus
from tests.support.trial import STUB_WORKER

_TICK = 0.01  # seconds between looks at the loop's clock
_EVERY = 1.0  # seconds between new frames


@dataclass(frozen=True, kw_only=True)
class BacklogNumbers:
    """What was measured. Lags and latencies in seconds."""

    frames: int
    ready_s: float
    taken_s: float
    lags: tuple[float, ...]
    latencies: tuple[float, ...]
    left: int
    rss_mb: float


async def _lags(into: list[float], stop: asyncio.Event) -> None:
    while not stop.is_set():
        due = time.perf_counter() + _TICK
        await asyncio.sleep(_TICK)
        into.append(time.perf_counter() - due)


async def _measure(site: Path, corpus: list[Path], live: list[Path]) -> BacklogNumbers:
    stop, is_ready = asyncio.Event(), asyncio.Event()
    daemon = Daemon(load_site(site))

    async def ready(_: Daemon) -> None:
        is_ready.set()

    began = time.perf_counter()
    running = asyncio.create_task(daemon.run(stop, ready=ready))
    await is_ready.wait()
    ready_s = time.perf_counter() - began
    lags: list[float] = []
    watcher = asyncio.create_task(_lags(lags, stop))
    read = daemon.database.read
    taken_s = await _until(partial(read, _has, len(corpus)))
    latencies = []
    for path in live:
        (site / "raw" / _night(path)).mkdir(exist_ok=True)
        path.rename(site / "raw" / _night(path) / path.name)
        latencies.append(await _until(partial(read, _is_done, path.name)))
        await asyncio.sleep(max(0.0, _EVERY - latencies[-1]))
    left = await read(_left)
    memory = rss_mb()
    stop.set()
    await asyncio.gather(running, watcher)
    return BacklogNumbers(frames=len(corpus), ready_s=ready_s, taken_s=taken_s, lags=tuple(lags),
                          latencies=tuple(latencies), left=left, rss_mb=memory)


async def _until(holds: Callable[[], Awaitable[bool]]) -> float:
    """Seconds until something holds, which only the database can tell."""
    began = time.perf_counter()
    while not await holds():  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(_TICK)
    return time.perf_counter() - began


def _has(db: Connection, frames: int) -> bool:
    return int(db.select(Frame).count()) >= frames


def _night(path: Path) -> str:
    return str(json.loads(path.read_text(encoding="utf-8"))["night"])


def _left(db: Connection) -> int:
    return int(db.select(Job).where(Job.state == JobState.QUEUED).count())


def _is_done(db: Connection, name: str) -> bool:
    return bool(db.select(Frame).where(
        (Frame.name == name) & (Frame.state == FrameState.DONE)).exists())


def run_backlog(frames: int, live: int) -> BacklogNumbers:
    """Let so many frames wait, then have new ones come one after the other."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        total = frames + live
        site = make_stub_site(folder / "site", total, port=free_port(), dead=free_port())
        corpus = write_corpus(folder / "corpus", total)
        backlog, new = corpus[:frames], corpus[frames:]
        for path in backlog:
            os.utime(path, (0, 1.0e9))
            (site / "raw" / _night(path)).mkdir(exist_ok=True)
            path.rename(site / "raw" / _night(path) / path.name)
        return asyncio.run(_measure(site, backlog, [p for p in new if "science" in p.name]))


def backlog_report(numbers: BacklogNumbers) -> Table:
    """The table that is printed."""
    table = Table(title=f"A backlog of {numbers.frames} frames, and new ones that come", width=100)
    table.add_column("what")
    table.add_column("median", justify="right")
    table.add_column("95 %", justify="right")
    table.add_column("99 %", justify="right")
    for name, values in (("lag of the daemon's loop, ms", numbers.lags),
                         ("new frame, from file to measurement, ms", numbers.latencies)):
        ranked = sorted(values)
        table.add_row(name, *(f"{1000 * ranked[min(int(share * len(ranked)), len(ranked) - 1)]:.0f}"
                              for share in (0.5, 0.95, 0.99)))
    table.add_section()
    table.add_row("ready after, s", f"{numbers.ready_s:.2f}")
    table.add_row("all files in the ledger after, s", f"{numbers.taken_s:.1f}")
    table.add_row("jobs that still waited at the end", str(numbers.left))
    table.add_row("memory of the daemon, MB", f"{numbers.rss_mb:.0f}")
    return table


def main() -> None:
    """Measure with stub workers, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=5000, help="that wait [5000]")
    parser.add_argument("--live", type=int, default=40, help="that come meanwhile [40]")
    words = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    use_workers(STUB_WORKER)
    Console(width=100).print(backlog_report(run_backlog(words.frames, words.live)))


if __name__ == "__main__":
    main()
