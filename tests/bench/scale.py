"""What a frame costs on a site that has grown: ``make bench ARGS="--scale"``.

Simulated frames are reduced on an empty site; what they left is copied by SQL to so many frames
with five results each, and the same frames of another night follow. A rule watches all targets for
changes. Core-seconds are those of the daemon and its workers together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from iop4d.config import store
from iop4d.simulator.night import NightPlan
from iop4d.simulator.service import Service
from iop4d.store.database import Database
from iop4d.store.status import heartbeat
from tests.bench import counted_daemon
from tests.bench.growth import RESULTS, Grower
from tests.bench.speed import Watch, copies
from tests.support import on_postgresql
from tests.support.plans import full_scans
from tests.support.postgresql import PostgresServer
from tests.support.sites import drop, make_site, take_night

SIZES = (0, 10_000, 100_000, 1_000_000)
#: What the site is made of, and what the frames of each later night are.
PLAN = NightPlan(seed=3, fields=("3C345", "S50716+714", "BLLac"), frames=21, n_bias=7, n_flat=7)
_RULE = """
[[rule]]
name = "change"
source = "*"
band = "R"
condition = "change mag < -0.5"
channels = ["mail"]
[[channel]]
name = "mail"
to = ["observer@example.org"]
host = "127.0.0.1"
port = 9
"""
_LIVE_PAUSE = 0.7  # seconds from one live frame to the next
_SETTLE = 0.5  # seconds; the site's default, set aside in the latency


@dataclass(frozen=True, kw_only=True)
class Step:
    """What was measured at one size. Times in seconds, memory and sizes in MB."""

    frames: int
    results: int
    ready: float
    core_s: float
    a_minute: float
    latencies: list[float]
    daemon_mb: float
    size_mb: float
    statements: list[Any] = field(default_factory=list)
    scans: list[str] = field(default_factory=list)
    backlog: int = 1

    @property
    def a_frame(self) -> float:
        """Statements for each frame of the backlog."""
        return float(sum(one[1] for one in self.statements)) / self.backlog


class Growing:
    """One site and its daemon, which is stopped while the site grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counts = folder / "counts.json"
        self.site = folder / "site"
        is_new = not self.site.exists()
        if is_new:
            make_site(self.site, PLAN, more=_RULE)
        self.raw = self.site / "raw"
        self._writer = Database(self.site / store.FILE)
        self._writer.close()
        self.database = Database(self.site / store.FILE, read_only=True)
        if is_new:
            night = take_night(PLAN, folder / "night")
            for path in night:
                drop(path, self.raw / PLAN.night)
            with self.at_work() as (service, _):
                self.wait(service, 0, len(night))

    @contextmanager
    def at_work(self) -> Iterator[tuple[Service, float]]:
        """The daemon at work, and after how many seconds it was ready."""
        began = time.monotonic()
        service = Service(self.site, "run", module="tests.bench.counted_daemon",
                          environ={counted_daemon.INTO: str(self._counts)})
        try:
            while not self._is_ready(service):
                if time.monotonic() - began > 120.0 or not service.alive:
                    raise RuntimeError(f"not ready: {service.log()[-3000:]}")
                time.sleep(0.05)
            yield service, time.monotonic() - began
        finally:
            service.stop()

    def ask(self, text: str, *values: object) -> Any:
        """The first value of the first row."""
        with self.database.read() as db:
            return db.rows(text, *values)[0][0]

    def _is_ready(self, service: Service) -> bool:
        with self.database.read() as db:
            beat = heartbeat(db)
        return bool(beat.get("pid") == service.process.pid and beat["state"] == "running")

    def wait(self, service: Service, after: int, count: int) -> None:
        """Until so many frames with ids above one are reduced, and no job is left."""
        end = time.monotonic() + 900.0
        while self.ask("SELECT COUNT(*) FROM frame WHERE id > ? AND state = 'done'",
                        after) < count or self.ask(
                "SELECT COUNT(*) FROM job WHERE state IN ('queued', 'running')"):
            if time.monotonic() > end or not service.alive:
                raise RuntimeError(f"no end of it: {service.log()[-3000:]}")
            time.sleep(0.05)

    def measure(self, frames: int, *, backlog: int, live: int) -> Step:
        """Let the site have so many frames, and measure what others of one more night cost."""
        turn = len(list(self.folder.glob("night-*")))
        Grower(self._writer).grow(frames)
        os.sync()  # else what is written of it is waited for with the first frames
        self._writer.close()
        with self.at_work() as (service, ready):
            night = date.fromisoformat(PLAN.night) + timedelta(days=1 + turn)
            science = take_night(replace(PLAN, night=night.isoformat(), n_bias=0, n_flat=0),
                                 self.folder / f"night-{turn}")
            exposures = copies(science, backlog + live, self.folder / f"copies-{turn}", str(turn))
            place = self.raw / night.isoformat()
            self._take_counts(service)
            watch, began = Watch(service), time.monotonic()
            cpu, after = watch.cpu(), self.ask("SELECT MAX(id) FROM frame")
            self.move_in(exposures[:backlog], place, turn)
            self.wait(service, after, backlog)
            took, core_s = time.monotonic() - began, watch.cpu() - cpu
            statements = self._take_counts(service)
            latencies = self.live(service, exposures[backlog:], place)
            memory = watch.stop()
        science_frames = self.ask("SELECT COUNT(*) FROM frame WHERE kind = 'science'")
        return Step(
            frames=science_frames, results=self.ask("SELECT COUNT(*) FROM result"), ready=ready,
            core_s=core_s / backlog, a_minute=60.0 * backlog / took, latencies=latencies,
            daemon_mb=memory.daemon, size_mb=self._size_mb(), statements=statements,
            scans=self._scans(statements), backlog=backlog)

    def move_in(self, exposures: list[Path], place: Path, turn: int) -> None:
        """Let a whole backlog be there at once."""
        beside = self.site / f"moved-{turn}"
        beside.mkdir()
        for path in exposures:
            path.rename(beside / path.name)
        beside.rename(place)

    def live(self, service: Service, exposures: list[Path], place: Path) -> list[float]:
        """Frames that come one by one; seconds from the close of each to its result's commit."""
        return self.behind(service, self.drop_each(exposures, place))

    def drop_each(self, exposures: list[Path], place: Path) -> dict[str, float]:
        """Let frames come one by one; the time at which each was complete, by its name."""
        closed = {}
        for path in exposures:
            drop(path, place)
            closed[path.name] = time.time()
            time.sleep(_LIVE_PAUSE)
        return closed

    def behind(self, service: Service, closed: dict[str, float]) -> list[float]:
        """Wait for the results of frames that came; how late each is, without the settle time."""
        after = int(self.ask("SELECT MIN(id) FROM frame WHERE name = ?", next(iter(closed)))) - 1
        self.wait(service, after, len(closed))
        with self.database.read() as db:
            made = dict(db.rows(
                "SELECT f.name, MIN(r.created_at) FROM frame f JOIN resultframe x ON x.frame_id = "
                "f.id JOIN result r ON r.id = x.result_id WHERE f.id > ? GROUP BY f.name", after))
        return [made[name] - at - _SETTLE for name, at in closed.items()]

    def _take_counts(self, service: Service) -> list[Any]:
        """The statements since this was asked last, those that took most time first."""
        self._counts.unlink(missing_ok=True)
        service.process.send_signal(signal.SIGUSR1)
        while not self._counts.exists():
            time.sleep(0.02)
        found = json.loads(self._counts.read_text(encoding="utf-8"))
        return sorted(found, key=lambda one: -one[2])

    def _scans(self, statements: list[Any]) -> list[str]:
        """The statements that read a large table from end to end."""
        with self.database.read() as db:
            return [f"{plan}: {text}" for text, _, _, values in statements
                    for plan in full_scans(db, text, values)]

    def _size_mb(self) -> float:
        if isinstance(self.database.place, store.ServerPlace):
            return float(self.ask(
                "SELECT SUM(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n "
                "ON n.oid = c.relnamespace WHERE n.nspname = current_schema() "
                "AND c.relkind = 'r'")) / 1e6
        return (self.site / store.FILE).stat().st_size / 1e6


