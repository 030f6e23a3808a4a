"""Requests of commands and of the page to the daemon, and how far their frames are.

They are rows, so that nothing requested is lost in a restart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from iop4d.model.errors import LEFT_ALONE
from iop4d.model.states import FrameState, JobState, RequestKind, RequestState
from iop4d.store import groups, reprocessing
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Frame, Job, Master, Request, ResultFrame
from iop4d.store.statement import Statement

_SOON = 10.0  # seconds within which a job begins that a request waits for
_GOOD = (FrameState.DONE, FrameState.DUPLICATE, FrameState.SUPERSEDED)


def put(tx: Transaction, kind: str, content: dict[str, Any], now: float) -> int:
    """Request something; the id of the request.

    Of several nodes each is asked for what is its own: the id is that of this one's, or of the
    first.
    """
    parts = _parts(tx, kind, content) if tx.node else {tx.node: content}
    made = {node: int(tx.create(Request, kind=kind, content=part, created_at=now, node=node).id)
            for node, part in parts.items()}
    return made.get(tx.node, min(made.values()))


def _parts(db: Connection, kind: str, content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is asked of which node: frames, masters and results are worked on by their own."""
    lists: dict[str, Any] = {key: table for key, table in _IDS.get(kind, {}).items()
                             if isinstance(content.get(key), list)}
    if kind == RequestKind.TRIAL:
        owner = db.select(Frame, Frame.node).join(ResultFrame).where(
            ResultFrame.result == content.get("result")).limit(1).scalar()
        return {db.node if owner is None else str(owner): content}
    parts: dict[str, dict[str, Any]] = {}
    for key, table in lists.items():
        ids = content[key]
        owners = dict(db.select(table, table.id, table.node).where(
            table.id.between(min(ids), max(ids))).tuples()) if ids else {}
        for id_ in ids:
            part = parts.setdefault(owners.get(id_, db.node),
                                    content | {name: [] for name in lists})
            part[key].append(id_)
    return parts or {db.node: content}


_IDS: dict[str, dict[str, Any]] = {
    RequestKind.REPROCESS: {"frames": Frame}, RequestKind.IGNORE: {"frames": Frame},
    RequestKind.MASTERS: {"reject": Master, "restore": Master}}


def node_of(db: Connection, request_id: int) -> str:
    """The node of which a request is."""
    return str(db.by_id(Request, request_id).node)


def queued(db: Connection) -> list[Request]:
    """The requests of this node that are not answered, oldest first; without trials, which
    take long."""
    return db.found(_QUEUED)


def queued_trials(db: Connection) -> list[Request]:
    """The trials of other settings that are not answered, oldest first."""
    return db.found(_TRIALS)


_QUEUED = Statement(lambda given: Request.select().where(
    (Request.node == given("node"))
    & (Request.state == RequestState.QUEUED) & (Request.kind != RequestKind.TRIAL)
).order_by(Request.id))
_TRIALS = Statement(lambda given: Request.select().where(
    (Request.node == given("node"))
    & (Request.state == RequestState.QUEUED) & (Request.kind == RequestKind.TRIAL)
).order_by(Request.id))


def trial(db: Connection, request_id: int) -> Request | None:
    """A trial of other settings; None if there is none of this id."""
    return db.get(Request, (Request.id == request_id) & (Request.kind == RequestKind.TRIAL))


def trials(db: Connection, limit: int) -> list[Request]:
    """The newest trials, the newest first."""
    return list(db.select(Request).where(Request.kind == RequestKind.TRIAL).order_by(
        Request.id.desc()).limit(limit))


def answer(tx: Transaction, request_id: int, content: dict[str, Any]) -> None:
    """Answer a request."""
    tx.update(Request, state=RequestState.DONE, answer=content).where(
        Request.id == request_id).execute()


