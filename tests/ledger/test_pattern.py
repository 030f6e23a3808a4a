"""A camera without darks and flats: its frames show its hot pixels, and are then reduced again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.plan import Claim
from iop4d.model.frame import Detector, FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    MasterRequest,
    Outcome,
    Reduced,
    ReduceRequest,
)
from iop4d.store import frames, masters
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Master
from tests.conftest import FakeClock
from tests.ledger.one_camera import Bench, facts_of
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


def answer(bench: Bench, claim: Claim, step: float, settings: str = "") -> Outcome:
    """``step``: pixels by which the telescope moves from frame to frame."""
    outcome = bench.answer(claim)
    assert isinstance(outcome, Done)
    if isinstance(claim.request, ClassifyRequest):
        assert isinstance(outcome.value, Classified)
        facts = replace(facts_of(claim.request.path.name), telescope="Test", instrument="Bare",
                        binning=1, detector=Detector(settings=settings))
        return Done(value=replace(outcome.value, facts=facts))
    if isinstance(claim.request, ReduceRequest):
        assert isinstance(outcome.value, Reduced)
        number = int(claim.request.path.stem.rsplit("-", 1)[-1])
        return Done(value=replace(outcome.value, fwhm_px=2.0, fwhm_arcsec=2.0, wcs={
            "CRVAL1": 30.0, "CRVAL2": 40.0 + number * step * SCALE, "CRPIX1": 1.0, "CRPIX2": 1.0,
            "CD1_1": -SCALE, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": SCALE}))
    return outcome


def run(bench: Bench, count: int, step: float, *, first: int = 0,
        settings: str = "") -> list[MasterRequest]:
    asked: list[MasterRequest] = []

    def answering(claim: Claim) -> Outcome:
        if isinstance(claim.request, MasterRequest):
            asked.append(claim.request)
        return answer(bench, claim, step, settings)

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
    found = rows(bench.database, Frame)
    assert {frame.state for frame in found} == {"done"}
    assert {tuple(map(tuple, frame.masters)) for frame in found} == {((master.id, 1),)}


def test_frames_of_one_field_make_none(bench: Bench) -> None:
    assert run(bench, 48, 0.1) == []
    assert rows(bench.database, Master) == []


def test_a_rejected_pattern_is_used_no_more(
        bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run(bench, 36, 30.0)
    (master,) = rows(bench.database, Master)
    bench.ledger.reject([master.id], "stars in it")
    bench.work(lambda claim: answer(bench, claim, 30.0))
    assert {tuple(frame.masters) for frame in rows(bench.database, Frame)} == {()}
    monkeypatch.setattr(masters, "fields_apart", None)  # nor are the fields looked at
    assert run(bench, 24, 30.0, first=36) == []  # nor is it built again for more frames


def test_frames_that_are_reduced_again_are_not_looked_at_again(
        bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run(bench, 12, 0.1)
    monkeypatch.setattr(masters, "fields_apart", None)
    bench.ledger.redo([frame.id for frame in rows(bench.database, Frame)])
    bench.work(lambda claim: answer(bench, claim, 0.1))
    assert {frame.state for frame in rows(bench.database, Frame)} == {"done"}


def test_a_pointing_that_jitters_over_any_border_is_one_field(bench: Bench) -> None:
    """By a few pixels, near RA 0, far from the equator: three frames of it count, and three of a
    field 30 pixels away."""
    run(bench, 24, 0.0)
    for n, frame in enumerate(rows(bench.database, Frame)):
        jitter, away = (4.0 * (n % 3 - 1) + 0.1, 6.0 * (n % 2)), 30.0 * (n >= 12)
        wcs = {**frame.info["wcs"], "CRVAL1": (jitter[0] * SCALE / 0.5) % 360.0,
               "CRVAL2": 60.0 + (jitter[1] + away) * SCALE, "CRPIX1": 500.0, "CRPIX2": 500.0}
        update(bench.database, Frame, Frame.id == frame.id, info={**frame.info, "wcs": wcs})
    with bench.database.read() as db:
        facts = frames.facts_of(rows(bench.database, Frame)[0])
        assert masters.fields_apart(db, facts, 24) == [1, 2, 3, 13, 14, 15]
        assert masters.fields_apart(db, facts, 4) == [1, 2, 3, 13]
        assert masters.fields_apart(db, replace(facts, shape=(512, 512)), 24) == []


def test_a_camera_with_settings_has_a_pattern_of_each(bench: Bench) -> None:
    (request,) = run(bench, 36, 30.0, settings="GAIN=120,OFFSET=10")
    assert request.facts.detector.settings == "GAIN=120,OFFSET=10"
    assert len(request.inputs) >= 24


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
    described = CAMERA.replace("[]", '["flat"]\nkind_card = "IMAGETYP"')
    cameras = parse_site(described, root=site.root).camera
    assert run(Bench(replace(site, camera=cameras), database, clock), 36, 30.0) == []
