"""Files handed to browsers: only what a row of the database names, only where it may lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


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