def answer_of(db: Connection, request_id: int) -> dict[str, Any] | None:
    """The answer to a request; None while there is none."""
    row = db.get(Request, Request.id == request_id)
    return None if row is None or row.answer is None else dict(row.answer)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A frame that could not be used, and why."""

    path: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The frames of a request: how many there are, have ended, and how.

    ``groups``: those without polarisation, each with its reason. ``error``: why the request was
    refused; empty if it was not. ``notes``: what is to be known of frames that are no trouble, and
    of how many. ``stopped``: how many frames this took out of the queue.
    """

    total: int = 0
    ended: int = 0
    is_over: bool = True
    counts: dict[str, int]
    results: int = 0
    current: str = ""
    troubles: tuple[Trouble, ...] = ()
    groups: tuple[tuple[str, str], ...] = ()
    error: str = ""
    notes: tuple[tuple[str, int], ...] = ()
    stopped: int = 0


def progress_of(db: Connection, request_id: int, now: float) -> Progress | None:
    """How far a request is; None while the daemon has not answered it.

    A polarimetry group of tonight that waits for more frames is not waited for.
    """
    answered = answer_of(db, request_id)
    if answered is None:
        return None
    if "error" in answered:
        return Progress(counts={}, error=str(answered["error"]))
    if "mark" in answered:
        return _of_mark(db, answered)
    if "count" in answered:
        return Progress(counts={}, stopped=int(answered["count"]))
    ids = sorted(set(answered.get("frames", ())))
    wanted = set(ids)  # filtered here: as a list in SQL they could be too many variables
    rows = [row for row in db.select(
        Frame, Frame.id, Frame.path, Frame.name, Frame.state, Frame.reason, Frame.kind,
        Frame.group_id).where(
        Frame.id.between(ids[0], ids[-1]) if ids else Frame.id < 0) if row.id in wanted]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    pending = list(db.select(Job, Job.kind, Job.key).where(
        (Job.node == node_of(db, request_id)) & Job.state.in_((JobState.QUEUED, JobState.RUNNING))
        & (Job.not_before <= now + _SOON)).tuples())
    at_work = {key for kind, key in pending if kind in ("classify", "reduce")} & wanted
    busy = bool(at_work) or any(kind in ("master", "calibrate", "polarimetry")
                                for kind, _ in pending)
    troubles = tuple(Trouble(path=row.path, state=row.state, reason=row.reason)
                     for row in rows if row.state not in _GOOD and not _is_left_alone(row))
    said = Counter(row.reason for row in rows
                   if row.reason and (row.state == FrameState.DONE or _is_left_alone(row)))
    waiting = [row for row in rows if row.state == FrameState.WAITING]
    current = next((row.name for row in rows if row.id in at_work), "")
    of_frames = db.select(ResultFrame, ResultFrame.result, ResultFrame.frame).where(
        ResultFrame.frame.between(ids[0], ids[-1]) if ids else ResultFrame.frame < 0).tuples()
    results = len({result for result, frame in of_frames if frame in wanted})
    return Progress(
        total=len(rows), ended=len(rows) - len(at_work) - sum(
            row.id not in at_work for row in waiting) * busy,
        is_over=not busy, counts=counts,
        results=results, current=current, troubles=troubles, groups=tuple(
            (groups.described(group), group.reason) for group in groups.without_polarisation(
                db, ids=tuple({row.group_id for row in rows if row.group_id}))),
        notes=tuple(said.items()))


def _of_mark(db: Connection, answered: dict[str, Any]) -> Progress:
    """How far many frames are that are reduced again: counted, none looked at by itself."""
    total, mark, since = int(answered["count"]), answered["mark"], float(answered["since"])
    if left := reprocessing.left(db, mark):
        return Progress(total=total, ended=max(total - left, 0), is_over=False, counts={})
    stopped = reprocessing.stopped(db, mark)
    rows, failed = reprocessing.failed_since(db, since)
    troubles = tuple(Trouble(path=row.path, state=row.state, reason=row.reason)
                     for row in rows if not _is_left_alone(row))
    return Progress(
        total=total, ended=total - stopped, troubles=troubles,
        counts={FrameState.DONE: max(total - stopped - failed, 0)},
        results=reprocessing.results_since(db, since),
        notes=((_STOPPED, stopped),) if stopped else ())


_STOPPED = "not reduced again, as that was stopped; 'iop4d reprocess --continue' resumes it"


def _is_left_alone(row: Frame) -> bool:
    return bool(row.state == FrameState.REJECTED and row.reason.endswith(LEFT_ALONE))
