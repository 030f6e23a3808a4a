"""The bots of a site that obey commands, as parts of the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from iop4d.alerts.answers import Answers
from iop4d.alerts.outbox import Relay, RunDb
from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.schema import ChannelState

_OFFSET = "next update"


def commands_of(site: Site, relay: Relay, database: Database, run_db: RunDb,
                clock: Callable[[], float], stop: asyncio.Event,
                ) -> dict[str, Coroutine[Any, Any, None]]:
    """What listens to the chats of each Telegram channel that obeys, by its part's name."""
    parts: dict[str, Coroutine[Any, Any, None]] = {}
    for channel in site.channel:
        if channel.kind != "telegram" or not channel.commands:
            continue
        # Its client is imported where a site has a bot: the daemon stays small without.
        from iop4d.alerts.botcommands import BotCommands
        from iop4d.alerts.telegram import TelegramChannel

        bot = relay.channels[channel.name]
        assert isinstance(bot, TelegramChannel)
        parts[f"commands of {channel.name}"] = BotCommands(
            name=channel.name, api=bot.api, say=bot.say,
            desk=Answers(database=database, run_db=run_db, clock=clock),
            chats=partial(_chats, channel.to), clock=clock,
            load=partial(_loaded, run_db, database, channel.name),
            save=partial(_saved, run_db, database, channel.name)).run(stop)
    return parts


def _chats(to: tuple[str, ...]) -> set[str]:
    return {chat.strip() for chat in to}


async def _loaded(run_db: RunDb, database: Database, channel: str) -> int:
    return await run_db(_load, database, channel)


async def _saved(run_db: RunDb, database: Database, channel: str, offset: int) -> None:
    await run_db(_save, database, channel, offset)


def _load(database: Database, channel: str) -> int:
    with database.connected():
        row = ChannelState.get_or_none((ChannelState.channel == channel)
                                       & (ChannelState.name == _OFFSET))
    return int(row.value) if row else 0


def _save(database: Database, channel: str, offset: int) -> None:
    with database.write():
        ChannelState.insert(channel=channel, name=_OFFSET, value=str(offset)).on_conflict(
            conflict_target=[ChannelState.channel, ChannelState.name],
            preserve=[ChannelState.value]).execute()
