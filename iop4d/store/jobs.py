"""Rows of the job table: what is queued, claimed, waiting and done."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from peewee import Case, fn

from iop4d.model.states import JobState
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Job
from iop4d.store.statement import Statement


class JobKind(StrEnum):
    """Kinds of work. A job's key is the id of a frame, a master, a series or a group."""

    CLASSIFY = "classify"
    MASTER = "master"
    REDUCE = "reduce"
    CALIBRATE = "calibrate"
    POLARIMETRY = "polarimetry"


#: Jobs whose key is a frame's id.
OF_A_FRAME = (JobKind.CLASSIFY, JobKind.REDUCE)


class Priority:
    """Higher goes first.

    A frame's jobs, and those that follow from them, get more: ``LIVE`` for one that came just now,
    ``WANTED`` for one requested by hand, ``FIRST`` for a target of opportunity. Each is a bit above
    all that stands below it, so that a live frame passes every step before the backlog's next.
    """

    FIRST = 512
    WANTED = 256
    LIVE = 128  # and above: not of the backlog
    MASTER = 100  # others of its bonus wait for it
    CLASSIFY = 80
    REDUCE = 50
    POLARIMETRY = 60
    CALIBRATE = 40
    AGAIN = 30  # a better master came: new frames go first

    @staticmethod
    def bonus_of(priority: int) -> int:
        """What a frame's job has on top of its kind's priority, for the jobs that follow it."""
        return priority & (Priority.FIRST | Priority.WANTED | Priority.LIVE)


def queue(tx: Transaction, kind: JobKind, key: int, *, priority: int, now: float,
          not_before: float = 0.0) -> None:
    """Put a job into the queue, or back into it; one that runs is marked to run again."""
    job = next(iter(tx.found(_OF_KEY, kind=kind.value, key=key)), None)
    if job is None:
        tx.create(Job, kind=kind.value, key=key, state=JobState.QUEUED, priority=priority,
                  not_before=not_before, changed_at=now, node=tx.node)
    elif job.state == JobState.RUNNING:
        _update(tx, job.id, again=True, priority=priority, not_before=not_before)
    else:
        reason = ""
        if job.state == JobState.QUEUED:
            priority, reason = max(priority, job.priority), job.reason
        _update(tx, job.id, state=JobState.QUEUED, priority=priority, not_before=not_before,
                crashes=0, attempts=0, reason=reason, changed_at=now)


def begin(tx: Transaction, job_id: int, now: float) -> None:
    """Count the attempt, before the work."""
    tx.run(_BEGIN, id=job_id, now=now)


def close(tx: Transaction, job_id: int, state: JobState, now: float, *, reason: str = "") -> None:
    """End a job, or queue it again where that was requested while it ran."""
    tx.run(_CLOSE, id=job_id, state=state, reason=reason, now=now)


def drop(tx: Transaction, kind: JobKind, key: int, now: float) -> None:
    """End a job that is not needed any more; one that runs ends by itself."""
    tx.update(Job, state=JobState.DONE, again=False, reason="not needed any more",
              changed_at=now).where(
        (Job.kind == kind.value) & (Job.key == key)
        & Job.state.in_((JobState.QUEUED, JobState.WAITING))).execute()


def wait(tx: Transaction, job_id: int, now: float, *, reason: str) -> None:
    """Let a job wait until something wakes it."""
    _update(tx, job_id, state=JobState.WAITING, reason=reason, changed_at=now)


def wake(tx: Transaction, now: float, kind: JobKind | None = None) -> None:
    """Queue what waits, of one kind or of all; what still lacks something waits again."""
    tx.run(_WAKE, kind=kind and kind.value, now=now)


def later(tx: Transaction, job_id: int, now: float, *, not_before: float) -> None:
    """Put a claimed job back, not to be looked at before a time."""
    _update(tx, job_id, state=JobState.QUEUED, not_before=not_before, changed_at=now)


def count_crash(tx: Transaction, job_id: int) -> int:
    """One more death of a worker at a job; how many there were."""
    crashes = int(tx.by_id(Job, job_id).crashes) + 1
    _update(tx, job_id, crashes=crashes)
    return crashes


def attempts_of(db: Connection, job_id: int) -> int:
    """How often a job was begun."""
    return int(db.by_id(Job, job_id).attempts)


def _update(tx: Transaction, job_id: int, **columns: Any) -> None:
    tx.set_by_key(Job, job_id, **columns)


