"""Masters, stacks, differences and images in other units among raw frames."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from iop4d.instruments.other_images import as_taken, stack_doubt
from iop4d.instruments.start_cards import exposure_doubts, start_doubts
from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameKind
from tests.instruments.cameras import camera
from tests.instruments.detector_facts import facts


@pytest.mark.parametrize(("kind", "cards", "name"), [
    ("bias", {"NCOMBINE": 20}, "b.fits"), ("dark", {"STACKCNT": "30"}, "d.fits"),
    ("flat", {"IMAGETYP": "Master Flat"}, "f.fits"), ("flat", {}, "MasterFlat_R.fits"),
    ("bias", {"IMAGETYP": "masterbias"}, "b.fits"), ("dark", {}, "dark_master_60s.fits"),
    ("bias", {"OBJECT": "superbias"}, "b.fits"), ("flat", {"SNAPSHOT": 4}, "f.fits"),
    ("bias", {}, "Bias-combined.fits")])
def test_a_master_among_raw_frames_is_refused(kind: str, cards: dict[str, object],
                                              name: str) -> None:
    with pytest.raises(FrameError, match=f"is a master {kind} made of several frames"):
        as_taken(cards, facts(kind=FrameKind(kind)), name)


@pytest.mark.parametrize(("kind", "cards", "name"), [
    ("bias", {"NCOMBINE": 1}, "bias-001.fits"), ("flat", {"SNAPSHOT": 1}, "flat_R_001.fits"),
    ("dark", {"IMAGETYP": "Dark Frame"}, "webmaster/dark.fits"),
    ("science", {"OBJECT": "Master star 1"}, "mastershot.fits"), ("flat", {"STACKCNT": "x"}, "f"),
    ("science", {"BUNIT": "adu", "BSOFTEN": 1.0}, "x.fits"), ("science", {"BUNIT": "COUNTS"}, "x"),
    ("science", {"OBJECT": "diffuse nebula"}, "x.fits"), ("science", {"BUNIT": "ADU/pixel"}, "x")])
def test_a_single_frame_is_taken_as_it_is(kind: str, cards: dict[str, object], name: str) -> None:
    frame = facts(kind=FrameKind(kind))
    assert as_taken(cards, frame, name) == frame
    assert stack_doubt(cards) == ""


@pytest.mark.parametrize(("cards", "said"), [
    ({"DIFFIM": "diff.fits"}, "difference of two images"),
    ({"KSUM00": 0.98}, "difference of two images"),
    ({"IMAGETYP": "Difference image"}, "difference of two images"),
    ({"OBSTYPE": "DIFF"}, "difference of two images"),
    ({"BSOFTEN": 12.3, "BOFFSET": 1.2}, "not linear"),
    *(({"BUNIT": unit}, "do not tell their noise") for unit in (
        "electrons/s", "ELECTRONS/SEC", "adu / s", "counts s-1", "DN per second", "e- s**-1",
        "nanomaggy", "mJy/beam", "Jy", "uJy", "mag", "cps"))])
def test_an_image_of_another_kind_is_refused(cards: dict[str, object], said: str) -> None:
    with pytest.raises(FrameError, match=said):
        as_taken(cards, facts(), "x.fits")


@pytest.mark.parametrize("said", ["CCD Simulator", "N.I.N.A. Simulator Camera",
                                  "Camera V2 simulator"])
def test_an_image_of_a_simulator_is_taken_by_a_section_that_names_it_alone(said: str) -> None:
    with pytest.raises(FrameError, match="was made by a simulator"):
        as_taken({"INSTRUME": said}, facts(), "x.fits")
    assert as_taken({"INSTRUME": said}, facts(), "x.fits", simulated=True) == facts()


@pytest.mark.parametrize(("cards", "name"), [
    ({"OBJECT": "focus run"}, "x.fits"), ({}, "Focus_001.fits"), ({}, "nights/focus-3.fits")])
def test_a_frame_for_focusing_of_a_described_camera_is_refused(cards: dict[str, object],
                                                               name: str) -> None:
    plain = {"NAXIS": 2, "NAXIS1": 60, "NAXIS2": 50, "INSTRUME": "Cam", "FILTER": "R",
             "DATE-OBS": "2024-01-01T20:00:00", "EXPTIME": 10.0, "IMAGETYP": "Light"}
    with pytest.raises(FrameError, match="to focus the telescope"):
        camera().facts_of({**plain, **cards}, PurePath(name))
    assert camera().facts_of(plain, PurePath("focus/x.fits")).band == "R"


@pytest.mark.parametrize("unit", ["electrons", "electron", "e-", "photoelectrons"])
def test_pixels_in_electrons_have_a_gain_of_one(unit: str) -> None:
    assert as_taken({"BUNIT": unit}, facts(), "x.fits").detector.gain_e_adu == 1.0


@pytest.mark.parametrize("cards", [
    {"NCOMBINE": 12}, {"STACKCNT": 100}, {"LIGH_CNT": 7}, {"IMAGETYP": "Master Light"},
    {"FRAME": "stacked"}])
def test_a_stack_of_science_frames_is_doubted(cards: dict[str, object]) -> None:
    assert "it is a stack of" in stack_doubt(cards)
    frame = facts()
    assert as_taken(cards, frame, "x.fits") == frame
    assert start_doubts(cards, camera(), frame) == (stack_doubt(cards),)


@pytest.mark.parametrize(("end", "is_doubted"), [
    ("2024-01-01T20:01:00", False), ("2024-01-01T20:01:30", False),
    ("2024-01-01T20:00:00", False),  # a program that writes the start twice
    ("2024-01-01T20:10:00", True), ("2024-01-01T19:00:00", False), ("", False)])
def test_an_exposure_time_that_the_end_denies_is_doubted(end: str, is_doubted: bool) -> None:
    cards = {"DATE-OBS": "2024-01-01T20:00:00", "DATE-END": end}
    said = exposure_doubts(cards, camera(), facts(exptime_s=60.0))
    assert bool(said) is is_doubted
    if is_doubted:
        assert said == ("its exposure time is 60 s, and from DATE-OBS to DATE-END it is 600 s",)


def test_milliseconds_taken_for_seconds_are_doubted() -> None:
    cards = {"DATE-OBS": "2024-01-01T20:00:00", "DATE-END": "2024-01-01T20:01:00"}
    assert exposure_doubts(cards, camera(), facts(exptime_s=60000.0))
    local = camera("time_card = 'DATE-LOC'")
    assert exposure_doubts(cards, local, facts(exptime_s=60000.0)) == ()
