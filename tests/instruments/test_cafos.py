"""CAFOS: headers as they really look."""

from __future__ import annotations

import pytest

from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameKind
from tests.instruments.headers import CAFOS, read


def test_a_wollaston_frame_is_read() -> None:
    facts = read(CAFOS)
    assert (facts.instrument, facts.telescope, facts.mode, facts.beams) == (
        "CAFOS", "CAHA-T220", "polarimetry", 2)
    assert (facts.band, facts.object, facts.polariser_deg) == ("R", "1652+398", 0.0)
    assert facts.pointing_deg == (253.467, 39.760)
    assert facts.origin == (512, 512)
    assert not facts.subframe
    assert facts.night == "2025-09-13"


@pytest.mark.parametrize(("said", "angle"), [
    (0.0, 0.0), (22.48, 22.5), (44.98, 45.0), (67.48, 67.5), ("22,48", 22.5), (89.99, 0.0)])
def test_the_plate_s_position_is_nearly_a_round_one(said: object, angle: float) -> None:
    assert read(CAFOS, INSPOROT=said).polariser_deg == angle


def test_a_plate_anywhere_else_is_refused() -> None:
    with pytest.raises(CardError, match=r"INSPOROT.*30 deg"):
        read(CAFOS, INSPOROT=30.0)


@pytest.mark.parametrize("said", ["FREE", "free      ", "", None])
def test_without_the_wollaston_it_is_photometry_whatever_the_mode_says(said: str | None) -> None:
    facts = read(CAFOS, INSPOFPI=said, INSTRMOD="Polarizer")
    assert (facts.mode, facts.polariser_deg, facts.beams) == ("photometry", None, 1)


def test_other_optics_in_the_place_of_the_wollaston_are_named() -> None:
    with pytest.raises(FrameError, match=r"'Etalon' \(INSPOFPI\)"):
        read(CAFOS, INSPOFPI="Etalon")


@pytest.mark.parametrize(("said", "band"), [
    ("BessellR", "R"), ("John R", "R"), ("JohnsonR", "R"), ("Cous R", "R"), ("CousinsR", "R"),
    ("BessellV", "V"), ("John B", "B"), ("CousinsI", "I"), ("JohnsonU  ", "U")])
def test_a_filter_has_many_names(said: str, band: str) -> None:
    assert read(CAFOS, INSFLNAM=said).band == band


def test_free_is_no_filter() -> None:
    with pytest.raises(FrameError, match="no filter in the beam"):
        read(CAFOS, INSFLNAM="free      ")
    assert read(CAFOS, INSFLNAM="free", IMAGETYP="flat").band is None
    for said in ("H-alpha", "Gunn r", "r"):
        with pytest.raises(FrameError, match=f"'{said}'.*none of U, B, V, R, I"):
            read(CAFOS, INSFLNAM=said)


@pytest.mark.parametrize("kind", ["flat", "domeflat", "twilight"])
def test_flats_have_many_names_too(kind: str) -> None:
    facts = read(CAFOS, IMAGETYP=kind)
    assert (facts.kind, facts.mode, facts.beams) == (FrameKind.FLAT, "photometry", 1)


def test_arcs_and_spectra_are_left_alone_with_their_reason() -> None:
    with pytest.raises(FrameError, match="calibration lamp"):
        read(CAFOS, IMAGETYP="arc")
    for kind in ("science", "flat"):
        with pytest.raises(FrameError, match=r"a spectrum .*'green-200'"):
            read(CAFOS, INSGRNAM="green-200", INSGRID="GRISM- 9", IMAGETYP=kind)
    with pytest.raises(FrameError, match=r"a spectrum .*'GRISM- 9'"):
        read(CAFOS, INSGRNAM=None, INSGRID="GRISM- 9")


def test_a_free_place_in_the_grism_wheel_has_a_number_too() -> None:
    for name in ("free      ", "FREE", None):
        assert read(CAFOS, INSGRID="GRISM-11", INSGRNAM=name).kind is FrameKind.SCIENCE


def test_a_bias_may_be_taken_with_a_grism_in_the_closed_beam() -> None:
    facts = read(CAFOS, IMAGETYP="bias", INSGRID="GRISM- 1", INSGRNAM="blue-100", INSFLNAM="free",
                 EXPTIME=None)
    assert (facts.kind, facts.band, facts.exptime_s) == (FrameKind.BIAS, None, 0.0)


def test_the_time_comes_from_the_best_card_there_is() -> None:
    best = read(CAFOS).jd_start
    assert read(CAFOS | {"DATE-OBS": None}).jd_start == best
    assert read(CAFOS | {"DATE-OBS": "2025-09-13"}).jd_start == best
    rough = read(CAFOS | {"DATE-OBS": None, "DATE": None}).jd_start
    assert rough == pytest.approx(best, abs=2e-5)
    for mjd in (None, -1.0):  # some frames of 2017 have a negative one
        with pytest.raises(CardError, match="DATE-OBS"):
            read(CAFOS | {"DATE-OBS": None, "DATE": None, "MJD-OBS": mjd})


@pytest.mark.parametrize(("said", "origin"), [
    ("[513,513,1312,1312]", (512, 512)), ("[513:1312,513:1312]", (512, 512)),
    ("[513,513:1312,1312]", (512, 512)), ("[ 501,   1:1300, 800]", (500, 0)),
    ("[1,1,800,800]", (0, 0)), ("[513,513,1500,1500]", (0, 0)), (None, (0, 0)), ("junk", (0, 0))])
def test_a_window_s_place_is_in_datasec(said: str | None, origin: tuple[int, int]) -> None:
    assert read(CAFOS, DATASEC=said).origin == origin
