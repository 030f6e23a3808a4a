"""What people do not want to hear of now, and how it is named."""

from __future__ import annotations

from iop4d.store.schema import Mute


def current(now: float) -> list[Mute]:
    """The mutes that hold, those that end first before."""
    return list(Mute.select().where(Mute.until > now).order_by(Mute.until, Mute.id))


def name_of(mute: Mute) -> str:
    """What a mute is of: a rule, a source, a rule on a source, or everything."""
    return " on ".join(filter(None, (mute.rule, mute.source))) or "everything"
