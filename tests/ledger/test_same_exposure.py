"""One exposure is one result, whatever its files are called; and each frame has its own product."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.plan import Claim, product_stem
from iop4d.model.flags import Flag
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Crashed,
    Done,
    Failed,
    Outcome,
    ReduceRequest,
    Rejected,
)
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Result
from tests.conftest import FakeClock, LedgerAlone
from tests.ledger.one_camera import CALIBRATION, Bench, facts_of, reduced
from tests.support.rows import rows

SAME = "a5" * 32
NEAR = "a4" + "a5" * 31
OTHER = "3c" * 32


class Camera:
    """Answers for files whose pixels and starts are told by name."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.exposures: dict[str, str] = {}
        self.starts: dict[str, int] = {}
        self.exptime_s = 60.0
        self.requests: dict[str, ReduceRequest] = {}
        self.reductions = 0
        bench.drop(*CALIBRATION)
        bench.work()

    def answer(self, claim: Claim) -> Outcome:
        request = claim.request
        if isinstance(request, ClassifyRequest) and request.path.name in self.exposures:
            name = request.path.name
            facts = replace(facts_of("science-R-10.fit"), exptime_s=self.exptime_s)
            facts = replace(facts, jd_start=facts.jd_start + self.starts.get(name, 0) / 86400.0)
            return Done(value=Classified(
                facts=facts, sha256=request.path.read_text(encoding="utf-8"), size=1,
                exposure=self.exposures[name]))
        if isinstance(request, ReduceRequest):
            self.requests[request.path.name] = request
            self.reductions += 1
            return Done(value=replace(reduced(request, 14.0), frame_flags=int(
                Flag.TIME_DOUBTFUL if request.doubts else 0)))
        return self.bench.answer(claim)

    def take(self, **exposures: str) -> None:
        """Files come one after the other; ``__`` in a name is a dot."""
        for key, exposure in exposures.items():
            name = key.replace("__", ".")
            self.exposures[name] = exposure
            self.bench.drop(name)
            self.bench.work(self.answer)

    def states(self) -> dict[str, str]:
        return {row.name: row.state for row in rows(self.bench.database, Frame)
                if row.kind == "science"}


@pytest.fixture
def camera(site: Site, database: Database, clock: FakeClock) -> Camera:
    return Camera(Bench(site, database, clock))


def test_one_exposure_in_several_containers_is_one_result(camera: Camera) -> None:
    camera.take(a__fit=SAME, a__fit__gz=SAME, a__fits__fz=NEAR, a_wcs__fits=SAME)
    assert camera.states() == {"a.fit": "done", "a.fit.gz": "duplicate",
                               "a.fits.fz": "duplicate", "a_wcs.fits": "duplicate"}
    reasons = {row.reason.split(" frame ")[0] for row in rows(camera.bench.database, Frame)
               if row.state == "duplicate"}
    assert reasons == {"the same exposure as"}
    assert len(rows(camera.bench.database, Result)) == 1


def test_what_was_packed_after_it_was_reduced_keeps_its_result(camera: Camera) -> None:
    camera.take(a__fit=SAME)
    before = rows(camera.bench.database, Result)[0]
    Path(camera.bench.frame("a.fit").path).unlink()
    camera.take(a__fit__gz=SAME)
    assert camera.states() == {"a.fit": "superseded", "a.fit.gz": "done"}
    (after,) = rows(camera.bench.database, Result)
    assert (after.id, after.key) == (before.id, before.key)


def test_a_result_is_withdrawn_with_the_file_that_a_failing_new_version_replaced(
        camera: Camera) -> None:
    camera.take(a__fit=SAME, b__fit=OTHER)
    camera.bench.drop("b.fit", content="rewritten")
    camera.bench.work(lambda claim: Failed(stage="solve", reason="no star") if isinstance(
        claim.request, ReduceRequest) else camera.answer(claim))
    withdrawn = {row.frames[0]: row.withdrawn for row in rows(camera.bench.database, Result)}
    assert withdrawn == {"a.fit": False, "b.fit": True}
    camera.bench.ledger.redo([row.id for row in rows(camera.bench.database, Frame)
                              if row.state == "failed"])
    camera.bench.work(camera.answer)
    assert not any(row.withdrawn for row in rows(camera.bench.database, Result))


