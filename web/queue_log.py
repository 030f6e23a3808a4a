"""What the server says of requests that wait for a thread: a line a minute is enough."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOGGER = "waitress.queue"
_SECONDS = 60.0


class OnceAMinute(logging.Filter):
    """Passes the first record of each minute, with how many there were since the one before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next = float("-inf")
        self._dropped = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        now = self._clock()
        if now < self._next:
            self._dropped += 1
            return False
        self._next = now + _SECONDS
        if self._dropped:
            record.msg = f"{record.getMessage()} ({self._dropped} more in the last minutes)"
            record.args = ()
            self._dropped = 0
        return True


@contextmanager
def quiet_queue() -> Iterator[None]:
    """While a site is served, its log has one such line a minute."""
    logger, once = logging.getLogger(_LOGGER), OnceAMinute()
    logger.addFilter(once)
    try:
        yield
    finally:
        logger.removeFilter(once)
