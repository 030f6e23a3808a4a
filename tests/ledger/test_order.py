"""The order of work: what somebody waits for goes first, and the backlog goes on all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.ledger import FoundFile
from iop4d.ledger.plan import Claim
from iop4d.ledger.urgency import Urgency
from iop4d.model.messages import Classified, ClassifyRequest, Done, Outcome
from iop4d.model.states import TriggerState
from iop4d.store import catalogue, catalogue_csv, jobs, triggers
from iop4d.store.database import Database
from iop4d.store.jobs import JobKind, Priority
from iop4d.store.schema import Alert, Frame, Job
from tests.conftest import FakeClock
from tests.ledger.one_camera import Bench, facts_of
from tests.support.rows import first

BACKLOG = 5000


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    made = Bench(site, database, clock)
    made.drop("bias-1.fit", "bias-2.fit", "bias-3.fit", "flat-R-4.fit", "flat-R-5.fit",
              "flat-R-6.fit")
    made.work()
    return made


def arrive(bench: Bench, *names: str, live: bool = True) -> list[int]:
    return bench.ledger.accept([
        FoundFile(archive="raw", path=Path("/raw") / name, size=1, mtime_ns=1,
                  completed_at=bench.clock(), live=live) for name in names])


def answer(bench: Bench, claim: Claim) -> Outcome:
    """Of files that exist by name alone."""
    if isinstance(claim.request, ClassifyRequest):
        name = claim.request.path.name
        return Done(value=Classified(facts=facts_of(name), sha256=name, size=1))
    return bench.answer(claim)


def next_job(bench: Bench) -> str:
    claim = bench.ledger.claim(1)[0]
    bench.ledger.finish(claim, answer(bench, claim))
    return claim.label


def backlog(bench: Bench, count: int = BACKLOG) -> None:
    """Files that lay there when the daemon began: one as it is taken in, and as many like it."""
    names = [f"science-R-{number}.fit" for number in range(1000, 1000 + count)]
    (id_of_first,) = arrive(bench, names[0], live=False)
    frame = first(bench.database, Frame, Frame.id == id_of_first).__data__
    job = first(bench.database, Job, Job.key == id_of_first).__data__
    more = list(enumerate(names[1:], start=id_of_first + 1))
    with bench.database.write() as tx:
        for some in (more[n:n + 500] for n in range(0, len(more), 500)):
            tx.insert_many(Frame, [frame | {"id": id_, "path": f"/raw/{name}", "name": name}
                                   for id_, name in some])
            tx.insert_many(Job, [job | {"id": job["id"] + id_ - id_of_first, "key": id_}
                                 for id_, _ in some])


def test_a_live_frame_passes_a_backlog_of_5000_at_every_step(bench: Bench) -> None:
    backlog(bench)
    for _ in range(10):
        assert next_job(bench).startswith("classify science-R-59")
    running = bench.ledger.claim(1)[0]  # the one job that it waits for
    arrive(bench, "science-R-9999.fit")
    bench.ledger.finish(running, answer(bench, running))
    assert next_job(bench) == "classify science-R-9999.fit"
    assert next_job(bench) == "reduce science-R-9999.fit"
    bench.clock.advance(1.0)
    assert next_job(bench).startswith("calibrate")


def test_the_backlog_goes_on_while_live_frames_keep_coming(bench: Bench) -> None:
    backlog(bench, 1000)
    done: list[str] = []
    for number in range(100):
        arrive(bench, f"science-R-{6000 + 2 * number}.fit", f"science-R-{6001 + 2 * number}.fit")
        done += [next_job(bench) for _ in range(4)]
    of_backlog = [label for label in done if label.startswith("classify science-R-1")]
    assert of_backlog == [f"classify science-R-{1999 - n}.fit" for n in range(100)]


def test_of_live_frames_and_of_files_not_yet_read_the_newest_goes_first(bench: Bench) -> None:
    backlog(bench, 2)
    arrive(bench, "science-R-7.fit", "science-R-8.fit")
    assert [next_job(bench) for _ in range(6)] == [
        "classify science-R-8.fit", "classify science-R-7.fit", "reduce science-R-8.fit",
        "classify science-R-1001.fit", "reduce science-R-7.fit", "classify science-R-1000.fit"]


def test_an_undisturbed_backlog_is_not_slowed_down_by_turns(bench: Bench) -> None:
    backlog(bench, 8)
    assert [next_job(bench) for _ in range(8)] == [
        f"classify science-R-{1007 - n}.fit" for n in range(8)]


@pytest.fixture
def sources(database: Database) -> None:
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(catalogue_csv.builtin("blazars")))


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(("name", "object_", "urgent"), [
    ("BLLac-0001R.fit", "", True), ("bl_lac_1.fits.gz", "", True), ("2200+420-1.fit", "", True),
    ("frame1.fit", "BL LAC", True), ("frame1.fit", "2200+420", True), ("3C345-1.fit", "", False),
    ("xBLLac.fit", "", False), ("frame1.fit", "", False)])
def test_a_target_of_opportunity_is_known_by_all_its_names(
        name: str, object_: str, urgent: bool, clock: FakeClock, database: Database) -> None:
    with database.read() as db:
        assert bool(Urgency(["BL Lac"], clock).bonus(db, name, object_)) is urgent


def test_a_name_that_goes_on_with_a_digit_is_another(clock: FakeClock,
                                                     database: Database) -> None:
    with database.read() as db:
        urgency = Urgency(["3C 45"], clock)
        assert urgency.bonus(db, "3C45-0001.fit")
        assert not urgency.bonus(db, "3C454-0001.fit")


@pytest.mark.usefixtures("sources")
def test_a_source_of_a_firing_alert_is_urgent_for_as_long_as_it_fires(
        clock: FakeClock, database: Database) -> None:
    urgency = Urgency([], clock)
    with database.write() as tx:
        assert not urgency.bonus(tx, "BLLac-1.fit")
        tx.create(Alert, rule="r", source=catalogue.find(tx, "BL Lac").name, band="R", episode=1,
                  state="firing", condition="mag < 13", fired_jd=0.0, fired_at=0.0)
        clock.advance(6.0)
        assert urgency.bonus(tx, "BLLac-1.fit")
        tx.update(Alert, state="resolved").execute()
        clock.advance(6.0)
        assert not urgency.bonus(tx, "BLLac-1.fit")


def test_targets_of_opportunity_go_before_live_frames(
        tmp_path: Path, database: Database, clock: FakeClock) -> None:
    site = parse_site('[[archive]]\nname = "raw"\n[daemon]\npriority_targets = ["science-V"]\n',
                      root=tmp_path)
    bench = Bench(site, database, clock)
    arrive(bench, "science-R-2.fit")
    arrive(bench, "science-V-1.fit", live=False)
    claims = bench.ledger.claim(2)
    assert [claim.label for claim in claims] == ["classify science-V-1.fit",
                                                 "classify science-R-2.fit"]
    bench.ledger.finish(claims[0], answer(bench, claims[0]))
    reduction = first(database, Job, Job.kind == "reduce")
    assert reduction.priority == Priority.REDUCE + Priority.FIRST


def test_a_job_that_is_asked_for_again_keeps_its_urgency(database: Database) -> None:
    with database.write() as tx:
        jobs.queue(tx, JobKind.CALIBRATE, 1, priority=Priority.CALIBRATE + Priority.LIVE, now=0.0)
        jobs.queue(tx, JobKind.CALIBRATE, 1, priority=Priority.CALIBRATE, now=1.0)
    assert first(database, Job).priority == Priority.CALIBRATE + Priority.LIVE


@pytest.mark.sqlite
@pytest.mark.parametrize("statement", [jobs.DUE, jobs.DUE_NEWEST])
def test_a_claim_sorts_nothing(statement: str, database: Database) -> None:
    with database.read() as db:
        plan = "; ".join(row[3] for row in db.rows(
            f"EXPLAIN QUERY PLAN {statement}", "", 1 << 30, 1.0, 4))
    assert "USING INDEX job_due" in plan
    assert "TEMP B-TREE" not in plan



def test_the_bonus_goes_on_from_the_file_to_its_measurement(bench: Bench) -> None:
    arrive(bench, "science-R-7.fit")
    next_job(bench)
    assert bench.ledger.claim(1)[0].bonus == Priority.LIVE


def test_masters_do_not_wait_for_files_of_other_folders(
        site: Site, database: Database, clock: FakeClock) -> None:
    bench = Bench(site, database, clock)
    with database.write() as tx:
        for number in range(100):
            frame = tx.create(
                Frame, archive="raw", path=f"/raw/2021-01-01/science-R-{number}.fit", size=1,
                name=f"science-R-{number}.fit", night="2021-01-01", mtime_ns=1, state="queued",
                completed_at=0, seen_at=0, changed_at=0)
            jobs.queue(tx, JobKind.CLASSIFY, frame.id, priority=Priority.CLASSIFY, now=0.0)
    arrive(bench, *(f"2022-09-08/bias-{number}.fit" for number in (1, 2, 3)))
    with database.read() as db:
        assert jobs.classifying(db, Path("/raw"), clock())
        assert jobs.classifying(db, Path("/raw/2022-09-08"), clock())
        assert not jobs.classifying(db, Path("/raw/2022-09"), clock())
    done = [next_job(bench) for _ in range(5)]
    assert any(label.startswith("master") for label in done)


def test_a_source_of_a_trigger_is_urgent_for_as_long_as_it_lasts(
        clock: FakeClock, database: Database) -> None:
    urgency = Urgency([], clock)
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(
            "name,other_names,ra,dec,kind\n2200+420,BL Lac,330.68,42.28,target\n"))
        assert not urgency.bonus(tx, "BLLac-0001.fit")
        row = triggers.create(
            tx, clock(), event="e", origin="topic", source="2200+420", issued_at=clock(),
            state=TriggerState.ACCEPTED, until=clock() + 100.0)
        clock.advance(6.0)
        assert urgency.bonus(tx, "BLLac-0001.fit") == Priority.FIRST
        assert not urgency.bonus(tx, "3C66A-0001.fit")
        clock.advance(100.0)
        assert not urgency.bonus(tx, "BLLac-0001.fit"), "its time is over"
        triggers.change(tx, row, clock(), until=clock() + 100.0)
        clock.advance(6.0)
        assert urgency.bonus(tx, "BLLac-0001.fit")
        triggers.end(tx, triggers.active(tx, clock())[0], by="ana", now=clock())
        clock.advance(6.0)
        assert not urgency.bonus(tx, "BLLac-0001.fit")