def test_a_copy_takes_the_place_of_a_first_file_that_was_removed(camera: Camera) -> None:
    camera.take(a__fit=SAME, a__fit__gz=SAME)
    Path(camera.bench.frame("a.fit").path).unlink()
    camera.bench.drop("a.fit.gz")
    camera.bench.work(camera.answer)
    assert camera.states() == {"a.fit": "superseded", "a.fit.gz": "done"}
    assert len(rows(camera.bench.database, Result)) == 1


def test_other_frames_of_the_same_start_are_results_of_doubtful_time(camera: Camera) -> None:
    """The camera's clock stands still."""
    camera.take(a__fit=SAME, b__fit=OTHER)
    assert camera.states() == {"a.fit": "done", "b.fit": "done"}
    assert {name: request.doubts for name, request in camera.requests.items()} == {
        "a.fit": ("the exposure of b.fit began at the same time as its own",),
        "b.fit": ("the exposure of a.fit began at the same time as its own",)}


def test_only_the_exposure_that_is_too_long_is_doubted(camera: Camera) -> None:
    camera.exptime_s = 60000.0
    camera.take(a__fit=SAME)
    camera.exptime_s = 60.0
    camera.starts = {"b.fit": 70, "c.fit": 140}
    camera.take(b__fit=OTHER, c__fit="0f" * 32)
    assert {name: request.doubts for name, request in camera.requests.items()} == {
        "a.fit": ("the exposure of b.fit began 70 s after its own, which took 60000 s",),
        "b.fit": (), "c.fit": ()}


def test_a_night_of_wrong_exposure_times_is_not_reduced_again_with_every_frame(
        camera: Camera) -> None:
    camera.exptime_s = 60000.0
    camera.starts = {f"{n}.fit": 70 * n for n in range(8)}
    for n in range(8):
        camera.take(**{f"{n}__fit": f"{n}" * 64})
    assert [bool(camera.requests[f"{n}.fit"].doubts) for n in range(8)] == [True] * 7 + [False]
    assert camera.reductions == 15  # once each, and once more when the next came


def test_a_frame_whose_workers_die_is_not_begun_again_by_those_that_come_after(
        camera: Camera) -> None:
    """It is quarantined after its second attempt, whatever else is measured in the meantime."""
    camera.exptime_s, camera.starts = 60000.0, {f"{n}.fit": 70 * n for n in range(9)}
    poisoned = 0

    def answer(claim: Claim) -> Outcome:
        nonlocal poisoned
        if isinstance(claim.request, ReduceRequest) and claim.request.path.name == "0.fit":
            poisoned += 1
            return Crashed(how="signal 9")
        return camera.answer(claim)

    for n in range(9):
        camera.exposures[f"{n}.fit"] = f"{n}" * 64
        camera.bench.drop(f"{n}.fit")
        for claim in camera.bench.ledger.claim(9):
            camera.bench.ledger.finish(claim, answer(claim))
        camera.bench.clock.now += 1.0
    camera.bench.work(answer)
    assert (camera.states()["0.fit"], poisoned) == ("quarantined", 2)


def test_a_frame_that_is_being_measured_while_the_next_comes_is_measured_again(
        camera: Camera) -> None:
    camera.exptime_s, camera.starts = 60000.0, {"b.fit": 70}
    camera.exposures = {"a.fit": SAME, "b.fit": OTHER}
    camera.bench.drop("a.fit", "b.fit")
    camera.bench.work(lambda claim: Failed(stage="masters", reason="later") if isinstance(
        claim.request, ReduceRequest) else camera.answer(claim))
    camera.bench.ledger.redo([camera.bench.frame(name).id for name in ("a.fit", "b.fit")])
    both = camera.bench.ledger.claim(2)
    assert {claim.label for claim in both} == {"reduce a.fit", "reduce b.fit"}
    for claim in sorted(both, key=lambda claim: claim.label, reverse=True):  # b ends first
        camera.bench.ledger.finish(claim, camera.answer(claim))
    camera.bench.work(camera.answer)
    assert camera.requests["a.fit"].doubts
    assert not camera.requests["b.fit"].doubts


