"""Telegram: plain text and the light curve, at the pace that it allows.

Text goes without any markup: the minus signs and dots of magnitudes break that, and the whole
message with it. The text is the news. A picture that is refused, or that does not get through, is
left out.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Awaitable, Callable

from iop4d import config
from iop4d.alerts.channels.base import Notice, SendError, secret_for
from iop4d.alerts.channels.bot_api import BotApi, BotError
from iop4d.alerts.rendering import clean

log = logging.getLogger(__name__)

TEXT = 4096  # characters of a message, and of a picture's caption
CAPTION = 1024
_PATIENCE = 3.0  # seconds to wait here for a turn; a longer wait is the outbox's
_REMEMBERED = 200  # chats that moved, pictures that failed
_BAD_TEXT = re.compile(r"parse|entit|utf-?8|encod|too long|empty", re.IGNORECASE)
_PLAIN = str.maketrans({"±": "+/-", "–": "-", "−": "-", "…": "...", "°": " deg", "σ": "sigma"})

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class RateLimit:
    """When a bot may write: to a chat once a second, to a group 20 times a minute.

    These are the limits that are known; what the server asks for beyond them is kept as well.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=20))
        self._paused_until: dict[str, float] = {}
        self._any = -1e9

    def wait(self, chat: str) -> float:
        """Seconds until it is this chat's turn."""
        now, sent = self._clock(), self._sent[chat]
        free = max(self._any + 0.04, self._paused_until.get(chat, now),
                   self._paused_until.get("", now))
        if sent:
            free = max(free, sent[-1] + 1.0)
        if chat.startswith(("-", "@")) and len(sent) == 20:
            free = max(free, sent[0] + 60.0)
        return max(0.0, free - now)

    def take_turn(self, chat: str) -> float:
        """Take the next turn; the seconds until it comes."""
        wait = self.wait(chat)
        self._any = self._clock() + wait
        self._sent[chat].append(self._any)
        return wait

    @property
    def is_paused(self) -> bool:
        """Whether the whole bot is to pause."""
        return self._paused_until.get("", 0.0) > self._clock()

    def pause(self, chat: str, seconds: float) -> None:
        """The server wants this chat left alone; if it wants that of two, the whole bot."""
        now = self._clock()
        self._paused_until = {c: at for c, at in self._paused_until.items() if at > now}
        until = now + seconds
        self._paused_until[chat] = until
        if len(self._paused_until) > 1:
            self._paused_until[""] = until


