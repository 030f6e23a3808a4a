"""When a file is complete: its size, time and inode stood still long enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Stamp = tuple[int, int, int]  # size in bytes, mtime in ns, inode


@dataclass(frozen=True, kw_only=True)
class SettledFile:
    """A complete file. ``completed_at``: when it was first seen as it is now (Unix seconds)."""

    path: Path
    size: int
    mtime_ns: int
    completed_at: float
    announced: bool


@dataclass(kw_only=True)
class _Waiting:
    stamp: Stamp
    since: float  # monotonic seconds
    seen_at: float  # Unix seconds
    announced: bool


class Settler:
    """Watches stamps until they stand still. Times are monotonic: a clock that jumps is no matter.

    A file whose writer was seen to close it, or that was renamed into place, needs to stand still
    for ``announced`` seconds only; one that merely lies there for ``unannounced``.
    """

    def __init__(self, *, announced: float, unannounced: float,
                 monotonic: Callable[[], float], clock: Callable[[], float]) -> None:
        self._pause = {True: announced, False: unannounced}
        self._monotonic = monotonic
        self._clock = clock
        self._waiting: dict[Path, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def saw(self, path: Path, stamp: Stamp, *, announced: bool) -> None:
        """A file looks like this now."""
        before = self._waiting.get(path)
        if before is None or before.stamp != stamp:
            self._waiting[path] = _Waiting(
                stamp=stamp, since=self._monotonic(), seen_at=self._clock(), announced=announced)
        elif announced and not before.announced:
            before.announced = True

    def gone(self, path: Path) -> None:
        """A file is no longer there."""
        self._waiting.pop(path, None)

    def due(self) -> list[Path]:
        """The files that stood still long enough, to be looked at once more."""
        now = self._monotonic()
        return [path for path, waiting in self._waiting.items()
                if now - waiting.since >= self._pause[waiting.announced]]

    def next_due(self) -> float | None:
        """Seconds until the next file is due; None without any."""
        if not self._waiting:
            return None
        now = self._monotonic()
        return max(0.0, min(w.since + self._pause[w.announced] - now
                            for w in self._waiting.values()))

    def confirm(self, path: Path, stamp: Stamp) -> SettledFile | None:
        """The file, complete, if it still looks as it did; else it goes on waiting."""
        waiting = self._waiting.get(path)
        if waiting is None:
            return None
        if waiting.stamp != stamp or (stamp[0] == 0 and not self._old(waiting)):
            self.saw(path, stamp, announced=False)
            return None
        del self._waiting[path]
        return SettledFile(path=path, size=stamp[0], mtime_ns=stamp[1],
                           completed_at=waiting.seen_at, announced=waiting.announced)

    def _old(self, waiting: _Waiting) -> bool:
        """An empty file is often one that is about to be written: it waits as long as any."""
        return self._monotonic() - waiting.since >= self._pause[False]
