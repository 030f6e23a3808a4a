"""When to try a server again: soon, then ever later, and never in step with others."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST = 30.0  # seconds after the first failure
LONGEST = 900.0
_JITTER = 0.2  # part by which a pause is longer or shorter, by chance


class Breaker:
    """Closed while a server answers; open for a while after each failure in a row.

    A refused login waits the longest at once: servers lock accounts that try often. Times are
    monotonic seconds.
    """

    def __init__(self, *, first: float = FIRST, longest: float = LONGEST,
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
