"""Rows of the job table: what is queued, claimed, waiting and done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from peewee import Case, fn

from iop4d.store.schema import Frame, Job

if TYPE_CHECKING:
    from iop4d.model.messages import Request


class JobKind(StrEnum):
    """Kinds of work. A job's key is the id of a frame, a master, a series or a group."""

    CLASSIFY = "classify"
    MASTER = "master"
    REDUCE = "reduce"
    CALIBRATE = "calibrate"
    POLARIMETRY = "polarimetry"


class Priority:
    """Higher goes first.

    A frame's jobs, and those that follow from them, get more: ``LIVE`` for one that came just now,
    ``WANTED`` for one asked for by hand, ``FIRST`` for a target of opportunity. Each is a bit above
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


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A job taken to be done now, and what to ask of a worker for it."""

    job_id: int
    kind: JobKind
    key: int
    label: str
    request: Request
    bonus: int = 0  # of its priority, for the jobs that follow from it


def queue(kind: JobKind, key: int, *, priority: int, now: float, not_before: float = 0.0) -> None:
    """Put a job into the queue, or back into it; one that runs is marked to run again."""
    job = Job.get_or_none((Job.kind == kind.value) & (Job.key == key))
    if job is None:
        Job.create(kind=kind.value, key=key, state="queued", priority=priority,
                   not_before=not_before, changed_at=now)
    elif job.state == "running":
        Job.update(again=True, priority=priority, not_before=not_before).where(
            Job.id == job.id).execute()
    else:
        if job.state == "queued":
            priority = max(priority, job.priority)
        Job.update(state="queued", priority=priority, not_before=not_before, crashes=0,
                   attempts=0, reason="", changed_at=now).where(Job.id == job.id).execute()


def close(job_id: int, state: str, *, now: float, reason: str = "") -> None:
    """End a job, or queue it again where that was asked for while it ran."""
    Job.update(state=Case(None, [(Job.again, "queued")], state), again=False, reason=reason,
               changed_at=now).where(Job.id == job_id).execute()


def drop(kind: JobKind, key: int, *, now: float) -> None:
    """End a job that is not to be done any more; one that runs ends by itself."""
    Job.update(state="done", again=False, reason="not needed any more", changed_at=now).where(
        (Job.kind == kind.value) & (Job.key == key)
        & Job.state.in_(("queued", "waiting"))).execute()


def wait(job_id: int, *, reason: str, now: float) -> None:
    """Set a job aside until something wakes it."""
    Job.update(state="waiting", reason=reason, changed_at=now).where(Job.id == job_id).execute()


def later(job_id: int, *, not_before: float, now: float) -> None:
    """Put a claimed job back, not to be looked at before a time."""
    Job.update(state="queued", not_before=not_before, changed_at=now).where(
        Job.id == job_id).execute()


def begin(job_id: int, *, now: float) -> None:
    """Count the attempt, before the work."""
    Job.update(state="running", attempts=Job.attempts + 1, changed_at=now).where(
        Job.id == job_id).execute()


#: Written out: this is asked for every job, and to make a statement takes longer than to run it.
DUE = """SELECT "id", "kind", "key", "priority" FROM "job" WHERE "state" = 'queued'
AND "priority" < ? AND "not_before" <= ? ORDER BY "priority" DESC, "key" LIMIT ?"""
DUE_NEWEST = """SELECT "id", "kind", "key", "priority" FROM "job" WHERE "state" = 'queued'
AND "priority" = ? AND "not_before" <= ? ORDER BY "key" DESC LIMIT ?"""


def due(now: float, limit: int, *, backlog: bool = False) -> list[Job]:
    """The jobs to do next; of the backlog alone where that is asked for.

    Of live frames the newest goes first: it is the one that somebody waits for. Files are looked at
    newest first too, since the last nights' masters serve new frames. The backlog's frames are
    reduced in the order in which they came, so that each polarimetry group is computed once.
    """
    found = list(Job.raw(DUE, Priority.LIVE if backlog else 1 << 30, now, limit))
    if found and (found[0].priority & Priority.LIVE or found[0].priority == Priority.CLASSIFY):
        return list(Job.raw(DUE_NEWEST, found[0].priority, now, limit))
    return found


def next_due() -> float | None:
    """When the next queued job may begin, in Unix seconds; None without any."""
    due_at: float | None = Job.select(fn.MIN(Job.not_before)).where(
        Job.state == "queued").scalar()
    return due_at


def recover(now: float) -> int:
    """At start: what was running when the last daemon ended, and what waited, is queued again."""
    return int(Job.update(state="queued", again=False, not_before=0.0, changed_at=now).where(
        Job.state.in_(("running", "waiting"))).execute())


def classifying(folder: Path, now: float) -> bool:
    """Whether files of a folder are still being looked at, so that more frames may turn up."""
    waits = (Job.state == "running") | ((Job.state == "queued") & (Job.not_before <= now))
    return bool(Frame.select().join(Job, on=Job.key == Frame.id).where(
        (Frame.path > f"{folder}/") & (Frame.path < f"{folder}0")  # 0 follows upon /
        & (Job.kind == JobKind.CLASSIFY.value) & waits).exists())
