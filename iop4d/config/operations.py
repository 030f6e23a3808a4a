"""``[backup]``: how a site is kept in working order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from iop4d.config.keys import Check, at_least, key

_TIME: Check = ("a time such as 12:30",
                lambda value: bool(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value)))


@dataclass(frozen=True, kw_only=True)
class Backup:
    """``[backup]``: what ``iop4d backup`` writes, and the timer of systemd with it."""

    folder: Path | None = key(
        "Folder of the backups, best on another disk; empty: backups/ in the site's folder.", None)
    keep: int = key("Backups of this site that are kept in it, the newest; 0: all.", 14,
                    check=at_least(0))
    at: str = key("When the timer of systemd makes one each day, UTC.", "12:30", check=_TIME)
