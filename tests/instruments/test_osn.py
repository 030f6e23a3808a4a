"""The CCDs of Sierra Nevada: headers as they really look."""

from __future__ import annotations

import pytest

from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameKind
from tests.instruments.headers import OSN, constants, read


@pytest.mark.parametrize(("said", "band", "angle"), [
    ("R_45", "R", -45.0), ("R-45", "R", -45.0), ("R0", "R", 0.0), ("R45", "R", 45.0),
    ("R+45", "R", 45.0), ("R90", "R", 90.0), ("V45", "V", 45.0), ("B_45 ", "B", -45.0)])
def test_the_polariser_s_angle_is_in_the_filter_s_name(said: str, band: str, angle: float) -> None:
    facts = read(OSN, FILTER=said)
    assert (facts.band, facts.mode, facts.polariser_deg) == (band, "polarimetry", angle)
    assert facts.beams == 1


@pytest.mark.parametrize("said", ["R", "R Johnson", "R  "])
def test_a_plain_filter_is_photometry(said: str) -> None:
    facts = read(OSN, FILTER=said)
    assert (facts.band, facts.mode, facts.polariser_deg) == ("R", "photometry", None)


def test_a_flat_through_a_polariser_is_a_flat_of_its_band() -> None:
    facts = read(OSN, IMAGETYP="FLAT", FILTER="R45")
    assert (facts.kind, facts.band, facts.mode) == (FrameKind.FLAT, "R", "photometry")


def test_the_first_word_names_the_target() -> None:
    assert read(OSN, OBJECT="BLLac R45").object == "BLLac"
    assert read(OSN, OBJECT=" OJ287_R").object == "OJ287"
    assert read(OSN, OBJECT="OJ287_R_45").object == "OJ287"
    assert read(OSN, OBJECT="3C_273 R").object == "3C_273"
    assert read(OSN, OBJECT="TXS0506").object == "TXS0506"
    assert read(OSN, OBJECT=None).object == ""


@pytest.mark.parametrize(("jd", "date", "instrument"), [
    (2459510.4, "2021-10-22T21:36:00", "RoperT90"), (2459511.4, "2021-10-23T21:36:00", "AndorT90"),
    (None, "2021-10-22T21:36:00", "RoperT90"), (None, "2021-10-23T21:36:00", "AndorT90"),
    # The small hours belong to the night before.
    (None, "2021-10-23T03:00:00", "RoperT90")])
def test_a_camera_called_roper_is_one_or_the_other_by_its_night(
        jd: float | None, date: str, instrument: str) -> None:
    header = OSN | {"JD": jd, "DATE-OBS": date, "INSTRUME": "RoperT90"}
    assert read(header).instrument == instrument
    gains = {i.name: i.gain_e_adu for i in find_instruments()}
    assert gains[instrument] == (7.14 if instrument == "RoperT90" else 4.5)


def test_the_andor_of_the_1_5_m_telescope_had_a_shorter_name_once() -> None:
    for said in ("Andor", "AndorT150"):
        facts = read(OSN, INSTRUME=said, TELESCOP="T150-OSN")
        assert (facts.instrument, facts.telescope) == ("AndorT150", "OSN-T150")
    with pytest.raises(FrameError, match="no known instrument"):
        read(OSN, INSTRUME="Andor", TELESCOP="Elsewhere")


def test_a_frame_without_a_date_is_no_ropers_and_says_what_it_lacks() -> None:
    with pytest.raises(CardError, match="DATE-OBS"):
        read(OSN | {"DATE-OBS": None}, INSTRUME="RoperT90", JD=None)


def test_the_1_5_m_telescope_has_constants_of_its_own() -> None:
    """An old trap: reductions once used those of the 0.9 m telescope."""
    own, other = constants("AndorT150", 2460000.5), constants("AndorT90", 2460000.5)
    assert (own.q0, own.u0, own.angle_deg) == (0.0158, 0.0382, 0.1)
    assert (other.q0, other.u0, other.angle_deg) == (0.0579, 0.0583, -18.0)
    assert constants("RoperT90", 2459000.5).q0 == other.q0


def test_a_part_of_the_detector_begins_where_the_header_says() -> None:
    assert read(OSN, XORGSUBF=300, YORGSUBF=200).origin == (300, 200)
    assert read(OSN).origin == (0, 0)
