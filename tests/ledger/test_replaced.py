"""A file that is replaced: what rested on the old one, and what the new one gave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.ledger.plan import Claim
from iop4d.model.messages import (
    NO_REFERENCE,
    Crashed,
    Done,
    Failed,
    Outcome,
    ReduceRequest,
    Rejected,
)
from iop4d.model.states import FrameState
from iop4d.store.database import Database
from tests.conftest import FakeClock
from tests.ledger.one_camera import CALIBRATION, Bench, reduced


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


def test_a_replaced_file_changes_its_result_in_place(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    first = bench.result()
    bench.mag = 13.5
    bench.drop("science-R-7.fit", content="new contents")
    bench.work()
    second = bench.result()
    assert (second.id, second.mag, second.revision) == (first.id, 13.5, 2)
    assert [row.state for row in bench.frames("science-R-7.fit")] == [
        FrameState.SUPERSEDED, FrameState.DONE]


@pytest.mark.parametrize("later", [
    Failed(stage="solve", reason="no star"), Failed(stage=NO_REFERENCE, reason="no whole frame"),
    Rejected(reason="is truncated"), Crashed(how="killed by SIGSEGV")])
@pytest.mark.parametrize("mag", [13.5, 14.0])
def test_a_new_version_that_was_measured_keeps_its_result_when_it_fails_later(
        bench: Bench, later: Outcome, mag: float) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    bench.mag = mag
    bench.drop("science-R-7.fit", content="new contents")
    bench.work()
    bench.ledger.redo([bench.frames("science-R-7.fit")[1].id])
    bench.work(lambda claim: later if isinstance(claim.request, ReduceRequest)
               else bench.answer(claim))
    assert bench.frames("science-R-7.fit")[1].state != FrameState.DONE
    assert (bench.result().mag, bench.result().withdrawn) == (mag, False)
    bench.drop("science-R-7.fit", content="newer contents")  # that one rests on nothing of it
    bench.work(lambda claim: later if isinstance(claim.request, ReduceRequest)
               else bench.answer(claim))
    assert bench.result().withdrawn


def test_a_source_that_left_the_catalogue_keeps_what_a_new_version_gave(bench: Bench) -> None:
    def without(claim: Claim) -> Outcome:
        if isinstance(claim.request, ReduceRequest):
            return Done(value=replace(reduced(claim.request, 14.0), results=(),
                                      measurements=()))
        return bench.answer(claim)

    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    bench.drop("science-R-7.fit", content="new contents")
    bench.work()
    bench.ledger.redo([bench.frames("science-R-7.fit")[1].id])
    bench.work(without)
    assert not bench.result().withdrawn
    bench.drop("science-R-7.fit", content="newer contents")
    bench.work(without)
    assert bench.result().withdrawn
