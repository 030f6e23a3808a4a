"""What to ask of a worker for a job; a job that cannot begin yet is put off or left to wait."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger.consequences import more_coming
from iop4d.ledger.master_choice import MasterChoices
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    CalibrateRequest,
    ClassifyRequest,
    MasterRequest,
    PolarimetryRequest,
    ReduceRequest,
    Request,
)
from iop4d.model.states import FrameState, JobState, MasterState
from iop4d.model.units import SECONDS_A_DAY
from iop4d.store import frame_files, frames, groups, jobs, masters, reference_frames
from iop4d.store.database import Connection, Transaction
from iop4d.store.jobs import JobKind, Priority
from iop4d.store.schema import Frame, Job, Master

_REMOVED = "the raw file was removed: the results stay as they were"
_MASTER_WAIT = 0.3  # seconds between looks at a master that is being built
_CONTAINER = re.compile(r"(\.(fits?|fts|fz|gz))+(?=(~\d+)?$)", re.IGNORECASE)
_LONGEST = 230  # bytes of a product's name without its ending, of the 255 that there may be
_GROUP_WAIT = 1.0  # seconds between looks at frames that may still come to a group


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A job taken to be done now, and what to ask of a worker for it."""

    job_id: int
    kind: JobKind
    key: int
    label: str
    request: Request
    bonus: int = 0  # of its priority, for the jobs that follow from it

    @property
    def frames(self) -> tuple[int, ...]:
        """The ids of the frames that it is about; of a master none."""
        match self.request:
            case CalibrateRequest(frames=measured) | PolarimetryRequest(frames=measured):
                return tuple(frame.id for frame in measured)
        return (self.key,) if self.kind in (JobKind.CLASSIFY, JobKind.REDUCE) else ()

    @property
    def telescope(self) -> str:
        """Whose frames these are; empty for a file that was not read yet."""
        match self.request:
            case CalibrateRequest(frames=measured) | PolarimetryRequest(frames=measured):
                return measured[0].facts.telescope if measured else ""
            case ReduceRequest(facts=facts) | MasterRequest(facts=facts):
                return facts.telescope
        return ""


