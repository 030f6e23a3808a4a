"""What goes by rule, what stays, and that a frame says so and can be reduced again."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.config.operations import Prune
from iop4d.model.units import jd_of_unix
from iop4d.operations.prune import DailyPrune, Plan, act, plan
from iop4d.store import audit, events, frame_pages, jobs
from iop4d.store.database import Database
from iop4d.store.frames import Chosen, choose
from iop4d.store.products import Product
from iop4d.store.schema import Alert, Audit, Event, Frame, Job, Request, Result, ResultFrame
from iop4d.store.thread import DatabaseThread
from iop4d.store.trigger_table import Trigger
from tests.support.rows import rows

NOW = 1.8e9
DAY = 86400.0
NIGHTS = ("2026-01-01", "2026-01-02", "2026-01-03")
NONE = Prune(keep_nights=0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Three nights of two frames each, 100, 50 and 1 days old; a result rests on the first one."""
    (tmp_path / "iop4d.toml").write_text('[[archive]]\nname = "raw"\npath = "raw"\n')
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        for night, age in zip(NIGHTS, (100, 50, 1), strict=True):
            for number in (1, 2):
                stem = f"T/{night}/{number}"
                paths = {"raw": f"{stem}.fits", "reduced": f"{stem}.fits",
                         "previews": f"{stem}.png"}
                for folder, name in paths.items():
                    write(tmp_path / folder / name, age)
                tx.create(Frame, archive="raw", path=f"{tmp_path}/raw/{stem}.fits", name="n",
                          night=night, size=1, mtime_ns=1, state="done", kind="science",
                          completed_at=1.0, seen_at=1.0, changed_at=1.0, info={"sky": 1.0},
                          reduced_path=f"{tmp_path}/reduced/{stem}.fits",
                          preview_path=f"{tmp_path}/previews/{stem}.png")
        result = tx.create(
            Result, key="k", source="S", telescope="T", instrument="I", night=NIGHTS[0],
            mode="photometry", band="R", jd_mid=2460000.1, exptime_s=1.0, mag=15.0, created_at=1.0,
            changed_at=1.0)
        tx.insert_many(ResultFrame, [{"result": result.id, "frame": 1}])
        for age in (40, 20, 0):
            events.emit(tx, "frame", NOW - age * DAY, id=1)
    database.close()
    write(tmp_path / "logs" / "daemon.jsonl", 90)
    write(tmp_path / "logs" / "daemon.jsonl.1", 90)
    write(tmp_path / "logs" / "daemon.jsonl.2", 10)
    return load_site(tmp_path)


def write(path: Path, age_days: float, size: int = 1000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - age_days * DAY,) * 2)


def planned(site: Site, rules: Prune) -> Plan:
    with Database(site.database, read_only=True).read() as db:
        return plan(db, site, rules, NOW)


def names(what: Plan, product: Product = Product.REDUCED) -> list[str]:
    return ["/".join(one.path.parts[-2:]) for one in what.products.get(product, [])]


def do(site: Site, rules: Prune) -> int:
    database = Database(site.database)

    def write_(what: object) -> None:
        with database.write() as tx:
            what(tx)  # type: ignore[operator]

    try:
        return act(site, planned(site, rules), write_, rules=rules, by="ana", now=NOW)
    finally:
        database.close()


@pytest.mark.parametrize(("rules", "expected"), [
    (NONE, []),
    (replace(NONE, reduced_days=60), ["2026-01-01/1.fits", "2026-01-01/2.fits"]),
    (replace(NONE, reduced_days=60, keep_results=True), ["2026-01-01/2.fits"]),
    (replace(NONE, reduced_days=0.5, keep_nights=2), ["2026-01-01/1.fits", "2026-01-01/2.fits"]),
    (replace(NONE, reduced_max_gb=4e-6), ["2026-01-01/1.fits", "2026-01-01/2.fits"]),
    (replace(NONE, reduced_days=60, reduced_max_gb=2.5e-6),
     ["2026-01-01/1.fits", "2026-01-01/2.fits", "2026-01-02/1.fits", "2026-01-02/2.fits"]),
    (replace(NONE, reduced_days=1000), []),
])
def test_what_goes_by_age_size_night_and_result(site: Site, rules: Prune,
                                                expected: list[str]) -> None:
    what = planned(site, rules)
    assert names(what) == expected
    assert names(what, Product.PREVIEWS) == []


