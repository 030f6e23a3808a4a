"""Sends what is in the outbox, each channel by itself, until the server has accepted it.

At least once: a message is sent, then marked; whoever is told twice, because the power failed in
between, gets the same Message-ID again. A channel that is down is tried at growing intervals and
keeps its messages; the others never wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from iop4d.alerts import compose
from iop4d.alerts.channels.base import Channel, SendError, make_channels
from iop4d.alerts.letters import Letter, Letters
from iop4d.alerts.rendering import clean
from iop4d.config import Site
from iop4d.model.messages import PlotRequest
from iop4d.store.database import Database

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST_REST = 5.0  # seconds between looks when nothing wakes us
_PLOT_WAIT = 3.0  # seconds a message waits for its picture, then it goes without
_FINISH_IN = 5.0  # seconds that deliveries under way get when the daemon stops
_WHOLE = 20.0  # times the timeout of one answer: the longest that any delivery may take
_PLOTS_KEPT = 8  # pictures, for the other recipients of the same alert


class RunDb(Protocol):
    """Runs a function on the thread that owns the database."""

    def __call__(self, function: Callable[P, T], *args: P.args,
                 **kwargs: P.kwargs) -> Awaitable[T]: ...


class Relay:
    """Carries messages from the outbox to their channels. There is one on a site."""

    def __init__(self, *, run_db: RunDb, site: Site, clock: Callable[[], float],
                 plot: Callable[[PlotRequest], Awaitable[bytes | None]], database: Database,
                 channels: Mapping[str, Channel] | None = None) -> None:
        self._run_db = run_db
        self._clock = clock
        self._plot = plot
        self._root = site.root
        self._longest = _WHOLE * site.alerts.timeout
        self._recipients = {channel.name: channel.recipients for channel in site.channel}
        self._letters = Letters(database=database, settings=site.alerts, clock=clock)
        self._channels = make_channels(site) if channels is None else channels
        self._busy: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unmarked: set[int] = set()
        self._down: set[str] = set()
        self._plots: dict[str, bytes] = {}

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels by their names."""
        return self._channels

    async def send_due(self) -> int:
        """Send every message that is due, all channels side by side; how many were accepted."""
        await self._run_db(self._letters.drop_strangers, self._recipients)
        due, _ = await self._run_db(self._letters.due)
        return sum(await asyncio.gather(*map(self._drain, due)))

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Send messages as they come, until told to stop. ``wake``: there may be a new one."""
        tasks: dict[str, asyncio.Task[int]] = {}
        signals = [asyncio.create_task(stop.wait(), name="relay stop")]
        try:
            await self._run_db(self._letters.begin, self._recipients)
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
            due, later = await self._run_db(self._letters.due)
        # A look that fails (a locked database, say) must not end the relay: the messages are
        # still in the outbox, and the next look comes.
        except Exception:
            log.exception("the outbox could not be read; trying again")
            return _LONGEST_REST
        for name in due:
            if name not in tasks:
                tasks[name] = asyncio.create_task(self._drain(name), name=f"mails of {name}")
        if later is None:
            return _LONGEST_REST
        return min(max(later - self._clock(), 0.05), _LONGEST_REST)

    async def _drain(self, name: str) -> int:
        """Send the messages of one channel that are due, oldest first; how many were accepted."""
        sent = 0
        async with self._busy[name]:  # a look by hand and the loop must not send the same twice
            while (letter := await self._run_db(self._letters.claim, name)) is not None:
                sent += await self._deliver(letter)
        return sent

    async def _deliver(self, letter: Letter) -> bool:
        if letter.id not in self._unmarked:
            try:
                await self._send(letter)
            except SendError as error:
                log.warning("mail %d to %s on '%s' was not sent: %s", letter.id, letter.recipient,
                            letter.channel, error)
                await self._run_db(self._letters.mark_refused, letter, error)
                if error.channel_down:
                    self._down.add(letter.channel)
                return False
        # Until it is marked it is known here: if the disk is full, it must not be sent for ever.
        self._unmarked.add(letter.id)
        await self._run_db(self._letters.mark_sent, letter)
        self._unmarked.discard(letter.id)
        log.info("mail %d sent to %s on '%s'", letter.id, letter.recipient, letter.channel)
        if letter.channel in self._down:
            self._down.discard(letter.channel)
            await self._run_db(self._letters.resume, letter.channel)
        return True

    async def _send(self, letter: Letter) -> None:
        channel = self._channels.get(letter.channel)
        if channel is None:
            raise SendError(f"the site file has no channel '{letter.channel}'", permanent=False,
                            channel_down=True)
        try:
            notice = compose.compose(
                letter.content, message_id=letter.message_id, at=letter.created_at,
                pictures=await self._pictures(letter))
        except (compose.MessageError, AttributeError, TypeError) as error:
            raise SendError(str(error), permanent=True) from error
        try:
            async with asyncio.timeout(self._longest):
                await channel.send(notice, letter.recipient)
        except SendError:
            raise
        except TimeoutError:
            raise SendError(f"channel '{letter.channel}' did not end the delivery in "
                            f"{self._longest:.0f} s", permanent=False, channel_down=True,
                            unsure=True) from None
        # A fault in a channel, such as one of an installed package, is tried again as seldom as
        # any other; without this it would be tried without a pause, and nobody would be told.
        except Exception as error:
            log.exception("channel '%s' failed at mail %d", letter.channel, letter.id)
            raise SendError(f"channel '{letter.channel}' has a fault: {type(error).__name__}: "
                            f"{clean(str(error), 200)}", permanent=False, unsure=True) from error

    async def _pictures(self, letter: Letter) -> dict[str, bytes]:
        """What a message shows: files that are named in it, or the light curve of an alert."""
        named = letter.content.get("pictures") or ()
        if named:
            return await asyncio.to_thread(read_pictures, self._root, named)
        picture = await self._picture(letter)
        return {f"light-curve.{letter.message_id.strip('<>')}": picture} if picture else {}

    async def _picture(self, letter: Letter) -> bytes | None:
        """The light curve, if it is made in time: the news is worth more than its picture."""
        try:
            request = compose.plot_of(letter.content)
            if request is None:
                return None
            key = repr(request)
            if key not in self._plots:
                async with asyncio.timeout(_PLOT_WAIT):
                    picture = await self._plot(request)
                if picture is None:
                    return None
                self._plots[key] = picture
                while len(self._plots) > _PLOTS_KEPT:
                    self._plots.pop(next(iter(self._plots)))
            return self._plots.get(key)
        except TimeoutError:
            log.warning("mail %d goes without its picture: it took too long", letter.id)
        # Whatever fails as it is drawn: the text is the news.
        except Exception:
            log.exception("mail %d goes without its picture", letter.id)
        return None


def read_pictures(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """The pictures below the site's folder that are still there, by their content ids."""
    found = {}
    for path in paths:
        try:
            found[compose.cid_of(path)] = (root / path).read_bytes()
        except OSError as error:
            log.warning("a message goes without the picture %s: %s", path, error)
    return found
