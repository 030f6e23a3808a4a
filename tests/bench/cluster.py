"""Frames of all instruments on a Dask whose workers and scheduler are killed: ``make cluster``.

Results must be those of local processes to the last digit, none lost, none doubled. Then, unless it
is the short form, throughput against workers, of Dask and of local processes. Exits
with 1 if anything is wrong; never by how fast the machine is.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from iop4d.simulator.night import NightPlan
from iop4d.simulator.service import Observer, Service
from iop4d.simulator.setups import SETUPS
from iop4d.simulator.sky import index_folder
from tests.bench import speed
from tests.bench.polarimetry_accuracy import plan_of
from tests.support.dask_cluster import DaskCluster, dask_cluster
from tests.support.invariants import violations
from tests.support.sites import drop, make_site, take_night

_SEED = 2
_WORKERS = 2
_KILL_EVERY = (1.5, 4.0)  # seconds
_COME_UP = 3.0  # seconds that a worker gets to come up before the next is killed, at least
_SLOW = 60.0  # seconds, on a slow machine, within which some jobs must be done before that
_SOME = 3  # jobs
_LAST = 6  # frames that come after the scheduler was restarted for the last time
_LONGEST = 1500.0  # seconds for all frames
#: A worker of Dask that dies costs the job it had an attempt, and here they die all the time.
_SITE = "[daemon]\nworkers = {workers}\nmax_attempts = 8\n"
_DASK = "[workers]\nengine = \"dask\"\nscheduler = \"{address}\"\n"


@dataclass(kw_only=True)
class Kills:
    """What was killed."""

    workers: int = 0
    scheduler: int = 0
    wrong: str = ""  # why nothing more was killed, if that is so


def frames_of(folder: Path, groups: int) -> tuple[NightPlan, list[tuple[str, Path]]]:
    """Nights of all instruments on one field: a plan of it, and frames with their folders."""
    found: list[tuple[str, Path]] = []
    plan = plan_of(SETUPS[0].name, _SEED)
    for setup in SETUPS:
        plan = replace(plan_of(setup.name, _SEED), n_bias=3, n_dark=3, n_flat=3, groups=groups)
        found += [(f"{setup.name}/{plan.night}", path)
                  for path in take_night(plan, folder / setup.name)]
    return plan, found


def work_off(site: Path, frames: list[tuple[str, Path]], *, pause: float,
             may_end: Callable[[], bool] = lambda: True) -> None:
    """Have a daemon take all frames, dropped one after the other; RuntimeError if it does not.

    The last ones come once ``may_end`` holds.
    """
    service = Service(site, "run")
    began = time.monotonic()
    try:
        for number, (folder, path) in enumerate(frames):
            while number == len(frames) - _LAST and not may_end() \
                    and time.monotonic() - began < _LONGEST:
                time.sleep(0.2)
            drop(path, site / "raw" / folder)
            time.sleep(pause)
        if not Observer(site).wait(len(frames), seconds=_LONGEST, service=service):
            raise RuntimeError(f"no end of it: {service.log()[-3000:]}")
    finally:
        service.stop()


def _results(site: Path) -> list[str]:
    """The lines of ``iop4d results`` without their numbers; cameras share names of files."""
    ran = subprocess.run([sys.executable, "-m", "iop4d", "--site", str(site), "results"],
                         check=True, capture_output=True, text=True)
    return sorted(str({name: value for name, value in row.items() if name != "id"})
                  for row in csv.DictReader(io.StringIO(ran.stdout)))


def _jobs(site: Path, *states: str) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{site / 'iop4d.db'}?mode=ro",
                                            uri=True)) as database:
        found = [state for (state,) in database.execute("SELECT state FROM job")]
        return sum(state in states for state in found)


def _refill(cluster: DaskCluster) -> None:
    """Have as many workers as before; they end by themselves when their scheduler is gone."""
    cluster.forget_ended()
    while len(cluster.workers) < _WORKERS:
        cluster.add_worker()


@contextlib.contextmanager
def disturbed(cluster: DaskCluster, seed: int, *, schedulers: int,
              jobs: Callable[..., int]) -> Iterator[Kills]:
    """Kill workers at random, and the scheduler some times; what ended is started again.

    ``jobs``: how many there are in some states; on a slow machine some are awaited between kills.
    """
    kills, stop, rng = Kills(), threading.Event(), random.Random(seed)

    def run() -> None:
        turn = 0
        while not stop.wait(rng.uniform(*_KILL_EVERY)):
            turn += 1
            cluster.forget_ended()
            if turn % 3 == 2 and kills.scheduler < schedulers:
                cluster.kill_scheduler()
                kills.scheduler += 1
                stop.wait(1.0)
                cluster.start_scheduler()
            elif len(cluster.workers) >= _WORKERS:
                cluster.kill_worker(rng.choice(cluster.workers))
                kills.workers += 1
            _refill(cluster)
            stop.wait(_COME_UP)
            before, since = jobs("done"), time.monotonic()
            while time.monotonic() - since < _SLOW and jobs("done") < before + _SOME \
                    and jobs("queued", "running"):
                _refill(cluster)
                if stop.wait(0.3):
                    break

    def run_reported() -> None:
        try:
            run()
        except Exception as error:  # noqa: BLE001 - it must not end unseen with its thread
            kills.wrong = repr(error)

    thread = threading.Thread(target=run_reported, daemon=True)
    thread.start()
    try:
        yield kills
    finally:
        stop.set()
        thread.join()


def killed(folder: Path, *, groups: int, seed: int,
           transfer: bool) -> tuple[dict[str, object], list[str]]:
    """The numbers of a night on a cluster that is killed, and what is wrong.

    ``transfer``: no worker sees the site or the index, and files travel.
    """
    plan, frames = frames_of(folder / "frames", groups)
    random.Random(seed).shuffle(frames)
    plain = _SITE.format(workers=_WORKERS)
    calm = make_site(folder / "local", plan, more=plain)
    work_off(calm, frames, pause=0.0)
    (folder / "dask").mkdir()
    with dask_cluster(folder / "dask", 0) as cluster:
        site = make_site(folder / "site", plan, more=plain + _DASK.format(
            address=cluster.address) + f"transfer = {str(transfer).lower()}\n")
        cluster.hidden = (site, index_folder()) if transfer else ()
        with disturbed(cluster, seed, schedulers=2, jobs=partial(_jobs, site)) as kills:
            began = time.monotonic()
            work_off(site, frames, pause=max(0.3, 30.0 / len(frames)),
                     may_end=lambda: kills.scheduler >= 2 or bool(kills.wrong))
            took = time.monotonic() - began
    expected, found = _results(calm), _results(site)
    wrong = [f"only in one: {row}" for row in sorted(set(expected) ^ set(found))]
    wrong += violations(site, settled=True)
    if len(expected) != len(found):
        wrong.append(f"{len(expected)} results of local processes, {len(found)} of Dask")
    if kills.wrong:
        wrong.append(f"nothing more was killed: {kills.wrong}")
    if kills.scheduler < 2:
        wrong.append(f"the scheduler was restarted {kills.scheduler} times only")
    return {"frames": len(frames), "results": len(found), "workers killed": kills.workers,
            "schedulers killed": kills.scheduler, "seconds": round(took)}, wrong


def speeds(folder: Path, *, backlog: int, live: int, rounds: int, workers: list[int]) -> Table:
    """Throughput and latency of both engines with some numbers of workers, in turns."""
    found: dict[tuple[str, int], list[speed.Numbers]] = {}
    for turn in range(rounds):
        for number in workers:
            for engine in ("local", "dask"):
                place = folder / f"{engine}-{number}-{turn}"
                (place / "dask").mkdir(parents=True)
                with contextlib.ExitStack() as stack:
                    more, pids = _SITE.format(workers=number), []
                    if engine == "dask":
                        cluster = stack.enter_context(dask_cluster(place / "dask", number))
                        more += _DASK.format(address=cluster.address)
                        pids = cluster.pids
                    found.setdefault((engine, number), []).append(speed.run(
                        place, backlog=backlog, live=live, repeats=0, more=more, others=pids))
    table = Table("engine", "workers", "frames/min", "core-s a frame", "latency, median",
                  title=f"throughput against workers, {os.cpu_count()} cores")
    for (engine, number), all_ in found.items():
        rates = [one.a_minute for one in all_]
        table.add_row(engine, str(number),
                      f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
                      f"{median(one.core_s for one in all_):.3f}",
                      f"{median(late for one in all_ for late in one.latencies):.2f} s")
    return table


def main() -> None:
    """Do it all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--short", action="store_true", help="about 70 frames, no speeds")
    parser.add_argument("--speed", action="store_true", help="the speeds alone")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4],
                        help="numbers of workers of the speeds [1 2 4]")
    parser.add_argument("--rounds", type=int, default=3, help="of the speeds [3]")
    parser.add_argument("--transfer", action="store_true",
                        help="on workers that see neither the site nor the index")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        if not words.speed:
            numbers, wrong = killed(Path(scratch) / "killed", groups=1 if words.short else 9,
                                    seed=words.seed, transfer=words.transfer)
            print(", ".join(f"{value} {name}" for name, value in numbers.items()))
            print("\n".join(wrong) or "results equal to the last digit, none lost, none doubled")
        if not words.short:
            Console().print(speeds(Path(scratch), backlog=100, live=15, rounds=words.rounds,
                                   workers=words.workers))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
