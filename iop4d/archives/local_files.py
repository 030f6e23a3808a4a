"""Files that a remote archive fetched, and that lie in its folder here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from iop4d.archives.download import sweep
from iop4d.archives.settle import SettledFile
from iop4d.archives.tree import look
from iop4d.archives.wanted import Known
from iop4d.config import Archive


def settled(paths: list[Path], now: float, *, announced: bool,
            read_only: bool) -> list[SettledFile]:
    """What is handed over of files; one that is gone again is left out."""
    found = []
    for path in paths:
        if (stamp := look(path)) is None:
            continue
        if read_only:
            path.chmod(path.stat().st_mode & ~0o222)
        found.append(SettledFile(path=path, size=stamp[0], mtime_ns=stamp[1], completed_at=now,
                                 announced=announced))
    return found


def left_behind(archive: Archive, known: Known) -> list[Path]:
    """Frames below an archive's folder that were not delivered as they are; old parts are swept.

    Makes the folder if need be. Raises OSError where it cannot.
    """
    archive.path.mkdir(parents=True, exist_ok=True)
    sweep(archive.path)
    pattern = re.compile(archive.file_pattern)
    found = []
    for path in _files(archive.path):
        stamp = look(path) if pattern.search(path.name) else None
        if stamp is not None and str(path).isprintable() and known.get(str(path)) != stamp[:2]:
            found.append(path)
    return found


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder) / name
