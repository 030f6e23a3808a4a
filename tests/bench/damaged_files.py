"""Send damaged files through the true worker process, and see that it answers each in time."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import psutil

from iop4d.config.load import parse_site
from iop4d.ledger.engines.local import WORKER
from iop4d.ledger.engines.pipe import pack
from iop4d.ledger.engines.process import Worker
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Crashed,
    Done,
    Failed,
    MasterRequest,
    Outcome,
    ReduceRequest,
    Rejected,
    Request,
    TimedOut,
)
from iop4d.model.source import Catalogue
from iop4d.model.states import FrameState
from iop4d.reduction.context import WorkerContext
from iop4d.simulator.sky import index_folder
from iop4d.store.schema import Frame
from tests.support.damaged_fits import (
    Mutant,
    gzip_flips,
    mutants,
    seeds,
    strangers,
    truncations,
    wrong_sums,
)
from tests.support.rows import rows
from tests.support.sites import write_corpus
from tests.support.stores import database_of
from tests.support.stub_worker import FAULTS
from tests.support.trial import Trial, stub_trial

DEADLINE = 10.0  # seconds for one file
MEMORY_MB = 2048
_SITE = '[astrometry]\nindex = ["{index}"]\ntimeout = 1.0\n'


@dataclass(kw_only=True)
class MutantTally:
    """How the mutants ended."""

    outcomes: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)  # kinds of errors nobody foresaw
    restarts: int = 0
    slowest: float = 0.0  # seconds
    memory_mb: float = 0.0  # the most that a worker held
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The tally in one line."""
        ends = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        return (f"damaged files: {self.outcomes.total()} ({ends}), {len(self.wrong)} wrong, "
                f"{self.restarts} restarts, slowest {self.slowest:.2f} s, "
                f"{self.memory_mb:.0f} MB, {self.seconds:.0f} s")


def selection(count: int, *, whole: bool) -> Iterator[Mutant]:
    """So many random mutants and the lists with a promise each; not ``whole``: a part of these."""
    lists = (strangers(), truncations(), gzip_flips(400 if whole else 40),
             wrong_sums(200 if whole else 20), mutants(count))
    if whole:
        return chain(*lists)
    return chain(lists[0], (m for n, m in enumerate(lists[1]) if n % 11 == 0), *lists[2:])


async def run_mutants(files: Iterable[Mutant], folder: Path) -> MutantTally:
    """Have one worker look at each file as the daemon would have it."""
    run = _Run(folder)
    began = time.monotonic()
    try:
        for mutant in files:
            await run.one(mutant)
    finally:
        await run.close()
    run.tally.seconds = time.monotonic() - began
    return run.tally


