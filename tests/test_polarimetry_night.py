"""A simulated night of polarimetry, through ledger and worker, ends the same in any order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.ledger import FoundFile
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.simulator.frames import write_frame
from iop4d.simulator.night import Night
from iop4d.simulator.sky import field_of, index_folder
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database
from iop4d.store.results import Selection, select
from tests.bench.polarimetry_accuracy import plan_of
from tests.conftest import FakeClock, LedgerAlone, work_off

_KEPT = ("source", "band", "mode", "jd_mid", "mag", "mag_err", "p", "p_err", "chi_deg",
         "chi_err_deg", "q", "u", "method", "flags", "provisional", "frames", "n_calibrators")


@pytest.fixture(scope="module", params=["CAFOS", "AndorT90"])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
          ) -> tuple[list[Path], str, float]:
    """Raw frames of two groups with their calibration frames, the catalogue, and the true p."""
    folder = tmp_path_factory.mktemp(request.param)
    plan = replace(plan_of(request.param, 2), n_bias=3, n_flat=3, groups=2)
    simulated = Night(plan)
    paths, p = [], 0.0
    for frame in simulated.frames():
        write_frame(frame, folder)
        paths.append(folder / frame.name)
        p = frame.truth.p if frame.truth is not None and frame.truth.p is not None else p
    return paths, simulated.sky.catalogue_csv(2, fields=(field_of(plan.fields[0]),)), p


def reduce_in(order: list[list[Path]], text: str, root: Path) -> list[dict[str, Any]]:
    """The results after files came in portions, each worked through before the next."""
    clock = FakeClock(2_000_000_000.0)  # after both nights: no frame is of the future
    site = parse_site(f'[astrometry]\nindex = ["{index_folder()}"]\n[masters]\nbuild_delay = 0.0\n',
                      root=root)
    database = Database(site.database)
    with database.write() as tx:
        catalogue.save(tx, parse(text))
    with database.read() as db:
        bench = Workbench(WorkerContext(site=site, catalogue=catalogue.load(db)))
    ledger = LedgerAlone(database=database, site=site, clock=clock,
                    instruments={i.name: i for i in find_instruments()})
    for portion in order:
        ledger.accept([FoundFile(archive="raw", path=path, size=path.stat().st_size,
                                 mtime_ns=path.stat().st_mtime_ns, completed_at=clock())
                       for path in portion])
        work_off(ledger, clock, lambda claim: bench.perform(claim.request))
    with database.read() as db:
        rows = [{name: getattr(row, name) for name in _KEPT}
                for row in select(db, Selection())]
    database.close()
    return rows


def test_any_order_and_masters_last_end_in_the_same_results(
        night: tuple[list[Path], str, float], tmp_path: Path) -> None:
    paths, text, p = night
    lights, calibration = paths[6:], paths[:6]
    orders = {
        "as taken": [[path] for path in paths],
        "masters last, lights from the end": [[path] for path in lights[::-1]] + [calibration],
        "all at once": [paths],
    }
    found = {}
    for number, (name, order) in enumerate(orders.items()):
        root = tmp_path / str(number)
        root.mkdir()
        found[name] = reduce_in(order, text, root)
    first = found["as taken"]
    assert len(first) == 2
    assert all(row["frames"] for row in first)
    for row in first:
        assert row["p"] == pytest.approx(p, abs=0.01)
        assert not row["provisional"]
    assert found["masters last, lights from the end"] == first
    assert found["all at once"] == first
