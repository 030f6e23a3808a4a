"""Files that cannot be looked at or read now: tried again, ever more rarely, never given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_FIRST = 5.0  # seconds before the second try
_LONGEST = 300.0  # seconds between two tries at most


@dataclass(kw_only=True, slots=True)
class _Refusal:
    reason: str
    since: float  # monotonic seconds
    tries: int
    next_at: float


class Refused:
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
        entry.next_at = now + min(_FIRST * 2.0**min(entry.tries, 30), _LONGEST)
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