def test_it_goes_and_the_frame_says_so_until_it_is_reduced_again(site: Site) -> None:
    rules = replace(NONE, reduced_days=60, previews_days=60, events_days=30, logs_days=30)
    assert do(site, rules) == 5000
    root = site.root
    assert len(list((root / "reduced").rglob("*.fits"))) == 4
    assert len(list((root / "previews").rglob("*.png"))) == 4
    assert len(list((root / "raw").rglob("*.fits"))) == 6
    assert sorted(path.name for path in (root / "logs").iterdir()) == [
        "daemon.jsonl", "daemon.jsonl.2"]
    database = Database(site.database)
    first = rows(database, Frame)[0]
    assert (first.reduced_path, first.preview_path) == (None, None)
    assert first.info == {"sky": 1.0, "pruned": {"reduced": NOW, "previews": NOW}}
    assert len(rows(database, Event)) == 2
    assert rows(database, Audit)[-1].now == {
        "reduced": 2, "previews": 2, "logs": 1, "events": 1, "requests": 0, "jobs": 0,
        "triggers": 0, "bytes": 5000}
    with database.read() as db:
        assert [row.id for row in choose(db, Chosen(pruned=True))] == [1, 2]
        assert audit.of_subject(db, "site")[0].act == "prune"
    database.close()
    assert planned(site, rules).is_empty


def trigger(site: Site, event: str, over_days: float, *, source: str = "S",
            lasts_days: float = 2.0) -> None:
    over = NOW - over_days * DAY
    with Database(site.database).write() as tx:
        tx.create(Trigger, event=event, source=source, state="accepted", origin="topic x",
                  issued_at=over - lasts_days * DAY, received_at=over - lasts_days * DAY,
                  until=over, changed_at=over)


def alert(site: Site, fired_days: float, state: str, source: str = "S") -> None:
    with Database(site.database).write() as tx:
        tx.create(Alert, rule="r", source=source, band="R", episode=1, state=state,
                  condition="triggered", fired_jd=jd_of_unix(NOW - fired_days * DAY),
                  fired_at=NOW - fired_days * DAY, points=[1])


@pytest.mark.parametrize(("days", "stay"), [
    (30.0, ["week", "month", "newest"]), (0.0, ["week", "month", "year", "newest"]),
    (1.0, ["week", "newest"])])
def test_triggers_go_by_the_days_since_they_were_over(site: Site, days: float,
                                                      stay: list[str]) -> None:
    for event, over in (("week", 6), ("month", 29), ("year", 365), ("newest", 400)):
        trigger(site, event, over)
    rules = replace(NONE, triggers_days=days)
    assert planned(site, rules).triggers == 4 - len(stay)
    do(site, rules)
    assert [row.event for row in rows(Database(site.database), Trigger)] == stay
    assert planned(site, rules).is_empty


@pytest.mark.parametrize(("state", "stays"), [
    ("firing", True), ("acknowledged", True), ("snoozed", True), ("pending", True),
    ("resolved", False), ("withdrawn", False)])
def test_the_trigger_of_an_alert_that_is_not_over_stays(site: Site, state: str,
                                                        stays: bool) -> None:
    for event, over, source in (("its", 99, "S"), ("other", 99, "B"), ("before", 110, "S"),
                                ("newest", 1, "S")):
        trigger(site, event, over, source=source)
    alert(site, 100, state)
    do(site, replace(NONE, triggers_days=30))
    assert [row.event for row in rows(Database(site.database), Trigger)] == [
        *(["its"] if stays else []), "newest"]


def test_the_command_prunes_triggers_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    for event, over in (("old", 100), ("new", 1)):
        trigger(site, event, over)
    words = ["--site", str(site.root), "prune", "--triggers", "30d"]
    assert "triggers: 1" in CliRunner().invoke(cli, [*words, "--dry-run"]).output
    assert CliRunner().invoke(cli, [*words, "--yes"]).exit_code == 0
    assert [row.event for row in rows(Database(site.database), Trigger)] == ["new"]
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 6


def test_a_file_that_was_written_again_meanwhile_stays(site: Site) -> None:
    rules = replace(NONE, reduced_days=60)
    what = planned(site, rules)
    path = what.products[Product.REDUCED][0].path
    path.write_bytes(b"new")
    database = Database(site.database)
    with database.write() as tx:
        act(site, what, lambda do: do(tx), rules=rules, by="ana", now=NOW)
    database.close()
    assert path.read_bytes() == b"new"