class TelegramChannel:
    """One bot, and the chats that it may write to. The token is read at each message."""

    def __init__(self, channel: config.TelegramChannel, timeout: float, *,
                 clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._channel = channel
        self._timeout = timeout
        self._sleep = sleep
        self._limit = RateLimit(clock)
        self._moved: dict[str, str] = {}
        self._text_first: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def send(self, notice: Notice, recipient: str) -> None:
        """Send a notice to a chat; raises SendError when its text was not accepted."""
        chat = self._moved.get(recipient, recipient.strip())
        if not re.fullmatch(r"-?\d+|@\w+", chat):
            raise SendError(f"'{clean(recipient, 80)}' is not a chat: expected its id, such as "
                            "-1001234567890, or the @name of a channel", permanent=True)
        try:
            await self._send_all(notice, chat, silent=notice.severity == "info")
        except BotError as error:
            if error.moved_to:
                self._note_move(recipient, chat, error.moved_to)
            raise self._send_error(error) from error

    async def check(self) -> None:
        """Ask the bot for its name, which needs its token; raises SendError."""
        try:
            await self.api().get_me()
        except BotError as error:
            raise self._send_error(error) from error

    async def send_text(self, chat: str, text: str, *, reply_to: int = 0) -> None:
        """Send a text to a chat, such as the answer to a command; raises SendError."""
        try:
            await self._send_text(chat, fit(text, TEXT), reply_to=reply_to)
        except BotError as error:
            raise self._send_error(error) from error

    def api(self) -> BotApi:
        """The bot; raises SendError when there is no token."""
        channel = self._channel
        return BotApi(secret_for(channel, needed="token").strip(), base=channel.api_url,
                      timeout=self._timeout, proxy=channel.proxy)

    async def _send_all(self, notice: Notice, chat: str, *, silent: bool) -> None:
        text = text_of(notice)
        key = (notice.id, chat)
        if notice.picture and units(text) <= CAPTION and key not in self._text_first:
            try:
                await self._send_picture(chat, notice.picture, text, silent=silent)
                return
            except BotError as error:
                if not _is_of_picture(error):
                    # A line too thin for the picture must not keep back the text for ever.
                    self._remember_text_first(key, error)
                    raise
                log.warning("the picture of %s was refused, its text is sent alone: %s", notice.id,
                            error)
            await self._send_text(chat, text, silent=silent)
            return
        sent = await self._send_text(chat, fit(text, TEXT, foot=foot_of(notice)), silent=silent)
        if notice.picture:
            await self._send_picture_after(notice, chat, sent)

    async def _send_picture_after(self, notice: Notice, chat: str, sent: int) -> None:
        """The picture as an answer to the text, which is accepted whatever becomes of this."""
        try:
            await self._send_picture(chat, notice.picture or b"", "", reply_to=sent, silent=True)
        except (BotError, SendError) as error:
            log.warning("the picture of %s was not sent to %s, its text was: %s", notice.id, chat,
                        error)

    async def _send_text(self, chat: str, text: str, *, reply_to: int = 0,
                         silent: bool = False) -> int:
        try:
            return await self._send_text_once(chat, text, reply_to=reply_to, silent=silent)
        except BotError as error:
            if error.code != 400 or error.moved_to or not _BAD_TEXT.search(error.description):
                raise
            log.warning("the text to %s was refused, it is sent in plain ASCII: %s", chat, error)
        return await self._send_text_once(chat, plainest(text), reply_to=reply_to, silent=silent)

    async def _send_text_once(self, chat: str, text: str, *, reply_to: int, silent: bool) -> int:
        api = await self._turn(chat)
        try:
            return await api.send_message(chat, text, reply_to=reply_to, silent=silent)
        except BotError as error:
            self._note_limit(chat, error)
            raise

    async def _send_picture(self, chat: str, png: bytes, caption: str, *, reply_to: int = 0,
                    silent: bool = False) -> None:
        api = await self._turn(chat)
        try:
            await api.send_photo(chat, png, caption, reply_to=reply_to, silent=silent)
        except BotError as error:
            self._note_limit(chat, error)
            raise

    async def _turn(self, chat: str) -> BotApi:
        """The bot, when it may write to a chat; raises SendError when that is not soon."""
        wait = self._limit.wait(chat)
        if wait > _PATIENCE:
            raise SendError(f"chat {chat}: the next message is allowed in {wait:.0f} s (rate limit "
                            "of Telegram)", permanent=False, retry_after=wait,
                            channel_down=self._limit.is_paused)
        api = self.api()
        if (wait := self._limit.take_turn(chat)) > 0:
            await self._sleep(wait)
        return api

    def _note_limit(self, chat: str, error: BotError) -> None:
        if error.code == 429:
            self._limit.pause(chat, 5.0 if error.retry_after is None else error.retry_after)

    def _note_move(self, recipient: str, chat: str, new: str) -> None:
        log.warning("chat %s of channel '%s' has the new id %s: write it into the site file",
                    chat, self._channel.name, new)
        while len(self._moved) >= _REMEMBERED:
            self._moved.pop(next(iter(self._moved)))
        self._moved[recipient] = new

    def _remember_text_first(self, key: tuple[str, str], error: BotError) -> None:
        if error.code == 0 or error.code >= 500:
            self._text_first[key] = None
            while len(self._text_first) > _REMEMBERED:
                self._text_first.popitem(last=False)

    def _send_error(self, error: BotError) -> SendError:
        """What an error of the API means for the message and for its channel."""
        if error.moved_to:
            return SendError(f"the group has the new id {error.moved_to}", permanent=False,
                             retry_after=1.0, moved_to=error.moved_to)
        if error.code in (401, 404):
            return SendError(f"Telegram rejects the token of channel '{self._channel.name}' "
                             f"({error}): correct it", permanent=False, channel_down=True)
        if error.code == 429:
            return SendError(str(error), permanent=False, retry_after=error.retry_after,
                             channel_down=self._limit.is_paused)
        # A message that makes the server fail (500) must not hold up the others.
        return SendError(str(error), permanent=400 <= error.code < 500, unsure=error.unsure,
                         channel_down=error.code == 0 or error.code > 500)


def _is_of_picture(error: BotError) -> bool:
    """Whether the same text may well be taken without the picture."""
    about_chat = error.moved_to or "chat not found" in error.description.lower()
    return error.code in (400, 413) and not about_chat


def text_of(notice: Notice) -> str:
    """The whole text of a notice, with the tag that /ack asks for."""
    text = notice.text.strip() or notice.subject.strip() or notice.kind
    foot = foot_of(notice)
    return f"{text}\n\n{foot}" if foot and notice.tag and notice.tag not in text else text


def foot_of(notice: Notice) -> str:
    """What must be there, however long the text is: where to read on, and the alert's tag."""
    return "\n".join(part for part in (notice.link, notice.tag) if part)


def units(text: str) -> int:
    """The length of a text as the service counts it at worst: in units of UTF-16."""
    return len(text.encode("utf-16-le", "replace")) // 2


def fit(text: str, limit: int, *, foot: str = "") -> str:
    """A text of at most ``limit`` characters, cut at a line; the foot stands below what was cut."""
    if units(text) <= limit:
        return text
    end = f"\n…\n{foot}" if foot else "\n…"
    head = text[:limit - units(end)]
    while units(head) > limit - units(end):
        head = head[:-1]
    line = head.rfind("\n")
    if line < len(head) // 2:  # one endless line: better cut within it than lose half
        return head + end.replace("\n…", "…", 1)
    return head[:line].rstrip() + end


def plainest(text: str) -> str:
    """The text in ASCII and short, for a server that chokes on it: the news above its form."""
    ascii_text = text.translate(_PLAIN).encode("ascii", "replace").decode()
    kept = "".join(c for c in ascii_text if c.isprintable() or c == "\n").strip()
    return fit(kept, CAPTION).replace("…", "...") or "(a message that cannot be shown)"
