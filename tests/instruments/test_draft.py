"""A section drafted from headers, as many programs write them, reads them right in every fact."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest

from iop4d.config.load import parse_site
from iop4d.fits.cards import parse_cards, parse_comments
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.draft import draft
from iop4d.instruments.draft_section import Example
from iop4d.model.errors import Iop4dError
from iop4d.model.frame import FrameFacts
from iop4d.model.units import isot_of_jd


def seen(path: str, *cards: str, **more: Any) -> Example:
    """A frame of 300 x 200 pixels with cards as they stand in a file."""
    raw = "".join(f"{line:<80.80}" for line in (
        "NAXIS   = 2", "NAXIS1  = 300", "NAXIS2  = 200", *cards)).encode("latin-1")
    return Example(path=PurePath(path), header=parse_cards(raw), comments=parse_comments(raw),
                   **more)


def section_of(*frames: Example) -> tuple[str, list[FrameFacts]]:
    """The section, and how it reads its frames."""
    text = draft(frames)
    (camera,) = parse_site(text, root=Path("/")).camera
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 12, text
    assert all("#" in line for line in text.splitlines() if re.match(r"[a-z_]+ = ", line)
               and not line.startswith("telescope")), text
    instrument = instrument_of(camera)
    assert all(instrument.recognises(one.header) for one in frames)
    return text, [instrument.facts_of(one.header, one.path) for one in frames]


def by_hand_of(facts: FrameFacts) -> dict[str, Any]:
    pointing = facts.pointing_deg and tuple(round(v, 3) for v in facts.pointing_deg)
    return {"kind": facts.kind.value, "band": facts.band, "exptime": facts.exptime_s,
            "middle": isot_of_jd(facts.jd_mid)[:21], "binning": facts.binning,
            "pointing": pointing, "shape": facts.shape, "gain": facts.detector.gain_e_adu}


DSLR = ("SWCREATE= 'CamProg'", "INSTRUME= 'CMOS 294C'", "XBINNING= 2", "YBINNING= 2",
        "DATE-OBS= '2024-04-16T15:33:12.388' / UTC start date", "XPIXSZ  = 7.5")
#: Headers of each kind of program, and by hand what they say.
HEADERS: dict[str, tuple[Example, dict[str, Any]]] = {
    "CMOS, no kind, exposure as text with a comma": (
        seen("bias-7.fits", *DSLR, "EXPTIME = '6,4E-05'", "GAIN    = 0 / the gain that is set"),
        {"kind": "bias", "band": None, "exptime": 6.4e-5, "middle": "2024-04-16T15:33:12.3",
         "binning": 2, "pointing": None, "shape": (200, 300), "gain": None}),
    "CMOS, kind by folder": (
        seen("darks/0007.fits", *DSLR, "EXPTIME = 10.", "GAIN    = 0"),
        {"kind": "dark", "band": None, "exptime": 10.0, "middle": "2024-04-16T15:33:17.3",
         "binning": 2, "pointing": None, "shape": (200, 300), "gain": None}),
    "CMOS, grabbed at the end, solved by another program": (
        seen("M1.fits", "INSTRUME= 'CMOS 290'", "EXPTIME = 2", "XBINNING= 1",
             "DATE-OBS= '2019-04-29T20:25:29.8219583' / System Clock-Frame Grabbed",
             "CTYPE1  = 'RA---TAN-SIP'", "CRVAL1  = 251.3374", "CRVAL2  = 89.0492"),
        {"kind": "science", "band": "C", "exptime": 2.0, "middle": "2019-04-29T20:25:28.8",
         "binning": 1, "pointing": (251.337, 89.049), "shape": (200, 300), "gain": None}),
    "SBFITSEXT with focal length and EGAIN": (
        seen("M33.fits", "TELESCOP= 'EQ6'", "INSTRUME= 'CMOS 294'", "IMAGETYP= 'Light Frame'",
             "DATE-OBS= '2018-09-17T21:04:46'", "EXPTIME = 240.", "XPIXSZ  = 4.63",
             "FOCALLEN= 400", "XBINNING= 1", "EGAIN   = 1.0022", "GAIN    = 120 / if supported",
             "OBJCTRA = '01 35 00'", "OBJCTDEC= '+30 44 25'", "SITELAT = '+40 00 00'",
             "SITELONG= '-03 00 00'"),
        {"kind": "science", "band": "C", "exptime": 240.0, "middle": "2018-09-17T21:06:46.0",
         "binning": 1, "pointing": (23.75, 30.740), "shape": (200, 300), "gain": 1.0022}),
    "placeholders for the pointing": (
        seen("x.fits", "INSTRUME= 'CMOS 294'", "IMAGETYP= 'LIGHT'", "EXPOSURE= 30.0 / [s]",
             "DATE-LOC= '2021-03-02T21:19:00.455' / local", "FILTER  = 'L'",
             "DATE-OBS= '2021-03-02T20:19:00.455' / (UTC)", "OBJCTRA = '00 00 00'",
             "OBJCTDEC= '+00 00 00'"),
        {"kind": "science", "band": "C", "exptime": 30.0, "middle": "2021-03-02T20:19:15.4",
         "binning": 1, "pointing": None, "shape": (200, 300), "gain": None}),
    "old IRAF: date and UT apart, overscan": (
        seen("a0420.fits", "TELESCOP= '1.0m'", "INSTRUME= 'CCD 3'", "DATE-OBS= '2013-07-13'",
             "IMAGETYP= 'object'", "FILTERS = 48", "RA      = ' 22:04:08'",
             "DEC     = '-00:55:31'", "UT      = '00:57:33' / UT at exposure start",
             "EXPTIME = 150.04", "TRIMSEC =  '[  17: 228,   1: 200]'",
             "BIASSEC =  '[   4:  13,   1: 200]'", "GAIN    = 1.9 / e-/ADU",
             "RDNOISE = 5.0", "MJD-OBS = 56486.0"),
        {"kind": "science", "band": "48", "exptime": 150.04, "middle": "2013-07-13T00:58:48.0",
         "binning": 1, "pointing": (331.033, -0.925), "shape": (200, 212), "gain": 1.9}),
    "a scanned plate": (
        seen("p.fits", "TELESCOP= 'Schmidt'", "PLATEID = '07HH'", "DATE-OBS= '29/11/51'",
             "UT      = '12:07:00.00'", "EXPOSURE= 5.0E+01 /Exposure time minutes",
             "BANDPASS= 8", "PLTSCALE= 67.2", "XPIXELSZ= 25.28445", "OBJCTRA = '08 51 20.1'",
             "OBJCTDEC= '+11 48 43.0'"),
        {"kind": "science", "band": "R", "exptime": 3000.0, "middle": "1951-11-29T12:32:00.0",
         "binning": 1, "pointing": (132.834, 11.812), "shape": (200, 300), "gain": None}),
    "an observatory with everything in cards": (
        seen("l.fits", "TELESCOP= '1m0-01'", "INSTRUME= 'fa15'", "OBSTYPE = 'EXPOSE'",
             "DATE-OBS= '2017-03-01T01:02:03.5'", "EXPTIME = 60.0", "FILTER  = 'ip'",
             "CCDSUM  = '2 2'", "PIXSCALE= 0.778", "GAIN    = 1.4 / [electrons/count]",
             "RDNOISE = 8.0", "SATURATE= 60000", "RA      = '10:00:00'", "DEC     = '-30:00:00'",
             "TRIMSEC = '[1:280,1:200]'", "BIASSEC = '[281:300,1:200]'", "LATITUDE= -32.38",
             "LONGITUD= 20.81", "HEIGHT  = 1804."),
        {"kind": "science", "band": "i", "exptime": 60.0, "middle": "2017-03-01T01:02:33.5",
         "binning": 2, "pointing": (150.0, -30.0), "shape": (200, 280), "gain": 1.4}),
    "INDI: kind in FRAME, hours in RA": (
        seen("k.fits", "INSTRUME= 'Atik'", "FRAME   = 'Flat'", "EXPTIME = 1500 / [ms]",
             "DATE-OBS= '2020-01-02T03:04:05'", "FILTER  = 'Red R'", "RA      = 5.5 / hours",
             "DEC     = 22.0", "SCALE   = 1.5"),
        {"kind": "flat", "band": "Red R", "exptime": 1.5, "middle": "2020-01-02T03:04:05.7",
         "binning": 1, "pointing": (82.5, 22.0), "shape": (200, 300), "gain": None}),
    "local time, which the Julian date gives away": (
        seen("m.fits", "INSTRUME= 'ST-8'", "PICTTYPE= 1", "EXPTIME = 60", "FILTER  = 'Johnson V'",
             "DATE-OBS= '2020-01-02T03:04:05'", "JD      = 2458850.586169 / at start"),
        {"kind": "science", "band": "V", "exptime": 60.0, "middle": "2020-01-02T02:04:35.0",
         "binning": 1, "pointing": None, "shape": (200, 300), "gain": None}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_drafted_section_reads_its_frame_right_in_every_fact(name: str) -> None:
    frame, by_hand = HEADERS[name]
    _, (facts,) = section_of(frame)
    assert by_hand_of(facts) == by_hand


def test_a_pixel_scale_is_that_at_binning_1() -> None:
    for name, scale in (("SBFITSEXT with focal length and EGAIN", 2.3875),
                        ("a scanned plate", 1.6991),
                        ("an observatory with everything in cards", 0.389)):
        assert f"pixel_scale = {scale}" in draft([HEADERS[name][0]])
    assert 'since = "1951-11-28"' in draft([HEADERS["a scanned plate"][0]])
    text = draft([seen("1.fits", "INSTRUME= 'Main'", "DATE-OBS= '2020-01-02T03:04:05'",
                       "IM_SCALE= 5.210 / Image scale in arc-secs/pixel")])
    assert re.search(r"pixel_scale = 5.21 +# IM_SCALE says 5.21\n", text)
    assert "773.5 / the focal length" in draft([HEADERS["CMOS, kind by folder"][0]])


def test_frames_of_all_kinds_give_one_section_with_their_masters_and_filters() -> None:
    common = ("INSTRUME= 'Cam (2)'", "DATE-OBS= '2020-01-02T03:04:05'", "EXPTIME = 5")
    text, facts = section_of(
        seen("1.fits", *common, "IMAGETYP= 'Bias Frame'"),
        seen("2.fits", *common, "IMAGETYP= 'Flat Field'", "FILTER  = 'P1-R'"),
        seen("3.fits", *common, "IMAGETYP= 'Light Frame'", "FILTER  = 'P3-R'", "TELESCOP= 'T'"),
        seen("4.fits", *common, "IMAGETYP= 'Light Frame'", "FILTER  = 'Clear'",
             clipped_adu=4095.0))
    assert [(f.kind.value, f.band) for f in facts] == [
        ("bias", None), ("flat", "R"), ("science", "R"), ("science", "C")]
    assert 'identify = { INSTRUME = "Cam (2)" }' in text
    assert "masters" not in text  # the default
    assert "saturation = 4095.0" in text


def test_a_file_s_name_that_says_more_than_its_card_counts() -> None:
    common = ("INSTRUME= 'Cam'", "DATE-OBS= '2020-01-02T03:04:05'", "EXPTIME = 5")
    _, facts = section_of(
        seen("SkyFlat-1.fits", *common, "IMAGETYP= 'Light'", "FILTER  = 'R'"),
        seen("M67-1.fits", *common, "IMAGETYP= 'Light'", "FILTER  = 'R'"))
    assert [f.kind.value for f in facts] == ["flat", "science"]
    _, facts = section_of(seen("M67_R_1.fits", *common), seen("M67_V_1.fits", *common))
    assert [f.band for f in facts] == ["R", "V"]


def test_what_no_header_tells_is_said() -> None:
    text, _ = section_of(seen("x.fits", "INSTRUME= 'Cam'", "DATE-OBS= '2020-01-02T03:04:05'",
                              "EXPTIME = 5", "STACKCNT= 187",
                              "FILTER  = 'Halpha'", second_image_px=(-24.6, -30.6)))
    for said in ("gain in electrons", "where pixels saturate", "pointing", "STACKCNT = 187",
                 "filter Halpha", "second image, at -24.6, -30.6 px behind Halpha",
                 "where the telescope stands", "CHANGE IT"):
        assert said in text


@pytest.mark.parametrize(("cards", "band"), [
    (("BAYERPAT= 'GRBG'",), "V"), (("BAYERPAT= 'RGGB'", "FILTER  = 'IRCUT'"), "V"),
    (("FILTER  = 'RGGB'",), "V"), (("BAYERPAT= 'RGGB'", "FILTER  = 'R'"), "R")])
def test_of_a_mosaic_of_colours_the_green_pixels_are_taken(cards: tuple[str, ...],
                                                           band: str) -> None:
    text, (facts,) = section_of(seen("x.fits", "INSTRUME= 'Cam'", "EXPTIME = 5",
                                     "DATE-OBS= '2020-01-02T03:04:05'", *cards))
    assert 'bayer = "green"' in text
    assert (facts.shape, facts.binning, facts.band) == ((100, 150), 2, band)
    assert facts.detector.mosaic.startswith("G:")


def test_a_date_of_which_day_and_month_are_not_known_is_said() -> None:
    common = ("INSTRUME= 'Cam'", "EXPTIME = 5", "UT      = '03:04:05'")
    text, (facts,) = section_of(seen("x.fits", *common, "DATE-OBS= '02/01/20'"))
    assert "whether 02/01/20 is day/month/year" in text
    assert facts.night == "2020-01-01"
    text, (facts,) = section_of(seen("x.fits", *common, "DATE-OBS= '01/22/20'"))
    assert 'date_order = "mdy"' in text
    assert facts.night == "2020-01-21"


def test_cameras_that_differ_are_not_described_as_one() -> None:
    frames = [seen("x.fits", f"INSTRUME= '{name}'") for name in ("ZWO ASI120", "ZWO ASI294")]
    with pytest.raises(Iop4dError, match="2 cameras, by INSTRUME: ZWO ASI120, ZWO ASI294"):
        draft(frames)
    assert 'INSTRUME = "Cam [*"' in draft([
        seen("x.fits", f"INSTRUME= 'Cam [{n}]'", "DATE-OBS= '2020-01-02T03:04:05'",
             "EXPTIME = 5") for n in (2, 15)])


def test_a_long_section_keeps_all_its_cards_in_one_table() -> None:
    """An old fault: those of gain, then those of the read noise and the height were left out."""
    frame, _ = HEADERS["an observatory with everything in cards"]
    text, (facts,) = section_of(frame)
    assert (facts.detector.gain_e_adu, facts.detector.saturation_adu) == (1.4, 60000.0)
    assert (camera := parse_site(text, root=Path("/")).camera[0]).height == 1804.0
    assert facts.detector.read_noise_e == 8.0
    assert 'gain = "GAIN"' in text
    assert camera.cards["gain"] == camera.gain_card == "GAIN"


def test_each_word_for_a_kind_that_files_have_is_a_pattern() -> None:
    """An old fault: files called zero or offset were science frames."""
    common = ("INSTRUME= 'Cam'", "DATE-OBS= '2020-01-02T03:04:05'", "EXPTIME = 5")
    _, facts = section_of(*(seen(f"{name}-1.fits", *common) for name in (
        "zero", "Offset", "dark", "skyflat", "M67")))
    assert [f.kind.value for f in facts] == ["bias", "bias", "dark", "flat", "science"]


def test_a_step_of_the_reduction_in_a_file_s_name_is_no_kind() -> None:
    """An old fault: M67_darksub.fits became a dark, against its card; now it is a question."""
    common = ("INSTRUME= 'Cam'", "DATE-OBS= '2020-01-02T03:04:05'", "EXPTIME = 5", "FILTER= 'R'",
              "IMAGETYP= 'Light'")
    text, facts = section_of(*(seen(f"{name}.fits", *common) for name in (
        "M67_darksub", "M67_flatfielded", "dome_flat_3")))
    assert [f.kind.value for f in facts] == ["science", "science", "flat"]
    assert "whether M67_darksub.fits is a dark, as its name may mean, or a science frame" in text
    _, facts = section_of(*(seen(f"{name}.fits", *common[:-1]) for name in (
        "M67_darksub", "M67_R_Flat-corrected", "dome_flat_3", "2020_dark_1")))  # without a card
    assert [f.kind.value for f in facts] == ["science", "science", "flat", "dark"]


@pytest.mark.parametrize(("latitude", "longitude", "height", "expected"), [
    ("37.0", "-200.5", "1200", (37.0, 159.5, 1200.0)),
    ("37.0", "-70.7", "-99999", (37.0, -70.7, 0)),
    ("37.0", "289.3", "99999", (37.0, 289.3, 0)), ("95.0", "10.0", "100", None),
    ("37.0", "400.0", "100", None)])
def test_a_place_is_one_that_the_site_file_accepts(
        latitude: str, longitude: str, height: str,
        expected: tuple[float, float, float] | None) -> None:
    """An old fault: the drafted section was refused for its height or its longitude."""
    text, _ = section_of(seen("x.fits", "INSTRUME= 'Cam'", "DATE-OBS= '2020-01-02T03:04:05'",
                              "EXPTIME = 5", f"SITELAT = {latitude}", f"SITELONG= {longitude}",
                              f"SITEELEV= {height}"))
    (camera,) = parse_site(text, root=Path("/")).camera
    if expected is None:
        assert "latitude" not in text.replace("latitude, longitude, height", "")
    else:
        assert (camera.latitude, camera.longitude, camera.height) == expected


def test_a_binning_card_that_is_drafted_is_counted_in_the_scale() -> None:
    """An old fault: two lists; with HBIN the binned pixel's scale was taken for that at 1."""
    text, (facts,) = section_of(seen("x.fits", "INSTRUME= 'Cam'", "EXPTIME = 5", "HBIN    = 2",
                                     "DATE-OBS= '2020-01-02T03:04:05'", "PIXSCALE= 0.8"))
    assert facts.binning == 2
    assert "pixel_scale = 0.4" in text


