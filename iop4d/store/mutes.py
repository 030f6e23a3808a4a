"""Mutes: rules and sources of which people want no notifications for a while."""

from __future__ import annotations

from collections.abc import Iterable

from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.schema import Mute


def current(db: Connection, now: float) -> list[Mute]:
    """The mutes that hold, those that end first before."""
    return list(db.select(Mute).where(Mute.until > now).order_by(Mute.until, Mute.id))


def is_muted(db: Connection, rule: str, source: str, now: float) -> bool:
    """Whether people want no notifications of a rule or source now."""
    return db.get(Mute, Mute.until > now, Mute.rule.in_(("", rule)),
                  Mute.source.in_(("", source))) is not None


def add(tx: Transaction, *, rule: str, source: str, by: str, until: float, now: float) -> Mute:
    """Mute a rule, a source, or a rule on a source; empty stands for any."""
    made = tx.create(Mute, rule=rule, source=source, by=by, until=until, made_at=now)
    emit(tx, "mute", now, rule=rule, source=source)
    return made


def end(tx: Transaction, mutes: Iterable[Mute], now: float) -> None:
    """End mutes."""
    for mute in mutes:
        tx.update(Mute, until=now).where(Mute.id == mute.id).execute()
        emit(tx, "mute", now, rule=mute.rule, source=mute.source)


def name_of(mute: Mute) -> str:
    """What a mute is of: a rule, a source, a rule on a source, or everything."""
    return " on ".join(filter(None, (mute.rule, mute.source))) or "everything"
