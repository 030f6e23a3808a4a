"""How a command ends: its exit code, and the one line that says why.

What a user can do, or a machine, has a line: a wrong path, a folder that may not be written, a full
disk, a pipe that closed. All else is a fault of the program and ends in its traceback.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from dataclasses import dataclass

import click

from iop4d.model.errors import ConfigError, Iop4dError

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
EX_TEMPFAIL = 75  # sysexits.h: it may succeed later
EX_CONFIG = 78  # sysexits.h: something is wrong in the configuration

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A known end of a command: its exit code, and what is said on standard error."""

    code: int
    text: str = ""

    def show(self, error: BaseException) -> int:
        """Say it (with -v also where it arose); the exit code."""
        _let_go_of_the_output()
        if self.text:
            click.echo(f"iop4d: {self.text}", err=True)
        log.debug("where it arose:", exc_info=error)
        return self.code


_LOCKED = Ending(code=EX_TEMPFAIL, text="the database is locked by another program; nothing is "
                 "lost: try again once that has ended")


def show_whatever_can_be_shown() -> None:
    """Let no letter that the terminal does not have (LANG=C, Latin-1) end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def ending_of(error: BaseException) -> Ending | None:
    """The end that an exception, or one in a group of tasks' exceptions, means; None for faults."""
    if isinstance(error, BaseExceptionGroup):
        endings = [ending_of(part) for part in error.exceptions]
        return None if None in endings else endings[0]
    ending = None
    match error:
        case Iop4dError() if getattr(error, "locked", False):
            ending = _LOCKED
        case ConfigError():
            ending = Ending(code=EX_CONFIG, text=str(error))
        case Iop4dError():
            ending = Ending(code=FAILED, text=str(error))
        case OSError(errno=int()):
            ending = Ending(code=FAILED, text=_of_the_system(error))
        case ModuleNotFoundError(name=str(name)) if not name.startswith("iop4d"):
            ending = Ending(code=FAILED, text=(
                f"the package '{name.partition('.')[0]}' is not installed: install iop4d again, "
                "also after an update ('iop4d docs getting-started')"))
        case MemoryError():
            ending = Ending(code=FAILED, text="there is not enough memory")
        case _ if type(error).__name__ == "OperationalError" and "is locked" in str(error):
            ending = _LOCKED
    return ending


def _of_the_system(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return ""  # who reads has had enough
    where = " -> ".join(str(name) for name in (error.filename, error.filename2) if name)
    said = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        said = f"the disk is full ({said})"
    return f"{where}: {said}" if where else said


def _let_go_of_the_output() -> None:
    """Write what is left, or nothing of it: Python would complain at its own end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
