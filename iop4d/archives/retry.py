"""When to try again: a server that failed, and files that could not be read."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_FIRST = 30.0  # seconds after the first failure of a server
_LONGEST = 900.0  # seconds between two attempts at most
_JITTER = 0.2  # part by which a pause is longer or shorter, by chance
_FILE_FIRST = 5.0  # seconds before the second attempt to read a file
_FILE_LONGEST = 300.0


class Breaker:
    """Closed while a server answers; open for a while after each failure in a row.

    A refused login waits the longest at once: servers lock accounts that try often. Times are
    monotonic seconds.
    """

    def __init__(self, *, first: float = _FIRST, longest: float = _LONGEST,
                 chance: Callable[[], float] = random.random) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self.failures = 0
        self.opens_at = 0.0  # when the server may be asked again

    @property
    def is_open(self) -> bool:
        """Whether the last try failed."""
        return self.failures > 0

    def failed(self, now: float, *, login: bool = False) -> float:
        """A try failed; seconds until the next one."""
        self.failures += 1
        pause = self._longest if login else min(
            self._first * 2.0 ** min(self.failures - 1, 30), self._longest)
        pause *= 1.0 + _JITTER * (2.0 * self._chance() - 1.0)
        self.opens_at = now + pause
        return pause

    def succeeded(self) -> None:
        """The server answered as it should."""
        self.failures, self.opens_at = 0, 0.0

    def wait(self, now: float) -> float:
        """Seconds for which the server must be left alone."""
        return max(self.opens_at - now, 0.0) if self.failures else 0.0


@dataclass(kw_only=True, slots=True)
class _Refusal:
    reason: str
    since: float  # monotonic seconds
    tries: int
    next_at: float


class UnreadFiles:
    """Remembers what could not be read, why, since when, and when to try again."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._refused: dict[Path, _Refusal] = {}

    def __len__(self) -> int:
        return len(self._refused)

    def add(self, path: Path, reason: str) -> bool:
        """A try failed; whether it was the first one."""
        now = self._monotonic()
        entry = self._refused.get(path)
        if entry is None:
            entry = self._refused[path] = _Refusal(reason=reason, since=now, tries=0, next_at=0.0)
        entry.reason = reason
        entry.next_at = now + min(
            _FILE_FIRST * 2.0**min(entry.tries, 30), _FILE_LONGEST)
        entry.tries += 1
        return entry.tries == 1

    def over(self, path: Path) -> None:
        """It could be read, or is no longer there."""
        self._refused.pop(path, None)

    def due(self) -> list[Path]:
        """What is to be tried again now."""
        now = self._monotonic()
        return [path for path, entry in self._refused.items() if entry.next_at <= now]

    def has(self, path: Path) -> bool:
        """Whether a path could not be read so far."""
        return path in self._refused

    def holds(self, path: Path) -> bool:
        """Whether a path waits for its next try."""
        entry = self._refused.get(path)
        return entry is not None and entry.next_at > self._monotonic()

    def next_due(self) -> float | None:
        """Seconds until the next try; None if nothing is refused."""
        if not self._refused:
            return None
        return max(0.0, min(e.next_at for e in self._refused.values()) - self._monotonic())

    def lasting(self, seconds: float) -> dict[Path, str]:
        """What has been refused for so long, and why."""
        before = self._monotonic() - seconds
        return {path: e.reason for path, e in self._refused.items() if e.since <= before}
