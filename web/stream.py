"""The live stream: one thread tails the events and hands them to every browser."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iop4d.model import plain_json
from iop4d.model.states import DaemonState
from iop4d.store import events
from iop4d.store.database import StoreUnavailableError
from iop4d.store.schema import Event
from iop4d.store.status import daemon_state, heartbeat
from iop4d.system.lock import is_locked
from iop4d.web.live_names import PAGE_PREFIX, names_of
from iop4d.web.reader import Reader

_log = logging.getLogger(__name__)

QUEUE = 100  # messages a browser may be behind before it is dropped
REPLAY = 200  # events replayed; a page that was away longer loads again
_POLL_SECONDS = 0.4
_HEARTBEAT_SECONDS = 15.0
_LOOK_SECONDS = 1.0  # how often a silent stream checks that its browser is still there
_ASK_SECONDS = 15.0  # how often it is asked whether the browser may still read it
#: A stream ends by itself after this, and the browser opens another: nothing lives for ever.
_LIFE_SECONDS = 900.0


@dataclass(frozen=True)
class Message:
    """What a stream says: the event's id, or 0; its kind; its data as JSON."""

    id: int
    kind: str
    data: str = "{}"
    names: tuple[str, ...] = ()  # more under which our pages know it

    def encoded(self, *, for_page: bool) -> bytes:
        """As it is sent: our pages' parts listen to names, programs get events without one."""
        number = f"id: {self.id}\n" if self.id else ""
        name = f"event: {PAGE_PREFIX}{self.kind}\n" if for_page else \
            "" if self.id else f"event: {self.kind}\n"
        more = "".join(f"event: {PAGE_PREFIX}{one}\ndata: {{}}\n\n" for one in self.names) \
            if for_page else ""
        return f"{number}{name}data: {self.data}\n\n{more}".encode()


_RESET = Message(0, "reset")
_QUIET = Message(0, "")


@dataclass(eq=False)
class Client:
    """One browser: its queue, and the last event it has."""

    sent: int
    replay: list[Message]
    messages: queue.Queue[Message] = field(default_factory=lambda: queue.Queue(QUEUE))
    gone: threading.Event = field(default_factory=threading.Event)

    def offer(self, message: Message) -> bool:
        """Queue a message; False if the browser does not keep up."""
        try:
            self.messages.put_nowait(message)
        except queue.Full:
            return False
        return True

    def drop(self) -> None:
        """End the stream, also one that waits."""
        self.gone.set()
        self.offer(_QUIET)


