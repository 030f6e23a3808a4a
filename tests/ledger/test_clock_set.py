"""The clock of the machine is set back by a day, or was ahead by one: no job waits for a day."""

from __future__ import annotations

import pytest

from iop4d.config import Site
from iop4d.model.units import unix_of_jd
from iop4d.store import jobs
from iop4d.store.database import Database
from iop4d.store.jobs import JobKind
from iop4d.store.schema import Job
from tests.conftest import FakeClock
from tests.ledger.group_bench import JD, Bench
from tests.support.rows import first

_DAY = 86400.0


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


@pytest.mark.parametrize("restarted", [True, False])
def test_a_job_that_was_to_wait_a_minute_waits_a_minute(bench: Bench, *, restarted: bool) -> None:
    with bench.database.write() as tx:
        jobs.queue(tx, JobKind.MASTER, 1, priority=1, now=bench.clock(),
                   not_before=bench.clock() + 60.0)
        jobs.queue(tx, JobKind.MASTER, 2, priority=1, now=bench.clock())
    bench.clock.advance(-_DAY)
    if restarted:
        bench.ledger.recover()
    else:
        with bench.database.write() as tx:
            bench.ledger.ledger.follow_clock(tx)
    waits = {key: first(bench.database, Job, Job.key == key).not_before - bench.clock()
             for key in (1, 2)}
    assert waits[1] == pytest.approx(60.0)
    assert waits[2] <= 0.0


def test_a_job_that_ran_meanwhile_is_due_again_as_was_asked(bench: Bench) -> None:
    with bench.database.write() as tx:
        now = bench.clock()
        jobs.queue(tx, JobKind.MASTER, 1, priority=1, now=now)
        job = tx.get(Job, Job.key == 1)
        jobs.begin(tx, job.id, now)
        jobs.queue(tx, JobKind.MASTER, 1, priority=1, now=now, not_before=now + 5.0)
        bench.clock.advance(-_DAY)
        bench.ledger.ledger.follow_clock(tx)
        jobs.close(tx, job.id, "done", bench.clock())  # type: ignore[arg-type]
    assert bench.ledger.next_due() == pytest.approx(bench.clock() + 5.0)


def test_a_group_of_frames_from_the_future_waits_no_longer_than_others(bench: Bench) -> None:
    gap = 60.0 * bench.site.polarimetry.max_gap_minutes
    bench.clock.now = unix_of_jd(JD) - _DAY
    bench.drop("p0.0-1.fits", "p22.5-2.fits", "p45.0-3.fits")
    began = bench.clock()
    bench.work()  # until nothing waits
    assert bench.clock() - began < gap + 60.0
    assert bench.results() == [(("p0.0-1.fits", "p22.5-2.fits", "p45.0-3.fits"), 0.03)]
