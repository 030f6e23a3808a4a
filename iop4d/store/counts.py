"""Counts of frames and jobs by their state, which hundreds of thousands of ended ones leave cheap.

What is under way and what failed is counted each time, from an index. What is done is counted again
after sixty times as long as its counting took: a number of a million that is some seconds old.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from peewee import fn

from iop4d.model.states import FrameState, JobState
from iop4d.store.database import Connection
from iop4d.store.schema import Frame, Job

_FEW = 20_000  # of so many the counting takes a few milliseconds
_REST = 60.0  # times as long as the counting took, until it is repeated


def frames_by_state(db: Connection) -> dict[str, int]:
    """How many frames are in each state that any is in."""
    others = tuple(state for state in FrameState if state is not FrameState.DONE)
    found = {str(state): count for state, count in db.select(
        Frame, Frame.state, fn.COUNT(Frame.id)).where(Frame.state.in_(others)).group_by(
        Frame.state).tuples()}
    done = _kept(db, "frames done", lambda: Counter({FrameState.DONE.value: db.select(Frame).where(
        Frame.state == FrameState.DONE).count()}))
    return dict(sorted((found | +done).items()))


def jobs_by_kind_and_state(db: Connection) -> dict[str, dict[str, int]]:
    """How many jobs of each kind are in each state."""
    others = tuple(state for state in JobState if state is not JobState.DONE)
    found = {(kind, str(state)): count for kind, state, count in db.select(
        Job, Job.kind, Job.state, fn.COUNT(Job.id)).where(Job.state.in_(others)).group_by(
        Job.kind, Job.state).tuples()}
    done = _kept(db, "jobs done", lambda: Counter(dict(db.select(
        Job, Job.kind, fn.COUNT(Job.id)).where(Job.state == JobState.DONE).group_by(
        Job.kind).tuples())))
    found |= {(kind, JobState.DONE.value): count for kind, count in done.items()}
    counts: dict[str, dict[str, int]] = {}
    for (kind, state), count in sorted(found.items()):
        counts.setdefault(kind, {})[state] = count
    return counts


def _kept(db: Connection, name: str, count: Callable[[], Counter[str]]) -> Counter[str]:
    """What counting gives, or gave a short time ago where that may be kept."""
    known: tuple[Counter[str], float] | None = None if db.kept is None else db.kept.get(name)
    if known is not None and time.monotonic() < known[1]:
        return known[0]
    began = time.monotonic()
    found, ended = count(), time.monotonic()
    if db.kept is not None and found.total() > _FEW:
        db.kept[name] = (found, ended + _REST * (ended - began))
    return found
