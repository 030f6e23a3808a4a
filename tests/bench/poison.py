"""Frames that kill, hang or fill their workers, among as many good ones: part of ``make chaos``.

Each bad one must be set aside after two tries, and each good one be done.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from iop4d.model.states import FrameState
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from tests.support.corpus import write_corpus
from tests.support.stub_worker import FAULTS
from tests.support.trial import Trial, stub_trial

_DEADLINE = 1.0  # seconds after which a worker that hangs is killed
_SECONDS_EACH = 4.0  # that a bad frame may take at most, to know when there is no end


@dataclass(frozen=True, kw_only=True)
class Poisoned:
    """What became of a site with bad frames."""

    faults: Counter[str]
    good: int
    set_aside: int
    grown_mb: float
    seconds: float
    wrong: list[str]


def run(pairs: int) -> Poisoned:
    """Drop so many bad frames, and more good ones between them, into a site."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bad = _write(folder / "corpus", pairs)
        paths = sorted((folder / "corpus").iterdir(), key=lambda path: path.stem[-5:])
        trial = stub_trial(folder, len(paths))
        trial.service.kill()
        site = trial.site / "iop4d.toml"
        site.write_text(site.read_text(encoding="utf-8").replace(
            "[daemon]", f"[daemon]\ndeadline = {_DEADLINE}"), encoding="utf-8")
        try:
            return _judged(trial, paths, bad)
        finally:
            trial.close()


def _write(folder: Path, pairs: int) -> dict[str, str]:
    """The fault of each bad file by its name: every second light frame is one."""
    bad: dict[str, str] = {}
    lights = [path for path in write_corpus(folder, 3 * pairs) if path.stem.startswith("light")]
    for number, path in enumerate(lights[::2][:pairs]):
        bad[path.name] = FAULTS[number % len(FAULTS)]
        said = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(said | {"fault": bad[path.name]}), encoding="utf-8")
    return bad


def _judged(trial: Trial, paths: list[Path], bad: dict[str, str]) -> Poisoned:
    began = time.monotonic()
    trial.service.restart()
    for path in paths[:20]:
        trial.put(path)
    before = psutil.Process(trial.service.process.pid).memory_info().rss
    for path in paths[20:]:
        trial.put(path)
    trial.settle(len(paths), seconds=60.0 + _SECONDS_EACH * len(bad))
    grown = psutil.Process(trial.service.process.pid).memory_info().rss - before
    wrong = list(trial.end().wrong)
    with Database(trial.site / "iop4d.db", read_only=True).connected():
        states = {row.name: row.state for row in Frame.select(Frame.name, Frame.state)}
    for path in paths:
        expected = FrameState.QUARANTINED if path.name in bad else FrameState.DONE
        if states.get(path.name) != expected:
            wrong.append(f"{path.name} ({bad.get(path.name, 'good')}): {states.get(path.name)}")
    return Poisoned(faults=Counter(bad.values()), good=len(paths) - len(bad), wrong=wrong,
                    set_aside=sum(s == FrameState.QUARANTINED for s in states.values()),
                    grown_mb=grown / 2**20, seconds=time.monotonic() - began)
