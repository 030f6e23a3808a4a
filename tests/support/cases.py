"""How many cases of a property are tried: a few in ``make test``, all in ``make every-case``."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

IS_EVERY = bool(os.environ.get("IOP4D_EVERY_CASE"))


def tried(*, few: T, every: T) -> T:
    """What is tried here."""
    return every if IS_EVERY else few