class Planner:
    """Turns jobs into claims."""

    def __init__(self, site: Site, instruments: Mapping[str, Instrument],
                 choices: MasterChoices) -> None:
        self._site = site
        self._instruments = instruments
        self._choices = choices

    def plan(self, tx: Transaction, job: Job, now: float) -> Claim | None:
        """What to ask for a job; None if it cannot begin, or if nothing is left to do."""
        kind = JobKind(job.kind)
        match kind:
            case JobKind.MASTER:
                return self._master(tx, job, now)
            case JobKind.CALIBRATE:
                return _calibrate(tx, job, now)
            case JobKind.POLARIMETRY:
                return _polarimetry(tx, job, now)
        frame = frames.by_id(tx, job.key)
        if why := self._nothing_to_do(tx, frame, now):
            jobs.close(tx, job.id, JobState.DONE, now, reason=why)
            return None
        if kind is JobKind.CLASSIFY:
            return Claim(job_id=job.id, kind=kind, key=job.key, label=f"classify {frame.name}",
                         request=ClassifyRequest(path=Path(frame.path)))
        return self._reduce(tx, job, frame, now)

    def _nothing_to_do(self, tx: Transaction, frame: Frame, now: float) -> str:
        """Why a frame is left as it is; empty if it is not."""
        if frames.is_replaced(frame):
            return "the file was replaced"
        if _moved_back(tx, [frame], now):
            return "the file lies where it was before"
        if frames.is_measured(frame) and self._is_removed(frame):
            frames.set_state(tx, frame.id, FrameState.DONE, now, reason=_REMOVED)
            return _REMOVED
        return ""

    def _is_removed(self, frame: Frame) -> bool:
        """Whether the raw file was removed: its folder or its archive is there, but not it."""
        path = Path(frame.path)
        if path.exists():
            return False
        roots = [archive.path for archive in self._site.archive if archive.name == frame.archive]
        return path.parent.is_dir() or any(root.is_dir() and any(root.iterdir()) for root in roots)

    def _reduce(self, tx: Transaction, job: Job, frame: Frame, now: float) -> Claim | None:
        facts = frames.facts_of(frame)
        if facts.instrument not in self._instruments:
            let_wait(tx, job.id, [frame], now, reason=(
                f"the instrument {facts.instrument} is no longer in the site file"))
            return None
        choice = self._choices.choose(tx, facts)
        if choice.pending_until is not None:
            jobs.later(tx, job.id, now, not_before=max(choice.pending_until, now) + _MASTER_WAIT)
            return None
        if choice.missing:
            let_wait(tx, job.id, [frame], now, reason=(
                f"no {' and no '.join(choice.missing)} within "
                f"{self._site.masters.max_age_days:g} days; the frame is reduced when there is "
                "one"))
            return None
        solved = facts.subframe or frame.reference_id is not None
        references = reference_frames.references_of(tx, frame) if solved else []
        products = self._products(tx, frame)
        return Claim(
            job_id=job.id, kind=JobKind.REDUCE, key=frame.id, label=f"reduce {frame.name}",
            request=ReduceRequest(
                path=Path(frame.path), facts=facts, masters=choice.masters,
                reference=reference_frames.star_list(tx, references[0].id) if references else None,
                reduced_path=products[0], preview_path=products[1], seen_at=frame.seen_at,
                doubts=(*frame.info.get("doubts", ()), *begun_within(tx, frame))))

    def _products(self, db: Connection, frame: Frame) -> tuple[Path | None, Path | None]:
        """Where the reduced frame and its preview are written; None for what is not wanted."""
        place, wanted = Path(frame.telescope) / frame.night, self._site.photometry
        folder, _, name = str(frame.identity).rpartition("/")
        before = frame_files.identities(db, frame, f"{folder}/{_CONTAINER.sub('', name)}")
        stem = product_stem(name, [known.rpartition("/")[2] for known in before])
        reduced = self._site.folder("reduced") / place / f"{stem}.fits"
        preview = self._site.folder("previews") / place / f"{stem}.png"
        return (reduced if wanted.write_reduced else None,
                preview if wanted.write_previews else None)

    def _master(self, tx: Transaction, job: Job, now: float) -> Claim | None:
        master = masters.by_id(tx, job.key)
        if any(jobs.classifying(tx, folder, now) for folder in masters.folders_of(tx, master)):
            jobs.later(tx, job.id, now, not_before=now + _MASTER_WAIT)
            return None
        members = masters.frames_of(tx, master)
        if not members:
            jobs.close(tx, job.id, JobState.DONE, now, reason="no frames")
            return None
        if _moved_back(tx, members, now):
            jobs.later(tx, job.id, now, not_before=now + _MASTER_WAIT)
            return None
        facts = masters.facts_of(master, members[0])
        choice = self._choices.choose(tx, facts)
        if choice.pending_until is not None:
            jobs.later(tx, job.id, now, not_before=max(choice.pending_until, now) + _MASTER_WAIT)
            return None
        if choice.missing:
            let_wait(tx, job.id, [f for f in members if f.state == FrameState.QUEUED], now,
                     reason=f"its master waits: no {' and no '.join(choice.missing)}")
            return None
        return Claim(
            job_id=job.id, kind=JobKind.MASTER, key=master.id, label=f"master {master.key}",
            request=MasterRequest(
                kind=FrameKind(master.kind), facts=facts,
                inputs=tuple(Path(frame.path) for frame in members), masters=choice.masters,
                output=master_path(self._site, master,
                                   master.revision + (not is_missing(master)))))


