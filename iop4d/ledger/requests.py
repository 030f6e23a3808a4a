"""Answers what commands and the page request of the daemon: one handler for each kind.

A request is handled and answered in one transaction. One that is unknown, or whose content is
broken, is answered with an error, and holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from iop4d.config import Site
from iop4d.ledger.ledger import FoundFile, Ledger
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind
from iop4d.store import audit, frames, masters, reprocessing, requests
from iop4d.store.database import Transaction
from iop4d.store.schema import Request
from iop4d.store.thread import DatabaseThread

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What the content of a request to try frames again by hand says.
RETRY = "retry"
#: And what else a request to reduce frames again may want.
STOP, CONTINUE = "stop", "continue"
_BY_NAME = 200  # frames up to which each has its row in the audit


class RequestError(Iop4dError):
    """A request cannot be handled; the message says why."""


@dataclass(frozen=True)
class Rest:
    """What is left to do of a request, as it is prepared for its next part."""

    prepared: Any


class Handler(Protocol):
    """Handles one kind of request."""

    def prepare(self, content: Mapping[str, Any]) -> Any:
        """Check the content, and read what files it names: off the event loop, in no transaction.

        Raises RequestError, or another Iop4dError, where it is wrong.
        """

    def act(self, tx: Transaction, prepared: Any) -> dict[str, Any] | Rest:
        """Do it, and give the answer; an exception undoes what was done.

        What takes long is done in parts, each in a transaction of its own.
        """

    @property
    def after(self) -> Callable[[], Awaitable[None]]:
        """What follows once it is committed; called on the event loop."""


class Requests:
    """Answers requests one after the other, oldest first."""

    def __init__(self, database: DatabaseThread, handlers: Mapping[RequestKind, Handler]) -> None:
        self._database = database
        self._handlers = handlers

    async def run_once(self) -> None:
        """Answer all that wait."""
        for request in await self._database.read(requests.queued):
            await self._answer(request)

    async def _answer(self, request: Request) -> None:
        handler, prepared = None, None
        try:
            handler = self._handler_of(request)
            prepared = await asyncio.to_thread(handler.prepare, request.content)
        # Whatever a request holds must end with its answer, or it holds up all others.
        except Exception as error:  # noqa: BLE001
            handler, prepared = None, error
        done: bool | Rest = Rest(prepared)
        while isinstance(done, Rest):
            done = await self._database.write(_handled, request, handler, done.prepared)
        if done:
            assert handler is not None
            await handler.after()

    def _handler_of(self, request: Request) -> Handler:
        handler = self._handlers.get(request.kind)
        if handler is None:
            raise RequestError(f"this daemon knows no request '{request.kind}'")
        if not isinstance(request.content, dict):
            raise RequestError("its content is no table of values")
        return handler


def _handled(tx: Transaction, request: Request, handler: Handler | None,
             prepared: Any) -> bool | Rest:
    """Handle a request and answer it; whether it was done, or what is left of it.

    ``prepared``: without a handler, why.
    """
    error: Exception | None = prepared
    answer: dict[str, Any] = {}
    if handler is not None:
        error = None
        try:
            with tx.savepoint():
                found = handler.act(tx, prepared)
            if isinstance(found, Rest):
                return found
            answer = found
        # As above; what was done of it is undone.
        except Exception as caught:  # noqa: BLE001
            error = caught
    if error is not None:
        answer = {"error": _words(error)}
        log.warning("request %d (%s) is not done: %s", request.id, request.kind, answer["error"],
                    exc_info=None if isinstance(error, Iop4dError | OSError) else error)
    requests.answer(tx, request.id, answer)
    return error is None


def _words(error: Exception) -> str:
    if isinstance(error, Iop4dError | OSError):
        return str(error)
    return f"the request is broken: {type(error).__name__}: {error}"


# The requests about frames and masters. ``wake``: who does the work.


class FilesByHand:
    """``iop4d reduce``: take in files, and reduce them before all others.

    ``look``: size, time of change in ns and inode of a file; None if it is not there.
    """

    def __init__(self, site: Site, ledger: Ledger, clock: Callable[[], float],
                 wake: Callable[[], Awaitable[None]], *,
                 look: Callable[[Path], tuple[int, int, int] | None]) -> None:
        self._site = site
        self._ledger = ledger
        self._clock = clock
        self._look = look
        self.after = wake

    def prepare(self, content: Mapping[str, Any]) -> list[FoundFile]:
        """The files that are there."""
        found = (self._found(Path(path)) for path in _list_of(content, "paths", str))
        return [file for file in found if file is not None]

    def act(self, tx: Transaction, prepared: list[FoundFile]) -> dict[str, Any]:
        """The ids of their frames."""
        return {"frames": self._ledger.accept(tx, prepared)}

    def _found(self, path: Path) -> FoundFile | None:
        stamp = self._look(path)
        if stamp is None:
            return None
        archive = next((a.name for a in self._site.archive if path.is_relative_to(a.path)),
                       "by hand")
        return FoundFile(archive=archive, path=path, size=stamp[0], mtime_ns=stamp[1],
                         completed_at=self._clock(), wanted=True)


@dataclass(frozen=True, kw_only=True)
class Again:
    """Frames that are to be reduced again: those from ``first`` on are not queued yet.

    ``act``: what else is wanted; ``by``: who tries them again, where that is to be kept; ``mark``:
    by which they are counted; ``done``: how many are queued, stopped or continued.
    """

    ids: tuple[int, ...] = ()
    act: str = ""
    by: str = ""
    mark: str = ""
    first: int = 0
    done: int = 0


class Reprocess:
    """``iop4d reprocess`` and ``retry``: reduce frames again, stop that, or resume it.

    With a mark a part of the frames at a time is queued: what came in meanwhile is written between
    two parts. A daemon that dies amid it begins again with the first.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float],
                 wake: Callable[[], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._clock = clock
        self.after = wake

    def prepare(self, content: Mapping[str, Any]) -> Again:
        """The frames' ids, and what is wanted of them."""
        act, mark = _text_of(content, "act"), _text_of(content, "mark")
        if mark and not mark.startswith(reprocessing.MARK):
            raise RequestError("its 'mark' is none")
        if act in (STOP, CONTINUE):
            return Again(act=act, mark=mark)
        return Again(ids=tuple(_list_of(content, "frames", int)), mark=mark,
                     by=_text_of(content, "by") if act == RETRY else "")

    def act(self, tx: Transaction, prepared: Again) -> dict[str, Any] | Rest:
        """The ids of those that there are; with a mark their number alone."""
        if prepared.act:
            return self._stop_or_continue(tx, prepared)
        if prepared.mark:
            return self._queue_part(tx, prepared)
        ids, by = list(prepared.ids), prepared.by
        each = by and len(ids) <= _BY_NAME
        was = {row.id: row.reason for row in frames.among(tx, ids)} if each else {}
        again = self._ledger.redo(tx, ids)
        for id_ in again if each else ():
            audit.record(tx, at=self._clock(), by=by, act=RETRY, subject=f"frame {id_}",
                         was=was.get(id_))
        if by and not each:
            audit.record(tx, at=self._clock(), by=by, act=RETRY, subject=f"{len(again)} frames")
        return {"frames": again}

    def _queue_part(self, tx: Transaction, again: Again) -> dict[str, Any] | Rest:
        last = again.first + reprocessing.PART
        queued = self._ledger.redo(tx, again.ids[again.first:last], again.mark)
        done = again.done + len(queued)
        if last < len(again.ids):
            return Rest(replace(again, first=last, done=done))
        return {"count": done, "mark": again.mark, "since": self._clock()}

    def _stop_or_continue(self, tx: Transaction, again: Again) -> dict[str, Any] | Rest:
        now = self._clock()
        count = reprocessing.stop(tx, now) if again.act == STOP else reprocessing.go_on(
            tx, now, again.mark)
        done = again.done + count
        if count == reprocessing.PART:
            return Rest(replace(again, done=done))
        if again.act == STOP:
            return {"frames": [], "count": done}
        return {"count": done, "mark": again.mark, "since": now}


class IgnoreFrames:
    """``iop4d ignore``: leave frames out until they are tried again."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float],
                 wake: Callable[[], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._clock = clock
        self.after = wake

    def prepare(self, content: Mapping[str, Any]) -> tuple[list[int], str, str]:
        """The frames' ids, the reason, and who wants it."""
        return (_list_of(content, "frames", int), _text_of(content, "reason"),
                _text_of(content, "by"))

    def act(self, tx: Transaction, prepared: tuple[list[int], str, str]) -> dict[str, Any]:
        """The ids of those that there are."""
        ids, reason, by = prepared
        was = {row.id: row.state for row in frames.among(tx, ids)}
        done = self._ledger.ignore(tx, ids, reason)
        for id_ in done:
            audit.record(tx, at=self._clock(), by=by, act="ignore", subject=f"frame {id_}",
                         was=was.get(id_), now="rejected", why=reason)
        return {"frames": done}


class JudgeMasters:
    """``iop4d masters reject`` and ``restore``."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float],
                 wake: Callable[[], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._clock = clock
        self.after = wake

    def prepare(self, content: Mapping[str, Any]) -> tuple[list[int], list[int], str, str]:
        """The ids to reject, those to restore, the reason, and who wants it."""
        return (_list_of(content, "reject", int), _list_of(content, "restore", int),
                _text_of(content, "reason"), _text_of(content, "by"))

    def act(self, tx: Transaction,
            prepared: tuple[list[int], list[int], str, str]) -> dict[str, Any]:
        """The ids of those that there are."""
        reject, restore, reason, by = prepared
        was = {row.id: row.state for row in masters.among(tx, [*reject, *restore])}
        done = {"reject": self._ledger.reject_masters(tx, reject, reason),
                "accept": self._ledger.restore_masters(tx, restore)}
        for act, ids in done.items():
            for id_ in ids:
                audit.record(tx, at=self._clock(), by=by, act=act, subject=f"master {id_}",
                             was=was.get(id_), now=masters.by_id(tx, id_).state, why=reason)
        return {"masters": [*done["reject"], *done["accept"]]}


def _text_of(content: Mapping[str, Any], key: str) -> str:
    return str(content.get(key, ""))


def _list_of(content: Mapping[str, Any], key: str, kind: type[T]) -> list[T]:
    values = content.get(key)
    if not isinstance(values, list) or not all(type(value) is kind for value in values):
        raise RequestError(f"its '{key}' is no list of {kind.__name__}")
    return values
