"""The files below a folder, as they are now, and their write permissions."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from iop4d.archives.known import KnownFiles
from iop4d.archives.settle import Stamp

_FAR = 2**63 - 1  # ns; some file systems keep times beyond what a database takes
_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass(kw_only=True)
class Scan:
    """What a look at files gave.

    ``new``: stamps of those that are not as they are known to be. ``frames``: how many there are,
    known ones included. ``refused``: why files or folders could not be looked at.
    """

    new: dict[Path, Stamp] = field(default_factory=dict)
    frames: int = 0
    refused: dict[Path, str] = field(default_factory=dict)

    def add(self, more: Scan) -> None:
        """Take in what another look gave."""
        self.new |= more.new
        self.frames += more.frames
        self.refused |= more.refused


class Tree:
    """Finds the frames below a root: names that match and are not hidden, links followed."""

    def __init__(self, root: Path, pattern: str, known: KnownFiles) -> None:
        self._root = root
        self._pattern = re.compile(pattern, re.DOTALL)  # of names with a newline, too
        self._known = known

    def scan(self) -> Scan:
        """All of it; raises OSError if the root itself cannot be read."""
        os.scandir(self._root).close()
        found = Scan()
        for path in self._walk(str(self._root), set(), found):
            self._take(path, found)
        return found

    def look_at(self, paths: list[Path]) -> Scan:
        """Some files, and all files of folders that are among them."""
        found = Scan()
        for path in paths:
            if any(part.startswith(".") for part in path.relative_to(self._root).parts):
                continue
            if path.is_dir():
                if self._is_within(path):
                    continue
                for inside in self._walk(str(path), set(), found):
                    self._take(inside, found)
            elif self._pattern.search(path.name):
                self._take(str(path), found)
        return found

    def _is_within(self, folder: Path) -> bool:
        """Whether a link leads to a folder that is looked at anyway, or to one above."""
        root, real = self._root.resolve(), folder.resolve()
        if real == root / folder.relative_to(self._root):
            return False
        return real.is_relative_to(root) or root.is_relative_to(real)

    def _walk(self, folder: str, seen: set[tuple[int, int]], found: Scan) -> Iterator[str]:
        """Paths of frames. ``seen``: folders walked before, since links may loop."""
        try:
            here = os.stat(folder)  # noqa: PTH116 - text, not Path: a tree holds 100,000 files
            if (here.st_dev, here.st_ino) in seen:
                return
            seen.add((here.st_dev, here.st_ino))
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.refused[Path(folder)] = f"cannot be read: {error.strerror}"
            return
        for entry in listed:
            if entry.name.startswith("."):
                continue
            if _is_dir(entry):
                yield from self._walk(entry.path, seen, found)
            elif self._pattern.search(entry.name):
                yield entry.path

    def _take(self, path: str, found: Scan) -> None:
        """Count a file, and keep it if it is new; one that cannot be looked at, with the reason."""
        try:
            stamp = _stamp(path)
        except FileNotFoundError:
            return  # it went, or is a link to nowhere
        except OSError as error:
            found.refused[Path(path)] = f"cannot be accessed: {error.strerror}"
            return
        if stamp is None:
            return
        found.frames += 1
        if self._known.get(path) == stamp[:2]:
            return
        if not path.isprintable() and not _is_text(path):
            found.refused[Path(path)] = "its name is not valid UTF-8; rename it"
        else:
            found.new[Path(path)] = stamp


def look(path: Path) -> Stamp | None:
    """Size, mtime and inode of a regular file; None if it is none, or cannot be seen."""
    try:
        return _stamp(str(path))
    except OSError:
        return None


def try_read(path: Path) -> Stamp | None:
    """The stamp of a file whose first byte was read; None if it went. Raises OSError.

    A file that is there may still not be readable: no right to, locked, or on a bad disk.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        stamp = _of(os.fstat(number))
        if stamp is not None:
            os.read(number, 1)
        return stamp
    finally:
        os.close(number)


def _stamp(path: str) -> Stamp | None:
    return _of(os.stat(path))  # noqa: PTH116 - as above


def _of(info: os.stat_result) -> Stamp | None:
    if not stat.S_ISREG(info.st_mode):
        return None
    return info.st_size, max(-_FAR, min(info.st_mtime_ns, _FAR)), info.st_ino


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def protect(path: Path) -> str:
    """Take the write bits of a complete file away; why that could not be, empty if it could.

    Only of files that are our own: even where we may, what others own is theirs to change. A link
    is left alone, and with it what it points to.
    """
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode) or not info.st_mode & _WRITE:
            return ""
        if info.st_uid != os.geteuid():
            return f"{path.name} belongs to user {info.st_uid}"
        path.chmod(stat.S_IMODE(info.st_mode) & ~_WRITE)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    return ""
