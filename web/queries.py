"""What the pages show of frames, results, alerts and mails; all within a connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import peewee as pw

from iop4d.alerts.episodes import tag
from iop4d.model.flags import NEVER_ALERTS
from iop4d.model.states import ACTIVE_ALERTS, AlertState
from iop4d.store.schema import (
    Alert,
    AlertStep,
    Event,
    Frame,
    Master,
    Measurement,
    Outbox,
    Result,
    ResultFrame,
    ResultHistory,
)
from iop4d.web.status import FAILED_STATES

PAGE = 100
_VARIABLES = 10_000  # of one statement; SQLite takes 32,766

#: What lists of frames show; the rest (trace, info) is large.
_LISTED = (Frame.id, Frame.name, Frame.state, Frame.reason, Frame.kind, Frame.telescope,
           Frame.instrument, Frame.band, Frame.object, Frame.night, Frame.exptime_s,
           Frame.jd_start, Frame.provisional, Frame.preview_path, Frame.version, Frame.archive,
           Frame.changed_at, Frame.seen_at, Frame.completed_at, Frame.size, Frame.mode)


@dataclass(frozen=True, kw_only=True)
class FrameLine:
    """A frame of a list with the results that rest on it."""

    frame: Frame
    results: list[Result] = field(default_factory=list)

    @property
    def fwhm_arcsec(self) -> float | None:
        """The width of its star images, as its results tell it."""
        return next((r.fwhm_arcsec for r in self.results if r.fwhm_arcsec is not None), None)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a long list."""

    rows: list[Any]
    number: int
    total: int
    size: int = PAGE

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, kw_only=True)
class BandSummary:
    """The results of one source, band and telescope in a night."""

    source: str
    band: str
    count: int
    good: int
    mean: float | None
    brightest: float | None
    faintest: float | None
    last: Result


@dataclass(frozen=True, kw_only=True)
class Episode:
    """An alert with the results that confirmed it and the mails that told of it."""

    alert: Alert
    results: list[Result]
    mails: list[Outbox]
    steps: list[AlertStep]

    @property
    def tag(self) -> str:
        """By what people name it."""
        return tag(self.alert)

    @property
    def goes_on(self) -> bool:
        """Whether there is something to acknowledge."""
        return self.alert.state in ACTIVE_ALERTS


def latest_frames(count: int) -> list[FrameLine]:
    """The frames that came last."""
    return with_results(Frame.select(*_LISTED).order_by(Frame.id.desc()).limit(count))


def with_results(frames: Iterable[Frame]) -> list[FrameLine]:
    """Frames with their results, by two queries however many there are."""
    frames = list(frames)
    of: dict[int, list[Result]] = {}
    rows = (ResultFrame.select(ResultFrame.frame_id, Result)
            .join(Result).where(ResultFrame.frame.in_([frame.id for frame in frames]))
            .order_by(Result.source, Result.band))
    for row in rows:
        of.setdefault(row.frame_id, []).append(row.result)
    return [FrameLine(frame=frame, results=of.get(frame.id, [])) for frame in frames]


def failed_frames(page: int, size: int = PAGE) -> Page:
    """Frames that were rejected, failed, or are set aside; the latest first."""
    return _page(Frame.select(*_LISTED).where(Frame.state.in_(FAILED_STATES))
                 .order_by(Frame.changed_at.desc(), Frame.id.desc()), page, size)


def nights() -> list[dict[str, Any]]:
    """Every night with its frames by state and its number of results, the latest first."""
    found: dict[str, dict[str, Any]] = {}
    counts = (Frame.select(Frame.night, Frame.state, pw.fn.COUNT(Frame.id))
              .where(Frame.night != "").group_by(Frame.night, Frame.state))
    for night, state, count in counts.tuples():
        entry = found.setdefault(night, {"night": night, "states": {}, "results": 0, "sources": 0})
        entry["states"][state] = count
    results = (Result.select(Result.night, pw.fn.COUNT(Result.id),
                             pw.fn.COUNT(pw.fn.DISTINCT(Result.source))).group_by(Result.night))
    for night, count, sources in results.tuples():
        entry = found.setdefault(night, {"night": night, "states": {}, "results": 0, "sources": 0})
        entry |= {"results": count, "sources": sources}
    return sorted(found.values(), key=lambda entry: str(entry["night"]), reverse=True)


def night_states(night: str) -> dict[str, int]:
    """A night's frames by state."""
    return dict(Frame.select(Frame.state, pw.fn.COUNT(Frame.id)).where(Frame.night == night)
                .group_by(Frame.state).tuples())


def night_frames(night: str, state: str | None, page: int) -> Page:
    """A night's frames in order of their exposure, of one state or of all."""
    query = Frame.select(*_LISTED).where(Frame.night == night)
    if state:
        query = query.where(Frame.state == state)
    found = _page(query.order_by(Frame.jd_start, Frame.id), page)
    return Page(rows=with_results(found.rows), number=found.number, total=found.total)


def last_night() -> str | None:
    """The latest night that has results."""
    night = Result.select(pw.fn.MAX(Result.night)).scalar()
    return str(night) if night else None


