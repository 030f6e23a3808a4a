"""The five instruments: headers as they really look, oddities and all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.errors import CardError, ConfigError, FrameError
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.polarimeter import InstrumentalPolarisation

OSN: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 1024, "NAXIS2": 1024, "TELESCOP": "T90-OSN", "INSTRUME": "AndorT90",
    "JD": 2459831.4375, "DATE-OBS": "2022-09-08T22:30:00", "EXPTIME": 60.0, "IMAGETYP": "LIGHT",
    "OBJECT": "BLLac R45", "FILTER": "R45", "OBJCTRA": "22 02 43", "OBJCTDEC": "+42 16 40",
    "XBINNING": 2, "YBINNING": 2}
CAFOS: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 800, "NAXIS2": 800, "TELESCOP": "CA-2.2", "INSTRUME": "CAFOS 2.2",
    "DATE-OBS": "2025-09-13T21:43:38.000", "DATE": "2025-09-13T21:43:38", "MJD-OBS": 60931.90530,
    "EXPTIME": 120.0, "IMAGETYP": "science", "OBJECT": "1652+398 0.0 deg", "INSFLNAM": "CousinsR",
    "INSTRMOD": "Polarizer", "INSPOFPI": "Wollaston", "INSPOROT": 0.0, "INSGRNAM": "free      ",
    "RA": 253.467, "DEC": 39.760, "CCDBINX": 1, "CCDBINY": 1, "DATASEC": "[513,513,1312,1312]",
    "CCDSENS": 1.43, "CCDSAT": 95000}
DIPOL: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 1120, "NAXIS2": 896, "TELESCOP": "T90-OSN", "INSTRUME": "ASI Camera (1)",
    "JD": 2460967.45, "DATE-OBS": "2025-10-18T22:48:00", "EXPTIME": 15.0,
    "IMAGETYP": "Light Frame", "OBJECT": "BLLac_R_IAR", "FILTER": "Red", "NOTES": "22.5 deg",
    "TELRA": 22.0454, "TELDEC": 42.2778, "XBINNING": 2, "YBINNING": 2, "XORGSUBF": 1512,
    "YORGSUBF": 963, "FLIPSTAT": ""}


def read(header: dict[str, Any], name: str = "frame-0001R.fit", **cards: Any) -> FrameFacts:
    full = {card: value for card, value in (header | cards).items() if value is not None}
    return instrument_for(full, find_instruments()).read(full, name)


def constants(name: str, jd: float) -> InstrumentalPolarisation:
    polarimeter = next(i for i in find_instruments() if i.name == name).polarimeter
    assert polarimeter is not None
    found = polarimeter.constants_at(jd)
    assert found is not None
    return found


# Sierra Nevada's CCDs.

@pytest.mark.parametrize(("said", "band", "angle"), [
    ("R_45", "R", -45.0), ("R-45", "R", -45.0), ("R0", "R", 0.0), ("R45", "R", 45.0),
    ("R+45", "R", 45.0), ("R90", "R", 90.0), ("V45", "V", 45.0), ("B_45 ", "B", -45.0)])
def test_the_polaroid_s_angle_is_in_the_filter_s_name(said: str, band: str, angle: float) -> None:
    facts = read(OSN, FILTER=said)
    assert (facts.band, facts.mode, facts.polariser_deg) == (band, "polarimetry", angle)
    assert facts.beams == 1


@pytest.mark.parametrize("said", ["R", "R Johnson", "R  "])
def test_a_plain_filter_is_photometry(said: str) -> None:
    facts = read(OSN, FILTER=said)
    assert (facts.band, facts.mode, facts.polariser_deg) == ("R", "photometry", None)


def test_a_flat_through_a_polaroid_is_a_flat_of_its_band() -> None:
    facts = read(OSN, IMAGETYP="FLAT", FILTER="R45")
    assert (facts.kind, facts.band, facts.mode) == (FrameKind.FLAT, "R", "photometry")


def test_the_first_word_names_the_target() -> None:
    assert read(OSN, OBJECT="BLLac R45").object == "BLLac"
    assert read(OSN, OBJECT=" OJ287_R").object == "OJ287"
    assert read(OSN, OBJECT=None).object == ""


@pytest.mark.parametrize(("jd", "date", "instrument"), [
    (2459510.49, "2021-10-22T23:45:00", "RoperT90"),
    (2459510.51, "2021-10-23T00:15:00", "AndorT90"),
    (None, "2021-10-22T23:45:00", "RoperT90"), (None, "2021-10-23T00:15:00", "AndorT90")])
def test_a_camera_called_roper_is_one_or_the_other_by_its_date(
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


def test_the_1_5_m_telescope_has_constants_of_its_own() -> None:
    """An old trap: reductions once used those of the 0.9 m telescope."""
    own, other = constants("AndorT150", 2460000.5), constants("AndorT90", 2460000.5)
    assert (own.q0, own.u0, own.angle_deg) == (0.0158, 0.0382, 0.1)
    assert (other.q0, other.u0, other.angle_deg) == (0.0579, 0.0583, -18.0)
    assert constants("RoperT90", 2459000.5).q0 == other.q0


def test_frames_for_focusing_are_left_alone() -> None:
    with pytest.raises(FrameError, match="focus"):
        read(OSN, OBJECT="focus R")
    with pytest.raises(FrameError, match="focus"):
        read(DIPOL, "Focus-0001.fit")


# CAFOS.

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


@pytest.mark.parametrize("said", ["FREE", "free      "])
def test_without_the_wollaston_it_is_photometry(said: str) -> None:
    facts = read(CAFOS, INSPOFPI=said)
    assert (facts.mode, facts.polariser_deg, facts.beams) == ("photometry", None, 1)


@pytest.mark.parametrize(("said", "band"), [
    ("BessellR", "R"), ("John R", "R"), ("JohnsonR", "R"), ("Cous R", "R"), ("CousinsR", "R"),
    ("BessellV", "V"), ("John B", "B"), ("CousinsI", "I"), ("JohnsonU  ", "U")])
def test_a_filter_has_many_names(said: str, band: str) -> None:
    assert read(CAFOS, INSFLNAM=said).band == band


def test_free_is_no_filter() -> None:
    with pytest.raises(FrameError, match="no filter in the beam"):
        read(CAFOS, INSFLNAM="free      ")
    assert read(CAFOS, INSFLNAM="free", IMAGETYP="flat").band is None
    with pytest.raises(FrameError, match="'H-alpha'"):
        read(CAFOS, INSFLNAM="H-alpha")


@pytest.mark.parametrize("kind", ["flat", "domeflat", "twilight"])
def test_flats_have_many_names_too(kind: str) -> None:
    facts = read(CAFOS, IMAGETYP=kind)
    assert (facts.kind, facts.mode, facts.beams) == (FrameKind.FLAT, "photometry", 1)


def test_arcs_and_spectra_are_left_alone_with_their_reason() -> None:
    with pytest.raises(FrameError, match="calibration lamp"):
        read(CAFOS, IMAGETYP="arc")
    with pytest.raises(FrameError, match=r"a spectrum .*'green-200'"):
        read(CAFOS, INSGRNAM="green-200")


def test_the_time_comes_from_the_best_card_there_is() -> None:
    best = read(CAFOS).jd_start
    assert read(CAFOS, **{"DATE-OBS": None}).jd_start == best
    assert read(CAFOS, **{"DATE-OBS": "2025-09-13"}).jd_start == best
    rough = read(CAFOS, **{"DATE-OBS": None, "DATE": None}).jd_start
    assert rough == pytest.approx(best, abs=2e-5)
    with pytest.raises(CardError, match="DATE-OBS"):
        read(CAFOS, **{"DATE-OBS": None, "DATE": None, "MJD-OBS": None})


@pytest.mark.parametrize(("said", "origin"), [
    ("[513,513,1312,1312]", (512, 512)), ("[513:1312,513:1312]", (512, 512)),
    ("[1,1,800,800]", (0, 0)), ("[513,513,1500,1500]", (0, 0)), (None, (0, 0)), ("junk", (0, 0))])
def test_a_window_s_place_is_in_datasec(said: str | None, origin: tuple[int, int]) -> None:
    assert read(CAFOS, DATASEC=said).origin == origin


# DIPOL.

def test_a_sub_frame_is_read() -> None:
    facts = read(DIPOL)
    assert (facts.instrument, facts.telescope, facts.mode, facts.beams) == (
        "DIPOL", "OSN-T090", "polarimetry", 2)
    assert (facts.band, facts.object, facts.polariser_deg) == ("R", "BLLac", 22.5)
    assert (facts.origin, facts.subframe, facts.flipped) == ((1512, 963), True, False)
    assert facts.pointing_deg == pytest.approx((330.681, 42.2778))


def test_before_october_2023_the_telescope_had_no_name() -> None:
    for said in ("", None, "   "):
        assert read(DIPOL, TELESCOP=said, TELRA=None, TELDEC=None).telescope == "OSN-T090"


def test_a_whole_frame_without_an_angle_is_photometry() -> None:
    for notes in ("", None, "clear sky"):
        facts = read(DIPOL, NAXIS1=4144, NAXIS2=2822, XORGSUBF=0, YORGSUBF=0, NOTES=notes)
        assert (facts.mode, facts.polariser_deg, facts.subframe) == ("photometry", None, False)
        assert facts.beams == 2  # the calcite plate stays in


@pytest.mark.parametrize("step", range(16))
def test_the_plate_has_sixteen_positions(step: int) -> None:
    assert read(DIPOL, NOTES=f"{22.5 * step} deg").polariser_deg == 22.5 * step


def test_a_position_between_them_is_refused() -> None:
    with pytest.raises(CardError, match="NOTES"):
        read(DIPOL, NOTES="30 deg")


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
    assert read(DIPOL, OBJECT="skyflat_R").kind is FrameKind.FLAT


def test_bias_and_dark_may_have_no_filter_but_light_must() -> None:
    assert read(DIPOL, IMAGETYP="Dark Frame", FILTER=None).band is None
    with pytest.raises(CardError, match="FILTER"):
        read(DIPOL, FILTER=None)
    assert [read(DIPOL, FILTER=said).band for said in ("Red", "Green", "Blue")] == ["R", "V", "B"]
    with pytest.raises(FrameError, match="'Halpha'"):
        read(DIPOL, FILTER="Halpha")


def test_a_flipped_frame_says_so() -> None:
    assert read(DIPOL, FLIPSTAT="Flip").flipped


def test_the_constants_are_those_of_the_frame_s_date() -> None:
    """The mirrors were cleaned on 2023-09-28 at 12:00 UT."""
    before, after = constants("DIPOL", 2460215.99), constants("DIPOL", 2460216.0)
    assert (before.q0, before.u0, before.angle_deg) == pytest.approx((0.000578, -0.03771, 44.5))
    assert (after.q0, after.u0, after.angle_deg) == pytest.approx((-0.000138, -0.040806, 45.1))


def test_an_offset_scales_with_the_binning() -> None:
    beams = next(i for i in find_instruments() if i.name == "DIPOL").beams
    assert beams is not None
    assert beams.at(2) == ((-209.0, 13.0), (36.0, 48.0))
    assert beams.at(4)[0] == (-104.5, 6.5)


# The site's own constants, and plug-ins.

def site(text: str) -> Any:
    return parse_site(text, root=Path("/"))


def test_a_site_s_own_constants_count_for_their_nights() -> None:
    own = site("""
