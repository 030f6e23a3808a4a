"""What must hold on a site at any moment, however its daemon ended: I1 to I13.

Each is a function that looks at the site from outside and yields what is wrong, in words. They
read the tables in plain SQL, not through the program's own queries, so that a fault in these cannot
hide itself.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import peewee as pw
import psutil
import psycopg
from psycopg.rows import dict_row

from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.config.store import Place, ServerPlace, place_of_url
from iop4d.model.errors import Iop4dError
from tests.support.stores import contents

_ENDED = frozenset({"done", "rejected", "failed", "quarantined", "duplicate", "superseded"})
_PENDING = frozenset({"queued", "running", "waiting"})
_OLD = 3600.0  # seconds after which nobody writes a temporary file any more
_OUTLIVES = 1.0  # seconds that a worker may live on after its daemon


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What people had seen at an earlier moment, which may not vanish or change since."""

    events: frozenset[int] = frozenset()
    results: frozenset[str] = frozenset()  # keys
    flags: Mapping[str, list[Any]] = field(default_factory=dict)  # by hand, by the result's key


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A site, and what its visitor knows of it from elsewhere; see :func:`violations`."""

    site: Path
    rows: Mapping[str, list[dict[str, Any]]]
    sound: str  # what SQLite says about the file itself
    expected_files: tuple[Path, ...] = ()
    raw_sha256: Mapping[Path, str] = field(default_factory=dict)
    remembered: Remembered = Remembered()
    daemon_pid: int | None = None
    secrets: tuple[str, ...] = ()
    mails: Mapping[str, int] | None = None
    mailbox: Path | None = None
    kills: int = 0
    settled: bool = False
    now: float = 0.0

    @cached_property
    def settings(self) -> Site:
        """The site file."""
        return load_site(self.site)


Check = Callable[[Evidence], Iterator[str]]


def violations(site: Path, *, expected_files: Iterable[Path] = (),
               raw_sha256: Mapping[Path, str] | None = None,
               remembered: Remembered | None = None, daemon_pid: int | None = None,
               secrets: Iterable[str] = (), mails: Mapping[str, int] | None = None,
               mailbox: Path | None = None, kills: int = 0, settled: bool = False) -> list[str]:
    """Every invariant that does not hold on a site; empty if all do.

    ``expected_files`` have stood complete for more than two scans; ``raw_sha256`` was taken before
    the daemon saw the files; ``daemon_pid`` is a daemon that has ended; ``secrets`` may stand
    nowhere; ``mails`` counts what the mail server got by Message-ID, ``mailbox`` holds it;
    ``kills``: how often the daemon was killed; ``settled``: nothing is left to do.
    """
    rows, sound = _read(site)
    evidence = Evidence(
        site=site, rows=rows, sound=sound, expected_files=tuple(expected_files),
        raw_sha256=raw_sha256 or {}, remembered=remembered or Remembered(),
        daemon_pid=daemon_pid, secrets=tuple(secrets), mails=mails, mailbox=mailbox, kills=kills,
        settled=settled, now=time.time())
    return [f"{name}: {wrong}" for name, check in CHECKS.items() for wrong in check(evidence)]


def remember(site: Path) -> Remembered:
    """What a visitor sees now."""
    rows, _ = _read(site)
    return Remembered(
        events=frozenset(row["id"] for row in rows["event"]),
        results=frozenset(row["key"] for row in rows["result"]),
        flags={row["key"]: json.loads(row["human_flags"]) for row in rows["result"]
               if row["human_flags"] != "[]"})


_TABLES = ("frame", "job", "master", "result", "resultframe", "alert", "outbox", "event")


def _read(site: Path) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """The rows of the tables, all of one moment, and whether the database is sound."""
    place = _place_of(site)
    return _of_server(place) if isinstance(place, ServerPlace) else _of_file(place.path)


def _place_of(site: Path) -> Place:
    """Where a site's database is, whatever else its file says."""
    try:
        return load_site(site, skip_wrong_rules=True).database
    except Iop4dError:
        return place_of_url("", site)


