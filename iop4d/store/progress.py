"""How far the frames are that a command asked for."""

from __future__ import annotations

from dataclasses import dataclass

from peewee import fn

from iop4d.model.states import FrameState
from iop4d.store.schema import Ask, Frame, Job, ResultFrame

_SOON = 10.0  # seconds within which a job begins that an ask waits for
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


def progress_of(ask_id: int, now: float) -> Progress | None:
    """How far an ask is; None while nobody has taken it up. Needs a connection.

    A polarimetry group of tonight that waits for more frames is not waited for.
    """
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
    pending = list(Job.select(Job.kind, Job.key).where(
        Job.state.in_(("queued", "running")) & (Job.not_before <= now + _SOON)).tuples())
    at_work = {key for kind, key in pending if kind in ("classify", "reduce")} & wanted
    busy = bool(at_work) or any(kind in ("master", "calibrate", "polarimetry")
                                for kind, _ in pending)
    troubles = tuple(Trouble(path=row.path, state=row.state, reason=row.reason)
                     for row in rows if row.state not in _GOOD)
    waiting = [row for row in rows if row.state == FrameState.WAITING]
    current = next((row.name for row in rows if row.id in at_work), "")
    results = (ResultFrame.select(fn.COUNT(fn.DISTINCT(ResultFrame.result)))
               .where(ResultFrame.frame.between(ids[0], ids[-1])).scalar() if ids else 0)
    return Progress(
        total=len(rows), ended=len(rows) - len(at_work) - sum(
            row.id not in at_work for row in waiting) * busy,
        is_over=not busy, counts=counts,
        results=results, current=current, troubles=troubles)