def report(steps: list[Step], kind: str) -> str:
    """The table of the steps, as Markdown."""
    lines = [
        f"| {kind}: frames | results | core-s a frame | latency, median | worst | frames/min | "
        "ready after | daemon | database | statements a frame |", "|---" * 10 + "|"]
    lines += [
        f"| {s.frames:,} | {s.results:,} | {s.core_s:.3f} | {median(s.latencies):.3f} s | "
        f"{max(s.latencies):.3f} s | {s.a_minute:.0f} | {s.ready:.1f} s | {s.daemon_mb:.0f} MB | "
        f"{s.size_mb:,.0f} MB | {s.a_frame:.0f} |" for s in steps]
    return "\n".join(lines)


def slowest(steps: list[Step], count: int) -> str:
    """The statements that took most time at the last size, beside the first; and full scans."""
    first = {text: (number, seconds) for text, number, seconds, _ in steps[0].statements}
    lines = ["| ms a frame | at first | times a frame | statement |", "|---|---|---|---|"]
    for text, number, seconds, _ in steps[-1].statements[:count]:
        before = 1e3 * first.get(text, (0, 0.0))[1] / steps[0].backlog
        lines.append(f"| {1e3 * seconds / steps[-1].backlog:.2f} | {before:.2f} | "
                     f"{number / steps[-1].backlog:.2f} | {' '.join(text.split())[:240]} |")
    return "\n".join([*lines, "", "read from end to end:", *(steps[-1].scans or ["nothing"])])


