"""Summaries of nights: their rows, and what they are gathered from.

A frame belongs to the night in its header; a file in which none could be read, to the night in
which it arrived, between the Unix seconds ``since`` and ``until``.
"""

from __future__ import annotations

import math
from typing import Any

from peewee import Case, fn

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameKind
from iop4d.model.result import STACK
from iop4d.model.states import UNBEGUN_ALERTS, FrameState, MessageState, SummaryState
from iop4d.store.database import Connection, Transaction
from iop4d.store.points import barring_flags
from iop4d.store.results import STANDS, standing
from iop4d.store.schema import Alert, Frame, Master, Meta, Outbox, Result, Summary
from iop4d.store.status import TROUBLE
from iop4d.store.table import as_number, in_json, is_filled, number_in

_AHEAD = 3600.0  # seconds: by less a clock differs in good order
_BEGAN = "summaries_since"  # key of when the site first asked for summaries
_REPORTED = (f"SELECT {number_in('line.value', 'id', 'BIGINT')}, summary.night "  # noqa: S608
             "FROM summary, json_each(summary.facts, '$.alerts') AS line")
_RESULT = (Result.id, Result.source, Result.band, Result.mode, Result.jd_mid, Result.night,
           Result.mag, Result.mag_err, Result.mag_err_common, Result.p, Result.p_err,
           Result.p_debiased, Result.chi_deg, Result.chi_err_deg, Result.chi_err_common, Result.q,
           Result.q_err, Result.u, Result.u_err, Result.qu_cov, Result.q0_err, Result.u0_err,
           Result.telescope, Result.instrument, Result.p_limit, Result.flags, Result.human_flags,
           Result.provisional, Result.n_calibrators, Result.mag_limit, Result.frames)
_OF_SOURCE = "FROM result WHERE source = ? AND withdrawn = ? AND mode <> ?"
MOST_OF_SOURCE = 20_000  # results of a source that a page or an answer is made of
_QUANTITIES = {"mag": Result.mag, "p": Result.p, "chi": Result.chi_deg}

# Rows of summaries.


def nights(db: Connection, now: float) -> set[str]:
    """The nights that have a summary; one of the future does not count (see ``is_of_future``)."""
    return {night for night, made_at in db.select(
        Summary, Summary.night, Summary.made_at).tuples() if not is_of_future(made_at, now)}


def is_of_future(made_at: float, now: float) -> bool:
    """Whether a summary was made while the clock was ahead: its night may not have been over."""
    return made_at > now + _AHEAD


def last_night(db: Connection) -> str:
    """The latest night that has a summary; empty for none."""
    return str(db.select(Summary, fn.MAX(Summary.night)).scalar() or "")


def of_night(db: Connection, night: str) -> Summary | None:
    """The summary of a night."""
    return db.get(Summary, Summary.night == night)


def store(tx: Transaction, night: str, facts: dict[str, Any], *, messages: list[int],
          now: float) -> None:
    """Write the summary of a night, in the place of the one that it may have."""
    state = SummaryState.QUEUED if messages else SummaryState.MADE
    values = {"facts": facts, "state": state.value, "messages": messages, "made_at": now,
              "sent_at": None}
    if not tx.update(Summary, **values).where(Summary.night == night).execute():
        tx.create(Summary, night=night, **values)


def stands(tx: Transaction, night: str, now: float) -> None:
    """Note that the summary of a night, made while the clock was ahead, is what it would be now."""
    tx.update(Summary, made_at=now).where(Summary.night == night).execute()


def settle(tx: Transaction) -> None:
    """Note what became of the messages of each summary."""
    for row in list(tx.select(Summary).where(Summary.state == SummaryState.QUEUED)):
        messages = list(tx.select(Outbox, Outbox.state, Outbox.sent_at).where(
            Outbox.id.in_(row.messages)))
        if any(message.state == MessageState.QUEUED for message in messages):
            continue
        sent = [message.sent_at for message in messages if message.state == MessageState.SENT]
        state = SummaryState.SENT if sent else SummaryState.FAILED
        tx.update(Summary, state=state.value, sent_at=max(sent, default=None)).where(
            Summary.id == row.id).execute()


