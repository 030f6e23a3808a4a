"""A night costs the same on a site of ten years: no statement reads a large table whole."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from iop4d import daemon
from iop4d.alerts.conditions import SYSTEM
from iop4d.config.load import load_site
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Job
from tests.bench.growth import RESULTS, Grower
from tests.support.plans import LARGE, executed, full_scans, steps
from tests.support.sites import make_stub_site, write_corpus
from tests.support.trial import STUB_WORKER

_FILES = 40
_CONDITIONS = (
    "mag < 13.3", "p > 15 %", "change mag < -0.5", "rate mag < -0.3 mag/d",
    "rotation chi > 90 deg", "colour B-R < 0.6", "state low", "new source",
    "p > 15 % and mag < 13", "mag < 14 and triggered", "triggered", "no data by 22:00",
    *(f"{name} > 50" for name in SYSTEM if name != "no_data"))
_RULES = "".join(f"""
[[rule]]
name = "rule {number}"
source = "*"
condition = "{condition}"
channels = ["mail"]
""" for number, condition in enumerate(_CONDITIONS))

Statements = list[tuple[str, Sequence[Any]]]


async def _run(site: Path, files: int) -> None:
    """Run the daemon until so many files were looked at and nothing is left to do."""
    stop, is_ready = asyncio.Event(), asyncio.Event()
    running = daemon.Daemon(load_site(site))

    async def ready(_: daemon.Daemon) -> None:
        is_ready.set()

    task = asyncio.create_task(running.run(stop, ready=ready))
    async with asyncio.timeout(120):
        await is_ready.wait()
        while not await running.database.read(_is_over, files):  # noqa: ASYNC110 - of workers
            await asyncio.sleep(0.05)
        while running._archives[0].status["state"] != "ok":  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.05)
        await running._tend_alerts()
        await running._tidy()
    stop.set()
    await task


def _is_over(db: Any, files: int) -> bool:
    waits = db.select(Job).where(Job.state.in_(("queued", "running")) & (Job.not_before < 1e10))
    return db.select(Frame).count() >= files and not waits.exists()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Statements, Statements]:
    """A site after a night: what the daemon executed in it, and at its next start."""
    folder = tmp_path_factory.mktemp("night")
    site = make_stub_site(folder / "site", _FILES, port=9, dead=9)
    with (site / "iop4d.toml").open("a", encoding="utf-8") as file:
        file.write(_RULES)
    corpus = write_corpus(folder / "corpus", _FILES)
    shutil.copytree(corpus[0].parent, site / "raw" / "2022-08-01")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "LocalProcesses", partial(
            LocalProcesses, worker_module=STUB_WORKER))
        with executed() as first:
            asyncio.run(_run(site, _FILES))
        with executed() as again:
            asyncio.run(_run(site, _FILES))
    return site, first, again


def test_no_statement_of_a_night_or_a_start_reads_a_large_table_whole(
        night: tuple[Path, Statements, Statements]) -> None:
    site, *runs = night
    texts = {text: values for statements in runs for text, values in statements
             if "COUNT(1) FROM" not in text}  # of this test
    assert len(texts) > 80
    database = Database(site / "iop4d.db")
    with database.read() as db:
        found = {text: scans for text, values in texts.items()
                 if (scans := full_scans(db, text, values))}
    database.close()
    assert not found, "\n\n".join(f"{scans}: {text}" for text, scans in found.items())


def test_known_files_are_learned_from_an_index_in_one_statement(
        night: tuple[Path, Statements, Statements]) -> None:
    """At the second start all files are known: none is asked for by itself."""
    _, first, again = night
    by_path = [sum('"path" = ' in text for text, _ in run) for run in (first, again)]
    assert by_path[0] >= _FILES
    assert by_path[1] == 0
    assert 2 <= sum('("path", "id") >' in text for text, _ in again) <= 4  # of two archives


def test_a_whole_reading_is_noticed(night: tuple[Path, Statements, Statements]) -> None:
    database = Database(night[0] / "iop4d.db")
    with database.read() as db:
        assert {"frame", "result"} <= LARGE
        assert full_scans(db, "SELECT * FROM frame WHERE nx = 1", ())
        assert full_scans(db, 'SELECT * FROM "result" AS "t1" WHERE "t1"."flags" = 1', ())
        assert not full_scans(db, "SELECT * FROM frame WHERE id = 1", ())
    database.close()


@pytest.mark.sqlite
def test_no_statement_takes_more_steps_on_a_site_of_four_times_as_many_nights(
        night: tuple[Path, Statements, Statements], tmp_path: Path) -> None:
    """An index is used is not enough: one of all jobs of a kind has a million entries."""
    site, *runs = night
    texts = {text: values for statements in runs for text, values in statements
             if re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", text, re.I)
             and "COUNT(1) FROM" not in text}  # of this test
    assert len(texts) > 80
    shutil.copytree(site, tmp_path / "site")
    database, counts = Database(tmp_path / "site" / "iop4d.db"), []
    for frames in (1_500, 6_000):  # 70 nights, longer than any window of nights, and 280
        Grower(database, copies=1).grow(frames)
        counts.append({text: _steps(database, text, values) for text, values in texts.items()})
    database.close()
    grown = {text: (few, counts[1][text]) for text, few in counts[0].items()
             if counts[1][text] > 1.5 * few + 2}
    assert not grown, "\n\n".join(f"{taken}: {text}" for text, taken in grown.items())


def _steps(database: Database, text: str, values: Sequence[Any]) -> int:
    """Of a statement, which changes nothing in the end."""
    with steps(database) as count:
        connection = database.db.connection()
        connection.execute("BEGIN")
        connection.execute(text, values).fetchall()
        connection.execute("ROLLBACK")
    return count[0]


@pytest.mark.sqlite
def test_a_site_grows_by_copies_that_are_whole(night: tuple[Path, Statements, Statements],
                                               tmp_path: Path) -> None:
    """The maker of ``make bench ARGS="--scale"``."""
    shutil.copytree(night[0], tmp_path / "site")
    database = Database(tmp_path / "site" / "iop4d.db")

    def asked(text: str) -> list[Any]:
        with database.read() as db:
            return db.rows(text)

    indexes = sorted(asked("SELECT name FROM sqlite_master"))
    before, = asked("SELECT COUNT(*) FROM result")[0]
    grower = Grower(database)
    count = grower.grow(200)
    assert grower.grow(400) > count >= 200
    (made,), = asked("SELECT COUNT(*) FROM frame WHERE archive = 'grown'")
    (nights,), = asked("SELECT COUNT(DISTINCT night) FROM frame WHERE archive = 'grown'")
    assert asked("SELECT COUNT(*) FROM result") == [(before + made * RESULTS,)]
    assert asked("SELECT COUNT(DISTINCT f.night) FROM frame f JOIN resultframe x ON "
                 "x.frame_id = f.id JOIN result r ON r.id = x.result_id "
                 "WHERE f.archive = 'grown' AND r.night = f.night") == [(nights,)]
    assert asked("PRAGMA foreign_key_check") == []
    assert sorted(asked("SELECT name FROM sqlite_master")) == indexes
    database.close()
