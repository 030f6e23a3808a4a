"""Headers as they really look are read, and a wrong card is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments import base
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.instruments.telescopes import T090, Telescope, night_of
from iop4d.model.errors import CardError, ConfigError, FrameError
from iop4d.model.frame import FrameFacts, FrameKind
from tests.instruments.headers import OSN
from tests.instruments.headers import read as read_as

ANDOR = OSN | {"OBJECT": "BLLac R", "FILTER": "R"}


def read(name: str = "BLLac-0001R.fit", **cards: Any) -> FrameFacts:
    return read_as(ANDOR, name, **cards)


def test_an_andor_frame_is_read() -> None:
    facts = read()
    assert (facts.instrument, facts.telescope, facts.kind) == (
        "AndorT90", "OSN-T090", FrameKind.SCIENCE)
    assert (facts.band, facts.binning, facts.shape, facts.night) == (
        "R", 2, (1024, 1024), "2022-09-08")
    assert facts.jd_mid == pytest.approx(2459831.4375 + 30 / 86400)
    assert facts.pointing_deg == pytest.approx((330.679167, 42.277778), abs=1e-5)


@pytest.mark.parametrize(("cards", "expected"), [
    ({"FILTER": "R Johnson"}, {"band": "R"}),
    ({"FILTER": "V  "}, {"band": "V"}),
    ({"EXPTIME": "60,5"}, {"exptime_s": 60.5}),
    ({"JD": None}, {"jd_start": 2459831.4375}),
    ({"JD": "junk"}, {"jd_start": 2459831.4375}),
    ({"OBJCTRA": None}, {"pointing_deg": None}),
    ({"OBJCTDEC": "+95 00 00"}, {"pointing_deg": None}),
    ({"OBJCTRA": "nan"}, {"pointing_deg": None}),
    ({"XBINNING": None, "YBINNING": None}, {"binning": 2}),
    ({"XBINNING": None, "YBINNING": None, "NAXIS1": 2048, "NAXIS2": 2048}, {"binning": 1}),
    ({"XBINNING": 2, "YBINNING": None}, {"binning": 2}),
    ({"XBINNING": None, "YBINNING": None, "NAXIS1": 900, "NAXIS2": 900}, {"binning": 1}),
    ({"EXPTIME": None, "EXPOSURE": 30.0}, {"exptime_s": 30.0}),
    ({"EXPTIME": "", "EXPOSURE": 30.0}, {"exptime_s": 30.0}),
    ({"IMAGETYP": "BIAS", "FILTER": None, "EXPTIME": None}, {"kind": FrameKind.BIAS, "band": None}),
    ({"IMAGETYP": "FLAT", "FILTER": "Clear"}, {"kind": FrameKind.FLAT, "band": None}),
    ({"IMAGETYP": "FLAT"}, {"kind": FrameKind.FLAT, "band": "R"}),
])
def test_the_oddities_of_real_headers(cards: dict[str, Any], expected: dict[str, Any]) -> None:
    facts = read(**cards)
    for name, value in expected.items():
        assert getattr(facts, name) == value


def test_a_light_that_is_called_flat_twice_is_a_flat() -> None:
    assert read("Flat-0001R.fit", OBJECT="Flat R").kind is FrameKind.FLAT
    assert read("BLLac-0001R.fit", OBJECT="Flat R").kind is FrameKind.SCIENCE
    assert read("Flat-0001R.fit", OBJECT="BLLac R").kind is FrameKind.SCIENCE
    assert read("bias-0001.fit", OBJECT="bias", FILTER=None).kind is FrameKind.BIAS


@pytest.mark.parametrize(("cards", "card"), [
    ({"IMAGETYP": None}, "IMAGETYP"), ({"IMAGETYP": "LAMP"}, "IMAGETYP"),
    ({"FILTER": None}, "FILTER"), ({"FILTER": "Halpha"}, "FILTER"), ({"FILTER": ""}, "FILTER"),
    ({"FILTER": "Clear"}, "FILTER"), ({"FILTER": "R135"}, "FILTER"),
    ({"FILTER": "R 135"}, "FILTER"),
    ({"EXPTIME": None}, "EXPTIME"), ({"EXPTIME": "sixty"}, "EXPTIME"),
    ({"EXPTIME": -1}, "EXPTIME"), ({"EXPTIME": float("nan")}, "EXPTIME"),
    ({"JD": None, "DATE-OBS": None}, "DATE-OBS"), ({"JD": None, "DATE-OBS": "soon"}, "DATE-OBS"),
    ({"JD": None, "DATE-OBS": "2022-09-08"}, "DATE-OBS"),
    ({"XBINNING": 2, "YBINNING": 1}, "XBINNING"), ({"NAXIS": 3}, "NAXIS"),
    ({"NAXIS1": None}, "NAXIS1"),
])
def test_a_wrong_card_is_named(cards: dict[str, Any], card: str) -> None:
    with pytest.raises(CardError) as error:
        read(**cards)
    assert error.value.card == card


def test_an_unknown_instrument_is_told() -> None:
    with pytest.raises(FrameError, match="INSTRUME = 'Other'"):
        read(INSTRUME="Other")


def test_a_card_without_a_value_is_a_missing_one() -> None:
    header = ANDOR | {"IMAGETYP": None}
    with pytest.raises(CardError, match=r"IMAGETYP: is missing"):
        instrument_for(header, find_instruments()).read(header, "x.fit")


CAMERA = """
[[camera]]
name = "Cecilia"
telescope = "Cecilia"
identify = { TELESCOP = "Cecilia", INSTRUME = "Main" }
pixel_scale = 5.16
saturation = 4000
masters = []
bands = { Clear = "C" }
time_card = "UT-OBS"
latitude = 31.68
longitude = -110.88
"""
CECILIA: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 650, "NAXIS2": 500, "TELESCOP": "Cecilia ", "INSTRUME": "Main    ",
    "UT-OBS": "2017-12-20T01:33:43.317-0000", "EXPTIME": 60.0, "RA": 31.312099, "DEC": 46.769087,
    "FILTER": "Clear   ", "OBJECT": "HATP-32 "}


def test_a_camera_of_the_site_file_reads_its_frames() -> None:
    camera = instrument_of(parse_site(CAMERA, root=Path("/")).camera[0])
    assert camera.recognises(CECILIA)
    assert not camera.recognises(CECILIA | {"INSTRUME": "Finder"})
    facts = camera.read(CECILIA, "x.fits")
    assert facts.jd_start == pytest.approx(2458107.565085, abs=1e-6)
    assert (facts.night, facts.band, facts.kind) == ("2017-12-19", "C", FrameKind.SCIENCE)
    assert facts.pointing_deg == (31.312099, 46.769087)


def test_a_camera_with_a_wrong_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"line 13.*'light' is now called 'science'"):
        parse_site(CAMERA + 'kinds = { Light = "light" }\n', root=Path("/"))


@pytest.mark.parametrize(("value", "jd"), [
    (2459831.4375, 2459831.4375), (59830.9375, 2459831.4375), ("59830.9375", 2459831.4375),
    ("2022-09-08T22:30:00", 2459831.4375), ("2022-09-08 22:30:00.000", 2459831.4375),
    ("2022-09-09T00:30:00+0200", 2459831.4375), ("2022-09-08T22:30:00.0000000Z", 2459831.4375)])
def test_times_are_read_in_every_usual_form(value: object, jd: float) -> None:
    assert base.julian_date({"T": value}, "T") == pytest.approx(jd, abs=1e-8)


@pytest.mark.parametrize(("value", "unit", "degrees"), [
    ("22 02 43", "hour", 330.679167), ("-00 30 00", "deg", -0.5), ("+42:16:40", "deg", 42.277778),
    ("12.5", "hour", 187.5), (31.312099, "deg", 31.312099), ("1h30m", "hour", 22.5)])
def test_angles_are_read_in_every_usual_form(value: object, unit: str, degrees: float) -> None:
    assert base.angle({"A": value}, "A", unit=unit) == pytest.approx(degrees, abs=1e-5)


def test_the_night_turns_at_local_noon() -> None:
    noon = 2459831.0 - T090.longitude_deg / 360.0  # 2022-09-08, 12:00 local mean time
    assert night_of(noon + 0.001, T090) == "2022-09-08"
    assert night_of(noon - 0.001, T090) == "2022-09-07"
    assert night_of(2459831.01, Telescope(name="nowhere")) == "2022-09-08"


@pytest.mark.parametrize(("ra", "dec", "known"), [
    ("00 00 00", "+00 00 00", False), ("00:00:00.0", "00:00:00", False), (0.0, 0.0, False),
    (0, "0", False), ("", "", False), ("00 00 00", "+10 00 00", True), (0.0, 42.3, True)])
def test_a_place_of_zeros_is_no_pointing(ra: object, dec: object, known: bool) -> None:
    """What camera programs write that know no place."""
    found = base.pointing({"RA": ra, "DEC": dec}, "RA", "DEC", ra_unit="deg")
    assert (found is not None) is known