[[polarimeter]]
instrument = "DIPOL"
since = "2024-01-01"
until = "2025-01-01"
q0 = 0.04
q0_err = 0.07
u0 = -4.55
u0_err = 0.07
angle = 41.0
angle_err = 3.0
pair_offset = [-400.0, 20.0]
sky_angle = 178.0
""")
    dipol = next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "DIPOL")
    assert dipol.polarimeter is not None
    assert dipol.beams is not None
    during = dipol.polarimeter.constants_at(2460400.5)
    assert during is not None
    assert (during.q0, during.u0, during.angle_deg) == pytest.approx((0.0004, -0.0455, 41.0))
    for jd, u0 in ((2460310.4, -0.040806), (2460677.6, -0.040806), (2460000.5, -0.03771)):
        outside = dipol.polarimeter.constants_at(jd)
        assert outside is not None
        assert outside.u0 == pytest.approx(u0)
    assert dipol.beams.at(2)[0] == (-200.0, 10.0)
    assert dipol.sky_angle_deg == (178.0, 0.0)


def test_what_a_site_does_not_set_stays_as_shipped_with_its_dates() -> None:
    own = site('[[polarimeter]]\ninstrument = "DIPOL"\nangle = 50.0\n')
    dipol = next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "DIPOL")
    assert dipol.polarimeter is not None
    for jd, u0 in ((2460000.5, -0.03771), (2460400.5, -0.040806)):
        found = dipol.polarimeter.constants_at(jd)
        assert found is not None
        assert (found.u0, found.angle_deg) == pytest.approx((u0, 50.0))


def test_constants_of_an_unknown_instrument_are_refused() -> None:
    own = site('[[polarimeter]]\ninstrument = "DIPOL2"\nq0 = 1.0\n')
    with pytest.raises(ConfigError, match="no such instrument; there are"):
        find_instruments(own.camera, own.polarimeter)


EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin"


def plug_in(folder: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with one entry point, as pip would lay it down."""
    info = folder / "iop4d_example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: iop4d-example\nVersion: 1.0\n",
                                   encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[iop4d.instruments]\nexample = {target}\n",
                                           encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_a_plug_in_brings_an_instrument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(tmp_path, "iop4d_example_camera:INSTRUMENT", monkeypatch)
    header = {"NAXIS": 2, "NAXIS1": 1080, "NAXIS2": 1920, "INSTRUME": "Balcony 50",
              "DATE-OBS": "2024-03-14T21:30:00", "EXPTIME": 10.0, "OBJECT": "M 42"}
    facts = instrument_for(header, find_instruments()).read(header, "x.fits")
    assert (facts.instrument, facts.band, facts.kind) == ("Balcony", "V", FrameKind.LIGHT)


@pytest.mark.parametrize(("target", "reason"), [
    ("iop4d_no_such_module:X", "cannot be loaded: ModuleNotFoundError"),
    ("math:pi", "is no Instrument")])
def test_a_broken_plug_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str,
                                   reason: str) -> None:
    plug_in(tmp_path, target, monkeypatch)
    with pytest.raises(ConfigError, match=f"'example' .*{reason}"):
        find_instruments()
