"""What file system a folder lies on: across a network, the kernel tells of no change."""

from __future__ import annotations

import os
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph"})


def kind_of(path: Path, table: str | None = None) -> str:
    """The type of the file system that holds a path, such as ext4; empty if nobody knows.

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
