"""Polarimetry groups form as frames come, in any order, and sub-frames wait for their field."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.ledger.ledger import FoundFile
from iop4d.ledger.plan import Claim
from iop4d.model.messages import (
    Classified,
    Done,
    Failed,
    Outcome,
    PolarimetryRequest,
    Reduced,
    ReduceRequest,
)
from iop4d.model.states import FrameState
from iop4d.store import groups as group_store
from iop4d.store import jobs, reference_frames
from iop4d.store.database import Connection, Database
from iop4d.store.flagging import set_flag
from iop4d.store.schema import Frame, FrameStars, Group, Result
from tests.conftest import FakeClock, work_off
from tests.ledger.group_bench import ANGLES, FIRST, SECOND, Bench
from tests.support.rows import first, rows


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


def test_a_whole_group_is_computed_at_once(bench: Bench) -> None:
    bench.drop(*FIRST[:3])
    for _ in range(6):
        for claim in bench.ledger.claim(1):
            bench.ledger.finish(claim, bench.answer(claim))
    assert bench.results() == []
    bench.drop(FIRST[3])
    before = bench.clock()
    for _ in range(3):
        for claim in bench.ledger.claim(1):
            bench.ledger.finish(claim, bench.answer(claim))
    assert bench.clock() == before
    assert bench.results() == [(FIRST, 0.04)]
    assert first(bench.database, Group).state == "complete"


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_arrival_ends_in_the_same_results(bench: Bench, seed: int) -> None:
    frames = [*FIRST, *SECOND]
    order = next(iter(itertools.islice(itertools.permutations(frames), seed * 397, None, 397)))
    for name in order:
        bench.drop(name)
        bench.work()
    assert bench.groups() == [FIRST, SECOND]
    assert bench.results() == [(FIRST, 0.04), (SECOND, 0.03)]


def test_frames_that_come_together_end_the_same(bench: Bench) -> None:
    bench.drop(*SECOND, *FIRST)
    bench.work()
    assert bench.results() == [(FIRST, 0.04), (SECOND, 0.03)]


def test_a_late_frame_reopens_its_group_and_the_result_keeps_its_identity(bench: Bench) -> None:
    bench.drop(*FIRST[:2], FIRST[3], *SECOND)
    bench.work()
    (early, _) = bench.selected()
    assert (early.p, early.frames) == (0.03, [*FIRST[:2], FIRST[3]])
    with bench.database.write() as tx:
        set_flag(tx, [early.id], "trailed", note="", by="Ana", now=1.0)
    bench.drop(FIRST[2])
    bench.work()
    again = first(bench.database, Result, Result.id == early.id)
    assert (again.p, again.frames, again.revision) == (0.04, list(FIRST), 2)
    assert again.human_flags[0]["name"] == "trailed"


def test_too_few_positions_give_no_result_and_say_so(bench: Bench) -> None:
    bench.drop(*FIRST[:2])
    bench.work()
    assert bench.results() == []
    group = first(bench.database, Group)
    assert (group.state, group.reason) == ("short", "BL Lac: measured at 2 positions")


def test_a_group_whose_frames_go_elsewhere_is_withdrawn_and_not_deleted(bench: Bench) -> None:
    """Without its first frame the angles of a group seem to begin in the middle."""
    bench.drop("p22.5-1.fits", "p45-2.fits", "p67.5-3.fits", "p0-4.fits", "p22.5-5.fits",
               "p45-6.fits")
    bench.work()
    assert bench.results() == [(("p22.5-1.fits", "p45-2.fits", "p67.5-3.fits", "p0-4.fits"), 0.04)]
    bench.drop("p0-0.fits", "p67.5-7.fits")
    bench.work()
    assert bench.results() == [
        (FIRST, 0.04), (("p0-4.fits", "p22.5-5.fits", "p45-6.fits", "p67.5-7.fits"), 0.04)]


def test_a_frame_that_changes_its_group_is_never_in_two_results(bench: Bench) -> None:
    """The group that it left is open again and computed later: till then its result rests on it."""
    bench.drop("p0-0.fits", "p22.5-1.fits",
               "p67.5-18.fits", "p0-19.fits", "p22.5-20.fits", "p45-21.fits")
    bench.work()
    whole = ("p67.5-18.fits", "p0-19.fits", "p22.5-20.fits", "p45-21.fits")
    assert bench.results() == [(whole, 0.04)]
    bench.drop("p45-7.fits")  # bridges the pause, and takes the first frame of the second group
    seen = []
    for _ in range(40):
        for claim in bench.ledger.claim(1):
            bench.ledger.finish(claim, bench.answer(claim))
        if (counted := bench.results()) not in seen:
            seen.append(counted)
        bench.clock.advance(0.2)
    early = ("p0-0.fits", "p22.5-1.fits", "p45-7.fits", "p67.5-18.fits")
    assert seen == [[(whole, 0.04)], [(early, 0.04)], [(early, 0.04), (whole[1:], 0.03)]]
    assert len(rows(bench.database, Result)) == 2


def test_a_group_that_loses_all_frames_while_it_is_computed_has_no_result(bench: Bench) -> None:
    ids = bench.drop(*FIRST)
    while bench.states() != {"done"}:
        for claim in bench.ledger.claim(1):
            bench.ledger.finish(claim, bench.answer(claim))
    (computed,) = bench.ledger.claim(1)
    assert isinstance(computed.request, PolarimetryRequest)
    bench.ledger.redo(ids)
    for claim in bench.ledger.claim(4):
        outcome = bench.answer(claim)
        assert isinstance(outcome, Done)
        assert isinstance(outcome.value, Reduced)
        bench.ledger.finish(claim, Done(value=replace(outcome.value, target="3C 66A")))
    bench.ledger.finish(computed, bench.answer(computed))
    bench.work()
    assert [(group.source, group.state) for group in rows(bench.database, Group)] == [
        ("BL Lac", "dissolved"), ("3C 66A", "complete")]
    assert [row.frames for row in bench.selected()] == [list(FIRST)]


def test_a_group_whose_computation_fails_is_shown_with_its_reason(bench: Bench) -> None:
    bench.drop(*FIRST[:3])
    work_off(bench.ledger, bench.clock, lambda claim: Failed(
        stage="polarise", reason="no zero angle") if isinstance(
            claim.request, PolarimetryRequest) else bench.answer(claim))
    with bench.database.read() as db:
        (shown,) = group_store.without_polarisation(db)
    assert (shown.state, shown.reason) == ("short", "polarise: no zero angle")


def test_a_frame_that_fails_when_done_again_leaves_its_group(bench: Bench) -> None:
    ids = bench.drop(*FIRST)
    bench.work()
    bench.failing = {FIRST[1]}
    bench.ledger.redo([ids[1]])
    bench.work()
    assert bench.results() == [((FIRST[0], *FIRST[2:]), 0.03)]
    bench.failing = set()
    bench.ledger.redo([ids[1]])
    bench.work()
    assert bench.results() == [(FIRST, 0.04)]
    assert len(rows(bench.database, Result)) == 1


def _rewrite(bench: Bench, name: str) -> None:
    """Other contents at the same path: a new version."""
    path = bench.site.root / "raw" / name
    path.write_text("rewritten", encoding="utf-8")
    info = path.stat()
    bench.ledger.accept([FoundFile(archive="raw", path=path, size=info.st_size,
                                   mtime_ns=info.st_mtime_ns, completed_at=bench.clock())])
    bench.work()


def test_a_group_goes_on_without_a_file_whose_new_version_fails(bench: Bench) -> None:
    bench.drop(*FIRST)
    bench.work()
    bench.failing = {FIRST[1]}
    _rewrite(bench, FIRST[1])
    assert [row.state for row in rows(bench.database, Frame) if row.name == FIRST[1]] == [
        "superseded", "failed"]
    assert bench.results() == [((FIRST[0], *FIRST[2:]), 0.03)]
    bench.failing = {FIRST[1], FIRST[2]}
    _rewrite(bench, FIRST[2])
    assert bench.results() == []
    bench.failing = set()
    bench.ledger.redo([row.id for row in rows(bench.database, Frame) if row.state == "failed"])
    bench.work()
    assert bench.results() == [(FIRST, 0.04)]
    assert len(rows(bench.database, Result)) == 1


def test_a_group_of_one_frame_less_whose_new_version_waits_for_its_field(bench: Bench) -> None:
    bench.drop("whole-9.fits", *(name.replace("p", "s", 1) for name in FIRST))
    bench.work()
    assert [len(names) for names, _ in bench.results()] == [4]
    with bench.database.write() as tx:  # the field's frame is of no use any more
        tx.update(Frame, state=FrameState.FAILED).where(Frame.name == "whole-9.fits").execute()
    _rewrite(bench, "s0-0.fits")
    assert bench.frame("s0-0.fits").state == "superseded"
    assert [len(names) for names, _ in bench.results()] == [3]


def test_a_new_version_of_another_target_leaves_the_group_of_the_old_one(
        bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.drop(*FIRST)
    bench.work()
    whole = bench.reduce

    def elsewhere(request: ReduceRequest) -> Outcome:
        outcome = whole(request)
        assert isinstance(outcome, Done)
        assert isinstance(outcome.value, Reduced)
        return Done(value=replace(outcome.value, target="3C 66A"))

    monkeypatch.setattr(bench, "reduce", elsewhere)
    _rewrite(bench, FIRST[3])
    assert bench.results() == [(FIRST[:3], 0.03)]


def test_many_frames_that_wait_do_not_hide_the_master_they_wait_for(bench: Bench) -> None:
    """What is asked for by hand is more urgent than anything, but cannot begin."""
    bench.drop(*(f"s{ANGLES[n % 4]:g}-{n}.fits" for n in range(60)))
    bench.work()
    assert bench.states() == {FrameState.WAITING}
    ids = [row.id for row in rows(bench.database, Frame)]
    bench.ledger.redo(ids)
    bench.drop("whole-99.fits")
    bench.work()
    assert bench.states() == {FrameState.DONE}


def test_a_night_done_again_ends_the_same(bench: Bench) -> None:
    ids = bench.drop(*FIRST, *SECOND)
    bench.work()
    before = [(row.id, row.p, row.frames, row.revision) for row in bench.selected()]
    assert bench.ledger.redo(ids) == ids
    bench.work()
    assert before == [(row.id, row.p, row.frames, row.revision) for row in bench.selected()]


def test_sub_frames_wait_for_a_whole_frame_and_then_follow(bench: Bench) -> None:
    names = tuple(name.replace("p", "s", 1) for name in FIRST)
    bench.drop(*names)
    bench.work()
    assert bench.states() == {FrameState.WAITING}
    assert "waits for a whole frame" in first(bench.database, Frame).reason
    bench.drop("whole-9.fits")
    bench.work()
    assert bench.states() == {FrameState.DONE}
    assert bench.results() == [(names, 0.04)]


def test_a_whole_frame_that_is_solved_meanwhile_is_not_missed(bench: Bench) -> None:
    """Two workers: one looks at a sub-frame without a reference while the other solves one."""
    bench.drop("s0-1.fits")
    (classify,) = bench.ledger.claim(1)
    bench.ledger.finish(classify, bench.answer(classify))
    (sub,) = bench.ledger.claim(1)
    bench.drop("whole-2.fits")
    for _ in range(2):
        (claim,) = bench.ledger.claim(1)
        bench.ledger.finish(claim, bench.answer(claim))
    bench.ledger.finish(sub, bench.answer(sub))
    bench.work()
    assert bench.states() == {FrameState.DONE}


def test_sub_frames_are_placed_anew_by_a_nearer_whole_frame(bench: Bench) -> None:
    bench.drop("whole-90.fits", "s0-1.fits")
    bench.work()
    far = bench.frame("s0-1.fits").reference_id
    bench.drop("whole-2.fits")
    bench.work()
    near = bench.frame("s0-1.fits").reference_id
    assert far == bench.frame("whole-90.fits").id
    assert near == bench.frame("whole-2.fits").id


@pytest.mark.parametrize("first", [True, False])
def test_a_frame_that_the_index_does_not_solve_is_placed_by_another_of_its_field(
        bench: Bench, first: bool) -> None:
    bench.cloudy = {"whole-3.fits"}
    names = ["whole-3.fits", "whole-9.fits"]
    for name in names if first else names[::-1]:
        bench.drop(name)
        bench.work()
    cloudy = bench.frame("whole-3.fits")
    assert cloudy.state == FrameState.DONE
    assert cloudy.reference_id == bench.frame("whole-9.fits").id


def test_others_are_looked_at_again_by_a_frame_with_a_star_list_alone(
        bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look reads all frames of the object and night, of which a night may have a thousand."""
    asked: list[str] = []
    served_by = reference_frames.served_by

    def noted(db: Connection, frame: Frame) -> list[Frame]:
        asked.append(frame.name)
        return served_by(db, frame)

    monkeypatch.setattr(reference_frames, "served_by", noted)
    bench.beams = 1
    bench.drop("whole-1.fits", "whole-2.fits", "whole-3.fits")
    bench.work()
    with bench.database.read() as db:
        lists = [row.frame_id for row in db.select(FrameStars) if row.stars]
    assert [bench.frame(name).id for name in asked] == lists
    assert len(lists) == 1
    with bench.database.write() as tx:
        jobs.queue(tx, jobs.JobKind.REDUCE, lists[0], priority=0, now=bench.clock())
    bench.work()
    assert asked == 2 * asked[:1]


def test_a_frame_that_no_other_one_places_fails_with_the_reason(bench: Bench) -> None:
    bench.cloudy = {"whole-3.fits", "whole-9.fits"}
    bench.drop("whole-3.fits", "whole-9.fits")
    assert len([label for label in bench.work() if label.startswith("reduce")]) == 2
    assert {(row.state, row.reason) for row in rows(bench.database, Frame)} == {
        (FrameState.FAILED, "solve: 7 stars detected")}


def test_exposures_of_another_length_are_another_group(bench: Bench,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    def longer(claim: Claim) -> Outcome:
        outcome = bench_answer(claim)
        if isinstance(outcome, Done) and isinstance(outcome.value, Classified) \
                and outcome.value.facts.polariser_deg == 45.0:
            facts = replace(outcome.value.facts, exptime_s=60.0)
            return replace(outcome, value=replace(outcome.value, facts=facts))
        return outcome

    bench_answer = bench.answer
    monkeypatch.setattr(bench, "answer", longer)
    bench.drop(*FIRST)
    bench.work()
    assert bench.groups() == [(FIRST[0], FIRST[1], FIRST[3]), (FIRST[2],)]


