"""A frame that a person wants left out: nothing rests on it until it is tried again."""

from __future__ import annotations

import pytest

from iop4d.model.flags import Flag
from iop4d.model.states import FrameState, MasterState
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Group, Master, Result
from tests.conftest import FakeClock
from tests.ledger import test_groups
from tests.ledger.one_camera import CALIBRATION, Bench
from tests.support.rows import first, rows


@pytest.fixture
def bench(site: object, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)  # type: ignore[arg-type]


def test_its_result_is_withdrawn_and_comes_back_with_it(bench: Bench) -> None:
    bench.drop(*CALIBRATION, "science-R-7.fit")
    bench.work()
    frame = bench.frame("science-R-7.fit")
    bench.told.clear()
    assert bench.ledger.ignore([frame.id, 999], "a trail") == [frame.id]
    assert (bench.state("science-R-7.fit"), bench.frame("science-R-7.fit").reason) == (
        FrameState.REJECTED, "ignored by hand: a trail")
    result = bench.result()
    assert result.withdrawn
    assert result.flags & Flag.WITHDRAWN
    assert bench.told == [result.id]  # the alerts hear of it
    bench.work()
    assert bench.result().withdrawn
    assert bench.state("science-R-7.fit") == FrameState.REJECTED
    bench.ledger.redo([frame.id])
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.DONE
    assert not bench.result().withdrawn
    assert bench.result().id == result.id


def test_it_stays_left_out_although_its_reduction_ends_later(bench: Bench) -> None:
    bench.drop(*CALIBRATION)
    bench.work()
    bench.drop("science-R-7.fit")
    frame = bench.frame("science-R-7.fit")
    for _ in range(2):  # it is read, then reduced
        (claim,) = bench.ledger.claim(1)
        if claim.kind == "reduce":
            bench.ledger.ignore([frame.id], "clouds")
        bench.ledger.finish(claim, bench.answer(claim))
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.REJECTED
    assert rows(bench.database, Result) == []


def test_a_master_is_built_again_without_it(bench: Bench) -> None:
    bench.drop(*CALIBRATION, "flat-R-8.fit", "science-R-7.fit")
    bench.work()
    before = first(bench.database, Master, Master.kind == "flat")
    assert before.n_frames == 4
    bench.ledger.ignore([bench.frame("flat-R-5.fit").id], "a cloud")
    bench.work()
    after = first(bench.database, Master, Master.kind == "flat")
    assert (after.n_frames, after.state) == (3, MasterState.READY)
    assert "flat-R-5.fit" not in after.frames
    assert bench.frame("science-R-7.fit").masters != []
    bench.ledger.redo([bench.frame("flat-R-5.fit").id])
    bench.work()
    assert first(bench.database, Master, Master.kind == "flat").n_frames == 4


def test_its_group_goes_on_without_it(site: object, database: Database, clock: FakeClock) -> None:
    bench = test_groups.Bench(site, database, clock)  # type: ignore[arg-type]
    bench.drop("p0-0.fits", "p22.5-1.fits", "p45-2.fits", "p67.5-3.fits")
    bench.work()
    (group,) = rows(database, Group)
    assert len(group.angles) == 4
    frame = first(database, Frame, Frame.name == "p45-2.fits")
    bench.ledger.ignore([frame.id], "a trail")
    bench.work()
    (again,) = rows(database, Group, Group.id == group.id)
    assert again.angles == [0.0, 22.5, 67.5]
    assert first(database, Frame, Frame.id == frame.id).group_id is None
