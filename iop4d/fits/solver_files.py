"""The solver with its index files, whatever letters their names hold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import astrometry


@dataclass(frozen=True)
class _Named:
    """A path as the library opens it: it takes each character of a name for one byte."""

    path: Path

    def resolve(self) -> str:
        return os.fsencode(self.path.resolve()).decode("latin-1")


def load(files: Sequence[Path]) -> astrometry.Solver:
    """A solver with the index files; raises ValueError that names one which can't be loaded."""
    try:
        return astrometry.Solver([_Named(path) for path in files])
    except TypeError:
        damaged = next((path for path in files if not _loads(path)), files[0])
        raise ValueError(f"the index file {damaged} cannot be loaded: it is damaged, "
                         "or not an index file") from None


def _loads(path: Path) -> bool:
    try:
        astrometry.Solver([_Named(path)])
    except TypeError:
        return False
    return True
