"""What a check finds, and what it may look at."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from iop4d.archives.mounts import kind_of
from iop4d.config import Site

_TIME_ERROR = 5  # what adjtimex(2) answers while nothing keeps the clock right
_TIMEX_BYTES = 512  # more than struct timex has


class Level(StrEnum):
    """How bad it is: a fault is to be mended, a warning is to be looked at."""

    GOOD = "good"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found, as a sentence, and what to do about it; that is empty where it is good.
    """

    check: str
    level: Level
    what: str
    do: str = ""


def good(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.GOOD, what=what)


def warning(check: str, what: str, do: str) -> Finding:
    """Something to be looked at."""
    return Finding(check=check, level=Level.WARNING, what=what, do=do)


def fault(check: str, what: str, do: str) -> Finding:
    """Something to be mended."""
    return Finding(check=check, level=Level.FAULT, what=what, do=do)


def is_clock_kept() -> bool | None:
    """Whether the kernel says that something keeps the clock right (NTP); None: it cannot tell."""
    try:
        libc = ctypes.CDLL(None)
        state = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def is_folder(path: Path) -> bool:
    """Whether there is a folder, as far as this account may know."""
    try:
        return path.is_dir()
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The site and its machine, as checks look at them.

    ``network``: whether servers may be asked. ``free``: bytes free on the disk of a folder.
    ``may``: whether this account has some rights of ``os.access``. ``kind_of``: the file system
    that a path is on.
    """

    site: Site
    network: bool = True
    clock: Callable[[], float] = time.time
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
    may: Callable[[Path, int], bool] = os.access
    kind_of: Callable[[Path], str] = kind_of
    is_clock_kept: Callable[[], bool | None] = is_clock_kept
    proc: Path = Path("/proc")
    executable: Path = Path(sys.executable)
    unit_folders: tuple[Path, ...] = field(default_factory=lambda: (
        Path("/etc/systemd/system"), Path.home() / ".config" / "systemd" / "user"))


Check = Callable[[Surroundings], Iterator[Finding]]
