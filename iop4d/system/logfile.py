"""The log as a file of the site: one line of JSON for each message, of bounded size, and read
back for the pages.

Standard error, and with it the journal, has the same messages. A message may say which frames and
which telescope it is about, by ``extra=about(...)``.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

FOLDER = "logs"
LEVELS = ("debug", "info", "warning", "error")
_SIZE = 4 << 20  # bytes of a file, after which another one begins
_OLDER = 4  # files that are kept besides
_LONGEST = 20_000  # characters of a message; a trace is shorter
_MOST_FRAMES = 500  # ids that a message keeps
_NAMED = 3  # frames that a line names
_BLOCK = 1 << 16  # bytes that are read at once, from the end
_MOST_READ = 32 << 20  # bytes that one question looks through
_OF_ARCHIVE = "archive %s"  # how messages of archives begin; their name is the first argument


def about(*, frames: Iterable[int] = (), telescope: str = "", job: str = "") -> dict[str, Any]:
    """What a message is about, for ``extra`` of a logger: ids of frames, telescope, kind of job."""
    said = {"frames": list(islice(frames, _MOST_FRAMES)), "telescope": telescope, "job": job}
    return {"about": {name: value for name, value in said.items() if value}}


def as_json(record: logging.LogRecord, telescopes: Mapping[str, str]) -> str:
    """A message as a line of JSON. ``telescopes``: by the names of archives."""
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    line: dict[str, Any] = {
        "at": round(record.created, 3), "level": _level(record.levelno), "of": record.name,
        "text": text[:_LONGEST], **getattr(record, "about", {})}
    if str(record.msg).startswith(_OF_ARCHIVE) and isinstance(record.args, tuple):
        line["archive"] = str(record.args[0])
        line.setdefault("telescope", telescopes.get(line["archive"], ""))
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def frames_of(record: logging.LogRecord) -> str:
    """The frames that a message is about, for its end: `` [frame 12]``; empty for none."""
    ids = getattr(record, "about", {}).get("frames") or []
    if not ids:
        return ""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f" [frame{'s' * (len(ids) > 1)} {', '.join(map(str, ids[:_NAMED]))}{more}]"


class LogFile(RotatingFileHandler):
    """Writes messages of a service into a file of the site, and begins another one in time.

    ``telescopes``: by the names of archives. A message that cannot be written (the disk is full) is
    on standard error all the same.
    """

    def __init__(self, root: Path, service: str, *, telescopes: Mapping[str, str] | None = None,
                 mode: int = 0o600, size: int = _SIZE) -> None:
        folder = root / FOLDER
        folder.mkdir(exist_ok=True)
        self._mode = mode
        self._telescopes = dict(telescopes or {})
        super().__init__(folder / f"{service}.jsonl", maxBytes=size, backupCount=_OLDER,
                         encoding="utf-8", delay=True)

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename,
                             os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def format(self, record: logging.LogRecord) -> str:
        """A line of JSON."""
        return as_json(record, self._telescopes)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - of logging.Handler
        """Nothing: the message stands on standard error, and the next one is tried again."""


def _level(number: int) -> str:
    return LEVELS[min(max(number // 10 - 1, 0), len(LEVELS) - 1)]


def keep(root: Path, service: str, *, telescopes: Mapping[str, str] | None = None,
         mode: int = 0o600) -> LogFile | None:
    """Have the messages of this process kept in a file of the site; None where that is refused."""
    try:
        handler = LogFile(root, service, telescopes=telescopes, mode=mode)
    except OSError as error:
        logging.getLogger(__name__).warning("no log file is kept in %s: %s", root / FOLDER, error)
        return None
    logging.getLogger().addHandler(handler)
    return handler


@dataclass(frozen=True, kw_only=True)
class Line:
    """A message of the log. ``service``: whose; ``of``: the part of the program."""

    at: float
    level: str
    text: str
    service: str = ""
    of: str = ""
    telescope: str = ""
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which messages: of a level or above, of a telescope, a frame, with words (in any case).

    ``before``: Unix seconds; older ones alone.
    """

    level: str = "info"
    telescope: str = ""
    frame: int = 0
    text: str = ""
    service: str = ""
    before: float = float("inf")
    limit: int = 200


@dataclass(frozen=True, kw_only=True)
class Found:
    """Messages, the newest first. ``has_more``: whether older ones may be there."""

    lines: list[Line] = field(default_factory=list)
    has_more: bool = False
    trouble: str = ""  # why the log cannot be read


def read(root: Path, wanted: Wanted) -> Found:
    """The newest messages that are wanted, of all services of a site."""
    folder = root / FOLDER
    try:
        services = sorted(path.name.removesuffix(".jsonl") for path in folder.glob("*.jsonl"))
    except OSError as error:
        return Found(trouble=f"the log cannot be read: {error}")
    found: list[Line] = []
    trouble = ""
    for service in services:
        if wanted.service not in ("", service):
            continue
        try:
            found += islice(_matching(folder, service, wanted), wanted.limit + 1)
        except OSError as error:
            trouble = f"the log of {service} cannot be read: {error.strerror}"
    found.sort(key=lambda line: -line.at)
    return Found(lines=found[:wanted.limit], has_more=len(found) > wanted.limit, trouble=trouble)


def _matching(folder: Path, service: str, wanted: Wanted) -> Iterator[Line]:
    """The messages of a service, the newest first."""
    least = LEVELS.index(wanted.level) if wanted.level in LEVELS else 0
    words = wanted.text.casefold()
    for raw in _backwards(folder, service):
        # What is quickly seen not to match is not parsed.
        if wanted.frame and str(wanted.frame).encode() not in raw:
            continue
        line = _parsed(raw, service)
        if line is None or line.at >= wanted.before or LEVELS.index(line.level) < least:
            continue
        if wanted.telescope and line.telescope != wanted.telescope:
            continue
        if wanted.frame and wanted.frame not in line.frames:
            continue
        if words and words not in line.text.casefold():
            continue
        yield line


def _parsed(raw: bytes, service: str) -> Line | None:
    """A message; None for a line that a crash left unfinished."""
    try:
        said = json.loads(raw)
        level = said["level"]
        return Line(at=float(said["at"]), level=level if level in LEVELS else "info",
                    text=str(said["text"]), of=str(said.get("of", "")), service=service,
                    telescope=str(said.get("telescope", "")),
                    frames=tuple(int(one) for one in said.get("frames", ())))
    except (ValueError, TypeError, KeyError):
        return None


def _backwards(folder: Path, service: str) -> Iterator[bytes]:
    """The lines of a service's files from the last one on."""
    left = _MOST_READ
    for number in range(_OLDER + 1):
        path = folder / (f"{service}.jsonl" + (f".{number}" if number else ""))
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        with file:
            end, rest = file.seek(0, os.SEEK_END), b""
            while end > 0 and left > 0:
                begin = max(0, end - _BLOCK)
                file.seek(begin)
                first, *lines = (file.read(end - begin) + rest).split(b"\n")
                yield from reversed([line for line in lines if line])
                left -= end - begin
                end, rest = begin, first
            if rest and left > 0:
                yield rest
