"""The ledger: what is known, what is to be done, and what came of it.

Every method that writes gets the transaction in which it does. A crash at any moment leaves either
all of an outcome or nothing of it, and doing a job twice gives the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger.consequences import Consequences
from iop4d.ledger.ignoring import ignore
from iop4d.ledger.master_choice import MasterChoices
from iop4d.ledger.outcomes import NoListener, Outcomes, ResultsListener
from iop4d.ledger.plan import Claim, Planner
from iop4d.ledger.space import Space
from iop4d.ledger.urgency import Urgency
from iop4d.model.frame import FrameKind
from iop4d.model.messages import Outcome
from iop4d.model.states import FrameState
from iop4d.store import frame_files, frames, jobs, masters, reprocessing
from iop4d.store.database import Connection, Transaction
from iop4d.store.jobs import JobKind, Priority
from iop4d.store.schema import Frame, Job

_NIGHT = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)")
_MOST_LOOKS = 100  # handfuls of jobs that are looked at for one that can begin
_AHEAD = 3  # jobs of new frames that go before the backlog, then one of it has its turn


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A complete file. ``live``: it came just now, rather than having lain there; ``wanted``: it
    was requested by hand, and is reduced again if it is known."""

    archive: str
    path: Path
    size: int
    mtime_ns: int
    completed_at: float
    live: bool = False
    wanted: bool = False


