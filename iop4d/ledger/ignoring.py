"""A frame that a person wants left out: nothing rests on it until it is tried again."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.ledger.consequences import Consequences
from iop4d.model.frame import FrameKind
from iop4d.model.states import FrameState
from iop4d.store import frames, jobs, results
from iop4d.store.database import Transaction
from iop4d.store.jobs import OF_A_FRAME
from iop4d.store.schema import Frame


def ignore(tx: Transaction, frame: Frame, reason: str, now: float, *, consequences: Consequences,
           announce: Callable[[Transaction, list[int]], None], is_known: bool) -> None:
    """Reject a frame by hand, with all that follows.

    Its own results are withdrawn, its series and its group are computed without it, and a master
    is built again without it. ``is_known``: whether its instrument is.
    """
    frames.set_state(tx, frame.id, FrameState.REJECTED, now,
                     reason=f"{frames.IGNORED}{f': {reason}' if reason else ''}")
    for kind in OF_A_FRAME:
        jobs.drop(tx, kind, frame.id, now)
    frame = frames.by_id(tx, frame.id)
    gone = results.withdraw_of_frame(tx, frame, now=now)
    announce(tx, gone)
    if not is_known or frame.kind is None:
        return
    if frame.kind != FrameKind.SCIENCE:
        consequences.calibration_frame_came(tx, frames.facts_of(frame), 0)
        return
    consequences.polarimetry_frame_failed(tx, frame)
    for source in sorted({row.source for row in results.among(tx, gone)}):
        consequences.point_measured(tx, source, frames.facts_of(frame), 0)
