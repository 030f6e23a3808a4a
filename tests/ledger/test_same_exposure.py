"""One exposure is one result, whatever its files are called; and each frame has its own product."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.plan import Claim, product_stem
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    Outcome,
    ReduceRequest,
    Rejected,
)
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Result
from tests.conftest import FakeClock
from tests.ledger.test_ledger import CALIBRATION, Bench, facts_of, reduced
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
            return Done(value=replace(reduced(request, 14.0)))
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
        "a.fit": ("the exposure of b.fit and 1 more began 70 s after its own, which took 60000 s",),
        "b.fit": (), "c.fit": ()}


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