class Ledger:
    """What is known, what is to be done, and what came of it."""

    def __init__(self, site: Site, instruments: Mapping[str, Instrument],
                 clock: Callable[[], float], *, listener: ResultsListener | None = None) -> None:
        self._site = site
        self._instruments = instruments
        self._known = repr((site.camera, sorted(instruments)))
        self._clock = clock
        self.space = Space(site.root, minimum_gb=site.daemon.min_free_gb)
        self._urgency = Urgency(site.daemon.priority_targets, clock)
        self._choices = MasterChoices(site, instruments)
        self._consequences = Consequences(site, instruments, self._choices, clock)
        self._planner = Planner(site, instruments, self._choices)
        self._outcomes = Outcomes(site, instruments, self._consequences, clock,
                                  listener=listener or NoListener(), urgency=self._urgency)
        self._ahead = 0  # jobs that were begun one after another before those of the backlog

    def recover(self, tx: Transaction) -> int:
        """Queue again what was running when the last daemon ended.

        Frames of no known instrument are looked at again if other ones are known now; masters whose
        files are missing are built again.
        """
        jobs.follow_clock(tx, self._clock())
        recovered = jobs.recover(tx, self._clock())
        if frames.take_known(tx, self._known) and (unknown := frames.of_no_instrument(tx)):
            recovered += len(self.redo(tx, unknown))
        return recovered + self._consequences.masters_missing(tx)

    def follow_clock(self, tx: Transaction) -> None:
        """The clock was set back: nothing waits for a time that is far ahead by now."""
        jobs.follow_clock(tx, self._clock())

    # What comes in.

    def accept(self, tx: Transaction, files: Iterable[FoundFile]) -> list[int]:
        """Take files in: a row and a job for each that is new or has changed; ids of the frames.

        One that is known as it is yields its id, and is reduced again if it was requested by hand.
        """
        return [self._accept(tx, found) for found in files]

    def _accept(self, tx: Transaction, found: FoundFile) -> int:
        now = self._clock()
        known = frame_files.by_path(tx, found.path)
        bonus = (Priority.WANTED * found.wanted | Priority.LIVE * found.live
                 | self._urgency.bonus(tx, found.path.name))
        if known is None or (known.sha256 and not _same(known, found)):
            known = frames.create(
                tx, now, archive=found.archive, path=str(found.path), name=found.path.name,
                night=guess_night(found.path, found.mtime_ns), telescope=self._telescope(found),
                size=found.size, mtime_ns=found.mtime_ns, wanted=found.wanted,
                completed_at=found.completed_at)
        elif _same(known, found) and not found.wanted and not frame_files.is_back(tx, known):
            return int(known.id)
        else:
            frames.requeue(tx, known.id, now, size=found.size, mtime_ns=found.mtime_ns,
                           wanted=found.wanted, completed_at=found.completed_at)
        jobs.queue(tx, JobKind.CLASSIFY, known.id, priority=Priority.CLASSIFY + bonus, now=now)
        return int(known.id)

    def _telescope(self, found: FoundFile) -> str:
        return next((a.telescope for a in self._site.archive if a.name == found.archive), "")

    def redo(self, tx: Transaction, ids: Iterable[int], mark: str = "") -> list[int]:
        """Queue frames to be reduced again, from the start for those that never were understood.

        What was found before stands until it is replaced. The ids that there are. ``mark``: by
        which reduced ones can be counted and stopped.
        """
        now, ids = self._clock(), list(ids)
        again = frames.reduced_among(tx, ids) if mark else []
        if again:
            reprocessing.queue(tx, again, now=now, mark=mark)
        reduced = set(again)
        for id_ in ids:
            frame = None if id_ in reduced else frames.find(tx, id_)
            if frame is None or frames.is_replaced(frame):
                continue
            science = frame.kind == FrameKind.SCIENCE.value and frame.sha256
            kind = JobKind.REDUCE if science else JobKind.CLASSIFY
            if frame.state != FrameState.DONE:
                # What never had a result is late by the time since it was asked for again.
                renewed = {} if "latency_s" in frame.info else {"completed_at": now}
                frames.requeue(tx, id_, now, **renewed)
            jobs.queue(tx, kind, id_, priority=Priority.AGAIN, now=now)
            again.append(int(id_))
        return again

    def ignore(self, tx: Transaction, ids: Iterable[int], reason: str) -> list[int]:
        """Frames that are to be left out, by hand, until they are tried again: the ids of those
        that there are."""
        done = []
        for id_ in ids:
            frame = frames.find(tx, id_)
            if frame is None or frames.is_replaced(frame):
                continue
            ignore(tx, frame, reason, self._clock(), consequences=self._consequences,
                   announce=self._outcomes.announce, is_known=frame.instrument in self._instruments)
            done.append(int(id_))
        return done

    def reject_masters(self, tx: Transaction, ids: Iterable[int], reason: str) -> list[int]:
        """Masters that are to be used no more, by hand; the ids that there are."""
        found = masters.among(tx, ids)
        for master in found:
            self._consequences.master_rejected(tx, master, reason)
        return [master.id for master in found]

    def restore_masters(self, tx: Transaction, ids: Iterable[int]) -> list[int]:
        """Masters that are to be used again, by hand; the ids that there are, of built ones."""
        found = masters.among(tx, ids, built=True)
        for master in found:
            self._consequences.master_restored(tx, master)
        return [master.id for master in found]

    def follow_catalogue(self, tx: Transaction, version: int) -> tuple[int, int]:
        """Have every result rest on the catalogue of a version: how many series and groups follow.
        """
        return self._consequences.catalogue_changed(tx, version)

    # What is done.

    def is_due(self, db: Connection) -> bool:
        """Whether there is something to claim."""
        now = self._clock()
        return not self.space.is_short(now) and bool(jobs.due(db, now, 1))

    def claim(self, tx: Transaction, limit: int) -> list[Claim]:
        """Take the next jobs, at most ``limit``; each attempt is counted before the work.

        What cannot begin yet is put off, so that it never hides the rest.
        """
        now = self._clock()
        claims: list[Claim] = []
        self._choices.forget_pending()
        for _ in range(_MOST_LOOKS):
            if len(claims) >= limit or not (due := self._due(tx, now, 4 * limit)):
                break
            for job in due:
                if len(claims) < limit and (claim := self._planner.plan(tx, job, now)):
                    jobs.begin(tx, job.id, now)
                    bonus = Priority.bonus_of(job.priority)
                    self._ahead = self._ahead + 1 if bonus else 0
                    claims.append(replace(claim, bonus=bonus))
        return claims

    def _due(self, db: Connection, now: float, limit: int) -> list[Job]:
        """The most urgent jobs; but the backlog's after some that went before it, if it has any."""
        if self._ahead >= _AHEAD:
            self._ahead = 0
            if found := jobs.due(db, now, limit, backlog=True):
                return found
        return jobs.due(db, now, limit)

    def next_due(self, db: Connection) -> float | None:
        """When the next queued job may begin (Unix seconds)."""
        due = jobs.next_due(db)
        pause = self.space.looks_again_at
        return due if due is None or pause is None else max(due, pause)

    def finish(self, tx: Transaction, claim: Claim, outcome: Outcome, *,
               then: int = 0) -> list[Claim]:
        """Write what came of a job, with the jobs that follow from it.

        ``then``: so many of the next jobs are claimed in the same transaction, which spares a
        busy worker half of the commits.
        """
        self._outcomes.finish(tx, claim, outcome)
        if not then or self.space.is_short(self._clock()):
            return []
        return self.claim(tx, then)

    def give_back(self, tx: Transaction, claims: Iterable[Claim]) -> None:
        """Put claimed jobs back, when the daemon stops before they are done."""
        for claim in claims:
            jobs.later(tx, claim.job_id, self._clock(), not_before=0.0)


def _same(frame: Frame, found: FoundFile) -> bool:
    return bool(frame.size == found.size and frame.mtime_ns == found.mtime_ns)


def guess_night(path: Path, mtime_ns: int) -> str:
    """The night of a file whose header is not read yet: a date in its folders' names, else its
    time."""
    for part in reversed(path.parent.parts):
        if found := _NIGHT.search(part):
            try:
                return date(*map(int, found.groups())).isoformat()
            except ValueError:
                continue
    return (datetime.fromtimestamp(max(mtime_ns, 0) / 1e9, tz=UTC)
            - timedelta(hours=12)).date().isoformat()
