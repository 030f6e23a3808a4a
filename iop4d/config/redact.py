"""What a message may show of a value that is wrong: never what may be a secret, also mistyped."""

from __future__ import annotations

import re
from typing import Any

#: Sections whose texts are addresses, names of accounts and places of secrets.
_PRIVATE = ("channel", "archive")
_LONGEST_NUMBER = 100_000  # of them: ports and seconds are below, numbers as secrets above
#: Addresses, what has a login in it, tokens of bots, and what is as long as a key.
_SUSPECT = re.compile(r"//|@|\d{5,}:|[A-Za-z0-9_+/=-]{24,}")


def is_shown(value: Any, section: str = "") -> bool:
    """Whether a message may show a wrong value, of a section."""
    is_private = section in _PRIVATE
    if isinstance(value, dict):
        return all(is_shown(one, section) for one in (*value, *value.values()))
    if isinstance(value, list):
        return all(is_shown(one, section) for one in value)
    if isinstance(value, str):
        return not is_private and not _SUSPECT.search(value)
    return not is_private or isinstance(value, bool) or (
        isinstance(value, int | float) and abs(value) < _LONGEST_NUMBER)


def expected(value: Any, section: str = "") -> str:
    """The middle of a message: what a key is, if that is shown, and that something is expected."""
    return f" is {value!r}; expected" if is_shown(value, section) else ": expected"


def named(text: str) -> str:
    """A name for a message: between quotes, or that it is not shown."""
    return f"'{text}'" if is_shown(text) else "a text that is not shown, as it may hold a secret,"


def key_named(name: str) -> str:
    """A key or section as the file has it, where it looks like one."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) else "(a key)"
