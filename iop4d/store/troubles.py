"""Frames that were not used, or that wait: each with its reason, or how many for which reason."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from iop4d.model.reasons import by_reason
from iop4d.model.states import FrameState
from iop4d.store.database import Connection
from iop4d.store.schema import Frame

_EXAMPLES = 3  # newest frames of a reason
_COLUMNS = ("id", "name", "path", "telescope", "night", "state", "reason")


def each(db: Connection, states: Collection[FrameState]) -> list[dict[str, Any]]:
    """Every frame in some states with its reason, in the order of their numbers."""
    return _named(db, Frame.state.in_(tuple(states)))


def grouped(db: Connection, states: Collection[FrameState]) -> list[dict[str, Any]]:
    """How many frames are in some states for which reason, the commonest first, and the newest of
    each. Of all others nothing but the reason is read."""
    rows = db.select(Frame, Frame.id, Frame.state, Frame.reason).where(
        Frame.state.in_(tuple(states))).order_by(Frame.id.desc()).tuples()
    reasons = by_reason(((id_, str(state), reason) for id_, state, reason in rows.iterator()),
                        examples=_EXAMPLES)
    ids = [id_ for reason in reasons for id_ in reason.newest]
    frames = {one["id"]: one for begin in range(0, len(ids), _AT_ONCE)
              for one in _named(db, Frame.id.in_(ids[begin:begin + _AT_ONCE]))}
    return [{"state": one.state, "reason": one.reason, "frames": one.count,
             "newest": [frames[id_] for id_ in one.newest if id_ in frames]} for one in reasons]


_AT_ONCE = 500  # ids of a statement


def _named(db: Connection, which: Any) -> list[dict[str, Any]]:
    rows = db.select(Frame, *(getattr(Frame, name) for name in _COLUMNS)).where(which).order_by(
        Frame.id).tuples()
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
