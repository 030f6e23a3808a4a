"""Whether an archive's folder is still the one it was.

A folder that is gone, empty where it was full, or that another file system now covers is most
likely a disk that is not mounted. Nothing is ever forgotten for that: the archive is degraded, its
frames stay known, and it goes on when they are back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


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
            return f"is empty, though {known} files of it are known: is its disk mounted?"
        how = ("another file system is mounted over it, or its own is no longer mounted"
               if self._now is None or self._now.device != self._trusted.device
               else "it was removed and made anew")
        return f"is empty now: {how}; the {known} files known of it stay known"
