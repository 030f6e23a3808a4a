"""The ledger: every piece of work is a row, and every outcome is one transaction.

All of it runs on the thread that owns the database. What a job found, the jobs that follow and
its own end are committed together, so a crash at any moment leaves either all of it or nothing,
and doing a job twice gives the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger import jobs, masters
from iop4d.ledger.groups import more_coming
from iop4d.ledger.jobs import Claim, JobKind, Priority
from iop4d.ledger.outcomes import Finisher, is_replaced
from iop4d.ledger.space import Space
from iop4d.ledger.urgency import Urgency
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    CalibrateRequest,
    ClassifyRequest,
    MasterRequest,
    Outcome,
    PolarimetryRequest,
    ReduceRequest,
)
from iop4d.model.states import FrameState
from iop4d.store import catalogue, groups
from iop4d.store import frames as frame_store
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Group, Job, Master, Series
from iop4d.store.series import measured_frames

_NIGHT = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)")
_MOST_LOOKS = 100  # handfuls of jobs that are looked at for one that can begin
_MASTER_WAIT = 0.3  # seconds between looks at a master that is being built
_AHEAD = 3  # jobs of new frames that go before the backlog, then one of it has its turn
_GROUP_WAIT = 1.0  # seconds between looks at frames that may still come to a group


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A complete file. ``live``: it came just now, rather than having lain there."""

    archive: str
    path: Path
    size: int
    mtime_ns: int
    completed_at: float
    live: bool = False
    wanted: bool = False