def began_at(db: Connection) -> float | None:
    """When the site first asked for summaries; nights that ended before have none."""
    row = db.get(Meta, Meta.key == _BEGAN)
    return None if row is None else float(row.value)


def began_by(tx: Transaction, now: float) -> float:
    """The same; noted if it is the first time, or if the clock was ahead then."""
    began = began_at(tx)
    if began is not None and began <= now:
        return began
    tx.replace(Meta, key=_BEGAN, value=now)
    return now


# Results.


def results(db: Connection, night: str, source: str = "") -> list[Result]:
    """A night's results, of all sources or one, by source and band and in order of time."""
    condition = (Result.night == night) & STANDS
    if source:
        condition &= Result.source == source
    return list(db.select(Result, *_RESULT).where(condition).order_by(
        Result.source, Result.band, Result.jd_mid, Result.id))


def of_source(db: Connection, source: str, nights: int, *,
              most: int = MOST_OF_SOURCE) -> list[Result]:
    """The results of a source's latest nights, in order of time.

    ``most``: of how many results at most; nights are whole, and the last one is always there.
    """
    last: list[str] = []
    before = math.inf
    while len(last) < nights:
        # From the end of the source's index, not by counting all of its nights.
        others = f"AND night NOT IN ({', '.join('?' * len(last))})" if last else ""
        newest = db.rows(f"SELECT night, jd_mid {_OF_SOURCE} AND jd_mid <= ? {others} "
                         "ORDER BY jd_mid DESC LIMIT 1", source, False, STACK, before, *last)
        if not newest:
            break
        ((night, before),) = newest
        ((count,),) = db.rows(f"SELECT COUNT(*) {_OF_SOURCE} AND night = ?", source, False, STACK,
                              night)
        if last and count > most:
            break
        last.append(night)
        most -= count
    kept = (Result.source == source) & STANDS & (Result.mode != STACK)
    return list(db.select(Result, *_RESULT).where(kept & Result.night.in_(last)).order_by(
        Result.jd_mid, Result.id)) if last else []


def sources(db: Connection, night: str) -> list[str]:
    """The sources that have results of a night."""
    return [name for (name,) in standing(db, Result.source).where(
        Result.night == night).distinct().tuples()]


def is_sound(result: Result, quantity: str) -> bool:
    """Whether a number of a result counts: no flag says that it is wrong."""
    return not result.flags & barring_flags(needs_mag=quantity == "mag") and not result.human_flags


def preceding_night(db: Connection, result: Result, quantity: str) -> str:
    """The latest earlier night with sound points of a result's source and band; empty for none."""
    night = db.select(Result, Result.night).where(
        _sound(result.source, result.band, quantity) & (Result.jd_mid < result.jd_mid)
        & (Result.night != result.night)).order_by(Result.jd_mid.desc()).limit(1).scalar()
    return str(night or "")


def sound_magnitudes(db: Connection, source: str, band: str, night: str) -> list[Result]:
    """The sound points of a source, band and night, with magnitude, errors and camera."""
    return list(db.select(Result, Result.mag, Result.mag_err, Result.mag_err_common,
                          Result.telescope, Result.instrument, Result.flags,
                          Result.human_flags).where(
        _sound(source, band, "mag") & (Result.night == night)))


def uncalibrated(db: Connection, night: str) -> list[tuple[str, str, int]]:
    """Sources and bands with points that have no magnitude for want of calibrators; how many."""
    bare = (Result.flags.bin_and(int(Flag.NO_CALIBRATORS)) != 0) & Result.mag.is_null()
    count = fn.SUM(Case(None, [(bare, 1)], 0))
    return list(db.select(Result, Result.source, Result.band, count).where(
        (Result.night == night) & STANDS)
        .group_by(Result.source, Result.band).having(count > 0)
        .order_by(Result.source, Result.band).tuples())


def _sound(source: str, band: str, quantity: str) -> Any:
    """The condition that a row has a number which ``is_sound``."""
    return ((Result.source == source) & (Result.band == band)
            & STANDS & (Result.mode != STACK)
            & (fn.json_array_length(Result.human_flags) == 0)
            & (Result.flags.bin_and(barring_flags(needs_mag=quantity == "mag")) == 0)
            & _QUANTITIES[quantity].is_null(False))


