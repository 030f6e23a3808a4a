"""What became of results since the catalogue changed: how many moved, and from what to what."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from iop4d.model.states import JobState
from iop4d.store import catalogue
from iop4d.store.database import Connection
from iop4d.store.jobs import JobKind
from iop4d.store.schema import Group, Job, Measurement, Series
from iop4d.store.table import number_in

#: Of each result that changed since a moment, what it was at that moment: its earliest value of
#: the history that was replaced since.
_MOVED = f"""
SELECT r.source, r.band, COUNT(*), AVG({number_in("h.was", "mag")}), AVG(r.mag),
       MAX(ABS(r.mag - {number_in("h.was", "mag")})),
       AVG({number_in("h.was", "p")}), AVG(r.p)
FROM result r JOIN resulthistory h ON h.result_id = r.id
WHERE r.source IN ({{names}}) AND r.changed_at >= ? AND NOT r.withdrawn AND h.revision = (
    SELECT MIN(revision) FROM resulthistory WHERE result_id = r.id AND replaced_at >= ?)
GROUP BY r.source, r.band ORDER BY r.source, r.band
"""  # noqa: S608 - names of ours
_FRAMES = 5000  # of a field, the most that are reduced again at once


@dataclass(frozen=True, kw_only=True)
class Moved:
    """The results of one source and band that moved: means before and after, the largest step."""

    source: str
    band: str
    count: int
    mag_was: float | None
    mag: float | None
    largest: float | None
    p_was: float | None
    p: float | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far results follow the catalogue. ``is_followed``: whether the daemon saw its last
    change; ``left``: light curves and groups that wait to be calibrated again."""

    is_followed: bool
    left: int
    moved: tuple[Moved, ...]


def progress(db: Connection, sources: Collection[str], since: float) -> Progress:
    """How far the results of some sources follow the catalogue, and what moved since a moment."""
    return Progress(is_followed=catalogue.is_followed(db), left=_left(db, sources),
                    moved=moved(db, sources, since))


def moved(db: Connection, sources: Collection[str], since: float) -> tuple[Moved, ...]:
    """The results of some sources that have other values than at a moment (Unix seconds)."""
    if not sources:
        return ()
    rows = db.rows(_MOVED.format(names=",".join("?" * len(sources))), *sources, since, since)
    return tuple(Moved(source=source, band=band, count=count, mag_was=was, mag=mag,
                       largest=largest, p_was=p_was, p=p)
                 for source, band, count, was, mag, largest, p_was, p in rows)


def _left(db: Connection, sources: Collection[str]) -> int:
    names = list(sources)
    jobs = db.select(Job).where(
        Job.state.in_((JobState.QUEUED, JobState.RUNNING))
        & (((Job.kind == JobKind.CALIBRATE)
            & Job.key.in_(Series.select(Series.id).where(Series.source.in_(names))))
           | ((Job.kind == JobKind.POLARIMETRY)
              & Job.key.in_(Group.select(Group.id).where(Group.source.in_(names))))))
    return int(jobs.count())


def frames_of(db: Connection, sources: Iterable[str]) -> list[int]:
    """The frames on which any of some sources was measured, newest first."""
    rows = db.select(Measurement, Measurement.frame_id).where(
        Measurement.source.in_(list(sources))).distinct().order_by(
        Measurement.frame_id.desc()).limit(_FRAMES).tuples()
    return [id_ for (id_,) in rows]
