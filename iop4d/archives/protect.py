"""Take the right to write from raw files, where a site asks for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def protect(path: Path) -> str:
    """Take the write bits of a complete file away; why that could not be, empty if it could.

    Only of files that are our own: even where we may, what others own is theirs to change. A link
    is left alone, and with it what it points to.
    """
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode) or not info.st_mode & _WRITE:
            return ""
        if info.st_uid != os.geteuid():
            return f"{path.name} belongs to user {info.st_uid}"
        path.chmod(stat.S_IMODE(info.st_mode) & ~_WRITE)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    return ""
