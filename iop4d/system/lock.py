"""One daemon a site: a lock on a file, freed by the kernel however the daemon ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from iop4d.model.errors import Iop4dError

_LOOKS = 5  # times that a lock is tried: who asks whether it is held holds it for a moment
_PAUSE = 0.02  # seconds between


class SiteLock:
    """Holds the site's lock until closed or until the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not self._take():
            os.close(self._fd)
            raise Iop4dError(
                f"a daemon (process {holder(path) or 'unknown'}) already runs on this site, "
                f"{path.parent}")
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())

    def _take(self) -> bool:
        for look in range(_LOOKS):
            time.sleep(_PAUSE * (look > 0))
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return True
        return False

    def close(self) -> None:
        """Let another have it."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def is_locked(path: Path) -> bool:
    """Whether a daemon runs on the site."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def holder(path: Path) -> int | None:
    """Process id of who holds the lock, as it wrote it."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
