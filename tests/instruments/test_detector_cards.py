"""Cards of settings, of colour filters, and of what was subtracted before a frame came."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.fits.overscan import trimmed
from iop4d.fits.read import RawImage
from iop4d.instruments.detector_cards import calibrated, mosaic, settings, with_detector
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import Detector, FrameKind, covers, layout_of
from tests.instruments.detector_facts import facts

B, D, F = FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT


@pytest.mark.parametrize(("cards", "done"), [
    ({}, ()), ({"CALSTAT": ""}, ()), ({"CALSTAT": "BDF"}, (B, D, F)), ({"CALSTAT": "BD"}, (B, D)),
    ({"CALSTAT": "D"}, (B, D)), ({"CALSTAT": "bf"}, (B, F)), ({"CALSTAT": "BT"}, (B,)),
    ({"CALSTAT": "Bias, flat field"}, (B, F)),
    ({"ZEROCOR": "Apr 13 10:15 Zero level correction image is Zero.fits"}, (B,)),
    ({"ZEROCOR": "x", "FLATCOR": "y", "CCDPROC": "z"}, (B, F)), ({"CCDPROC": "trimmed"}, ()),
    ({"L1STATBI": 1, "L1STATDA": 1, "L1STATFL": 1}, (B, D, F)),
    ({"L1STATBI": 0, "L1STATDA": 0, "L1STATFL": 0}, ()),
    ({"L1STATZE": -1, "L1STATZM": 1, "L1STATDA": -1, "L1STATFL": 1}, (B, F)),
    ({"BIASCORR": "PERFORM", "FLATCORR": "OMIT"}, ()), ({"BIASCORR": "COMPLETE"}, (B,)),
    ({"DARKCOR": False, "ZEROCOR": "F"}, ()),
    # Letters of words that say that nothing was done, or nothing of bias, dark and flat.
    *(({"CALSTAT": said}, ()) for said in (
        "UNDEFINED", "FALSE", "Undef", "UNKNOWN", "not calibrated", "None", "RAW", "OFF", "-99",
        "0", "N/A", "raw frame", "Unprocessed", "T", "C")),
    *(({"DARKCOR": said, "FLATCOR": said}, ()) for said in (
        "-99", -99, 0.0, "UNKNOWN", "OFF", "undefined", "n/a", "not done", "---")),
    ({"CALSTAT": "BDF;"}, (B, D, F)), ({"CALSTAT": "BDFNO"}, (B, D, F)),
    ({"CALSTAT": "B,D,F"}, (B, D, F)), ({"CALSTAT": "BDFC"}, (B, D, F)),
    ({"CALSTAT": "BIAS, NOT FLAT"}, (B,)), ({"CALSTAT": "dark subtracted"}, (B, D)),
    ({"DARKCOR": 1}, (B, D)), ({"FLATCOR": "ON", "ZEROCOR": True}, (B, F)),
    # AstroImageJ, PixInsight, MaxIm DL 4, CCDSoft.
    ({"HISTORY": "Bias corrected with mb.fits\nDark corrected with md.fits\n"
                 "Flat corrected with mf.fits"}, (B, D, F)),
    ({"HISTORY": "ImageCalibration.masterDark.enabled: true\n"
                 "ImageCalibration.masterFlat.enabled: false"}, (B, D)),
    ({"HISTORY": "Dark Subtraction (Dark 1, 512 x 512)\nFlat Field (Flat V 1, 512 x 512)"},
     (B, D, F)),
    ({"HISTORY": "= 'Dark frame subtracted'"}, (B, D)),
    ({"HISTORY": "subtracted master bias b.fits, divided by master flat"}, (B, F)),
    *(({"HISTORY": said}, ()) for said in (
        "exposed by ACP", "dark of sky 21.3", "Flat field not applied", "No dark subtraction",
        "hot pixels removed with dark map", "flat panel at 20 %", "File was processed by PinPoint",
        "Bias 300 V", "converted from raw by fpack")),
])
def test_what_was_applied_already(cards: dict[str, object], done: tuple[FrameKind, ...]) -> None:
    assert calibrated(cards, FrameKind.SCIENCE) == done


@pytest.mark.parametrize(("cards", "kind"), [
    ({"CALSTAT": "F"}, FrameKind.SCIENCE), ({"FLATCOR": "yes"}, FrameKind.SCIENCE),
    ({"CALSTAT": "BF"}, F), ({"CALSTAT": "B"}, D), ({"CALSTAT": "B"}, B),
    ({"CALSTAT": "CALIBRATED"}, FrameKind.SCIENCE), ({"CALSTAT": True}, FrameKind.SCIENCE)])
def test_what_cannot_be_put_right_is_refused(cards: dict[str, object], kind: FrameKind) -> None:
    with pytest.raises(FrameError, match="give iop4d the raw frame"):
        calibrated(cards, kind)


def test_a_flat_may_have_its_bias_and_dark_subtracted() -> None:
    assert calibrated({"CALSTAT": "BD"}, F) == (B, D)


@pytest.mark.parametrize(("cards", "pattern"), [
    ({"BAYERPAT": "RGGB    "}, "RGGB"), ({"COLORTYP": "bggr"}, "BGGR"), ({"BAYERPAT": "MONO"}, ""),
    ({"BAYERPAT": "NONE"}, ""), ({"BAYERPAT": False}, ""), ({"BAYERPAT": "x-trans"}, "X-TRANS"),
    ({"COLORTYP": 0}, ""), ({}, ""), ({"COLORTYP": "MONO16"}, ""), ({"COLORTYP": "RAW16"}, ""),
    ({"COLORTYP": "RAW16", "FILTER": "RGGB"}, "RGGB")])
def test_a_mosaic_of_colours_is_seen(cards: dict[str, object], pattern: str) -> None:
    assert mosaic(cards) == pattern


def test_a_mosaic_is_refused_unless_the_camera_says_what_to_do() -> None:
    with pytest.raises(FrameError, match=r"mosaic of colour filters \(RGGB\).*bayer = 'green'"):
        with_detector({"BAYERPAT": "RGGB"}, facts(), bayer="refuse")
    assert with_detector({"BAYERPAT": "RGGB"}, facts(), bayer="ignore") == facts()
    with pytest.raises(CardError, match="expected RGGB"):
        with_detector({"BAYERPAT": "X-TRANS"}, facts(), bayer="green")


@pytest.mark.parametrize(("cards", "more"), [
    ({"BAYERPAT": "RGGB"}, {}),
    ({"BAYERPAT": "GRBG", "XBAYROFF": 1}, {}),
    ({"BAYERPAT": "BGGR", "XBAYROFF": 1, "YBAYROFF": 1}, {}),
    ({"BAYERPAT": "GBRG", "ROWORDER": "BOTTOM-UP"}, {}),
    ({"BAYERPAT": "RGGB", "ROWORDER": "TOP-DOWN"}, {}),
    # Of seven rows the top one is like the first, though six of them see light.
    ({"BAYERPAT": "GBRG", "ROWORDER": "BOTTOM-UP", "NAXIS2": 7},
     {"detector": Detector(trim=(2, 10, 1, 7))}),
    ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP", "NAXIS2": 8},
     {"detector": Detector(trim=(2, 10, 1, 7))}),
    ({"BAYERPAT": "GBRG"}, {"detector": Detector(trim=(2, 10, 1, 7))}),
])
@pytest.mark.parametrize(("colour", "level"), [("red", 100.0), ("green", 205.0), ("blue", 300.0)])
def test_the_pixels_of_one_colour_are_taken(cards: dict[str, object], more: dict[str, object],
                                            colour: str, level: float) -> None:
    """By hand: red is 100, the two greens 200 and 210, blue 300."""
    found = with_detector(cards, facts(binning=1, origin=(10, 4), **more), bayer=colour)
    assert (found.shape, found.binning, found.origin) == ((3, 4), 2, (5, 2))
    light = np.tile(np.array([[100, 200], [210, 300]], np.uint16), (3, 4))
    trim = found.detector.trim
    stored = np.pad(light, ((trim[2], 0), (trim[0], 0))) if trim else light
    assert trimmed(RawImage(stored=stored), found).rows() == pytest.approx(level)


def test_the_mean_of_two_green_pixels_is_saturated_where_one_is() -> None:
    found = with_detector({"BAYERPAT": "RGGB"}, facts(shape=(2, 4)), bayer="green")
    stored = np.array([[0, 65535, 0, 50000], [60000, 0, 60000, 0]], np.uint16)
    image = trimmed(RawImage(stored=stored), found, saturation_adu=65000.0)
    assert image.rows().tolist() == [[65535.0, 55000.0]]


def test_settings_are_those_that_change_bias_and_noise() -> None:
    assert settings({"GAIN": 120.0, "OFFSET": 10, "READOUTM": "High Gain / 16", "EGAIN": 1.5}) == (
        "GAIN=120,OFFSET=10,READOUTM=High-Gain-16")
    assert settings({}) == ""


@pytest.mark.parametrize(("cards", "celsius"), [
    ({}, None), ({"CCD-TEMP": "unknown"}, None), ({"CCD-TEMP": -999.0}, None),
    ({"CCD-TEMP": -34.9938, "SET-TEMP": -35.0}, -35.0),  # cooled
    ({"CCD-TEMP": 21.875, "SET-TEMP": -15.0}, 21.88),  # not cooled, though it was to be
    ({"SET-TEMP": -10.0}, -10.0), ({"CCD-TEMP": 0.0}, 0.0),
    ({"CAMTEMP": "11 C"}, 11.0), ({"CCD-TEMP": 180.2}, -92.95)])  # kelvin
def test_the_temperature_of_the_detector(cards: dict[str, object], celsius: float | None) -> None:
    found = with_detector(cards, facts(), bayer="refuse")
    assert found.detector.celsius == celsius
    assert layout_of(found) == layout_of(facts())  # of no matter but to darks


@pytest.mark.parametrize(("cards", "origin", "placed"), [
    ({}, (0, 0), False), ({"XORGSUBF": 0, "YORGSUBF": 0}, (0, 0), True),
    ({"CCDSEC": "[101:108,51:56]"}, (100, 50), True), ({"DETSEC": "[201:216,101:112]"}, (100, 50),
                                                       True),
    ({"CCDSEC": "[1:2048,1:2048]"}, (0, 0), False),
    ({"LTV1": -100.0, "LTV2": -50}, (100, 50), True),
    ({"LTV1": 16.0, "LTV2": 0.0}, (0, 0), False)])
def test_the_place_of_a_frame_on_the_detector(cards: dict[str, object], origin: tuple[int, int],
                                              placed: bool) -> None:
    found = with_detector(cards, facts(binning=2), bayer="refuse")
    assert (found.origin, found.detector.placed) == (origin, placed)


def test_a_larger_master_serves_only_a_frame_whose_place_is_known() -> None:
    whole = "1x 2048x2048"
    assert not covers(whole, facts())
    assert covers(whole, facts(detector=Detector(placed=True)))
    assert covers(whole, facts(origin=(100, 50)))
    assert covers("1x 8x6", facts())


def test_masters_of_another_order_of_rows_are_told_apart_unless_frames_are_turned() -> None:
    """An old fault: the flat of a program that writes from the top down served frames of one that
    writes from the bottom up, upside down."""
    down, up, none = {"ROWORDER": "TOP-DOWN"}, {"ROWORDER": "bottom-up"}, dict[str, object]()
    assert settings(down) == "ROWORDER=TOP-DOWN"
    of_down = layout_of(with_detector(down, facts(), bayer="refuse"))
    assert not covers(of_down, with_detector(up, facts(), bayer="refuse"))
    assert covers(of_down, with_detector(down, facts(), bayer="refuse"))
    assert covers(of_down, with_detector(none, facts(), bayer="refuse"))
    turned = [with_detector(one, facts(flipped=one is down), bayer="refuse", rows_turned=True)
              for one in (down, up)]
    assert covers(layout_of(turned[0]), turned[1])


def test_iraf_s_region_of_data_does_not_tell_where_a_frame_begins_on_the_detector() -> None:
    """An old fault: a sub-frame with DATASEC got the masters' corner, whatever its place was."""
    def placed(said: str) -> bool:
        return with_detector({"DATASEC": said}, facts(), bayer="refuse").detector.placed

    assert not placed("[1:8,1:6]")
    assert placed("[1,1,8,6]")
    whole = layout_of(facts(shape=(12, 16)))
    assert not covers(whole, with_detector({"DATASEC": "[1:8,1:6]"}, facts(), bayer="refuse"))
