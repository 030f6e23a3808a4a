"""Polarimetry groups form as frames come, and are done again when one comes late."""

from __future__ import annotations

from collections import Counter

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger import jobs
from iop4d.ledger.jobs import JobKind, Priority
from iop4d.model.frame import FrameKind
from iop4d.model.states import FrameState
from iop4d.model.units import JD_UNIX_EPOCH
from iop4d.science.grouping import Exposure, partition
from iop4d.store import groups
from iop4d.store.schema import Frame, Group, Job

_MORE_COMING = 1.0  # seconds that an open group of the past is left for more of its frames


def leave(frame: Frame, instrument: Instrument, site: Site, now: float) -> None:
    """A frame that was measured before failed now: its group goes on without it."""
    Frame.update(group_id=None).where(Frame.id == frame.id).execute()
    regroup(frame, instrument, site, now)


def regroup(frame: Frame, instrument: Instrument, site: Site, now: float, *,
            bonus: int = 0) -> None:
    """A polarimetry frame was measured, again or for the first time: which group is it of?

    The groups of its target and night are made anew from all its frames, each keeps its row as far
    as its frames stay together, and those that changed are computed. ``bonus``: the frame's, by
    which its group's job is more urgent.
    """
    assert instrument.polarimeter is not None
    rows = groups.frames_like(frame)
    parts = partition(
        [Exposure(jd_start=r.jd_start, exptime_s=r.exptime_s, angle_deg=r.polariser_deg)
         for r in rows],
        angles_deg=instrument.polarimeter.angles_deg,
        longest_min=site.polarimetry.max_duration_minutes,
        gap_min=site.polarimetry.max_gap_minutes)
    before = {row.group_id for row in rows if row.group_id is not None}
    before |= {frame.group_id} if frame.group_id is not None else set()
    taken: set[int] = set()
    for number, part in enumerate(parts):
        mine = [rows[i] for i in part]
        group = _row_for(mine, frame, taken, now)
        taken.add(group.id)
        changed = [r for r in mine if r.group_id != group.id]
        if changed:
            Frame.update(group_id=group.id).where(
                Frame.id.in_([r.id for r in changed])).execute()
        last = number == len(parts) - 1
        complete = len(mine) >= len(instrument.polarimeter.angles_deg)
        state = "complete" if complete else "open" if last else "closed"
        if (changed or state != group.state or len(mine) != len(group.angles)
                or any(r.id == frame.id for r in mine)):
            _due(group, mine, state, site, now, bonus)
    for left in before - taken:  # of another target now, or of none
        if groups.members(left):
            jobs.queue(JobKind.POLARIMETRY, left, priority=Priority.POLARIMETRY, now=now)
        else:
            groups.dissolve(left, now)


def _row_for(mine: list[Frame], frame: Frame, taken: set[int], now: float) -> Group:
    """The row that most of the frames had, if no earlier group has it now; else a new one."""
    had = Counter(r.group_id for r in mine if r.group_id is not None and r.group_id not in taken)
    if had:
        best = min(had, key=lambda id_: (-had[id_], id_))
        return Group.get_by_id(best)
    made: Group = Group.create(
        source=frame.target, telescope=frame.telescope, instrument=frame.instrument,
        night=frame.night, band=frame.band or "", exptime_s=frame.exptime_s,
        binning=frame.binning or 1, changed_at=now)
    return made


def _due(group: Group, mine: list[Frame], state: str, site: Site, now: float,
         bonus: int) -> None:
    """Queue a group: at once when it is whole, else when no more frames can come."""
    Group.update(state=state, reason="", changed_at=now,
                 angles=[r.polariser_deg for r in mine]).where(Group.id == group.id).execute()
    due = 0.0
    if state == "open":
        last = mine[-1]
        ended = (last.jd_start - JD_UNIX_EPOCH) * 86400.0 + last.exptime_s
        due = max(now + _MORE_COMING, ended + 60.0 * site.polarimetry.max_gap_minutes)
    jobs.queue(JobKind.POLARIMETRY, group.id, priority=Priority.POLARIMETRY + bonus, now=now,
               not_before=due)


def more_coming(group: Group) -> bool:
    """Whether frames of the group's night and camera are still to be worked at."""
    pending = Frame.select(Frame.id).where(
        (Frame.telescope == group.telescope) & (Frame.night == group.night)
        & ((Frame.kind == FrameKind.SCIENCE.value) | Frame.kind.is_null())
        & (Frame.state == FrameState.QUEUED.value))
    busy = Job.select(Job.key).where(
        Job.kind.in_((JobKind.CLASSIFY.value, JobKind.REDUCE.value))
        & Job.state.in_(("queued", "running")) & Job.key.in_(pending))
    return bool(busy.exists())


def follow_reference(frame: Frame, now: float) -> None:
    """A whole frame was solved: the frames that it places better than before follow."""
    Job.update(state="queued", not_before=now, changed_at=now).where(
        (Job.state == "waiting") & (Job.kind == JobKind.REDUCE.value)).execute()
    for other in groups.placed_like(frame):
        best = groups.references_of(other)
        # Another one is better now, or the one it was placed by has been measured again.
        if best and (best[0].id == frame.id or best[0].id != other.reference_id):
            _by_reference(other, best[0], now)


def try_reference(frame: Frame, now: float) -> None:
    """The index did not solve a frame: try again with another of its field, if one is there."""
    if best := groups.references_of(frame):
        _by_reference(frame, best[0], now)


def _by_reference(frame: Frame, reference: Frame, now: float) -> None:
    Frame.update(reference_id=reference.id).where(Frame.id == frame.id).execute()
    jobs.queue(JobKind.REDUCE, frame.id, priority=Priority.AGAIN, now=now)
