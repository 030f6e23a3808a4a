"""Crash at every named place, one after the other, and see that nothing is lost by it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.corpus import write_corpus
from tests.support.crash_points import KILLED, LABELS, VARIABLE
from tests.support.trial import Ended, Trial, TrialError, stub_trial, verdict

_FILES = 32  # two biases' and flats' masters, a flare with its mails, a group of polaroids
_IN_WORKERS = ("rename-before", "rename-after")
_PATIENCE = 30.0  # seconds for the crash to come


@dataclass(kw_only=True)
class Crashes:
    """What the crashes came to."""

    crashes: int = 0
    labels: set[str] = field(default_factory=set)
    not_reached: list[str] = field(default_factory=list)
    repeated: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The outcome in one line."""
        return (f"crash points: {self.crashes} crashes at {len(self.labels)} places, "
                f"{len(self.wrong)} wrong, {self.repeated} mails repeated, "
                f"{len(self.not_reached)} passed too seldom, {self.seconds:.0f} s")


def every_crash_point(numbers: Iterable[int], labels: Iterable[str] = LABELS) -> Crashes:
    """Crash at each place at each of these passings, and compare with a calm run."""
    crashes, began = Crashes(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        files = write_corpus(Path(scratch) / "corpus", _FILES)
        calm = _calm(stub_trial(Path(scratch) / "calm", _FILES), files)
        numbers = list(numbers)
        for label in labels:
            for number in numbers:
                place = Path(scratch) / f"{label}-{number}"
                ended = _crash(place, files, label, number)
                if ended is None:
                    crashes.not_reached.append(f"{label}:{number}")
                    if number == min(numbers):
                        crashes.wrong.append(f"{label} is never passed")
                    break
                crashes.crashes += 1
                crashes.labels.add(label)
                crashes.repeated += ended.repeated
                crashes.wrong += [f"{label}:{number}: {line}" for line in verdict(calm, ended)]
    crashes.seconds = time.monotonic() - began
    return crashes


def _calm(trial: Trial, files: list[Path]) -> Ended:
    try:
        for path in files:
            trial.put(path)
        trial.settle(len(files))
        return trial.end()
    finally:
        trial.close()


def _crash(place: Path, files: list[Path], label: str, number: int) -> Ended | None:
    """One crash and what comes after it; None when the place is not passed so often."""
    place.mkdir()
    once = place / "crashed"
    trial = stub_trial(place, len(files), {VARIABLE: f"{label}:{number}:{once}"})
    try:
        for path in files:
            trial.put(path)
        if not _crashed(trial, once, len(files)):
            return None
        if label not in _IN_WORKERS:
            if (code := trial.service.process.wait(_PATIENCE)) != KILLED:
                raise TrialError(f"{label}:{number}: the daemon ended with {code}")
            trial.kill()
            trial.service.restart()
        trial.settle(len(files), seconds=60.0)
        return trial.end()
    finally:
        trial.close()


def _crashed(trial: Trial, once: Path, files: int) -> bool:
    """Wait for the crash; False if all is done without it."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if once.exists():
            return True
        if not trial.service.alive:
            raise TrialError(f"the daemon ended by itself:\n{trial.service.log()[-3000:]}")
        if (trial.site / "iop4d.db").exists() and trial.observer.quiet(files) \
                and not trial.observer.status()["mails"].get("queued"):
            return once.exists()
        time.sleep(0.05)
    return False
