"""Frames that come while a whole site is reduced again: ``make bench ARGS="--reprocessing"``.

A site of simulated frames gets new ones, one by one: first with nothing else to do, then beside
``iop4d reprocess --all``. It fails (exit code 1) where a frame is not reduced, or not reduced
again; never by how fast the machine is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from tests.bench.fixed_work import speed_of_machine
from tests.bench.scale import PLAN, Growing
from tests.bench.speed import copies
from tests.support.sites import take_night

_WAITING = "SELECT COUNT(*) FROM job WHERE kind = 'reduce' AND state = 'queued'"


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Seconds behind the settle time, with nothing else to do and beside the work."""

    frames: int  # that were reduced again
    alone: list[float]
    beside: list[float]
    left: int  # frames that waited to be reduced again as the last of the new ones came
    seconds: float  # from the command to its end
    said: str  # by the command at its end


def measure(folder: Path, frames: int, live: int) -> Numbers:
    """Reduce so many frames, then all of them again, with new ones before and meanwhile."""
    growing = Growing(folder)
    backlog = _exposures(growing, 1, frames)
    new = _exposures(growing, 2, 2 * live)
    place = growing.raw / "new"
    with growing.at_work() as (service, _):
        after = growing.ask("SELECT MAX(id) FROM frame")
        growing.move_in(backlog, growing.raw / "backlog", 1)
        growing.wait(service, after, frames)
        alone = growing.live(service, new[:live], place)
        before = _reduced_at(growing)
        began = time.monotonic()
        with subprocess.Popen(
                [sys.executable, "-m", "iop4d", "reprocess", "--all", "--site", growing.site],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as command:
            while not growing.ask(_WAITING) and command.poll() is None:
                time.sleep(0.02)
            dropped = growing.drop_each(new[live:], place)
            left = growing.ask(_WAITING)
            beside = growing.behind(service, dropped)
            said = command.communicate(timeout=900)[0]
        took = time.monotonic() - began
        after_that = _reduced_at(growing)
    lost = [key for key, at in before.items() if not after_that.get(key, 0.0) > at]
    if command.returncode or lost:
        raise RuntimeError(f"{len(lost)} of {len(before)} frames were not reduced again: {said}")
    return Numbers(frames=len(before), alone=alone, beside=beside, left=left, seconds=took,
                   said=said.strip().splitlines()[-1])


def _exposures(growing: Growing, days: int, count: int) -> list[Path]:
    """So many frames of a night that many days after the first, beside the site."""
    night = (date.fromisoformat(PLAN.night) + timedelta(days=days)).isoformat()
    science = take_night(replace(PLAN, night=night, n_bias=0, n_flat=0),
                         growing.folder / f"night-{days}")
    return copies(science, count, growing.folder / f"copies-{days}", str(days))


def _reduced_at(growing: Growing) -> dict[str, float]:
    """When each frame was reduced last."""
    with growing.database.read() as db:
        return dict(db.rows("SELECT key, changed_at FROM job WHERE kind = 'reduce' "
                            "AND state = 'done'"))


def report(numbers: Numbers) -> str:
    """What was measured, as a table in Markdown."""
    took = f"{numbers.frames} frames reduced again in {numbers.seconds:.0f} s"
    lines = [f"| {took} | alone | beside |", "|---|---|---|"]
    for name, of in (("median", median), ("worst", max)):
        lines.append(f"| latency of new frames, {name} | {of(numbers.alone):.2f} s "
                     f"| {of(numbers.beside):.2f} s |")
    return "\n".join([
        *lines, f"{numbers.left} frames waited to be reduced again as the last new one came",
        f"the command ended with: {numbers.said}"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--reprocessing", description=__doc__)
    parser.add_argument("--reprocessing", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=390, help="that are reduced again [390]")
    parser.add_argument("--live", type=int, default=20, help="new frames alone and beside [20]")
    said = parser.parse_args()
    print(speed_of_machine())
    with tempfile.TemporaryDirectory(prefix="iop4d-reprocessing-") as folder:
        print(report(measure(Path(folder), said.frames, said.live)))
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