@pytest.mark.parametrize(("said", "calibrated"), [
    ("BDF", True), ("UNDEFINED", False), ("FALSE", False), ("CALIBRATED", True), ("B", False)])
def test_frames_that_their_calstat_calls_calibrated_need_no_masters(said: str,
                                                                  calibrated: bool) -> None:
    text = draft([seen("x.fits", "INSTRUME= 'Cam'", "DATE-OBS= '2020-01-02T03:04:05'",
                       "EXPTIME = 5", f"CALSTAT = '{said}'")])
    assert ("they are calibrated already" in text) is calibrated


COMMON = ("INSTRUME= 'Cam'", "EXPTIME = 60", "DATE-OBS= '2020-01-02T03:04:05'")


def photographed(path: str, level: float, seed: int, *cards: str, gain: float = 1.6,
                 read_noise: float = 8.0) -> Example:
    """A frame whose middle has so many electrons a pixel, and a bias of 300 ADU."""
    rng = np.random.default_rng(seed)
    shade = 1.0 + 0.1 * np.linspace(-1.0, 1.0, 200)
    electrons = rng.poisson(level * shade, (200, 200)) + rng.normal(0.0, read_noise, (200, 200))
    return seen(path, *COMMON[:1], "EXPTIME = 3", "FILTER  = 'R'", COMMON[2], *cards,
                middle=np.rint(300.0 + electrons / gain).astype(np.float32))


