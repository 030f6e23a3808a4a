"""On which file system an archive's folder is, and whether it is still the folder that it was.

A folder that is gone, empty where it was full, or that another file system now covers is most
likely a disk that is not mounted. Nothing is ever forgotten for that: the archive is degraded, its
frames stay known, and it continues when they are back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph"})


def kind_of(path: Path, table: str | None = None) -> str:
    """The type of the file system that holds a path, such as ext4; empty if unknown.

    ``table``: what stands in /proc/self/mountinfo (proc(5)).
    """
    try:
        table = _TABLE.read_text(encoding="utf-8", errors="surrogateescape") \
            if table is None else table
        place = os.path.realpath(path)
    except OSError:
        return ""
    best, found = -1, ""
    for line in table.splitlines():
        before, dash, after = line.partition(" - ")
        words = before.split(" ")
        if not dash or len(words) < 5:
            continue
        point = _plain(words[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # of two on the same point the later one is seen
            best, found = len(point), after.split(" ")[0]
    return found


def is_network(kind: str) -> bool:
    """Whether files of such a file system may change without a word from this kernel."""
    return kind in _NETWORK or kind.startswith("fuse.")


def _plain(text: str) -> str:
    """A mount point as it is: the table writes blanks and the like as octal numbers."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What tells a folder from another of the same name."""

    device: int
    inode: int


def identity_of(root: Path) -> Identity:
    """A folder's identity; raises OSError, NotADirectoryError for a file too."""
    os.scandir(root).close()
    info = root.stat()
    return Identity(device=info.st_dev, inode=info.st_ino)


class RootGuard:
    """Remembers which folder an archive's root is.

    There is no canary file: raw folders are the observatory's, and nothing is written to them. What
    a canary would tell, that events do not come, the scans make good.
    """

    def __init__(self) -> None:
        self._trusted: Identity | None = None  # the folder in which its frames were seen
        self._now: Identity | None = None

    def saw(self, identity: Identity) -> bool:
        """The root is this folder now; whether it is another one than at the last look."""
        before, self._now = self._now, identity
        return before is not None and before != identity

    def judge(self, frames: int, known: int) -> str:
        """What is wrong with the root after a scan that found so many frames; empty if nothing.

        ``known``: how many frames have been seen in it, now or in earlier runs.

        A folder with frames in it is the archive, whatever its inode: a disk may come back under
        another device number. An empty one in its place is not.
        """
        if frames or not known or self._now == self._trusted:
            self._trusted = self._now
            return ""
        if self._trusted is None:
            return f"is empty, though {known} of its files are known; is its disk mounted?"
        how = ("another file system is mounted over it, or its own is no longer mounted"
               if self._now is None or self._now.device != self._trusted.device
               else "it was deleted and created again")
        return f"is empty now: {how}; its {known} known files stay in the database"
