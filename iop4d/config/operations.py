"""``[backup]`` and ``[prune]``: how a site is kept in working order."""

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


@dataclass(frozen=True, kw_only=True)
class Prune:
    """``[prune]``: what ``iop4d prune`` removes, and the daemon each day if it may. Never raw
    frames, masters or results."""

    daily: bool = key("Whether the daemon does it each day, after 12 h UTC.", False)
    reduced_days: float = key(
        "Days after which a reduced frame goes, since it was written; 0: never.", 0.0,
        check=at_least(0))
    previews_days: float = key("The same for previews.", 0.0, check=at_least(0))
    reduced_max_gb: float = key(
        "Gigabytes of reduced frames beyond which those of the oldest nights go; 0: no limit.", 0.0,
        check=at_least(0))
    previews_max_gb: float = key("The same for previews.", 0.0, check=at_least(0))
    keep_nights: int = key(
        "Newest nights whose reduced frames and previews stay, whatever their age and size.", 7,
        check=at_least(0))
    keep_results: bool = key(
        "Whether reduced frames and previews stay on which a result rests.", False)
    events_days: float = key(
        "Days after which events of the live pages go; 0: the newest 20,000 stay.", 0.0,
        check=at_least(0))
    ended_days: float = key(
        "Days after which answered requests of commands and pages go, and ended jobs that no page "
        "shows; the daemon removes them each day, whatever the key daily says; 0: never.", 90.0,
        check=at_least(0))
    triggers_days: float = key(
        "Days after which triggers go, since their time was over (8 at least); 0: never. Those "
        "within whose time an active alert fired stay.", 0.0, check=at_least(0))
    logs_days: float = key(
        "Days after which older files of the log go; 0: four of each service stay.", 0.0,
        check=at_least(0))