def calibration(*cards: str, gain: float = 1.6) -> list[Example]:
    return [*(photographed(f"flat{k}.fits", 30000.0 * (1.0 + 0.2 * k), k, *cards, gain=gain)
              for k in range(2)),
            *(photographed(f"bias{k}.fits", 0.0, 10 + k, *cards, gain=gain) for k in range(2)),
            photographed("m1.fits", 100.0, 20, *cards, gain=gain)]


def test_the_gain_is_measured_on_two_flats_and_two_bias_frames() -> None:
    """An old fault: it was 1, and the errors of all magnitudes were wrong without a word."""
    text = draft(calibration())
    (camera,) = parse_site(text, root=Path("/")).camera
    assert camera.gain == pytest.approx(1.6, rel=0.03)
    assert "measured by the noise of two flats and two bias frames" in text
    for few in (calibration()[1:], [one for one in calibration() if "bias0" not in one.path.name]):
        text = draft(few)
        assert "not known: the gain" in text
        assert "give two flats of one filter and two bias frames" in text


def test_flats_of_two_filters_or_too_faint_ones_tell_no_gain() -> None:
    for odd in (photographed("flat1.fits", 36000.0, 1, "CLEAR   = 'x'"),
                photographed("flat1.fits", 300.0, 1)):
        other = replace(odd, header={**odd.header, "FILTER": "B"}) if "CLEAR" in odd.header else odd
        first, _, *rest = calibration()
        assert "not known: the gain" in draft([first, other, *rest])