def begun_within(db: Connection, frame: Frame) -> list[str]:
    """In words, that another exposure of the camera began before a frame's ended, if one did."""
    other = frames.begun_within(db, frame)
    if other is None:
        return []
    after = (other.jd_start - frame.jd_start) * SECONDS_A_DAY
    return [f"the exposure of {other.name} began {after:.0f} s after its own, which took "
            f"{frame.exptime_s:g} s" if after >= 1.0 else
            f"the exposure of {other.name} began at the same time as its own"]


def _calibrate(tx: Transaction, job: Job, now: float) -> Claim | None:
    series = groups.series_by_id(tx, job.key)
    measured = groups.measured_frames(tx, series)
    if not measured:
        groups.withdraw_stack(tx, series, now)
        jobs.close(tx, job.id, JobState.DONE, now, reason="no frame is measured")
        return None
    return Claim(job_id=job.id, kind=JobKind.CALIBRATE, key=series.id,
                 label=f"calibrate {series.key}",
                 request=CalibrateRequest(target=series.source, frames=measured))


def _polarimetry(tx: Transaction, job: Job, now: float) -> Claim | None:
    group = groups.by_id(tx, job.key)
    if more_coming(tx, group):
        jobs.later(tx, job.id, now, not_before=now + _GROUP_WAIT)
        return None
    measured = groups.measured_group(tx, group.id)
    if not measured:
        jobs.close(tx, job.id, JobState.DONE, now, reason="no frame is left in the group")
        return None
    return Claim(job_id=job.id, kind=JobKind.POLARIMETRY, key=group.id,
                 label=f"polarisation of {group.source}, group {group.id}",
                 request=PolarimetryRequest(frames=measured))


def product_stem(name: str, before: Iterable[str]) -> str:
    """The name of a frame's products, without their endings, as no earlier frame of it has.

    ``name``: of the frame, with ``~2`` behind it for a namesake; ``before``: such names of the
    frames of the night that came before it. What tells the container is left out, unless two
    frames differ by that alone.
    """
    stem = _short(_CONTAINER.sub("", name))
    return _short(name) if stem in {_short(_CONTAINER.sub("", one)) for one in before} else stem


def _short(name: str) -> str:
    """A name that leaves room for an ending; a digest distinguishes a shortened one from others."""
    stored = os.fsencode(name)
    if len(stored) <= _LONGEST:
        return name
    return (os.fsdecode(stored[:_LONGEST - 9]).encode("utf-8", "ignore").decode()
            + "-" + hashlib.sha256(stored).hexdigest()[:8])


def let_wait(tx: Transaction, job_id: int, which: Iterable[Frame], now: float, *,
             reason: str) -> None:
    """A job cannot begin until something wakes it, and its frames wait with it."""
    jobs.wait(tx, job_id, now, reason=reason)
    for frame in which:
        if frame.state != FrameState.WAITING or frame.reason != reason:
            frames.set_state(tx, frame.id, FrameState.WAITING, now, reason=reason)


def is_missing(master: Master) -> bool:
    """Whether a master was built whose file was lost: it is written again in its place."""
    return master.path is not None and master.state == MasterState.WANTED


def master_path(site: Site, master: Master, revision: int) -> Path:
    """Where a revision of a master is written; old revisions stay, since results name them."""
    band = f"-{master.band}" if master.band else ""
    layout = master.layout.replace("x ", "x", 1).replace(" ", "-")
    time = f"-{master.key.rpartition('/')[2]}" if masters.is_of_one_exposure(master) else ""
    name = f"{master.kind}{band}-{master.instrument}-{layout}{time}-r{revision}"
    return site.folder("masters") / str(master.telescope) / str(master.night) / f"{name}.fits"


def _moved_back(tx: Transaction, which: Iterable[Frame], now: float) -> bool:
    """Queue the files that went back to where they lay before; whether there are any."""
    back = [row for frame in which if (row := frame_files.moved_back(tx, frame)) is not None]
    for row in back:
        frames.requeue(tx, row.id, now)
        jobs.queue(tx, JobKind.CLASSIFY, row.id, priority=Priority.CLASSIFY, now=now)
    return bool(back)
