"""A database that the previous release left behind: a night of three instruments, schema 3.

It holds photometry and polarimetry, an alert that fires with its two messages, masters of which a
person put one out of use, and jobs.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from markupsafe import escape

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.daemon import Daemon
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.master_choice import MasterChoices
from iop4d.model.frame import FrameKind
from iop4d.model.states import DaemonState, FrameState, MasterState
from iop4d.store import frames, groups, masters, provenance, requests
from iop4d.store import status as site_status
from iop4d.store.database import Connection, Database
from iop4d.store.results import Selection, select
from iop4d.store.schema import SCHEMA_VERSION, Frame, Group, Outbox, Series
from iop4d.web.app import create_app
from iop4d.web.explained import lines_of

pytestmark = pytest.mark.sqlite

LEFT = Path(__file__).parent / "data" / "schema-3.sql.gz"
VALUES = ("key", "source", "night", "mode", "band", "jd_mid", "mag", "mag_err", "zero_point",
          "p", "p_err", "chi_deg", "chi_err_deg", "q", "u", "flags", "revision", "provisional")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("left") / "iop4d.db"
    plain = pysqlite3.connect(path)
    plain.executescript(gzip.decompress(LEFT.read_bytes()).decode())
    plain.close()
    return path


@pytest.fixture
def old(left: Path) -> Iterator[pysqlite3.Connection]:
    """As the previous release wrote it."""
    opened = pysqlite3.connect(left)
    yield opened
    opened.close()


@pytest.fixture
def site(left: Path, tmp_path: Path) -> Site:
    shutil.copy(left, tmp_path)
    return parse_site("[daemon]\nworkers = 1\n", root=tmp_path)


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    opened = Database(site.database)
    yield opened
    opened.close()


def test_it_is_brought_to_the_schema_of_now_once(
        old: pysqlite3.Connection, database: Database) -> None:
    assert old.execute("PRAGMA user_version").fetchone() == (3,)
    with database.read() as db:
        assert db.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert db.rows("PRAGMA integrity_check") == [("ok",)]
        assert db.rows("PRAGMA foreign_key_check") == []


def test_every_result_has_the_values_that_it_had(
        old: pysqlite3.Connection, database: Database) -> None:
    names = ", ".join(VALUES)
    before = old.execute(
        f"SELECT {names} FROM result WHERE withdrawn = 0 "
        "ORDER BY jd_mid, source, id").fetchall()
    with database.read() as db:
        now = [tuple(getattr(row, name) for name in VALUES) for row in select(db, Selection())]
    assert len(now) == 13
    assert now == before


def test_states_and_kinds_have_the_words_of_now(
        old: pysqlite3.Connection, database: Database) -> None:
    ((rejected,),) = old.execute("SELECT id FROM master WHERE state = 'set aside'").fetchall()
    with database.read() as db:
        (master,) = masters.among(db, [rejected])
        assert (master.state, master.reason) == (MasterState.REJECTED, "lamp in the dome")
        assert {row.kind for row in db.select(Frame, Frame.kind)} == {
            kind.value for kind in FrameKind if kind is not FrameKind.PATTERN}
        assert {row.state for row in db.select(Frame, Frame.state)} == {FrameState.DONE}
        state = site_status.status(db, 0.0, locked=False)
    assert state["daemon"]["state"] == DaemonState.STOPPED
    assert state["masters"] == {"ready": 10, "rejected": 1}
    assert state["alerts"] == {"firing": 1}


def test_every_result_explains_itself(
        old: pysqlite3.Connection, database: Database) -> None:
    placed = dict(old.execute("SELECT id, info FROM frame WHERE kind = 'light'").fetchall())
    with database.read() as db:
        for row in select(db, Selection()):
            chain = provenance.explain(db, row.id, index_minutes=30.0)
            assert chain["masters"]
            assert all(frame["measured"] for frame in chain["frames"])
            for frame in chain["frames"]:
                assert frame["astrometry_from"] == json.loads(placed[frame["id"]])["placed_by"]
            methods = {method["method"] for method in chain["methods"]}
            assert not methods & {"left", "right"}
            assert lines_of(chain)


def test_groups_series_and_masters_can_be_computed_again(database: Database, site: Site) -> None:
    choices = MasterChoices(site, {i.name: i for i in find_instruments()})
    with database.read() as db:
        for group in db.select(Group):
            measured = groups.measured_group(db, group.id)
            assert [frame.facts.polariser_deg for frame in measured] == group.angles
        assert all(groups.measured_frames(db, series) for series in db.select(Series))
        for frame in frames.choose(db, frames.Chosen(science=True)):
            assert choices.choose(db, frames.facts_of(frame)).masters


def test_pages_show_it(site: Site, database: Database) -> None:
    client = create_app(site).test_client()
    with database.read() as db:
        ids = [row.id for row in select(db, Selection())]
        mails = [row.content["subject"] for row in db.select(Outbox)]
    found = client.get("/api/results").json
    assert found is not None
    assert [row["id"] for row in found["results"]] == ids
    for page in ("/", "/alerts", "/nights/2026-11-26", "/sources", f"/results/{ids[0]}",
                 f"/results/{ids[0]}/modulation.png"):
        assert client.get(page, follow_redirects=True).status_code == 200, page
    assert escape(mails[0]) in client.get("/messages").get_data(as_text=True)


def _is_over(db: Connection, request: int) -> bool:
    progress = requests.progress_of(db, request, time.time())
    return progress is not None and progress.is_over


def test_a_daemon_runs_on_it(site: Site) -> None:
    """It answers what the release before left queued, and recalibrates from what that measured."""
    with Database(site.database).write() as tx:
        waiting = requests.put(tx, "reprocess", {"frames": []}, 0.0)
        before = {row.key: row.mag for row in select(tx, Selection())}
        tx._db.execute_sql(  # as an edited catalogue
            "UPDATE meta SET value = '2' WHERE key = 'catalogue_version'")

    async def go() -> dict[str, Any]:
        stop, found = asyncio.Event(), {}

        async def ready(daemon: Daemon) -> None:
            while not await daemon.database.read(_is_over, waiting):  # noqa: ASYNC110 - rows
                await asyncio.sleep(0.05)
            found.update(await daemon.database.read(site_status.status, 0.0, locked=True))
            stop.set()

        async with asyncio.timeout(60):
            await Daemon(site, watch=False).run(stop, ready=ready)
        return found

    state = asyncio.run(go())
    assert state["failed_by_reason"] == []
    with Database(site.database, read_only=True).read() as db:
        after = {row.key: row.mag for row in select(db, Selection())}
        assert site_status.heartbeat(db)["state"] == DaemonState.STOPPED
    assert after == pytest.approx(before, abs=0.05)
