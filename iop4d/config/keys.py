"""How a key of the site file is written down: its documentation, its default and its check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

_REQUIRED = object()
Check = tuple[str, Callable[[Any], bool]]  # what is expected, in words; does the value meet it


def key(doc: str, default: Any = _REQUIRED, *, check: Check | None = None) -> Any:
    """A key of the site file: its documentation, default and check."""
    metadata = {"doc": doc, "check": check}
    if default is _REQUIRED:
        return field(metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def above(limit: float) -> Check:
    """The value must be greater than ``limit``."""
    return f"a number above {limit:g}", lambda value: value > limit


def at_least(limit: float) -> Check:
    """The value must be ``limit`` or more."""
    return f"{limit:g} or more", lambda value: value >= limit


def port_from(least: int) -> Check:
    """The value must be a port of the network."""
    return f"{least} to 65535", lambda value: least <= value <= 65535


def one_of(*choices: str) -> Check:
    """The value must be one of the words given."""
    return "one of " + ", ".join(choices), lambda value: value in choices
