"""Nights as observers name them, their folders on a server, and when a telescope observes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath

from iop4d.config import Archive, ServerArchive
from iop4d.instruments.telescopes import Telescope, sun_altitude_deg
from iop4d.model.errors import Iop4dError
from iop4d.model.units import JD_UNIX_EPOCH, MomentError, jd_of_text

_FIELD = re.compile(r"\{night:([^}]*)\}")
#: What the letters of a date stand for, as regular expressions.
_LETTERS = {"%Y": r"\d{4}", "%y": r"\d\d", "%m": r"\d\d", "%d": r"\d\d", "%j": r"\d{3}",
            "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]+", "%H": r"\d\d", "%%": "%"}
_DOWN_DEG = 0.0  # altitude of the sun below which a telescope observes: flats come at dusk


def folder_of(pattern: str, night: date) -> str:
    """The folder of a night on the server."""
    return pattern.format(night=datetime.combine(night, time()))


def night_of_folder(pattern: str, folder: str) -> date | None:
    """The night of a folder, None if it is none: the reverse of ``folder_of``."""
    try:
        return datetime.strptime(folder, _FIELD.sub(r"\1", pattern)).date()  # noqa: DTZ007 - a date
    except ValueError:
        return None


def components(pattern: str) -> list[tuple[str, re.Pattern[str] | None]]:
    """The pattern's path, part by part, each with what names match it; None where it is fixed."""
    parts: list[tuple[str, re.Pattern[str] | None]] = []
    for part in PurePosixPath(pattern).parts:
        if not _FIELD.search(part):
            parts.append((part, None))
            continue
        expression = "".join(
            _of_field(piece) if number % 2 else re.escape(piece)
            for number, piece in enumerate(_FIELD.split(part)))
        parts.append((part, re.compile(expression)))
    return parts


def _of_field(letters: str) -> str:
    pieces = re.split(r"(%.)", letters)
    return "".join(_LETTERS.get(piece, re.escape(piece)) for piece in pieces)


class NightError(Iop4dError):
    """A text that is no night."""


def parse_night(text: str, *, tonight: date) -> date:
    """2023-03-13, 20230313, 230313, 'tonight', 'yesterday', or the night (from noon to noon, UTC)
    of a JD, an MJD or a time; raises NightError.
    """
    words = {"tonight": tonight, "today": tonight, "yesterday": tonight - timedelta(days=1)}
    if text.lower() in words:
        return words[text.lower()]
    for form in ("%Y-%m-%d", "%Y%m%d", "%y%m%d"):
        if len(text) != len(datetime(2023, 3, 13).strftime(form)):  # noqa: DTZ001 - a date
            continue
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a date
        except ValueError:
            pass
    try:
        return datetime.fromtimestamp((jd_of_text(text) - 0.5 - JD_UNIX_EPOCH) * 86400.0,
                                      tz=UTC).date()
    except (MomentError, ValueError, OverflowError):
        raise NightError(f"'{text}' is not a night; expected 2023-03-13, 230313, tonight, "
                         "yesterday, or a JD, MJD or time of it") from None


def find_archive(name: str, archives: Sequence[Archive]) -> Archive:
    """An archive by its name or its telescope's, or the end of either: T090 for OSN-T090.

    An archive's own name counts before a telescope's, a whole name before the end of one. Raises
    Iop4dError where none or several are meant.
    """
    wanted = name.lower()
    for matches in (str.__eq__, str.endswith):
        for names in ([a.name.lower() for a in archives], [a.telescope.lower() for a in archives]):
            found = [a for a, its in zip(archives, names, strict=True) if matches(its, wanted)]
            if len(found) == 1:
                return found[0]
            if found:
                raise Iop4dError(f"'{name}' is ambiguous: {' or '.join(a.name for a in found)}")
    raise Iop4dError(f"unknown archive '{name}'; the site file has "
                     + (", ".join(a.name for a in archives) or "none"))


def parse_place(text: str, archives: Sequence[Archive], *, tonight: date,
                ) -> tuple[Archive, date | None]:
    """``T090/230313``, ``OSN-T090/2023-03-13``, or an archive alone; raises Iop4dError."""
    name, slash, night = text.strip("/").rpartition("/")
    if not slash:
        return find_archive(night, archives), None
    return find_archive(name, archives), parse_night(night, tonight=tonight)


def observes(archive: Archive, telescope: Telescope | None, unix: float) -> bool:
    """Whether frames are to be expected now; always where nothing is known of the place."""
    if archive.observing_hours:
        begin, end = archive.observing_hours.split("-")
        now = datetime.fromtimestamp(unix, tz=UTC).strftime("%H:%M")
        return begin <= now < end if begin <= end else now >= begin or now < end
    if telescope is None or not telescope.is_placed:
        return True
    return sun_altitude_deg(unix, telescope.latitude_deg, telescope.longitude_deg) < _DOWN_DEG


def any_observes(archives: Iterable[Archive], places: Mapping[str, Telescope], subject: str,
                 unix: float) -> bool:
    """Whether an archive expects new frames now: of a telescope, or itself where it has none.

    ``places``: telescopes by their names.
    """
    return any(observes(archive, places.get(archive.telescope), unix)
               for archive in archives if (archive.telescope or archive.name) == subject)


def pause_of(archive: ServerArchive, telescope: Telescope | None, unix: float) -> float:
    """Seconds between looks at the server."""
    if observes(archive, telescope, unix):
        return archive.poll_interval
    return max(archive.poll_interval_day, archive.poll_interval)
