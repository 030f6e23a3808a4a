"""When a file is complete: its size, time and inode did not change for long enough.

Events of the kernel are hints where to look, never the whole truth.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from iop4d.model.frame import CompleteFile

Stamp = tuple[int, int, int]  # size in bytes, mtime in ns, inode
log = logging.getLogger(__name__)
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent]
_LIMITS = (errno.ENOSPC, errno.EMFILE, errno.ENFILE)
_TRY_AGAIN = 600.0  # seconds before watches are asked for again where the kernel had no more


@dataclass(kw_only=True, slots=True)
class _Waiting:
    stamp: Stamp
    since: float  # monotonic seconds
    first: float  # monotonic seconds: when it was first seen at all
    seen_at: float  # Unix seconds
    announced: bool


class Settler:
    """Watches stamps until they stand still. Times are monotonic: a clock that jumps is no matter,
    nor is a file's time that lies in the future: stamps are compared for being equal only.

    A file whose writer was seen to close it, or that was renamed into place, needs to stand still
    for ``announced`` seconds only; one that merely lies there for ``unannounced``.
    """

    def __init__(self, *, announced: float, unannounced: float,
                 monotonic: Callable[[], float], clock: Callable[[], float]) -> None:
        self._pause = {True: announced, False: unannounced}
        self._monotonic = monotonic
        self._clock = clock
        # Each in the order of ``since``, so that what is due stands first.
        self._waiting: dict[bool, dict[Path, _Waiting]] = {True: {}, False: {}}

    def set_pauses(self, *, announced: float, unannounced: float) -> None:
        """Let files stand still for other times than before."""
        self._pause = {True: announced, False: unannounced}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def saw(self, path: Path, stamp: Stamp, *, announced: bool) -> None:
        """A file looks like this now."""
        before = self._get(path)
        if before is None or before.stamp != stamp:
            self._begin(path, stamp, announced=announced)
        elif announced and not before.announced:
            self._begin(path, stamp, announced=True, seen_at=before.seen_at)

    def gone(self, path: Path) -> None:
        """A file is no longer there."""
        for waiting in self._waiting.values():
            waiting.pop(path, None)

    def due(self, most: int = 1 << 30) -> list[Path]:
        """The files that stood still long enough, to be looked at once more."""
        now = self._monotonic()
        found: list[Path] = []
        for announced, waiting in self._waiting.items():
            for path, entry in waiting.items():
                if len(found) >= most or now - entry.since < self._pause[announced]:
                    break
                found.append(path)
        return found

    def next_due(self) -> float | None:
        """Seconds until the next file is due; None without any."""
        now = self._monotonic()
        firsts = [next(iter(waiting.values())).since + self._pause[announced]
                  for announced, waiting in self._waiting.items() if waiting]
        return max(0.0, min(firsts) - now) if firsts else None

    def confirm(self, path: Path, stamp: Stamp) -> CompleteFile | None:
        """The file, complete, if it still looks as it did; else it goes on waiting."""
        waiting = self._get(path)
        if waiting is None:
            return None
        if waiting.stamp != stamp or (stamp[0] == 0 and not self._old(waiting)):
            self._begin(path, stamp, announced=False)
            return None
        self.gone(path)
        return CompleteFile(path=path, size=stamp[0], mtime_ns=stamp[1],
                           completed_at=waiting.seen_at, announced=waiting.announced)

    def restless(self, seconds: float) -> list[Path]:
        """The files that have kept changing for so long."""
        before = self._monotonic() - seconds
        return [path for waiting in self._waiting.values()
                for path, entry in waiting.items() if entry.first <= before]

    def _get(self, path: Path) -> _Waiting | None:
        return self._waiting[True].get(path) or self._waiting[False].get(path)

    def _begin(self, path: Path, stamp: Stamp, *, announced: bool,
               seen_at: float | None = None) -> None:
        """Let a file stand still from now on."""
        now, before = self._monotonic(), self._get(path)
        self.gone(path)
        self._waiting[announced][path] = _Waiting(
            stamp=stamp, since=now, first=now if before is None else before.first,
            seen_at=self._clock() if seen_at is None else seen_at, announced=announced)

    def _old(self, waiting: _Waiting) -> bool:
        """An empty file is often one that is about to be written: it waits as long as any."""
        return self._monotonic() - waiting.since >= self._pause[False]


class Events:
    """Watches one tree. ``hint`` is called with a path, and whether its writer is done with it;
    ``lost`` when the kernel's queue overflowed. Both come from other threads.
    """

    def __init__(self, name: str, *, hint: Callable[[Path, bool], None],
                 lost: Callable[[], None]) -> None:
        self._name = name
        self._hint = hint
        self._overflow = _Overflow(lost)
        self._observer: Any = None
        self._not_before = 0.0
        self.why_not = ""

    @property
    def on(self) -> bool:
        """Whether it watches; an observer's threads may have died with their folder."""
        return self._observer is not None and self._observer.is_alive() and all(
            emitter.is_alive() for emitter in self._observer.emitters)

    def watch(self, root: Path) -> None:
        """Watch, if it does not yet; where the kernel has no more watches, try again later."""
        if self.on or time.monotonic() < self._not_before:
            return
        self.end()
        observer = Observer()
        try:
            observer.schedule(_Handler(self._hint), str(root), recursive=True,
                              event_filter=_EVENTS)
            observer.start()
        except OSError as error:
            with contextlib.suppress(OSError, RuntimeError):
                observer.unschedule_all()
            if not self.why_not:
                log.warning("archive %s: no inotify events (%s); scanning at intervals only",
                            self._name, error)
            self.why_not = str(error.strerror or error)
            limit = error.errno in _LIMITS
            self._not_before = time.monotonic() + _TRY_AGAIN * limit
            return
        self._observer, self.why_not = observer, ""
        self._overflow.install()

    def end(self) -> None:
        """Watch no more."""
        self._overflow.remove()
        if self._observer is not None:
            self._observer.stop()
            self._observer = None


class _Handler(FileSystemEventHandler):
    def __init__(self, hint: Callable[[Path, bool], None]) -> None:
        self._hint = hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        done = isinstance(event, FileClosedEvent | FileMovedEvent)
        self._hint(Path(os.fsdecode(event.dest_path or event.src_path)), done)


class _Overflow(logging.Handler):
    """Hears the one thing that watchdog tells by its log alone: that events were lost."""

    _logger = logging.getLogger("watchdog.observers.inotify_c")

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost

    def install(self) -> None:
        if self._logger.getEffectiveLevel() > logging.WARNING:
            self._logger.setLevel(logging.WARNING)
        self._logger.addHandler(self)

    def remove(self) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._lost()