def test_files_of_no_row_go_once_they_are_old(site: Site) -> None:
    write(site.root / "reduced" / "T" / "old.fits", 99)
    write(site.root / "reduced" / "T" / "new.fits", 0)
    assert "T/old.fits" in names(planned(site, replace(NONE, reduced_days=60)))
    assert "T/new.fits" not in names(planned(site, replace(NONE, reduced_days=60)))


def test_a_rule_of_size_alone_counts_what_a_pruning_that_was_cut_off_left(site: Site) -> None:
    rules = replace(NONE, reduced_max_gb=4e-6)
    database = Database(site.database)

    def killed(what: object) -> None:
        with database.write() as tx:
            what(tx)  # type: ignore[operator]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        act(site, planned(site, rules), killed, rules=rules, by="ana", now=NOW)
    database.close()
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 6
    assert names(planned(site, rules)) == ["2026-01-01/1.fits", "2026-01-01/2.fits"]
    do(site, rules)
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 4
    write(site.root / "reduced" / "T" / "just-written.fits", 0)
    assert names(planned(site, rules)) == []


def test_products_of_a_site_that_was_moved_are_of_their_rows_still(site: Site) -> None:
    database = Database(site.database)
    with database.write() as tx:
        for frame in tx.rows("SELECT id, reduced_path FROM frame"):
            there = frame[1].replace(str(site.root), "/where/it/was")
            tx.update(Frame, reduced_path=there).where(Frame.id == frame[0]).execute()
    database.close()
    write(site.root / "reduced" / "T" / "old.fits", 99)
    rules = replace(NONE, reduced_days=60, keep_results=True)
    assert names(planned(site, rules)) == ["T/old.fits"]


def test_raw_frames_never_go_wherever_rows_and_links_lead(site: Site, tmp_path: Path) -> None:
    raw = tmp_path / "raw" / "T" / NIGHTS[0] / "1.fits"
    link = tmp_path / "reduced" / "link.fits"
    link.symlink_to(raw)
    database = Database(site.database)
    with database.write() as tx:
        tx.update(Frame, reduced_path=str(raw)).where(Frame.id == 1).execute()
        tx.update(Frame, reduced_path=str(link)).where(Frame.id == 2).execute()
    database.close()
    inside = replace(site, archive=(replace(site.archive[0], path=tmp_path / "reduced"),))
    assert raw not in [one.path for one in planned(
        site, replace(NONE, reduced_days=0.1)).products[Product.REDUCED]]
    assert link not in [one.path for one in planned(
        site, replace(NONE, reduced_days=0.1)).products[Product.REDUCED]]
    assert planned(inside, replace(NONE, reduced_days=0.1)).is_empty


def test_the_command_shows_first_asks_and_needs_a_rule(site: Site) -> None:
    def run(*words: str, answer: str = "") -> tuple[int, str]:
        ran = CliRunner().invoke(cli, ["prune", *words, "--site", str(site.root)], input=answer)
        return ran.exit_code, ran.output + str(ran.exception or "")

    assert "no rule says what may go" in run()[1]
    most = ("--keep-nights", "0", "--reduced-max-gb")
    code, said = run(*most, "4e-6", "--dry-run")
    assert (code, "reduced: 2 files" in said) == (0, True)
    assert len(json.loads(run(*most, "1e-7", "--dry-run", "--json")[1])["reduced"]) == 6
    run(*most, "1e-7", answer="n\n")
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 6
    assert run(*most, "1e-7", "--keep-nights", "1", "--yes")[0] == 0
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 2


def test_no_size_is_no_rule(site: Site) -> None:
    ran = CliRunner().invoke(cli, ["--site", str(site.root), "prune", "--reduced-max-gb", "0"])
    assert ran.exit_code == 2
    assert "x>0" in ran.output


def test_the_daemon_does_it_each_day_if_it_may(site: Site) -> None:
    async def day(rules: Prune) -> None:
        database = DatabaseThread.of(site.database)
        await database.open()
        await DailyPrune(replace(site, prune=rules), database, lambda: NOW).run_once()
        database.close()

    rules = replace(NONE, reduced_days=60)
    asyncio.run(day(rules))
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 6
    asyncio.run(day(replace(rules, daily=True)))
    assert len(list((site.root / "reduced").rglob("*.fits"))) == 4


