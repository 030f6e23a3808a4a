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
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

from iop4d.simulator.night import Flare, NightPlan
from tests.support.crash_points import KILLED, LABELS, VARIABLE
from tests.support.invariants import workers_of
from tests.support.postgresql import PostgresServer
from tests.support.sites import take_night, write_corpus
from tests.support.stores import has_database
from tests.support.trial import (
    Ended,
    RemoteTrial,
    Trial,
    TrialError,
    stub_trial,
    true_trial,
    verdict,
)

_FILES = 32  # two biases' and flats' masters, a flare with its mails, a group of polarisers
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
        if has_database(trial.site) and trial.observer.quiet(files) \
                and not trial.observer.status()["mails"].get("queued"):
            return once.exists()
        time.sleep(0.05)
    return False


orphans = workers_of  # as other checks know it

TRUE_KILLS = 10  # of the true worker
_BATCH = 500  # kills of one site
_FETCH_BATCH = 100  # of one whose files come from a server
_PATIENCE_A_FRAME = 1.5  # seconds until all is done, of a machine that does much besides
_FRAMES_A_KILL = 2.5  # of the stub's corpus
_LEAST = 80  # files of a corpus


@dataclass(kw_only=True)
class Tally:
    """What many kills came to."""

    kills: int = 0
    server_kills: int = 0  # of the database's server, besides
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
        self.server_kills += killed.server_kills
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

    def join(self, other: Tally) -> None:
        """Count what another tally counted."""
        for counted in fields(self):
            setattr(self, counted.name,
                    getattr(self, counted.name) + getattr(other, counted.name))

    def line(self, name: str) -> str:
        """The tally in one line."""
        more = f"{self.server_kills} of the server, " if self.server_kills else ""
        return (f"{name}: {self.kills} kills, {more}{self.frames} frames, {self.results} results, "
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
FETCH = Pace(shortest=0.8, longest=3.0, ahead=20)
_SERVER_SHARE = 0.5  # of the kills of the daemon before which the database's server is killed
_AWAY = 1.5  # seconds for which it is away, at most
_NIGHT = 40  # files: a whole one of the corpus
_FETCHED_A_KILL = 4.0  # files: at most times several are under way


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
            if marks and rng.random() < 0.1 and has_database(trial.site):
                trial.mark_one(rng)
            _progress(f"{trial.kills} kills, {len(frames) - len(waiting)} frames")
            trial.service.restart()
        for path in waiting:
            trial.put(path)
        trial.settle(len(frames), seconds=300.0 + _PATIENCE_A_FRAME * len(frames))
        return trial.end()
    finally:
        trial.close()


def _feed(trial: Trial, waiting: list[Path], count: int, until: float, rng: random.Random) -> None:
    """Put so many files in at random moments, and wait for the end; the server may fall."""
    now = time.monotonic()
    acts: list[tuple[float, Callable[[], None]]] = [
        (rng.uniform(now, until), lambda: trial.put(waiting.pop(0)))
        for _ in range(min(count, len(waiting)))]
    if trial.server is not None and rng.random() < _SERVER_SHARE:
        falls = rng.uniform(now, until)
        acts += [(falls, trial.kill_server), (falls + rng.uniform(0.0, _AWAY), trial.start_server)]
    for at, act in sorted(acts, key=lambda one: one[0]):
        if at > until:  # the daemon is killed while the server is away
            break
        time.sleep(max(at - time.monotonic(), 0.0))
        act()
    time.sleep(max(until - time.monotonic(), 0.0))


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr)


def kill_true(folder: Path, *, kills: int, seed: int, science: int = 24,
              server: PostgresServer | None = None) -> Tally:
    """Kills of a daemon whose workers truly reduce a simulated night."""
    plan = NightPlan(seed=seed, fields=("S50716+714", "3C345"), frames=science, n_bias=5, n_flat=5,
                     flare=Flare(start=0.15, rise=0.1, mag=0.4))
    frames = take_night(plan, folder / "night")
    return _both(folder, frames, lambda place: true_trial(place, plan), kills=kills, pace=TRUE,
                 seed=seed, marks=False, server=server)


def kill_stub(folder: Path, *, kills: int, seed: int,
              server: PostgresServer | None = None) -> Tally:
    """Kills of a daemon whose workers answer at once."""
    frames = write_corpus(folder / "corpus", max(round(kills * _FRAMES_A_KILL), _LEAST))
    return _both(folder, frames, lambda place: stub_trial(place, len(frames)), kills=kills,
                 pace=STUB, seed=seed, marks=True, server=server)


def kill_fetching(folder: Path, server: str, *, kills: int, seed: int) -> Tally:
    """Kills of a daemon that downloads what its stub workers reduce, from a real server."""
    folder.chmod(0o755)  # the server may be another account's
    frames = write_corpus(folder / "corpus", max(round(kills * _FETCHED_A_KILL), _NIGHT))
    return _both(folder, frames, lambda place: RemoteTrial(place, len(frames), server),
                 kills=kills, pace=FETCH, seed=seed, marks=False)


def fetch_kills(server: str, kills: int, *, seed: int) -> Tally:
    """So many kills while a real server serves, in sites of a few hundred files each.

    The undisturbed run downloads all files of a site at once: with thousands it would take longer
    than the kills.
    """
    whole = Tally()
    for batch in range(0, kills, _FETCH_BATCH):
        with tempfile.TemporaryDirectory() as scratch:
            part = kill_fetching(Path(scratch), server, kills=min(_FETCH_BATCH, kills - batch),
                                 seed=seed + batch // _FETCH_BATCH)
        whole.join(part)
        print(part.line(f"{server}, seed {seed + batch // _FETCH_BATCH}"), file=sys.stderr)
    return whole


def _both(folder: Path, frames: list[Path], make: Callable[[Path], Trial], *, kills: int,
          pace: Pace, seed: int, marks: bool, server: PostgresServer | None = None) -> Tally:
    began = time.monotonic()
    tally = Tally()
    calm = disturbed(make(folder / "calm"), frames, kills=0, pace=pace, seed=0, marks=False)
    trial = make(folder / "killed")
    trial.server = server
    killed = disturbed(trial, frames, kills=kills, pace=pace, seed=seed, marks=marks)
    tally.add(calm, killed)
    tally.seconds = time.monotonic() - began
    return tally


def random_kills(kills: int, *, seed: int, true_kills: int = TRUE_KILLS,
                 server: PostgresServer | None = None) -> list[tuple[str, Tally]]:
    """So many kills in all; the first of them with the true worker.

    ``server``: of the database, if it is not a file; it is killed, too, again and again.
    """
    true_kills = min(kills, true_kills)
    tallies = []
    if true_kills:
        with tempfile.TemporaryDirectory() as scratch:
            tallies.append(("true workers", kill_true(
                Path(scratch), kills=true_kills, seed=seed, server=server)))
    left = kills - true_kills
    while left > 0:
        batch = min(left, _BATCH)
        with tempfile.TemporaryDirectory() as scratch:
            tallies.append((f"stub workers, seed {seed}",
                            kill_stub(Path(scratch), kills=batch, seed=seed, server=server)))
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
