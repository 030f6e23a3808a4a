"""A folder in which frames appear: events are hints, the scan is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from iop4d.archives import mounts
from iop4d.archives.blocking_thread import BlockingThread
from iop4d.archives.known import KnownFiles, Recall
from iop4d.archives.mounts import Identity, RootGuard, identity_of
from iop4d.archives.retry import UnreadFiles
from iop4d.archives.settle import Events, Settler, Stamp
from iop4d.archives.tree import Scan, Tree, protect, try_read
from iop4d.config import FolderArchive
from iop4d.model.frame import CompleteFile

log = logging.getLogger(__name__)

_ROOT_LOOK = 10.0  # seconds between looks at the root itself
_JITTER = 0.25  # by which scans come sooner or later, so that those of archives do not meet
_SCAN_SHARE = 0.05  # most of its time that an archive with events spends on scans
_HANGS = 45.0  # seconds after which a look that has not ended is told
_BATCH = 500  # files that are delivered at a time, so that new ones get in between
_RESTLESS = 1800.0  # seconds after which a file that never stands still is told
_UNREADABLE = 60.0  # seconds after which a file that cannot be read is told
_READ_ONLY = "make_read_only"  # the trouble with that key
_MAX_LISTED = 10  # troubles that the status names

Deliver = Callable[[str, list[CompleteFile]], Awaitable[None]]
T = TypeVar("T")


class _StoppedError(Exception):
    """The watch was told to stop while it waited for a look."""


class WatchedFolder:
    """Watches one folder and delivers each file once it is complete.

    ``known`` holds (size, mtime) of the files that were delivered before: a file that is as it was
    then is not delivered again. ``recall``: gives more of them, part by part, before the first
    look.
    """

    def __init__(self, *, archive: FolderArchive, known: KnownFiles,
                 deliver: Deliver, settle: float, settle_unannounced: float, scan_interval: float,
                 clock: Callable[[], float],
                 filesystem: Callable[[Path], str] = mounts.kind_of,
                 recall: Recall | None = None) -> None:
        self._archive = archive
        self._root = archive.path
        self._known = known
        self._recall = recall
        self._deliver = deliver
        self._pauses = {"announced": settle, "unannounced": settle_unannounced}
        self._scan_interval = scan_interval
        self._clock = clock
        self._filesystem = filesystem
        self._tree = Tree(self._root, archive.file_pattern, known)
        self._settler = Settler(**self._pauses, monotonic=time.monotonic, clock=clock)
        self._refused = UnreadFiles(time.monotonic)
        self._guard = RootGuard()
        self._thread = BlockingThread(f"archive {archive.name}")
        self._hints: asyncio.Queue[tuple[Path, bool]] = asyncio.Queue()
        self._events = Events(archive.name, hint=self._on_hint, lost=self._on_lost)
        self._polled = "asked for" if archive.polling else ""
        self._state, self._reason = "starting", ""
        self._next_scan = self._next_root = 0.0
        self._lost = False
        self._last_scan_at: float | None = None
        self._overflows = 0
        self._troubles: dict[str, str] = {}
        self._protects = archive.make_read_only
        self._ticked_at = time.monotonic()
        self._asks = False  # whether the file system was asked what it did not answer yet
        self.interval = max(min(scan_interval, _ROOT_LOOK), 3.0)  # seconds in which the watch ticks

    @property
    def ticked_at(self) -> float:
        """When the watch last did something; waiting for a file system is no fault of its own."""
        return time.monotonic() if self._asks else self._ticked_at

    @property
    def status(self) -> dict[str, Any]:
        """The archive's state, for people."""
        why = self._polled or self._events.why_not
        return {
            "name": self._archive.name, "path": str(self._root), "kind": "folder",
            "telescope": self._archive.telescope, "state": self._state, "reason": self._reason,
            "files": len(self._known), "settling": len(self._settler),
            "last_scan_at": self._last_scan_at,
            "watch": f"polling ({why})" if why else "events", "overflows": self._overflows,
            "troubles": len(self._troubles),
            "trouble": [f"{name} {why}"
                        for name, why in list(self._troubles.items())[:_MAX_LISTED]],
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until told to stop."""
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.create_task(stop.wait(), name=f"archive {self._archive.name} stop")
        try:
            await self._remember()
            while not stop.is_set():
                self._ticked_at = time.monotonic()
                try:
                    await self._turn()
                except _StoppedError:
                    break
                # One bad look at a file system must not end the watch: it is told, and the next
                # scan looks again.
                except Exception as error:
                    self._degrade(f"{type(error).__name__}: {error}")
                    log.exception("archive %s: a scan failed", self._archive.name)
                    self._next_scan = min(self._next_scan, time.monotonic() + _ROOT_LOOK)
                    await asyncio.wait({self._stopped}, timeout=1.0)
                await self._pause()
        finally:
            self._stopped.cancel()
            self._events.end()
            self._thread.close()

    async def _remember(self) -> None:
        """Learn what was delivered before."""
        if self._recall is not None:
            async for part in self._recall():
                self._known.add(part)
                self._ticked_at = time.monotonic()

    async def _turn(self) -> None:
        if time.monotonic() >= self._next_root:
            self._next_root = time.monotonic() + min(_ROOT_LOOK, self._scan_interval)
            await self._check_root()
        if time.monotonic() >= self._next_scan:
            await self._scan()
        await self._take_hints()
        await self._try_refused()
        await self._deliver_settled()

    async def _pause(self) -> None:
        """Until a hint comes, a file is due, the next look, or the stop."""
        wait = min(self._next_scan, self._next_root) - time.monotonic()
        for due in (self._settler.next_due(), self._refused.next_due()):
            if due is not None:
                wait = min(wait, max(due, 0.02))
        hint = asyncio.create_task(self._hints.get(), name="hint")
        done, _ = await asyncio.wait({hint, self._stopped}, timeout=max(wait, 0.0),
                                     return_when=asyncio.FIRST_COMPLETED)
        if hint in done:
            self._hints.put_nowait(hint.result())
        else:
            hint.cancel()

    async def _look(self, function: Callable[..., T], *args: Any) -> T:
        """Have the archive's own thread do something; one that hangs is told, and waited for."""
        future = self._thread.run(function, *args)
        ends: set[asyncio.Future[Any]] = {future, self._stopped}
        self._asks = True
        try:
            done, _ = await asyncio.wait(ends, timeout=_HANGS, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self._degrade(f"has not answered for {_HANGS:g} s")
                self._next_scan = 0.0
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._asks = False
        if not future.done():
            future.cancel()
            raise _StoppedError
        return future.result()

    # The root.

    async def _check_root(self) -> None:
        """Is it there, is it the folder it was, and can its changes be told?"""
        try:
            identity, kind = await self._look(self._root_now)
        except OSError as error:
            self._lose(error)
            return
        changed = self._guard.saw(identity)
        if changed:
            log.warning("archive %s: %s was replaced by another folder", self._archive.name,
                        self._root)
            self._events.end()
        if changed or self._lost:
            self._lost, self._next_scan = False, 0.0
        network = mounts.is_network(kind)
        self._settler.set_pauses(**(
            {"announced": self._archive.settle, "unannounced": self._archive.settle}
            if network else self._pauses))
        self._polled = ("asked for" if self._archive.polling else kind if network else "")

    def _root_now(self) -> tuple[Identity, str]:
        return identity_of(self._root), self._filesystem(self._root)

    def _lose(self, error: OSError) -> None:
        """The root cannot be read: nothing is forgotten, and the next look may find it again."""
        self._lost = True
        self._events.end()
        self._degrade(f"cannot be read: {error}")
        self._next_scan = self._next_root

    def _degrade(self, reason: str) -> None:
        if (self._state, self._reason) != ("degraded", reason):
            log.error("archive %s (%s): %s", self._archive.name, self._root, reason)
        self._state, self._reason = "degraded", reason

    # The truth.

    async def _scan(self) -> None:
        began = time.monotonic()
        try:
            found = await self._look(self._watch_and_scan)
        except OSError as error:
            self._lose(error)
            return
        took = time.monotonic() - began
        rest = max(self._scan_interval, took if self._polled else took / _SCAN_SHARE)
        self._next_scan = time.monotonic() + rest * random.uniform(1 - _JITTER, 1 + _JITTER)
        self._note(found)
        self._last_scan_at = self._clock()
        if wrong := self._guard.judge(found.frames, len(self._known)):
            self._degrade(wrong)
        else:
            if self._state != "ok":
                log.info("archive %s: watching %s", self._archive.name, self._root)
            self._state, self._reason = "ok", ""
        self._tell_troubles()

    def _watch_and_scan(self) -> Scan:
        """In this order, so that nothing can come unseen in between."""
        if self._polled:
            self._events.end()
        else:
            identity_of(self._root)  # without a root, the kernel's refusal would say no more
            self._events.watch(self._root)
        return self._tree.scan()

    def _note(self, found: Scan, announced: dict[Path, bool] | None = None) -> None:
        """Let what is new settle, and try later what could not be looked at."""
        for path, stamp in found.new.items():
            if not self._refused.has(path):
                self._settler.saw(path, stamp, announced=(announced or {}).get(path, False))
        for path, reason in found.refused.items():
            if not self._refused.holds(path):
                self._refused.add(path, reason)

    # The hints.

    def _on_hint(self, path: Path, announced: bool) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._hints.put_nowait, (path, announced))

    def _on_lost(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_overflow)

    def _on_overflow(self) -> None:
        """The kernel lost events: only a scan can tell what they would have told."""
        log.warning("archive %s: the kernel lost events; scanning the folder", self._archive.name)
        self._overflows += 1
        self._next_scan = 0.0
        self._hints.put_nowait((self._root / ".overflow", False))  # ends a pause

    async def _take_hints(self) -> None:
        hints: dict[Path, bool] = {}
        while not self._hints.empty():
            path, announced = self._hints.get_nowait()
            hints[path] = hints.get(path, False) or announced
        if hints:
            self._note(await self._look(self._tree.look_at, list(hints)), hints)

    # Delivery.

    async def _try_refused(self) -> None:
        due = self._refused.due()
        if not due:
            return
        found = await self._look(self._retry, due)
        for path in due:
            if path not in found.refused:
                self._refused.over(path)
        self._note(found)
        self._tell_troubles()

    def _retry(self, paths: list[Path]) -> Scan:
        found = Scan()
        for path in paths:
            try:
                try_read(path)
            except OSError as error:
                found.refused[path] = f"cannot be read: {error.strerror}"
            else:
                found.add(self._tree.look_at([path]))
        return found

    async def _deliver_settled(self) -> None:
        due = self._settler.due(_BATCH)
        if not due:
            return
        settled: list[CompleteFile] = []
        for path, seen in (await self._look(_read_all, due)).items():
            if isinstance(seen, str):
                self._settler.gone(path)
                self._refused.add(path, seen)
            elif seen is None:
                self._settler.gone(path)
            elif file := self._settler.confirm(path, seen):
                settled.append(file)
        if not settled:
            return
        settled.sort(key=lambda file: (file.mtime_ns, file.path.name))
        try:
            await self._deliver(self._archive.name, settled)
        except Exception:
            for file in settled:  # nobody has them yet: they settle and are delivered again
                self._settler.saw(file.path, (file.size, file.mtime_ns, 0), announced=False)
            raise
        self._known.update({str(file.path): (file.size, file.mtime_ns) for file in settled})
        if self._protects:
            await self._protect([file.path for file in settled])

    async def _protect(self, paths: list[Path]) -> None:
        wrong = [why for why in await self._look(lambda: list(map(protect, paths))) if why]
        if wrong and _READ_ONLY not in self._troubles:
            log.warning("archive %s: cannot remove the write permission of %s; further "
                        "cases are not logged", self._archive.name, wrong[0])
            self._troubles[_READ_ONLY] = f"write permission cannot be removed: {wrong[0]}"

    # What is told.

    def _tell_troubles(self) -> None:
        """Name the files that never stand still or cannot be read for long; each is logged once."""
        before = self._troubles
        self._troubles = {k: v for k, v in before.items() if k == _READ_ONLY}
        for path in self._settler.restless(_RESTLESS):
            self._troubles[self._short(path)] = f"has kept changing for {_RESTLESS / 60:g} min"
        for path, reason in self._refused.lasting(_UNREADABLE).items():
            self._troubles[self._short(path)] = reason
        for name, why in self._troubles.items():
            if name not in before:
                log.warning("archive %s: %s %s", self._archive.name, name, why)

    def _short(self, path: Path) -> str:
        """A path below the root, fit to be shown."""
        text = str(path.relative_to(self._root)) if path != self._root else str(path)
        return text.encode("utf-8", "backslashreplace").decode()


def _read_all(paths: list[Path]) -> dict[Path, Stamp | str | None]:
    """Files as they are now; where one cannot be read, why."""
    found: dict[Path, Stamp | str | None] = {}
    for path in paths:
        try:
            found[path] = try_read(path)
        except OSError as error:
            found[path] = f"cannot be read: {error.strerror}"
    return found
