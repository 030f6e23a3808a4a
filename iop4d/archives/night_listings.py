"""What a server lists of the nights that are due: which files are new there, and what is missing.

A look lists the present night, now and then those before it, and after an outage all since. What a
listing does not tell is logged once; times that it gives to the minute are asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import date, timedelta

from iop4d.archives.kept_sessions import KeptSessions
from iop4d.archives.known import KnownFiles
from iop4d.archives.names import printable
from iop4d.archives.nights import folder_of
from iop4d.archives.session import Listing, PathError, RemoteError
from iop4d.archives.shifted import shifted, zone_shift
from iop4d.archives.standing import Standing, exactly
from iop4d.archives.survey import WantedFile, above_nights, is_known, list_night, wanted_of
from iop4d.config import ServerArchive

log = logging.getLogger(__name__)

_OLD_NIGHTS = 600.0  # seconds between looks at nights before the present one
_MOST_ASKED = 50  # newest files of a look whose time is asked for where listings tell minutes only
_LONGEST_OUTAGE = 400  # nights that are made up for at most


class NightListings:
    """Lists an archive's nights on its server.

    ``known``, ``standing``: the files that were delivered, and those that are about to be fetched;
    ``tonight``: the present night; ``tick``: called as the work proceeds.
    """

    def __init__(self, *, archive: ServerArchive, sessions: KeptSessions, known: KnownFiles,
                 standing: Standing, tonight: Callable[[], date],
                 tick: Callable[[], None]) -> None:
        self._archive = archive
        self._sessions = sessions
        self._known = known
        self._standing = standing
        self._tonight = tonight
        self._tick = tick
        self._whole_until: date | None = None  # up to which all was looked at
        self.tells_minutes = False
        self.skipped_lines = 0
        self.cut_off: dict[str, str] = {}  # folders whose listing is not whole: what was said
        self._skipped: dict[str, int] = {}  # lines of folders that were told of
        self._old_nights_at = -1e9
        self._folders = 0
        self._is_first = True

    def remember(self) -> None:
        """Learn from the files that were delivered before up to which night all was looked at."""
        self._whole_until = _newest_night(self._archive, self._known)

    async def look(self) -> tuple[list[WantedFile], list[date]]:
        """The wanted files that were not delivered, of the nights that are due; and those nights.

        Raises RemoteError.
        """
        every = time.monotonic() - self._old_nights_at >= _OLD_NIGHTS
        nights = self._nights(every=every)
        listed = await self._list_nights(nights, every=every)
        self._follow_zone(listed)
        listed = await self._with_seconds(listed)
        self._is_first = False
        return [file for file in listed if not is_known(file, self._known)], nights

    def _nights(self, *, every: bool) -> list[date]:
        """The nights to look at now, the present one first.

        With ``every`` those before it, after an outage all since; else those of files that are
        about to be fetched.
        """
        tonight = self._tonight()
        back = self._archive.lookback_nights
        if self._whole_until is not None and (tonight - self._whole_until).days > back:
            back = min((tonight - self._whole_until).days, _LONGEST_OUTAGE)
        if not every:
            return [tonight, *sorted(self._standing.nights(time.monotonic()) - {tonight},
                                     reverse=True)]
        return [tonight - timedelta(days=k) for k in range(back + 1)]

    async def _list_nights(self, nights: list[date], *, every: bool) -> list[WantedFile]:
        files: list[WantedFile] = []
        if every and (missed := len(nights) - 1 - self._archive.lookback_nights) > 0:
            log.warning("archive %s: nothing was looked at since the night of %s: %d nights more "
                        "than lookback_nights are listed now", self._archive.name,
                        self._whole_until, missed)
        self._folders = 0
        for night in nights:
            files += await self._list(night)
            self._tick()
        if every:
            if not self._folders:
                await self._check_parent()
            self._old_nights_at, self._whole_until = time.monotonic(), nights[0]
        return files

    async def _list(self, night: date) -> list[WantedFile]:
        """What is wanted of a night; nothing of one that is not there (yet)."""
        folder = folder_of(self._archive.night_folder, night)
        kept = self._sessions.connected
        try:
            listings = await list_night(await self._sessions.first(), folder)
        except PathError:
            return []
        except RemoteError:
            if not kept:
                raise
            # A kept session may have been ended by the server meanwhile: once more, with a new one.
            await self._sessions.close()
            try:
                listings = await list_night(await self._sessions.first(), folder)
            except PathError:
                return []
        self._folders += 1
        files: list[WantedFile] = []
        for below, listing in listings:
            self._note(f"{folder.rstrip('/')}/{below}".rstrip("/"), listing)
            files += await asyncio.to_thread(wanted_of, self._archive, night, listing, below)
        return files

    def _note(self, folder: str, listing: Listing) -> None:
        """Tell what a listing does not tell."""
        name = self._archive.name
        if listing.skipped:
            self.skipped_lines += listing.skipped
        if listing.skipped != self._skipped.get(folder, 0):
            self._skipped[folder] = listing.skipped
            log.warning("archive %s: %d lines of the listing of %s cannot be parsed, such as %s",
                        name, listing.skipped, printable(folder),
                        ", ".join(listing.examples) or "none any more")
        if listing.cut_off and folder not in self.cut_off:
            log.error("archive %s: the listing of %s is not whole, the server says '%s': files "
                      "are missing until it may be read, lists more, or they lie in several "
                      "folders", name, printable(folder), listing.cut_off)
            self.cut_off[folder] = listing.cut_off
        elif not listing.cut_off:
            self.cut_off.pop(folder, None)

    def _follow_zone(self, files: list[WantedFile]) -> None:
        """Files that look changed only because the server tells another time now are the same."""
        if seconds := zone_shift(files, self._known):
            same = shifted(files, self._known, seconds)
            log.warning("archive %s: the times of %d files moved by %+.2f h and their sizes did "
                        "not: the server's time zone changed, and they are not fetched again",
                        self._archive.name, len(same), seconds / 3600.0)
            self._known.update(same)

    async def _with_seconds(self, files: list[WantedFile]) -> list[WantedFile]:
        """Files as listed; where that is to the minute, the newest as the server tells when asked.

        Those that are not here, and once more those that came a minute ago.
        """
        found, asked = [], 0
        for file in files:
            if file.entry.precision <= 1.0 or asked >= _MOST_ASKED:
                found.append(file)
                continue
            self.tells_minutes = True
            if self._is_to_be_asked_for(file):
                found.append(await self._asked(file))
                asked += 1
            else:
                found.append(file)
        return found

    def _is_to_be_asked_for(self, file: WantedFile) -> bool:
        due = self._standing.to_be_compared(file.remote, time.monotonic())
        if due or not is_known(file, self._known):
            return True
        # At the start: it may have changed since it came, while no daemon ran.
        _, mtime_ns = self._known[str(file.local)]
        return self._is_first and mtime_ns % (60 * 10**9) != 0

    async def _asked(self, file: WantedFile) -> WantedFile:
        try:
            now = await (await self._sessions.first()).stat(file.remote)
        except PathError:  # it went; the next listing tells
            return file
        if now is None or now.mtime is None:
            return file
        exact = exactly(file, now.size, now.mtime)
        if is_known(file, self._known) and not is_known(exact, self._known):
            self._standing.changed(file.remote)
        return exact

    async def _check_parent(self) -> None:
        """No night has a folder: raises PathError if there is not even one that could hold them."""
        above = above_nights(self._archive)
        try:
            await (await self._sessions.first()).list(above or ".")
        except PathError as error:
            raise PathError(f"folder {above} not found on {self._archive.host}; check the key "
                            f"'night_folder' of the archive '{self._archive.name}' "
                            f"({error})") from None


def _newest_night(archive: ServerArchive, known: KnownFiles) -> date | None:
    """The newest night of which files were delivered; None if there is none."""
    above = f"{archive.path}/"
    nights = []
    for name in {folder[len(above):].partition("/")[0] for folder in known.folders
                 if folder.startswith(above)}:
        with contextlib.suppress(ValueError):
            nights.append(date.fromisoformat(name))
    return max(nights, default=None)