def _of_server(place: ServerPlace) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """The server refuses rows that point at none; all else is looked at as in a file."""
    with psycopg.connect(place.url, row_factory=dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return {table: list(connection.execute(f'SELECT * FROM "{table}" ORDER BY {key}'))
                for table, key in ((table, "result_id, frame_id" if table == "resultframe"
                                    else "id") for table in _TABLES)}, ""


def _of_file(path: Path) -> tuple[dict[str, list[dict[str, Any]]], str]:
    with closing(pw.sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.row_factory = pw.sqlite3.Row
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        sound = [str(row[0]) for row in connection.execute("PRAGMA quick_check")]
        sound += [f"a row of {row[0]} points at none of {row[2]}"
                  for row in connection.execute("PRAGMA foreign_key_check")]
        rows = {table: [dict(row) for row in connection.execute(
            f'SELECT * FROM "{table}" ORDER BY rowid')] for table in _TABLES}
    return rows, "; ".join(line for line in sound if line != "ok")


def database_is_sound(evidence: Evidence) -> Iterator[str]:
    """The file itself is whole, and every row's references are."""
    if evidence.sound:
        yield evidence.sound


def one_frame_a_file(evidence: Evidence) -> Iterator[str]:
    """I1: every complete file has one frame; a file that changed, one for each version."""
    seen = Counter((row["path"], row["size"], row["mtime_ns"]) for row in evidence.rows["frame"])
    for (path, *_), count in seen.items():
        if count > 1:
            yield f"{path} has {count} frames"
    standing = Counter(row["path"] for row in evidence.rows["frame"]
                       if row["state"] in ("done", "duplicate"))
    yield from (f"{path} has {count} frames that stand" for path, count in standing.items()
                if count > 1)
    for path in evidence.expected_files:
        info = path.stat()
        if (str(path), info.st_size, info.st_mtime_ns) not in seen:
            yield f"{path} is lost: no frame knows it as it is"


def every_frame_goes_on(evidence: Evidence) -> Iterator[str]:
    """I2: a frame has met its fate, or there is a job that will lead it there."""
    pending = {(job["kind"], job["key"]) for job in evidence.rows["job"]
               if job["state"] in _PENDING}
    masters = {key for kind, key in pending if kind == "master"}
    served = [row for row in evidence.rows["master"]
              if row["id"] in masters or row["state"] in ("refused", "rejected")]
    for row in evidence.rows["frame"]:
        if row["state"] in _ENDED:
            continue
        own = {("classify", row["id"]), ("reduce", row["id"])} & pending
        with_master = any(_is_of(row, master) for master in served)
        if evidence.settled and row["state"] != "waiting" and not with_master:
            yield f"frame {row['id']} is {row['state']} though nothing is left to do"
        elif not own and not with_master:
            yield f"frame {row['id']} ({row['name']}) is {row['state']} and no job leads it on"


def _is_of(frame: Mapping[str, Any], master: Mapping[str, Any]) -> bool:
    return all(frame[name] == master[name] for name in ("kind", "telescope", "instrument", "night"))


def one_result_a_key(evidence: Evidence) -> Iterator[str]:
    """I3: a frame is in one result that counts of each source and mode."""
    linked: dict[int, list[int]] = {}
    for row in evidence.rows["resultframe"]:
        linked.setdefault(row["result_id"], []).append(row["frame_id"])
    taken: Counter[tuple[int, str, str]] = Counter()
    for row in evidence.rows["result"]:
        frames = linked.get(row["id"], [])
        if not frames:
            yield f"result {row['id']} rests on no frame"
        if not row["withdrawn"]:
            taken.update((frame, row["source"], row["mode"]) for frame in frames)
    yield from (f"frame {frame} is in {count} results of {source} ({mode})"
                for (frame, source, mode), count in taken.items() if count > 1)


def products_exist(evidence: Evidence) -> Iterator[str]:
    """I4: what a row says was written is on the disk, whole."""
    for row in evidence.rows["frame"]:
        if row["state"] == "done":
            for name in ("reduced_path", "preview_path"):
                if row[name] and not _is_filled(Path(row[name])):
                    yield f"frame {row['id']}: {row[name]} is not there"
    for row in evidence.rows["master"]:
        if row["path"] and _sha256(Path(row["path"])) != row["sha256"]:
            yield f"master {row['id']}: {row['path']} is not what was recorded"
        if row["state"] == "ready" and not row["path"]:
            yield f"master {row['id']} is ready and has no file"


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def no_old_scraps(evidence: Evidence) -> Iterator[str]:
    """I5: no temporary file is left for longer than an hour."""
    for folder in ("raw", "masters", "reduced", "previews"):
        for pattern in ("*.part", "*.tmp"):
            yield from (f"{path} was left behind"
                        for path in evidence.settings.folder(folder).rglob(pattern)
                        if evidence.now - path.stat().st_mtime > _OLD)


def few_crashes(evidence: Evidence) -> Iterator[str]:
    """I6: a job that kills its workers is set aside in time.

    Attempts count also what the daemon's own end cut short, and so have no limit.
    """
    limit = evidence.settings.daemon.max_attempts
    for row in evidence.rows["job"]:
        if row["crashes"] > limit or (row["crashes"] == limit and row["state"] == "running"):
            yield (f"job {row['id']} ({row['kind']} {row['key']}) is {row['state']} after "
                   f"{row['crashes']} crashes, of {limit} at most")
        if row["attempts"] < row["crashes"]:
            yield f"job {row['id']} crashed {row['crashes']} times in {row['attempts']} attempts"


def one_letter_a_recipient(evidence: Evidence) -> Iterator[str]:
    """I7: every alert has one message for each recipient, sent or given up with a reason."""
    site = evidence.settings
    channels = {channel.name: channel for channel in site.channel}
    recipients = {rule.name: sorted((name, to) for name in rule.channels
                                    for to in channels[name].to) for rule in site.rule}
    letters: dict[int, list[tuple[str, str]]] = {}
    fate = {row["id"]: row["state"] for row in evidence.rows["outbox"]}
    for row in evidence.rows["outbox"]:
        if row["state"] == "folded" and row["digest"] not in fate:
            yield f"message {row['id']} went into a digest that is not there"
        if row["alert_id"] is not None and _kind(row) == "alert":
            letters.setdefault(row["alert_id"], []).append((row["channel"], row["recipient"]))
        if row["state"] == "failed" and not row["last_error"]:
            yield f"message {row['id']} was given up without a reason"
        if evidence.settled and row["state"] == "queued":
            yield f"message {row['id']} was not sent"
    for alert in evidence.rows["alert"]:
        untold = alert["notified_at"] is None and alert["note"]  # muted, or of an old archive
        if alert["rule"] in recipients and alert["state"] not in _NOT_YET and not untold:
            there = sorted(letters.get(alert["id"], []))
            if there != recipients[alert["rule"]]:
                yield f"alert {alert['id']} has messages for {there}"


#: States of alerts that have not begun.
_NOT_YET = ("pending", "inactive")


def _kind(row: Any) -> str:
    """What a message is about."""
    return str(json.loads(row["content"] or "{}").get("kind", "alert"))


def sent_is_sent(evidence: Evidence) -> Iterator[str]:
    """I8: what is marked as sent has arrived; nothing arrives twice but for a kill."""
    if evidence.mails is None:
        return
    for row in evidence.rows["outbox"]:
        if row["state"] == "sent" and not evidence.mails.get(row["message_id"]):
            yield f"message {row['id']} is marked as sent and never arrived"
    known = {row["message_id"] for row in evidence.rows["outbox"]}
    yield from (f"a mail {id_} arrived of which no row tells"
                for id_ in evidence.mails if id_ not in known)
    repeated = sum(evidence.mails.values()) - len(evidence.mails)
    if repeated > evidence.kills:
        yield f"{repeated} mails arrived again after {evidence.kills} kills"


def events_only_rise(evidence: Evidence) -> Iterator[str]:
    """I9: what happened later has a higher number, so whoever reads on from one misses nothing."""
    earlier = evidence.remembered.events
    if not earlier:
        return
    ids = {row["id"] for row in evidence.rows["event"]}
    first, last = min(ids, default=0), max(earlier)
    if late := sorted(id_ for id_ in ids - earlier if id_ <= last):
        yield f"events {late} came after {last} was seen"
    if gone := sorted(id_ for id_ in earlier - ids if id_ >= first):
        yield f"events {gone} were seen and are no more"


def raw_files_stay(evidence: Evidence) -> Iterator[str]:
    """I10: no byte of the raw files has changed."""
    for path, expected in evidence.raw_sha256.items():
        if _sha256(path) != expected:
            yield f"{path} is not what it was"


def no_orphans(evidence: Evidence) -> Iterator[str]:
    """I11: no worker outlives its daemon by more than a second."""
    if evidence.daemon_pid is None:
        return
    deadline = time.monotonic() + _OUTLIVES
    while (left := workers_of(evidence.daemon_pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if left:
        yield f"workers {left} outlived their daemon {evidence.daemon_pid} by a second"


def workers_of(daemon: int) -> list[int]:
    """Worker processes that were started by a daemon, by what their command line says."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        is_worker = words[1:2] == ["-m"] and words[3:4] == [str(daemon)] and "worker" in words[2]
        if is_worker and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def what_people_saw_stays(evidence: Evidence) -> Iterator[str]:
    """I12: results and flags that were accepted survive."""
    flags = {row["key"]: json.loads(row["human_flags"]) for row in evidence.rows["result"]}
    yield from (f"the result {key} is no more"
                for key in sorted(evidence.remembered.results - flags.keys()))
    for key, marks in evidence.remembered.flags.items():
        if gone := [mark for mark in marks if mark not in flags.get(key, [])]:
            yield f"the flags {gone} of {key} are no more"


def secrets_stay(evidence: Evidence) -> Iterator[str]:
    """I13: no secret stands in a log, in the database or in a mail."""
    if not evidence.secrets:
        return
    files = [path for path in (evidence.site / "logs").rglob("*") if path.is_file()]
    if evidence.mailbox is not None:
        files += evidence.mailbox.glob("*.eml")
    for name, content in chain(contents(_place_of(evidence.site)),
                               ((str(path), path.read_bytes()) for path in files)):
        yield from (f"secret {number} stands in {name}"
                    for number, secret in enumerate(evidence.secrets)
                    if secret.encode() in content)


CHECKS: dict[str, Check] = {
    "database": database_is_sound, "I1": one_frame_a_file, "I2": every_frame_goes_on,
    "I3": one_result_a_key, "I4": products_exist, "I5": no_old_scraps, "I6": few_crashes,
    "I7": one_letter_a_recipient, "I8": sent_is_sent, "I9": events_only_rise,
    "I10": raw_files_stay, "I11": no_orphans, "I12": what_people_saw_stays, "I13": secrets_stay,
}
