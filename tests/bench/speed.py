"""Speed and memory of the real daemon on a simulated night: ``make bench``.

First a backlog of science frames that lie there when the daemon starts, then frames that come one
by one. Core-seconds are those of the daemon and all its workers together. It fails (exit code 1)
where a frame is not reduced, or a result is older than its file; never by how fast the machine is.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import mean, median, quantiles

import psutil
from astropy.io import fits
from rich.console import Console
from rich.table import Table

from iop4d.model.states import FrameState
from iop4d.model.units import SECONDS_A_DAY, isot_of_jd
from iop4d.simulator.night import NightPlan
from iop4d.simulator.service import Observer, Service
from iop4d.store.schema import Frame, Result
from tests.bench.fixed_work import speed_of_machine
from tests.bench.instruments import instrument_speeds, speed_report
from tests.support.postgresql import on_server
from tests.support.rows import rows
from tests.support.sites import drop, make_site, take_night
from tests.support.stores import database_of

_SETTLE = 0.5  # seconds; the site's default, set aside in the latency
_DISTINCT = 21  # frames that are simulated; a longer backlog repeats them, each at its own time
_CADENCE = 70.0  # seconds from start to start of the copies, which are exposures of 60 s
_ROOM = 400  # such exposures in a night


@dataclass(kw_only=True)
class Memory:
    """The largest resident memory seen, in MB, and the daemon's over time."""

    daemon: float = 0.0
    worker: float = 0.0
    first: float = 0.0  # of the daemon after a quarter of the work
    last: float = 0.0


#: Seconds from one live frame to the next, longer than a frame takes: none waits for another.
_LIVE_PAUSE = 0.7


