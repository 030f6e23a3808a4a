"""Which files of a night's listing are wanted, and which of them are here already."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from iop4d.archives.names import local_path, safe_name
from iop4d.archives.nights import folder_of
from iop4d.archives.session import Listing, RemoteEntry
from iop4d.config import ServerArchive

_CALIBRATION = re.compile(r"(?i)bias|dark|flat|zero")
Known = dict[str, tuple[int, int]]  # local path to (size, mtime in ns) of what was delivered


@dataclass(frozen=True, kw_only=True)
class WantedFile:
    """A file on the server, and its place here."""

    night: date
    remote: str
    entry: RemoteEntry
    local: Path

    @property
    def stamp(self) -> tuple[int, float | None]:
        """Size and time: what must stand still."""
        return self.entry.size, self.entry.mtime


def wanted_of(archive: ServerArchive, night: date, listing: Listing) -> list[WantedFile]:
    """The files of a night's folder that the archive's keys ask for, the newest first."""
    pattern = re.compile(archive.file_pattern)
    folder = folder_of(archive.night_folder, night).rstrip("/")
    found = []
    for entry in listing.entries:
        if entry.folder or not pattern.search(entry.name):
            continue
        if not _is_of(entry.name, archive.name_prefixes):
            continue
        if (name := safe_name(entry.name)) is not None:
            found.append(WantedFile(night=night, remote=f"{folder}/{entry.name}", entry=entry,
                                    local=local_path(archive.path, night.isoformat(), name)))
    return sorted(found, key=lambda f: (f.entry.mtime or 0.0, f.entry.name), reverse=True)


def _is_of(name: str, sources: Iterable[str]) -> bool:
    """Whether a frame is of one of the sources, or a calibration frame; no sources: all are."""
    begin = re.sub(r"[\s_-]", "", name).lower()
    words = [re.sub(r"[\s_-]", "", source).lower() for source in sources]
    return not words or any(begin.startswith(word) for word in words) \
        or bool(_CALIBRATION.search(name))


def is_same(entry: RemoteEntry, size: int, mtime_s: float) -> bool:
    """Whether a file here is the one on the server, as far as its listing tells."""
    return entry.size == size and (
        entry.mtime is None or abs(entry.mtime - mtime_s) <= max(entry.precision, 1.0))


def is_known(file: WantedFile, known: Known) -> bool:
    """Whether this version was delivered before; the file itself may be gone since."""
    before = known.get(str(file.local))
    return before is not None and is_same(file.entry, before[0], before[1] / 1e9)


def is_here(file: WantedFile) -> bool:
    """Whether this version lies here, fetched before. Looks at the disk."""
    try:
        info = file.local.stat()
    except OSError:
        return False
    return is_same(file.entry, info.st_size, info.st_mtime)
