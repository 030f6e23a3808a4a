"""The ledger: every outcome is one transaction, and the same rows follow in any order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.ledger import FoundFile
from iop4d.ledger.plan import Claim
from iop4d.model.messages import (
    Classified,
    Crashed,
    Done,
    Failed,
    MasterBuilt,
    MasterRequest,
    Outcome,
    ReduceRequest,
    Rejected,
    TimedOut,
)
from iop4d.model.states import FrameState
from iop4d.store.database import Database
from iop4d.store.schema import Event, Job, Master, Result, ResultHistory
from tests.conftest import FakeClock, LedgerAlone
from tests.ledger.one_camera import CALIBRATION, Bench
from tests.support.rows import first, rows, update


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    return Bench(site, database, clock)


def test_a_night_becomes_masters_and_results(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    done = bench.work()
    assert bench.state("science-R-7.fit") == FrameState.DONE
    assert [label for label in done if label.startswith(("master", "reduce"))] == [
        "master OSN-T090/AndorT90/2022-09-08/bias/2x1024x1024/-",
        "master OSN-T090/AndorT90/2022-09-08/flat/2x1024x1024/R", "reduce science-R-7.fit"]
    assert bench.result().mag == 14.0
    assert bench.told == [bench.result().id]
    assert not bench.frame("science-R-7.fit").provisional


def test_any_order_of_arrival_ends_the_same(bench: Bench) -> None:
    bench.drop("science-R-7.fit")
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.WAITING
    assert "bias" in bench.frame("science-R-7.fit").reason
    for name in reversed(CALIBRATION):
        bench.drop(name)
        bench.work(lambda claim: Rejected(reason="too few") if isinstance(
            claim.request, MasterRequest) and len(claim.request.inputs) < 3
            else bench.answer(claim))
    assert bench.state("science-R-7.fit") == FrameState.DONE
    assert {bench.state(name) for name in CALIBRATION} == {FrameState.DONE}


def test_a_master_of_another_night_serves_until_there_is_one(bench: Bench) -> None:
    bench.drop(*(f"old-{name}".replace("old-bias", "bias-old").replace("old-flat-R", "flat-R-old")
                 for name in CALIBRATION), "science-R-7.fit")
    bench.work()
    frame = bench.frame("science-R-7.fit")
    assert frame.state == FrameState.DONE
    assert frame.provisional
    before = bench.result()
    bench.mag = 14.1
    bench.drop(*CALIBRATION)
    bench.work()
    second = bench.result()
    assert not second.provisional
    assert (second.id, second.mag) == (before.id, 14.1)
    assert second.revision > before.revision
    assert first(bench.database, ResultHistory).was["mag"] == 14.0


def test_doing_a_job_twice_gives_the_same_rows(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    before = [row.__data__ for row in rows(bench.database, Result)]
    bench.drop("science-R-7.fit", wanted=True)
    assert "reduce science-R-7.fit" in bench.work()
    assert [row.__data__ for row in rows(bench.database, Result)] == before
    assert len(bench.frames("science-R-7.fit")) == 1


def test_a_known_file_is_not_taken_twice(bench: Bench) -> None:
    first = bench.drop("science-R-7.fit")
    bench.work()
    path = bench.site.root / "raw" / "science-R-7.fit"
    info = path.stat()
    again = bench.ledger.accept([FoundFile(archive="raw", path=path, size=info.st_size,
                                           mtime_ns=info.st_mtime_ns, completed_at=0.0)])
    assert again == first
    assert bench.work() == []


def test_the_same_file_elsewhere_is_a_duplicate(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    bench.drop("science-R-7.fit", folder="copy", content="science-R-7.fit")
    bench.work()
    one, other = bench.frames("science-R-7.fit")
    assert (one.state, other.state) == (FrameState.DONE, FrameState.DUPLICATE)
    assert str(one.path) in other.reason
    assert len(rows(bench.database, Result)) == 1


def test_a_namesake_with_other_contents_is_a_frame_of_its_own(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.drop("science-R-7.fit", folder="other", content="different")
    bench.work()
    assert len(rows(bench.database, Result)) == 2
    assert {row.identity[-2:] for row in bench.frames("science-R-7.fit")} == {"it", "~2"}


def test_human_flags_survive_a_rerun(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    update(bench.database, Result, human_flags=["bad"])
    bench.mag = 13.0
    bench.drop("science-R-7.fit", wanted=True)
    bench.work()
    assert (bench.result().human_flags, bench.result().mag) == (["bad"], 13.0)


@pytest.mark.parametrize(("outcome", "expected", "words"), [
    (Rejected(reason="is truncated"), FrameState.REJECTED, "is truncated"),
    (Failed(stage="solve", reason="no match", trace="..."), FrameState.FAILED, "solve: no match")])
def test_a_bad_frame_keeps_its_reason(bench: Bench, outcome: Outcome, expected: FrameState,
                                      words: str) -> None:
    bench.drop("science-R-7.fit")
    bench.work(lambda _: outcome)
    assert bench.state("science-R-7.fit") == expected
    assert words in bench.frame("science-R-7.fit").reason


@pytest.mark.parametrize("outcome", [Crashed(how="killed by SIGSEGV"), TimedOut(seconds=120)])
def test_a_poison_frame_is_quarantined_after_two_attempts(bench: Bench, outcome: Outcome) -> None:
    bench.drop("science-R-7.fit", "bias-1.fit")
    done = bench.work(lambda claim: outcome if "science" in claim.label else bench.answer(claim))
    assert done.count("classify science-R-7.fit") == 2
    assert bench.state("science-R-7.fit") == FrameState.QUARANTINED
    row = bench.frame("science-R-7.fit")
    assert "quarantined after 2 failed attempts" in row.reason


def test_a_file_that_was_still_written_is_looked_at_again(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    answers = iter([Failed(stage="changed", reason="the file changed while it was read")])
    bench.work(lambda claim: next(answers, None) or bench.answer(claim)
               if claim.label == "classify science-R-7.fit" else bench.answer(claim))
    assert bench.state("science-R-7.fit") == FrameState.DONE


def test_a_truncated_file_that_grows_is_taken_again_under_the_same_row(bench: Bench) -> None:
    bench.drop(*CALIBRATION)
    first = bench.drop("science-R-7.fit", content="half")
    bench.work(lambda claim: Rejected(reason="is truncated") if "science" in claim.label
               else bench.answer(claim))
    again = bench.drop("science-R-7.fit", content="the whole of it")
    bench.work()
    assert again == first
    assert bench.state("science-R-7.fit") == FrameState.DONE


def test_work_that_was_running_is_done_after_a_restart(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.ledger.claim(3)  # and then the power fails
    assert bench.ledger.claim(100) != []
    assert len(rows(bench.database, Job, Job.state == "running")) == 7
    assert bench.ledger.recover() == 7
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.DONE


def test_a_transaction_that_fails_leaves_nothing(bench: Bench) -> None:
    def burst(_: list[int]) -> None:
        raise RuntimeError("power failure")

    bench.drop("science-R-7.fit", *CALIBRATION)
    broken = LedgerAlone(database=bench.ledger.database, site=bench.site, clock=bench.clock,
                    on_results=burst, instruments={i.name: i for i in find_instruments()})
    bench.ledger, whole = broken, bench.ledger
    with pytest.raises(RuntimeError):
        bench.work()
    bench.ledger = whole
    assert rows(bench.database, Result) == []
    assert bench.state("science-R-7.fit") == FrameState.QUEUED
    bench.ledger.recover()
    bench.work()
    assert len(rows(bench.database, Result)) == 1


def test_what_is_wanted_goes_before_what_lies_there(bench: Bench) -> None:
    bench.drop(*CALIBRATION)
    bench.work()
    bench.drop("science-R-7.fit", "science-R-8.fit")
    bench.drop("science-R-9.fit", wanted=True)
    reduces = [label for label in bench.work() if label.startswith("reduce")]
    assert reduces[0] == "reduce science-R-9.fit"


def test_a_frame_of_another_telescope_is_refused(bench: Bench, tmp_path: Path) -> None:
    import dataclasses

    archive = dataclasses.replace(bench.site.archive[0], telescope="OSN-T150")
    bench.site = dataclasses.replace(bench.site, archive=(archive,))
    other = Bench(bench.site, bench.ledger.database, bench.clock)
    other.drop("science-R-7.fit")
    other.work()
    assert bench.state("science-R-7.fit") == FrameState.REJECTED
    assert "OSN-T150" in bench.frame("science-R-7.fit").reason


def test_every_change_of_a_frame_is_an_event(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    ids = [row.id for row in rows(bench.database, Event)]
    assert ids == sorted(set(ids))
    assert len(rows(bench.database, Event, Event.kind == "result")) == 1


def test_results_of_removed_raw_files_stay_when_masters_improve(bench: Bench) -> None:
    bench.drop(*(f"old-{name}".replace("old-bias", "bias-old").replace("old-flat-R", "flat-R-old")
                 for name in CALIBRATION), "science-R-7.fit")
    bench.work()
    path = Path(bench.frame("science-R-7.fit").path)
    content = path.read_text(encoding="utf-8")
    path.unlink()
    bench.mag = 14.1
    bench.drop(*CALIBRATION)
    bench.work()
    frame = bench.frame("science-R-7.fit")
    assert (frame.state, frame.reason) == (
        FrameState.DONE, "the raw file was removed: the results stay as they were")
    bench.ledger.redo([frame.id])
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.DONE
    assert bench.frame("science-R-7.fit").masters == frame.masters
    path.write_text(content, encoding="utf-8")
    bench.ledger.redo([frame.id])
    bench.work()
    again = bench.frame("science-R-7.fit")
    assert (again.state, again.reason) == (FrameState.DONE, "")
    assert again.masters != frame.masters


def test_a_file_whose_disk_is_not_mounted_was_not_removed(bench: Bench) -> None:
    bench.drop("science-R-7.fit", *CALIBRATION)
    bench.work()
    (bench.site.root / "raw").rename(bench.site.root / "unmounted")
    bench.ledger.redo([bench.frame("science-R-7.fit").id])
    bench.work(lambda _: Failed(stage="read", reason="No such file"))
    assert bench.state("science-R-7.fit") == FrameState.FAILED


def test_masters_of_one_kind_never_mix_nights(bench: Bench) -> None:
    bench.drop(*CALIBRATION, "bias-old-1.fit", "bias-old-2.fit", "bias-old-3.fit")
    bench.work()
    assert {(row.night, row.kind, row.n_frames) for row in rows(bench.database, Master)} == {
        ("2022-09-08", "bias", 3), ("2022-09-08", "flat", 3), ("2022-09-01", "bias", 3)}


def _nights(bench: Bench, count: int) -> None:
    """Biases of several nights before, all of one level."""
    for day in range(count):
        bench.drop(*(f"bias-old{day}-{n}.fit" for n in range(3)))
        bench.work(lambda claim, day=day: _of_day(bench, claim, day))


def _of_day(bench: Bench, claim: Claim, day: int) -> Outcome:
    outcome = bench.answer(claim)
    if isinstance(outcome, Done) and isinstance(outcome.value, Classified):
        facts = replace(outcome.value.facts, night=f"2022-09-0{day + 1}")
        return replace(outcome, value=replace(outcome.value, facts=facts))
    return outcome


def test_a_master_of_an_odd_level_is_refused_and_another_night_serves(bench: Bench) -> None:
    _nights(bench, 3)

    def odd(claim: Claim) -> Outcome:
        outcome = bench.answer(claim)
        if isinstance(outcome, Done) and isinstance(outcome.value, MasterBuilt) \
                and outcome.value.used[0].startswith("bias"):
            return replace(outcome, value=replace(outcome.value, level=900.0))
        return outcome

    bench.drop(*CALIBRATION, "science-R-7.fit")
    bench.work(odd)
    refused = first(bench.database, Master, Master.kind == "bias",
                    Master.night == "2022-09-08")
    assert refused.state == "refused"
    assert "level 900 deviates from the median 300 of 3 other nights" in refused.reason
    frame = bench.frame("science-R-7.fit")
    assert frame.state == FrameState.DONE
    assert frame.provisional
    bench.ledger.restore([refused.id])
    bench.work(odd)
    assert [refused.id, 1] in bench.frame("science-R-7.fit").masters


def test_what_used_a_master_that_is_set_aside_follows(bench: Bench) -> None:
    _nights(bench, 1)
    bench.drop(*CALIBRATION, "science-R-7.fit")
    bench.work()
    frame = bench.frame("science-R-7.fit")
    bias = first(bench.database, Master, Master.kind == "bias", Master.night == "2022-09-08")
    assert [bias.id, 1] in frame.masters
    assert bench.ledger.reject([bias.id], "light leak") == [bias.id]
    bench.work()
    (after,) = bench.frames("science-R-7.fit")
    assert [bias.id, 1] not in after.masters
    assert after.provisional
    bias = first(bench.database, Master, Master.id == bias.id)
    assert (bias.state, bias.reason) == ("rejected", "light leak")


def test_the_age_of_a_master_counts_in_both_directions(bench: Bench) -> None:
    """One of a later night within the limit serves; one older than the limit does not."""
    bench.drop(*(f"bias-old{n}-{n}.fit" for n in range(3)))
    bench.work(lambda claim: _of_night(bench, claim, "2022-10-01"))
    bench.drop("flat-R-4.fit", "flat-R-5.fit", "flat-R-6.fit", "science-R-7.fit")
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.DONE
    other = bench.frame("science-R-7.fit")
    assert other.provisional


def test_a_master_too_far_away_in_time_does_not_serve(bench: Bench) -> None:
    bench.drop(*(f"bias-old{n}-{n}.fit" for n in range(3)))
    bench.work(lambda claim: _of_night(bench, claim, "2022-07-01"))
    bench.drop("flat-R-4.fit", "flat-R-5.fit", "flat-R-6.fit", "science-R-7.fit")
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.WAITING


def _of_night(bench: Bench, claim: Claim, night: str) -> Outcome:
    outcome = bench.answer(claim)
    if isinstance(outcome, Done) and isinstance(outcome.value, Classified):
        return replace(outcome, value=replace(
            outcome.value, facts=replace(outcome.value.facts, night=night)))
    return outcome


def test_many_frames_asked_for_by_hand_do_not_hide_their_masters(bench: Bench) -> None:
    """They are the most urgent of all, cannot begin without masters, and are looked at again soon:
    the clock stands still, so that all of them are due again and again."""
    bench.drop(*CALIBRATION, *(f"science-R-{n}.fit" for n in range(10, 90)), wanted=True)
    begun = []
    for _ in range(400):
        claims = bench.ledger.claim(1)
        if not claims:
            bench.clock.now += 0.01
        for claim in claims:
            begun.append(claim.label)
            bench.ledger.finish(claim, bench.answer(claim))
    assert sum(label.startswith("master") for label in begun) == 2
    assert len(rows(bench.database, Result)) == 80


def test_a_frame_that_is_classified_again_keeps_what_was_found_of_it(bench: Bench) -> None:
    bench.drop(*CALIBRATION, "science-R-4.fit")
    bench.work()
    before = bench.frame("science-R-4.fit").info
    bench.clock.now += 1000.0
    bench.drop("science-R-4.fit", wanted=True)
    bench.work(lambda claim: Failed(stage="solve", reason="too few stars") if isinstance(
        claim.request, ReduceRequest) else bench.answer(claim))
    failed = bench.frame("science-R-4.fit")
    assert failed.state == "failed"
    assert failed.info == before
    bench.ledger.redo([failed.id])
    bench.work()
    assert bench.frame("science-R-4.fit").info["latency_s"] == before["latency_s"]


def test_what_never_had_a_result_is_late_from_when_it_was_asked_for_again(bench: Bench) -> None:
    bench.drop(*CALIBRATION, "science-R-4.fit")
    bench.work(lambda claim: Failed(stage="solve", reason="too few stars") if isinstance(
        claim.request, ReduceRequest) else bench.answer(claim))
    bench.clock.now += 86400.0
    bench.ledger.redo([bench.frame("science-R-4.fit").id])
    bench.work()
    assert bench.frame("science-R-4.fit").info["latency_s"] < 60.0
