"""The site as its file says it now: read again where the file changed; a wrong one is not taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from iop4d.alerts.rules import understand
from iop4d.config import Site
from iop4d.config.load import SITE_FILE
from iop4d.model.errors import Iop4dError


@dataclass(frozen=True, kw_only=True)
class Read:
    """What the pages go by. ``wrong``: why the file as it is now was not taken; else empty."""

    site: Site
    wrong: str = ""
    written_at: float | None = None  # when the file was changed last


class LiveSite:
    """Hands out the site, to any thread. ``load`` reads the file; without it nothing is read."""

    def __init__(self, site: Site, load: Callable[[], Site] | None = None) -> None:
        self._path = site.root / SITE_FILE
        self._load = load
        self._stamp: tuple[int, ...] | None = None
        self._read = Read(site=site)
        self._reading = threading.Lock()

    def now(self) -> Read:
        """The site as the file says it; the last good one where that is wrong."""
        if self._load is None:
            return self._read
        with self._reading:
            # Looked at before it is read: what is written meanwhile is seen by the next look.
            stamp = self._look()
            if stamp != self._stamp:
                self._read = self._again(self._load, stamp)
                self._stamp = stamp
            return self._read

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _again(self, load: Callable[[], Site], stamp: tuple[int, ...]) -> Read:
        written_at = stamp[0] / 1e9 if stamp else None
        try:
            site = load()
            for rule in site.rule:
                understand(rule)
        except Iop4dError as error:
            return Read(site=self._read.site, wrong=str(error), written_at=written_at)
        return Read(site=site, written_at=written_at)