@contextmanager
def _kept_in(kind: str) -> Iterator[None]:
    """Have sites kept in files of SQLite, or on a server of PostgreSQL that ends with this."""
    if kind == "sqlite":
        yield
        return
    server = PostgresServer(durable=True)
    server.start()
    os.environ[store.VARIABLE] = f"{server.url}?options=-csearch_path%3D{{site}}"
    on_postgresql.use()
    try:
        yield
    finally:
        server.stop()


def main(words: list[str] | None = None) -> None:
    """Grow, measure and print."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--scale", description=__doc__)
    parser.add_argument("--scale", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="FRAMES",
                        help="frames of the site at each step [%(default)s]")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--frames", type=int, default=150, help="of the backlog [150]")
    parser.add_argument("--live", type=int, default=30, help="frames that come one by one [30]")
    parser.add_argument("--slowest", type=int, default=20, help="statements that are shown [20]")
    parser.add_argument("--folder", type=Path, help="where the site is made, kept, and used again")
    parser.add_argument("--short", action="store_true",
                        help="0 and 10,000 frames, a backlog of 60, 10 that come one by one")
    said = parser.parse_args(words)
    if said.short:
        said.sizes, said.frames, said.live = [0, 10_000], 60, 10
    console = Console(width=250, soft_wrap=True, highlight=False, markup=False)
    folder = said.folder or Path(tempfile.mkdtemp(prefix="iop4d-scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _kept_in(said.store):
            growing, steps = Growing(folder), []
            for size in said.sizes:
                steps.append(growing.measure(size, backlog=said.frames, live=said.live))
                console.print(report(steps[-1:], said.store))
        console.print(f"\n{report(steps, said.store)}\n\n{slowest(steps, said.slowest)}")
        console.print(f"five results a frame ({RESULTS}); the load of the machine at the end: "
                      f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    finally:
        if not said.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
