"""Whether this machine's clock was set while the daemon ran: by a person, or by NTP at last."""

from __future__ import annotations

import time
from collections.abc import Callable

_SET = 60.0  # seconds: NTP slews what is less, and a busy machine is late by less


def uptime() -> float:
    """Seconds that no setting of the clock moves, and that pass while the machine sleeps."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class ClockWatch:
    """Compares the clock with the time that passed; looked at now and then."""

    def __init__(self, clock: Callable[[], float] = time.time,
                 passed: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._passed = passed
        self._offset = clock() - passed()

    def set_by(self) -> float:
        """Seconds by which the clock was set since the last look, negative for back; else 0."""
        offset = self._clock() - self._passed()
        by = offset - self._offset
        self._offset = offset
        return by if abs(by) >= _SET else 0.0
