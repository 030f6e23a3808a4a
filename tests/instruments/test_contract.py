"""What every instrument has to keep."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

from iop4d.instruments.base import Header, Instrument
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameKind
from iop4d.model.polarimeter import Analyser
from tests.instruments.headers import CAFOS, DIPOL, OSN, read

JD_2015 = 2457023.5  # the year 2015 begins

ALL = pytest.mark.parametrize("instrument", find_instruments(), ids=lambda one: one.name)


def test_the_five_instruments_are_there() -> None:
    assert {one.name for one in find_instruments()} == {
        "RoperT90", "AndorT90", "AndorT150", "CAFOS", "DIPOL"}


@ALL
def test_every_instrument_has_sane_facts_and_names_their_sources(
        instrument: Instrument) -> None:
    assert instrument.name
    assert 0 < instrument.scale_arcsec < 10
    assert 0 < instrument.gain_e_adu < 20
    assert 0 < instrument.read_noise_e < 50
    assert 1000 < instrument.saturation_adu <= 65535
    assert instrument.telescope.is_placed
    assert FrameKind.SCIENCE not in instrument.masters
    figures = {"scale_arcsec", "gain_e_adu", "read_noise_e", "saturation_adu"}
    if instrument.sky_angle_deg is not None:
        figures.add("sky_angle_deg")
    if instrument.system.own_bands:
        figures.add("system")
    assert set(instrument.sources) == figures
    assert all(instrument.sources.values())


@ALL
def test_no_instrument_recognises_a_header_that_tells_nothing(instrument: Instrument) -> None:
    headers: list[Header] = [{}, {"INSTRUME": None}, {"INSTRUME": "", "TELESCOP": ""},
                             {"INSTRUME": 7}]
    for header in headers:
        assert not instrument.recognises(header)


@ALL
def test_every_polarimeter_has_its_angles_and_constants_on_all_dates(
        instrument: Instrument) -> None:
    polarimeter = instrument.polarimeter
    assert polarimeter is not None  # every one of the five is one
    angles = polarimeter.angles_deg
    assert 2 < polarimeter.fewest <= len(angles) == len(set(angles))
    assert set(np.diff(angles)) == {45.0 if polarimeter.analyser is Analyser.POLARISER else 22.5}
    for jd in np.arange(JD_2015, JD_2015 + 365.25 * 20, 7.3):
        constants = polarimeter.constants_at(float(jd))
        assert constants is not None
        assert constants.source
        # fractions, not percent
        assert all(abs(value) < 0.1 for value in (constants.q0, constants.u0))
        assert all(0 <= err < 0.01 for err in (constants.q0_err, constants.u0_err))
        assert abs(constants.angle_deg) <= 90 > constants.angle_err_deg >= 0


@ALL
def test_two_images_come_with_a_plate_and_never_with_a_polariser(
        instrument: Instrument) -> None:
    assert instrument.polarimeter is not None
    plate = instrument.polarimeter.analyser is Analyser.HALF_WAVE_PLATE
    assert (instrument.beams is not None) == plate
    if instrument.beams is not None:
        assert instrument.beams.offset_px[0] < 0  # the left image against the right one
        assert instrument.beams.source


HEADERS = pytest.mark.parametrize("header", [OSN, OSN | {"INSTRUME": "RoperT90", "JD": 2459000.4},
                                             OSN | {"INSTRUME": "AndorT150"}, CAFOS, DIPOL],
                                  ids=lambda header: header["INSTRUME"])


@HEADERS
def test_a_header_is_recognised_by_one_instrument_alone(header: dict[str, Any]) -> None:
    facts = read(header)
    assert [one.name for one in find_instruments() if one.recognises(header)] == [facts.instrument]


@HEADERS
def test_padding_changes_nothing(header: dict[str, Any]) -> None:
    padded = {card: f"{value}   " if isinstance(value, str) else value
              for card, value in header.items()}
    assert read(padded) == read(header)


@HEADERS
def test_an_exposure_with_a_decimal_comma_is_read(header: dict[str, Any]) -> None:
    assert read(header, EXPTIME="12,5").exptime_s == 12.5


@HEADERS
def test_whatever_a_card_says_the_frame_is_read_or_refused_with_a_reason(
        header: dict[str, Any]) -> None:
    instruments = find_instruments()
    for card in header:
        for value in (None, "", "   ", "junk", "1,5", "nan", -7, 1e300, float("inf"), True):
            odd = header | {card: value}
            with contextlib.suppress(FrameError):  # any other error is a traceback to an observer
                facts = instrument_for(odd, instruments).read(odd, "frame-0001R.fit")
                assert np.isfinite([facts.jd_start, facts.exptime_s, *facts.origin]).all()
                assert min(facts.shape) > 0


@HEADERS
def test_frames_for_focusing_are_left_alone(header: dict[str, Any]) -> None:
    with pytest.raises(FrameError, match="focus"):
        read(header, IMAGETYP="focus")
    with pytest.raises(FrameError, match="focus"):
        read(header, OBJECT="Focus R")
    with pytest.raises(FrameError, match="focus"):
        read(header, "Focus-0001.fit")
