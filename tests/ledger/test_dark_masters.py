"""Darks without a bias serve their own exposure time; masters are of frames of like settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.master_choice import Choice, MasterChoices
from iop4d.ledger.plan import Claim
from iop4d.model.frame import Detector, FrameFacts, FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    MasterRequest,
    Outcome,
    ReduceRequest,
    Rejected,
)
from iop4d.store.database import Connection, Database
from iop4d.store.schema import Master
from tests.conftest import FakeClock, LedgerAlone
from tests.ledger.one_camera import Bench, facts_of
from tests.support.rows import rows


class Camera(Bench):
    """Darks, flats and science frames; names tell the exposure time: ``dark-60s-1.fit``."""

    def __init__(self, site: Site, database: Database, clock: FakeClock,
                 masters: tuple[FrameKind, ...]) -> None:
        super().__init__(site, database, clock)
        instruments = {i.name: i for i in find_instruments()}
        instruments["AndorT90"] = replace(instruments["AndorT90"], masters=masters)
        self.ledger = LedgerAlone(database=database, site=site, clock=clock,
                                  instruments=instruments)
        self.requests: dict[str, ReduceRequest] = {}

    def facts(self, name: str) -> FrameFacts:
        name, _, celsius = name.removesuffix(".fit").partition("@")
        kind, seconds, setting, number = name.split("-")
        band = "-R" if kind in ("flat", "science") else ""
        return replace(facts_of(f"{kind}{band}-{number}.fit"), exptime_s=float(seconds[:-1]),
                       detector=Detector(
                           settings=setting and f"GAIN={setting}",
                           celsius=float(celsius) if celsius else None))

    def answer(self, claim: Claim) -> Outcome:
        request = claim.request
        if isinstance(request, ClassifyRequest):
            return Done(value=Classified(facts=self.facts(request.path.name), size=1,
                                         sha256=request.path.name))
        if isinstance(request, ReduceRequest):
            self.requests[request.path.name] = request
        return super().answer(claim)

    def masters_of(self, name: str) -> set[tuple[str, float, bool]]:
        return {(m.kind.value, m.exptime_s, m.holds_bias) for m in self.requests[name].masters}


def test_without_a_bias_each_exposure_time_has_a_dark_of_its_own(
        site: Site, database: Database, clock: FakeClock) -> None:
    camera = Camera(site, database, clock, (FrameKind.DARK,))
    camera.drop(*(f"dark-{s}s--{n}.fit" for s in (7, 60) for n in range(3)),
                "science-60s--10.fit", "science-120s--11.fit", "science-60.4s--12.fit")
    camera.work()
    assert sorted((m.exptime_s, m.n_frames) for m in rows(database, Master)) == [(7, 3), (60, 3)]
    assert len({m.path for m in rows(database, Master)}) == 2
    assert camera.masters_of("science-60s--10.fit") == {("dark", 60.0, True)}
    assert camera.masters_of("science-60.4s--12.fit") == {("dark", 60.0, True)}
    waiting = camera.frame("science-120s--11.fit")
    assert waiting.state == "waiting"
    assert ("no master dark of 120 s of AndorT90 (2x 1024x1024), which without a bias cannot be "
            "of another exposure time" in waiting.reason)
    camera.drop(*(f"dark-120s--{n}.fit" for n in range(3)))
    camera.work()
    assert camera.state("science-120s--11.fit") == "done"


def test_with_a_bias_all_darks_of_a_night_are_one_master_for_every_exposure_time(
        site: Site, database: Database, clock: FakeClock) -> None:
    camera = Camera(site, database, clock, (FrameKind.BIAS, FrameKind.DARK))
    camera.drop(*(f"bias-0s--{n}.fit" for n in range(3)),
                *(f"dark-{s}s--{n}.fit" for s in (7, 60) for n in range(3)),
                "science-120s--11.fit")
    camera.work()
    assert sorted((m.kind, m.n_frames) for m in rows(database, Master)) == [("bias", 3),
                                                                            ("dark", 6)]
    found = camera.masters_of("science-120s--11.fit")
    assert sorted((kind, holds_bias) for kind, _, holds_bias in found) == [("bias", False),
                                                                           ("dark", False)]


@pytest.mark.parametrize(("setting", "state"), [("120", "done"), ("", "done"),
                                                ("0", "waiting")])
def test_masters_of_another_gain_are_not_used(site: Site, database: Database, clock: FakeClock,
                                              setting: str, state: str) -> None:
    camera = Camera(site, database, clock, (FrameKind.BIAS,))
    camera.drop(*(f"bias-0s-{gain}-{n}.fit" for n, gain in enumerate(["120"] * 3 + ["200"] * 3)),
                f"science-60s-{setting}-9.fit")
    camera.work()
    assert sorted((m.layout, m.n_frames) for m in rows(database, Master)) == [
        ("2x 1024x1024 GAIN=120", 3), ("2x 1024x1024 GAIN=200", 3)]
    assert camera.state(f"science-60s-{setting}-9.fit") == state
    if setting == "120":
        assert "GAIN=120" in camera.requests["science-60s-120-9.fit"].masters[0].path.name


def test_darks_of_another_temperature_are_another_master_and_the_nearest_one_is_used(
        site: Site, database: Database, clock: FakeClock) -> None:
    camera = Camera(site, database, clock, (FrameKind.DARK,))
    camera.drop(*(f"dark-60s--{n}@0.fit" for n in range(3)),
                *(f"dark-60s--{n}@-20.{n}.fit" for n in range(3, 7)),
                "science-60s--10@-19.6.fit", "science-60s--11@-1.fit", "science-60s--12@-40.fit",
                "science-60s--13.fit")
    camera.work()
    assert sorted((m.layout, m.n_frames) for m in rows(database, Master)) == [
        ("2x 1024x1024 T=-20", 4), ("2x 1024x1024 T=0", 3)]
    used = {name[14:]: [m.celsius for m in request.masters]
            for name, request in camera.requests.items()}
    assert (used["0@-19.6.fit"], used["1@-1.fit"], used["2@-40.fit"]) == ([-20.0], [0.0], [-20.0])
    assert len(used["3.fit"]) == 1  # whose temperature no card tells: any
    assert {name[14:]: bool(camera.frame(name).provisional) for name in camera.requests} == {
        "0@-19.6.fit": False, "1@-1.fit": False, "2@-40.fit": True, "3.fit": False}


def test_a_frame_is_reduced_again_when_a_dark_of_its_temperature_comes(
        site: Site, database: Database, clock: FakeClock) -> None:
    camera = Camera(site, database, clock, (FrameKind.DARK,))
    camera.drop(*(f"dark-60s--{n}@0.fit" for n in range(3)), "science-60s--10@-20.fit")
    camera.work()
    assert [m.celsius for m in camera.requests["science-60s--10@-20.fit"].masters] == [0.0]
    camera.drop(*(f"dark-60s--{n}@-20.fit" for n in range(3, 6)))
    camera.work()
    assert [m.celsius for m in camera.requests["science-60s--10@-20.fit"].masters] == [-20.0]
    assert not camera.frame("science-60s--10@-20.fit").provisional


def test_frames_that_lack_a_dark_of_their_temperature_are_looked_at_by_masters_for_them_alone(
        site: Site, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[FrameFacts] = []
    choose = MasterChoices._choose

    def counted(self: MasterChoices, db: Connection, facts: FrameFacts) -> Choice:
        chosen.extend([facts] if facts.kind is FrameKind.SCIENCE else [])
        return choose(self, db, facts)

    camera = Camera(site, database, clock, (FrameKind.DARK,))
    science = [f"science-60s-120-{n}@-40.fit" for n in range(10, 20)]
    camera.drop(*(f"dark-60s-120-{n}@0.fit" for n in range(3)), *science)
    camera.work()
    assert all(camera.frame(name).provisional for name in science)
    monkeypatch.setattr(MasterChoices, "_choose", counted)
    camera.drop(*(f"dark-60s-200-{n}@-40.fit" for n in range(3, 6)),  # of another gain
                *(f"dark-7s-120-{n}@-40.fit" for n in range(6, 9)))  # of another exposure time
    camera.work()
    assert chosen == []
    camera.drop(*(f"dark-60s-120-{n}@-20.fit" for n in range(20, 23)))
    camera.work()
    assert len(chosen) <= 3  # alike ones once: as it is built, and as they are claimed
    assert all(camera.requests[name].masters[0].celsius == -20.0 for name in science)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
@pytest.mark.parametrize("at_once", [True, False])
def test_darks_on_both_sides_of_a_rounding_edge_are_one_master_in_whichever_order_they_come(
        site: Site, database: Database, clock: FakeClock, order: tuple[int, ...], *,
        at_once: bool) -> None:
    camera = Camera(site, database, clock, (FrameKind.DARK,))
    names = ["dark-60s--0@-12.3.fit", "dark-60s--1@-12.4.fit", "dark-60s--2@-12.6.fit",
             "dark-60s--3@-12.7.fit"]
    for group in [[names[n] for n in order]] if at_once else [[names[n]] for n in order]:
        camera.drop(*group)
        camera.work()
    camera.drop("science-60s--10@-12.5.fit", "science-60s--11@-14.fit")
    camera.work()
    assert sorted((m.layout, m.n_frames) for m in rows(database, Master)) == [
        ("2x 1024x1024 T=-10", 4), ("2x 1024x1024 T=-15", 4)]
    assert {camera.state(name) for name in names} == {"done"}
    used = {name: request.masters[0].celsius for name, request in camera.requests.items()}
    assert used == {"science-60s--10@-12.5.fit": -10.0, "science-60s--11@-14.fit": -15.0}


def test_a_dark_by_itself_beyond_the_edge_is_done_with_those_of_the_other_side(
        site: Site, database: Database, clock: FakeClock) -> None:
    camera = Camera(site, database, clock, (FrameKind.DARK,))
    camera.drop(*(f"dark-60s--{n}@-11.fit" for n in range(3)), "dark-60s--3@-12.7.fit",
                *(f"dark-60s--{n}@-20.fit" for n in range(4, 7)))

    def of_three(claim: Claim) -> Outcome:
        if isinstance(claim.request, MasterRequest) and len(claim.request.inputs) < 3:
            return Rejected(reason="too few")
        return camera.answer(claim)

    camera.work(of_three)
    assert sorted((m.layout, m.state, m.n_frames) for m in rows(database, Master) if m.path) == [
        ("2x 1024x1024 T=-10", "ready", 4), ("2x 1024x1024 T=-20", "ready", 3)]
    assert camera.state("dark-60s--3@-12.7.fit") == "done"
