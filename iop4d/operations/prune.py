"""What can be made again, or nobody reads any more, is removed by rule: never raw, never results.

A plan is made first, of what is there; it is what a dry run shows, and what is done. A row forgets
its file before that is removed: after a crash the file is of no row, and the next plan has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from iop4d.config import Site
from iop4d.config.operations import Prune
from iop4d.store import audit, ended, events, products, triggers
from iop4d.store.database import Connection, Database, Transaction
from iop4d.store.ended import Ended
from iop4d.store.products import Product
from iop4d.store.thread import DatabaseThread
from iop4d.system import logfile

log = logging.getLogger(__name__)

_DAY = 86400.0
_AT_ONCE = 200  # files of a transaction
_FRESH = 86400.0  # seconds for which a file of no row may be one whose row is not written yet
_ROWS_AT_ONCE = 250  # rows of each kind of a transaction
_SUFFIX = {Product.REDUCED: ".fits", Product.PREVIEWS: ".png"}


@dataclass(frozen=True, kw_only=True)
class Removal:
    """A file that goes. ``frame``: whose it is; None: no row names it. ``mtime_ns``: as it was when
    that was decided; one that was written since stays."""

    path: Path
    size: int
    mtime_ns: int
    night: str = ""
    frame: int | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes: files of each kind of product, of the log, how many events and triggers, and work
    that ended."""

    products: dict[Product, list[Removal]] = field(default_factory=dict)
    logs: list[Removal] = field(default_factory=list)
    events: int = 0
    ended: Ended = field(default_factory=Ended)
    triggers: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing goes."""
        return self.is_of_ended_work_alone and self.ended == Ended()

    @property
    def is_of_ended_work_alone(self) -> bool:
        """Whether nothing goes but ended work, of which no page tells: that is no act to record."""
        return not (any(self.products.values()) or self.logs or self.events or self.triggers)

    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for many in (*self.products.values(), self.logs) for one in many)


_NOTHING = Prune(ended_days=0.0)
Write = Callable[[Callable[[Transaction], None]], None]


def plan(db: Connection, site: Site, rules: Prune, now: float) -> Plan:
    """What the rules remove of what is there now."""
    wanted = {Product.REDUCED: (rules.reduced_days, rules.reduced_max_gb),
              Product.PREVIEWS: (rules.previews_days, rules.previews_max_gb)}
    return Plan(
        products={product: _of_product(db, site, rules, product, days=days, most_gb=most, now=now)
                  for product, (days, most) in wanted.items() if days or most},
        logs=list(_logs(site.root, now - _DAY * rules.logs_days)) if rules.logs_days else [],
        events=events.older(db, now - _DAY * rules.events_days) if rules.events_days else 0,
        ended=ended.found(db, now - _DAY * rules.ended_days) if rules.ended_days else Ended(),
        triggers=len(triggers.older(db, now - _DAY * rules.triggers_days, now))
        if rules.triggers_days else 0)


def act(site: Site, what: Plan, write: Write, *, rules: Prune, by: str, now: float) -> int:
    """Do what was planned; how many bytes of files went. ``write``: runs a function in one
    transaction, which is committed when it returns."""
    gone = 0
    for product, removals in what.products.items():
        for part in _parts(removals):
            ids = [one.frame for one in part if one.frame is not None]
            write(lambda tx, product=product, ids=ids:  # type: ignore[misc]
                  products.forget(tx, product, ids, now))
            gone += sum(map(_removed, part))
    gone += sum(map(_removed, what.logs))
    for rows in _rows(what.ended):
        write(lambda tx, rows=rows:  # type: ignore[misc]
              ended.forget(tx, rows, now - _DAY * rules.ended_days))

    def end(tx: Transaction) -> None:
        if what.events:
            events.forget(tx, now - _DAY * rules.events_days)
        if what.triggers:
            triggers.forget(tx, now - _DAY * rules.triggers_days, now)
        if what.is_of_ended_work_alone:
            return
        audit.record(tx, at=now, by=by, act="prune", subject="site", now={
            **{product.value: len(removals) for product, removals in what.products.items()},
            "logs": len(what.logs), "events": what.events, "requests": len(what.ended.requests),
            "jobs": len(what.ended.jobs), "triggers": what.triggers, "bytes": gone})

    write(end)
    return gone


class DailyPrune:
    """What the daemon does each day, as far as the site file says so. It plans and removes on a
    thread of its own; the rows are written by the thread of the database."""

    def __init__(self, site: Site, database: DatabaseThread, clock: Callable[[], float]) -> None:
        self._site = site
        self._database = database
        self._clock = clock

    async def run_once(self) -> None:
        """Do it now."""
        loop = asyncio.get_running_loop()

        def write(do: Callable[[Transaction], None]) -> None:
            asyncio.run_coroutine_threadsafe(self._database.write(do), loop).result()

        gone = await asyncio.to_thread(self._pruned, write)
        if gone:
            log.info("%.3f GB of files were removed, as [prune] says", gone / 1e9)

    def _pruned(self, write: Write) -> int:
        rules, now = self._site.prune, self._clock()
        if not rules.daily:  # ended work grows without end and is of no use: it goes anyway
            rules = replace(_NOTHING, ended_days=rules.ended_days)
        database = Database(self._site.database, read_only=True)
        try:
            with database.read() as db:
                what = plan(db, self._site, rules, now)
        finally:
            database.close()
        if what.is_empty:
            return 0
        return act(self._site, what, write, rules=rules, by="daemon", now=now)


def _of_product(db: Connection, site: Site, rules: Prune, product: Product, *, days: float,
                most_gb: float, now: float) -> list[Removal]:
    place = _Place(site.folder(product.value), [archive.path for archive in site.archive])
    newest = products.nights(db, rules.keep_nights)
    rows = products.written(db, product)
    named = {row.path for row in rows}
    may_go, size = [], 0
    for row in rows:
        found = place.removal(Path(row.path), night=row.night, frame=row.frame)
        if found is None:
            continue
        size += found.size
        if row.night not in newest and not (rules.keep_results and row.has_result):
            may_go.append(found)
    before = (now - days * _DAY) * 1e9 if days else 0.0
    going = [one for one in may_go if one.mtime_ns < before]
    # What was just written may not be in the database yet.
    lost = _of_no_row(place, named, _SUFFIX[product], (now - _FRESH) * 1e9)
    going += [one for one in lost if one.mtime_ns < before]
    if most_gb:
        gone = {one.path for one in going}
        size += sum(one.size for one in lost) - sum(one.size for one in going)
        for one in (*lost, *may_go):
            if size <= most_gb * 1e9:
                break
            if one.path not in gone:
                going.append(one)
                size -= one.size
    return going


def _of_no_row(place: _Place, named: set[str], suffix: str, before: float) -> list[Removal]:
    """Old files in a folder of products that no row names: what a crash or another name left.

    Those of a site that was moved are not among them, whose rows name the folder where it was.
    """
    @cache
    def ends(depth: int) -> set[tuple[str, ...]]:
        return {Path(name).parts[-depth:] for name in named}

    found = (place.removal(path) for path in sorted(place.folder.rglob(f"*{suffix}"))
             if str(path) not in named
             and (inside := path.relative_to(place.folder).parts) not in ends(len(inside)))
    return [one for one in found if one is not None and one.mtime_ns < before]


class _Place:
    """A folder of products: which files in it may be removed."""

    def __init__(self, folder: Path, archives: Iterable[Path]) -> None:
        self.folder = folder
        self._real = folder.resolve()
        self._archives = [archive.resolve() for archive in archives]
        self._may: dict[Path, bool] = {}  # by folder

    def removal(self, path: Path, *, night: str = "", frame: int | None = None) -> Removal | None:
        """A file that may be removed; None where it is not there, or not within the folder, or
        where raw frames are."""
        if (may := self._may.get(path.parent)) is None:
            real = path.parent.resolve()
            may = self._may[path.parent] = real.is_relative_to(self._real) and not any(
                real.is_relative_to(archive) for archive in self._archives)
        try:
            info = path.lstat()
        except OSError:
            return None
        if not may or not stat.S_ISREG(info.st_mode):
            return None
        return Removal(path=path, size=info.st_size, mtime_ns=info.st_mtime_ns, night=night,
                       frame=frame)


def _logs(root: Path, before: float) -> Iterator[Removal]:
    """Files of the log that no service writes any more, and are old."""
    for path in sorted((root / logfile.FOLDER).glob("*.jsonl.*")):
        info = path.stat()
        if info.st_mtime < before:
            yield Removal(path=path, size=info.st_size, mtime_ns=info.st_mtime_ns)


def _rows(what: Ended) -> Iterator[Ended]:
    for begin in range(0, max(len(what.requests), len(what.jobs)), _ROWS_AT_ONCE):
        part = slice(begin, begin + _ROWS_AT_ONCE)
        yield Ended(requests=what.requests[part], jobs=what.jobs[part])


def _parts(removals: list[Removal]) -> Iterable[list[Removal]]:
    for begin in range(0, len(removals), _AT_ONCE):
        yield removals[begin:begin + _AT_ONCE]


def _removed(one: Removal) -> int:
    """Remove a file, unless it was written again meanwhile; its size, or 0."""
    with contextlib.suppress(FileNotFoundError):
        if one.path.lstat().st_mtime_ns == one.mtime_ns:
            one.path.unlink()
            return one.size
    return 0

