"""The site's folders: this account can write to each, on a disk with room, that locks files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from iop4d.archives.mounts import is_network
from iop4d.config import ServerArchive
from iop4d.config.store import FilePlace
from iop4d.operations.doctor.findings import Finding, Surroundings, fault, good, warning

_FOLDERS = "folders"
_WRITTEN = ("masters", "reduced", "previews", "logs", "drafts")
_IN_MEMORY = ("tmpfs", "ramfs")


def folders(around: Surroundings) -> Iterator[Finding]:
    """Whether what the daemon writes can be written: also where a folder is on another disk."""
    site, found = around.site, 0
    least = site.daemon.min_free_gb * 1e9
    fetched = (one.path for one in site.archive if isinstance(one, ServerArchive))
    devices, said = {_device(site.root)}, set[int]()
    for path in dict.fromkeys((site.root, *map(site.folder, _WRITTEN), site.backups, *fetched)):
        if not _exists(path):  # it is made when it is needed
            continue
        if not path.is_dir():
            found += 1
            yield fault(_FOLDERS, f"{path} is no folder: nothing can be written into it",
                        "rename what is there, and the folder is made when it is needed")
            continue
        if _is_read_only(path):
            if _device(path) not in said:
                found += 1
                said.add(_device(path))
                yield fault(_FOLDERS, f"the disk of {path} is mounted read-only",
                            "mount it for writing; look into the system's log for why it was not")
        elif not around.may(path, os.W_OK | os.X_OK):
            found += 1
            yield fault(_FOLDERS, f"this account may not write to {path}",
                        "give the account of the daemon the right to write there")
        elif (device := _device(path)) not in devices:
            devices.add(device)
            if (free := around.free(path)) < least:
                found += 1
                yield fault(_FOLDERS, f"{free / 1e9:.1f} GB are free on the disk of {path}, which "
                            "is not that of the site: what is written there fails when it is full",
                            "make room there; [daemon] min_free_gb is for the site's own disk")
    if (kind := around.kind_of(site.root)) in _IN_MEMORY:
        found += 1
        yield warning(_FOLDERS, f"{site.root} is on a file system in memory ({kind}): all of it is "
                      "lost when the machine starts again", "keep the site on a disk")
    if isinstance(site.database, FilePlace) and is_network(
            kind := around.kind_of(site.database.path)):
        found += 1
        yield warning(_FOLDERS, f"{site.database.path} is on a file system of the network ({kind})"
                      ", where locks of SQLite may fail and the database be damaged",
                      "keep the site on a disk of this machine ('iop4d docs postgresql': a server)")
    if not found:
        yield good(_FOLDERS, "what the daemon writes can be written")


def _exists(path: Path) -> bool:
    """Whether something is there, as far as this account may know."""
    try:
        return path.exists()
    except OSError:
        return False  # the folder above it is among those that are looked at, or that of another


def _device(path: Path) -> int:
    return path.stat().st_dev


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
