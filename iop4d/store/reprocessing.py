"""Frames that are reduced again by hand, a hundred thousand at a time: queued in parts, beside a
live night; counted, stopped and continued by the mark that their jobs carry."""

from __future__ import annotations

import json
from collections.abc import Sequence

from iop4d.model.states import TROUBLED_FRAMES, FrameState, JobState
from iop4d.store.database import Connection, Transaction
from iop4d.store.jobs import Priority
from iop4d.store.schema import Frame, Result

#: Begins every mark; what was stopped has ``STOPPED`` before it.
MARK, STOPPED = "reprocessed by hand ", "stopped: "
PART = 1000  # jobs that one transaction queues, stops or continues
_SHOWN = 1000  # frames in trouble that are told one by one


def mark_at(moment: str) -> str:
    """The mark of what is requested at a moment, to the millisecond."""
    return f"{MARK}{moment}"


def queue(tx: Transaction, ids: Sequence[int], *, now: float, mark: str) -> None:
    """Queue reduced science frames in one statement; one that runs is marked to run again."""
    tx.execute(_QUEUE, JobState.QUEUED.value, int(Priority.AGAIN), False, mark, now,
               json.dumps(list(ids)), True)


_QUEUE = """
INSERT INTO "job" ("kind", "key", "state", "priority", "attempts", "crashes", "not_before",
                   "again", "reason", "changed_at", "node")
SELECT 'reduce', "id", ?, ?, 0, 0, 0.0, ?, ?, ?, "node" FROM "frame"
WHERE "id" IN (SELECT CAST("value" AS BIGINT) FROM json_each(?))
ON CONFLICT ("kind", "key") DO UPDATE SET
    "again" = CASE WHEN "job"."state" = 'running' THEN ? ELSE "job"."again" END,
    "attempts" = CASE WHEN "job"."state" = 'running' THEN "job"."attempts" ELSE 0 END,
    "crashes" = CASE WHEN "job"."state" = 'running' THEN "job"."crashes" ELSE 0 END,
    "state" = CASE WHEN "job"."state" = 'running' THEN "job"."state" ELSE excluded."state" END,
    "priority" = CASE WHEN "job"."state" = 'queued' AND "job"."priority" > excluded."priority"
                 THEN "job"."priority" ELSE excluded."priority" END,
    "not_before" = 0.0, "reason" = excluded."reason", "changed_at" = excluded."changed_at"
"""


def stop(tx: Transaction, now: float) -> int:
    """Take some of the jobs that are not begun out of the queue: how many, at most ``PART``.

    Their frames keep the results that they have. Frames without any are reduced all the same.
    """
    return tx.execute(_STOP, STOPPED, now, PART)


_STOP = f"""
UPDATE "job" SET "state" = 'done', "reason" = ? || "reason", "changed_at" = ? WHERE "id" IN (
    SELECT j."id" FROM "job" AS j JOIN "frame" AS f ON f."id" = j."key"
    WHERE j."state" = 'queued' AND j."priority" = {int(Priority.AGAIN)} AND j."kind" = 'reduce'
    AND j."reason" LIKE '{MARK}%' AND f."state" = 'done' LIMIT ?)
"""  # noqa: S608 - of ours


def go_on(tx: Transaction, now: float, mark: str) -> int:
    """Queue some of what was stopped again, with another mark: how many, at most ``PART``."""
    return tx.execute(_GO_ON, mark, now, PART)


_GO_ON = f"""
UPDATE "job" SET "state" = 'queued', "attempts" = 0, "not_before" = 0.0, "reason" = ?,
    "changed_at" = ? WHERE "id" IN (
    SELECT "id" FROM "job" WHERE "state" = 'done' AND "priority" = {int(Priority.AGAIN)}
    AND "reason" LIKE '{STOPPED}{MARK}%' LIMIT ?)
"""  # noqa: S608 - of ours


def left(db: Connection, mark: str) -> int:
    """How many frames of a mark are not reduced again yet."""
    return int(db.rows(_LEFT, JobState.QUEUED.value, JobState.RUNNING.value, mark)[0][0])


_LEFT = 'SELECT COUNT(*) FROM "job" WHERE "state" IN (?, ?) AND "reason" = ?'


def stopped(db: Connection, mark: str) -> int:
    """How many frames of a mark were stopped and not continued since."""
    return int(db.rows(
        'SELECT COUNT(*) FROM "job" WHERE "state" = ? AND "priority" = ? AND "reason" = ?',
        JobState.DONE.value, int(Priority.AGAIN), STOPPED + mark)[0][0])


def failed_since(db: Connection, since: float) -> tuple[list[Frame], int]:
    """The frames that failed, were quarantined, or wait from a moment on: so many as are shown, and
    how many there are."""
    which = Frame.state.in_((*TROUBLED_FRAMES, FrameState.REJECTED, FrameState.WAITING)) & (
        Frame.changed_at >= since)
    shown = db.select(Frame, Frame.id, Frame.path, Frame.state, Frame.reason).where(which)
    return list(shown.limit(_SHOWN)), int(db.select(Frame).where(which).count())


def results_since(db: Connection, since: float) -> int:
    """How many results changed from a moment on."""
    return int(db.select(Result).where(Result.changed_at >= since).count())
