"""What the commands of a bot do and answer, from the site's database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from iop4d import config
from iop4d.alerts import actions
from iop4d.alerts.channels.base import Channel
from iop4d.alerts.rendering import count, moment
from iop4d.config import Site
from iop4d.model.uncertainty import chi_text, mag_text, p_text
from iop4d.model.units import utc_of_jd
from iop4d.store import alerts, channel_state, deliveries, sources
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Result
from iop4d.store.status import heartbeat, night_line
from iop4d.store.thread import DatabaseThread

if TYPE_CHECKING:
    from iop4d.alerts.channels.bot_commands import BotCommands

_LAST = 5  # results of a source that are shown
_LISTED = 10  # alerts that are listed; all are counted


class DatabaseReplies:
    """The replies to a bot's commands; see ``bot_commands.Replies``."""

    def __init__(self, *, database: DatabaseThread, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def status(self) -> str:
        """The state of the site."""
        return await self._database.read(_status, self._clock())

    async def last(self, source: str) -> str:
        """The latest results of a source, by any of its names."""
        return await self._database.read(_last_results, source)

    async def acknowledge(self, tag: str, by: str) -> str:
        """Acknowledge an alert."""
        return await self._database.write(_acknowledge, tag, by, self._clock())

    async def mute(self, seconds: float, source: str, by: str) -> str:
        """No alerts of a source for a while; ``*`` for all."""
        return await self._database.write(_mute, seconds, source, by, self._clock())

    async def unmute(self, source: str, by: str) -> str:
        """Alerts of a source again."""
        return await self._database.write(_unmute, source, by, self._clock())


def _status(db: Connection, now: float) -> str:
    beat = heartbeat(db)
    lines = [night_line(db)]
    lines += [f"archive {a['name']} is {a['state']}: {a['reason']}"
              for a in beat.get("archives", ()) if a["state"] != "ok"]
    lines += [f"{alerts.name_of_mute(mute)} is muted until {moment(mute.until)} UTC"
              for mute in alerts.mutes(db, now)]
    if paused := beat.get("paused"):
        lines.append(f"processing is paused: {paused}")
    lines += [f"channel {one['channel']} does not deliver: {one['reason']}"
              for one in deliveries.undelivered(db, now)]
    active = sorted(alerts.active(db), key=lambda alert: -alert.fired_at)
    lines += [f"{alert.state}: {actions.described(alert)}" for alert in active[:_LISTED]]
    lines.append(count(len(active), "active alert") if active else "no active alerts")
    return "\n".join(lines)


def _last_results(db: Connection, source: str) -> str:
    rows = sources.latest_results(db, actions.source_of(db, source), _LAST)
    if not rows:
        return f"{actions.known_source(db, source)} has no results yet."
    return "\n".join([rows[0].source, *map(_result, rows)])


def _result(row: Result) -> str:
    text = f"{utc_of_jd(row.jd_mid)} {row.band} {mag_text(row)}"
    if row.p is not None:
        text += f", p {p_text(row, 1)} %, chi {chi_text(row, 0)} deg"
    return text


def _acknowledge(tx: Transaction, tag: str, by: str, now: float) -> str:
    alert = actions.find(tx, tag)
    actions.acknowledge(tx, alert, by=by, now=now)
    return f"{actions.described(alert)} is acknowledged by {by}."


def _mute(tx: Transaction, seconds: float, source: str, by: str, now: float) -> str:
    made = actions.mute(tx, rule="", source=source, seconds=seconds, by=by, now=now)
    return f"{alerts.name_of_mute(made)} is muted by {by} until {moment(made.until)} UTC."


def _unmute(tx: Transaction, source: str, by: str, now: float) -> str:
    return f"{actions.unmute(tx, rule='', source=source, by=by, now=now)} is unmuted by {by}."


def commands_of(site: Site, channels: Mapping[str, Channel], database: DatabaseThread,
                clock: Callable[[], float], stop: asyncio.Event,
                ) -> dict[str, Coroutine[Any, Any, None]]:
    """What reads the commands of each bot that accepts them, by the name of its part of the daemon.
    """
    return {f"commands of {section.name}": _commands(
        section, channels[section.name], database, clock).run(stop)
        for section in site.channel
        if isinstance(section, config.TelegramChannel) and section.accept_commands}


def _commands(section: config.TelegramChannel, bot: Channel, database: DatabaseThread,
              clock: Callable[[], float]) -> BotCommands:
    # Its client is imported where a site has a bot: the daemon stays small without.
    from iop4d.alerts.channels.bot_commands import BotCommands
    from iop4d.alerts.channels.telegram import TelegramChannel

    assert isinstance(bot, TelegramChannel)
    name, chats = section.name, {chat.strip() for chat in section.to}
    return BotCommands(
        name=name, api=bot.api, send_text=bot.send_text, clock=clock,
        replies=DatabaseReplies(database=database, clock=clock),
        chats=chats, moved=lambda: database.read(
            channel_state.moved_recipients, name, {*section.to, *chats}),
        note_move=lambda old, new: database.write(channel_state.move_recipient, name, old, new),
        load=lambda: database.read(channel_state.next_update, name),
        save=lambda number: database.write(channel_state.keep_next_update, name, number))
