"""Whether there is room on the disk for more work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from iop4d.system.disk import free_bytes

log = logging.getLogger(__name__)

_LOOK = 5.0  # seconds between looks at the disk
_RESUME = 1.5  # times the minimum at which work continues
FULL = ("[Errno 28]", "[Errno 122]", "disk is full")  # no space, over the quota


class Space:
    """The free space of a folder's disk, looked at now and then."""

    def __init__(self, folder: Path, *, minimum_gb: float,
                 free: Callable[[Path], int] = free_bytes) -> None:
        self._folder = folder
        self._minimum = minimum_gb * 1e9
        self._free = free
        self._looked_at = float("-inf")
        self._short = False

    @property
    def looks_again_at(self) -> float | None:
        """When work may continue, at the soonest (Unix seconds); None while there is room."""
        return self._looked_at + _LOOK if self._short else None

    def is_short(self, now: float) -> bool:
        """Whether there is too little room to begin anything."""
        if abs(now - self._looked_at) >= _LOOK:
            self._looked_at = now
            free = self._free(self._folder)
            short = free < self._minimum * (_RESUME if self._short else 1.0)
            if short != self._short:
                log.log(logging.ERROR if short else logging.INFO, "%.2f GB are free on the disk of "
                        "%s: %s", free / 1e9, self._folder,
                        "no new work starts" if short else "work continues")
            self._short = short
        return self._short

    @property
    def reason(self) -> str:
        """Why no new work starts; empty while there is room."""
        if not self._short:
            return ""
        return (f"less than {self._minimum * _RESUME / 1e9:g} GB are free on the disk of "
                f"{self._folder}; work continues when there is more")


def is_full(text: str) -> bool:
    """Whether an error's text says that a disk was full."""
    return any(words in text for words in FULL)