def run(count: int, *, whole: bool) -> MutantTally:
    """All of a selection, in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        return asyncio.run(run_mutants(selection(count, whole=whole), Path(scratch)))


class _Run:
    def __init__(self, folder: Path) -> None:
        self.tally = MutantTally()
        self._folder = folder
        self._worker: Worker | None = None
        site = parse_site(_SITE.format(index=index_folder()), root=folder)
        context = WorkerContext(site=site, catalogue=Catalogue(version=1, sources=()))
        self._context = pack(("context", context))
        self._sound = []
        for parent in (p for p in seeds() if p.form == "plain"):
            path = folder / f"sound-{parent.name}.fits"
            path.write_bytes(parent.data)
            self._sound.append(path)

    async def one(self, mutant: Mutant) -> None:
        """Classify a file, and go on with it if it passes for a sound one."""
        path = self._folder / mutant.name
        path.write_bytes(mutant.data)
        outcome = await self._ask(ClassifyRequest(path=path), mutant)
        if isinstance(outcome, Done) and isinstance(outcome.value, Classified):
            if mutant.must_fail:
                self.tally.wrong.append(f"{mutant.name} ({mutant.why}) passed for a sound file")
            outcome = await self._ask(self._next(path, outcome.value), mutant)
        self.tally.outcomes[type(outcome).__name__.lower()] += 1
        path.unlink()

    def _next(self, path: Path, found: Classified) -> Request:
        facts = found.facts
        if facts.kind is FrameKind.SCIENCE:
            return ReduceRequest(path=path, facts=facts, masters=(), preview_path=None,
                                 reduced_path=self._folder / "reduced.fits")
        return MasterRequest(kind=facts.kind, facts=facts, inputs=(path, *self._sound), masters=(),
                             output=self._folder / "master.fits")

    async def _ask(self, request: Request, mutant: Mutant) -> Outcome:
        worker = await self._ready()
        began = time.monotonic()
        outcome = await worker.perform(request, label=mutant.name, deadline=DEADLINE)
        took = time.monotonic() - began
        self.tally.slowest = max(self.tally.slowest, took)
        self.tally.memory_mb = max(self.tally.memory_mb, _peak_mb(worker.status.pid))
        self.tally.wrong += _complaints(outcome, took, mutant)
        if isinstance(outcome, Failed) and outcome.reason.startswith("unexpected"):
            self.tally.unexpected[f"{outcome.stage}: {outcome.reason}"] += 1
            self.tally.wrong.append(f"{mutant.name} ({mutant.why}): {outcome.reason}")
        return outcome

    async def _ready(self) -> Worker:
        if self._worker is None or not self._worker.alive:
            self.tally.restarts += self._worker is not None
            self._worker = await Worker.start(module=WORKER, memory_mb=MEMORY_MB)
            await self._worker.give_context(self._context, 1)
        return self._worker

    async def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            await self._worker.close()


def _complaints(outcome: Outcome, took: float, mutant: Mutant) -> Iterator[str]:
    who = f"{mutant.name} ({mutant.why})"
    if took > DEADLINE + 1.0:
        yield f"{who}: {took:.1f} s"
    match outcome:
        case Crashed() | TimedOut():
            yield f"{who}: {outcome}"
        case Rejected(reason=reason) | Failed(reason=reason) if not reason.strip():
            yield f"{who}: no reason is given"


def _peak_mb(pid: int) -> float:
    """The most resident memory a process ever had, in MB; 0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


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


def poison(pairs: int) -> Poisoned:
    """Drop so many bad frames, and more good ones between them, into a site."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bad = _write_poison(folder / "corpus", pairs)
        paths = sorted((folder / "corpus").iterdir(), key=lambda path: path.stem[-5:])
        trial = stub_trial(folder, len(paths))
        trial.service.kill()
        site = trial.site / "iop4d.toml"
        site.write_text(site.read_text(encoding="utf-8").replace(
            "[daemon]", f"[daemon]\njob_timeout = {_DEADLINE}"), encoding="utf-8")
        try:
            return _judged_poison(trial, paths, bad)
        finally:
            trial.close()


def _write_poison(folder: Path, pairs: int) -> dict[str, str]:
    """The fault of each bad file by its name: every second science frame is one."""
    bad: dict[str, str] = {}
    science = [path for path in write_corpus(folder, 3 * pairs) if path.stem.startswith("science")]
    for number, path in enumerate(science[::2][:pairs]):
        bad[path.name] = FAULTS[number % len(FAULTS)]
        said = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(said | {"fault": bad[path.name]}), encoding="utf-8")
    return bad


def _judged_poison(trial: Trial, paths: list[Path], bad: dict[str, str]) -> Poisoned:
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
    database = database_of(trial.site, read_only=True)
    states = {row.name: row.state for row in rows(database, Frame)}
    for path in paths:
        expected = FrameState.QUARANTINED if path.name in bad else FrameState.DONE
        if states.get(path.name) != expected:
            wrong.append(f"{path.name} ({bad.get(path.name, 'good')}): {states.get(path.name)}")
    return Poisoned(faults=Counter(bad.values()), good=len(paths) - len(bad), wrong=wrong,
                    set_aside=sum(s == FrameState.QUARANTINED for s in states.values()),
                    grown_mb=grown / 2**20, seconds=time.monotonic() - began)
