"""Alerts: their episodes and steps, the results that fired them, and what people muted.

A state is written by ``alerts.episodes`` alone, which knows the transitions that are allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from peewee import fn

from iop4d.model.states import ACTIVE_ALERTS, UNBEGUN_ALERTS, AlertState
from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.schema import Alert, AlertStep, Mute
from iop4d.store.table import is_filled

#: The last episodes of a rule. Plain SQL: every rule asks at every point, and to make the
#: statement anew takes five times as long as to run it.
_LATEST = ("SELECT * FROM alert WHERE rule = ? AND source = ? AND band = ? "
           "ORDER BY episode DESC LIMIT 3")

# Writing.


def create(tx: Transaction, *, state: AlertState, now: float, **columns: object) -> Alert:
    """A new episode, with the first step of its history."""
    alert = tx.create(Alert, state=state.value, fired_at=now, **columns)
    _record(tx, alert, now)
    return alert


def change_state(tx: Transaction, alert: Alert, state: AlertState, *, now: float, by: str,
                 note: str, columns: Mapping[str, object]) -> Alert | None:
    """Another state of an alert, with a step of its history; None if the row is not in the state
    that ``alert`` says."""
    changed = tx.update(Alert, state=state.value, **columns).where(
        (Alert.id == alert.id) & (Alert.state == alert.state)).execute()
    if not changed:
        return None
    alert = tx.by_id(Alert, alert.id)
    _record(tx, alert, now, by=by, note=note)
    return alert


def update(tx: Transaction, alert: Alert, **columns: object) -> Alert:
    """Other columns of an alert than its state."""
    tx.update(Alert, **columns).where(Alert.id == alert.id).execute()
    return tx.by_id(Alert, alert.id)


def annotate(tx: Transaction, id_: int, note: str) -> None:
    """Write a note at an alert, unless it has one."""
    tx.update(Alert, note=note).where((Alert.id == id_) & (Alert.note == "")).execute()


def emit_change(tx: Transaction, alert: Alert, now: float) -> None:
    """Tell the page that an alert is not what it was."""
    emit(tx, "alert", now, id=alert.id, rule=alert.rule, source=alert.source, band=alert.band,
         episode=alert.episode, state=alert.state)


def _record(tx: Transaction, alert: Alert, now: float, *, by: str = "", note: str = "") -> None:
    tx.create(AlertStep, alert=alert.id, at=now, state=alert.state, by=by, note=note)
    emit_change(tx, alert, now)


# Reading.


def find(db: Connection, id_: int) -> Alert | None:
    """The alert of an id."""
    return db.get(Alert, Alert.id == id_)


def of_episode(db: Connection, *, rule: str, source: str, band: str, episode: int) -> Alert | None:
    """The alert of an episode of a rule, on a source as it was called when the episode began."""
    return db.get(Alert, (Alert.rule == rule) & (Alert.band == band) & (Alert.episode == episode)
                  & ((Alert.called == source) | (Alert.called == "") & (Alert.source == source)))


def by_id(db: Connection, id_: int) -> Alert:
    """The alert of an id that there is."""
    return db.by_id(Alert, id_)


def latest_episodes(db: Connection, rule: str, source: str, band: str) -> list[Alert]:
    """The last three episodes of a rule on a source and band, the latest first."""
    if not db.rows("SELECT 1 FROM alert WHERE rule = ? AND source = ? AND band = ? LIMIT 1", rule,
                   source, band):
        return []  # as nearly always; to make the rows takes several times as long
    return db.raw(Alert, _LATEST, rule, source, band)


def active(db: Connection) -> list[Alert]:
    """Active alerts: those that people were notified of last come first."""
    return list(db.select(Alert).where(Alert.state.in_(ACTIVE_ALERTS)).order_by(
        Alert.notified_at.desc(nulls="LAST"), Alert.fired_at.desc(), Alert.id.desc()))


def newest(db: Connection, limit: int) -> list[Alert]:
    """Alerts of any state, the latest first."""
    return list(db.select(Alert).order_by(Alert.fired_at.desc(), Alert.id.desc()).limit(limit))


def unfinished(db: Connection) -> list[Alert]:
    """Active and pending alerts, the latest first."""
    return list(db.select(Alert).where(
        Alert.state.in_((*ACTIVE_ALERTS, AlertState.PENDING))).order_by(
            Alert.fired_at.desc(), Alert.id.desc()))


def pending(db: Connection) -> list[Alert]:
    """What a point met and no other confirmed so far, the oldest first."""
    return list(db.select(Alert).where(
        (Alert.state == AlertState.PENDING) & is_filled(Alert.points)).order_by(Alert.fired_jd))


def unfinished_of_points(db: Connection) -> list[Alert]:
    """Active and pending alerts that results fired, in order of their making."""
    return list(db.select(Alert).where(
        Alert.state.in_((*ACTIVE_ALERTS, AlertState.PENDING)) & is_filled(Alert.points)
    ).order_by(Alert.id))


def active_of_system(db: Connection) -> list[Alert]:
    """Active alerts that the state of the system fired."""
    return list(db.select(Alert).where(
        (Alert.band == "") & Alert.state.in_(ACTIVE_ALERTS)).order_by(Alert.id))


def resolved_last(db: Connection, source: str, jd: float, margin: float) -> list[Alert]:
    """Resolved alerts of a source that fired by a JD and ended no more than ``margin`` days before
    it; only the last episode of each rule and band."""
    later = Alert.alias()
    return list(db.select(Alert).where(
        (Alert.source == source) & (Alert.state == AlertState.RESOLVED)
        & (Alert.fired_jd <= jd) & (Alert.resolved_jd >= jd - margin)
        & ~fn.EXISTS(later.select(later.id).where(
            (later.rule == Alert.rule) & (later.source == Alert.source)
            & (later.band == Alert.band) & (later.episode > Alert.episode)))))


def notified_since(db: Connection, rules: Collection[str], fired_since: float) -> list[int]:
    """Ids of the alerts of some rules that fired since a time and people were notified of; what
    they were told of as unconfirmed did not fire."""
    return [id_ for (id_,) in db.select(Alert, Alert.id).where(
        Alert.rule.in_(list(rules)) & Alert.notified_at.is_null(False)
        & Alert.state.not_in(UNBEGUN_ALERTS) & (Alert.fired_at >= fired_since)
    ).order_by(Alert.id).tuples()]


def active_by_rule(db: Connection) -> dict[str, int]:
    """How many alerts of each rule are active."""
    return dict(db.select(Alert, Alert.rule, fn.COUNT(Alert.id)).where(
        Alert.state.in_(ACTIVE_ALERTS)).group_by(Alert.rule).tuples())


def firing_sources(db: Connection) -> frozenset[str]:
    """The sources of the alerts that fire and that nobody has acknowledged."""
    return frozenset(row.source for row in db.select(Alert, Alert.source).where(
        Alert.state == AlertState.FIRING).distinct())


def count_active(db: Connection) -> int:
    """How many alerts are active."""
    return int(db.select(Alert).where(Alert.state.in_(ACTIVE_ALERTS)).count())


def has_begun(alert: Alert) -> bool:
    """Whether an episode fired, be it over or not."""
    return alert.state not in UNBEGUN_ALERTS


# Mutes.


def mutes(db: Connection, now: float) -> list[Mute]:
    """The mutes that hold, those that end first before."""
    return list(db.select(Mute).where(Mute.until > now).order_by(Mute.until, Mute.id))


def is_muted(db: Connection, rule: str, source: str, now: float) -> bool:
    """Whether people want no notifications of a rule or source now."""
    return db.get(Mute, Mute.until > now, Mute.rule.in_(("", rule)),
                  Mute.source.in_(("", source))) is not None


def mute(tx: Transaction, *, rule: str, source: str, by: str, until: float, now: float) -> Mute:
    """Mute a rule, a source, or a rule on a source; empty stands for any."""
    made = tx.create(Mute, rule=rule, source=source, by=by, until=until, made_at=now)
    emit(tx, "mute", now, rule=rule, source=source)
    return made


def end_mutes(tx: Transaction, ended: Iterable[Mute], now: float) -> None:
    """End mutes."""
    for row in ended:
        tx.update(Mute, until=now).where(Mute.id == row.id).execute()
        emit(tx, "mute", now, rule=row.rule, source=row.source)


def name_of_mute(row: Mute) -> str:
    """What a mute is of: a rule, a source, a rule on a source, or everything."""
    return " on ".join(filter(None, (row.rule, row.source))) or "everything"
