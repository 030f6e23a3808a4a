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
from iop4d.model.units import SpanError, seconds_of

log = logging.getLogger(__name__)

T = TypeVar("T")

HELP = """\
/status – state of the site
/last BL Lac – latest results of a source
/ack #a1b2c3 – acknowledge an alert: no further reminders (or answer its message with /ack; \
without a tag: the most recent alert)
/mute 12h BL Lac – no alerts of a source for a while (min, h, d or w; * for all sources)
/unmute BL Lac – end a mute
/help – this list"""

_WAIT = 50.0  # seconds that one question for news may take
_REST = 2.0  # seconds before the first new try when the API fails; doubling
_LONGEST_REST = 300.0
_LATE = 900.0  # seconds after which a command is too old to be done
_STRANGERS = 200  # chats that are remembered as named in the log
_LONGEST_MUTE = 30 * 86400.0  # seconds
_NAMES = {"status", "last", "ack", "mute", "unmute", "help", "start"}
_COMMAND = re.compile(r"/([A-Za-z_]{1,32})(?:@(\w{1,64}))?(?:\s+(.*))?", re.DOTALL)
_TAG = re.compile(r"#?([0-9a-f]{6})\b", re.IGNORECASE)
_DURATION = re.compile(r"\d{1,4}(\.\d{1,2})?(m|min|h|d|w)", re.ASCII | re.IGNORECASE)


class Replies(Protocol):
    """Does what commands ask for, and answers in words.

    Raises Iop4dError, whose text is the answer, for a source or an alert that is not there.
    """

    async def status(self) -> str:
        """The state of the site."""

    async def last(self, source: str) -> str:
        """The latest results of a source, by any of its names."""

    async def acknowledge(self, tag: str, by: str) -> str:
        """Acknowledge an alert; without a tag: the most recent one."""

    async def mute(self, seconds: float, source: str, by: str) -> str:
        """No alerts of a source for a while; ``*`` for all."""

    async def unmute(self, source: str, by: str) -> str:
        """Alerts of a source again."""


class SendText(Protocol):
    """Sends a text to a chat; raises SendError."""

    def __call__(self, chat: str, text: str, *, reply_to: int = 0) -> Awaitable[None]: ...


class BadCommandError(Iop4dError):
    """A command that cannot be understood; the message says how it is written."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command: its name, and what stands behind it."""

    name: str
    source: str = ""
    tag: str = ""
    seconds: float = 0.0


