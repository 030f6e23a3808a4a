"""Faults that the state machine of the ledger found, each told by itself."""

from __future__ import annotations

import pytest

from iop4d.config import Site
from iop4d.model.messages import CHANGED, Failed, MasterRequest
from iop4d.model.states import FrameState
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Job
from tests.conftest import FakeClock
from tests.ledger.test_ledger import CALIBRATION, Bench
from tests.support.rows import first, update


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


def test_a_frame_that_was_replaced_before_its_reduction_stays_replaced(bench: Bench) -> None:
    bench.drop("science-R-7.fit")
    bench.work()  # it waits for masters
    bench.drop("science-R-7.fit", content="new contents")
    bench.drop(*CALIBRATION)
    bench.work()
    assert [row.state for row in bench.frames("science-R-7.fit")] == [
        FrameState.SUPERSEDED, FrameState.DONE]


def test_a_calibration_frame_whose_master_is_not_built_again_is_told(bench: Bench) -> None:
    bench.drop(*CALIBRATION)
    bench.work()
    bench.drop("bias-8.fit")
    bench.work(lambda claim: Failed(stage="write", reason="no space left")
               if isinstance(claim.request, MasterRequest) else bench.answer(claim))
    assert bench.state("bias-8.fit") != FrameState.QUEUED


def test_a_master_that_is_to_be_tried_again_touches_no_frame(bench: Bench) -> None:
    bench.drop("science-R-7.fit")
    bench.work()
    update(bench.database, Frame, state=FrameState.REJECTED)
    update(bench.database, Job, state="done")
    bench.drop(*CALIBRATION)
    answers = iter([Failed(stage=CHANGED, reason="the file changed")])
    bench.work(lambda claim: next(answers, None) or bench.answer(claim)
               if isinstance(claim.request, MasterRequest) else bench.answer(claim))
    assert first(bench.database, Job, Job.kind == "master", Job.key == 1).key == bench.frame(
        "science-R-7.fit").id
    assert bench.state("science-R-7.fit") == FrameState.REJECTED


def test_a_flat_whose_master_waits_for_a_bias_says_so(bench: Bench) -> None:
    bench.drop(*CALIBRATION[3:])
    bench.work()
    assert bench.state("flat-R-4.fit") == FrameState.WAITING
