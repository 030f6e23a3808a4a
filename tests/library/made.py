"""A small site with real files: a night of the small camera, through ledger and worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from iop4d.config import Site, load_site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.ledger import FoundFile
from iop4d.model.states import Role
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.store import catalogue, flagging, people, users
from iop4d.store.database import Database
from tests.conftest import FakeClock, LedgerAlone, in_a_hurry, work_off
from tests.reduction import small
from tests.science.skies import moffat_stars

SITE = small.SITE.replace("index = []", "index = []\n[masters]\nbuild_delay = 0.0\n"
                          '[site]\nname = "Made"\n[web]\nport = 0\nread = "signed-in"\n'
                          '[[archive]]\nname = "raw"\npath = "raw"')
EXPTIME = 10.0
FLARE = (0.0, 0.3, 0.6)  # magnitudes by which the target is brighter, frame by frame


def frames(folder: Path) -> list[Path]:
    """Three biases, three flats, and a science frame for each step of the flare."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    flat = small.flat_field()
    paths = [small.write(folder / f"bias{i}.fits", small.expose(rng, 0.0), "bias", second=i,
                         exptime=0.0) for i in range(3)]
    paths += [small.write(folder / f"flat{i}.fits", small.expose(rng, 25000.0 * flat), "flat",
                          second=10 + 3 * i, exptime=2.0) for i in range(3)]
    x, y = (np.array([getattr(star, axis) for star in small.STARS]) for axis in "xy")
    for number, rise in enumerate(FLARE):
        mags = np.array([s.mag - rise * (s is small.TARGET) for s in small.STARS])
        flux = EXPTIME * 10 ** (-0.4 * (mags - small.ZERO_POINT))
        light = moffat_stars(small.SHAPE, x, y, flux, np.full(len(small.STARS), 3.2))
        paths.append(small.write(
            folder / f"light{number}.fits", small.expose(rng, (light + small.SKY) * flat), "light",
            second=20 + 12 * number, exptime=EXPTIME))
    return paths


def site_at(root: Path) -> Site:
    """The made site in a folder; its frame ``light1`` was flagged by a person."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "iop4d.toml").write_text(SITE, encoding="utf-8")
    site, clock = load_site(root), FakeClock(1_705_400_000.0)  # the day after
    database = Database(site.database)
    in_a_hurry(database)
    named = [replace(one, other_names=("BL Lac",)) if one.name == "Target" else one
             for one in small.catalogue().sources]
    with database.write() as tx:
        catalogue.save(tx, named)
    with database.read() as db:
        bench = Workbench(WorkerContext(site=site, catalogue=catalogue.load(db)))
    bench.solver = small.FakeSolver()
    ledger = LedgerAlone(database=database, site=site, clock=clock,
                         instruments={one.name: one for one in find_instruments(site.camera)})
    for path in frames(root / "raw"):
        ledger.accept([FoundFile(
            archive="raw", path=path, size=path.stat().st_size, mtime_ns=path.stat().st_mtime_ns,
            completed_at=clock())])
        work_off(ledger, clock, lambda claim: bench.perform(claim.request))
    with database.write() as tx:
        flagging.set_flag(tx, (2,), "trailed", note="", by="Ana", now=clock())
        users.save(tx, "Ana", "x", now=0.0)
        users.set_role(tx, "Ana", Role.VIEWER)
    database.close()
    return site


def token(site: Site) -> str:
    """A token with which a program reads."""
    database = Database(site.database)
    with database.write() as tx:
        sent = people.add_token(tx, "Ana", "library", "read", by="Ana", now=1.0, ends_at=None)
    database.close()
    return sent
