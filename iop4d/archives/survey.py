"""What a server holds against what is here: by night, for whoever checks or fetches by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from iop4d.archives.nights import components, folder_of, night_of_folder
from iop4d.archives.session import Listing, PathError, Session
from iop4d.archives.wanted import Known, WantedFile, is_here, is_known, wanted_of
from iop4d.config import ServerArchive


@dataclass(frozen=True, kw_only=True)
class NightSurvey:
    """A night's folder. ``listing``: None where the server has no such folder."""

    night: date
    folder: str
    listing: Listing | None
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
        listing = await session.list(folder)
    except PathError:
        return NightSurvey(night=night, folder=folder, listing=None)
    wanted = tuple(wanted_of(archive, night, listing))
    return NightSurvey(
        night=night, folder=folder, listing=listing, wanted=wanted,
        missing=tuple(f for f in wanted if not is_known(f, known) and not is_here(f)))


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
