"""The site as its file says it now: rules are added and changed while the page runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from iop4d.config import Site
from iop4d.config.load import SITE_FILE, load_site
from iop4d.model.errors import ConfigError

_Stamp = tuple[int, int] | None


class LiveSite:
    """Reads the site file anew when it has changed; one that is wrong leaves the old site.

    What is wrong with it the daemon says, and its heartbeat, which the page shows.
    """

    def __init__(self, site: Site, load: Callable[[], Site] | None = None) -> None:
        self._site = site
        self._load = load or (lambda: load_site(site.root))
        self._file = site.root / SITE_FILE
        self._stamp = _stamp_of(self._file)
        self._reading = threading.Lock()

    def now(self) -> Site:
        """The site, from any thread."""
        stamp = _stamp_of(self._file)
        if stamp != self._stamp and stamp is not None:
            with self._reading:
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._read()
        return self._site

    def _read(self) -> None:
        try:
            self._site = self._load()
        except ConfigError:
            return


def _stamp_of(path: Path) -> _Stamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