# Frames and masters.


def frame_counts(db: Connection, night: str, since: float, until: float) -> list[tuple[Any, ...]]:
    """Telescope, archive, instrument, kind, mode, state, and how many frames are alike in these."""
    what = (Frame.telescope, Frame.archive, Frame.instrument, Frame.kind, Frame.mode, Frame.state)
    return list(db.select(Frame, *what, fn.COUNT(Frame.id)).where(
        _of_night(night, since, until)).group_by(*what).tuples())


def unused_frames(db: Connection, night: str, since: float, until: float) -> list[Frame]:
    """The frames that were not used, with their reasons."""
    return list(db.select(Frame, Frame.id, Frame.name, Frame.telescope, Frame.archive, Frame.state,
                          Frame.reason).where(
        _of_night(night, since, until) & Frame.state.in_(TROUBLE)).order_by(Frame.id))


def latencies(db: Connection, night: str) -> list[float]:
    """Seconds from the arrival of each science frame to its results, the shortest first."""
    took = as_number(in_json(Frame.info, "latency_s"))
    return sorted(float(value) for (value,) in db.select(Frame, took).where(
        (Frame.night == night) & (Frame.kind == FrameKind.SCIENCE)
        & (Frame.state == FrameState.DONE) & took.is_null(False)).tuples())


def master_counts(db: Connection, night: str) -> dict[str, int]:
    """How many masters are in each state."""
    return {str(state): count for state, count in db.select(
        Master, Master.state, fn.COUNT(Master.id)).where(Master.night == night)
        .group_by(Master.state).order_by(Master.state).tuples()}


def _of_night(night: str, since: float, until: float) -> Any:
    arrived = (Frame.night == "") & (Frame.seen_at >= since) & (Frame.seen_at < until)
    return (Frame.night == night) | arrived


# Alerts that began.


def reported_alerts(db: Connection) -> dict[int, str]:
    """Ids of the alerts that a summary reports, with the night of that summary."""
    return dict(db.rows(_REPORTED))


def alerts_of_system(db: Connection, since: float, until: float) -> list[Alert]:
    """Alerts without points that fired within some time."""
    return list(_begun(db, ~is_filled(Alert.points) & (Alert.fired_at >= since)
                       & (Alert.fired_at < until)))


def alerts_of_points(db: Connection, fired: tuple[float, float],
                     jd: tuple[float, float]) -> list[Alert]:
    """Alerts on points that fired within some time, or whose points are between two JD."""
    came = (Alert.fired_at >= fired[0]) & (Alert.fired_at < fired[1])
    return list(_begun(db, is_filled(Alert.points) & (came | Alert.fired_jd.between(*jd))))


def _begun(db: Connection, condition: Any) -> Any:
    return db.select(Alert).where(Alert.state.not_in(UNBEGUN_ALERTS) & condition)


# Messages that are not delivered: channel, how many, why the newest of them failed.


def waiting_messages(db: Connection) -> list[tuple[str, int, str]]:
    """Messages that wait for another attempt."""
    return _counted(db, (Outbox.state == MessageState.QUEUED) & (Outbox.last_error != ""))


def lost_messages(db: Connection, since: float, until: float) -> list[tuple[str, int, str, str]]:
    """Messages that were given up within some time; the recipient stands last."""
    return _counted(db, (Outbox.state == MessageState.FAILED) & (Outbox.given_up_at >= since)
                    & (Outbox.given_up_at < until), Outbox.recipient, Outbox.last_error)


def _counted(db: Connection, condition: Any, *by: Any) -> list[Any]:
    rows = db.select(Outbox, Outbox.channel, fn.COUNT(Outbox.id), fn.MAX(Outbox.id), *by[:1]).where(
        condition).group_by(Outbox.channel, *by).order_by(Outbox.channel, *by).tuples()
    return [(channel, count, db.by_id(Outbox, newest).last_error, *recipient)
            for channel, count, newest, *recipient in rows]
