"""Whether messages get out: each server is asked as for a message, and none is sent."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator

from iop4d.alerts.channels.base import Checked, SendError, make_channels
from iop4d.model.errors import Iop4dError
from iop4d.operations.doctor.findings import Finding, Surroundings, fault, good
from iop4d.store.database import Database, is_there
from iop4d.store.deliveries import undelivered

_CHANNELS = "channels"
_WITHIN = 20.0  # seconds in which a server must have answered


def channels(around: Surroundings) -> Iterator[Finding]:
    """What was not delivered, and which servers would take no message now."""
    site, found = around.site, 0
    if is_there(site.database):
        with Database(site.database, read_only=True).read() as db:
            for one in undelivered(db, around.clock()):
                found += 1
                name = one["channel"]
                yield fault(_CHANNELS, f"{name}: {one['messages']} messages are undelivered: "
                            f"{one['reason']}", f"iop4d channels test {shlex.quote(name)}")
    for finding in _servers(around) if around.network else ():
        found += 1
        yield finding
    if not found:
        said = "can be reached" if around.network else "were not tried (--offline)"
        yield good(_CHANNELS, f"{len(site.channel)} channels {said}; none has messages undelivered"
                   if site.channel else "the site has none: no person is notified")


def _servers(around: Surroundings) -> Iterator[Finding]:
    try:
        made = make_channels(around.site)
    except Iop4dError as error:
        yield fault(_CHANNELS, str(error), "install the package that has this kind of channel, or "
                    "mend its key kind")
        return
    for name, channel in made.items():
        if isinstance(channel, Checked) and (why := asyncio.run(_refusal(channel))):
            yield fault(_CHANNELS, f"{name}: no message gets out: {why}",
                        "mend the keys of the channel, or ask whoever runs the server or the "
                        f"firewall; then: iop4d channels test {shlex.quote(name)}")


async def _refusal(channel: Checked) -> str:
    """Why a server takes no message; empty where it would."""
    try:
        async with asyncio.timeout(_WITHIN):
            await channel.check()
    except SendError as error:
        return error.reason
    except TimeoutError:
        return f"no answer within {_WITHIN:g} s"
    return ""
