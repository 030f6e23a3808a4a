"""How a key of the site file is written down: its documentation, its default and its check."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from datetime import date
from ipaddress import ip_network
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


def between(low: float, high: float) -> Check:
    """The value must be from ``low`` to ``high``."""
    return f"{low:g} to {high:g}", lambda value: low <= value <= high


def port_from(least: int) -> Check:
    """The value must be a port of the network."""
    return f"{least} to 65535", lambda value: least <= value <= 65535


def one_of(*choices: str) -> Check:
    """The value must be one of the words given."""
    return "one of " + ", ".join(choices), lambda value: value in choices


def hours(example: str) -> Check:
    """The value must be two times of a day, or empty."""
    return f"two times, such as '{example}', or nothing", lambda value: not value or bool(
        re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value))


def or_nothing(check: Check) -> Check:
    """The value must meet a check, or be empty."""
    return f"{check[0]}, or nothing", lambda value: not value or check[1](value)


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


#: The value must be a day, or empty.
DATE: Check = ("a date such as 2023-09-28, or nothing",
               lambda value: not value or _is_date(value))

#: The value must be an address of the web.
address: Check = ("an address such as https://example.org",
                  lambda value: re.fullmatch(r"https?://[^\s/]+(/\S*)?", value) is not None)


def _is_network(value: str) -> bool:
    try:
        ip_network(value, strict=False)
    except ValueError:
        return False
    return True


#: The value must be an address of the network, or a network.
network: Check = ("an address such as 127.0.0.1 or a network such as 10.0.0.0/8", _is_network)

#: The value must be the path of an address of the web.
below: Check = ("a path such as /iop4d",
                lambda value: re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?", value) is not None
                and not {".", ".."} & set(value.split("/")))

#: The value must be the name or the address of a machine, nothing else of an address.
host_name: Check = ("a name such as server.example.org",
                    lambda value: re.fullmatch(r"[\w.-]+", value) is not None
                    or (":" in value and _is_network(value.strip("[]"))))
