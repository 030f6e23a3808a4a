"""Files come, change, move and vanish, the power fails, workers die: the end is always the same.

A machine of hypothesis does these in every order. After each step the invariants of a site must
hold; in the end all is worked off and equals what a ledger makes of the same files that has never
seen anything go wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.ledger import FoundFile
from iop4d.ledger.plan import Claim
from iop4d.model.messages import CHANGED, Crashed, Failed, MasterRequest, Outcome, TimedOut
from iop4d.model.states import FrameState
from iop4d.store import masters
from iop4d.store.database import Database
from iop4d.store.flagging import set_flag
from iop4d.store.jobs import JobKind
from iop4d.store.schema import Frame, Job, Master, Result
from tests.conftest import FakeClock, LedgerAlone, in_a_hurry, work_off
from tests.ledger.one_camera import CALIBRATION, Bench
from tests.support import stub_worker
from tests.support.invariants import Remembered, remember, violations
from tests.support.rows import first, rows, update

JD = 2459831.3
SITE = '[[archive]]\nname = "raw"\npath = "{raw}"\n[masters]\nbuild_delay = 0.5\n'
ANGLES = (-45.0, 0.0, 45.0, 90.0)
#: Examples and steps; `make chaos` sets more.
EXAMPLES, STEPS = map(int, os.environ.get("IOP4D_STATE_MACHINE", "8x40").split("x"))

kinds = st.sampled_from(["bias", "flat", "science", "polar"])
nights = st.sampled_from([0, 0, 0, 1])
numbers = st.integers(0, 5)
picks = st.integers(0, 1000)


class PowerFailureError(Exception):
    """In the midst of a transaction."""


class Place:
    """A site with a ledger and a worker that answers what follows from the bytes."""

    def __init__(self, root: Path, raw: Path) -> None:
        self.root, self.raw = root, raw
        for name in ("masters", "reduced", "previews", "logs"):
            (root / name).mkdir(parents=True)
        raw.mkdir(exist_ok=True)
        (root / "iop4d.toml").write_text(SITE.format(raw=raw), encoding="utf-8")
        self.site = load_site(root)
        self.clock = FakeClock()
        self.catalogue = 1
        self.fails = False  # in the next transaction that writes results
        self.start()

    def start(self) -> None:
        self.database = Database(self.root / "iop4d.db")
        in_a_hurry(self.database)
        self.ledger = LedgerAlone(
            database=self.database, site=self.site, clock=self.clock, on_results=self._on_results,
            instruments={i.name: i for i in find_instruments()})
        self.ledger.recover()
        self.ledger.follow_catalogue(self.catalogue)

    def _on_results(self, _: list[int]) -> None:
        if self.fails:
            self.fails = False
            raise PowerFailureError

    def accept(self, path: Path) -> None:
        info = path.stat()
        self.ledger.accept([FoundFile(
            archive="raw", path=path, size=info.st_size, mtime_ns=info.st_mtime_ns,
            completed_at=self.clock())])

    def answer(self, claim: Claim) -> Outcome:
        try:
            outcome = stub_worker.answer(claim.request)
        except OSError as error:
            return Failed(stage="read", reason=str(error))
        return outcome

    def work(self, most: int, answer: Callable[[Claim], Outcome] | None = None) -> None:
        for _ in range(most):
            for claim in self.ledger.claim(1):
                self.ledger.finish(claim, (answer or self.answer)(claim))

    def finish(self) -> None:
        work_off(self.ledger, self.clock, self.answer)

    def states(self) -> dict[Any, Any]:
        """The state of the newest version of each file that is there."""
        return {row.path: row.state for row in rows(self.database, Frame)
                if Path(row.path).exists()}

    def results(self) -> dict[Any, Any]:
        return {(",".join(row.frames), row.source, row.mode):
                (row.mag, row.zero_point, row.p, row.provisional)
                for row in rows(self.database, Result, ~Result.withdrawn)}


class Observatory(RuleBasedStateMachine):
    """What can happen to a site."""

    @initialize()
    def open(self) -> None:
        self.scratch = Path(tempfile.mkdtemp())
        self.place = Place(self.scratch / "site", self.scratch / "raw")
        self.away: dict[Path, Path] = {}  # files that are gone, and where we keep them
        self.seen = Remembered()
        self.writes = 0

    # Files.

    def _files(self) -> list[Path]:
        return sorted(self.place.raw.rglob("*.fits"))

    def _write(self, path: Path, said: dict[str, Any]) -> None:
        self.writes += 1
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(said | {"write": self.writes}), encoding="utf-8")
        os.utime(path, ns=(self.writes * 10**9,) * 2)
        self.place.accept(path)

    @rule(kind=kinds, night=nights, number=numbers)
    def add(self, kind: str, night: int, number: int) -> None:
        path = self.place.raw / f"{kind}-{night}-{number}.fits"
        if self._known(path.name):
            return
        shift = 10 * ("bias", "flat", "science", "polar").index(kind)
        self._write(path, {
            "kind": "science" if kind == "polar" else kind, "night": f"2022-09-0{night + 1}",
            "jd": JD + night + (number + shift) / 1440, "mag": 14.0,
            "object": f"{kind} {night}" if shift >= 20 else "",
            "angle": ANGLES[number % 4] if kind == "polar" else None})

    @rule(night=nights)
    def add_calibration(self, night: int) -> None:
        for kind in ("bias", "flat"):
            for number in range(3):
                self.add(kind, night, number)

    def _known(self, name: str) -> bool:
        return any(path.name == name for path in (*self._files(), *self.away))

    @precondition(lambda self: self._files())
    @rule(pick=picks)
    def replace(self, pick: int) -> None:
        path = self._files()[pick % len(self._files())]
        self._write(path, json.loads(path.read_text(encoding="utf-8")))

    @precondition(lambda self: self._files())
    @rule(pick=picks)
    def move_to_another_folder(self, pick: int) -> None:
        path = self._files()[pick % len(self._files())]
        there = self.place.raw / f"folder{pick % 3}" / path.name
        if not (there.exists() or there in self.away):
            there.parent.mkdir(exist_ok=True)
            path.rename(there)
            self.place.accept(there)

    @precondition(lambda self: self._files())
    @rule(pick=picks)
    def vanish(self, pick: int) -> None:
        path = self._files()[pick % len(self._files())]
        kept = self.scratch / f"kept-{self.writes}-{path.name}"
        self.away[path] = Path(shutil.move(path, kept))

    def _come_back(self) -> None:
        for path, kept in self.away.items():
            shutil.move(kept, path)  # with its time
            self.place.accept(path)
        self.away.clear()

    @precondition(lambda self: self.away)
    @rule()
    def come_back(self) -> None:
        self._come_back()

    # Work, and what goes wrong with it.

    @rule(seconds=st.sampled_from([0.1, 1.0, 60.0, 7200.0]))
    def tick(self, seconds: float) -> None:
        self.place.clock.advance(seconds)

    @rule(most=st.integers(1, 12))
    def work(self, most: int) -> None:
        self.place.work(most)

    @rule()
    def work_all_off(self) -> None:
        self.place.finish()

    @rule(outcome=st.sampled_from([Crashed(how="SIGSEGV"), TimedOut(seconds=1.0),
                                   Failed(stage=CHANGED, reason="changed")]))
    def worker_fails(self, outcome: Outcome) -> None:
        self.place.work(1, lambda _: outcome)

    @rule(claims=st.integers(0, 4))
    def power_fails(self, claims: int) -> None:
        self.place.ledger.claim(claims)
        self.place.database.close()
        self.place.start()

    @rule(most=st.integers(1, 6))
    def power_fails_in_a_transaction(self, most: int) -> None:
        self.place.fails = True
        try:
            self.place.work(most)
        except PowerFailureError:
            self.place.database.close()
            self.place.start()
        self.place.fails = False

    # People.

    @rule(pick=picks)
    def flag(self, pick: int) -> None:
        ids = [row.id for row in rows(self.place.database, Result)]
        if ids:
            with self.place.database.write() as tx:
                set_flag(tx, [ids[pick % len(ids)]], f"flag {pick % 3}", note="", by="me", now=0.0)

    @rule()
    def catalogue_changes(self) -> None:
        self.place.catalogue += 1
        self.place.ledger.follow_catalogue(self.place.catalogue)

    @rule(pick=picks)
    def reject_a_master(self, pick: int) -> None:
        ids = [row.id for row in rows(self.place.database, Master)]
        if ids:
            self.place.ledger.reject([ids[pick % len(ids)]], "by hand")

    def _restore_masters(self) -> None:
        ids = [row.id for row in rows(self.place.database, Master, Master.state == "rejected")]
        self.place.ledger.restore(ids)

    @rule()
    def restore_masters(self) -> None:
        self._restore_masters()

    # What must hold.

    @invariant()
    def nothing_is_violated(self) -> None:
        if not hasattr(self, "place"):
            return
        wrong = violations(self.place.root, expected_files=self._files(), remembered=self.seen)
        assert wrong == [], wrong
        self.seen = remember(self.place.root)

    def teardown(self) -> None:
        try:
            if hasattr(self, "place") and sys.exc_info()[0] is None:
                self._ends_as_if_nothing_had_happened()
        finally:
            if hasattr(self, "place"):
                self.place.database.close()
                shutil.rmtree(self.scratch)

    def _ends_as_if_nothing_had_happened(self) -> None:
        self._come_back()
        self.place.finish()
        for _ in range(4):  # what failed is reprocessed by hand, as people do
            self._restore_masters()
            stuck = rows(self.place.database, Frame, Frame.state.in_(
                (FrameState.QUARANTINED, FrameState.FAILED, FrameState.WAITING)))
            self.place.ledger.redo([row.id for row in stuck])
            for master in rows(self.place.database, Master):
                self._build_again(master)
            self.place.finish()
        wrong = violations(self.place.root, expected_files=self._files(), remembered=self.seen,
                           settled=True)
        assert wrong == [], wrong
        states, results = self.place.states(), self.place.results()
        self.place.database.close()
        fresh = Place(self.scratch / "fresh", self.place.raw)
        for path in self._files():
            fresh.accept(path)
        fresh.finish()
        self.place = fresh  # whose database is closed in the end
        for one, other in ((states, fresh.states()), (results, fresh.results())):
            unlike = {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys()
                      if one.get(key) != other.get(key)}
            assert unlike == {}, unlike

    def _build_again(self, master: Master) -> None:
        """A master whose building was given up is built when one of its frames is redone."""
        with self.place.database.read() as db:
            job = db.get(Job, Job.kind == JobKind.MASTER, Job.key == master.id)
            frames = masters.frames_of(db, master)
        if frames and (master.state == "refused" or (job and job.state == "failed")):
            self.place.ledger.redo([frames[0].id])


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_whatever_happens_the_end_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the stub's work takes no time here
    monkeypatch.setattr(os, "fsync", lambda _: None)
    run_state_machine_as_test(Observatory, settings=settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, derandomize=True,
        database=None, suppress_health_check=list(HealthCheck)))


# Faults that it found, each told by itself.


def test_a_flat_that_was_rejected_when_a_better_bias_came_is_built_again_when_restored(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    state = Observatory()
    state.open()
    state.add(kind="bias", night=0, number=0)
    state.work_all_off()
    state.add(kind="science", night=0, number=1)
    state.add_calibration(night=0)
    state.add_calibration(night=1)
    state.move_to_another_folder(pick=669)
    state.power_fails_in_a_transaction(most=6)
    state.reject_a_master(pick=512)
    state.reject_a_master(pick=237)
    state.teardown()


def test_a_file_that_was_moved_away_and_back_is_reduced_where_it_lies(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    state = Observatory()
    state.open()
    state.add(kind="science", night=0, number=3)
    state.move_to_another_folder(pick=952)
    state.work(most=8)
    state.move_to_another_folder(pick=228)
    state.work_all_off()
    state.move_to_another_folder(pick=1)
    state.add_calibration(night=0)
    state.work_all_off()
    (row,) = rows(state.place.database, Result)
    assert row.frames == ["science-0-3.fits"]
    state.teardown()


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


def test_a_frame_that_was_replaced_before_its_reduction_stays_replaced(bench: Bench) -> None:
    bench.drop("science-R-7.fit")
    bench.work()  # it waits for masters
    bench.drop("science-R-7.fit", content="new contents")
    bench.drop(*CALIBRATION)
    bench.work()
    assert [row.state for row in bench.frames("science-R-7.fit")] == [
        FrameState.SUPERSEDED, FrameState.DONE]


def test_a_calibration_frame_whose_master_is_not_built_again_is_told(bench: Bench) -> None:
    bench.drop(*CALIBRATION)
    bench.work()
    bench.drop("bias-8.fit")
    bench.work(lambda claim: Failed(stage="write", reason="no space left")
               if isinstance(claim.request, MasterRequest) else bench.answer(claim))
    assert bench.state("bias-8.fit") != FrameState.QUEUED


def test_a_master_that_is_to_be_tried_again_touches_no_frame(bench: Bench) -> None:
    bench.drop("science-R-7.fit")
    bench.work()
    update(bench.database, Frame, state=FrameState.REJECTED)
    update(bench.database, Job, state="done")
    bench.drop(*CALIBRATION)
    answers = iter([Failed(stage=CHANGED, reason="the file changed")])
    bench.work(lambda claim: next(answers, None) or bench.answer(claim)
               if isinstance(claim.request, MasterRequest) else bench.answer(claim))
    assert first(bench.database, Job, Job.kind == "master", Job.key == 1).key == bench.frame(
        "science-R-7.fit").id
    assert bench.state("science-R-7.fit") == FrameState.REJECTED


def test_a_flat_whose_master_waits_for_a_bias_says_so(bench: Bench) -> None:
    bench.drop(*CALIBRATION[3:])
    bench.work()
    assert bench.state("flat-R-4.fit") == FrameState.WAITING
