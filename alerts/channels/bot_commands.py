"""Commands by Telegram: ``/status``, ``/last``, ``/ack``, ``/mute``, from the site's own chats.

The bot asks for messages and waits (long polling), so nothing has to reach this machine from
outside. A command is done, answered, and only then marked as read: after a crash it is done again,
which changes nothing. One that waited while the daemon was away is not done late.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from iop4d.alerts.channels.base import SendError
from iop4d.alerts.channels.bot_api import BotApi, BotError
from iop4d.alerts.rendering import clean
from iop4d.model.errors import Iop4dError

log = logging.getLogger(__name__)

T = TypeVar("T")

HELP = """\
/status – what is going on
/last BL Lac – the latest results of a source
/ack #a1b2c3 – I look after this alert (or answer its message with /ack; alone: the one told last)
/mute 12h BL Lac – no alerts of a source for a while (m, h, d or w; * for all)
/unmute BL Lac – alerts again"""

_WAIT = 50.0  # seconds that one question for news may take
_REST = 2.0  # seconds before the first new try when the API fails; doubling
_LONGEST_REST = 300.0
_LATE = 900.0  # seconds after which a command is too old to be done
_STRANGERS = 200  # chats that are remembered as told in the log
_LONGEST_MUTE = 30 * 24.0  # hours
_NAMES = {"status", "last", "ack", "mute", "unmute", "help", "start"}
_COMMAND = re.compile(r"/([A-Za-z_]{1,32})(?:@(\w{1,64}))?(?:\s+(.*))?", re.DOTALL)
_TAG = re.compile(r"#?([0-9a-f]{6})\b", re.IGNORECASE)
_TIME = re.compile(r"(\d{1,4}(?:\.\d{1,2})?)(m|min|h|d|w)", re.IGNORECASE)
_HOURS = {"m": 1 / 60, "min": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}


class Desk(Protocol):
    """Does what commands ask for, and says in words what came of it.

    Raises Iop4dError, whose text is the answer, for a source or an alert that is not there.
    """

    async def status(self) -> str:
        """What is going on."""

    async def last(self, source: str) -> str:
        """The latest results of a source, by any of its names."""

    async def ack(self, tag: str, by: str) -> str:
        """Somebody looks after an alert; without a tag: after the latest one."""

    async def mute(self, hours: float, source: str, by: str) -> str:
        """No alerts of a source for so many hours; ``*`` for all."""

    async def unmute(self, source: str, by: str) -> str:
        """Alerts of a source again."""


class Say(Protocol):
    """Says something in a chat; raises SendError."""

    def __call__(self, chat: str, text: str, *, reply_to: int = 0) -> Awaitable[None]: ...


class BadCommandError(Iop4dError):
    """A command that cannot be understood; the message says how it is written."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command, understood: its name, and what stands behind it."""

    name: str
    source: str = ""
    tag: str = ""
    hours: float = 0.0


