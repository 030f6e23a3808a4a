"""A folder in which frames appear: events are hints, the scan is the truth."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from iop4d.config import Archive
from iop4d.sources.settle import SettledFile, Settler, Stamp

log = logging.getLogger(__name__)

_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent]

T = TypeVar("T")

_SILENT = 30.0  # seconds after which a file system counts as hanging

Deliver = Callable[[str, list[SettledFile]], Awaitable[None]]


class DirectoryArchive:
    """Watches one folder and delivers each file once it is complete.

    ``known`` holds (size, mtime) of the files that were delivered before: a file that is as it was
    then is not delivered again.
    """

    def __init__(self, *, archive: Archive, known: dict[str, tuple[int, int]], deliver: Deliver,
                 settle: float, settle_unannounced: float, scan_interval: float,
                 clock: Callable[[], float]) -> None:
        self._archive = archive
        self._root = archive.path
        self._pattern = re.compile(archive.files)
        self._known = known
        self._deliver = deliver
        self._scan_interval = scan_interval
        self._clock = clock
        self._settler = Settler(announced=settle, unannounced=settle_unannounced,
                                monotonic=time.monotonic, clock=clock)
        # A thread of its own: a file system that hangs holds up this archive only.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"archive {archive.name}")
        self._hints: asyncio.Queue[tuple[Path, bool]] = asyncio.Queue()
        self._observer: Any = None
        self._state, self._reason = "starting", ""
        self._last_scan_at: float | None = None
        self._ticked_at = time.monotonic()
        self._asked_at: float | None = None  # when the file system was asked what it did not answer
        self.interval = scan_interval  # seconds within which it ticks, when all is well

    @property
    def ticked_at(self) -> float:
        """When the watch last did something; waiting for a file system is no fault of its own."""
        return self._ticked_at if self._asked_at is None else time.monotonic()

    @property
    def status(self) -> dict[str, Any]:
        """The archive's state, for people."""
        state, reason = self._state, self._reason
        silent = 0.0 if self._asked_at is None else time.monotonic() - self._asked_at
        if silent > _SILENT:
            state, reason = "degraded", f"its file system has not answered for {silent:.0f} s"
        return {
            "name": self._archive.name, "path": str(self._root),
            "telescope": self._archive.telescope, "state": state, "reason": reason,
            "files": len(self._known), "settling": len(self._settler),
            "last_scan_at": self._last_scan_at,
            "watch": "polling" if self._archive.polling else "events",
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until told to stop."""
        next_scan = 0.0
        stopped = asyncio.create_task(stop.wait(), name=f"archive {self._archive.name} stop")
        try:
            while not stop.is_set():
                self._ticked_at = time.monotonic()
                try:
                    if time.monotonic() >= next_scan:
                        next_scan = time.monotonic() + self._scan_interval
                        await self._scan()
                    await self._take_hints()
                    await self._deliver_settled()
                # One bad look at a file system must not end the watch: it is told, and the next
                # scan looks again.
                except Exception as error:
                    self._degrade(f"{type(error).__name__}: {error}")
                    log.exception("archive %s: a look at it failed", self._archive.name)
                    await asyncio.wait({stopped}, timeout=1.0)
                await self._pause(stopped, next_scan)
        finally:
            stopped.cancel()
            self._unwatch()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _pause(self, stopped: asyncio.Task[bool], next_scan: float) -> None:
        """Until a hint comes, a file is due, the next scan, or the stop."""
        wait = next_scan - time.monotonic()
        due = self._settler.next_due()
        if due is not None:
            wait = min(wait, max(due, 0.02))
        hint = asyncio.create_task(self._hints.get(), name="hint")
        done, _ = await asyncio.wait({hint, stopped}, timeout=max(wait, 0.0),
                                     return_when=asyncio.FIRST_COMPLETED)
        if hint in done:
            self._hints.put_nowait(hint.result())
        else:
            hint.cancel()

    # The truth.

    async def _aside(self, function: Callable[[], T]) -> T:
        """Have the archive's own thread ask its file system, which may hang."""
        self._asked_at = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function)
        finally:
            self._asked_at = None

    async def _scan(self) -> None:
        try:
            found = await self._aside(self._list)
        except OSError as error:
            self._degrade(f"cannot be read: {error}")
            self._unwatch()
            return
        for path, stamp in found.items():
            if self._known.get(str(path)) != stamp[:2]:
                self._settler.saw(path, stamp, announced=False)
        self._last_scan_at = self._clock()
        if self._state != "ok":
            log.info("archive %s: watching %s", self._archive.name, self._root)
        self._state, self._reason = "ok", ""
        self._watch()

    def _list(self) -> dict[Path, Stamp]:
        """Every file of the folder that may be a frame, with its stamp."""
        os.scandir(self._root).close()  # the root itself must be there
        return dict(self._walk(self._root, set()))

    def _walk(self, folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, Stamp]]:
        """The frames below a folder. ``seen``: folders walked before, since links may loop."""
        try:
            here = folder.stat()
            if (here.st_dev, here.st_ino) in seen:
                return
            seen.add((here.st_dev, here.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            log.warning("archive %s: %s cannot be read: %s", self._archive.name, folder, error)
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self._walk(Path(entry.path), seen)
            elif self._pattern.search(entry.name) and (found := look(Path(entry.path))):
                yield Path(entry.path), found

    # The hints.

    def _watch(self) -> None:
        """Watch, or watch again where the observer died with its folder."""
        if self._observer is not None:
            if self._observer.is_alive() and all(e.is_alive() for e in self._observer.emitters):
                return
            self._unwatch()
        if self._archive.polling:
            return
        loop = asyncio.get_running_loop()

        class Handler(FileSystemEventHandler):
            """Puts the path of every event into the queue of the loop."""

            def on_any_event(_self, event: FileSystemEvent) -> None:  # noqa: N805
                announced = isinstance(event, FileClosedEvent | FileMovedEvent)
                path = event.dest_path or event.src_path
                loop.call_soon_threadsafe(
                    self._hints.put_nowait, (Path(os.fsdecode(path)), announced))

        try:
            observer = Observer()
            observer.schedule(Handler(), str(self._root), recursive=True, event_filter=_EVENTS)
            observer.start()
            self._observer = observer
        except OSError as error:
            log.warning("archive %s: no events (%s): looking every %g s only", self._archive.name,
                        error, self._scan_interval)

    def _unwatch(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer = None

    async def _take_hints(self) -> None:
        hints: dict[Path, bool] = {}
        while not self._hints.empty():
            path, announced = self._hints.get_nowait()
            hints[path] = hints.get(path, False) or announced
        if not hints:
            return
        found = await self._aside(lambda: self._look_at(list(hints)))
        for path, stamp in found.items():
            if self._known.get(str(path)) != stamp[:2]:
                self._settler.saw(path, stamp, announced=hints.get(path, False))

    def _look_at(self, paths: list[Path]) -> dict[Path, Stamp]:
        """The stamps of files that events named, and of all files of folders that they named."""
        found: dict[Path, Stamp] = {}
        for path in paths:
            if any(part.startswith(".") for part in path.relative_to(self._root).parts):
                continue
            if path.is_dir():
                found |= dict(self._walk(path, set()))
            elif self._pattern.search(path.name) and (stamp := look(path)):
                found[path] = stamp
        return found

    # Delivery.

    async def _deliver_settled(self) -> None:
        due = self._settler.due()
        if not due:
            return
        stamps = await self._aside(lambda: {path: look(path) for path in due})
        settled = []
        for path, stamp in stamps.items():
            if stamp is None:
                self._settler.gone(path)
            elif file := self._settler.confirm(path, stamp):
                settled.append(file)
        if settled:
            settled.sort(key=lambda file: (file.mtime_ns, file.path.name))
            await self._deliver(self._archive.name, settled)
            self._known.update(
                {str(file.path): (file.size, file.mtime_ns) for file in settled})

    def _degrade(self, reason: str) -> None:
        if self._state != "degraded":
            log.error("archive %s (%s): %s", self._archive.name, self._root, reason)
        self._state, self._reason = "degraded", reason


def look(path: Path) -> Stamp | None:
    """Size, mtime and inode of a regular file; None if it is none, or cannot be seen."""
    try:
        info = path.stat()
    except OSError:
        return None
    return (info.st_size, info.st_mtime_ns, info.st_ino) if stat.S_ISREG(info.st_mode) else None


