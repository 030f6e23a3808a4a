"""A small site to practise on: simulated nights, reduced in this process without a daemon.

Notebooks use it: ``made = practice(FOLDER, NightPlan(...))``, then ``iop4d.open(FOLDER)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from iop4d.alerts.engine import AlertEngine
from iop4d.config import Site, load_site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.ledger import FoundFile, Ledger
from iop4d.model.errors import Iop4dError
from iop4d.model.units import unix_of_jd
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.simulator.frames import Truth, write_frame
from iop4d.simulator.night import Night, NightPlan, jd_of_evening
from iop4d.simulator.setups import archive_of
from iop4d.simulator.sky import field_of, index_folder
from iop4d.store import catalogue, catalogue_csv, provenance
from iop4d.store.database import Database

_SITE = """\
[site]
name = "practice"
[astrometry]
index = ["{index}"]
[masters]
build_delay = 0.0
"""
_ARCHIVE = '[[archive]]\nname = "{name}"\npath = "raw/{name}"\ntelescope = "{telescope}"\n'
_MOST = 10_000  # pieces of work, after which something turns in circles
_STEP = 1e-3  # seconds


@dataclass
class Practice:
    """What was made: the site's folder, and what is true about each science frame, by its name."""

    folder: Path
    truth: dict[str, Truth] = field(default_factory=dict)


def practice(folder: Path | str, *plans: NightPlan, more: str = "") -> Practice:
    """Make a site in an empty folder and reduce the nights of plans, frame after frame.

    ``more``: the rest of its site file, such as rules. Its rules fire and leave messages in the
    outbox; nothing is sent. Raises Iop4dError where the folder holds something.
    """
    root = Path(folder)
    if root.exists() and any(root.iterdir()):
        raise Iop4dError(f"{root} is not empty: a site to practise on is made in a new folder")
    for name in ("raw", "masters", "reduced", "previews"):
        (root / name).mkdir(parents=True, exist_ok=True)
    archives = dict.fromkeys(archive_of(plan.instrument) for plan in plans)
    (root / "iop4d.toml").write_text(
        _SITE.format(index=index_folder()) + "".join(
            _ARCHIVE.format(name=name, telescope=telescope) for name, telescope in archives) + more,
        encoding="utf-8")
    site = load_site(root)
    made = Practice(root)
    database = Database(site.database)
    try:
        _import_catalogue(database, plans)
        for plan in plans:
            _observe(site, database, plan, made)
    finally:
        database.close()
    return made


def _import_catalogue(database: Database, plans: Iterable[NightPlan]) -> None:
    known = {}
    for plan in plans:
        text = Night(plan).sky.catalogue_csv(plan.seed, fields=tuple(map(field_of, plan.fields)))
        known.update({source.name: source for source in catalogue_csv.parse(text)})
    with database.write() as tx:
        catalogue.save(tx, known.values())


def _observe(site: Site, database: Database, plan: NightPlan, made: Practice) -> None:
    """Have each frame of a night come at its time, and be reduced before the next."""
    archive, _ = archive_of(plan.instrument)
    night, worker = Night(plan), _Worker(site, database)
    began = unix_of_jd(jd_of_evening(plan.night))
    for frame in night.frames():
        path = write_frame(frame, site.folder("raw") / archive)
        if frame.truth is not None:
            made.truth[frame.name] = frame.truth
        worker.take(archive, path, began + frame.at_s)
    worker.end()


class _Worker:
    """Ledger and worker in one process, with a clock that stands where the frames are."""

    def __init__(self, site: Site, database: Database) -> None:
        self._database = database
        self._now = 0.0
        self._ledger = Ledger(
            site, {one.name: one for one in find_instruments(
                site.camera, site.polarimeter, site.colour_term)}, self._clock,
            listener=AlertEngine(site, self._clock))
        with database.write() as tx:
            provenance.keep_settings(tx, site)
        with database.read() as db:
            self._bench = Workbench(WorkerContext(site=site, catalogue=catalogue.load(db)))

    def _clock(self) -> float:
        return self._now

    def take(self, archive: str, path: Path, now: float) -> None:
        """A frame that is complete now."""
        self._now, info = max(self._now, now), path.stat()
        with self._database.write() as tx:
            self._ledger.accept(tx, [FoundFile(
                archive=archive, path=path, size=info.st_size, mtime_ns=info.st_mtime_ns,
                completed_at=self._now)])
        self._work()

    def end(self) -> None:
        """Do what waits for a time, such as for frames that may still come."""
        for _ in range(_MOST):
            with self._database.read() as db:
                due = self._ledger.next_due(db)
            if due is None:
                return
            self._now = max(self._now, due) + _STEP
            self._work()
        raise Iop4dError("there is no end of work")

    def _work(self) -> None:
        for _ in range(_MOST):
            with self._database.write() as tx:
                claims = self._ledger.claim(tx, 1)
            if not claims:
                return
            outcome = self._bench.perform(claims[0].request)
            with self._database.write() as tx:
                self._ledger.finish(tx, claims[0], outcome)
        raise Iop4dError("there is no end of work")