def test_flats_of_filters_in_another_card_and_other_read_outs_tell_no_gain() -> None:
    """Old faults: filters were compared in FILTER alone, and binnings by the middle's pixels."""
    first, second, *rest = [
        replace(one, header={name: value for name, value in one.header.items() if name != "FILTER"})
        for one in calibration("FILTNAM = 'R'")]
    for card, value in (("FILTNAM", "B"), ("NAXIS1", 150)):
        other = replace(second, header={**second.header, card: value})
        assert "not known: the gain" in draft([first, other, *rest]), card
    assert "measured by the noise" in draft([first, second, *rest])


def test_a_card_of_the_gain_is_doubted_where_flats_speak_against_it() -> None:
    text = draft(calibration("EGAIN   = 0.4"))
    assert "gain_card" in text
    assert "whether the gain is 0.4, as EGAIN says: by the noise of two flats it is 1.6" in text
    assert "whether the gain" not in draft(calibration("EGAIN   = 1.5"))




@pytest.mark.parametrize(("cards", "key", "value"), [
    (("DATE-END= '2020-01-02T03:04:05.4'",), "time_is", "end"),
    (("DATE-AVG= '2020-01-02T03:04:05.4'",), "time_is", "middle"),
    (("DATE-END= '2020-01-02T03:05:05.4'",), "time_is", "start"),
    (("EXPTIME = 60000", "DATE-END= '2020-01-02T03:05:05'"), "exptime_unit", "ms"),
    (("EXPTIME = 1", "DATE-END= '2020-01-02T03:05:05'"), "exptime_unit", "min"),
    (("SITELAT = 10.0", "SITELONG= '70 30 00' / degrees west"), "longitude", -70.5),
    (("SITELAT = 10.0", "SITELONG= '-70 30 00' / degrees West"), "longitude", -70.5),
    (("SITELAT = 10.0", "SITELONG= '70 30 00' / east positive"), "longitude", 70.5),
    (("APTDIA  = 392.0",), "diameter", 0.392),
    (("GAIN    = 0.5 / ADU per electron",), "gain", 2.0),
    (("GAIN    = 0.5 / electrons/DN",), "gain_card", "GAIN"),
    (("CAMBIN  = '2x2' / binning of the camera",), "binning_card", "CAMBIN"),
    (("XPIXSZ  = 10.0", "FOCALLEN= 2062.648", "XBINNING= 2", "PIXSCALE= 0.5"), "pixel_scale", 0.5),
    (("XPIXSZ  = 10.0", "FOCALLEN= 2062.648", "XBINNING= 2", "PIXSCALE= 1.0"), "pixel_scale", 0.5),
    (("PIXSCALE= 0.5 / unbinned", "XBINNING= 2"), "pixel_scale", 0.5),
    (("FOCLEN  = 2.062648 / [m]", "CCDXPIXE= 0.000010"), "pixel_scale", 1.0),
    (("OBJNAME = 'Mrk 421'",), "object_card", "OBJNAME"),
    (("FILTER  = 3", "FILTNAM = 'R'"), "band_card", "FILTNAM"),
    (("SATURATE= 90000 / e-",), "saturation_card", ""),
    (("SATURATE= '60000 ADU'",), "saturation_card", ""),
    (("RDNOISE = '5.5 e-'",), "read_noise", 5.5),
    (("GAIN    = '2.3 e-/ADU'",), "gain", 2.3),
    (("GAIN    = '2.3 dB'",), "gain_card", ""),
    (("XPIXSZ  = 10.0", "FOCALLEN= 2.062648 / m"), "pixel_scale", 1.0),
    (("RA      = 165352.2", "DEC     = 394536", "OBJRA   = 253.5", "OBJDEC  = 39.8"),
     "ra_card", "OBJRA"),
    (("DATE-OBS= '2020-01-02'", "TM-START= 15"), "clock_card", "TM-START"),
    (("DATE-OBS= '2020-01-02T03:04:05' / start of read-out",), "time_is", "end"),
    (("RDNOISE = 4.0 / ADU",), "read_noise_card", ""),
    (("BIASSEC = '[1:10,1:200]'", "DATASEC = '[11:300,1:200]'"), "trim_card", "DATASEC"),
])
def test_what_other_cards_tell_is_used(cards: tuple[str, ...], key: str, value: object) -> None:
    names = {line.partition("=")[0] for line in cards}
    common = tuple(line for line in COMMON if line.partition("=")[0] not in names)
    text, _ = section_of(seen("x.fits", *common, *cards))
    (camera,) = parse_site(text, root=Path("/")).camera
    assert getattr(camera, key) == value, text


@pytest.mark.parametrize(("cards", "said"), [
    (("RA      = 5.5", "DEC     = 22.0"), "whether RA = '5.5' is in degrees"),
    (("RA      = '05:30:00' / degrees", "DEC     = 22.0"), "text with colons is read as hours"),
    (("TIMESYS = 'TAI'",), "the time scale TAI"),
    (("JD      = 2458851.51234",), "which time is right: DATE-OBS and JD"),
    (("TRIMSEC = '[17:2064,1:2048]'",), "what TRIMSEC = [17:2064,1:2048] means"),
    (("BIASSEC = '[1:10,1:200]'",), "which pixels see light beside the overscan"),
    (("PIXSCALE= 0.5", "XBINNING= 2"), "or is it that of single pixels?"),
])
def test_what_cards_leave_open_is_said(cards: tuple[str, ...], said: str) -> None:
    text, _ = section_of(seen("x.fits", *COMMON, *cards))
    assert said in text


def test_a_time_of_the_file_alone_is_no_start() -> None:
    text, _ = section_of(seen("x.fits", *COMMON[:2], "DATE    = '2020-01-02T03:04:05' / creation"))
    assert 'time_is = "end"' in text
    assert "DATE may be long after it" in text
