"""The kernel's word about a tree of folders: hints where to look, never the whole truth."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from collections.abc import Callable
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

log = logging.getLogger(__name__)

_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent]
_LIMITS = (errno.ENOSPC, errno.EMFILE, errno.ENFILE)
_TRY_AGAIN = 600.0  # seconds before watches are asked for again where the kernel had no more


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
                log.warning("archive %s: no events of changes (%s): it is looked at by time only",
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