def test_exposures_that_follow_each_other_are_not_doubted(camera: Camera) -> None:
    """The times of headers may be rounded to the second."""
    camera.starts = {"b.fit": 58, "c.fit": 118}
    camera.take(a__fit=SAME, b__fit=OTHER, c__fit="0f" * 32)
    assert [request.doubts for request in camera.requests.values()] == [(), (), ()]


def test_short_exposures_within_a_second_are_told_by_every_bit(camera: Camera) -> None:
    camera.exptime_s = 0.2
    camera.take(a__fit=SAME, b__fit=NEAR, c__fit=SAME)
    assert camera.states() == {"a.fit": "done", "b.fit": "done", "c.fit": "duplicate"}


def test_each_frame_has_a_product_of_its_own(camera: Camera) -> None:
    camera.starts = {"x.fits": 100, "x.R.fit": 200}
    camera.take(x__fit=SAME, x__fits=OTHER, x__R__fit="0f" * 32)
    paths = [request.reduced_path for request in camera.requests.values()]
    assert [path.name for path in paths if path] == ["x.fits", "x.fits.fits", "x.R.fits"]


@pytest.mark.parametrize(("name", "before", "stem"), [
    ("M13.R.001.fit", [], "M13.R.001"),
    ("a.fits.gz", [], "a"), ("a.FIT", [], "a"), ("a.fits.fz", ["a.fit"], "a.fits.fz"),
    ("a.fit~2", ["a.fit"], "a~2"), ("a", ["a.fit"], "a"), ("fit", [], "fit"),
])
def test_the_name_of_a_product_leaves_the_container_out(name: str, before: list[str],
                                                        stem: str) -> None:
    expected = "a" if (name, before) == ("a", []) else stem
    assert product_stem(name, before) == expected


def test_the_longest_names_have_products_too(tmp_path: Path) -> None:
    names = ["é" * 125 + "1.fit", "é" * 125 + "2.fit"]
    stems = [product_stem(name, []) for name in names]
    assert len(set(stems)) == 2
    for stem in stems:
        (tmp_path / f"{stem}.fits").write_bytes(b"")


def test_frames_of_no_instrument_are_looked_at_again_once_a_camera_is_described(
        site: Site, database: Database, clock: FakeClock) -> None:
    bench = Bench(site, database, clock)
    bench.ledger.recover()
    bench.drop("science-R-1.fit", "science-R-2.fit")
    bench.work(lambda claim: Rejected(
        reason="no known instrument: the header says INSTRUME = 'New'"
        if claim.label.endswith("1.fit") else "is truncated"))
    again = Bench(site, database, clock)
    assert again.ledger.recover() == 0
    described = parse_site(
        '[[archive]]\nname = "raw"\npath = "raw"\n[[camera]]\nname = "New"\ntelescope = "T"\n'
        'identify = { INSTRUME = "New" }\npixel_scale = 1.0\n', root=site.root)
    again = Bench(described, database, clock)
    assert again.ledger.recover() == 1
    assert [again.state(f"science-R-{n}.fit") for n in (1, 2)] == ["queued", "rejected"]
    assert Bench(described, database, clock).ledger.recover() == 0


def test_frames_of_no_instrument_are_looked_at_again_with_a_new_plug_in_or_version(
        site: Site, database: Database, clock: FakeClock) -> None:
    def reject(claim: Claim) -> Outcome:
        return Rejected(reason="no known instrument: the header says INSTRUME = 'New'")

    bench = Bench(site, database, clock)
    bench.drop("science-R-1.fit")
    bench.work(reject)
    assert bench.ledger.recover() == 1  # it was never noted which instruments are known
    bench.work(reject)
    assert bench.ledger.recover() == 0
    known = {tool.name: tool for tool in find_instruments()}
    more = LedgerAlone(database=database, site=site, clock=clock,
                       instruments={**known, "New": next(iter(known.values()))})
    assert more.recover() == 1
