"""How far the frames are that a command asked for."""

from __future__ import annotations

from dataclasses import dataclass

from peewee import fn

from iop4d.model.frame import FrameState
from iop4d.store.schema import Ask, Frame, Job, ResultFrame

_GOOD = (FrameState.DONE, FrameState.DUPLICATE, FrameState.SUPERSEDED)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A frame that did not make it, and why."""

    path: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The frames of an ask: how many there are, have ended, and how."""

    total: int
    ended: int
    is_over: bool
    counts: dict[str, int]
    results: int
    current: str
    troubles: tuple[Trouble, ...]


def progress_of(ask_id: int) -> Progress | None:
    """How far an ask is; None while nobody has taken it up. Needs a connection."""
    ask = Ask.get_by_id(ask_id)
    if ask.answer is None:
        return None
    ids = sorted(set(ask.answer["frames"]))
    wanted = set(ids)  # filtered here: as a list in SQL they could be too many variables
    rows = [row for row in Frame.select(
        Frame.id, Frame.path, Frame.name, Frame.state, Frame.reason, Frame.kind).where(
        Frame.id.between(ids[0], ids[-1]) if ids else Frame.id < 0) if row.id in wanted]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    busy = any(kind in ("master", "calibrate") or key in wanted for kind, key in Job.select(
        Job.kind, Job.key).where(Job.state.in_(("queued", "running"))).tuples())
    troubles = tuple(Trouble(path=row.path, state=row.state, reason=row.reason)
                     for row in rows if row.state not in _GOOD)
    open_ = counts.get(FrameState.QUEUED, 0)
    waiting = [row for row in rows if row.state == FrameState.WAITING]
    current = next((row.name for row in rows if row.state == FrameState.QUEUED), "")
    results = (ResultFrame.select(fn.COUNT(fn.DISTINCT(ResultFrame.result)))
               .where(ResultFrame.frame.between(ids[0], ids[-1])).scalar() if ids else 0)
    return Progress(
        total=len(rows), ended=len(rows) - open_ - len(waiting) * busy,
        is_over=not busy, counts=counts,
        results=results, current=current, troubles=troubles)
