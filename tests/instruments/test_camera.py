"""A camera that is described: each key of its section, and what a wrong card or key is told."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments import base, moments
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.errors import CardError, ConfigError, FrameError
from iop4d.model.frame import FrameKind
from iop4d.model.units import isot_of_jd
from tests.instruments.cameras import PLAIN, SECTION, camera, read


def is_read_at(cards: dict[str, Any], *keys: str) -> str:
    """The start to a tenth of a second."""
    return isot_of_jd(read(cards, *keys).jd_start)[:21]


# Who it is.


@pytest.mark.parametrize(("pattern", "value", "same"), [
    ("Cam", "Cam  ", True), ("Cam", "cam", False), ("1", 1.0, True), ("1.0", 1, True),
    ("1", 2, False), ("Cam*", "Cam 7", True), ("Cam ?", "Cam 7", True), ("Cam ?", "Cam 77", False),
    ("Aspen-47 [[]2]", "Aspen-47 [2]", False), ("Aspen-47 [2]", "Aspen-47 [2]", True),
    ("Aspen-47 [*]", "Aspen-47 [15]", True), ("*", "anything", True), ("*", "", False),
    ("*", None, False), ("", None, True), ("", "  ", True), ("", "x", False), ("T", True, True),
    ("True", True, True), ("1", "1,0", True)])
def test_a_card_is_compared_with_text_a_number_or_a_pattern(pattern: str, value: object,
                                                           same: bool) -> None:
    assert base.matches(value, pattern) is same


def test_a_camera_is_known_by_a_missing_card() -> None:
    one = camera("bias_exptime = 0")
    other = instrument_of(parse_site(SECTION.replace(
        'INSTRUME = "Cam"', 'INSTRUME = "", SITE = "X*"') + "pixel_scale = 1", root=Path("/"))
        .camera[0])
    assert one.recognises(PLAIN)
    assert not other.recognises(PLAIN | {"SITE": "X1"})
    assert other.recognises({"SITE": "X1"})


@pytest.mark.parametrize(("wanted", "cards", "why"), [
    ('DEVICE = "Apogee Aspen-47 [15]"', {"DEVICE": "Apogee Aspen-47 [2]"},
     "section 'Cam' nearly fits, but DEVICE is 'Apogee Aspen-47 [2]' and not 'Apogee Aspen-47 [15"),
    ('INSTRUME = "Cam", GAIN = "2"', {"GAIN": 1.0}, "nearly fits, but GAIN is '1.0' and not '2'"),
    ('INSTRUME = "Cam", SITE = "X*"', {}, "but SITE is missing or empty and not 'X*'"),
    ('INSTRUME = "Finder"', {}, "Describe the camera in a [[camera]] section of the site file, "
     "which 'iop4d instruments draft' writes from some frames")])
def test_a_section_that_nearly_fits_is_named_with_the_card_that_differs(
        wanted: str, cards: dict[str, Any], why: str) -> None:
    one = instrument_of(parse_site(SECTION.replace('INSTRUME = "Cam"', wanted)
                                   + "pixel_scale = 1", root=Path("/")).camera[0])
    with pytest.raises(FrameError) as error:
        instrument_for(PLAIN | cards, (*find_instruments(), one))
    assert why in str(error.value)
    assert str(error.value).endswith(
        "such frames are read again once the site file has a section that fits")


# Its kind.


@pytest.mark.parametrize(("said", "kind"), [
    ("Bias Frame", "bias"), ("zero", "bias"), ("DARK", "dark"), ("Dark Frame", "dark"),
    ("FlatDark", "dark"), ("Flat Field", "flat"), ("Sky Flat", "flat"), ("SKYFLAT", "flat"),
    ("Light Frame", "science"), ("LIGHT", "science"), ("object  ", "science"),
    ("EXPOSE", "science")])
def test_the_usual_words_for_kinds_need_no_list(said: str, kind: str) -> None:
    assert read({"IMAGETYP": said}, 'kind_card = "IMAGETYP"').kind == FrameKind(kind)


@pytest.mark.parametrize(("path", "kind"), [
    ("night/M67_001.fits", "science"), ("night/Bias_001.fits", "bias"),
    ("night/Darks 300s/M67_001.fits", "dark"), ("night/flats/R/sub/001.fits", "flat"),
    ("flats/night/R/sub/001.fits", "science")])
def test_a_kind_is_told_by_the_name_of_the_file_or_of_a_folder_about_it(path: str,
                                                                       kind: str) -> None:
    names = 'kind_names = { "bias*" = "bias", "darks*/" = "dark", "flats/" = "flat" }'
    assert read({}, names, path=path).kind == FrameKind(kind)


def test_of_a_name_and_a_card_the_name_counts_and_without_both_the_exposure() -> None:
    names = 'kind_names = { "*dark*" = "dark" }'
    card = 'kind_card = "IMAGETYP"'
    assert read({"IMAGETYP": "Light"}, names, card, path="my dark.fits").kind is FrameKind.DARK
    assert read({"IMAGETYP": "Flat"}, names, card).kind is FrameKind.FLAT
    assert read({}, names, card).kind is FrameKind.SCIENCE
    assert read({"EXPTIME": "6,4E-05"}, "bias_exptime = 0.001").kind is FrameKind.BIAS
    assert read({}, "bias_exptime = 0.001").kind is FrameKind.SCIENCE
    with pytest.raises(CardError, match="IMAGETYP: is missing"):
        read({}, card)
    with pytest.raises(CardError, match=r"is 'Lamp'.*the key kinds says what others mean"):
        read({"IMAGETYP": "Lamp"}, card)


# Its band.


def test_a_camera_without_filters_has_one_band() -> None:
    assert read({"FILTER": None}, 'band = "C"').band == "C"
    with pytest.raises(CardError, match="FILTER: is missing or empty; the key band of the"):
        read({"FILTER": None})


def test_a_band_is_told_by_the_card_or_before_it_by_the_file_s_name() -> None:
    keys = 'bands = { "Johnson *R" = "R", "*" = "C" }', 'band_names = { "*-V-*" = "V" }'
    assert read({"FILTER": "johnson/R"}, *keys).band == "C"
    assert read({"FILTER": "Johnson R"}, *keys).band == "R"
    assert read({"FILTER": "Johnson R"}, *keys, path="M67-v-1.fits").band == "V"
    assert read({"FILTER": 48}, 'bands = { "48" = "I" }').band == "I"


# Its time.


@pytest.mark.parametrize(("cards", "keys", "start"), [
    ({"DATE-OBS": "2013-07-13", "UT": "00:57:33"}, 'clock_card = "UT"', "2013-07-13T00:57:33.0"),
    ({"DATE-OBS": "29/11/51", "UT": "12:07:00.00"}, 'clock_card = "UT"', "1951-11-29T12:07:00.0"),
    ({"DATE-OBS": "04/07/18", "TIME-OBS": "14:03:03,5"}, 'clock_card = "TIME-OBS"',
     "2018-07-04T14:03:03.5"),
    ({"DATE-OBS": "04/07/18", "TIME-OBS": "14:03:03"},
     'clock_card = "TIME-OBS"\ndate_order = "mdy"', "2018-04-07T14:03:03.0"),
    ({"DATE-OBS": "18/07/04", "TIME-OBS": "14:03:03"},
     'clock_card = "TIME-OBS"\ndate_order = "ymd"', "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "4/7/2018", "TIME-OBS": "2:03:03 PM"}, 'clock_card = "TIME-OBS"',
     "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "2018/07/04", "UT": "14-03-03"}, 'clock_card = "UT"', "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "20180704", "UT": "14 03 03"}, 'clock_card = "UT"', "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "04-Jul-2018", "UT": "14h03m03s"}, 'clock_card = "UT"',
     "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": 56486.0, "UT": "00:57:33"}, 'clock_card = "UT"', "2013-07-13T00:57:33.0"),
    ({"DATE-OBS": "2018-07-04", "UT": 14.5}, 'clock_card = "UT"', "2018-07-04T14:30:00.0"),
    ({"DATE-OBS": "2018-07-04T14:03:03", "UT": "no matter"}, 'clock_card = "UT"',
     "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "2018-07-04T14-03-03"}, "", "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "04/07/2018 14:03:03"}, "", "2018-07-04T14:03:03.0"),
    ({"DATE-OBS": "2018-07-04T23:59:60"}, "", "2018-07-05T00:00:00.0"),
    ({"DATE-OBS": "2018-07-04T24:00:00"}, "", "2018-07-05T00:00:00.0"),
    ({"DATE-OBS": "2019-04-29T20:25:29.8219583"}, "", "2019-04-29T20:25:29.8"),
    ({"DATE-OBS": "2018-07-04T14:03:03"}, 'time_zone = "Europe/Madrid"', "2018-07-04T12:03:03.0"),
    ({"DATE-OBS": "2018-12-04T14:03:03"}, 'time_zone = "Europe/Madrid"', "2018-12-04T13:03:03.0"),
    ({"DATE-OBS": "2018-07-04", "UT": "01:00:00"}, 'clock_card = "UT"\ntime_zone = "+02:00"',
     "2018-07-03T23:00:00.0"),
    ({"DATE-OBS": "2018-07-04T14:03:03Z"}, 'time_zone = "-03:30"', "2018-07-04T14:03:03.0"),
    ({}, 'time_is = "middle"', "2024-03-14T21:29:30.0"),
    ({}, 'time_is = "end"', "2024-03-14T21:29:00.0"),
    ({"EXPTIME": 1.0}, 'time_is = "end"\nexptime_unit = "min"', "2024-03-14T21:29:00.0"),
    # TAI was 37 s ahead of UTC from 2017 on, 36 s before, 33 s in 2008; TT 32.184 s more; GPS 19 s
    # less. A text or a card that says UT is in UTC.
    ({"TIMESYS": "TAI"}, "", "2024-03-14T21:29:23.0"),
    ({"TIMESYS": "tt", "DATE-OBS": "2024-03-14T21:30:09.184"}, "", "2024-03-14T21:29:00.0"),
    ({"TIMESYS": "TDB", "DATE-OBS": "2024-03-14T21:30:09.184"}, "", "2024-03-14T21:29:00.0"),
    ({"TIMESYS": "GPS"}, "", "2024-03-14T21:29:42.0"),
    ({"TIMESYS": "TAI", "DATE-OBS": "2016-12-31T12:00:36"}, "", "2016-12-31T12:00:00.0"),
    ({"TIMESYS": "TAI", "DATE-OBS": "2008-07-04T12:00:33"}, "", "2008-07-04T12:00:00.0"),
    ({"TIMESYS": "TAI", "MJD-OBS": 60383.75}, 'time_card = "MJD-OBS"', "2024-03-14T17:59:23.0"),
    ({"TIMESYS": "TAI", "DATE-OBS": "2024-03-14T21:30:00Z"}, "", "2024-03-14T21:30:00.0"),
    ({"TIMESYS": "TAI", "UT": "21:30:00"}, 'clock_card = "UT"', "2024-03-14T21:30:00.0"),
    ({"TIMESYS": "UTC"}, "", "2024-03-14T21:30:00.0"),
    ({"TIMESYS": "UTC approximate"}, "", "2024-03-14T21:30:00.0"),
])
def test_a_time_is_read_as_old_and_new_programs_write_it(cards: dict[str, Any], keys: str,
                                                         start: str) -> None:
    assert is_read_at(cards, keys) == start


@pytest.mark.parametrize(("cards", "keys", "why"), [
    ({"DATE-OBS": "2013-07-13"}, "", "DATE-OBS: is '2013-07-13', no date and time such as"),
    ({"DATE-OBS": 56486.0}, "", "a date without a time of day; clock_card names the card"),
    ({"DATE-OBS": "2013-07-13"}, 'clock_card = "UT"', "UT: is missing"),
    ({"DATE-OBS": "2013-07-13", "UT": "25:00:00"}, 'clock_card = "UT"', "no time of day"),
    ({"DATE-OBS": "2013-07-13", "UT": "86000"}, 'clock_card = "UT"', "no time of day"),
    ({"DATE-OBS": "2013-02-30", "UT": "01:00:00"}, 'clock_card = "UT"', "no day of the calendar"),
    ({"DATE-OBS": "31/12/99 10:00:00"}, 'date_order = "mdy"', "no day of the calendar"),
    ({"DATE-OBS": "2018-10-28T02:30:00"}, 'time_zone = "Europe/Madrid"', "clocks .* changed"),
    ({"DATE-OBS": "2018-03-25T02:30:00"}, 'time_zone = "Europe/Madrid"', "clocks .* changed")])
def test_a_time_that_is_none_is_refused_with_its_card(cards: dict[str, Any], keys: str,
                                                      why: str) -> None:
    with pytest.raises(CardError, match=why):
        read(cards, keys)


def test_an_unknown_time_zone_is_told() -> None:
    with pytest.raises(ConfigError, match="'Cam': time_zone: no such time zone: 'Mars/Olympus'"):
        camera('time_zone = "Mars/Olympus"')
    with pytest.raises(ValueError, match="no such time zone"):
        moments.zone_of("")


@pytest.mark.parametrize(("unit", "said", "seconds"), [
    ("s", "60,5", 60.5), ("ms", 250, 0.25), ("us", 64, 64e-6), ("min", 50, 3000.0), ("h", 1, 3600)])
def test_an_exposure_time_has_its_unit(unit: str, said: object, seconds: float) -> None:
    assert read({"EXPTIME": said}, f'exptime_unit = "{unit}"').exptime_s == pytest.approx(seconds)


# Its detector.


@pytest.mark.parametrize(("said", "binning"), [
    ("2x2", 2), ("2*2", 2), ("1 1", 1), ("(2, 2)", 2), ("3,3", 3), ("2 X 2", 2), (4, 4), ("2", 2)])
def test_a_binning_is_read_in_every_usual_form(said: object, binning: int) -> None:
    assert read({"BIN": said}, 'binning_card = "BIN"').binning == binning


@pytest.mark.parametrize(("cards", "keys", "missing"), [
    ({}, ['binning_card = "BIN"'], "BIN"),
    ({"XBIN": 2}, ['binning_card = "XBIN"', 'binning_y_card = "YBIN"'], "YBIN")])
def test_a_binning_card_that_is_missing_is_named_and_no_binning_is_guessed(
        cards: dict[str, Any], keys: list[str], missing: str) -> None:
    with pytest.raises(CardError, match=rf"card {missing}: is missing; binning"):
        read(cards, *keys)


def test_a_binning_of_two_cards_must_be_the_same() -> None:
    keys = 'binning_card = "XBIN"', 'binning_y_card = "YBIN"'
    assert read({"XBIN": 2, "YBIN": 2}, *keys).binning == 2
    for cards in ({"XBIN": 2, "YBIN": 1}, {"XBIN": "2x1"}):
        with pytest.raises(CardError, match="binning 2x1 is not supported"):
            read(cards, *keys)


def test_the_figures_of_a_frame_s_own_header_are_those_of_its_instrument() -> None:
    keys = ("gain = 2.0", 'gain_card = "EGAIN"', 'read_noise_card = "RDNOISE"',
            'saturation_card = "SATURATE"')
    one, header = camera(*keys), PLAIN | {"EGAIN": "0,25", "RDNOISE": 3.5, "SATURATE": 4000}
    facts = one.facts_of(header, PurePath("x.fits"))
    own = one.for_frame(facts)
    assert (own.gain_e_adu, own.read_noise_e, own.saturation_adu) == (0.25, 3.5, 4000.0)
    bare = one.for_frame(one.facts_of(PLAIN, PurePath("x.fits")))
    assert (bare.gain_e_adu, bare.read_noise_e, bare.saturation_adu) == (2.0, 0.0, 65535.0)
    unsaid = camera(*keys[1:])  # the gain is the card's, where a frame has it
    assert [unsaid.for_frame(unsaid.facts_of(cards, PurePath("x.fits"))).gain_known
            for cards in (header, PLAIN)] == [True, False]
    assert own.gain_known
    assert bare.gain_known
    with pytest.raises(CardError, match="EGAIN: is 0, expected a number above 0"):
        read({"EGAIN": 0}, *keys)
    for nothing in (0, "0.0"):  # as programs write that do not know it
        known = camera(*keys, "read_noise = 7.5")
        facts = known.facts_of(header | {"RDNOISE": nothing}, PurePath("x.fits"))
        assert known.for_frame(facts).read_noise_e == 7.5
    with pytest.raises(CardError, match="RDNOISE: is -1, expected a number above 0"):
        read({"RDNOISE": -1}, *keys)


@pytest.mark.parametrize("keys", [(), ('gain_card = "EGAIN"', 'pixel_scale_card = "SCALE"')])
def test_the_figures_of_one_colour_of_a_mosaic_are_the_same_if_asked_twice(
        keys: tuple[str, ...]) -> None:
    scale = {} if not keys else {"scale": keys[1]}
    one = camera("gain = 1.5", 'bayer = "green"', *keys[:1], **scale)
    facts = one.facts_of(PLAIN | {"BAYERPAT": "RGGB", "EGAIN": 1.5, "SCALE": 0.4},
                         PurePath("x.fits"))
    once = one.for_frame(facts)
    assert once.gain_e_adu == 3.0
    assert once.for_frame(facts) == once


@pytest.mark.parametrize(("cards", "keys", "binned_twice"), [
    ({}, "pixel_scale = 0.5", 1.0),
    ({"SCALE": 0.9}, 'pixel_scale_card = "SCALE"', 0.9),
    ({"SCALE": 0.45}, 'pixel_scale_card = "SCALE"\nscale_is = "unbinned"', 0.9),
    ({}, "pixel_size = 4.0\nfocal_length = 1000", 1.6501),
    ({"XPIXSZ": 8.0}, 'pixel_size_card = "XPIXSZ"\nfocal_length = 1000', 1.6501),
    ({"XPIXSZ": 4.0}, 'pixel_size_card = "XPIXSZ"\nfocal_length = 1000\nscale_is = "unbinned"',
     1.6501),
    ({"XPIXSZ": 8.0, "FOCALLEN": 1000},
     'pixel_size_card = "XPIXSZ"\nfocal_length_card = "FOCALLEN"', 1.6501),
    ({"FOCALLEN": 1000}, 'pixel_size = 4.0\nfocal_length_card = "FOCALLEN"', 1.6501)])
def test_a_pixel_scale_is_given_or_of_cards_or_of_size_and_focal_length(
        cards: dict[str, Any], keys: str, binned_twice: float) -> None:
    one = camera('binning_card = "XBINNING"', scale=keys)
    facts = one.facts_of(PLAIN | cards | {"XBINNING": 2}, PurePath("x.fits"))
    assert one.for_frame(facts).pixel_arcsec(2) == pytest.approx(binned_twice, abs=1e-4)


def test_a_scale_that_its_card_lacks_is_told() -> None:
    with pytest.raises(CardError, match="SCALE: is missing, and the pixel scale with it"):
        read({}, scale='pixel_scale_card = "SCALE"')


def test_a_trimmed_frame_has_the_shape_of_its_light() -> None:
    facts = read({"TRIMSEC": "[  17: 528,   1: 470]", "BIASSEC": "[4:13,1:480]"},
                 'trim_card = "TRIMSEC"', 'overscan_card = "BIASSEC"')
    assert facts.shape == (470, 512)
    assert facts.detector.trim == (16, 528, 0, 470)
    assert facts.detector.overscan == (3, 13, 0, 480)
    assert read({}, 'trim = "[1:600,1:480]"', 'overscan = "[601:640,1:480]"').shape == (480, 600)
    assert read({}, 'trim_card = "TRIMSEC"').shape == (480, 640)
    with pytest.raises(CardError, match="TRIMSEC: is '1,2', no region"):
        read({"TRIMSEC": "1,2"}, 'trim_card = "TRIMSEC"')


def test_a_window_has_its_place_on_the_detector() -> None:
    assert read({"XORGSUBF": 100, "YORGSUBF": 50}).origin == (100, 50)
    assert read({}).origin == (0, 0)
    assert read({"XORGSUBF": 100}, 'window_card = ""').origin == (0, 0)
    assert read({"CCDSEC": "[513:1152,1:480]"}, 'window_card = "CCDSEC"').origin == (512, 0)
    with pytest.raises(CardError, match="YORGSUBF: is -3, no pixel"):
        read({"YORGSUBF": -3})


def test_rows_that_run_from_the_top_down_are_told_by_a_card() -> None:
    keys = 'flipped = { ROWORDER = "TOP*" }'
    assert read({"ROWORDER": "TOP-DOWN"}, keys).flipped
    assert not read({"ROWORDER": "BOTTOM-UP"}, keys).flipped
    assert not read({}).flipped


# What does not go together.


@pytest.mark.parametrize(("keys", "why"), [
    ("", r"pixel_scale: expected a number, or one of the keys"),
    ("pixel_size = 4.0", "expected a number, or one of the keys"),
    ('pixel_scale = 1.0\npixel_scale_card = "SCALE"', "the scale in one way only"),
    ('pixel_scale = 1.0\nbinning_y_card = "YBIN"', "expected the key binning_card with it"),
    ('pixel_scale = 1.0\nkinds = { x = "bias" }', "expected the key kind_card with it"),
    ('pixel_scale = 1.0\nband = "R"\nbands = { x = "V" }', "line 8: camera.band: expected either"),
    ('pixel_scale = 1.0\nband = "FILTER"', "a card is band_card"),
    ('pixel_scale = 1.0\ntrim = "[1:2,1:2]"\ntrim_card = "TRIMSEC"', "either trim or trim_card"),
    ('pixel_scale = 1.0\nra_card = ""', "both ra_card and dec_card, or neither"),
    ('pixel_scale = 1.0\nkind_names = { x = "light" }', "expected values of bias, dark, flat"),
    ('pixel_scale = 1.0\nexptime_unit = "hours"', "expected one of s, ms, us, min, h"),
])
def test_keys_that_do_not_go_together_are_refused(keys: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_site(f"{SECTION}\n{keys}\n", root=Path("/"))


def test_a_camera_must_be_known_by_something() -> None:
    with pytest.raises(ConfigError, match=r"identify is \{\}; expected at least one card"):
        parse_site(SECTION.replace('INSTRUME = "Cam"', "") + "pixel_scale = 1.0\n", root=Path("/"))


def test_a_right_ascension_that_begins_above_the_hours_of_a_day_is_in_degrees() -> None:
    for said, degrees in (("253:28:03", 253.4675), ("16:53:52.2", 253.4675),
                          ("23 59 59", 359.9958)):
        pointing = read({"RA": said, "DEC": "+39:45:36"}, 'ra_unit = "hour"').pointing_deg
        assert pointing == pytest.approx((degrees, 39.76), abs=1e-4)


def test_of_several_wheels_the_filter_is_in_the_one_that_is_not_open() -> None:
    keys = ('band_card = "FILTER1, FILTER2"', 'bands = { Open = "C" }')
    assert read({"FILTER1": "Open", "FILTER2": "V"}, *keys).band == "V"
    assert read({"FILTER1": "R", "FILTER2": "clear"}, *keys).band == "R"
    assert read({"FILTER1": "Open", "FILTER2": "Open"}, *keys).band == "C"
    with pytest.raises(CardError, match="FILTER1"):
        read({}, *keys)


def test_a_table_of_cards_is_as_good_as_a_key_for_each() -> None:
    keys = 'cards = { gain = "EGAIN", binning = "XBINNING", ra = "TELRA", dec = "TELDEC" }'
    facts = read({"EGAIN": 1.5, "XBINNING": 2, "TELRA": 10.0, "TELDEC": 5.0}, keys)
    assert (facts.detector.gain_e_adu, facts.binning, facts.pointing_deg) == (1.5, 2, (10.0, 5.0))
    with pytest.raises(ConfigError, match="names of keys that end in _card"):
        camera('cards = { gains = "EGAIN" }')


def test_seconds_since_midnight_are_a_time_of_day() -> None:
    keys = 'clock_card = "TM-START"'
    for said, expected in ((72662.5, "20:11:02.50"), (15, "00:00:15.00")):
        facts = read({"DATE-OBS": "2012-09-15", "TM-START": said}, keys)
        assert isot_of_jd(facts.jd_start)[:22] == f"2012-09-15T{expected}"


def test_a_packed_right_ascension_is_no_pointing() -> None:
    """An old fault: 165352.2 was 112 degrees, once round and round."""
    assert read({"RA": 165352.2, "DEC": 39.76}).pointing_deg is None
