"""A polarimeter that is described: its positions, its images, its constants."""

from __future__ import annotations

import math
from pathlib import Path, PurePath
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import CardError, ConfigError
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.polarimeter import Analyser
from tests.instruments.polarimeters import PLAIN, PLATE, PRISMS, SECTION, WHEEL


def camera(keys: str, more: str = "") -> Instrument:
    own = parse_site(SECTION + keys + more, root=Path("/"))
    return next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "Cam")


def read(keys: str, **cards: Any) -> FrameFacts:
    header = {name: value for name, value in (PLAIN | cards).items() if value is not None}
    return camera(keys).facts_of(header, PurePath("x.fits"))


def through(facts: FrameFacts) -> tuple[str, float | None, int, str]:
    return facts.mode, facts.polariser_deg, facts.beams, facts.beam_element


@pytest.mark.parametrize(("keys", "cards", "expected"), [
    (PRISMS, {"FILTER": "P1-R"}, ("polarimetry", 0.0, 2, "P1")),
    (PRISMS, {"FILTER": "P3-R"}, ("polarimetry", 45.0, 2, "P3")),
    (PRISMS, {"FILTER": "R"}, ("photometry", None, 1, "")),
    (PRISMS, {"FILTER": "P1-R", "IMAGETYP": "flat"}, ("photometry", None, 1, "P1")),
    (PRISMS, {"IMAGETYP": "zero", "FILTER": "P1-R"}, ("photometry", None, 1, "")),
    (PLATE, {"ROT": 22.48}, ("polarimetry", 22.5, 2, "")),
    (PLATE, {"ROT": "112.5 deg"}, ("polarimetry", 22.5, 2, "")),
    (PLATE, {"ROT": 359.9}, ("polarimetry", 0.0, 2, "")),
    (PLATE, {}, ("photometry", None, 1, "")),
    (PLATE, {"ROT": 45.0, "IMAGETYP": "flat"}, ("photometry", None, 1, "")),
    (PLATE + 'two_images = { PRISM = "W*" }', {"ROT": 45.0, "PRISM": "free"},
     ("photometry", None, 1, "")),
    (PLATE + 'two_images = { PRISM = "W*" }', {"PRISM": "Wollaston"},
     ("photometry", None, 2, "")),
    (PLATE + "positions = [0, 22.5, 45, 67.5, 90, 112.5, 135, 157.5]", {"ROT": 112.5},
     ("polarimetry", 112.5, 2, "")),
    (WHEEL, {"FILTER": "R-45"}, ("polarimetry", -45.0, 1, "")),
    (WHEEL, {"FILTER": "R"}, ("photometry", None, 1, "")),
    ('analyser = "polariser"\nangle_card = "POL"', {"POL": 135}, ("polarimetry", -45.0, 1, "")),
    ("pair_offset = [-20, 3]", {}, ("photometry", None, 2, "")),
])
def test_a_frame_is_read_with_its_position_and_its_images(
        keys: str, cards: dict[str, Any], expected: tuple[str, float | None, int, str]) -> None:
    assert through(read(keys, **cards)) == expected


def test_a_position_that_is_none_is_told() -> None:
    with pytest.raises(CardError, match=r"ROT: is 30 deg, expected one of 0, 22.5, 45, 67.5"):
        read(PLATE, ROT=30)
    with pytest.raises(CardError, match=r"ROT: is 'home', no number"):
        read(PLATE, ROT="home")


def test_two_prisms_have_their_own_offsets_angles_and_ratios() -> None:
    tool = camera(PRISMS)
    assert tool.polarimeter is not None
    assert tool.polarimeter.analyser is Analyser.FIXED
    assert (tool.polarimeter.angles_deg, tool.polarimeter.fewest) == ((0.0, 45.0), 2)
    first, third = tool.analysers["P1"], tool.analysers["P3"]
    assert (first.offset_px, third.offset_px) == ((24.6, 30.6), (-0.9, 38.5))
    assert (first.tolerance_px, first.ratio, first.ratio_err) == ((3.0, 3.0), 0.02, 0.001)
    assert read(PRISMS, FILTER="P3-R").polariser_deg == 45.0
    assert math.isnan(third.ratio_err)
    for name, cards in (("P1", {"FILTER": "P1-R"}), ("P3", {"FILTER": "P3-R"})):
        assert tool.beams_of(read(PRISMS, **cards)) == tool.analysers[name]


