"""Kill the daemon again and again while frames come in: ``make kill-test``.

The same files are worked off by a daemon that nobody disturbs and by one that is killed (SIGKILL)
at random moments and started again. After every kill the invariants must hold, and in the end the
results must be the same to the last digit, no frame missing or doubled, and at most one mail more
than once for each kill. Most kills use the stub worker, whose rounds are short; the first few the
true one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from iop4d.simulator.night import Flare, NightPlan
from tests.bench.crashing import Crashes, every_crash_point
from tests.support.checks import take_night
from tests.support.corpus import write_corpus
from tests.support.invariants import workers_of
from tests.support.trial import Ended, Trial, stub_trial, true_trial, verdict

orphans = workers_of  # as other checks know it

TRUE_KILLS = 10  # of the true worker
_BATCH = 500  # kills of one site
_FRAMES_A_KILL = 2.5  # of the stub's corpus
_LEAST = 80  # files of a corpus


@dataclass(kw_only=True)
class Tally:
    """What many kills came to."""

    kills: int = 0
    frames: int = 0
    results: int = 0
    lost: int = 0
    doubled: int = 0
    orphans: int = 0
    mails: int = 0
    mails_missing: int = 0
    mails_repeated: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, calm: Ended, killed: Ended) -> None:
        """Count one pair of runs."""
        self.kills += killed.kills
        self.frames += sum(killed.frames.values())
        self.results += len(killed.rows)
        self.lost += len(calm.rows.keys() - killed.rows.keys()) + (
            calm.frames - killed.frames).total()
        self.doubled += (killed.frames - calm.frames).total() + len(
            killed.rows.keys() - calm.rows.keys())
        self.orphans += sum(line.startswith("I11") for line in killed.wrong)
        self.mails += len(killed.mails)
        self.mails_missing += max(calm.letters - len(killed.mails), 0)
        self.mails_repeated += killed.repeated
        self.wrong += verdict(calm, killed)

    def line(self, name: str) -> str:
        """The tally in one line."""
        return (f"{name}: {self.kills} kills, {self.frames} frames, {self.results} results, "
                f"{self.lost} lost, {self.doubled} doubled, {self.orphans} orphans, "
                f"{self.mails} mails, {self.mails_missing} missing, "
                f"{self.mails_repeated} repeated, {self.seconds:.0f} s")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the daemon is disturbed: seconds from a start to the kill, and between two files."""

    shortest: float
    longest: float
    ahead: int  # files that may wait at a time


TRUE = Pace(shortest=0.2, longest=3.5, ahead=40)
STUB = Pace(shortest=0.05, longest=2.0, ahead=20)


def disturbed(trial: Trial, frames: list[Path], *, kills: int, pace: Pace, seed: int,
              marks: bool) -> Ended:
    """Feed the frames while the daemon is killed so many times; none for a calm run."""
    rng = random.Random(seed)
    waiting = list(frames)
    try:
        while trial.kills < kills:
            moment = time.monotonic() + rng.uniform(pace.shortest, pace.longest)
            share = round(len(waiting) / (kills - trial.kills) * rng.uniform(0.0, 2.0))
            _feed(trial, waiting, min(share, pace.ahead), moment, rng)
            trial.kill()
            if marks and rng.random() < 0.1 and (trial.site / "iop4d.db").exists():
                trial.mark_one(rng)
            _progress(f"{trial.kills} kills, {len(frames) - len(waiting)} frames")
            trial.service.restart()
        for path in waiting:
            trial.put(path)
        trial.settle(len(frames))
        return trial.end()
    finally:
        trial.close()


def _feed(trial: Trial, waiting: list[Path], count: int, until: float, rng: random.Random) -> None:
    """Put so many files in at random moments, and wait for the end."""
    now = time.monotonic()
    for at in sorted(rng.uniform(now, until) for _ in range(min(count, len(waiting)))):
        time.sleep(max(at - time.monotonic(), 0.0))
        trial.put(waiting.pop(0))
    time.sleep(max(until - time.monotonic(), 0.0))


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr)


def kill_true(folder: Path, *, kills: int, seed: int, lights: int = 24) -> Tally:
    """Kills of a daemon whose workers truly reduce a simulated night."""
    plan = NightPlan(seed=seed, fields=("S50716+714", "3C345"), frames=lights, n_bias=5, n_flat=5,
                     flare=Flare(start=0.15, rise=0.1, mag=0.4))
    frames = take_night(plan, folder / "night")
    return _both(folder, frames, lambda place: true_trial(place, plan), kills=kills, pace=TRUE,
                 seed=seed, marks=False)


def kill_stub(folder: Path, *, kills: int, seed: int) -> Tally:
    """Kills of a daemon whose workers answer at once."""
    frames = write_corpus(folder / "corpus", max(round(kills * _FRAMES_A_KILL), _LEAST))
    return _both(folder, frames, lambda place: stub_trial(place, len(frames)), kills=kills,
                 pace=STUB, seed=seed, marks=True)


def _both(folder: Path, frames: list[Path], make: Callable[[Path], Trial], *, kills: int,
          pace: Pace, seed: int, marks: bool) -> Tally:
    began = time.monotonic()
    tally = Tally()
    calm = disturbed(make(folder / "calm"), frames, kills=0, pace=pace, seed=0, marks=False)
    killed = disturbed(make(folder / "killed"), frames, kills=kills, pace=pace, seed=seed,
                       marks=marks)
    tally.add(calm, killed)
    tally.seconds = time.monotonic() - began
    return tally


def random_kills(kills: int, *, seed: int, true_kills: int = TRUE_KILLS) -> list[tuple[str, Tally]]:
    """So many kills in all; the first of them with the true worker."""
    true_kills = min(kills, true_kills)
    tallies = []
    if true_kills:
        with tempfile.TemporaryDirectory() as scratch:
            tallies.append(("true workers", kill_true(Path(scratch), kills=true_kills, seed=seed)))
    left = kills - true_kills
    while left > 0:
        batch = min(left, _BATCH)
        with tempfile.TemporaryDirectory() as scratch:
            tallies.append((f"stub workers, seed {seed}",
                            kill_stub(Path(scratch), kills=batch, seed=seed)))
        left, seed = left - batch, seed + 1
    return tallies


def main() -> None:
    """Kill, compare, and exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=50, help="kills at random moments")
    parser.add_argument("--true", type=int, default=TRUE_KILLS,
                        help="how many of them with the true worker")
    parser.add_argument("--points", type=int, default=0, metavar="N",
                        help="crash at the first N passings of every crash point")
    parser.add_argument("--seed", type=int, default=5)
    words = parser.parse_args()
    wrong: list[str] = []
    for name, tally in random_kills(words.kills, seed=words.seed, true_kills=words.true):
        print(tally.line(name))
        wrong += tally.wrong
    if words.points:
        crashes: Crashes = every_crash_point(range(1, words.points + 1))
        print(crashes.line())
        wrong += crashes.wrong
    for line in wrong:
        print(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
