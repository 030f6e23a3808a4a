"""The machine: disks and how they fill, the clock, the kernel's limits for watched folders."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from iop4d.archives.mounts import is_network
from iop4d.config import FolderArchive
from iop4d.model.units import span_text, utc_of_unix
from iop4d.operations.doctor.findings import (
    Finding,
    Surroundings,
    fault,
    good,
    is_folder,
    warning,
)
from iop4d.store import disk_history
from iop4d.store.database import Database, is_there
from iop4d.store.status import heartbeat

_DISK, _CLOCK, _WATCHES = "disk", "clock", "inotify"
_INOTIFY = "anon_inode:inotify"  # a file of a process, as proc(5) names it
_DAY = 86400.0
_SOON = 30.0  # days within which a disk that fills is worth a warning
_NOW = 3.0  # and within which it is a fault: a weekend
_FEW_INODES = 0.02  # of all
_RECENT = 7 * _DAY  # for which it is said that the clock was set
_AHEAD = 10.0  # seconds by which a time may be ahead of the clock
_NEARLY = 0.9  # of the limit


def disk(around: Surroundings) -> Iterator[Finding]:
    """How much room is left, and when the disk is full at the present rate."""
    site = around.site
    free, least = around.free(site.root), site.daemon.min_free_gb * 1e9
    room = f"{free / 1e9:.1f} GB are free on the disk of {site.root}"
    prune = "iop4d prune --dry-run shows what can go; or move raw frames to another disk"
    if free < least:
        yield fault(_DISK, f"{room}, less than [daemon] min_free_gb = {site.daemon.min_free_gb:g}: "
                    "no new work starts", prune)
    elif free < 2 * least:
        yield warning(_DISK, f"{room}; no work starts below {site.daemon.min_free_gb:g} GB", prune)
    else:
        yield good(_DISK, room)
    yield from _trend(around, free, prune)
    info = os.statvfs(site.root)
    if info.f_files and info.f_favail < _FEW_INODES * info.f_files:
        yield fault(_DISK, f"the disk of {site.root} has {info.f_favail} of {info.f_files} inodes "
                    "left: no more files can be made", prune)
    if site.backups.is_dir() and site.backups.stat().st_dev != site.root.stat().st_dev:
        spare = around.free(site.backups)
        if spare < least:
            yield warning(_DISK, f"{spare / 1e9:.1f} GB are free on the disk of the backups, "
                          f"{site.backups}", "make room there, or lower [backup] keep")


def _trend(around: Surroundings, free: int, do: str) -> Iterator[Finding]:
    if not is_there(around.site.database):
        return
    with Database(around.site.database, read_only=True).read() as db:
        a_day = disk_history.trend(db)
    if a_day is None:
        yield good(_DISK, "no trend yet: a daemon that runs notes the room once a day")
    elif a_day < 0 and free / -a_day < _SOON:
        least = around.site.daemon.min_free_gb * 1e9
        works = max(free - least, 0.0) / -a_day
        kind = fault if works < _NOW else warning
        yield kind(_DISK, f"it loses {-a_day / 1e9:.2f} GB a day: no new work starts in "
                   f"{works:.0f} days ([daemon] min_free_gb), and it is full in "
                   f"{free / -a_day:.0f} days", do)
    else:
        yield good(_DISK, f"its room changes by {a_day / 1e9:+.2f} GB a day")


def clock(around: Surroundings) -> Iterator[Finding]:
    """Whether something keeps it right, and nothing was written in its future."""
    mend = "have NTP keep it: timedatectl set-ntp true"
    now, found = around.clock(), 0
    if around.is_clock_kept() is False:
        found += 1
        yield warning(_CLOCK, "nothing keeps the clock of this machine right: times of events and "
                      "messages may be wrong", mend)
    if is_there(around.site.database):
        with Database(around.site.database, read_only=True).read() as db:
            beat = heartbeat(db)
        beaten, moved = float(beat.get("beat_at") or 0.0), beat.get("clock_set")
        if beaten > now + _AHEAD:
            found += 1
            yield fault(_CLOCK, f"the daemon's last heartbeat is {span_text(round(beaten - now))} "
                        "in the future: the clock was set back, or differs between machines", mend)
        if moved and abs(now - moved["at"]) < _RECENT:
            found += 1
            where, by = "forward" if moved["by"] > 0.0 else "back", round(abs(moved["by"]))
            yield warning(_CLOCK, f"the clock was set {where} by {span_text(by)} "
                          f"while the daemon ran, at {utc_of_unix(moved['at'])} UTC: times of "
                          "events and messages may be wrong", mend)
    if not found:
        yield good(_CLOCK, "the clock is kept right" if around.is_clock_kept()
                   else "the kernel does not say whether the clock is kept right")


def watches(around: Surroundings) -> Iterator[Finding]:
    """Whether the kernel lets all folders of the archives be watched."""
    folders = [archive.path for archive in around.site.archive
               if isinstance(archive, FolderArchive) and not archive.polling
               and is_folder(archive.path) and not is_network(around.kind_of(archive.path))]
    try:
        limit = int((around.proc / "sys/fs/inotify/max_user_watches").read_text())
    except (OSError, ValueError):
        yield good(_WATCHES, "this kernel has no limit of watched folders")
        return
    count = sum(_folders_in(path, limit) for path in folders)
    if count > _NEARLY * limit:
        yield fault(_WATCHES, f"the archives have {count} folders or more, and the kernel lets "
                    f"{limit} be watched: frames in the others are found by scans alone, late",
                    "sysctl fs.inotify.max_user_watches=524288, also in /etc/sysctl.d")
    else:
        yield good(_WATCHES, f"{count} folders are watched, of {limit} that may be")
    used, most = _watchers(around.proc)
    if used >= most:
        yield fault(_WATCHES, f"programs of this account watch folders {used} times, and the "
                    f"kernel lets {most:g}: the next one finds files by scans alone, late",
                    "sysctl fs.inotify.max_user_instances=1024, also in /etc/sysctl.d")


def _watchers(proc: Path) -> tuple[int, float]:
    """How often programs of this account use inotify, and how often they may."""
    try:
        most = float((proc / "sys/fs/inotify/max_user_instances").read_text())
    except (OSError, ValueError):
        return 0, math.inf
    used, me = 0, os.geteuid()
    for folder in proc.glob("[0-9]*/fd"):
        try:
            if folder.parent.stat().st_uid == me:
                used += sum(str(one.readlink()) == _INOTIFY for one in folder.iterdir())
        except OSError:  # it ended meanwhile, or is not ours to see
            continue
    return used, most


def _folders_in(path: Path, most: int) -> int:
    count = 0
    for _ in os.walk(path):
        count += 1
        if count > most:
            break
    return count
