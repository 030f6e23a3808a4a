"""What an outcome means: the rows it writes and the jobs that follow. Inside one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from iop4d import __version__
from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger import groups, jobs, masters
from iop4d.ledger.jobs import Claim, JobKind, Priority
from iop4d.ledger.urgency import Urgency
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    CHANGED,
    NO_REFERENCE,
    NO_SPACE,
    UNREADABLE,
    UNSOLVED,
    Classified,
    Crashed,
    Done,
    Failed,
    MasterBuilt,
    MasterRequest,
    Outcome,
    PolarimetryRequest,
    Polarised,
    Reduced,
    ReduceRequest,
    Rejected,
    SeriesCalibrated,
    TimedOut,
)
from iop4d.model.states import FrameState, MasterState
from iop4d.store import frames as frame_store
from iop4d.store import groups as group_store
from iop4d.store.database import ambient
from iop4d.store.events import emit
from iop4d.store.provenance import settings_key
from iop4d.store.results import Origin, of_frame, save_results
from iop4d.store.schema import Frame, Group, Job, Master, Result, Series
from iop4d.store.series import series_of

log = logging.getLogger(__name__)

_CHANGED_RETRY = 2.0  # seconds
_PASSING_RETRY = 5.0  # seconds until a job that met trouble of the machine is tried, then doubled
_PASSING_LONGEST = 300.0  # seconds
_OF_A_FRAME = (JobKind.CLASSIFY, JobKind.REDUCE)  # jobs whose key is a frame's id
#: A series is calibrated anew so long after a new point, seconds, and longer if it is long.
_CALIBRATE_PAUSE = 0.3
_CALIBRATE_RATE = 100.0  # frames for which it waits a second more


class Finisher:
    """Turns outcomes into rows."""

    def __init__(self, *, site: Site, instruments: dict[str, Instrument],
                 choices: masters.Choices, clock: Callable[[], float],
                 on_results: Callable[[list[int]], None], urgency: Urgency) -> None:
        self._site = site
        self._instruments = instruments
        self._choices = choices
        self._clock = clock
        self._on_results = on_results
        self._urgency = urgency
        self._settings = settings_key(site)

    def finish(self, claim: Claim, outcome: Outcome) -> None:
        """Write what came of a job and end it."""
        if claim.kind in _OF_A_FRAME and is_replaced(Frame.get_by_id(claim.key)):
            # Another version of the file came while this one was looked at.
            jobs.close(claim.job_id, "done", now=self._clock(), reason="replaced meanwhile")
            return
        match outcome:
            case Done():
                self._done(claim, outcome)
            case Rejected(reason=reason):
                self._end(claim, FrameState.REJECTED, reason)
            case Failed(stage=stage, reason=reason) if stage == CHANGED:
                now = self._clock()
                if claim.kind in _OF_A_FRAME:
                    self._set(claim.key, FrameState.QUEUED, reason=reason)
                jobs.later(claim.job_id, not_before=now + _CHANGED_RETRY, now=now)
            case Failed(stage=stage, reason=reason) if stage in (NO_SPACE, UNREADABLE):
                self._again_later(claim, f"{stage}: {reason}")
            case Failed(stage=stage, reason=reason) if stage == NO_REFERENCE:
                self._without_reference(claim, reason)
            case Failed(stage=stage, reason=reason, trace=trace):
                self._end(claim, FrameState.FAILED, f"{stage}: {reason}", trace)
                if stage == UNSOLVED and _had_no_reference(claim):
                    groups.try_reference(Frame.get_by_id(claim.key), self._clock())
            case Crashed(how=how):
                self._crashed(claim, f"the worker died: {how}")
            case TimedOut(seconds=seconds):
                self._crashed(claim, f"no end after {seconds:g} s")

    def set_waiting(self, frame: Frame, reason: str, *, job_id: int) -> None:
        """A frame cannot go on yet."""
        jobs.wait(job_id, reason=reason, now=self._clock())
        if frame.state != FrameState.WAITING or frame.reason != reason:
            self._set(frame.id, FrameState.WAITING, reason=reason)

    def master_waits(self, frames: Iterable[Frame], reason: str, *, job_id: int) -> None:
        """A master cannot be built yet, and its frames with it."""
        jobs.wait(job_id, reason=reason, now=self._clock())
        for frame in frames:
            if frame.state == FrameState.QUEUED:
                self._set(frame.id, FrameState.WAITING, reason=reason)

    def _again_later(self, claim: Claim, reason: str) -> None:
        """What failed is not the frame's fault and passes: again after a while, ever longer."""
        now = self._clock()
        tries = Job.get_by_id(claim.job_id).attempts
        pause = min(_PASSING_RETRY * 2.0**min(tries - 1, 30), _PASSING_LONGEST)
        jobs.later(claim.job_id, not_before=now + pause, now=now)
        if claim.kind in _OF_A_FRAME:
            self._set(claim.key, FrameState.QUEUED, reason=reason)

    def _without_reference(self, claim: Claim, reason: str) -> None:
        """A sub-frame waits for a whole frame, unless one was solved while it was looked at."""
        frame = Frame.get_by_id(claim.key)
        if group_store.references_of(frame):
            jobs.later(claim.job_id, not_before=0.0, now=self._clock())
        else:
            self.set_waiting(frame, reason, job_id=claim.job_id)

    def _done(self, claim: Claim, outcome: Done) -> None:
        now = self._clock()
        match outcome.value:
            case Classified() as classified:
                self._classified(claim, classified)
            case Reduced() as reduced:
                self._reduced(claim, reduced, outcome.core_s)
            case MasterBuilt() as built:
                self._master(claim, built)
            case SeriesCalibrated() as calibrated:
                self._calibrated(claim, calibrated)
            case Polarised() as polarised:
                self._polarised(claim, polarised)
        jobs.close(claim.job_id, "done", now=now)

    # A file was read and found sound.

    def _classified(self, claim: Claim, classified: Classified) -> None:
        frame = Frame.get_by_id(claim.key)
        facts, now = classified.facts, self._clock()
        columns = {"sha256": classified.sha256, "trace": "", **frame_store.facts_columns(facts)}
        for name, value in columns.items():
            setattr(frame, name, value)
        if wrong := self._foreign(frame, facts.telescope):
            self._set(frame.id, FrameState.REJECTED, reason=wrong, **columns)
            return
        if twin := self._twin(frame):
            self._set(frame.id, FrameState.DUPLICATE, reason=twin, **columns)
            return
        self._set(frame.id, FrameState.QUEUED, identity=frame.identity, version=frame.version,
                  **columns)
        if facts.kind is FrameKind.SCIENCE:
            bonus = claim.bonus | self._urgency.bonus(frame.name, facts.object)
            jobs.queue(JobKind.REDUCE, frame.id, priority=Priority.REDUCE + bonus, now=now)
        else:
            self._choices.changed()
            masters.enlist(facts, self._site, now, bonus=claim.bonus)

    def _foreign(self, frame: Frame, telescope: str) -> str:
        expected = next((a.telescope for a in self._site.archive if a.name == frame.archive), "")
        if expected and expected != telescope:
            return (f"a frame of {telescope} in the archive '{frame.archive}', which is that of "
                    f"{expected}")
        return ""

    def _twin(self, frame: Frame) -> str:
        """Give a frame its identity among its namesakes; or say of which it is a duplicate."""
        same_name = (Frame.telescope == frame.telescope) & (Frame.night == frame.night) & (
            Frame.name == frame.name) & (Frame.id != frame.id) & Frame.identity.is_null(False)
        namesakes = list(Frame.select(Frame.id, Frame.path, Frame.sha256, Frame.state,
                                      Frame.identity, Frame.version)
                         .where(same_name).order_by(Frame.id))
        for other in namesakes:
            stands = other.state not in (FrameState.DUPLICATE, FrameState.SUPERSEDED)
            if (stands and other.sha256 == frame.sha256 and other.path != frame.path
                    and Path(other.path).exists()):
                return f"the same file as frame {other.id}, {other.path}"
        identity = f"{frame.telescope}/{frame.night}/{frame.name}"
        replaced = [o for o in namesakes if o.path == frame.path or not Path(o.path).exists()]
        if replaced:  # a new version of the same file: its results change in place
            identity, frame.version = replaced[-1].identity, replaced[-1].version + 1
            for other in replaced:
                self._set(other.id, FrameState.SUPERSEDED, reason=f"replaced by frame {frame.id}")
                for kind in _OF_A_FRAME:
                    jobs.drop(kind, other.id, now=self._clock())
        elif namesakes and frame.identity is None:
            identity = f"{identity}~{len({o.identity for o in namesakes}) + 1}"
        frame.identity = frame.identity or identity
        return ""

    # A frame was measured.

    def _reduced(self, claim: Claim, reduced: Reduced, core_s: float) -> None:
        assert isinstance(claim.request, ReduceRequest)
        now = self._clock()
        frame = Frame.get_by_id(claim.key)
        request = claim.request
        provisional = any(master.provisional for master in request.masters)
        info = frame_store.reduced_info(reduced, core_s)
        info["settings"], info["software"] = self._settings, __version__
        info["latency_s"] = frame.info.get("latency_s", round(now - frame.completed_at, 3))
        self._set(
            frame.id, FrameState.DONE, trace="", info=info, provisional=provisional,
            target=reduced.target,
            reference_id=request.reference.frame if request.reference
            and reduced.astrometry_from not in ("index", "catalogue") else None,
            masters=[[m.id, m.revision] for m in request.masters],
            reduced_path=str(request.reduced_path) if request.reduced_path else None,
            preview_path=str(request.preview_path) if request.preview_path else None)
        frame.provisional, frame.target = provisional, reduced.target
        frame_store.save_measurements(frame, reduced.measurements)
        frame_store.save_stars(frame, reduced)
        self._results(save_results(ambient(), of_frame(frame), reduced.results, now=now))
        if reduced.stars:
            groups.follow_reference(frame, now)
        if reduced.astrometry_from == "catalogue" and _had_no_reference(claim):
            groups.try_reference(frame, now)
        facts = frame_store.facts_of(frame)
        if facts.mode == "polarimetry" and reduced.target:
            groups.regroup(frame, self._instruments[facts.instrument], self._site, now,
                           bonus=claim.bonus)
        for value in reduced.results:
            series = series_of(value.source, facts, now)
            pause = _CALIBRATE_PAUSE + series.n_frames / _CALIBRATE_RATE
            jobs.queue(JobKind.CALIBRATE, series.id, now=now, not_before=now + pause,
                       priority=Priority.CALIBRATE + claim.bonus)

    def _calibrated(self, claim: Claim, calibrated: SeriesCalibrated) -> None:
        """All results of a series, from all its frames."""
        now = self._clock()
        ids = []
        for frame_id, value in calibrated.results:
            frame = Frame.get_by_id(frame_id)
            if frame.state == FrameState.DONE:
                ids += save_results(ambient(), of_frame(frame), (value,), now=now)
        Series.update(n_frames=len(calibrated.results), changed_at=now).where(
            Series.id == claim.key).execute()
        self._results(ids)

    def _polarised(self, claim: Claim, polarised: Polarised) -> None:
        """The results of a group, and why some of its targets have none."""
        now = self._clock()
        group = Group.get_by_id(claim.key)
        assert isinstance(claim.request, PolarimetryRequest)
        used = {frame.id for frame in claim.request.frames}
        rows = [row for row in group_store.members(group.id) if row.id in used]
        reason = "; ".join(f"{source}: {why}" for source, why in polarised.refused)
        state = "short" if not polarised.results else (
            "closed" if group.state in ("open", "short") else group.state)
        Group.update(state=state, reason=reason, changed_at=now).where(
            Group.id == group.id).execute()
        origin = Origin(
            key=f"{group.telescope}/{group.night}/group {group.id}", telescope=group.telescope,
            instrument=group.instrument, night=group.night, group_id=group.id,
            frames=tuple((row.id, row.name) for row in rows),
            provisional=any(row.provisional for row in rows))
        self._results(save_results(ambient(), origin, polarised.results, now=now))
        group_store.withdraw(group.id, tuple(value.source for value in polarised.results), now)

    def _results(self, ids: list[int]) -> None:
        rows = Result.select(Result.id, Result.source, Result.band).where(Result.id.in_(ids))
        newest = {(row.source, row.band): row.id for row in rows.order_by(Result.id)}
        for (source, band), id_ in newest.items():
            emit(ambient(), "result", self._clock(), id=id_, source=source, band=band)
        if ids:
            self._on_results(ids)

    # A master was built.

    def _master(self, claim: Claim, built: MasterBuilt) -> None:
        now = self._clock()
        self._choices.changed()
        master = Master.get_by_id(claim.key)
        request = claim.request
        assert isinstance(request, MasterRequest)
        used = [[m.id, m.revision] for m in request.masters]
        changed = built.sha256 != master.sha256
        odd = masters.odd(master, request.kind, built.level, built.scatter, self._site)
        if master.state == MasterState.REJECTED:
            state, odd = MasterState.REJECTED, master.reason
        else:
            state = MasterState.REFUSED if odd else MasterState.READY
        Master.update(
            state=state, reason=odd, n_frames=built.n_frames, level=built.level,
            scatter=built.scatter, frames=list(built.used), left_out=list(built.left_out),
            masters=used, changed_at=now,
            **({"sha256": built.sha256, "path": str(request.output),
                "revision": master.revision + 1} if changed else {}),
        ).where(Master.id == master.id).execute()
        if odd:
            log.warning("the master %s is not used: %s", master.key, odd)
        left_out = dict(text.partition(": ")[::2] for text in built.left_out)
        for frame in masters.frames_of(master):
            reason = left_out.get(frame.name, "")
            self._set(frame.id, FrameState.DONE,
                      reason=f"left out of the master: {reason}" if reason else "")
        masters.follow(Master.get_by_id(master.id), self._instruments, self._site, now)

    def set_aside(self, ids: Iterable[int], reason: str) -> list[int]:
        """Masters that are to be used no more, by hand; the ids that there are."""
        found = list(Master.select().where(Master.id.in_(list(ids))))
        for master in found:
            masters.set_aside(master, reason, self._site, self._instruments, self._clock())
        self._choices.changed()
        return [master.id for master in found]

    def restore(self, ids: Iterable[int]) -> list[int]:
        """Masters that are to be used again, by hand; the ids that there are, of built ones."""
        found = list(Master.select().where(Master.id.in_(list(ids)) & Master.path.is_null(False)))
        for master in found:
            masters.restore(master, self._site, self._instruments, self._clock())
        self._choices.changed()
        return [master.id for master in found]

    # Something went wrong.

    def _end(self, claim: Claim, state: FrameState, reason: str, trace: str = "") -> None:
        now = self._clock()
        if claim.kind is JobKind.MASTER:
            self._choices.changed()
            master = Master.get_by_id(claim.key)
            if master.path is None:
                judged = MasterState.REJECTED if master.state == MasterState.REJECTED else "refused"
                Master.update(state=judged, reason=reason, changed_at=now).where(
                    Master.id == master.id).execute()
                for frame in masters.frames_of(master):
                    self._set(frame.id, FrameState.WAITING, reason=reason)
            else:  # it stays as it was built before, set aside or not
                for frame in masters.frames_of(master):
                    if frame.state in (FrameState.QUEUED, FrameState.WAITING):
                        self._set(frame.id, FrameState.FAILED,
                                  reason=f"the master was not built again: {reason}")
        elif claim.kind is JobKind.POLARIMETRY:
            Group.update(reason=reason, changed_at=now).where(Group.id == claim.key).execute()
        elif claim.kind is not JobKind.CALIBRATE:
            self._set(claim.key, state, reason=reason, trace=trace)
            frame = Frame.get_by_id(claim.key)
            if frame.group_id is not None and frame.instrument in self._instruments:
                groups.leave(frame, self._instruments[frame.instrument], self._site, now)
        jobs.close(claim.job_id, "failed", now=now, reason=reason)

    def _crashed(self, claim: Claim, how: str) -> None:
        job = Job.get_by_id(claim.job_id)
        crashes = job.crashes + 1
        Job.update(crashes=crashes).where(Job.id == job.id).execute()
        if crashes >= self._site.daemon.max_attempts:
            self._end(claim, FrameState.QUARANTINED, f"set aside after {crashes} tries: {how}")
        else:
            jobs.later(claim.job_id, not_before=0.0, now=self._clock())

    def _set(self, frame_id: int, state: FrameState, *, reason: str = "",
             **columns: Any) -> None:
        """Write a frame's state, and other columns with it."""
        now = self._clock()
        Frame.update(state=state, reason=reason, changed_at=now, **columns).where(
            Frame.id == frame_id).execute()
        emit(ambient(), "frame", now, id=frame_id, state=state.value)


def is_replaced(frame: Frame) -> bool:
    """Whether another frame stands in its place, so that nothing is to be done for it any more."""
    return frame.state in (FrameState.DUPLICATE, FrameState.SUPERSEDED)


def _had_no_reference(claim: Claim) -> bool:
    return isinstance(claim.request, ReduceRequest) and claim.request.reference is None
