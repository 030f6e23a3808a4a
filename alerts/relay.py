"""Sends what is in the outbox, each channel by itself, until the server has accepted it.

At least once: a message is claimed, sent, then marked; whoever gets it twice, because the power
failed in between, gets the same Message-ID again. A channel that is down is tried at growing
intervals and keeps its messages; the others never wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from iop4d.alerts import compose, digest
from iop4d.alerts.channels.base import Channel, SendError, make_channels
from iop4d.alerts.rendering import clean
from iop4d.config import Alerts, Site
from iop4d.model.messages import PlotRequest
from iop4d.store import channel_state, outbox
from iop4d.store.database import Transaction
from iop4d.store.outbox import Message
from iop4d.store.thread import DatabaseThread

log = logging.getLogger(__name__)

_DAY = 86400.0
_LONGEST_REST = 5.0  # seconds between looks when nothing wakes us
_PLOT_WAIT = 3.0  # seconds a message waits for its picture, then it goes without
_FIRST_PLOT_WAIT = 10.0  # for the first: its worker must import what draws, slow on a busy machine
_FINISH_IN = 5.0  # seconds that deliveries under way get when the daemon stops
_WHOLE = 20.0  # times the timeout of one answer: the longest that any delivery may take
_PLOTS_KEPT = 8  # pictures, for the other recipients of the same alert
_MOVES = 3  # times that a message follows its recipient at once
_SET_BACK = 60.0  # seconds by which a clock that is corrected does not go back
_SPREAD = (0.8, 1.2)  # of pauses, so that messages refused together are not tried together

Plot = Callable[[PlotRequest], Awaitable[bytes | None]]


class Relay:
    """Carries messages from the outbox to their channels. There is one on a site.

    ``random_between``: gives a number between two, by which pauses are spread.
    """

    def __init__(self, *, database: DatabaseThread, site: Site, clock: Callable[[], float],
                 plot: Plot, channels: Mapping[str, Channel] | None = None,
                 random_between: Callable[[float, float], float] = random.uniform) -> None:
        self._database = database
        self._settings = site.alerts
        self._clock = clock
        self._plot = plot
        self._root = site.root
        self._longest = _WHOLE * site.alerts.timeout
        self._recipients = {channel.name: channel.recipients for channel in site.channel}
        self._random_between = random_between
        self._channels = make_channels(site) if channels is None else channels
        self._busy: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unmarked: set[int] = set()
        self._down: set[str] = set()
        self._plots: dict[str, bytes] = {}
        self._plot_wait = _FIRST_PLOT_WAIT
        self._latest = 0.0  # reading of the clock

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels by their names."""
        return self._channels

    async def send_due(self) -> int:
        """Send every message that is due, all channels side by side; how many were accepted."""
        await self._drop_unlisted()
        due, _ = await self._due()
        return sum(await asyncio.gather(*map(self._drain, due)))

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Send messages as they come, until ``stop`` is set. ``wake``: there may be a new one."""
        tasks: dict[str, asyncio.Task[int]] = {}
        signals = [asyncio.create_task(stop.wait(), name="relay stop")]
        try:
            await self._begin()
            while not stop.is_set():
                wake.clear()
                rest = await self._look(tasks)
                signals[1:] = [asyncio.create_task(wake.wait(), name="relay wake")]
                await asyncio.wait([*signals, *tasks.values()], timeout=rest,
                                   return_when=asyncio.FIRST_COMPLETED)
                signals[-1].cancel()
        finally:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=_FINISH_IN)
            for task in (*signals, *tasks.values()):
                task.cancel()
            await asyncio.gather(*signals, *tasks.values(), return_exceptions=True)

    async def _look(self, tasks: dict[str, asyncio.Task[int]]) -> float:
        """Start what is due on every channel that is idle; seconds until the next look."""
        for name in [name for name, task in tasks.items() if task.done()]:
            task = tasks.pop(name)
            if not task.cancelled() and (error := task.exception()):
                log.error("%s ended with an error", task.get_name(), exc_info=error)
                return _LONGEST_REST  # a full disk, say, is not better a moment later
        try:
            due, later = await self._due()
        # A look that fails (a locked database, say) must not end the relay: the messages are
        # still in the outbox, and the next look comes.
        except Exception:
            log.exception("the outbox could not be read; trying again")
            return _LONGEST_REST
        for name in due:
            if name not in tasks:
                tasks[name] = asyncio.create_task(self._drain(name), name=f"messages of {name}")
        if later is None:
            return _LONGEST_REST
        return min(max(later - self._clock(), 0.05), _LONGEST_REST)

    async def _begin(self) -> None:
        """The daemon starts: what kept messages back may have been corrected."""
        await self._drop_unlisted()
        await self._database.write(outbox.release_held, self._clock() + _DAY)
        await self._database.write(outbox.resume)

    async def _drop_unlisted(self) -> None:
        dropped = await self._database.write(outbox.drop_unlisted, self._recipients)
        for channel, count in dropped.items():
            log.warning("%d messages of channel '%s' are dropped: the site file does not list "
                        "their recipients any more", count, channel)

    async def _due(self) -> tuple[list[str], float | None]:
        """The channels with messages that are due, and when the next other one will be."""
        now = self._clock()
        back, self._latest = self._latest - now, now
        if back >= _SET_BACK:
            log.warning("the clock was set back by %.0f s", back)
            await self._database.write(outbox.follow_clock, back, now)
        times = await self._database.read(outbox.due_times)
        later = [at for at in times.values() if at > now]
        return [name for name, at in times.items() if at <= now], min(later, default=None)

    def _pause(self, attempts: int) -> float:
        """Seconds before the next attempt: doubling, spread by a fifth so that they part."""
        settings = self._settings
        doubled = settings.retry_wait * 2.0 ** min(attempts - 1, 60)
        return min(doubled, settings.max_retry_wait) * self._random_between(*_SPREAD)

    async def _drain(self, name: str) -> int:
        """Send the messages of one channel that are due, one by one; how many were accepted."""
        sent = 0
        async with self._busy[name]:  # a look by hand and the loop must not send the same twice
            while (message := await self._database.write(
                    digest.claim_next, name, self._settings, self._clock())) is not None:
                sent += await self._deliver(message)
        return sent

    async def _deliver(self, message: Message) -> bool:
        if message.id not in self._unmarked:
            try:
                await self._send(message)
            except SendError as error:
                log.warning("message %d to %s on '%s' was not sent: %s", message.id,
                            message.recipient, message.channel, error)
                await self._database.write(
                    note_refusal, message, error, settings=self._settings, now=self._clock(),
                    pause=self._pause(message.attempts))
                if error.channel_down:
                    self._down.add(message.channel)
                return False
        # Until it is marked it is known here: if the disk is full, it must not be sent for ever.
        self._unmarked.add(message.id)
        await self._database.write(outbox.mark_sent, message, self._clock())
        self._unmarked.discard(message.id)
        log.info("message %d sent to %s on '%s'", message.id, message.recipient, message.channel)
        if message.channel in self._down:
            self._down.discard(message.channel)
            await self._database.write(outbox.resume, message.channel)
        return True

    async def _send(self, message: Message) -> None:
        channel = self._channels.get(message.channel)
        if channel is None:
            raise SendError(f"the site file has no channel '{message.channel}'", permanent=False,
                            channel_down=True)
        try:
            notice = compose.notice_of(
                message.content, message_id=message.message_id, at=message.created_at,
                first_id=message.first_id,
                pictures=await self._pictures(message))
        except (compose.MessageError, AttributeError, TypeError) as error:
            raise SendError(str(error), permanent=True) from error
        try:
            async with asyncio.timeout(self._longest):
                await channel.send(notice, message.recipient)
        except SendError:
            raise
        except TimeoutError:
            raise SendError(f"channel '{message.channel}': the delivery timed out after "
                            f"{self._longest:g} s", permanent=False, channel_down=True,
                            unsure=True) from None
        # A fault in a channel, such as one of an installed package, is tried again as seldom as
        # any other; without this it would be tried without a pause, and nobody would know.
        except Exception as error:
            log.exception("channel '%s' failed at message %d", message.channel, message.id)
            raise SendError(f"channel '{message.channel}' failed: {type(error).__name__}: "
                            f"{clean(str(error), 200)}", permanent=False, unsure=True) from error

    async def _pictures(self, message: Message) -> dict[str, bytes]:
        """What a message shows: files that are named in it, or the light curve of an alert."""
        named = message.content.get("pictures") or ()
        if named:
            return await asyncio.to_thread(read_pictures, self._root, named)
        picture = await self._picture(message)
        return {f"light-curve.{message.message_id.strip('<>')}": picture} if picture else {}

    async def _picture(self, message: Message) -> bytes | None:
        """The light curve, if it is made in time: the news is worth more than its picture."""
        try:
            request = compose.plot_of(message.content)
            if request is None:
                return None
            key = repr(request)
            if key not in self._plots:
                try:
                    async with asyncio.timeout(self._plot_wait):
                        picture = await self._plot(request)
                finally:
                    self._plot_wait = _PLOT_WAIT
                if picture is None:
                    return None
                self._plots[key] = picture
                while len(self._plots) > _PLOTS_KEPT:
                    self._plots.pop(next(iter(self._plots)))
            return self._plots.get(key)
        except TimeoutError:
            log.warning("message %d goes without its picture: it took too long", message.id)
        # Whatever fails as it is drawn: the text is the news.
        except Exception:
            log.exception("message %d goes without its picture", message.id)
        return None


def note_refusal(tx: Transaction, message: Message, error: SendError, *, settings: Alerts,
                 now: float, pause: float) -> None:
    """A message was not accepted: try it later, or give it up.

    ``pause``: seconds before the next attempt, unless the server asked for others.
    """
    again = now + (pause if error.retry_after is None else max(error.retry_after, 1.0))
    outbox.mark_tried(tx, message, unsure=message.unsure or error.unsure)
    if error.moved_to:
        channel_state.move_recipient(tx, message.channel, message.recipient, error.moved_to)
        outbox.put_off(tx, message, 0.0 if message.attempts <= _MOVES else again)
        return
    if error.retry_after is not None:
        channel_state.ask_rest(
            tx, message.channel, "" if error.channel_down else message.recipient, now, again)
    if error.permanent:
        outbox.give_up(tx, message, now, error.reason)
    else:
        outbox.mark_refused(tx, message, now, again=again, reason=error.reason,
                            channel_down=error.channel_down, give_up_days=settings.give_up_days)


def read_pictures(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """The pictures below the site's folder that are still there, by their content ids."""
    found = {}
    for path in paths:
        try:
            found[compose.cid_of(path)] = (root / path).read_bytes()
        except OSError as error:
            log.warning("a message goes without the picture %s: %s", path, error)
    return found
