"""What a worker knows besides its request, and how long its steps take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iop4d.config import Site
from iop4d.model.source import Catalogue


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """Sent to each worker once, and again when something in it changed."""

    site: Site
    catalogue: Catalogue


def index_files(folders: tuple[Path, ...]) -> list[Path]:
    """The astrometry.net index files in the folders."""
    return sorted(path for folder in folders for path in folder.glob("*.fits"))


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
