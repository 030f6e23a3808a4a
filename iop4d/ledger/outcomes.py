"""What an outcome means: the rows it writes and the jobs that follow, in one transaction."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from iop4d import __version__
from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger.consequences import Consequences
from iop4d.ledger.master_choice import deviation
from iop4d.ledger.plan import Claim, let_wait, master_path
from iop4d.ledger.urgency import Urgency
from iop4d.model.frame import AstrometryFrom, FrameKind, warmer_by
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
from iop4d.model.result import ResultValue
from iop4d.model.states import FrameState, GroupState, JobState, MasterState
from iop4d.store import frame_files, frames, groups, jobs, masters, reference_frames, results
from iop4d.store.database import Transaction
from iop4d.store.jobs import OF_A_FRAME, JobKind, Priority
from iop4d.store.provenance import settings_key
from iop4d.store.results import Origin
from iop4d.store.schema import Frame, Master

log = logging.getLogger(__name__)

_CHANGED_RETRY = 2.0  # seconds
_PASSING_RETRY = 5.0  # seconds until a job that met trouble of the machine is tried, then doubled
_PASSING_LONGEST = 300.0  # seconds


class ResultsListener(Protocol):
    """Who is told of new and changed results, in the transaction that writes them."""

    def on_results(self, tx: Transaction, ids: list[int], /) -> object:
        """Take note of results; an exception undoes what was written with them."""


class NoListener:
    """Of a ledger by itself."""

    def on_results(self, tx: Transaction, ids: list[int]) -> None:
        """Nothing follows."""


class Outcomes:
    """Turns outcomes into rows."""

    def __init__(self, site: Site, instruments: Mapping[str, Instrument],
                 consequences: Consequences, clock: Callable[[], float], *,
                 listener: ResultsListener, urgency: Urgency) -> None:
        self._site = site
        self._instruments = instruments
        self._consequences = consequences
        self._clock = clock
        self._listener = listener
        self._urgency = urgency
        self._settings = settings_key(site)

    def finish(self, tx: Transaction, claim: Claim, outcome: Outcome) -> None:
        """Write what came of a job and end it."""
        now, frame = self._clock(), None
        if claim.kind in OF_A_FRAME:
            frame = frames.by_id(tx, claim.key)
            if frames.is_replaced(frame) or frames.is_ignored(frame):
                # Another version came, or a person said so, while this one was being looked at.
                jobs.close(tx, claim.job_id, JobState.DONE, now, reason="not needed any more")
                return
        match outcome:
            case Done():
                self._done(tx, claim, outcome, frame)
            case Rejected(reason=reason):
                self._end(tx, claim, FrameState.REJECTED, reason)
            case Failed(stage=stage, reason=reason) if stage == CHANGED:
                self._again_in(tx, claim, _CHANGED_RETRY, reason)
            case Failed(stage=stage, reason=reason) if stage in (NO_SPACE, UNREADABLE):
                # Not the frame's fault, and it passes: again after a while, ever longer.
                doubled = min(jobs.attempts_of(tx, claim.job_id) - 1, 30)
                self._again_in(tx, claim, min(_PASSING_RETRY * 2.0**doubled, _PASSING_LONGEST),
                               f"{stage}: {reason}")
            case Failed(stage=stage, reason=reason) if stage == NO_REFERENCE:
                self._without_reference(tx, claim, reason)
            case Failed(stage=stage, reason=reason, trace=trace):
                self._end(tx, claim, FrameState.FAILED, f"{stage}: {reason}", trace)
                if stage == UNSOLVED and _had_no_reference(claim):
                    self._consequences.frame_unsolved(tx, frames.by_id(tx, claim.key))
            case Crashed(how=how):
                self._crashed(tx, claim, f"the worker died: {how}")
            case TimedOut(seconds=seconds):
                self._crashed(tx, claim, f"timed out after {seconds:g} s")

    def _done(self, tx: Transaction, claim: Claim, outcome: Done, frame: Frame | None) -> None:
        match outcome.value:
            case Classified() as classified:
                assert frame is not None
                self._classified(tx, claim, frame, classified)
            case Reduced() as reduced:
                assert frame is not None
                self._reduced(tx, claim, frame, reduced, outcome.core_s)
            case MasterBuilt() as built:
                self._master_built(tx, claim, built)
            case SeriesCalibrated() as calibrated:
                self._calibrated(tx, claim, calibrated)
            case Polarised() as polarised:
                self._polarised(tx, claim, polarised)
        jobs.close(tx, claim.job_id, JobState.DONE, self._clock())

    # A file was read and found sound.

    def _classified(self, tx: Transaction, claim: Claim, frame: Frame,
                    classified: Classified) -> None:
        facts, now = classified.facts, self._clock()
        columns = {"sha256": classified.sha256, "trace": "",
                   "exposure": classified.exposure or None, **frames.facts_columns(facts)}
        for name, value in columns.items():
            setattr(frame, name, value)
        if wrong := self._foreign(frame, facts.telescope):
            frames.set_state(tx, frame.id, FrameState.REJECTED, now, reason=wrong, **columns)
            return
        if duplicate := self._identify(tx, frame):
            frames.set_state(tx, frame.id, FrameState.DUPLICATE, now, reason=duplicate, **columns)
            return
        info = {name: value for name, value in frame.info.items() if name != "doubts"}
        if classified.doubts:
            info["doubts"] = list(classified.doubts)
        frames.set_state(tx, frame.id, FrameState.QUEUED, now, identity=frame.identity,
                         version=frame.version, info=info, **columns)
        if facts.kind is FrameKind.SCIENCE:
            bonus = claim.bonus | self._urgency.bonus(tx, frame.name, facts.object)
            jobs.queue(tx, JobKind.REDUCE, frame.id, priority=Priority.REDUCE + bonus, now=now)
        else:
            self._consequences.calibration_frame_came(tx, facts, claim.bonus)

    def _foreign(self, frame: Frame, telescope: str) -> str:
        expected = next((a.telescope for a in self._site.archive if a.name == frame.archive), "")
        if expected and expected != telescope:
            return (f"a frame of {telescope} in the archive '{frame.archive}', which is that of "
                    f"{expected}")
        return ""

    def _identify(self, tx: Transaction, frame: Frame) -> str:
        """Give a frame its identity among its namesakes; or say of which it is a duplicate."""
        now = self._clock()
        namesakes, twins = frame_files.namesakes(tx, frame), frame_files.twins(tx, frame)
        for other in (*namesakes, *twins):
            same = ("the same file as" if other.sha256 == frame.sha256 else
                    "the same exposure as" if other in twins else "")
            if (same and not frames.is_replaced(other) and not _is_at(other, frame)
                    and frame_files.has_file(tx, other)):
                whose = f" of the node {other.node}" if other.node != frame.node else ""
                return f"{same} frame {other.id}, {other.path}{whose}"
        identity = f"{frame.telescope}/{frame.night}/{frame.name}"
        replaced = [o for o in namesakes if _is_at(o, frame) or not frame_files.has_file(tx, o)]
        replaced += [o for o in twins if o not in replaced and not frame_files.has_file(tx, o)]
        if replaced:  # a new version of the same file: its results change in place
            identity, frame.version = replaced[-1].identity, replaced[-1].version + 1
            for other in replaced:
                frames.set_state(tx, other.id, FrameState.SUPERSEDED, now,
                                 reason=f"replaced by frame {frame.id}")
                for kind in OF_A_FRAME:
                    jobs.drop(tx, kind, other.id, now)
        elif namesakes and frame.identity is None:
            identity = f"{identity}~{len({o.identity for o in namesakes}) + 1}"
        frame.identity = frame.identity or identity
        return ""

    # A frame was measured.

    def _reduced(self, tx: Transaction, claim: Claim, frame: Frame, reduced: Reduced,
                 core_s: float) -> None:
        request = claim.request
        assert isinstance(request, ReduceRequest)
        now = self._clock()
        frame.provisional = any(
            master.provisional or warmer_by(request.facts.detector.celsius, master.celsius)
            for master in request.masters)
        used = [[m.id, m.revision] for m in request.masters]
        frame.target = reduced.target
        info = frames.reduced_info(reduced, core_s) | {
            "settings": self._settings, "software": __version__,
            **{name: frame.info[name] for name in ("doubts",) if name in frame.info},
            "latency_s": frame.info.get("latency_s", round(now - frame.completed_at, 3))}
        empty = "" if reduced.target or reduced.results else \
            "no target of the catalogue lies in the field"
        frames.set_state(
            tx, frame.id, FrameState.DONE, now, trace="", info=info, reason=empty,
            provisional=frame.provisional, target=frame.target,
            reference_id=request.reference.frame if request.reference
            and reduced.astrometry_from.uses_reference else None,
            masters=used,
            reduced_path=str(request.reduced_path) if request.reduced_path else None,
            preview_path=str(request.preview_path) if request.preview_path else None)
        frames.save_measurements(tx, frame.id, reduced.measurements)
        other_lists = reference_frames.save_stars(tx, frame, reduced)
        self.announce(tx, results.save_results(tx, results.of_frame(frame), reduced.results,
                                                now=now))
        if other_lists:
            self._consequences.reference_solved(tx, frame)
        if reduced.astrometry_from is AstrometryFrom.CATALOGUE and _had_no_reference(claim):
            self._consequences.frame_unsolved(tx, frame)
        facts = frames.facts_of(frame)
        first = "latency_s" not in frame.info
        if first:
            self._consequences.exposure_came(tx, frame)
        self._consequences.science_frame_measured(tx, frame, used, first=first)
        if facts.mode == "polarimetry" and reduced.target:
            self._consequences.polarimetry_frame_measured(tx, frame, claim.bonus)
        for value in reduced.results:
            self._consequences.point_measured(tx, value.source, facts, claim.bonus)
        self._leave_replaced(tx, frame, reduced.results, claim.bonus)

    def _calibrated(self, tx: Transaction, claim: Claim, calibrated: SeriesCalibrated) -> None:
        """All results of a series, from all its frames."""
        now = self._clock()
        found = frames.by_ids(tx, [frame_id for frame_id, _ in calibrated.results])
        done = [(found[frame_id], value) for frame_id, value in calibrated.results
                if found[frame_id].state == FrameState.DONE]
        ids = results.save_each(
            tx, [(results.of_frame(frame), value) for frame, value in done], now=now)
        stacked = set(calibrated.stacked)
        ids += self._stacked(tx, claim.key, calibrated.stack,
                             [frame for frame, _ in done if frame.id in stacked])
        groups.calibrated(tx, claim.key, len(calibrated.results), now)
        self.announce(tx, ids)

    def _stacked(self, tx: Transaction, series_id: int, value: ResultValue | None,
                 used: Sequence[Frame]) -> list[int]:
        """The result of frames of a series together; one that no longer follows is withdrawn."""
        series, now = groups.series_by_id(tx, series_id), self._clock()
        origin = Origin(
            key=groups.stack_origin(series), telescope=series.telescope,
            instrument=series.instrument, night=series.night,
            frames=tuple((row.id, row.name) for row in used),
            provisional=any(row.provisional for row in used))
        if value is None or not used:
            return groups.withdraw_stack(tx, series, now)
        return results.save_results(tx, origin, (value,), now=now)

    def _polarised(self, tx: Transaction, claim: Claim, polarised: Polarised) -> None:
        """The results of a group, and why some of its targets have none."""
        assert isinstance(claim.request, PolarimetryRequest)
        now, group = self._clock(), groups.by_id(tx, claim.key)
        used = {frame.id for frame in claim.request.frames}
        rows = [row for row in groups.members(tx, group.id) if row.id in used]
        if not rows:  # they are of other groups by now
            groups.withdraw(tx, group.id, (), now)
            return
        state = GroupState(group.state)
        if not any(math.isfinite(value.p) for value in polarised.results):
            state = GroupState.SHORT
        elif state in (GroupState.OPEN, GroupState.SHORT):
            state = GroupState.CLOSED
        groups.update(tx, group.id, now, state=state, reason="; ".join(
            f"{source}: {why}" for source, why in polarised.refused))
        origin = Origin(
            key=f"{group.telescope}/{group.night}/group {group.id}", telescope=group.telescope,
            instrument=group.instrument, night=group.night, group_id=group.id,
            frames=tuple((row.id, row.name) for row in rows),
            provisional=any(row.provisional for row in rows))
        groups.withdraw_others(tx, group.id, [row.id for row in rows], now)
        self.announce(tx, results.save_results(tx, origin, polarised.results, now=now))
        groups.withdraw(tx, group.id, tuple(value.source for value in polarised.results), now)

    def announce(self, tx: Transaction, ids: list[int]) -> None:
        """Say that results are new, changed or withdrawn."""
        results.emit_newest(tx, ids, self._clock())
        if ids:
            self._listener.on_results(tx, ids)

    # A master was built.

    def _master_built(self, tx: Transaction, claim: Claim, built: MasterBuilt) -> None:
        request = claim.request
        assert isinstance(request, MasterRequest)
        now, master = self._clock(), masters.by_id(tx, claim.key)
        if master.state == MasterState.REJECTED:  # by a person: it stays so
            state, reason = MasterState.REJECTED, master.reason
        else:
            reason = deviation(tx, self._site, master, built.level, built.scatter)
            state = MasterState.REFUSED if reason else MasterState.READY
        renewed: dict[str, Any] = {}
        if built.sha256 != master.sha256:
            path = master_path(self._site, master, master.revision + 1)
            if path != request.output:  # of the revision whose file was missing
                request.output.replace(path)
            renewed = {"sha256": built.sha256, "path": str(path), "revision": master.revision + 1}
        masters.update(
            tx, master.id, now, state=state, reason=reason, n_frames=built.n_frames,
            level=built.level, scatter=built.scatter, frames=list(built.used),
            left_out=list(built.left_out), masters=[[m.id, m.revision] for m in request.masters],
            **renewed)
        if reason:
            log.warning("master %s is not used: %s", master.key, reason)
        left_out = dict(text.partition(": ")[::2] for text in built.left_out)
        for frame in masters.calibration_frames_of(tx, master):
            why = left_out.get(frame.name, "")
            frames.set_state(tx, frame.id, FrameState.DONE, now,
                             reason=f"left out of the master: {why}" if why else "")
        self._consequences.master_built(tx, masters.by_id(tx, master.id))

    # Something went wrong.

    def _end(self, tx: Transaction, claim: Claim, state: FrameState, reason: str,
             trace: str = "") -> None:
        now = self._clock()
        if claim.kind is JobKind.MASTER:
            self._master_failed(tx, masters.by_id(tx, claim.key), reason)
        elif claim.kind is JobKind.POLARIMETRY:
            groups.failed(tx, claim.key, now, reason=reason)
        elif claim.kind is not JobKind.CALIBRATE:
            frames.set_state(tx, claim.key, state, now, reason=reason, trace=trace)
            frame = frames.by_id(tx, claim.key)
            self._consequences.polarimetry_frame_failed(tx, frame)
            self._leave_replaced(tx, frame, (), claim.bonus)
        jobs.close(tx, claim.job_id, JobState.FAILED, now, reason=reason)

    def _leave_replaced(self, tx: Transaction, frame: Frame, values: Sequence[ResultValue],
                        bonus: int) -> None:
        """A new version of a frame was looked at: nothing rests on the file that it replaced.

        ``values``: the new version's results, none if it failed. Those that the old file alone
        gave are withdrawn, and its polarimetry group goes on without it; those that the new one
        gave before stay, as with any frame.
        """
        if frame.version < 2:
            return
        replaced = frame_files.replaced_by(tx, frame)
        gone = results.withdraw_replaced(tx, results.of_frame(frame), values,
                                         [old.id for old in replaced], now=self._clock())
        self.announce(tx, gone)
        sources = {value.source for value in values} | {
            row.source for row in results.among(tx, gone)}
        for old in replaced:
            self._consequences.polarimetry_frame_failed(tx, old)
            for source in sorted(sources) if old.mode == "photometry" else ():
                self._consequences.point_measured(tx, source, frames.facts_of(old), bonus)

    def _master_failed(self, tx: Transaction, master: Master, reason: str) -> None:
        """One that was never built is refused; one that was stays as it is, rejected or not."""
        now = self._clock()
        self._consequences.master_failed()
        if master.path is None:
            state = MasterState.REFUSED if master.state != MasterState.REJECTED else master.state
            masters.update(tx, master.id, now, state=state, reason=reason)
        for frame in masters.calibration_frames_of(tx, master):
            if master.path is None:
                if frame.state != FrameState.DONE:  # a dark at the edge may be part of another
                    frames.set_state(tx, frame.id, FrameState.WAITING, now, reason=reason)
            elif frame.state in (FrameState.QUEUED, FrameState.WAITING):
                frames.set_state(tx, frame.id, FrameState.FAILED, now,
                                 reason=f"the master was not built again: {reason}")

    def _crashed(self, tx: Transaction, claim: Claim, how: str) -> None:
        crashes = jobs.count_crash(tx, claim.job_id)
        if crashes >= self._site.daemon.max_attempts:
            self._end(tx, claim, FrameState.QUARANTINED,
                      f"quarantined after {crashes} failed attempts: {how}")
        else:
            jobs.later(tx, claim.job_id, self._clock(), not_before=0.0)

    def _again_in(self, tx: Transaction, claim: Claim, seconds: float, reason: str) -> None:
        now = self._clock()
        if claim.kind in OF_A_FRAME:
            frames.set_state(tx, claim.key, FrameState.QUEUED, now, reason=reason)
        jobs.later(tx, claim.job_id, now, not_before=now + seconds)

    def _without_reference(self, tx: Transaction, claim: Claim, reason: str) -> None:
        """A sub-frame waits for a whole frame, unless one was solved in the meantime."""
        now, frame = self._clock(), frames.by_id(tx, claim.key)
        if reference_frames.references_of(tx, frame):
            jobs.later(tx, claim.job_id, now, not_before=0.0)
        else:
            let_wait(tx, claim.job_id, [frame], now, reason=reason)
            self._leave_replaced(tx, frame, (), claim.bonus)


def _is_at(other: Frame, frame: Frame) -> bool:
    """Whether two files have the same place, of the same node."""
    return bool(other.path == frame.path and other.node == frame.node)


def _had_no_reference(claim: Claim) -> bool:
    return isinstance(claim.request, ReduceRequest) and claim.request.reference is None
