"""A camera without darks and flats: its frames show its hot pixels, and are then reduced again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.plan import Claim
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    MasterRequest,
    Outcome,
    Reduced,
    ReduceRequest,
)
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Master
from tests.conftest import FakeClock
from tests.ledger.test_ledger import Bench, facts_of
from tests.support.rows import rows, update

CAMERA = """
[[camera]]
name = "Bare"
telescope = "Test"
identify = { INSTRUME = "Bare" }
pixel_scale = 1.0
masters = []
"""
SCALE = 1.0 / 3600.0  # degrees a pixel


@pytest.fixture
def bench(site: Site, database: Database, clock: FakeClock) -> Bench:
    cameras = parse_site(CAMERA, root=site.root).camera
    return Bench(replace(site, camera=cameras), database, clock)


def answer(bench: Bench, claim: Claim, step: float) -> Outcome:
    """``step``: pixels by which the telescope moves from frame to frame."""
    outcome = bench.answer(claim)
    assert isinstance(outcome, Done)
    if isinstance(claim.request, ClassifyRequest):
        assert isinstance(outcome.value, Classified)
        facts = replace(facts_of(claim.request.path.name), telescope="Test", instrument="Bare",
                        binning=1)
        return Done(value=replace(outcome.value, facts=facts))
    if isinstance(claim.request, ReduceRequest):
        assert isinstance(outcome.value, Reduced)
        number = int(claim.request.path.stem.rsplit("-", 1)[-1])
        return Done(value=replace(outcome.value, fwhm_px=2.0, fwhm_arcsec=2.0, wcs={
            "CRVAL1": 30.0, "CRVAL2": 40.0 + number * step * SCALE, "CRPIX1": 1.0, "CRPIX2": 1.0,
            "CD1_1": -SCALE, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": SCALE}))
    return outcome


def run(bench: Bench, count: int, step: float, *, first: int = 0) -> list[MasterRequest]:
    asked: list[MasterRequest] = []

    def answering(claim: Claim) -> Outcome:
        if isinstance(claim.request, MasterRequest):
            asked.append(claim.request)
        return answer(bench, claim, step)

    bench.drop(*(f"science-R-{n}.fit" for n in range(first, first + count)))
    bench.work(answering)
    return asked


def test_a_pattern_is_made_of_fields_apart_once_and_all_frames_are_reduced_with_it(
        bench: Bench) -> None:
    (request,) = run(bench, 60, 10.0)
    assert request.kind is FrameKind.PATTERN
    assert len(request.inputs) >= 24
    (master,) = rows(bench.database, Master)
    assert (master.kind, master.state, master.band) == ("pattern", "ready", None)
    frames = rows(bench.database, Frame)
    assert {frame.state for frame in frames} == {"done"}
    assert {tuple(map(tuple, frame.masters)) for frame in frames} == {((master.id, 1),)}


def test_frames_of_one_field_make_none(bench: Bench) -> None:
    assert run(bench, 48, 0.1) == []
    assert rows(bench.database, Master) == []


def test_a_rejected_pattern_is_used_no_more(bench: Bench) -> None:
    run(bench, 36, 30.0)
    (master,) = rows(bench.database, Master)
    bench.ledger.reject([master.id], "stars in it")
    bench.work(lambda claim: answer(bench, claim, 30.0))
    assert {tuple(frame.masters) for frame in rows(bench.database, Frame)} == {()}
    assert run(bench, 24, 30.0, first=36) == []  # nor is it built anew for more frames


def test_frames_whose_width_was_not_kept_count_too(bench: Bench) -> None:
    """Of the scale nothing but the astrometric solution tells."""
    run(bench, 12, 30.0)
    for frame in rows(bench.database, Frame):
        info = {**frame.info, "fwhm_px": None, "fwhm_arcsec": None}
        update(bench.database, Frame, Frame.id == frame.id, info=info)
    (request,) = run(bench, 24, 30.0, first=12)
    assert len(request.inputs) >= 24


def test_a_camera_with_flats_has_none(bench: Bench, site: Site, database: Database,
                                      clock: FakeClock) -> None:
    cameras = parse_site(CAMERA.replace("[]", '["flat"]'), root=site.root).camera
    assert run(Bench(replace(site, camera=cameras), database, clock), 36, 30.0) == []
