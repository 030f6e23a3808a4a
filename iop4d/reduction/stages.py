"""The stages of a piece of work: how much processor time each took, and which one is at work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """Core-seconds by stage, in the order in which they ran; ``current`` outlives a failure."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what happens within; of an error, ``current`` then names the stage."""
        self.current = name
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began
