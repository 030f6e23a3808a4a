"""Named places at which a test makes the program die as if the power had failed.

The program knows nothing of them: :func:`install` wraps the functions that commit, rename and send.
``TRIAL_CRASH_AT=<label>:<n>`` ends the process without any clean-up when it passes the place for
the n-th time. With a third part, ``<label>:<n>:<file>``, only the process that can make that file
dies: worker processes inherit the variable, and a frame that kills each worker is quarantined.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

#: Every place there is, before and after each commit, rename and sending.
LABELS = (
    "commit-before", "commit-after",
    "rename-before", "rename-after",
    "send-before", "send-after", "mark-after",
)
KILLED = 137  # the exit code of a process that was killed with signal 9, as a shell gives it
VARIABLE = "TRIAL_CRASH_AT"

Pass = Callable[[str], None]


class CrashPoint:
    """Counts passings, and ends the process at the one that was asked for."""

    def __init__(self, at: str) -> None:
        self._label, _, rest = at.partition(":")
        number, _, self._once = rest.partition(":")
        self._number = int(number or "1")
        self._passed: Counter[str] = Counter()

    def __call__(self, label: str) -> None:
        """Pass a place."""
        self._passed[label] += 1
        if label == self._label and self._passed[label] == self._number and self._is_mine():
            os._exit(KILLED)

    def _is_mine(self) -> bool:
        if not self._once:
            return True
        try:
            os.close(os.open(self._once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


def of_environment() -> CrashPoint | None:
    """The crash point that this process's environment asks for."""
    at = os.environ.get(VARIABLE, "")
    return CrashPoint(at) if at else None


def install_renames(passing: Pass) -> None:
    """Pass a place before and after each renaming of a file to its last name."""
    replace = Path.replace

    def replaced(self: Path, target: Any) -> Path:
        passing("rename-before")
        path = replace(self, target)
        passing("rename-after")
        return path

    Path.replace = replaced  # type: ignore[method-assign,assignment]


def install(passing: Pass) -> None:
    """Pass every place of the daemon: its commits, its renames, and its mails."""
    install_renames(passing)
    marking = threading.local()
    _wrap_commits(passing, marking)
    _wrap_mails(passing, marking)


def _wrap_commits(passing: Pass, marking: threading.local) -> None:
    from iop4d.store.database import Database, Transaction

    write: Callable[[Database], AbstractContextManager[Transaction]] = Database.write

    @contextmanager
    def written(self: Database) -> Iterator[Transaction]:
        with write(self) as transaction:
            yield transaction
            passing("commit-before")
        passing("commit-after")
        if vars(marking).pop("now", False):
            passing("mark-after")

    Database.write = written  # type: ignore[method-assign]


def _wrap_mails(passing: Pass, marking: threading.local) -> None:
    """The mark, that a message was sent, is passed at the end of its transaction."""
    import aiosmtplib

    from iop4d.store import outbox

    send, mark = aiosmtplib.SMTP.send_message, outbox.mark_sent

    async def sent(self: Any, *words: Any, **named: Any) -> Any:
        passing("send-before")
        answer = await send(self, *words, **named)
        passing("send-after")
        return answer

    def marked(*words: Any) -> Any:
        marking.now = True
        return mark(*words)

    aiosmtplib.SMTP.send_message = sent  # type: ignore[method-assign]
    outbox.mark_sent = marked  # type: ignore[assignment]
