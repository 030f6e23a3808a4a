"""Which files of a server are wanted, and which of them are missing here, night by night."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Protocol

from iop4d.archives.names import local_path, safe_name
from iop4d.archives.nights import components, folder_of, night_of_folder
from iop4d.archives.session import (
    ForbiddenError,
    Listing,
    PathError,
    RemoteEntry,
    Session,
    TransferError,
    UnreadableError,
    is_same_time,
)
from iop4d.archives.shifted import as_of_now
from iop4d.config import ServerArchive

_DEEPEST = 8  # folders below that of a night
_CALIBRATION = re.compile(r"(?i)bias|dark|flat|zero")


class Known(Protocol):
    """Local path to (size, mtime in ns) of what was delivered: a dict, or ``KnownFiles``."""

    def get(self, path: str, /) -> tuple[int, int] | None:
        """Size and time of a file; None if it is not known."""

    def __getitem__(self, path: str, /) -> tuple[int, int]: ...



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


async def list_night(session: Session, folder: str) -> list[tuple[str, Listing]]:
    """The listings of a night's folder and of all below it, each with its path below the night's.

    Hidden folders are left out, as on a local disk. Links to folders are followed from the night's
    own alone: further down they may lead in circles. A folder that may not be read has an empty
    listing that says so, as one below the night's has that the server fails to read: it holds up
    no other. Raises PathError if the night has no folder, RemoteError.
    """
    try:
        found = [("", await _listing(session, folder))]
    except UnreadableError as error:
        raise TransferError(str(error)) from None
    left = [("", entry) for entry in found[0][1].entries if entry.folder]
    while left:
        above, entry = left.pop(0)
        below = f"{above}{entry.name}/"
        if entry.name.startswith(".") or below.count("/") > _DEEPEST:
            continue
        try:
            listing = await _listing(session, f"{folder.rstrip('/')}/{below.rstrip('/')}")
        except UnreadableError as error:
            listing = Listing(entries=(), cut_off=str(error))
        except PathError:  # it went
            continue
        found.append((below, listing))
        left += [(below, inner) for inner in listing.entries if inner.folder and not inner.link]
    return found


async def _listing(session: Session, folder: str) -> Listing:
    try:
        return await session.list(folder)
    except ForbiddenError as error:
        return Listing(entries=(), cut_off=str(error))


def wanted_of(archive: ServerArchive, night: date, listing: Listing, below: str = "",
              ) -> list[WantedFile]:
    """The files of a folder that the archive's keys ask for, the newest first.

    ``below``: its path below the night's folder, with a slash behind it; empty for that itself.
    """
    pattern = re.compile(archive.file_pattern, re.DOTALL)
    folder = f"{folder_of(archive.night_folder, night).rstrip('/')}/{below}".rstrip("/")
    inside = [safe_name(part) for part in below.split("/") if part]
    found: list[WantedFile] = []
    if None in inside:
        return found
    for entry in listing.entries:
        if entry.folder or not pattern.search(entry.name):
            continue
        if not _is_of(entry.name, archive.name_prefixes):
            continue
        if (name := safe_name(entry.name)) is not None:
            local = local_path(archive.path, night.isoformat(), *filter(None, inside), name)
            found.append(WantedFile(night=night, remote=f"{folder}/{entry.name}", entry=entry,
                                    local=local))
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
        entry.mtime is None or is_same_time(entry.mtime, mtime_s, entry.precision))


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


@dataclass(frozen=True, kw_only=True)
class NightSurvey:
    """A night's folder and those below it. ``listing``: None where the server has none."""

    night: date
    folder: str
    listing: Listing | None
    folders: int = 0  # below it
    wanted: tuple[WantedFile, ...] = ()
    missing: tuple[WantedFile, ...] = ()  # of the wanted ones, neither here nor delivered before

    @property
    def files(self) -> int:
        """How many files the folder holds."""
        return sum(not e.folder for e in self.listing.entries) if self.listing else 0

    @property
    def missing_bytes(self) -> int:
        """Bytes that would have to be fetched."""
        return sum(f.entry.size for f in self.missing)


async def survey_night(session: Session, archive: ServerArchive, night: date,
                       known: Known) -> NightSurvey:
    """Look at one night's folder; raises RemoteError other than PathError."""
    folder = folder_of(archive.night_folder, night)
    try:
        listings = await list_night(session, folder)
    except PathError:
        return NightSurvey(night=night, folder=folder, listing=None)
    wanted = tuple(file for below, listing in listings
                   for file in wanted_of(archive, night, listing, below))
    known = as_of_now(wanted, known)
    return NightSurvey(
        night=night, folder=folder, listing=_as_one(listings), folders=len(listings) - 1,
        wanted=wanted,
        missing=tuple(f for f in wanted if not is_known(f, known) and not is_here(f)))


def _as_one(listings: list[tuple[str, Listing]]) -> Listing:
    """The files of several listings as those of one."""
    every = [listing for _, listing in listings]
    return Listing(
        entries=tuple(e for one in every for e in one.entries if not e.folder),
        skipped=sum(one.skipped for one in every),
        examples=tuple(line for one in every for line in one.examples),
        cut_off=next((one.cut_off for one in every if one.cut_off), ""))


async def nights_on(session: Session, archive: ServerArchive) -> AsyncIterator[date]:
    """The nights that have a folder on the server, the newest first."""
    parts = components(archive.night_folder)
    found = [night async for folder in _folders(session, "", parts)
             if (night := night_of_folder(archive.night_folder, folder)) is not None]
    for night in sorted(set(found), reverse=True):
        yield night


async def _folders(session: Session, above: str,
                   parts: list[tuple[str, re.Pattern[str] | None]]) -> AsyncIterator[str]:
    """Folders that match what is left of the pattern, below one that does so far."""
    if not parts:
        yield above
        return
    (part, expression), *rest = parts
    if expression is None:
        async for folder in _folders(session, str(PurePosixPath(above) / part), rest):
            yield folder
        return
    try:
        listing = await session.list(above or ".")
    except PathError:
        return
    for entry in listing.entries:
        if entry.folder and expression.fullmatch(entry.name):
            async for folder in _folders(session, str(PurePosixPath(above) / entry.name), rest):
                yield folder


def above_nights(archive: ServerArchive) -> str:
    """The folder that holds those of the nights; empty for the one a login begins in."""
    above = ""
    for part, expression in components(archive.night_folder):
        if expression is not None:
            break
        above = str(PurePosixPath(above) / part)
    return above


async def parent_names(session: Session, archive: ServerArchive) -> tuple[str, list[str]]:
    """(the folder above the nights', names of folders in it): for who has the pattern wrong."""
    above = above_nights(archive)
    try:
        listing = await session.list(above or ".")
    except PathError:
        return above, []
    return above, sorted(e.name for e in listing.entries if e.folder)
