"""The state of the system as the tables tell it, for the rules about it and for summaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import peewee as pw

from iop4d.model.frame import FrameKind
from iop4d.model.messages import UNSOLVED
from iop4d.model.states import TROUBLED_FRAMES, FrameState, JobState
from iop4d.store.database import Connection, Transaction
from iop4d.store.results import standing
from iop4d.store.schema import Event, Frame, Job, Outage, Result
from iop4d.store.table import in_json

_RULE = in_json(Event.content, "rule")
_IS_ERROR = Event.kind == "alert-error"
_WELL = ("ok", "idle", "paused")
_UNDECIDED = ("starting",)
# Not the states of the others: an index of states finds nearly all frames that ever came.
_NOT_TRIED = tuple(s for s in FrameState if s not in (FrameState.DONE, FrameState.FAILED))


@dataclass(frozen=True, kw_only=True)
class Away:
    """What became of an archive in some time: how often and for how long it was in trouble."""

    times: int
    seconds: float
    until: float | None  # None: it still is
    reason: str


# What rules look at. What came since a moment was changed since then, too, which an index knows.


def last_frame_at(db: Connection, telescope: str, *, archive: str = "") -> float | None:
    """When the newest frame of a telescope, or of an archive, was seen (Unix seconds)."""
    return _newest(db, _of(telescope, archive))


def last_science_frame_at(db: Connection, telescope: str, *, archive: str = "") -> float | None:
    """The same of the newest science frame."""
    return _newest(db, _of(telescope, archive) & (Frame.kind == FrameKind.SCIENCE))


def _of(telescope: str, archive: str) -> Any:
    return Frame.archive == archive if archive else Frame.telescope == telescope


def _newest(db: Connection, which: Any) -> float | None:
    """From the end of an index: MAX would read all frames of the telescope."""
    newest: float | None = db.select(Frame, Frame.seen_at).where(which).order_by(
        Frame.seen_at.desc()).limit(1).scalar()
    return newest


def failed_frames(db: Connection, since: float, *, node: str | None = None) -> int:
    """Frames of this node, or of another, that failed or were quarantined from a moment on."""
    return int(db.select(Frame).where(
        (Frame.node == (db.node if node is None else node))
        & Frame.state.in_(TROUBLED_FRAMES) & (Frame.changed_at > since)).count())


def unsolved_frames(db: Connection, since: float) -> list[tuple[str, int, int]]:
    """For every telescope, how many science frames it sent from a moment on, and how many of them
    have no astrometric solution."""
    lost = pw.fn.SUM(pw.Case(None, [(Frame.reason.startswith(f"{UNSOLVED}:"), 1)], 0))
    # By an expression: in the order of an index of telescopes all frames would be read.
    telescope = pw.fn.COALESCE(Frame.telescope, pw.SQL("''"))
    return list(db.select(Frame, telescope, pw.fn.COUNT(Frame.id), lost).where(
        (Frame.kind == FrameKind.SCIENCE) & Frame.state.not_in(_NOT_TRIED)
        & (Frame.seen_at > since) & (Frame.changed_at > since)).group_by(telescope).tuples())


def zero_points(db: Connection, since: float) -> list[tuple[str, float, float, float]]:
    """Telescope, best zero point, newest one and the moment of this, of results made since then.

    One row for the results of each telescope, instrument, band and exposure.
    """
    alike = (Result.telescope, Result.instrument, Result.band, Result.exptime_s)
    groups = standing(db, Result.telescope, pw.fn.MAX(Result.zero_point),
                      pw.fn.MAX(Result.id)).where(
        Result.zero_point.is_null(False) & (Result.created_at > since)
        & (Result.changed_at > since)).group_by(*alike).tuples()
    found = []
    for telescope, best, newest in groups:
        row = db.by_id(Result, newest)
        found.append((telescope, best, row.zero_point, row.created_at))
    return found


def queued_jobs(db: Connection, now: float, *, node: str | None = None) -> int:
    """Jobs of this node, or of another, that could run now."""
    return int(db.select(Job).where(
        (Job.node == (db.node if node is None else node))
        & (Job.state == JobState.QUEUED) & (Job.not_before <= now)).count())


def rule_errors(db: Connection, since: float) -> dict[str, int]:
    """How often each rule could not be evaluated from a moment on."""
    rows = db.select(Event, _RULE, pw.fn.COUNT(Event.id)).where(
        _IS_ERROR & (Event.at > since)).group_by(_RULE)
    return {str(name): int(count) for name, count in rows.tuples()}


def last_rule_error(db: Connection, rule: str) -> str:
    """Why a rule could not be evaluated last; empty if it always was."""
    reason = in_json(Event.content, "reason")
    return str(db.select(Event, reason).where(_IS_ERROR & (rule == _RULE)).order_by(
        Event.id.desc()).limit(1).scalar() or "")


# When archives were in trouble: a row for each time.


def is_well(state: str | None) -> bool:
    """Whether an archive in this state is as it should be."""
    return state in _WELL or state in _UNDECIDED


def note_outages(tx: Transaction, archives: Iterable[Mapping[str, Any]], now: float) -> None:
    """Record which archives of this node got into trouble and which are well again; the engine is
    like one."""
    states = {str(archive["name"]): archive for archive in archives}
    for row in list(tx.select(Outage).where(
            (Outage.node == tx.node) & Outage.ended_at.is_null())):
        archive = states.pop(row.archive, {"state": "ok"})
        if archive["state"] in _WELL:
            tx.update(Outage, ended_at=now).where(Outage.id == row.id).execute()
        elif (reason := str(archive.get("reason") or "")) not in ("", row.reason):
            tx.update(Outage, reason=reason).where(Outage.id == row.id).execute()
    for name, archive in states.items():
        if not is_well(archive.get("state")):
            tx.create(Outage, archive=name, began_at=now, state=str(archive["state"]),
                      reason=str(archive.get("reason") or ""), node=tx.node)


def outages(db: Connection, since: float, until: float) -> dict[str, Away]:
    """What befell each archive within some time; those that were well are not in it."""
    found: dict[str, list[Outage]] = {}
    rows = db.select(Outage).where((Outage.began_at < until) & (
        Outage.ended_at.is_null() | (Outage.ended_at > since))).order_by(Outage.began_at)
    for row in rows:
        found.setdefault(row.archive, []).append(row)
    return {name: Away(
        times=len(times), reason=times[-1].reason, until=times[-1].ended_at,
        seconds=sum(min(row.ended_at or until, until) - max(row.began_at, since) for row in times))
        for name, times in found.items()}
