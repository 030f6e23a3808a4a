"""Where a worker that does not see the site keeps files that came to it, and those it made."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from iop4d.ledger.engines.dask.travel import Places, below


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of a file of the daemon's machine. ``sha256``: of the whole file, with its last one.

    ``job``: whose file it is, empty for one that is kept.
    """

    job: str
    path: Path
    offset: int
    data: bytes = field(repr=False)
    sha256: str = ""
    mtime_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class Product:
    """A file that a job wrote, by its path on the daemon's machine."""

    path: Path
    size: int
    sha256: str


class Stage:
    """A folder of this worker for the files of one site."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sums: dict[Path, hashlib._Hash] = {}

    def places(self, job: str) -> Places:
        """Where the files of a job are."""
        return Places(job=self._root / "jobs" / job, kept=self._root / "kept")

    def put(self, part: Part) -> str:
        """Write a piece of a file, which is there once it is whole; what is wrong, or nothing.

        Raises OSError where there is no room for it.
        """
        places = self.places(part.job)
        path = below(places.job if part.job else places.kept, part.path)
        coming = path.with_name(f"{path.name[:200]}.part")
        if part.offset == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sums[path] = hashlib.sha256()
        with coming.open("wb" if part.offset == 0 else "ab") as file:
            file.write(part.data)
        self._sums[path].update(part.data)
        if part.sha256:
            if self._sums.pop(path).hexdigest() != part.sha256:
                return f"{part.path} did not arrive as it was sent"
            os.utime(coming, ns=(part.mtime_ns, part.mtime_ns))
            coming.replace(path)
        return ""

    def products(self, job: str, paths: Iterable[Path]) -> tuple[Product, ...]:
        """Those files of a job that are there."""
        found = []
        for path in paths:
            there = below(self.places(job).job, path)
            if there.is_file():
                with there.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                found.append(Product(path=path, size=there.stat().st_size, sha256=sha256))
        return tuple(found)

    def read(self, job: str, path: Path, offset: int, length: int) -> bytes:
        """A piece of a file of a job."""
        with below(self.places(job).job, path).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def forget(self, paths: Iterable[Path]) -> None:
        """Remove files that were kept."""
        for path in paths:
            below(self.places("").kept, path).unlink(missing_ok=True)

    def clear(self, job: str) -> None:
        """Remove the files of a job."""
        shutil.rmtree(self.places(job).job, ignore_errors=True)

    def remove(self) -> None:
        """Remove it all."""
        shutil.rmtree(self._root, ignore_errors=True)
