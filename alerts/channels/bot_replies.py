"""What commands by message do and answer: the state of things, a source's last points, acts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from iop4d import config
from iop4d.alerts import actions
from iop4d.alerts.episodes import tag
from iop4d.alerts.relay import Relay, RunDb
from iop4d.alerts.rendering import moment
from iop4d.model.states import ACTIVE_ALERTS
from iop4d.model.units import plus_minus, utc_of_jd
from iop4d.store import catalogue, mutes
from iop4d.store.database import Database, ambient
from iop4d.store.outbox import undelivered
from iop4d.store.schema import Alert, ChannelState, Result
from iop4d.store.status import heartbeat, night_line

T = TypeVar("T")
_LAST = 5  # points that are told of a source


class Answers:
    """The desk behind the commands of a bot; see ``botcommands.Desk``."""

    def __init__(self, *, database: Database, run_db: RunDb, clock: Callable[[], float]) -> None:
        self._database = database
        self._run_db = run_db
        self._clock = clock

    async def status(self) -> str:
        """What is going on."""
        return await self._run_db(self._read, partial(_status, self._clock()))

    async def last(self, source: str) -> str:
        """The latest results of a source, by any of its names."""
        return await self._run_db(self._read, lambda: _last(source))

    async def ack(self, tag: str, by: str) -> str:
        """Somebody looks after an alert."""
        def act() -> str:
            alert = actions.find(ambient(), tag)
            actions.acknowledge(ambient(), alert, by=by, now=self._clock())
            return f"{_of(alert)} is acknowledged by {by}."
        return await self._run_db(self._write, act)

    async def mute(self, hours: float, source: str, by: str) -> str:
        """No alerts of a source for so many hours; ``*`` for all."""
        def act() -> str:
            made = actions.mute(ambient(), rule="", source=source, seconds=3600.0 * hours, by=by,
                             now=self._clock())
            return f"{made.source or 'Every source'} is muted until {moment(made.until)} UTC."
        return await self._run_db(self._write, act)

    async def unmute(self, source: str, by: str) -> str:
        """Alerts of a source again."""
        def act() -> str:
            ended = actions.unmute(ambient(), rule="", source=source, now=self._clock())
            return f"{ended} is told again, as {by} asked."
        return await self._run_db(self._write, act)

    def _read(self, function: Callable[[], T]) -> T:
        with self._database.connected():
            return function()

    def _write(self, function: Callable[[], T]) -> T:
        with self._database.write():
            return function()


def _of(alert: Alert) -> str:
    return f"{tag(alert)} {alert.rule}: {alert.source} {alert.band}".rstrip()


def _status(now: float) -> str:
    beat = heartbeat(ambient())
    lines = [night_line(ambient())]
    lines += [f"archive {a['name']} is {a['state']}: {a['reason']}"
              for a in beat.get("archives", ()) if a["state"] != "ok"]
    lines += [f"{mutes.name_of(mute)} is muted until {moment(mute.until)} UTC"
              for mute in mutes.current(ambient(), now)]
    if paused := beat.get("paused"):
        lines.append(f"nothing new is begun: {paused}")
    lines += [f"channel {one['channel']} fails: {one['reason']}"
              for one in undelivered(ambient(), now)]
    going = list(Alert.select().where(Alert.state.in_(ACTIVE_ALERTS)).order_by(
        Alert.fired_at.desc()))
    lines += [f"{alert.state}: {_of(alert)}" for alert in going[:10]]
    lines.append(f"{len(going)} alerts go on" if going else "no alert goes on")
    return "\n".join(lines)


def _last(source: str) -> str:
    name = actions.source_of(ambient(), source)
    rows = list(Result.select().where(Result.source == name).order_by(
        Result.jd_mid.desc(), Result.id.desc()).limit(_LAST))
    if not rows:
        known = catalogue.find(source)
        return f"{source}: no result so far." if known else f"No source is called '{source}'."
    return "\n".join([name, *(_point(row) for row in rows)])


def _point(row: Result) -> str:
    text = f"{utc_of_jd(row.jd_mid)} {row.band} {plus_minus(row.mag, row.mag_err)}"
    if row.p_debiased is not None:
        error = None if row.p_err is None else 100 * row.p_err
        text += (f", p {plus_minus(100 * row.p_debiased, error, 1)} %, "
                 f"chi {plus_minus(row.chi_deg, row.chi_err_deg, 0)} deg")
    return text


_OFFSET = "next update"


def commands_of(site: config.Site, relay: Relay, database: Database, run_db: RunDb,
                clock: Callable[[], float], stop: asyncio.Event,
                ) -> dict[str, Coroutine[Any, Any, None]]:
    """What listens to the chats of each Telegram channel that obeys, by its part's name."""
    parts: dict[str, Coroutine[Any, Any, None]] = {}
    for channel in site.channel:
        if not isinstance(channel, config.TelegramChannel) or not channel.accept_commands:
            continue
        # Its client is imported where a site has a bot: the daemon stays small without.
        from iop4d.alerts.channels.bot_commands import BotCommands
        from iop4d.alerts.channels.telegram import TelegramChannel

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
