"""What a step of moving a light curve costs a browser without a graphics card."""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psutil

from tests.web.browser import Browser

_STEPS = 20
#: Moves the time axis as dragging does, a step for each frame, and gives the ms of each frame and
#: by how much of what is shown the axis moved in all.
_MOVE = """(async () => {
  const range = iop4dCurves.range(), wide = range.end - range.start, times = [];
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const begin = range.start;
  let last = await frame();
  for (let step = 0; step < STEPS; step++) {
    const by = wide / 200 * (step % 40 < 20 ? 1 : -1);
    range.setv({ start: range.start + by, end: range.end + by });
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  return JSON.stringify({ times, moved: (range.start - begin) / wide });
})()"""


@dataclass(frozen=True, kw_only=True)
class Panned:
    """The cost of a step: ``step_ms`` from frame to frame, the mean, and ``slow_ms``, of one step
    in twenty; ``cpu_ms`` of all the browser's processes. ``steps``: how many were made, by which
    the axis ``moved``, as a part of what is shown. ``points``: of the light curve, of
    which ``drawn`` were drawn. ``load``: how many processes waited for the machine's cores."""

    points: int
    drawn: int
    step_ms: float
    slow_ms: float
    cpu_ms: float
    steps: int
    moved: float
    load: float

    def __str__(self) -> str:
        return (f"{self.points} points ({self.drawn} drawn): {self.step_ms:.0f} ms a step, one in "
                f"twenty {self.slow_ms:.0f} ms, {self.cpu_ms:.0f} ms of CPU; load {self.load:.1f}")


def panned(browser: Browser, address: str, source: str, steps: int = _STEPS) -> Panned:
    """Move the light curve of a source."""
    browser.look_like(1280, 900)
    browser.open(f"{address.rstrip('/')}/sources/{quote(source)}")
    browser.wait("document.getElementById('curves')?.dataset.drawn", 60)
    # The strip below comes a little later, and draws all of it again.
    browser.wait("iop4dCurves.head().shown === Number(document.getElementById('curves')"
                 ".dataset.shown)")
    browser.js(_MOVE.replace("STEPS", "5"))
    before = _cpu_s(browser.pid)
    made: dict[str, Any] = json.loads(browser.js(_MOVE.replace("STEPS", str(steps))))
    times: list[float] = made["times"]
    cpu = _cpu_s(browser.pid) - before
    head: dict[str, Any] = json.loads(browser.js(
        "JSON.stringify({ total: iop4dCurves.head().total, shown: iop4dCurves.head().shown })"))
    return Panned(points=head["total"], drawn=head["shown"], step_ms=statistics.fmean(times),
                  slow_ms=statistics.quantiles(times, n=20)[-1], cpu_ms=1e3 * cpu / steps,
                  steps=len(times), moved=made["moved"], load=os.getloadavg()[0])


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process and of all that it started."""
    parent = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (parent, *parent.children(recursive=True)))