class Watch:
    """Samples memory and processor time of a daemon and its workers."""

    def __init__(self, service: Service, others: Iterable[int] = ()) -> None:
        self._daemon = psutil.Process(service.process.pid)
        self._others = [psutil.Process(pid) for pid in others]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.memory = Memory()
        self.samples: list[tuple[float, float]] = []  # daemon, largest worker
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            try:
                daemon = self._daemon.memory_info().rss / 2**20
                workers = [child.memory_info().rss / 2**20 for child in self._daemon.children()]
            except psutil.Error:
                continue
            self.samples.append((daemon, max(workers, default=0.0)))

    def cpu(self) -> float:
        """Core-seconds so far, of daemon, workers and others, with those that were replaced."""
        return float(sum(sum(process.cpu_times()[:4]) + sum(
            sum(child.cpu_times()[:2]) for child in process.children())
            for process in (self._daemon, *self._others)))

    def stop(self) -> Memory:
        """The largest of what was seen, and the growth."""
        self._stop.set()
        self._thread.join()
        late = self.samples[len(self.samples) // 4:] or [(0.0, 0.0)]
        return Memory(daemon=max(d for d, _ in self.samples),
                      worker=max(w for _, w in self.samples),
                      first=late[0][0], last=late[-1][0])


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What was measured."""

    frames: int
    seconds: float
    core_s: float
    latencies: list[float]
    stages: dict[str, float]
    memory: Memory

    @property
    def a_minute(self) -> float:
        """Frames a minute of the backlog."""
        return 60.0 * self.frames / self.seconds


def run(folder: Path, *, backlog: int, live: int, repeats: int, more: str = "",
        others: Iterable[int] = ()) -> Numbers:
    """Measure. ``repeats``: backlogs after the first, for the growth of memory; ``more``: of the
    site file; ``others``: processes that work for the daemon too.

    Raises RuntimeError where a frame is not reduced or a result is older than its file.
    """
    if backlog + live > _ROOM:
        raise RuntimeError(f"a night has room for {_ROOM} frames, not {backlog + live}")
    plan = NightPlan(seed=3, fields=("3C345", "S50716+714", "BLLac"), frames=_DISTINCT,
                     n_bias=7, n_flat=7)
    night = take_night(plan, folder / "night")
    calibration = [path for path in night if path.name.startswith(("Bias", "Flat"))]
    science = [path for path in night if path not in calibration]
    site = make_site(folder / "site", plan, more=more)
    raw = site / "raw" / plan.night
    for path in calibration:
        drop(path, raw)
    service, observer = Service(site, "run"), Observer(site)
    try:
        done = len(calibration)
        _wait(observer, service, done)
        watch = Watch(service, others)
        seconds = 0.0
        core_s = 0.0
        for turn in range(1 + repeats):
            if turn:  # each backlog is that of a night of its own
                later = date.fromisoformat(plan.night) + timedelta(days=turn)
                science = take_night(replace(plan, night=later.isoformat(), n_bias=0, n_flat=0),
                                    folder / f"night-{turn}")
            exposures = copies(science, backlog + live, site / f"backlog-{turn}", str(turn))
            began = watch.cpu()
            took = _backlog(exposures[:backlog], raw, turn, observer, service, done)
            core_s += (watch.cpu() - began) / (backlog * (1 + repeats))
            seconds = seconds or took
            done += backlog
            _say(f"backlog {turn + 1} of {1 + repeats}: {60 * backlog / took:.0f} frames/min")
        latencies = _live(exposures[backlog:], raw, observer, service, done)
        memory = watch.stop()
    finally:
        service.stop()
    return Numbers(frames=backlog, seconds=seconds, core_s=core_s, latencies=latencies,
                   stages=_stages(site), memory=memory)


def _wait(observer: Observer, service: Service, frames: int) -> None:
    if not observer.wait(frames, seconds=900, service=service):
        raise RuntimeError(f"no end of it: {service.log()[-3000:]}")


def copies(science: list[Path], count: int, folder: Path, mark: str) -> list[Path]:
    """So many exposures with the pixels of some frames, over and over; the paths of the new files.

    Each begins ``_CADENCE`` after the one before it, the first when the first of the frames does:
    frames of one start and the same noise would be one exposure under other names.
    """
    with fits.open(science[0]) as units:
        first = float(units[0].header["JD"])
    made = []
    for i in range(count):
        original = science[i % len(science)]
        path = drop(original, folder, f"{mark}-{i:04d}-{original.name}")
        with fits.open(path, mode="update", do_not_scale_image_data=True) as units:
            start = first + i * _CADENCE / SECONDS_A_DAY
            units[0].header["JD"] = round(start, 8)
            units[0].header["DATE-OBS"] = isot_of_jd(start)
        made.append(path)
    return made


def _backlog(exposures: list[Path], raw: Path, turn: int, observer: Observer,
             service: Service, done: int) -> float:
    """Move a whole backlog in at once; seconds until its last result."""
    beside, place = raw.parent.parent / f"moved-{turn}", raw.parent / f"backlog-{turn}"
    beside.mkdir()
    for path in exposures:
        path.rename(beside / path.name)
    began = time.monotonic()
    beside.rename(place)
    _wait(observer, service, done + len(exposures))
    took = time.monotonic() - began
    _check_reduced(raw.parent.parent)
    shutil.rmtree(place)
    return took


def _live(exposures: list[Path], raw: Path, observer: Observer, service: Service,
          done: int) -> list[float]:
    """Frames that come one by one; seconds from the close of each file to its result's commit."""
    closed = {}
    for path in exposures:
        drop(path, raw)
        closed[path.name] = time.time()
        time.sleep(_LIVE_PAUSE)
    _wait(observer, service, done + len(exposures))
    site = raw.parent.parent
    _check_reduced(site)
    made = {row.frames[0]: row.created_at for row in rows(
        database_of(site, read_only=True), Result)}
    latencies = [made[name] - at for name, at in closed.items()]
    if early := sum(latency <= 0.0 for latency in latencies):
        raise RuntimeError(f"{early} of {len(latencies)} results are older than their files")
    return latencies


def _check_reduced(site: Path) -> None:
    """Raise RuntimeError if any science frame has ended in another way than reduced."""
    database = database_of(site, read_only=True)
    lost = [f"{row.name}: {row.state}, {row.reason}" for row in rows(
        database, Frame, Frame.kind == "science") if row.state != FrameState.DONE]
    if lost:
        raise RuntimeError(f"{len(lost)} science frames are not reduced: " + "; ".join(lost[:5]))


def _stages(site: Path) -> dict[str, float]:
    """Mean core-seconds of each stage of the reduction."""
    database = database_of(site, read_only=True)
    infos = [row.info for row in rows(database, Frame, Frame.kind == "science")]
    stages = [info["stages"] for info in infos if "stages" in info]
    return {name: mean(s.get(name, 0.0) for s in stages) for name in stages[0]}


def report(numbers: Numbers) -> Table:
    """The table of the numbers beside their targets."""
    table = Table("what", "measured", "target", title="1024 x 1024 px frames")
    for name, seconds in numbers.stages.items():
        table.add_row(f"  {name}", f"{1e3 * seconds:.1f} ms", "")
    behind = [latency - _SETTLE for latency in numbers.latencies]
    late = quantiles(behind, n=20)[-1] if len(behind) > 1 else behind[0]
    rows = [
        ("core-seconds per frame, reduction", f"{sum(numbers.stages.values()):.3f} s", ""),
        ("core-seconds per frame, all", f"{numbers.core_s:.3f} s", "0.07 s"),
        (f"backlog of {numbers.frames} frames", f"{numbers.a_minute:.0f} frames/min", "500"),
        ("latency behind the settle time, median", f"{median(behind):.2f} s", "1 s"),
        ("latency behind the settle time, 95 %", f"{late:.2f} s", "2 s"),
        ("memory of the daemon", f"{numbers.memory.daemon:.0f} MB", "150 MB"),
        ("memory of a worker", f"{numbers.memory.worker:.0f} MB", "400 MB"),
        ("growth of the daemon's memory", f"{numbers.memory.last - numbers.memory.first:+.1f} MB",
         "none"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> None:
    """Measure and print."""
    for other in ("scale", "large", "reprocessing"):
        if f"--{other}" in sys.argv:
            subprocess.run([sys.executable, "-m", f"tests.bench.{other}", *sys.argv[1:]],
                           check=True)
            return
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=200, help="frames of the backlog [200]")
    parser.add_argument("--live", type=int, default=40, help="frames that come one by one [40]")
    parser.add_argument("--repeats", type=int, default=9,
                        help="more backlogs, for the growth of memory [9: 2,000 frames in all]")
    parser.add_argument("--short", action="store_true", help="100 frames, 15 live, no repeats")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite",
                        help="where the site keeps what it knows; on a server the daemon alone is "
                             "measured")
    words = parser.parse_args()
    backlog, live, repeats = (100, 15, 0) if words.short else (
        words.frames, words.live, words.repeats)
    _say(speed_of_machine())
    with ExitStack() as stack:
        if words.store == "postgresql":
            stack.enter_context(on_server())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        Console().print(report(run(scratch, backlog=backlog, live=live, repeats=repeats)))
    print(speed_of_machine())
    if words.store == "postgresql":
        return
    Console(width=100).print(speed_report(instrument_speeds()))
    subprocess.run([sys.executable, "-m", "tests.bench.backlog",
                    "--frames", "500" if words.short else "5000"], check=True)


if __name__ == "__main__":
    main()
