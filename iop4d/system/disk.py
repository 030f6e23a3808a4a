"""The room on the disk of the site's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from iop4d.model.errors import Iop4dError


class FolderGoneError(Iop4dError):
    """The site's folder is not where it was when the program started."""


def free_bytes(folder: Path) -> int:
    """The free bytes of the disk of the site's folder; raises FolderGoneError where it is gone."""
    try:
        return shutil.disk_usage(folder).free
    except FileNotFoundError:
        raise FolderGoneError(
            f"the folder of the site, {folder}, is gone: was it moved, renamed or unmounted? Start "
            "the daemon where it is now; nothing of what was stored is lost") from None
