"""What is known of a channel's recipients: where they moved to, and who is to be left alone.

Every function runs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Collection

from iop4d.store.schema import ChannelState, Outbox

_MOVED = "moved "
_REST = "rest"


def move(channel: str, old: str, new: str) -> None:
    """A recipient goes by another name now; what waits for the old name follows.

    The new name leads nowhere else from now on, so that names never lead round in a circle.
    """
    _keep(channel, _MOVED + old, new)
    ChannelState.delete().where(_named(channel, _MOVED + new)).execute()
    follow(channel, old)


def follow(channel: str, recipient: str) -> bool:
    """Readdress what waits for a recipient who moved; whether there was anything to do."""
    moved = ChannelState.get_or_none(_named(channel, _MOVED + recipient))
    return moved is not None and bool(Outbox.update(recipient=moved.value).where(
        (Outbox.channel == channel) & (Outbox.recipient == recipient)
        & (Outbox.state == "queued")).execute())


def ask_rest(channel: str, recipient: str, now: float, until: float) -> None:
    """The server wants a recipient left alone; an empty one: the whole channel."""
    _keep(channel, f"{_REST} {recipient}".rstrip(), f"{now!r} {until!r}")


def rest(channel: str, recipient: str, now: float) -> float:
    """Until when the server wants a recipient left alone (Unix seconds).

    If the clock was set back since it said so, the wait counts from now.
    """
    longest = 0.0
    for state in ChannelState.select().where(
            (ChannelState.channel == channel)
            & ChannelState.name.in_((_REST, f"{_REST} {recipient}"))):
        said, until = (float(part) for part in state.value.split())
        if said > now:
            until += now - said
            ChannelState.update(value=f"{now!r} {until!r}").where(
                ChannelState.id == state.id).execute()
        longest = max(longest, until)
    return longest


def drop_strangers(channel: str, recipients: Collection[str]) -> int:
    """Drop what waits for those whom the site file does not name any more; how many messages.

    What was given up for them is no trouble any more.
    """
    places = {name.removeprefix(_MOVED): to for name, to in ChannelState.select(
        ChannelState.name, ChannelState.value).where(
            (ChannelState.channel == channel) & ChannelState.name.startswith(_MOVED)).tuples()}
    known = set(recipients)
    for old in places:
        at = old
        while at in places:
            follow(channel, at)
            at = places[at]
            if old in recipients:
                known.add(at)
    strange = (Outbox.channel == channel) & Outbox.recipient.not_in(known)
    Outbox.update(given_up_at=None).where(strange & (Outbox.state == "failed")).execute()
    return int(Outbox.update(
        state="dropped", last_error="the site file does not name this recipient any more").where(
            strange & (Outbox.state == "queued")).execute())


def _keep(channel: str, name: str, value: str) -> None:
    ChannelState.insert(channel=channel, name=name, value=value).on_conflict_replace().execute()


def _named(channel: str, name: str) -> object:
    return (ChannelState.channel == channel) & (ChannelState.name == name)