@pytest.fixture
def worked(site: Site) -> Site:
    """Old work: frame 1 was read and reduced, 2 was read and is reduced again, 3 was read alone, 4
    failed; a light curve was calibrated, a master built, a group computed. A frame of today."""
    database = Database(site.database)
    with database.write() as tx:
        for kind, key, state, age in (
                ("classify", 1, "done", 200), ("reduce", 1, "done", 200),
                ("classify", 2, "done", 200), ("reduce", 2, "queued", 0),
                ("classify", 3, "done", 200), ("classify", 4, "failed", 200),
                ("reduce", 4, "failed", 200), ("calibrate", 1, "done", 200),
                ("calibrate", 2, "waiting", 200), ("master", 1, "done", 200),
                ("polarimetry", 1, "done", 200), ("classify", 5, "done", 1),
                ("reduce", 5, "done", 1)):
            tx.create(Job, kind=kind, key=key, state=state, changed_at=NOW - age * DAY,
                      reason="no stars" if state == "failed" else "")
        for state, age in (("done", 200), ("queued", 200), ("done", 100), ("done", 1),
                           ("done", 200)):
            tx.create(Request, kind="reprocess", state=state, content={"frames": [1]},
                      answer={"frames": [1]}, created_at=NOW - age * DAY)
    database.close()
    return site


def left(site: Site) -> tuple[list[int], list[tuple[str, int]]]:
    database = Database(site.database)
    try:
        return ([row.id for row in rows(database, Request)],
                [(row.kind, row.key) for row in rows(database, Job)])
    finally:
        database.close()


def test_answered_requests_and_jobs_that_no_page_shows_go(worked: Site) -> None:
    """The newest request stays, however old: its number is never that of another one."""
    everything = left(worked)
    do(worked, NONE)
    assert left(worked) == ([2, 4, 5], [
        one for one in everything[1] if one not in (("classify", 1), ("classify", 2),
                                                     ("calibrate", 1))])
    assert planned(worked, NONE).is_empty
    database = Database(worked.database)
    with database.read() as db:
        failed = frame_pages.jobs_of(db, db.by_id(Frame, 4))
        assert [(job.kind, job.state, job.reason) for job in failed] == [
            ("classify", "failed", "no stars"), ("reduce", "failed", "no stars")]
        assert [job.kind for job in frame_pages.jobs_of(db, db.by_id(Frame, 1))] == ["reduce"]
        assert audit.of_subject(db, "site") == []
    with database.write() as tx:  # and what is asked for again is done again
        jobs.queue(tx, jobs.JobKind.CLASSIFY, 1, priority=1, now=NOW)
    database.close()
    assert ("classify", 1) in left(worked)[1]


def test_what_is_worked_on_again_meanwhile_stays(worked: Site) -> None:
    what = planned(worked, NONE)
    database = Database(worked.database)
    with database.write() as tx:
        jobs.queue(tx, jobs.JobKind.CLASSIFY, 1, priority=1, now=NOW)
        act(worked, what, lambda do: do(tx), rules=NONE, by="ana", now=NOW)
    database.close()
    assert ("classify", 1) in left(worked)[1]


def test_many_rows_go_a_part_at_a_time(site: Site) -> None:
    database, sizes = Database(site.database), []
    with database.write() as tx:
        tx.insert_many(Job, [
            {"kind": "calibrate", "key": key, "state": "done", "changed_at": 1.0, "node": "",
             "priority": 0, "attempts": 1, "crashes": 0, "not_before": 0.0, "again": False,
             "reason": ""} for key in range(600)])

    def write_(what: object) -> None:
        with database.write() as tx:
            before = tx.select(Job).count()
            what(tx)  # type: ignore[operator]
            sizes.append(before - tx.select(Job).count())

    act(site, planned(site, NONE), write_, rules=NONE, by="ana", now=NOW)
    database.close()
    assert sizes == [250, 250, 100, 0]


def test_ended_work_goes_each_day_and_by_a_command(worked: Site,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iop4d.cli.prune.time", SimpleNamespace(time=lambda: NOW))

    async def day(rules: Prune) -> None:
        database = DatabaseThread.of(worked.database)
        await database.open()
        await DailyPrune(replace(worked, prune=rules), database, lambda: NOW).run_once()
        database.close()

    asyncio.run(day(replace(NONE, ended_days=0, reduced_days=60)))
    assert len(left(worked)[0]) == 5
    ran = CliRunner().invoke(cli, ["prune", "--ended", "0.5d", "--dry-run", "--site",
                                   str(worked.root)])
    assert ran.output.splitlines() == ["answered requests: 3", "ended jobs: 4"]
    asyncio.run(day(replace(NONE, reduced_days=60)))
    assert left(worked)[0] == [2, 4, 5]
    assert len(list((worked.root / "reduced").rglob("*.fits"))) == 6
