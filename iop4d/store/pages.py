"""What the pages list: frames with their results, nights, alerts, messages, summaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import peewee as pw

from iop4d.model.frame import FrameKind
from iop4d.model.states import ACTIVE_ALERTS
from iop4d.store.database import Connection
from iop4d.store.results import standing
from iop4d.store.schema import (
    Alert,
    AlertStep,
    Frame,
    Master,
    Measurement,
    Outbox,
    Result,
    ResultFrame,
    ResultHistory,
    Summary,
)
from iop4d.store.status import TROUBLE

PAGE = 100
#: Frames on a page of a night, each with its results.
NIGHT_FRAMES = 50
#: What lists of frames show of their results; the rest (calibrators, methods) is large.
_BESIDE_FRAMES = (Result.id, Result.source, Result.band, Result.mag, Result.mag_err,
                  Result.mag_err_common, Result.mag_limit, Result.p, Result.p_err,
                  Result.p_debiased, Result.p_limit, Result.q, Result.u, Result.q0_err,
                  Result.u0_err, Result.chi_deg, Result.chi_err_deg, Result.chi_err_common,
                  Result.flags, Result.fwhm_arcsec)

#: What lists of frames show; the rest (trace, info) is large.
_LISTED = (Frame.id, Frame.name, Frame.state, Frame.reason, Frame.kind, Frame.telescope,
           Frame.instrument, Frame.band, Frame.object, Frame.night, Frame.exptime_s,
           Frame.jd_start, Frame.provisional, Frame.preview_path, Frame.version, Frame.archive,
           Frame.changed_at, Frame.seen_at, Frame.completed_at, Frame.size, Frame.mode)


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
class FrameLine:
    """A frame of a list with the results that rest on it."""

    frame: Frame
    results: list[Any] = field(default_factory=list)

    @property
    def fwhm_arcsec(self) -> float | None:
        """The FWHM of its stars, as its results have it."""
        return next((r.fwhm_arcsec for r in self.results if r.fwhm_arcsec is not None), None)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """An alert with the results that confirmed it, its messages and its history."""

    alert: Alert
    results: list[Result]
    messages: list[Outbox]
    steps: list[AlertStep]

    @property
    def is_active(self) -> bool:
        """Whether there is something to acknowledge."""
        return self.alert.state in ACTIVE_ALERTS


def _page(query: Any, number: int, size: int = PAGE) -> Page:
    total = query.count()
    number = min(max(1, number), max(1, -(-total // size)))
    return Page(rows=list(query.paginate(number, size)), number=number, total=total, size=size)


# Frames.


def with_results(db: Connection, frames: Iterable[Frame], *columns: Any) -> list[FrameLine]:
    """Frames with their results, by one query however many there are.

    With all columns, or with some: then plain rows, for less than half of the cost.
    """
    frames = list(frames)
    of: dict[int, list[Any]] = {}
    rows = (standing(db, *(columns or (Result,)), ResultFrame.frame.alias("of_frame"))
            .join(ResultFrame).where(ResultFrame.frame.in_([frame.id for frame in frames]))
            .order_by(Result.source, Result.band))
    for row in rows.namedtuples() if columns else rows.objects():
        of.setdefault(row.of_frame, []).append(row)
    return [FrameLine(frame=frame, results=of.get(frame.id, [])) for frame in frames]


def unused_frames(db: Connection, number: int, size: int = PAGE) -> Page:
    """Frames that were rejected, failed, or are quarantined; the latest first."""
    return _page(db.select(Frame, *_LISTED).where(Frame.state.in_(TROUBLE))
                 .order_by(Frame.changed_at.desc(), Frame.id.desc()), number, size)


def versions(db: Connection, of: Frame) -> list[Frame]:
    """The other versions of a frame's file."""
    return list(db.select(Frame, *_LISTED).where(
        (Frame.telescope == of.telescope) & (Frame.night == of.night) & (Frame.name == of.name)
        & (Frame.id != of.id)).order_by(Frame.version))


def measurements(db: Connection, frame_id: int) -> list[Measurement]:
    """What was measured on a frame."""
    return list(db.select(Measurement).where(Measurement.frame == frame_id)
                .order_by(Measurement.source, Measurement.beam))


def masters_of(db: Connection, of: Frame) -> list[tuple[Master, int]]:
    """The masters that calibrated a frame, each with the revision of it that was used."""
    revisions = {int(id_): int(revision) for id_, revision in of.masters or ()}
    rows = db.select(Master).where(Master.id.in_(list(revisions))).order_by(Master.kind)
    return [(row, revisions[row.id]) for row in rows]


def history(db: Connection, results: Iterable[Result]) -> list[ResultHistory]:
    """What results were before they changed, the latest change first."""
    return list(db.select(ResultHistory).where(
        ResultHistory.result.in_([result.id for result in results]))
        .order_by(ResultHistory.replaced_at.desc()).limit(PAGE))


# Nights.


def night_states(db: Connection, night: str) -> dict[str, int]:
    """A night's frames by state."""
    return dict(db.select(Frame, Frame.state, pw.fn.COUNT(Frame.id)).where(Frame.night == night)
                .group_by(Frame.state).tuples())


def night_kinds(db: Connection, night: str) -> dict[str, int]:
    """A night's frames by kind, science first."""
    found = dict(db.select(Frame, Frame.kind, pw.fn.COUNT(pw.SQL("*"))).where(
        (Frame.night == night) & Frame.kind.is_null(False)).group_by(Frame.kind).tuples())
    return dict(sorted(found.items(), key=lambda kind: (kind[0] != FrameKind.SCIENCE, kind[0])))


def night_frames(db: Connection, night: str, state: str | None, number: int, *,
                 kind: str | None = None) -> Page:
    """A night's frames, the latest exposure first, of one state and kind or of all.

    Those that were not read yet come before them.
    """
    query = db.select(Frame, *_LISTED).where(Frame.night == night)
    if state:
        query = query.where(Frame.state == state)
    if kind:
        query = query.where(Frame.kind == kind)
    found = _page(query.order_by(Frame.jd_start.is_null().desc(), Frame.jd_start.desc(),
                                 Frame.id.desc()), number, NIGHT_FRAMES)
    return replace(found, rows=with_results(db, found.rows, *_BESIDE_FRAMES))


# Alerts, messages and summaries.


def by_alert(db: Connection, table: type[Any], alerts: list[Alert],
             columns: Iterable[Any] = ()) -> dict[int, list[Any]]:
    """The rows of a table that belong to alerts, by the alert's id, in order of their making."""
    found: dict[int, list[Any]] = {}
    ids = [alert.id for alert in alerts]
    for row in db.select(table, *columns).where(table.alert.in_(ids)).order_by(table.id):
        found.setdefault(row.alert_id, []).append(row)
    return found


def subject(message: Outbox) -> str:
    """What a message is about."""
    content = message.content
    return str((isinstance(content, dict) and content.get("subject")) or message.dedup_key)


def summaries(db: Connection, number: int) -> Page:
    """Summaries of nights, the latest first."""
    return _page(db.select(Summary).order_by(Summary.night.desc()), number)


def messages_of(db: Connection, of: Summary) -> list[Outbox]:
    """The messages that a summary was sent with, without their contents."""
    return list(db.select(Outbox, Outbox.recipient, Outbox.channel, Outbox.state, Outbox.sent_at,
                          Outbox.last_error)
                .where(Outbox.id.in_(of.messages)).order_by(Outbox.id))