class Ledger:
    """What is known, what is to be done, and what came of it."""

    def __init__(self, *, database: Database, site: Site, instruments: dict[str, Instrument],
                 clock: Callable[[], float],
                 on_results: Callable[[list[int]], None] = lambda _: None) -> None:
        self._database = database
        self._site = site
        self._instruments = instruments
        self._clock = clock
        self.space = Space(site.root, minimum_gb=site.daemon.min_free_gb)
        self._choices = masters.Choices(instruments, site)
        self._urgency = Urgency(site.daemon.priority_targets, clock)
        self._finisher = Finisher(site=site, instruments=instruments, choices=self._choices,
                                  clock=clock, on_results=on_results, urgency=self._urgency)
        self._ahead = 0  # jobs that were begun one after another before those of the backlog

    def recover(self) -> int:
        """Queue again what was running when the last daemon ended."""
        with self._database.write():
            return jobs.recover(self._clock())

    def accept(self, files: Iterable[FoundFile]) -> list[int]:
        """Take files in: a row and a job for each that is new or has changed; ids of the frames.

        One that is known as it is yields its id, and is done again if it was asked for by hand.
        """
        with self._database.write():
            return [self._accept(found) for found in files]

    def redo(self, ids: Iterable[int]) -> list[int]:
        """Queue frames to be done again, from the start for those that never were understood.

        What was found before stands until it is replaced. The ids that there are.
        """
        now = self._clock()
        again = []
        with self._database.write():
            for id_ in ids:
                frame = Frame.get_or_none(Frame.id == id_)
                if frame is None or frame.state in (FrameState.DUPLICATE, FrameState.SUPERSEDED):
                    continue
                light = frame.kind == FrameKind.SCIENCE.value and frame.sha256
                kind = JobKind.REDUCE if light else JobKind.CLASSIFY
                if frame.state != FrameState.DONE:
                    Frame.update(state=FrameState.QUEUED, reason="", changed_at=now).where(
                        Frame.id == id_).execute()
                jobs.queue(kind, id_, priority=Priority.AGAIN, now=now)
                again.append(int(id_))
        return again

    def judge_masters(self, *, aside: Iterable[int], back: Iterable[int],
                      reason: str) -> list[int]:
        """Set masters aside, or take them back, by hand; what used them follows."""
        with self._database.write():
            return [*self._finisher.set_aside(aside, reason), *self._finisher.restore(back)]

    def _accept(self, found: FoundFile) -> int:
        now = self._clock()
        known = frame_store.by_path(found.path)
        bonus = (Priority.WANTED * found.wanted | Priority.LIVE * found.live
                 | self._urgency.bonus(found.path.name))
        if known is None or (known.sha256 and not _same(known, found)):
            known = Frame.create(
                archive=found.archive, path=str(found.path), name=found.path.name,
                night=guess_night(found.path, found.mtime_ns), telescope=self._telescope(found),
                size=found.size, mtime_ns=found.mtime_ns, state=FrameState.QUEUED,
                wanted=found.wanted, completed_at=found.completed_at, seen_at=now, changed_at=now)
        elif _same(known, found) and not found.wanted and not frame_store.is_back(known):
            return int(known.id)
        else:
            Frame.update(size=found.size, mtime_ns=found.mtime_ns, state=FrameState.QUEUED,
                         reason="", wanted=found.wanted, completed_at=found.completed_at,
                         changed_at=now).where(Frame.id == known.id).execute()
        jobs.queue(JobKind.CLASSIFY, known.id, priority=Priority.CLASSIFY + bonus, now=now)
        return int(known.id)

    def _telescope(self, found: FoundFile) -> str:
        return next((a.telescope for a in self._site.archive if a.name == found.archive), "")

    def claim(self, limit: int) -> list[Claim]:
        """Take the next jobs, at most ``limit``; each attempt is counted before the work."""
        with self._database.connected():
            now = self._clock()
            if self.space.is_short(now) or not jobs.due(now, 1):
                return []
        with self._database.write():
            return self._begin(limit, now)

    def _begin(self, limit: int, now: float) -> list[Claim]:
        """Begin what is due. What cannot begin yet is put off, so that it never hides the rest."""
        claims: list[Claim] = []
        self._choices.forget_pending()
        for _ in range(_MOST_LOOKS):
            if len(claims) >= limit or not (due := self._due(now, 4 * limit)):
                break
            for job in due:
                if len(claims) < limit and (claim := self._plan(job, now)):
                    jobs.begin(job.id, now=now)
                    bonus = Priority.bonus_of(job.priority)
                    self._ahead = self._ahead + 1 if bonus else 0
                    claims.append(replace(claim, bonus=bonus))
        return claims

    def _due(self, now: float, limit: int) -> list[Job]:
        """The most urgent jobs; but the backlog's after some that went before it, if it has any."""
        if self._ahead >= _AHEAD:
            self._ahead = 0
            if found := jobs.due(now, limit, backlog=True):
                return found
        return jobs.due(now, limit)

    def next_due(self) -> float | None:
        """When the next queued job may begin (Unix seconds)."""
        with self._database.connected():
            due = jobs.next_due()
        pause = self.space.looks_again_at
        return due if due is None or pause is None else max(due, pause)

    def finish(self, claim: Claim, outcome: Outcome, *, then: int = 0) -> list[Claim]:
        """Commit what came of a job, with the jobs that follow from it.

        ``then``: so many of the next jobs are claimed in the same transaction, which spares a
        busy worker half of the commits.
        """
        with self._database.write():
            self._finisher.finish(claim, outcome)
            now = self._clock()
            return [] if not then or self.space.is_short(now) else self._begin(then, now)

    def give_back(self, claims: Iterable[Claim]) -> None:
        """Put claimed jobs back, when the daemon stops before they are done."""
        with self._database.write():
            for claim in claims:
                jobs.later(claim.job_id, not_before=0.0, now=self._clock())

    def follow_catalogue(self, version: int) -> int:
        """Have every result rest on the catalogue of a version; how many series and groups follow.

        They are queued to be calibrated again from their stored measurements. The version is kept
        with that, so a change made while no daemon ran is followed too.
        """
        now = self._clock()
        with self._database.write():
            if not catalogue.follow(version):
                return 0
            ids = [row.id for row in Series.select(Series.id)]
            for id_ in ids:
                jobs.queue(JobKind.CALIBRATE, id_, priority=Priority.CALIBRATE, now=now)
            whole = [row.id for row in Group.select(Group.id).where(
                Group.state.in_(("complete", "closed", "short")))]
            for id_ in whole:
                jobs.queue(JobKind.POLARIMETRY, id_, priority=Priority.CALIBRATE, now=now)
        return len(ids) + len(whole)

    # What to ask of a worker.

    def _plan(self, job: Job, now: float) -> Claim | None:
        kind = JobKind(job.kind)
        if kind is JobKind.MASTER:
            return self._plan_master(job, now)
        if kind is JobKind.CALIBRATE:
            return self._plan_calibrate(job, now)
        if kind is JobKind.POLARIMETRY:
            return self._plan_polarimetry(job, now)
        frame = Frame.get_by_id(job.key)
        gone = ("the file was replaced" if is_replaced(frame) else
                "the file lies where it was before" if self._follow_back([frame], now) else "")
        if gone:
            jobs.close(job.id, "done", now=now, reason=gone)
            return None
        if kind is JobKind.CLASSIFY:
            return Claim(job_id=job.id, kind=kind, key=job.key, label=f"classify {frame.name}",
                         request=ClassifyRequest(path=Path(frame.path)))
        return self._plan_reduce(job, frame, now)

    def _follow_back(self, frames: Iterable[Frame], now: float) -> bool:
        """Take files up again that went back to where they lay before; whether there are any."""
        back = [row for frame in frames if (row := frame_store.lies_again(frame)) is not None]
        for row in back:
            Frame.update(state=FrameState.QUEUED, reason="", changed_at=now).where(
                Frame.id == row.id).execute()
            jobs.queue(JobKind.CLASSIFY, row.id, priority=Priority.CLASSIFY, now=now)
        return bool(back)

    def _plan_reduce(self, job: Job, frame: Frame, now: float) -> Claim | None:
        facts = frame_store.facts_of(frame)
        if facts.instrument not in self._instruments:
            self._finisher.set_waiting(frame, f"the instrument {facts.instrument} is no longer in "
                                       "the site file", job_id=job.id)
            return None
        choice = self._choices.choose(facts)
        if choice.pending_until is not None:
            jobs.later(job.id, not_before=max(choice.pending_until, now) + _MASTER_WAIT, now=now)
            return None
        if choice.missing:
            self._finisher.set_waiting(
                frame, f"no {' and no '.join(choice.missing)} within "
                f"{self._site.masters.max_age_days:g} days; it goes on when there is one",
                job_id=job.id)
            return None
        place = Path(frame.telescope) / frame.night
        stem = str(frame.identity).rsplit("/", 1)[-1].split(".")[0] + (
            f"~{frame.identity.rsplit('~', 1)[1]}" if "~" in frame.identity else "")
        photometry = self._site.photometry
        placed = facts.subframe or frame.reference_id is not None
        references = groups.references_of(frame) if placed else []
        return Claim(
            job_id=job.id, kind=JobKind.REDUCE, key=frame.id, label=f"reduce {frame.name}",
            request=ReduceRequest(
                path=Path(frame.path), facts=facts, masters=choice.masters,
                reference=groups.star_list(references[0].id) if references else None,
                reduced_path=self._site.folder("reduced") / place / f"{stem}.fits"
                if photometry.write_reduced else None,
                preview_path=self._site.folder("previews") / place / f"{stem}.png"
                if photometry.write_previews else None))

    def _plan_master(self, job: Job, now: float) -> Claim | None:
        master = Master.get_by_id(job.key)
        frames = masters.frames_of(master)
        if not frames:
            jobs.close(job.id, "done", now=now, reason="no frames")
            return None
        if self._follow_back(frames, now):
            jobs.later(job.id, not_before=now + _MASTER_WAIT, now=now)
            return None
        if any(jobs.classifying(folder, now) for folder in {Path(f.path).parent for f in frames}):
            jobs.later(job.id, not_before=now + _MASTER_WAIT, now=now)
            return None
        facts = frame_store.facts_of(frames[0])
        choice = self._choices.choose(facts)
        if choice.pending_until is not None:
            jobs.later(job.id, not_before=max(choice.pending_until, now) + _MASTER_WAIT, now=now)
            return None
        if choice.missing:
            self._finisher.master_waits(
                frames, f"its master waits: no {' and no '.join(choice.missing)}", job_id=job.id)
            return None
        return Claim(
            job_id=job.id, kind=JobKind.MASTER, key=master.id, label=f"master {master.key}",
            request=MasterRequest(
                kind=FrameKind(master.kind), facts=facts,
                inputs=tuple(Path(frame.path) for frame in frames), masters=choice.masters,
                output=masters.master_path(master, self._site, master.revision + 1)))

    def _plan_calibrate(self, job: Job, now: float) -> Claim | None:
        series = Series.get_by_id(job.key)
        frames = measured_frames(series)
        if not frames:
            jobs.close(job.id, "done", now=now, reason="no frame is measured")
            return None
        return Claim(job_id=job.id, kind=JobKind.CALIBRATE, key=series.id,
                     label=f"calibrate {series.key}",
                     request=CalibrateRequest(target=series.source, frames=frames))

    def _plan_polarimetry(self, job: Job, now: float) -> Claim | None:
        group = Group.get_by_id(job.key)
        if group.state == "open" and more_coming(group):
            jobs.later(job.id, not_before=now + _GROUP_WAIT, now=now)
            return None
        frames = groups.measured_group(group.id)
        if not frames:
            jobs.close(job.id, "done", now=now, reason="no frame is left in the group")
            return None
        return Claim(job_id=job.id, kind=JobKind.POLARIMETRY, key=group.id,
                     label=f"polarisation of {group.source}, group {group.id}",
                     request=PolarimetryRequest(frames=frames))


def _same(frame: Frame, found: FoundFile) -> bool:
    return bool(frame.size == found.size and frame.mtime_ns == found.mtime_ns)


def guess_night(path: Path, mtime_ns: int) -> str:
    """The night of a file whose header told none: a date in its folders' names, else its time."""
    for part in reversed(path.parent.parts):
        if found := _NIGHT.search(part):
            try:
                return date(*map(int, found.groups())).isoformat()
            except ValueError:
                continue
    return (datetime.fromtimestamp(max(mtime_ns, 0) / 1e9, tz=UTC)
            - timedelta(hours=12)).date().isoformat()
