"""DIPOL: headers as they really look."""

from __future__ import annotations

import pytest

from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameKind
from tests.instruments.headers import DIPOL, constants, read


def test_a_sub_frame_is_read() -> None:
    facts = read(DIPOL)
    assert (facts.instrument, facts.telescope, facts.mode, facts.beams) == (
        "DIPOL", "OSN-T090", "polarimetry", 2)
    assert (facts.band, facts.object, facts.polariser_deg) == ("R", "BLLac", 22.5)
    assert (facts.origin, facts.subframe, facts.flipped) == ((1512, 963), True, False)
    assert facts.pointing_deg == pytest.approx((330.681, 42.2778))


def test_before_october_2023_the_telescope_had_no_name() -> None:
    for said in ("", None, "   "):
        facts = read(DIPOL, TELESCOP=said, JD=2460220.4, TELRA=None, TELDEC=None)
        assert (facts.telescope, facts.night) == ("OSN-T090", "2023-10-02")
        assert facts.pointing_deg is None  # there was none before 2025: OBJECT has to do


def test_a_whole_frame_without_an_angle_is_photometry() -> None:
    for notes in ("", None, "clear sky"):
        facts = read(DIPOL, NAXIS1=4144, NAXIS2=2822, XORGSUBF=0, YORGSUBF=0, NOTES=notes)
        assert (facts.mode, facts.polariser_deg, facts.subframe) == ("photometry", None, False)
        assert facts.beams == 2  # the calcite plate stays in


@pytest.mark.parametrize("step", range(16))
def test_the_plate_has_sixteen_positions(step: int) -> None:
    assert read(DIPOL, NOTES=f"{22.5 * step} deg").polariser_deg == 22.5 * step


@pytest.mark.parametrize(("said", "angle"), [
    ("22.48 deg", 22.5), ("22,5 deg", 22.5), ("359.9 deg", 0.0), ("360 deg", 0.0),
    ("  45.0 deg   ", 45.0), ("67.5deg", 67.5)])
def test_a_position_may_be_a_little_off_and_written_otherwise(said: str, angle: float) -> None:
    assert read(DIPOL, NOTES=said).polariser_deg == angle


@pytest.mark.parametrize("said", ["30 deg", "deg", "nan deg"])
def test_a_position_between_them_is_refused(said: str) -> None:
    with pytest.raises(CardError, match="NOTES"):
        read(DIPOL, NOTES=said)


@pytest.mark.parametrize(("shape", "binning", "subframe"), [
    ((1120, 896), 2, True), ((4144, 2822), 2, False), ((8288, 5644), 1, False),
    ((2240, 1792), 1, True), ((4144, 1100), 2, True), ((3000, 2000), 2, False),
    ((2072, 1411), 4, False)])
def test_a_sub_frame_has_a_side_far_below_the_whole(shape: tuple[int, int], binning: int,
                                                    subframe: bool) -> None:
    facts = read(DIPOL, NAXIS1=shape[0], NAXIS2=shape[1], XBINNING=binning, YBINNING=binning)
    assert facts.subframe is subframe


@pytest.mark.parametrize(("shape", "binning"), [((1120, 896), 2), ((4144, 2822), 2),
                                                ((8288, 5644), 1)])
def test_a_frame_without_a_binning_is_binned_as_most_are(shape: tuple[int, int],
                                                         binning: int) -> None:
    facts = read(DIPOL, NAXIS1=shape[0], NAXIS2=shape[1], XBINNING=None, YBINNING=None)
    assert facts.binning == binning


@pytest.mark.parametrize(("said", "name"), [
    ("BLLac_R_IAR", "BLLac"), ("HD204827_R_IAR", "HD204827"), ("3C_273_R", "3C_273"),
    ("OJ_287", "OJ_287"), ("S50716", "S50716"), ("Mrk421_IAR", "Mrk421")])
def test_the_target_is_the_first_part_of_object(said: str, name: str) -> None:
    assert read(DIPOL, OBJECT=said).object == name


def test_kinds_of_frame_are_told_by_their_first_word() -> None:
    for said, kind in (("Bias Frame", FrameKind.BIAS), ("Dark Frame", FrameKind.DARK),
                       ("Flat Field", FrameKind.FLAT)):
        facts = read(DIPOL, IMAGETYP=said, NOTES=None)
        assert (facts.kind, facts.beams, facts.subframe) == (kind, 1, False)
    assert read(DIPOL, OBJECT="SkyFlat_R").kind is FrameKind.FLAT
    assert read(DIPOL, OBJECT="skyflat_R", IMAGETYP="Dark Frame").kind is FrameKind.DARK


def test_bias_and_dark_may_have_no_filter_but_light_must() -> None:
    assert read(DIPOL, IMAGETYP="Dark Frame", FILTER=None).band is None
    with pytest.raises(CardError, match="FILTER"):
        read(DIPOL, FILTER=None)
    assert [read(DIPOL, FILTER=said).band for said in ("Red", "Green", "Blue")] == ["R", "V", "B"]
    with pytest.raises(FrameError, match="'Halpha'"):
        read(DIPOL, FILTER="Halpha")


def test_a_flipped_frame_says_so() -> None:
    assert read(DIPOL, FLIPSTAT="Flip").flipped
    assert read(DIPOL, FLIPSTAT="Flip/Mirror").flipped
    for said in ("", None, "Mirror"):
        assert not read(DIPOL, FLIPSTAT=said).flipped


def test_a_window_without_an_origin_begins_in_the_corner() -> None:
    assert read(DIPOL, XORGSUBF=None, YORGSUBF="").origin == (0, 0)
    for wrong in ("left", -7, 9000):
        with pytest.raises(CardError, match="XORGSUBF"):
            read(DIPOL, XORGSUBF=wrong)


def test_the_constants_are_those_of_the_date_of_the_frame() -> None:
    """The mirrors were cleaned on 2023-09-28 at 12:00 UT."""
    for date, u0 in (("2023-09-28T03:00:00", -0.0416), ("2023-09-28T21:00:00", -0.0432)):
        facts = read(DIPOL | {"DATE-OBS": date}, JD=None)
        assert constants(facts.instrument, facts.jd_mid).u0 == pytest.approx(u0)
    before, after = constants("DIPOL", 2460215.99), constants("DIPOL", 2460216.0)
    assert (before.q0, before.u0, before.angle_deg) == pytest.approx((0.0005, -0.0416, 42.7))
    assert (after.q0, after.u0, after.angle_deg) == pytest.approx((0.0001, -0.0432, 42.7))


def test_an_offset_scales_with_the_binning() -> None:
    beams = next(i for i in find_instruments() if i.name == "DIPOL").beams
    assert beams is not None
    assert beams.at(2) == ((-209.0, 13.0), (36.0, 48.0))
    assert beams.at(4)[0] == (-104.5, 6.5)