class BotCommands:
    """Reads the messages of one bot and does what they ask for.

    ``api`` gives the bot as it is now; ``chats``: the ids of those who may command; ``moved``: the
    new ids of those of them that moved, ``note_move`` keeps another (old id, new id); ``load`` and
    ``save`` keep the number of the next message. What is kept outlasts restarts.
    """

    def __init__(self, *, name: str, api: Callable[[], BotApi], send_text: SendText,
                 replies: Replies, chats: Collection[str], load: Callable[[], Awaitable[int]],
                 save: Callable[[int], Awaitable[None]],
                 moved: Callable[[], Awaitable[Collection[str]]] | None = None,
                 note_move: Callable[[str, str], Awaitable[None]] | None = None,
                 clock: Callable[[], float] = time.time,
                 sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep) -> None:
        self._name = name
        self._api = api
        self._send_text = send_text
        self._replies = replies
        self._chats = chats
        self._load = load
        self._save = save
        self._clock = clock
        self._sleep = sleep
        self._me = ""
        self._moved = moved
        self._seen_moving: set[str] = set()
        self._note_move = note_move
        self._strangers: set[str] = set()
        self._trouble = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Obey commands until ``stop`` is set."""
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
                    await self._handle(update)
                    await self._save(offset)
                if updates or self._clock() - asked >= 1.0:
                    continue
                pause = 1.0  # a server that does not wait must not be asked all the time
            except (BotError, SendError) as error:
                pause = max(rest, error.retry_after or 0.0)
                self._warn_once(str(error))
            # The loop must outlive whatever comes in from outside: alerts have another way, but
            # nobody would learn that commands are dead.
            except Exception:
                log.exception("commands of channel '%s': an error; trying again", self._name)
                pause = rest
            rest = min(max(rest, pause) * 2.0, _LONGEST_REST)
            await _unless(stop, self._sleep(pause))

    async def _read(self, offset: int) -> list[dict[str, Any]]:
        api = self._api()
        if not self._me:
            self._me = await api.get_me()
        updates = await api.get_updates(offset, wait=_WAIT)
        if self._trouble:
            log.info("channel '%s' receives commands again", self._name)
            self._trouble = ""
        return [update for update in updates if isinstance(update.get("update_id"), int)]

    def _warn_once(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("channel '%s' receives no commands: %s; trying again", self._name, trouble)
            self._trouble = trouble

    async def _handle(self, update: dict[str, Any]) -> None:
        """Do what one message asks for, if it may."""
        try:
            message = _message_of(update)
        except (KeyError, TypeError, ValueError):
            return
        if not await self._is_allowed(message.chat):
            self._report_stranger(message)
            return
        if message.moved_to:
            log.warning("chat %s of channel '%s' has the new id %s: write it into the site file",
                        message.chat, self._name, message.moved_to)
            self._seen_moving.add(message.moved_to)
            if self._note_move is not None:
                await self._note_move(message.chat, message.moved_to)
            return
        answer = await self._answer(message)
        if not answer:
            return
        try:
            await self._send_text(message.chat, answer, reply_to=message.id)
        except SendError as error:
            log.warning("the answer to '%s' was not sent to chat %s: %s", clean(message.text, 60),
                        message.chat, error)

    async def _is_allowed(self, chat: str) -> bool:
        """Whether a chat may command: a listed one, or one to which such a group moved."""
        if chat in self._chats or chat in self._seen_moving:
            return True
        return self._moved is not None and chat in await self._moved()

    def _report_stranger(self, message: _ChatMessage) -> None:
        if message.chat in self._strangers or len(self._strangers) >= _STRANGERS:
            return
        self._strangers.add(message.chat)
        log.warning("chat %s (%s) wrote to the bot of channel '%s' and is ignored; if it may "
                    "command, add \"%s\" to 'to'", message.chat, message.by, self._name,
                    message.chat)

    async def _answer(self, message: _ChatMessage) -> str:
        """What to say to a message; nothing to one that is not meant for this bot."""
        try:
            command = parse_command(message.text, me=self._me, quoted=message.quoted,
                                    alone=not message.chat.startswith("-"))
            if command is None:
                return ""
            age = self._clock() - message.at
            if age > _LATE and command.name in ("ack", "mute", "unmute"):
                return (f"This command was sent {age / 60:.0f} minutes ago, while the daemon did "
                        "not receive commands, so it was not done. Send it again if you still "
                        "want it.")
            log.info("%s (chat %s) commands: %s", message.by, message.chat,
                     clean(message.text, 100))
            return await self._do(command, message.by)
        except Iop4dError as error:
            return str(error)
        # Whatever fails inside: who asked must not wait for an answer that never comes.
        except Exception:
            log.exception("the command '%s' failed", clean(message.text, 100))
            return "The command failed; the reason is in the daemon's log."

    async def _do(self, command: Command, by: str) -> str:
        match command.name:
            case "status":
                return await self._replies.status()
            case "last":
                return await self._replies.last(command.source)
            case "ack":
                return await self._replies.acknowledge(command.tag, by)
            case "mute":
                return await self._replies.mute(command.seconds, command.source, by)
            case "unmute":
                return await self._replies.unmute(command.source, by)
        return HELP


@dataclass(frozen=True, kw_only=True)
class _ChatMessage:
    """A message that somebody sent."""

    id: int
    chat: str
    at: float
    by: str
    text: str
    quoted: str  # the text of the message that it answers
    moved_to: str


def _message_of(update: dict[str, Any]) -> _ChatMessage:
    message = update["message"]
    sender, quoted = message.get("from") or {}, message.get("reply_to_message") or {}
    moved = message.get("migrate_to_chat_id")
    return _ChatMessage(
        id=int(message["message_id"]), chat=str(int(message["chat"]["id"])),
        at=float(message.get("date", 0)), text=str(message.get("text") or "").strip(),
        by=clean(str(sender.get("username") or sender.get("first_name") or "unknown"), 40),
        quoted=str(quoted.get("text") or quoted.get("caption") or ""),
        moved_to="" if moved is None else str(int(moved)))


def parse_command(text: str, *, me: str = "", quoted: str = "",
                  alone: bool = True) -> Command | None:
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
        raise BadCommandError(f"There is no command /{name}. The commands are:\n{HELP}")
    seconds, tag, source = 0.0, "", ""
    match name:
        case "last" | "unmute":
            source = _source(rest, f"/{name} BL Lac")
        case "ack":
            tag = _tag(rest, quoted)
        case "mute":
            seconds, rest = _duration(rest)
            source = _source(rest, "/mute 12h BL Lac")
    return Command(name=name, seconds=seconds, tag=tag, source=source)


def _source(text: str, example: str) -> str:
    if not text:
        raise BadCommandError(f"Name a source, such as {example}")
    return text


def _tag(text: str, quoted: str) -> str:
    if text:
        match = _TAG.fullmatch(text)
        if match is None:
            raise BadCommandError("Give the tag at the end of the alert's message, such as "
                                  "/ack #a1b2c3, or answer that message with /ack")
        return f"#{match[1].lower()}"
    found = re.findall(r"#([0-9a-f]{6})\b", quoted)
    return f"#{found[-1]}" if found else ""


def _duration(text: str) -> tuple[float, str]:
    """Seconds, and the source beside them: the duration may stand first or last."""
    words = text.split()
    for at in (0, -1):
        if words and _DURATION.fullmatch(words[at]):
            try:
                seconds = seconds_of(words[at], longest_s=_LONGEST_MUTE)
            except SpanError as error:
                raise BadCommandError("Give a duration of at most 30 days, such as "
                                      "/mute 12h BL Lac") from error
            return seconds, " ".join(words[1:] if at == 0 else words[:-1])
    raise BadCommandError("Give a duration and a source, such as /mute 12h BL Lac or "
                          "/mute 2d 3C 273")


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
