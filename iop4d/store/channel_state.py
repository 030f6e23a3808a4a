"""What a channel remembers across restarts: where recipients moved to, who is to be left alone, how
far its bot has read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from iop4d.model.states import MessageState
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import ChannelState, Outbox

_MOVED = "moved "
_REST = "rest"
_NEXT_UPDATE = "next update"


# Recipients with another name.


def move_recipient(tx: Transaction, channel: str, old: str, new: str) -> None:
    """A recipient has a new name, and what waits for the old one follows.

    The new name leads nowhere else from now on, so that names never lead round in a circle.
    """
    _remember(tx, channel, _MOVED + old, new)
    tx.delete(ChannelState).where(_named(channel, _MOVED + new)).execute()
    follow_recipient(tx, channel, old)


def follow_recipient(tx: Transaction, channel: str, recipient: str) -> bool:
    """Readdress what waits for a recipient who moved; whether there was anything to do."""
    moved = tx.get(ChannelState, _named(channel, _MOVED + recipient))
    return moved is not None and bool(tx.update(Outbox, recipient=moved.value).where(
        (Outbox.channel == channel) & (Outbox.recipient == recipient)
        & (Outbox.state == MessageState.QUEUED)).execute())


def known_recipients(tx: Transaction, channel: str, listed: Collection[str]) -> set[str]:
    """The listed recipients and the names to which they moved; what waits for them follows."""
    for old in _moves(tx, channel):
        follow_recipient(tx, channel, old)
    return set(listed) | moved_recipients(tx, channel, listed)


def moved_recipients(db: Connection, channel: str, listed: Collection[str]) -> set[str]:
    """The names to which listed recipients moved, the names between included."""
    places, found = _moves(db, channel), set[str]()
    for recipient in listed:
        at = recipient
        while at in places and places[at] not in found:
            at = places[at]
            found.add(at)
    return found


def _moves(db: Connection, channel: str) -> dict[str, str]:
    """Where the recipients of a channel moved, by their names before."""
    return {name.removeprefix(_MOVED): to for name, to in db.select(
        ChannelState, ChannelState.name, ChannelState.value).where(
            (ChannelState.channel == channel) & ChannelState.name.startswith(_MOVED)).tuples()}


# Recipients who are to be left alone, and what a bot has read.


def ask_rest(tx: Transaction, channel: str, recipient: str, now: float, until: float) -> None:
    """The server wants a recipient left alone; an empty one: the whole channel."""
    _remember(tx, channel, f"{_REST} {recipient}".rstrip(), f"{now!r} {until!r}")


def rest_until(tx: Transaction, channel: str, recipient: str, now: float) -> float:
    """Until when the server wants a recipient left alone (Unix seconds).

    If the clock was set back since it asked for that, the wait counts from now.
    """
    longest = 0.0
    for state in list(tx.select(ChannelState).where(
            (ChannelState.channel == channel)
            & ChannelState.name.in_((_REST, f"{_REST} {recipient}")))):
        asked_at, until = (float(part) for part in state.value.split())
        if asked_at > now:
            until += now - asked_at
            _remember(tx, channel, state.name, f"{now!r} {until!r}")
        longest = max(longest, until)
    return longest


def next_update(db: Connection, channel: str) -> int:
    """The number of the next message that a channel's bot has not read."""
    row = db.get(ChannelState, _named(channel, _NEXT_UPDATE))
    return int(row.value) if row else 0


def keep_next_update(tx: Transaction, channel: str, number: int) -> None:
    """Note how far a channel's bot has read."""
    _remember(tx, channel, _NEXT_UPDATE, str(number))


def _remember(tx: Transaction, channel: str, name: str, value: str) -> None:
    tx.replace(ChannelState, channel=channel, name=name, value=value)


def _named(channel: str, name: str) -> Any:
    return (ChannelState.channel == channel) & (ChannelState.name == name)
