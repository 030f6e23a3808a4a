"""The state of the whole site, as ``iop4d status`` and the page's API tell it."""

from __future__ import annotations

from typing import Any

from peewee import fn

from iop4d.model.states import FrameState
from iop4d.store import events, mutes
from iop4d.store.delivery import undelivered
from iop4d.store.schema import Alert, Frame, Job, Master, Outbox, Result

TROUBLE = (FrameState.REJECTED, FrameState.FAILED, FrameState.QUARANTINED)
_DOWN_AFTER = 15.0  # seconds without a heartbeat


def status(now: float) -> dict[str, Any]:
    """Counts by state, the queue, the daemon, and every frame that failed with its reason."""
    beat = events.heartbeat()
    alive = beat.get("state") in ("running", "stopping") and (
        now - beat.get("beat_at", 0.0) < _DOWN_AFTER)
    return {
        "daemon": {**beat, "state": beat.get("state", "never ran") if alive or not beat
                   or beat.get("state") == "stopped" else "down"},
        "frames": _counts(Frame.state),
        "queue": [{"kind": kind, "state": state, "jobs": count} for kind, state, count in
                  Job.select(Job.kind, Job.state, fn.COUNT(Job.id))
                  .where(Job.state.in_(("queued", "running", "waiting")))
                  .group_by(Job.kind, Job.state).tuples()],
        "results": Result.select().count(),
        "masters": _counts(Master.state),
        "alerts": _counts(Alert.state),
        "mails": _counts(Outbox.state),
        "undelivered": undelivered(now),
        "mutes": [{"of": mutes.name_of(mute), "rule": mute.rule, "source": mute.source,
                   "until": mute.until, "by": mute.by} for mute in mutes.current(now)],
        "failed": [_trouble(row) for row in
                   Frame.select().where(Frame.state.in_(TROUBLE)).order_by(Frame.id)],
        "waiting": [_trouble(row) for row in
                    Frame.select().where(Frame.state == FrameState.WAITING).order_by(Frame.id)],
    }


def _counts(column: Any) -> dict[str, int]:
    rows = column.model.select(column, fn.COUNT(column)).group_by(column).tuples()
    return {str(state): count for state, count in rows}


def _trouble(frame: Frame) -> dict[str, Any]:
    return {"id": frame.id, "name": frame.name, "path": frame.path, "telescope": frame.telescope,
            "night": frame.night, "state": frame.state, "reason": frame.reason}


def night_line() -> str:
    """The newest night's frames by state, in a line. Needs a connection."""
    night = Frame.select(fn.MAX(Frame.night)).scalar()
    if night is None:
        return "no frame yet"
    rows = Frame.select(Frame.state, fn.COUNT(Frame.id)).where(Frame.night == night).group_by(
        Frame.state).tuples()
    counts = {str(state): count for state, count in rows}
    shown = {name: counts.pop(name, 0) for name in ("done", "queued", "quarantined")} | counts
    return f"night {night}: " + ", ".join(f"{count} {name}" for name, count in shown.items())
