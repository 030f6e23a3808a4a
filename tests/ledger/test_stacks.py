"""The result of a night's frames together follows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.ledger.plan import Claim
from iop4d.model.flags import Flag
from iop4d.model.messages import (
    CalibrateRequest,
    Done,
    Failed,
    Outcome,
    ReduceRequest,
    SeriesCalibrated,
)
from iop4d.store.database import Database
from iop4d.store.schema import Result, ResultFrame, ResultHistory
from tests.conftest import FakeClock
from tests.ledger.one_camera import CALIBRATION, Bench, result_of
from tests.support.rows import rows


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


def test_a_stack_of_which_no_frame_is_left_is_withdrawn(bench: Bench) -> None:
    """Both files are replaced by ones that cannot be reduced."""
    def answer(claim: Claim) -> Outcome:
        if not isinstance(claim.request, CalibrateRequest):
            return bench.answer(claim)
        frames = claim.request.frames
        return Done(value=SeriesCalibrated(
            stack=replace(result_of(frames[0].facts, 19.0), mode="stack"),
            stacked=tuple(frame.id for frame in frames),
            results=tuple((frame.id, result_of(frame.facts, 19.1)) for frame in frames)))

    names = ("science-R-4.fit", "science-R-5.fit")
    bench.drop(*CALIBRATION, *names)
    bench.work(answer)
    (whole,) = rows(bench.database, Result, Result.mode == "stack")
    assert not whole.withdrawn
    for name in names:
        bench.drop(name, content=f"rewritten {name}")
    bench.work(lambda claim: Failed(stage="solve", reason="no star") if isinstance(
        claim.request, ReduceRequest) else answer(claim))
    assert all(row.withdrawn for row in rows(bench.database, Result))


def test_a_faint_source_s_stack_follows_its_frames_and_is_withdrawn_when_it_is_bright(
        bench: Bench) -> None:
    faint, spoilt = True, 0

    def answer(claim: Claim) -> Outcome:
        if not isinstance(claim.request, CalibrateRequest):
            return bench.answer(claim)
        frames = claim.request.frames
        sound = [frame.id for frame in frames if frame.id != spoilt]
        whole = replace(result_of(frames[0].facts, 19.0), mode="stack",
                        exptime_s=60.0 * len(sound)) if faint else None
        return Done(value=SeriesCalibrated(stack=whole, stacked=tuple(sound), results=tuple(
            (frame.id, result_of(frame.facts, 19.1)) for frame in frames)))

    def stacks() -> list[Result]:
        return rows(bench.database, Result, Result.mode == "stack")

    def linked(result: Result) -> set[int]:
        return {row.frame_id for row in rows(bench.database, ResultFrame,
                                             ResultFrame.result == result.id)}

    bench.drop("bias-1.fit", "bias-2.fit", "bias-3.fit", "flat-R-1.fit", "flat-R-2.fit",
               "flat-R-3.fit", "science-R-4.fit", "science-R-5.fit")
    bench.work(answer)
    (before,) = stacks()
    assert before.frames == ["science-R-4.fit", "science-R-5.fit"]
    bench.drop("science-R-6.fit")
    bench.work(answer)
    (after,) = stacks()
    assert after.id == before.id
    assert after.exptime_s == 180.0
    assert after.frames == ["science-R-4.fit", "science-R-5.fit", "science-R-6.fit"]
    four, five, six = (bench.frame(f"science-R-{n}.fit").id for n in (4, 5, 6))
    assert linked(after) == {four, five, six}
    assert len(rows(bench.database, Result)) == 4
    # One more frame is no news by itself.
    assert rows(bench.database, ResultHistory, ResultHistory.result == after.id) == []
    faint = False
    bench.drop("science-R-7.fit")
    bench.work(answer)
    (gone,) = stacks()
    assert gone.withdrawn
    assert gone.flags & Flag.WITHDRAWN
    faint = True
    bench.drop("science-R-8.fit")
    bench.work(answer)
    (back,) = stacks()
    assert (back.id, back.withdrawn, back.flags & Flag.WITHDRAWN) == (before.id, False, 0)
    spoilt = five  # the stack rests on it no more
    bench.drop("science-R-9.fit")
    bench.work(answer)
    (sound,) = stacks()
    assert sound.frames == [f"science-R-{n}.fit" for n in (4, 6, 7, 8, 9)]
    assert len(linked(sound)) == 5
    assert five not in linked(sound)
