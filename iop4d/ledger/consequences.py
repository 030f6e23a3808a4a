"""What follows when something changes on which other work rests: it is queued to be done again.

A master is built, late or with other frames, is rejected, or is restored; a calibration frame
comes; a polarimetry frame joins or leaves its group; a whole frame is solved that can give others
their astrometric solution; a series gets a new point; the catalogue changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger.master_choice import (
    CALIBRATED_WITH,
    MasterChoices,
    darks_hold_bias,
    shows_pattern,
)
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.states import GroupState, MasterState
from iop4d.model.units import unix_of_jd
from iop4d.science.grouping import Exposure, partition
from iop4d.store import catalogue, frames, groups, jobs, masters, reference_frames
from iop4d.store.database import Connection, Transaction
from iop4d.store.jobs import JobKind, Priority
from iop4d.store.schema import Frame, Group, Master

_PATTERN_STEP = 12  # measured frames of a night, from one look at them to the next
_PATTERN_FRAMES = 24  # of fields apart, that a pattern is made of
_MORE_COMING = 1.0  # seconds that an open group of the past is left for more of its frames
#: A series is calibrated again so long after a new point, seconds, and longer if it is long.
_CALIBRATE_PAUSE = 0.3
_CALIBRATE_RATE = 100.0  # frames for which it waits a second more


class Consequences:
    """Queues what follows. ``bonus``: that of what it follows from, by which it is more urgent."""

    def __init__(self, site: Site, instruments: Mapping[str, Instrument], choices: MasterChoices,
                 clock: Callable[[], float]) -> None:
        self._site = site
        self._instruments = instruments
        self._choices = choices
        self._clock = clock

    # Masters.

    def calibration_frame_came(self, tx: Transaction, facts: FrameFacts, bonus: int) -> None:
        """Its master is to be built, or built again, once no more of its frames come."""
        self._choices.changed()
        now = self._clock()
        alone = facts.kind is FrameKind.DARK and darks_hold_bias(
            self._instruments[facts.instrument], facts)
        for master in (masters.master_for(tx, facts, now, one_exposure=alone),
                       *masters.beside(tx, facts, one_exposure=alone)):
            jobs.queue(tx, JobKind.MASTER, master.id, priority=Priority.MASTER + bonus, now=now,
                       not_before=now + self._site.masters.build_delay)

    def master_built(self, tx: Transaction, master: Master) -> None:
        """What waited for one is done, and what it makes better is done again."""
        self._choices.changed()
        jobs.wake(tx, self._clock())
        try:
            self._choose_again(tx, master)
        finally:  # what was chosen for that knows nothing of the masters that were queued by it
            self._choices.changed()

    def _choose_again(self, tx: Transaction, master: Master) -> None:
        nights = self._nights_of(master)
        users = [kind for kind, before in CALIBRATED_WITH.items()
                 if FrameKind(master.kind) in before]
        for other in masters.ready_of_kinds(tx, master.instrument, users, nights):
            self._renew(tx, other)
        for frame in masters.frames_within_reach(tx, master, nights):
            facts = frames.facts_of(frame)
            if ((self._choices.could_serve(master, facts) or _is_among(master, frame.masters))
                    and self._choices.improves(tx, facts, frame.masters)):
                self._reduce_again(tx, frame.id)

    def science_frame_measured(self, tx: Transaction, frame: Frame, used: list[list[int]], *,
                               first: bool) -> None:
        """A camera without dark and flat frames: its frames may by now show its hot pixels.

        One that was on its way while the pattern was built is reduced again. ``first``: it was not
        measured before.
        """
        facts = frames.facts_of(frame)
        if not shows_pattern(facts.kind, self._instruments[facts.instrument]):
            return
        if pattern := self._choices.choose(tx, facts).of(FrameKind.PATTERN):
            if [pattern[0].id, pattern[0].revision] not in used:
                self._reduce_again(tx, frame.id)
            return
        if not first or masters.measured_like(tx, facts) % _PATTERN_STEP:
            return
        pattern_facts = replace(facts, kind=FrameKind.PATTERN, band=None)
        before = masters.find_for(tx, pattern_facts)
        if before is not None and before.state == MasterState.REJECTED:  # by a person
            return
        if len(masters.fields_apart(tx, facts, _PATTERN_FRAMES)) == _PATTERN_FRAMES:
            master = masters.master_for(tx, pattern_facts, self._clock())
            jobs.queue(tx, JobKind.MASTER, master.id, priority=Priority.MASTER, now=self._clock())

    def master_failed(self) -> None:
        """It was not built: others are chosen in its place."""
        self._choices.changed()

    def masters_missing(self, tx: Transaction) -> int:
        """Masters whose files are not there (a backup was restored, say) are built again, if any of
        their frames are; how many. The same file keeps its revision: nothing else follows."""
        now, count = self._clock(), 0
        for master in masters.in_use(tx):
            if Path(master.path).exists() or not any(
                    Path(frame.path).exists() for frame in masters.frames_of(tx, master)):
                continue
            masters.update(tx, master.id, now, state=MasterState.WANTED,
                           reason="its file was missing; it is built again")
            jobs.queue(tx, JobKind.MASTER, master.id, priority=Priority.MASTER, now=now)
            count += 1
        return count

    def master_rejected(self, tx: Transaction, master: Master, reason: str) -> None:
        """It is used no more: what rests on it is done again with the next best."""
        now = self._clock()
        masters.update(tx, master.id, now, state=MasterState.REJECTED, reason=reason)
        self.master_built(tx, master)
        for other in masters.masters_with(tx, master):
            jobs.queue(tx, JobKind.MASTER, other.id, priority=Priority.MASTER, now=now)
        for frame_id in masters.frames_with(tx, master):
            self._reduce_again(tx, frame_id)

    def master_restored(self, tx: Transaction, master: Master) -> None:
        """It is used again, though a person rejected it or it deviates from other nights'.

        It is built again if there are better ones for it by now: nobody looked in the meantime.
        """
        masters.update(tx, master.id, self._clock(), state=MasterState.READY, reason="")
        self._choices.changed()
        restored = masters.by_id(tx, master.id)
        self._renew(tx, restored)
        self.master_built(tx, restored)

    def _renew(self, tx: Transaction, master: Master) -> None:
        """Build a master again if there are better ones to calibrate it with."""
        members = masters.frames_of(tx, master)
        if members and self._choices.improves(tx, masters.facts_of(master, members[0]),
                                              master.masters):
            jobs.queue(tx, JobKind.MASTER, master.id, priority=Priority.MASTER, now=self._clock())

    def _nights_of(self, master: Master) -> tuple[str, str]:
        """The first and last night that a master may serve."""
        night = date.fromisoformat(master.night)
        age = timedelta(days=self._site.masters.max_age_days)
        return (night - age).isoformat(), (night + age).isoformat()

    def _reduce_again(self, tx: Transaction, frame_id: int) -> None:
        jobs.queue(tx, JobKind.REDUCE, frame_id, priority=Priority.AGAIN, now=self._clock())

    # Frames that give others their astrometric solution.

    def reference_solved(self, tx: Transaction, frame: Frame) -> None:
        """A whole frame was solved: those that it can solve better than before are done again."""
        jobs.wake(tx, self._clock(), JobKind.REDUCE)
        for other in reference_frames.served_by(tx, frame):
            best = reference_frames.references_of(tx, other)
            # Another one is better now, or the one that solved it has been measured again.
            if best and (best[0].id == frame.id or best[0].id != other.reference_id):
                self._solve_by(tx, other, best[0])

    def frame_unsolved(self, tx: Transaction, frame: Frame) -> None:
        """The index did not solve a frame: try again with another of its field, if there is one."""
        if best := reference_frames.references_of(tx, frame):
            self._solve_by(tx, frame, best[0])

    def _solve_by(self, tx: Transaction, frame: Frame, reference: Frame) -> None:
        reference_frames.set_reference(tx, frame.id, reference.id)
        self._reduce_again(tx, frame.id)

    def exposure_came(self, tx: Transaction, frame: Frame) -> None:
        """A frame is measured: others, within whose exposure it began, are doubtful from now on.

        Those that are doubtful already stay so: a wrong exposure time holds the whole night.
        """
        for other_id in frames.that_last_until(tx, frame):
            self._reduce_again(tx, other_id)

    # Series, and the catalogue.

    def point_measured(self, tx: Transaction, source: str, facts: FrameFacts, bonus: int) -> None:
        """A series has a new point: it is calibrated again as a whole."""
        now = self._clock()
        series = groups.series_of(tx, source, facts, now)
        pause = _CALIBRATE_PAUSE + series.n_frames / _CALIBRATE_RATE
        jobs.queue(tx, JobKind.CALIBRATE, series.id, now=now, not_before=now + pause,
                   priority=Priority.CALIBRATE + bonus)

    def catalogue_changed(self, tx: Transaction, version: int) -> tuple[int, int]:
        """Have every result rest on the catalogue of a version: how many series and groups follow.

        They are queued to be calibrated again from their stored measurements. The version is kept
        with that, so a change made while no daemon ran is followed too.
        """
        if not catalogue.follow(tx, version):
            return 0, 0
        now = self._clock()
        series, whole = groups.all_series(tx), groups.with_results(tx)
        for kind, ids in ((JobKind.CALIBRATE, series), (JobKind.POLARIMETRY, whole)):
            for id_ in ids:
                jobs.queue(tx, kind, id_, priority=Priority.CALIBRATE, now=now)
        return len(series), len(whole)

    # Polarimetry groups.

    def polarimetry_frame_failed(self, tx: Transaction, frame: Frame) -> None:
        """A frame that was measured before failed now: its group goes on without it."""
        if frame.group_id is None or frame.instrument not in self._instruments:
            return
        groups.assign(tx, [frame.id], None)
        self.polarimetry_frame_measured(tx, frame)

    def polarimetry_frame_measured(self, tx: Transaction, frame: Frame, bonus: int = 0) -> None:
        """A frame was measured, again or for the first time: which group is it part of?

        The groups of its target and night are formed again from all its frames, each keeps its row
        as far as its frames stay together, and those that changed are computed.
        """
        polarimeter = self._instruments[frame.instrument].polarimeter
        assert polarimeter is not None
        rows = groups.frames_like(tx, frame)
        parts = partition(
            [Exposure(jd_start=r.jd_start, exptime_s=r.exptime_s, angle_deg=r.polariser_deg)
             for r in rows],
            whole=len(polarimeter.angles_deg), turn_deg=polarimeter.turn_deg,
            longest_min=self._site.polarimetry.max_duration_minutes,
            gap_min=self._site.polarimetry.max_gap_minutes)
        before = {row.group_id for row in rows if row.group_id is not None}
        before |= {frame.group_id} if frame.group_id is not None else set()
        taken: set[int] = set()
        for number, part in enumerate(parts):
            members = [rows[i] for i in part]
            group = self._row_for(tx, members, frame, taken)
            taken.add(group.id)
            state = (GroupState.COMPLETE if len(members) >= len(polarimeter.angles_deg) else
                     GroupState.OPEN if number == len(parts) - 1 else GroupState.CLOSED)
            if _is_changed(group, members, state, frame):
                self._compute(tx, group, members, state, bonus)
        for left in before - taken:  # of another target now, or of none
            if groups.members(tx, left):
                jobs.queue(tx, JobKind.POLARIMETRY, left, priority=Priority.POLARIMETRY,
                           now=self._clock())
            else:
                groups.dissolve(tx, left, self._clock())

    def _row_for(self, tx: Transaction, members: list[Frame], frame: Frame,
                 taken: set[int]) -> Group:
        """The row that most of the frames had, if no earlier group has it now; else a new one.

        Never one of another target, night, band or binning, of which the frames were before.
        """
        had = Counter(r.group_id for r in members
                      if r.group_id is not None and r.group_id not in taken)
        for id_ in sorted(had, key=lambda id_: (-had[id_], id_)):
            group = groups.by_id(tx, id_)
            if groups.is_for(group, frame):
                return group
        return groups.create(tx, frame, self._clock())

    def _compute(self, tx: Transaction, group: Group, members: list[Frame], state: GroupState,
                 bonus: int) -> None:
        """Queue a group: at once when it is whole, else when no more frames can come."""
        now, due = self._clock(), 0.0
        joined = [r.id for r in members if r.group_id != group.id]
        if joined:
            groups.assign(tx, joined, group.id)
        groups.update(tx, group.id, now, state=state, reason="",
                      angles=[r.polariser_deg for r in members])
        if state is GroupState.OPEN:
            last = members[-1]
            # Not after now: this machine's clock may be behind the camera's.
            ended = min(unix_of_jd(last.jd_start) + last.exptime_s, now)
            due = max(now + _MORE_COMING, ended + 60.0 * self._site.polarimetry.max_gap_minutes)
        jobs.queue(tx, JobKind.POLARIMETRY, group.id, priority=Priority.POLARIMETRY + bonus,
                   now=now, not_before=due)


def _is_among(master: Master, used: list[list[int]]) -> bool:
    return any(id_ == master.id for id_, _ in used)


def _is_changed(group: Group, members: list[Frame], state: GroupState, frame: Frame) -> bool:
    """Whether a group has other frames than before, or one that was measured again."""
    return (state != group.state or len(members) != len(group.angles)
            or any(r.group_id != group.id or r.id == frame.id for r in members))


def more_coming(db: Connection, group: Group) -> bool:
    """Whether an open group is to be left for frames that are still being worked on."""
    return group.state == GroupState.OPEN and groups.more_coming(db, group)