_OF_KEY = Statement(lambda given: Job.select().where(
    (Job.kind == given("kind")) & (Job.key == given("key"))).limit(1))
_BEGIN = Statement(lambda given: Job.update(
    state=JobState.RUNNING, attempts=Job.attempts + 1, changed_at=given("now")).where(
    Job.id == given("id")))
_CLOSE = Statement(lambda given: Job.update(
    state=Case(None, [(Job.again, JobState.QUEUED)], given("state")), again=False,
    reason=given("reason"), changed_at=given("now")).where(Job.id == given("id")))
_WAKE = Statement(lambda given: Job.update(
    state=JobState.QUEUED, not_before=given("now"), changed_at=given("now")).where(
    (Job.node == given("node")) & (Job.state == JobState.WAITING)
    & (Job.kind == fn.COALESCE(given("kind"), Job.kind))))


#: Written out: this is asked for every job, and to make a statement takes longer than to run it.
DUE = """SELECT "id", "kind", "key", "priority" FROM "job"
WHERE "node" = ? AND "state" = 'queued'
AND "priority" < ? AND "not_before" <= ? ORDER BY "priority" DESC, "key" LIMIT ?"""
DUE_NEWEST = """SELECT "id", "kind", "key", "priority" FROM "job"
WHERE "node" = ? AND "state" = 'queued'
AND "priority" = ? AND "not_before" <= ? ORDER BY "key" DESC LIMIT ?"""


def due(db: Connection, now: float, limit: int, *, backlog: bool = False) -> list[Job]:
    """The jobs of this node to do next; of the backlog alone where that is wanted.

    Of live frames the newest goes first: it is the one that somebody waits for. Files are looked at
    newest first too, since the last nights' masters serve new frames. The backlog's frames are
    reduced in the order in which they came, so that each polarimetry group is computed once.
    """
    found = db.raw(Job, DUE, db.node, Priority.LIVE if backlog else 1 << 30, now, limit)
    if found and (found[0].priority & Priority.LIVE or found[0].priority == Priority.CLASSIFY):
        return db.raw(Job, DUE_NEWEST, db.node, found[0].priority, now, limit)
    return found


def next_due(db: Connection) -> float | None:
    """When the next queued job may begin, in Unix seconds; None without any."""
    due_at: float | None = db.tuples(_NEXT_DUE)[0][0]
    return due_at


_NEXT_DUE = Statement(lambda given: Job.select(fn.MIN(Job.not_before)).where(
    (Job.node == given("node")) & (Job.state == JobState.QUEUED)))


def recover(tx: Transaction, now: float) -> int:
    """At start: what was running when the last daemon of this node ended, and what waited, is
    queued again."""
    return int(tx.update(Job, state=JobState.QUEUED, again=False, not_before=0.0,
                         changed_at=now).where(
        (Job.node == tx.node) & Job.state.in_((JobState.RUNNING, JobState.WAITING))).execute())


def follow_clock(tx: Transaction, now: float) -> int:
    """The clock was set back: what was queued in its future waits from now on as long as it was to
    wait then. How many jobs these are."""
    waits = Job.not_before - Job.changed_at
    return int(tx.update(Job, not_before=waits + now, changed_at=now).where(
        Job.state.in_((JobState.QUEUED, JobState.RUNNING)) & (Job.node == tx.node)
        & (Job.changed_at > now)
        & (Job.not_before > Job.changed_at)).execute())


def pending_since(db: Connection, kind: JobKind, key: int) -> float | None:
    """When a job that is queued or running may begin (Unix seconds); None if it is neither."""
    job = db.get(Job, Job.kind == kind.value, Job.key == key,
                 Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    return None if job is None else float(job.not_before)


def classifying(db: Connection, folder: Path, now: float) -> bool:
    """Whether files of a folder are still being looked at, so that more frames may turn up."""
    return bool(db.rows(_CLASSIFYING, db.node, now, f"{folder}/", f"{folder}0"))  # 0 follows upon /


#: From an index of what is not looked at yet: there is a job for each frame that ever came.
_CLASSIFYING = """SELECT 1 FROM "job" AS j CROSS JOIN "frame" AS f
WHERE j."node" = ? AND j."kind" = 'classify' AND j."state" IN ('queued', 'running')
AND (j."state" = 'running' OR j."not_before" <= ?)
AND f."id" = j."key" AND f."path" > ? AND f."path" < ? LIMIT 1"""
