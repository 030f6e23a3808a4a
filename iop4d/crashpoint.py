"""Named places at which a test makes the program die as if the power had failed.

``IOP4D_CRASH_AT=<label>:<n>`` ends the process without any clean-up when it passes the place for
the n-th time. With a third part, ``<label>:<n>:<file>``, only the process that can make that file
dies: worker processes inherit the variable, and a frame that kills each worker is set aside.
"""

from __future__ import annotations

import os
from collections import Counter

#: Every place there is, before and after each commit, rename and sending.
LABELS = (
    "commit-before", "commit-after",
    "rename-before", "rename-after",
    "send-before", "send-after", "mark-after",
)
KILLED = 137  # the exit code of a process that was killed with signal 9, as a shell tells it

_label, _, _rest = os.environ.get("IOP4D_CRASH_AT", "").partition(":")
_number, _, _once = _rest.partition(":")
_passed: Counter[str] = Counter()


def _die_at(label: str) -> None:
    """Count a passing, and die at the one that was asked for."""
    _passed[label] += 1
    if label == _label and _passed[label] == int(_number or "1") and _is_mine():
        os._exit(KILLED)


def _is_mine() -> bool:
    if not _once:
        return True
    try:
        os.close(os.open(_once, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _pass_by(label: str) -> None:
    """Nothing, as in every run that is no test."""


#: Call with a label of ``LABELS`` where the program may die.
crash_point = _die_at if _label else _pass_by