def summarise(night: str) -> list[BandSummary]:
    """A night's results by source and band. Means leave out what never counts for an alert."""
    sound = (Result.flags.bin_and(int(NEVER_ALERTS)) == 0) & Result.mag.is_null(False)
    good = pw.Case(None, [(sound, Result.mag)])
    groups = (Result.select(Result.source, Result.band, pw.fn.COUNT(Result.id),
                            pw.fn.COUNT(good), pw.fn.AVG(good), pw.fn.MIN(good),
                            pw.fn.MAX(good))
              .where(Result.night == night).group_by(Result.source, Result.band)
              .order_by(Result.source, Result.band))
    found = []
    for source, band, count, n_good, mean, brightest, faintest in groups.tuples():
        last = (Result.select().where((Result.source == source) & (Result.band == band)
                                      & (Result.night == night))
                .order_by(Result.jd_mid.desc()).limit(1).get())
        found.append(BandSummary(source=source, band=band, count=count, good=n_good, mean=mean,
                                 brightest=brightest, faintest=faintest, last=last))
    return found


def episodes(page: int, size: int = PAGE) -> Page:
    """Alerts, those that fire first, then the latest."""
    going = [(state, 0) for state in (*ACTIVE_ALERTS, AlertState.PENDING)]
    found = _page(Alert.select().where(Alert.state != AlertState.INACTIVE).order_by(
        pw.Case(Alert.state, going, 1),
                                          Alert.fired_at.desc()), page, size)
    ids = {point for alert in found.rows for point in alert.points}
    results = {row.id: row for row in Result.select().where(Result.id.in_(ids))}
    mails: dict[int, list[Outbox]] = {}
    for mail in (Outbox.select().where(Outbox.alert.in_([alert.id for alert in found.rows]))
                 .order_by(Outbox.id)):
        mails.setdefault(mail.alert_id, []).append(mail)
    steps: dict[int, list[AlertStep]] = {}
    for step in (AlertStep.select().where(AlertStep.alert.in_([a.id for a in found.rows]))
                 .order_by(AlertStep.id)):
        steps.setdefault(step.alert_id, []).append(step)
    rows = [Episode(alert=alert, results=[results[i] for i in alert.points if i in results],
                    mails=mails.get(alert.id, []), steps=steps.get(alert.id, []))
            for alert in found.rows]
    return Page(rows=rows, number=found.number, total=found.total, size=size)


def latest_mails(count: int) -> list[Outbox]:
    """The messages made last, with their fate."""
    return list(Outbox.select().order_by(Outbox.id.desc()).limit(count))


def subject(mail: Outbox) -> str:
    """What a message is about."""
    content = mail.content
    return str((isinstance(content, dict) and content.get("subject")) or mail.dedup_key)


def frame(id_: int) -> Frame | None:
    """A frame by its id."""
    return cast("Frame | None", Frame.get_or_none(Frame.id == id_))


def measurements(frame_id: int) -> list[Measurement]:
    """What was measured on a frame."""
    return list(Measurement.select().where(Measurement.frame == frame_id)
                .order_by(Measurement.source))


def masters_of(used: Iterable[Any]) -> list[tuple[Master, int | None]]:
    """The masters a frame was calibrated with, and the revision it used.

    An entry is an id, an (id, revision) pair, or a dict with those names.
    """
    revisions: dict[int, int | None] = {}
    for entry in used:
        if isinstance(entry, dict):
            revisions[int(entry["id"])] = entry.get("revision")
        elif isinstance(entry, list | tuple):
            revisions[int(entry[0])] = entry[1] if len(entry) > 1 else None
        else:
            revisions[int(entry)] = None
    rows = Master.select().where(Master.id.in_(list(revisions))).order_by(Master.kind)
    return [(row, revisions[row.id]) for row in rows]


def versions(of: Frame) -> list[Frame]:
    """The other versions of a frame's file."""
    return list(Frame.select(*_LISTED).where(
        (Frame.telescope == of.telescope) & (Frame.night == of.night) & (Frame.name == of.name)
        & (Frame.id != of.id)).order_by(Frame.version))


def frame_ids(results: Iterable[Result]) -> dict[int, int]:
    """Result id to the id of a frame it rests on."""
    ids = [result.id for result in results]
    found: dict[int, int] = {}
    for start in range(0, len(ids), _VARIABLES):
        rows = (ResultFrame.select(ResultFrame.result_id, ResultFrame.frame_id)
                .where(ResultFrame.result.in_(ids[start:start + _VARIABLES])))
        found.update(rows.tuples())
    return found


def kinds_since(event: int) -> list[str]:
    """Kinds of the events after one."""
    rows = Event.select(Event.kind).where(Event.id > event).distinct().tuples()
    return [kind for kind, in rows]


def history(results: Iterable[Result]) -> list[ResultHistory]:
    """What results were before they changed, the latest change first."""
    return list(ResultHistory.select().where(
        ResultHistory.result.in_([result.id for result in results]))
        .order_by(ResultHistory.replaced_at.desc()).limit(PAGE))


def _page(query: Any, number: int, size: int = PAGE) -> Page:
    total = query.count()
    number = min(max(1, number), max(1, -(-total // size)))
    return Page(rows=list(query.paginate(number, size)), number=number, total=total, size=size)