class BotCommands:
    """Reads the messages of one bot and has the desk do what they ask for.

    ``api`` gives the bot as it is now; ``chats``: the ids of those who may command; ``load`` and
    ``save`` keep the number of the next message across restarts.
    """

    def __init__(self, *, name: str, api: Callable[[], BotApi], say: Say, desk: Desk,
                 chats: Callable[[], Collection[str]], load: Callable[[], Awaitable[int]],
                 save: Callable[[int], Awaitable[None]], clock: Callable[[], float] = time.time,
                 sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep) -> None:
        self._name = name
        self._api = api
        self._say = say
        self._desk = desk
        self._chats = chats
        self._load = load
        self._save = save
        self._clock = clock
        self._sleep = sleep
        self._me = ""
        self._moved: set[str] = set()
        self._strangers: set[str] = set()
        self._trouble = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Obey commands until told to stop."""
        offset: int | None = None
        rest = _REST
        while not stop.is_set():
            try:
                if offset is None:
                    offset = await self._load()
                asked = self._clock()
                updates = await _unless(stop, self._read(offset))
                rest = _REST
                for update in updates or ():
                    # It counts at once in memory: what cannot be saved is not done for ever.
                    offset = int(update["update_id"]) + 1
                    await self._take(update)
                    await self._save(offset)
                if updates or self._clock() - asked >= 1.0:
                    continue
                pause = 1.0  # a server that does not wait must not be asked all the time
            except (BotError, SendError) as error:
                pause = max(rest, error.retry_after or 0.0)
                self._tell_once(str(error))
            # The loop must outlive whatever comes in from outside: alerts have another way, but
            # nobody would learn that commands are dead.
            except Exception:
                log.exception("commands of channel '%s': an error; going on", self._name)
                pause = rest
            rest = min(max(rest, pause) * 2.0, _LONGEST_REST)
            await _unless(stop, self._sleep(pause))

    async def _read(self, offset: int) -> list[dict[str, Any]]:
        api = self._api()
        if not self._me:
            self._me = await api.get_me()
        updates = await api.get_updates(offset, wait=_WAIT)
        if self._trouble:
            log.info("commands of channel '%s' come in again", self._name)
            self._trouble = ""
        return [update for update in updates if isinstance(update.get("update_id"), int)]

    def _tell_once(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("commands of channel '%s' do not come in: %s; trying on", self._name,
                        trouble)
            self._trouble = trouble

    async def _take(self, update: dict[str, Any]) -> None:
        """Do what one message asks for, if it may."""
        try:
            note = _note_of(update)
        except (KeyError, TypeError, ValueError):
            return
        if not self._is_allowed(note):
            self._report_stranger(note)
            return
        if note.moved_to:
            log.warning("chat %s of channel '%s' is now %s: write that into the site file",
                        note.chat, self._name, note.moved_to)
            self._moved.add(note.moved_to)
            return
        answer = await self._answer(note)
        if not answer:
            return
        try:
            await self._say(note.chat, answer, reply_to=note.id)
        except SendError as error:
            log.warning("the answer to '%s' did not get to chat %s: %s", clean(note.text, 60),
                        note.chat, error)

    def _is_allowed(self, note: _Note) -> bool:
        return note.chat in self._moved or note.chat in self._chats()

    def _report_stranger(self, note: _Note) -> None:
        if note.chat in self._strangers or len(self._strangers) >= _STRANGERS:
            return
        self._strangers.add(note.chat)
        log.warning("chat %s (%s) wrote to the bot of channel '%s' and is ignored; if it may "
                    "command, add \"%s\" to 'to'", note.chat, note.by, self._name, note.chat)

    async def _answer(self, note: _Note) -> str:
        """What to say to a message; nothing to one that is not meant for this bot."""
        try:
            order = understand(note.text, me=self._me, quoted=note.quoted,
                               alone=not note.chat.startswith("-"))
            if order is None:
                return ""
            age = self._clock() - note.at
            if age > _LATE and order.name in ("ack", "mute", "unmute"):
                return (f"That came {age / 60:.0f} minutes ago, while I was away, so it was not "
                        "done. Send it again if it is still wanted.")
            log.info("%s (chat %s) commands: %s", note.by, note.chat, clean(note.text, 100))
            return await self._do(order, note.by)
        except Iop4dError as error:
            return str(error)
        # Whatever fails inside: who asked must not wait for an answer that never comes.
        except Exception:
            log.exception("the command '%s' failed", clean(note.text, 100))
            return "That failed; the daemon's log says why."

    async def _do(self, order: Order, by: str) -> str:
        match order.name:
            case "status":
                return await self._desk.status()
            case "last":
                return await self._desk.last(order.source)
            case "ack":
                return await self._desk.ack(order.tag, by)
            case "mute":
                return await self._desk.mute(order.hours, order.source, by)
            case "unmute":
                return await self._desk.unmute(order.source, by)
        return HELP


@dataclass(frozen=True, kw_only=True)
class _Note:
    """A message that somebody sent."""

    id: int
    chat: str
    at: float
    by: str
    text: str
    quoted: str  # the text of the message that it answers
    moved_to: str


def _note_of(update: dict[str, Any]) -> _Note:
    message = update["message"]
    sender, quoted = message.get("from") or {}, message.get("reply_to_message") or {}
    moved = message.get("migrate_to_chat_id")
    return _Note(
        id=int(message["message_id"]), chat=str(int(message["chat"]["id"])),
        at=float(message.get("date", 0)), text=str(message.get("text") or "").strip(),
        by=clean(str(sender.get("username") or sender.get("first_name") or "somebody"), 40),
        quoted=str(quoted.get("text") or quoted.get("caption") or ""),
        moved_to="" if moved is None else str(int(moved)))


def understand(text: str, *, me: str = "", quoted: str = "", alone: bool = True) -> Order | None:
    """The command that a message is; None for one that is not meant for this bot.

    ``quoted`` is the message that it answers; ``alone``: nobody else reads the chat, so whatever
    begins with a slash is meant for us. Raises BadCommandError that shows how it is written.
    """
    match = _COMMAND.fullmatch(text)
    if match is None:
        return None
    name, to, rest = match[1].lower(), match[2] or "", clean(match[3] or "", 120)
    if to and me and to.lower() != me.lower():
        return None
    if name not in _NAMES:
        if not alone and not to:
            return None
        raise BadCommandError(f"There is no /{name}. There are:\n{HELP}")
    hours, tag, source = 0.0, "", ""
    match name:
        case "last" | "unmute":
            source = _source(rest, f"/{name} BL Lac")
        case "ack":
            tag = _tag(rest, quoted)
        case "mute":
            hours, rest = _duration(rest)
            source = _source(rest, "/mute 12h BL Lac")
    return Order(name=name, hours=hours, tag=tag, source=source)


def _source(text: str, example: str) -> str:
    if not text:
        raise BadCommandError(f"Of which source? Such as {example}")
    return text


def _tag(text: str, quoted: str) -> str:
    if text:
        match = _TAG.fullmatch(text)
        if match is None:
            raise BadCommandError("Which alert? Its tag stands at its end, such as /ack #a1b2c3; "
                                  "or answer its message with /ack")
        return f"#{match[1].lower()}"
    found = re.findall(r"#([0-9a-f]{6})\b", quoted)
    return f"#{found[-1]}" if found else ""


def _duration(text: str) -> tuple[float, str]:
    """Hours, and the source beside them: the time may stand first or last."""
    words = text.split()
    for at in (0, -1):
        if words and (match := _TIME.fullmatch(words[at])) is not None:
            hours = float(match[1]) * _HOURS[match[2].lower()]
            if not 0 < hours <= _LONGEST_MUTE:
                raise BadCommandError("For how long? At most 30 days, such as /mute 12h BL Lac")
            return hours, " ".join(words[1:] if at == 0 else words[:-1])
    raise BadCommandError("For how long? Such as /mute 12h BL Lac, or /mute 2d 3C 273")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What some work gives; None when the stop comes first, which ends it."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
