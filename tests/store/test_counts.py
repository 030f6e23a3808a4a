"""Counts by state: right at once where they are few, and what is under way always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iop4d.model.states import FrameState, JobState
from iop4d.store import counts
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Job
from tests.support.plans import steps


def _fill(path: Path, frames: dict[FrameState, int], jobs: dict[tuple[str, JobState], int]) -> None:
    database = Database(path)
    number = iter(range(1, 1 << 30))
    with database.write() as tx:
        for state, many in frames.items():
            for _ in range(many):
                at = next(number)
                tx.create(Frame, archive="a", path=f"/{at}", name="x", size=1, mtime_ns=1,
                          state=state, telescope="T", night="2026-01-01", completed_at=0.0,
                          seen_at=0.0, changed_at=0.0)
        for (kind, state), many in jobs.items():
            for _ in range(many):
                tx.create(Job, kind=kind, key=next(number), state=state, changed_at=0.0)
    database.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "iop4d.db"
    _fill(path, {FrameState.DONE: 5, FrameState.FAILED: 2, FrameState.QUEUED: 1},
          {("reduce", JobState.DONE): 4, ("reduce", JobState.QUEUED): 2,
           ("master", JobState.DONE): 1, ("classify", JobState.FAILED): 3})
    return path


FRAMES = {"done": 5, "failed": 2, "queued": 1}
JOBS = {"classify": {"failed": 3}, "master": {"done": 1}, "reduce": {"done": 4, "queued": 2}}


def test_they_are_what_is_there_and_nothing_else(site: Path) -> None:
    database = Database(site, read_only=True)
    for _ in range(2):
        with database.read() as db:
            assert counts.frames_by_state(db) == FRAMES
            assert counts.jobs_by_kind_and_state(db) == JOBS
    _fill(site, {FrameState.DONE: 1}, {("reduce", JobState.DONE): 1})
    with database.read() as db:
        assert counts.frames_by_state(db) == FRAMES | {"done": 6}
        assert counts.jobs_by_kind_and_state(db)["reduce"] == {"done": 5, "queued": 2}
    database.close()


def test_of_many_what_is_done_may_be_some_seconds_old_and_nothing_else_is(
        site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(counts.time, "monotonic", lambda: now.__setitem__(
        0, now[0] + 0.5) or now[0])  # each look at the clock takes half a second
    monkeypatch.setattr(counts, "_FEW", 3)
    database = Database(site, read_only=True)

    def seen() -> tuple[Any, Any]:
        with database.read() as db:
            return counts.frames_by_state(db), counts.jobs_by_kind_and_state(db)

    assert seen() == (FRAMES, JOBS)
    _fill(site, {FrameState.DONE: 1, FrameState.FAILED: 1},
          {("reduce", JobState.DONE): 1, ("reduce", JobState.RUNNING): 1})
    frames, jobs = seen()
    assert frames == FRAMES | {"failed": 3}
    assert jobs["reduce"] == {"done": 4, "queued": 2, "running": 1}
    now[0] += 60.0
    frames, jobs = seen()
    assert frames == {"done": 6, "failed": 3, "queued": 1}
    assert jobs["reduce"]["done"] == 5
    database.close()


@pytest.mark.sqlite
def test_a_page_does_not_count_all_that_was_ever_done(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "_FEW", 100)
    monkeypatch.setattr(counts, "_REST", 1e6)
    taken = []
    for many in (500, 4000):
        path = tmp_path / f"{many}.db"
        _fill(path, {FrameState.DONE: many, FrameState.FAILED: 3},
              {("reduce", JobState.DONE): many, ("reduce", JobState.QUEUED): 3})
        database = Database(path, read_only=True)
        with database.read() as db:
            counts.frames_by_state(db), counts.jobs_by_kind_and_state(db)
        with steps(database) as count, database.read() as db:
            assert counts.frames_by_state(db) == {"done": many, "failed": 3}
            assert counts.jobs_by_kind_and_state(db) == {"reduce": {"done": many, "queued": 3}}
        taken.append(count[0])
        database.close()
    assert taken[1] <= taken[0] + 1