def test_constants_that_were_not_measured_have_errors_to_match_and_can_be_set() -> None:
    bare = camera(PLATE).polarimeter
    assert bare is not None
    found = bare.constants_at(2460384.0)
    assert found is not None
    assert (found.q0_err, found.u0_err) == (0.01, 0.01)
    assert found.angle_err_deg == pytest.approx(51.96, abs=0.01)
    own = camera(PLATE, '[[polarimeter]]\ninstrument = "Cam"\nq0 = 0.3\nq0_err = 0.05\n'
                        "zero_angle = 12.0\nzero_angle_err = 0.5\npair_offset = [-36.0, 0.0]\n")
    assert own.polarimeter is not None
    assert own.beams is not None
    found = own.polarimeter.constants_at(2460384.0)
    assert found is not None
    assert (found.q0, found.q0_err, found.u0_err, found.angle_deg) == (0.003, 0.0005, 0.01, 12.0)
    assert own.beams.offset_px == (-36.0, 0.0)


def test_positions_are_those_listed_or_the_usual_ones() -> None:
    for keys, positions in ((PLATE, (0.0, 22.5, 45.0, 67.5)), (WHEEL, (-45.0, 0.0, 45.0, 90.0)),
                            (PLATE + "positions = [0, 22.5, 45]", (0.0, 22.5, 45.0))):
        polarimeter = camera(keys).polarimeter
        assert polarimeter is not None
        assert polarimeter.angles_deg == positions
        assert polarimeter.fewest == 3


def test_a_bias_has_no_analyser() -> None:
    assert read(PRISMS, IMAGETYP="zero").kind is FrameKind.BIAS


@pytest.mark.parametrize(("keys", "why"), [
    ('analyser = "prism"', "expected one of polariser, half-wave plate, fixed analysers, or noth"),
    ('analyser = "polariser"', "expected the key angle_card with it"),
    ('angle_card = "ROT"', "expected the key analyser with it"),
    ('analyser = "half-wave plate"\nangle_card = "ROT"', "the key pair_offset with it"),
    ('analyser = "polariser"\nangle_card = "ROT"\npair_offset = [1, 2]', "one image of every star"),
    (PLATE + "pair_offsets = { a = [1, 2] }", "no such key without analyser"),
    (PRISMS + 'two_images = { A = "b" }', "all frames have two images"),
    (PRISMS.replace(', "P3-*" = [-0.9, 38.5]', ""), "pair_offsets with the same values"),
    (PRISMS + "pair_offset = [1, 2]", "or one pair_offset for all"),
    (PRISMS.replace("[24.6, 30.6]", "24.6"), r"expected \[x, y\] for each value"),
    (PRISMS.replace("= 45.0", '= "east"'), "expected a number for each value"),
    (PRISMS.replace('ratios = { "P1', 'ratios = { "P2'), "expected values of angles"),
    (PRISMS.replace("[0.02, 0.001]", "[0.02, -0.001]"), r"expected \[ratio, error\] for each"),
    (PRISMS.replace("[0.02, 0.001]", "[2, 1]"), r"expected \[ratio, error\] for each value"),
    ("turns_with_camera = true", "the key analyser with it"),
    # Too few to tell q from u, so that no group ever had a result.
    (PLATE + "positions = [0, 45]", "positions: expected 3 different positions or more"),
    (PLATE + "positions = [0, 45, 90, 135]", "those 90 degrees apart show the same"),
    (WHEEL.replace(', "R90" = 90', "").replace(', "R45" = 45', ""), "angles: expected 3 different"),
    (WHEEL + "positions = [0, 45, 180]", "those 180 degrees apart show the same"),
    (PRISMS.replace("= 45.0", "= 90.0"), "angles: expected 2 different positions or more"),
])
def test_keys_that_do_not_go_together_are_refused(keys: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        camera(keys)


@pytest.mark.parametrize(("keys", "why"), [
    ("", "it makes one image of every star; expected no pair_offset, but analyser, angle_card"),
    (WHEEL, "it makes one image of every star"),
    (PRISMS, "each of its analysers has its own pair offset; expected them in pair_offsets")])
def test_a_pair_offset_that_would_have_no_effect_is_refused(keys: str, why: str) -> None:
    """It was accepted and ignored: one image of each star was measured, without a flag."""
    with pytest.raises(ConfigError, match=why):
        camera(keys, '[[polarimeter]]\ninstrument = "Cam"\npair_offset = [-24.6, -30.6]\n')


@pytest.mark.parametrize("keys", [PRISMS, PLATE, WHEEL])
def test_whether_the_analyser_turns_with_the_camera_is_said(keys: str) -> None:
    for more, turns in (("", False), ("turns_with_camera = true", True)):
        polarimeter = camera(keys + more).polarimeter
        assert polarimeter is not None
        assert polarimeter.turns_with_camera is turns
