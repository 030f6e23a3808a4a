"""What the pages read: the database, the site file, and files that a browser may have."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from iop4d.alerts.check import without_wrong_rules
from iop4d.config import Site
from iop4d.config.load import SITE_FILE
from iop4d.config.store import FilePlace, Place
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store.database import Connection, Database, StoreUnavailableError, Transaction

#: A page that waits longer for a lock had better say so.
_BUSY_SECONDS = 2.0
_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_PICTURE = 32 << 20


class Reader:
    """The site's database for any thread, from before it exists: to read, and to request."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._database: Database | None = None
        self._opening = threading.Lock()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection of this thread; raises StoreUnavailableError, also for what fails inside."""
        with self._open().read() as db:
            yield db

    @contextmanager
    def requesting(self) -> Iterator[Transaction]:
        """A transaction for a request to the daemon, of a connection that is closed at the end."""
        self._open()
        database = Database(self._place, busy_s=_BUSY_SECONDS, prepare=False)
        try:
            with database.write() as tx:
                yield tx
        finally:
            database.close()

    def _open(self) -> Database:
        with self._opening:
            if isinstance(self._place, FilePlace) and not self._place.path.exists():
                # A connection would make an empty file, which the daemon has not prepared.
                self._database = None
                raise StoreUnavailableError("nothing has run on this site yet", absent=True)
            if self._database is None:
                self._database = Database(self._place, read_only=True, busy_s=_BUSY_SECONDS)
            return self._database


@dataclass(frozen=True, kw_only=True)
class Read:
    """The site that the pages use. ``wrong``: why the file as it is now was rejected, or empty."""

    site: Site
    wrong: str = ""
    written_at: float | None = None  # when the file was changed last


class LiveSite:
    """The site as its file says it now, for any thread; a wrong file leaves the previous one.

    ``load`` reads the file again where it changed; without it nothing is read.
    """

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
            # The stamp is taken before the file is read: what is written meanwhile is seen by the
            # next look.
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
            site = without_wrong_rules(load())
            # As the daemon: what is wrong at the start is set aside, later the old file stays.
            if site.wrong_rules and self._stamp is not None:
                raise ConfigError(site.wrong_rules[0].why)
        except Iop4dError as error:
            return Read(site=self._read.site, wrong=str(error), written_at=written_at)
        return Read(site=site, written_at=written_at)


class RefusedError(Exception):
    """The file is not there, or must not be handed out."""


def open_inside(path: str | Path, roots: Iterable[Path]) -> BinaryIO:
    """Open a regular file that lies under one of the roots; raises RefusedError.

    The file itself must not be a link, and no link on its way may lead out of the roots.
    """
    named = Path(path)
    if not named.is_absolute():
        raise RefusedError("not an absolute path")
    try:
        real = Path(os.path.realpath(named.parent, strict=True)) / named.name
        inside = any(real.is_relative_to(os.path.realpath(root)) for root in roots)
        if not inside or named.name in ("", "..", "."):
            raise RefusedError("outside the site")
        # Not blocking: a FIFO in the file's place would hold the thread for ever.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise RefusedError(str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError("not a regular file")
    return os.fdopen(descriptor, "rb")


def picture_inside(path: str | Path, root: Path) -> bytes:
    """The contents of a PNG picture under a root; raises RefusedError."""
    with open_inside(path, [root]) as file:
        content = file.read(_LARGEST_PICTURE)
    if not content.startswith(_PNG):
        raise RefusedError("not a PNG picture")
    return content
