"""Many frames that are reduced again: queued in parts, counted by a mark, stopped, continued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.ledger.ledger import Ledger
from iop4d.ledger.requests import Again, Reprocess, Rest
from iop4d.store import jobs, reprocessing, requests
from iop4d.store.database import Database, Transaction
from iop4d.store.jobs import JobKind, Priority
from iop4d.store.schema import Frame, Job
from tests.support.plans import executed
from tests.support.rows import first, rows, update

MARK = "reprocessed by hand 2026-11-28 09:00:00.123"
COUNT = 25


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """25 reduced frames with their jobs, and one that failed."""
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        for n in range(1, COUNT + 2):
            tx.create(Frame, archive="a", path=f"/x/{n}", name=f"{n}.fit", size=1, mtime_ns=1,
                      state="done" if n <= COUNT else "failed", kind="science", sha256=str(n),
                      completed_at=0.0, seen_at=0.0, changed_at=1.0)
            tx.create(Job, kind="reduce", key=n, state="done", priority=50, attempts=1,
                      changed_at=1.0)
    yield database
    database.close()


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reprocess:
    monkeypatch.setattr(reprocessing, "PART", 10)

    async def wake() -> None: ...

    ledger = Ledger(parse_site("", root=tmp_path), {}, lambda: 100.0)
    return Reprocess(ledger, lambda: 100.0, wake)


def done(database: Database, handler: Reprocess, **content: Any) -> tuple[dict[str, Any], int]:
    """The answer, and in how many transactions it was done."""
    left: Again | dict[str, Any] = handler.prepare(content)
    for parts in range(1, 100):
        assert isinstance(left, Again)
        with database.write() as tx:
            found = handler.act(tx, left)
        if not isinstance(found, Rest):
            return found, parts
        left = found.prepared
    raise AssertionError(left)


def progress(database: Database, answered: dict[str, Any]) -> requests.Progress:
    with database.write() as tx:
        id_ = requests.put(tx, "reprocess", {}, 0.0)
        requests.answer(tx, id_, answered)
        found = requests.progress_of(tx, id_, 100.0)
    assert found is not None
    return found


def test_many_frames_are_queued_in_parts_by_few_statements(database: Database,
                                                           handler: Reprocess) -> None:
    with executed() as statements:
        answer, parts = done(database, handler, frames=list(range(1, COUNT + 2)), mark=MARK)
    assert parts == 3
    assert answer == {"count": COUNT + 1, "mark": MARK, "since": 100.0}
    # A few for each part, and those of the frame that failed, which is looked at by itself.
    assert len(statements) < 4 * parts + 10
    waiting = rows(database, Job, Job.state == "queued")
    assert {job.key for job in waiting} == set(range(1, COUNT + 2))
    assert {job.priority for job in waiting} == {Priority.AGAIN}
    assert first(database, Frame, Frame.id == COUNT + 1).state == "queued"
    assert first(database, Frame, Frame.id == 1).state == "done"


def test_a_job_that_runs_runs_again_and_a_more_urgent_one_stays_so(
        database: Database, handler: Reprocess) -> None:
    update(database, Job, Job.key == 1, state="running", priority=178)
    update(database, Job, Job.key == 2, state="queued", priority=178)
    done(database, handler, frames=[1, 2, 3], mark=MARK)
    one, two, three = (first(database, Job, Job.key == n) for n in (1, 2, 3))
    assert (one.state, one.again, one.attempts) == ("running", True, 1)
    assert (two.state, two.priority) == ("queued", 178)
    assert (three.state, three.priority, three.attempts) == ("queued", 30, 0)


def test_progress_is_counted_stopped_and_continued(database: Database,
                                                   handler: Reprocess) -> None:
    answer, _ = done(database, handler, frames=list(range(1, COUNT + 1)), mark=MARK)
    for key in (1, 2, 3):
        update(database, Job, Job.key == key, state="done", reason="")
    before = progress(database, answer)
    assert (before.total, before.ended, before.is_over) == (COUNT, 3, False)
    stopped, parts = done(database, handler, act="stop")
    assert (stopped["count"], parts) == (COUNT - 3, 3)
    assert progress(database, stopped).stopped == COUNT - 3
    assert rows(database, Job, Job.state == "queued") == []
    after = progress(database, answer)
    assert after.is_over
    assert after.ended == 3
    assert [count for _, count in after.notes] == [COUNT - 3]
    again, _ = done(database, handler, act="continue", mark=f"{MARK}4")
    assert again["count"] == COUNT - 3
    assert progress(database, again).ended == 0
    assert progress(database, answer).notes == ()
    assert done(database, handler, act="stop")[0]["count"] == COUNT - 3


def test_a_frame_that_waits_for_a_master_is_told_and_not_counted_as_done(
        database: Database, handler: Reprocess) -> None:
    answer, _ = done(database, handler, frames=[1, 2, 3], mark=MARK)
    update(database, Job, Job.key < 4, state="done", reason="")
    update(database, Frame, Frame.id == 2, state="waiting", reason="no bias", changed_at=101.0)
    found = progress(database, answer)
    assert [(one.state, one.reason) for one in found.troubles] == [("waiting", "no bias")]
    assert found.counts == {"done": 2}


def test_a_frame_without_results_is_not_stopped(database: Database, handler: Reprocess) -> None:
    def both(tx: Transaction) -> None:
        jobs.queue(tx, JobKind.REDUCE, COUNT + 1, priority=Priority.AGAIN, now=1.0)

    with database.write() as tx:
        both(tx)
    assert done(database, handler, act="stop")[0] == {"frames": [], "count": 0}
    assert first(database, Job, Job.key == COUNT + 1).state == "queued"


def test_a_frame_that_is_queued_again_by_something_else_keeps_its_mark(
        database: Database, handler: Reprocess) -> None:
    answer, _ = done(database, handler, frames=[1, 2], mark=MARK)
    with database.write() as tx:
        jobs.queue(tx, JobKind.REDUCE, 1, priority=Priority.AGAIN, now=1.0)
    assert progress(database, answer).ended == 0
