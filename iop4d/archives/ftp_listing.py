"""Listings of FTP servers, line by line: what is understood counts, what is not is counted.

MLSD (RFC 3659) says all in UTC; LIST is meant for people, in the dialect of the server. Names are
bytes; they are decoded by the archive's encoding, with surrogates for what it does not know. No
line, however odd, raises an error or costs another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from iop4d.archives.session import Listing, RemoteEntry

_EXAMPLES = 5  # of lines that nobody understood
_SHOWN = 80  # characters of such a line
_MINUTE, _DAY = 60.0, 86400.0  # seconds to which a time is told
_LINKS = (b"os.unix=symlink", b"os.unix=slink")  # types of MLSD
_MONTHS = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)}

# The name follows after one blank: others are its own.
_UNIX = re.compile(
    rb"^(?P<mode>[-dlbcps])[-rwxsStTlL]{9}[.+@]?\s+\d+\s+(?:\S+\s+){0,3}?(?P<size>\d+)\s+"
    rb"(?:(?P<month>[A-Za-z]{3})\s+(?P<day>\d{1,2})\s+(?:(?P<time>\d{1,2}:\d\d)|(?P<year>\d{4}))"
    rb"|(?P<iso>\d{4}-\d\d-\d\d\s+\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:\s[+-]\d{4})?)\s(?P<name>.+)$",
    re.DOTALL)
_DOS = re.compile(
    rb"^(?P<month>\d\d)-(?P<day>\d\d)-(?P<year>\d{4}|\d\d)\s+(?P<hour>\d\d):(?P<minute>\d\d)\s*"
    rb"(?P<half>[AaPp][Mm])?\s+(?P<size><DIR>|[\d,]+)\s+(?P<name>.+)$", re.DOTALL)
_NO_ENTRY = re.compile(rb"^\s*(?:total\s+\d+\s*)?$", re.IGNORECASE)

Parse = Callable[[bytes], RemoteEntry | None]


def parse_mlsd(raw: bytes, encoding: str) -> Listing:
    """The listing that MLSD sent."""
    return _listing(raw.split(b"\n"), lambda line: mlsx_entry(line, encoding))


def parse_list(raw: bytes, encoding: str, now: datetime) -> Listing:
    """The listing that LIST sent; ``now`` (UTC) tells the year where a line does not."""
    return _listing(raw.split(b"\n"), lambda line: _list_entry(line, encoding, now))


def _listing(lines: Iterable[bytes], parse: Parse) -> Listing:
    entries: list[RemoteEntry] = []
    odd: list[bytes] = []
    skipped = 0
    for line in lines:
        whole = line.removesuffix(b"\r")
        if _NO_ENTRY.match(whole):
            continue
        try:
            entry = parse(whole)
        except (ValueError, OverflowError, LookupError):
            skipped += 1
            odd = odd if len(odd) >= _EXAMPLES else [*odd, whole]
            continue
        if entry is not None and entry.name not in (".", ".."):
            entries.append(entry)
    return Listing(entries=tuple(entries), skipped=skipped,
                   examples=tuple(ascii(line[:_SHOWN]) for line in odd))


def mlsx_entry(line: bytes, encoding: str) -> RemoteEntry | None:
    """An entry of MLSD or MLST; None for the folder itself and the one above.

    Raises ValueError for a line that is none, or that leaves out the size of a file.
    """
    facts, blank, name = line.lstrip(b" ").partition(b" ")
    if not blank or not name or b"=" not in facts:
        raise ValueError("no facts and name")
    known = dict(_fact(piece) for piece in facts.split(b";") if piece)
    kind = known.get(b"type", b"file").lower()
    if kind in (b"cdir", b"pdir"):
        return None
    folder, link = kind == b"dir", kind.startswith(_LINKS)
    modify = known.get(b"modify")
    return RemoteEntry(
        name=name.decode(encoding, "surrogateescape"), folder=folder, link=link,
        size=0 if folder or link else _size(known.get(b"size", b"?")),
        mtime=None if modify is None or link else moment_of(modify))


def _fact(piece: bytes) -> tuple[bytes, bytes]:
    fact, equals, value = piece.partition(b"=")
    if not equals:
        raise ValueError("a fact without a value")
    return fact.lower(), value


def moment_of(text: bytes) -> float:
    """Unix seconds of YYYYMMDDHHMMSS, with or without a fraction, in UTC; raises ValueError."""
    whole, _, _ = text.decode("ascii").partition(".")
    if len(whole) != 14:
        raise ValueError("not a time")
    return datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()


def _size(text: bytes) -> int:
    if not text.isdigit():
        raise ValueError("no size")
    return int(text)


def _list_entry(line: bytes, encoding: str, now: datetime) -> RemoteEntry:
    if found := _UNIX.match(line):
        return _unix_entry(found, encoding, now)
    if found := _DOS.match(line):
        return _dos_entry(found, encoding)
    raise ValueError("a dialect that is not known")


def _unix_entry(found: re.Match[bytes], encoding: str, now: datetime) -> RemoteEntry:
    name, mode = found["name"], found["mode"]
    if mode in b"bcps":
        raise ValueError("neither file nor folder")
    if mode == b"l":
        return RemoteEntry(name=name.partition(b" -> ")[0].decode(encoding, "surrogateescape"),
                           size=0, mtime=None, link=True)
    moment, precision = _unix_moment(found, now)
    return RemoteEntry(
        name=name.decode(encoding, "surrogateescape"), folder=mode == b"d",
        size=int(found["size"]), mtime=moment.timestamp(), precision=precision)


def _unix_moment(found: re.Match[bytes], now: datetime) -> tuple[datetime, float]:
    if found["iso"]:
        text = b" ".join(found["iso"].split()).decode("ascii")
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC), _MINUTE
    month, day = _MONTHS[found["month"].decode("ascii").lower()], int(found["day"])
    if found["year"]:
        return datetime(int(found["year"]), month, day, tzinfo=UTC), _DAY
    hour, minute = map(int, found["time"].split(b":"))
    # Without a year it is of the last twelve months; the server's clock may be a day ahead.
    for year in range(now.year + 1, now.year - 9, -1):
        try:
            moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
        except ValueError:  # 29 February of another year, or no date at all
            continue
        if moment <= now + timedelta(days=1):
            return moment, _MINUTE
    raise ValueError("no such day")


def _dos_entry(found: re.Match[bytes], encoding: str) -> RemoteEntry:
    year, hour = int(found["year"]), int(found["hour"])
    if len(found["year"]) == 2:
        year += 2000 if year < 70 else 1900
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == b"pm" else 0)
    moment = datetime(year, int(found["month"]), int(found["day"]), hour, int(found["minute"]),
                      tzinfo=UTC)
    folder = found["size"] == b"<DIR>"
    return RemoteEntry(
        name=found["name"].decode(encoding, "surrogateescape"), folder=folder,
        size=0 if folder else int(found["size"].replace(b",", b"")), mtime=moment.timestamp(),
        precision=_MINUTE)