class Hub:
    """Tails the event table for all browsers together, while there are any."""

    def __init__(self, reader: Reader, *, lock: Path, limit: int) -> None:
        self._reader = reader
        self._lock = lock
        self._limit = limit
        self._clients: set[Client] = set()
        self._cursor: int | None = None
        self._beat: tuple[DaemonState | None, Any] = (None, None)
        self._shown: tuple[Any, ...] = ()  # what of the heartbeat banners tell
        self._lost = False  # the database could not be read, and the browsers were told
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def count(self) -> int:
        """Streams open now."""
        return len(self._clients)

    def subscribe(self, last_seen: int | None) -> Client | None:
        """A new stream that continues after an event; None if there are too many."""
        with self._changed:
            if self._closed or len(self._clients) >= self._limit:
                return None
            # Under the lock the thread publishes nothing: no event falls between the two.
            newest, replay = self._missed(last_seen)
            if last_seen is not None:
                # The daemon's state has no number: who was away is told to look.
                replay = [*replay, Message(0, "daemon", f'{{"daemon":"{self._beat[0]}"}}')]
            client = Client(sent=newest or 0, replay=replay)
            if not self._clients:
                self._cursor = newest
            self._clients.add(client)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="web-events", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return client

    def unsubscribe(self, client: Client) -> None:
        """Forget a stream."""
        with self._changed:
            self._clients.discard(client)

    def close(self) -> None:
        """End all streams and the thread."""
        with self._changed:
            self._closed = True
            for client in self._clients:
                client.drop()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=1.0)

    def _missed(self, last_seen: int | None) -> tuple[int | None, list[Message]]:
        """The newest event's id, None if it cannot be read, and what a browser missed."""
        try:
            with self._reader.connected() as db:
                newest = events.newest(db)
                if last_seen is None or last_seen == newest:
                    return newest, []
                rows = events.after(db, last_seen, REPLAY + 1)
        except StoreUnavailableError:
            return None, []
        if len(rows) > REPLAY or last_seen > newest:
            return newest, [_RESET]
        return (rows[-1].id if rows else newest), [_message(row) for row in rows]

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._clients or self._closed)
                if self._closed:
                    return
            try:
                self._tail()
            except StoreUnavailableError:
                _log.debug("the live stream cannot read the database", exc_info=True)
                self._lose()
            except Exception:  # noqa: BLE001
                # One bad row must not end the live page of everyone.
                _log.exception("the live stream failed")
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=_POLL_SECONDS)

    def _lose(self) -> None:
        """The database cannot be read: pages ask for their parts once, and are told why."""
        if self._lost:
            return
        self._lost, self._beat = True, (None, None)
        with self._changed:
            self._publish([Message(0, "daemon", '{"daemon":"unknown"}')])

    def _publish(self, messages: list[Message]) -> None:
        """Hand messages to every browser; who does not keep up is dropped. Under the lock."""
        for client in list(self._clients):
            if not all(map(client.offer, messages)):
                self._clients.discard(client)
                client.drop()

    def _tail(self) -> None:
        """One look at the database."""
        cursor = self._cursor
        with self._reader.connected() as db:
            newest = events.newest(db)
            rows = events.after(db, cursor, QUEUE) if cursor is not None and newest > cursor else []
            beat = heartbeat(db)
        self._lost = False
        messages = [_message(row) for row in rows]
        daemon = daemon_state(beat, time.time(), locked=is_locked(self._lock))
        if (daemon, beat.get("beat_at")) != self._beat:
            shown = _shown_of(beat)
            kinds = ["beat"] + ["daemon"] * (daemon != self._beat[0] or shown != self._shown)
            self._beat, self._shown = (daemon, beat.get("beat_at")), shown
            messages += [Message(0, kind, f'{{"daemon":"{daemon}"}}') for kind in kinds]
        with self._changed:
            if cursor is None or newest < cursor:
                # The database came, or another one took its place.
                self._cursor = newest
                messages = [_RESET, *messages]
            elif rows:
                self._cursor = max(self._cursor or 0, rows[-1].id)
            self._publish(messages)


def _shown_of(beat: dict[str, Any]) -> tuple[Any, ...]:
    """What of a heartbeat the banners of pages tell, besides the daemon's state."""
    archives = [(one.get("name"), one.get("state"), one.get("reason"))
                for one in beat.get("archives") or () if isinstance(one, dict)]
    broker = beat.get("triggers") or {}
    return (repr((broker.get("state"), broker.get("reason"))), *(repr(beat.get(name)) for name in (
        "config_error", "wrong_rules", "paused", "trouble", "started_at")), repr(archives))


def _message(row: Event) -> Message:
    return Message(row.id, row.kind, plain_json.dumps(
        {"id": row.id, "at": row.at, "kind": row.kind, "content": row.content}),
        tuple(names_of(row.kind, row.content)[1:]))


def messages(client: Client, connected: Callable[[], bool],
             allowed: Callable[[], bool] = lambda: True, *, for_page: bool = False,
             ) -> Iterator[bytes]:
    """What one browser gets, until it leaves, falls behind, or the stream's time is over.

    ``allowed``: whether it may still read this, asked from time to time. ``for_page``: whether one
    of our pages listens.
    """
    # Not all at once after a restart.
    yield f"retry: {random.randint(2000, 5000)}\n\n".encode()
    yield from (message.encoded(for_page=for_page) for message in client.replay
                if message.id or for_page or message.kind != "daemon")
    client.replay = []
    end = time.monotonic() + _LIFE_SECONDS * random.uniform(0.8, 1.2)
    silent_since = asked = time.monotonic()
    while not client.gone.is_set() and time.monotonic() < end and connected():
        if time.monotonic() - asked >= _ASK_SECONDS:
            if not allowed():
                return
            asked = time.monotonic()
        try:
            message = client.messages.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if time.monotonic() - silent_since < _HEARTBEAT_SECONDS:
                continue
            message = _QUIET
        if client.gone.is_set() or (message.id and message.id <= client.sent):
            continue
        if message.kind == "daemon" and not message.id and not for_page:
            continue
        client.sent = message.id or client.sent
        silent_since = time.monotonic()
        yield message.encoded(for_page=for_page) if message.kind else b": \n\n"
