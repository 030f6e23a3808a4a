"""Groups from measurements to results: polariser and plate, magnitudes, choices, traps of old."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser, Beams, InstrumentalPolarisation, Polarimeter
from iop4d.model.result import NAN, FieldStar, Measurement, ResultValue
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction import apertures
from iop4d.reduction.groups import positions_of
from iop4d.reduction.plots import plot_modulation
from iop4d.reduction.polarise import polarise
from iop4d.science.stokes import Stokes, rotated

SETTINGS = Polarimetry()
TARGET = Source(name="T", ra_deg=120.0, dec_deg=30.0, kind=SourceKind.TARGET)
STARS = tuple(
    Source(name=f"C{n}", ra_deg=120.01 + n / 100, dec_deg=30.0, kind=SourceKind.CALIBRATOR,
           calibrates=("T",), magnitudes={"R": (13.0 + n / 2, 0.01)}) for n in range(4))
CATALOGUE = Catalogue(version=1, sources=(TARGET, *STARS))
MAG, P, CHI = 14.5, 0.15, 30.0


def instrument(name: str) -> Instrument:
    return next(i for i in find_instruments() if i.name == name)


def seen(name: str, jd: float, p: float = P, chi: float = CHI) -> tuple[float, float]:
    """q and u as an instrument sees them: turned back, its own added."""
    polarimeter = instrument(name).polarimeter
    assert polarimeter is not None
    constants = polarimeter.constants_at(jd)
    assert constants is not None
    two = math.radians(2 * chi)
    sky = Stokes(q=p * math.cos(two), u=p * math.sin(two), covariance=np.eye(2), method="", n=1)
    back = rotated(sky, -constants.angle_deg)
    return back.q + constants.q0, back.u + constants.u0


def measurement(source: str, flux: float, beam: str = "", flags: int = 0) -> Measurement:
    err = 1e-3 * flux
    return Measurement(
        source=source, x=50.0, y=50.0, flux=flux, flux_err=err, mag_inst=-2.5 * math.log10(flux),
        mag_inst_err=1.086e-3, snr=1000.0, sky=10.0, flags=flags, beam=beam, photon_err=err)


Change = Callable[[MeasuredFrame], MeasuredFrame]


def group(name: str, *, clear: tuple[float, ...] = (1.0,) * 16, field_stars: int = 10,
          jd: float = 2460400.5, p: float = P,
          isp: tuple[float, float] = (0.0, 0.0)) -> list[MeasuredFrame]:
    """A group without noise: each position, its transparency, calibrators and field stars.

    ``isp``: q and u on the sky that all stars but the target have; of the target's they are a part.
    """
    tool = instrument(name)
    assert tool.polarimeter is not None
    plate = tool.beams is not None
    q, u = seen(name, jd, p=p)
    q0, u0 = seen(name, jd, p=math.hypot(*isp), chi=math.degrees(math.atan2(isp[1], isp[0])) / 2)
    frames = []
    for k, angle in enumerate(tool.polarimeter.angles_deg):
        phase = math.radians((4 if plate else 2) * angle)
        facts = FrameFacts(
            telescope=tool.telescope.name, instrument=name, kind=FrameKind.SCIENCE,
            night="2024-03-31", jd_start=jd + k / 1440, exptime_s=30.0, shape=(100, 100), band="R",
            mode="polarimetry", polariser_deg=angle, beams=2 if plate else 1)
        rows: list[Measurement] = []
        for source, mag, (sq, su) in (("T", MAG, (q, u)), *(
                (s.name, s.magnitudes["R"][0], (q0, u0)) for s in STARS)):
            flux = clear[k] * 10 ** (0.4 * (22.0 - mag))
            m = sq * math.cos(phase) + su * math.sin(phase)
            if plate:
                ordinary, extraordinary = flux / 2 * (1 + m), flux / 2 * (1 - m)
                rows += [measurement(source, ordinary + extraordinary),
                         measurement(source, ordinary, "O"),
                         measurement(source, extraordinary, "E")]
            else:
                rows.append(measurement(source, flux * (1 + m)))
        m0 = q0 * math.cos(phase) + u0 * math.sin(phase)
        field = () if plate else tuple(
            FieldStar(ra_deg=120.1 + n / 100, dec_deg=30.0, flux=1000 * clear[k] * (1 + m0),
                      flux_err=1.0) for n in range(field_stars))
        frames.append(MeasuredFrame(
            id=k, facts=facts, measurements=tuple(rows), fwhm_arcsec=2.0, airmass=1.1,
            bjd_tdb=jd, field_stars=field, aperture_arcsec=2.5))
    return frames


def result(frames: list[MeasuredFrame], name: str, settings: Polarimetry = SETTINGS, *,
           catalogue: Catalogue = CATALOGUE) -> ResultValue:
    polarised = polarise(frames, catalogue=catalogue, instrument=instrument(name),
                         settings=settings)
    assert polarised.refused == ()
    return next(r for r in polarised.results if r.source == "T")


NAMES = ("RoperT90", "AndorT90", "AndorT150", "CAFOS", "DIPOL")


@pytest.mark.parametrize("name", NAMES)
def test_a_group_gives_the_truth_on_the_sky_and_its_magnitude(name: str) -> None:
    found = result(group(name), name)
    assert (found.p, found.chi_deg) == pytest.approx((P, CHI), abs=2e-4)
    assert found.mag == pytest.approx(MAG, abs=2e-4)
    assert (found.q, found.u) == pytest.approx((P * math.cos(math.radians(60)),
                                                P * math.sin(math.radians(60))), abs=2e-4)
    assert found.mode == "polarimetry"
    assert found.n_calibrators == 4
    assert {m.method for m in found.methods} >= (
        {"fit", "fit-k", "ratio", "sum", "ordinary", "extraordinary"} if instrument(name).beams
        else {"ensemble", "plain"})


@pytest.mark.parametrize("name", ["CAFOS", "DIPOL"])
def test_what_all_results_of_an_instrument_share_stands_apart(name: str) -> None:
    """q0 and u0 turned to the sky by twice the zero angle, by hand; nothing of them is random."""
    found = result(group(name), name)
    polarimeter = instrument(name).polarimeter
    assert polarimeter is not None
    constants = polarimeter.constants_at(found.jd_mid)
    assert constants is not None
    two = math.radians(2.0 * constants.angle_deg)
    c, s = math.cos(two), math.sin(two)
    assert found.q0_err == pytest.approx(math.hypot(c * constants.q0_err, s * constants.u0_err))
    assert found.u0_err == pytest.approx(math.hypot(s * constants.q0_err, c * constants.u0_err))
    assert found.chi_err_common == pytest.approx(constants.angle_err_deg)
    method = next(m for m in found.methods if m.method == found.method)
    assert (found.q_err, found.p_err) == (method.q_err, method.p_err)
    assert math.isfinite(found.qu_cov)
    assert found.chi_err_deg == pytest.approx(math.degrees(found.p_err / found.p) / 2.0, rel=0.3)


@pytest.mark.parametrize("name", NAMES)
def test_changes_of_the_transparency_do_not_fake_polarisation(name: str) -> None:
    """Where the dust before the field stars is known; else the error says what they may fake."""
    frames = group(name, clear=(1.0, 0.95, 1.04, 0.9) * 4)
    found = result(frames, name, catalogue=behind_dust(0.0, 0.0))
    assert (found.p, found.chi_deg) == pytest.approx((P, CHI), abs=3e-4)
    assert found.mag == pytest.approx(MAG, abs=3e-4)
    unknown = result(frames, name)
    assert abs(unknown.q - found.q) < math.hypot(unknown.q_err, unknown.q0_err)
    assert abs(unknown.u - found.u) < math.hypot(unknown.u_err, unknown.u0_err)
    assert unknown.mag == pytest.approx(MAG, abs=3e-4)


def behind_dust(q: float, u: float, err: float = 1e-5) -> Catalogue:
    """The catalogue where it knows the interstellar polarisation of the target's field."""
    return Catalogue(version=2, sources=(replace(TARGET, interstellar=(q, err, u, err)), *STARS))


@pytest.mark.parametrize("name", ["AndorT90", "CAFOS"])
def test_the_polarisation_of_the_field_stays_in_as_observed_and_is_taken_out_on_request(
        name: str) -> None:
    """The same for a polariser and for two beams, so that cameras of one night agree."""
    isp = (0.01, -0.004)
    frames = group(name, clear=(1.0, 0.95, 1.04, 0.9), isp=isp)
    q, u = P * math.cos(math.radians(60)), P * math.sin(math.radians(60))
    found = result(frames, name, catalogue=behind_dust(*isp))
    assert (found.q, found.u) == pytest.approx((q, u), abs=3e-4)
    assert (found.q_isp, found.u_isp) == pytest.approx(isp, abs=1e-5)
    without = next(m for m in found.methods if m.method == f"{found.method}-isp")
    assert (without.q, without.u) == pytest.approx((q - isp[0], u - isp[1]), abs=3e-4)
    chosen = result(frames, name, replace(SETTINGS, method={name: f"{found.method}-isp"}),
                    catalogue=behind_dust(*isp))
    assert (chosen.method, chosen.q) == (without.method, without.q)
    assert chosen.mag == pytest.approx(MAG, abs=2e-3)


def test_dust_that_nobody_knows_is_within_the_error() -> None:
    """An old fault: 1 % of it was subtracted, at a stated error of 0.12 %."""
    q = P * math.cos(math.radians(60))
    for isp in (0.003, 0.01, 0.02):
        found = result(group("AndorT90", isp=(isp, 0.0)), "AndorT90")
        assert abs(found.q - q) < 2.0 * math.hypot(found.q_err, found.q0_err)
        assert abs(found.q_isp - isp) < 2.5 * found.q_isp_err
        assert found.mag == pytest.approx(MAG, abs=2e-3)


def test_a_field_of_little_extinction_has_a_small_error() -> None:
    clear, wide = (Catalogue(version=2, sources=(replace(TARGET, extinction=dust), *STARS))
                   for dust in ({"R": 0.05}, {}))
    sure, wary = (result(group("AndorT90"), "AndorT90", catalogue=c) for c in (clear, wide))
    assert math.hypot(sure.q_err, sure.q0_err) < 0.5 * math.hypot(wary.q_err, wary.q0_err)


def test_without_field_stars_the_plain_form_says_how_uncertain_it_is() -> None:
    found = result(group("AndorT90", field_stars=0), "AndorT90")
    assert found.method == "plain"
    assert found.p_err > 0.01  # 2 % of transparency
    assert found.flags & Flag.FEW_FIELD_STARS


def test_the_error_of_a_polariser_magnitude_is_free_of_the_polarisation() -> None:
    """An old trap: the scatter of the four fluxes was taken for the error of their mean."""
    errors = [result(group("AndorT90", p=p), "AndorT90").mag_err for p in (0.0, 0.1, 0.4)]
    assert errors == pytest.approx([errors[0]] * 3, rel=0.02)
    assert errors[0] < 0.01


def test_a_target_that_may_vary_has_an_error_that_says_so_and_a_standard_has_not() -> None:
    steady, lively = (replace(SETTINGS, variability=rate) for rate in (0.0, 0.2))
    known = behind_dust(0.0, 0.0).sources[0]
    target = Catalogue(version=1, sources=(known, *STARS))
    sure, wary = (result(group("AndorT90"), "AndorT90", s, catalogue=target).u_err
                  for s in (steady, lively))
    assert wary > 1.3 * sure
    star = Catalogue(version=1, sources=(replace(known, kind=SourceKind.STANDARD), *STARS))
    standard = polarise(group("AndorT90"), catalogue=star, instrument=instrument("AndorT90"),
                        settings=lively).results[0]
    assert standard.u_err == pytest.approx(sure)


def test_four_positions_show_a_part_of_a_target_s_own_change() -> None:
    frames = [replace(frame, measurements=tuple(
        replace(m, flux=m.flux * (1 + 3e-3 * k)) if m.source == "T" else m
        for m in frame.measurements)) for k, frame in enumerate(group("AndorT90"))]
    off = []
    for rate in (0.0, 0.2):
        found = result(frames, "AndorT90", replace(SETTINGS, variability=rate))
        off.append(math.hypot(found.q - P * math.cos(math.radians(2 * CHI)),
                              found.u - P * math.sin(math.radians(2 * CHI))))
    assert off[1] < 0.5 * off[0]


def test_a_missing_angle_of_one_star_costs_that_star_only() -> None:
    """An old trap: one star without one angle, and the whole group was lost."""
    frames = group("CAFOS")
    rows = tuple(m for m in frames[2].measurements if m.source != "C1")
    frames[2] = replace(frames[2], measurements=rows)
    assert result(frames, "CAFOS").p == pytest.approx(P, abs=3e-4)
    polariser = group("AndorT90")
    polariser[1] = replace(polariser[1], field_stars=polariser[1].field_stars[1:])
    found = result(polariser, "AndorT90")
    assert (found.method, found.p) == ("ensemble", pytest.approx(P, abs=3e-4))


def test_a_missing_position_is_told_and_the_rest_used() -> None:
    found = result(group("DIPOL")[:-3], "DIPOL")
    assert found.p == pytest.approx(P, abs=3e-4)
    assert found.flags & Flag.MISSING_ANGLES
    three = result(group("AndorT90")[:3], "AndorT90")
    assert three.p == pytest.approx(P, abs=2e-3)


def test_too_few_positions_are_refused_with_the_reason() -> None:
    polarised = polarise(group("DIPOL")[:7], catalogue=CATALOGUE, instrument=instrument("DIPOL"),
                         settings=SETTINGS)
    (alone,) = polarised.results  # the magnitude, by itself
    assert math.isnan(alone.p)
    assert alone.mag == pytest.approx(MAG, abs=1e-3)
    assert alone.mag_err < 0.01
    assert polarised.refused == (("T", "measured at 7 positions, at least 8 are needed"),)


def test_the_magnitude_behind_a_polariser_alone_has_the_error_of_any_polarisation() -> None:
    for n in (1, 2):
        polarised = polarise(group("AndorT90", p=0.05)[:n], catalogue=CATALOGUE,
                             instrument=instrument("AndorT90"), settings=SETTINGS)
        (alone,) = polarised.results
        assert abs(alone.mag - MAG) < 2.0 * alone.mag_err
        assert 0.03 < alone.mag_err < 0.05
        assert alone.flags & Flag.MISSING_ANGLES


def test_a_position_with_a_cosmic_ray_is_left_out() -> None:
    frames = group("DIPOL")
    rows = [replace(m, flux=2 * m.flux, flags=int(Flag.BAD_PIXELS))
            if (m.source, m.beam) == ("T", "O") else m for m in frames[5].measurements]
    frames[5] = replace(frames[5], measurements=tuple(rows))
    found = result(frames, "DIPOL")
    assert found.p == pytest.approx(P, abs=3e-4)
    assert found.flags & Flag.MISSING_ANGLES


def test_a_position_of_no_use_has_no_part_in_the_magnitude() -> None:
    frames = group("AndorT90")
    rows = [replace(m, flux=1.5 * m.flux, mag_inst=m.mag_inst - 0.44, flags=int(Flag.BAD_PIXELS))
            if m.source == "T" else m for m in frames[2].measurements]
    frames[2] = replace(frames[2], measurements=tuple(rows))
    found = result(frames, "AndorT90")
    assert found.mag == pytest.approx(MAG, abs=2e-3)
    assert not found.flags & Flag.BAD_PIXELS


def test_a_target_with_one_image_outside_the_frame_has_a_polarisation() -> None:
    frames = [replace(frame, measurements=tuple(
        m for m in frame.measurements if m.source != "T" or m.beam == "O"))
        for frame in group("CAFOS")]
    found = result(frames, "CAFOS")
    assert found.method == "ordinary"
    assert found.p == pytest.approx(P, abs=3e-3)
    assert found.mag == pytest.approx(MAG, abs=3e-3)


def test_a_position_that_fits_nothing_is_told_and_makes_the_error_large() -> None:
    frames = group("CAFOS")
    rows = [replace(m, flux=1.05 * m.flux) if (m.source, m.beam) == ("T", "O") else m
            for m in frames[1].measurements]
    frames[1] = replace(frames[1], measurements=tuple(rows))
    found = result(frames, "CAFOS")
    assert found.flags & Flag.POOR_FIT
    assert abs(found.p - P) < 3 * found.p_err


def test_one_image_serves_where_the_other_is_spoilt() -> None:
    spoilt = {("T", "O"): 0.3, ("T", ""): 0.15}  # a neighbour's light, taken off badly
    frames = [replace(frame, measurements=tuple(
        m if (light := spoilt.get((m.source, m.beam))) is None else replace(
            m, flux=(1 + light) * m.flux, flags=int(Flag.BLENDED), neighbours=light)
        for m in frame.measurements)) for frame in group("CAFOS")]
    found = result(frames, "CAFOS")
    assert found.method == "extraordinary"
    assert found.flags & Flag.ONE_BEAM
    assert found.p == pytest.approx(P, abs=2e-3)
    assert found.mag == pytest.approx(MAG, abs=2e-3)


def test_the_method_can_be_chosen_for_an_instrument_or_a_source() -> None:
    for key in ("DIPOL", "DIPOL/T"):
        found = result(group("DIPOL"), "DIPOL", replace(SETTINGS, method={key: "sum"}))
        assert found.method == "sum"
    other = result(group("DIPOL"), "DIPOL", replace(SETTINGS, method={"DIPOL/U": "sum"}))
    assert other.method == "fit-k"


def test_the_constants_are_those_of_the_date_of_the_frames() -> None:
    """An old trap: one set of constants for all dates."""
    for jd in (2460100.5, 2460400.5):
        assert result(group("DIPOL", jd=jd), "DIPOL").p == pytest.approx(P, abs=3e-4)


def test_frames_may_come_in_any_order() -> None:
    frames = group("CAFOS", clear=(1.0, 0.9, 0.95, 1.0) * 4)
    assert result(frames[::-1], "CAFOS") == result(frames, "CAFOS")


def test_the_host_s_light_is_taken_off_magnitude_and_polarisation() -> None:
    named = replace(TARGET, other_names=("Mrk 421",))
    catalogue = Catalogue(version=1, sources=(named, *STARS))
    polarised = polarise(group("AndorT90"), catalogue=catalogue,
                         instrument=instrument("AndorT90"), settings=SETTINGS)
    found = next(r for r in polarised.results if r.source == "T")
    assert found.host_mjy > 0.5
    assert found.mag_nucleus > found.mag
    total = 3080e3 * 10 ** (-0.4 * found.mag)
    assert found.p_nucleus == pytest.approx(found.p_debiased * total / (total - found.host_mjy))


def test_a_target_without_calibrators_has_a_polarisation_and_no_magnitude() -> None:
    frames = [replace(frame, measurements=tuple(
        m for m in frame.measurements if m.source == "T")) for frame in group("CAFOS")]
    found = result(frames, "CAFOS")
    assert found.p == pytest.approx(P, abs=3e-4)
    assert math.isnan(found.mag)
    assert found.flags & Flag.NO_CALIBRATORS
    assert math.isnan(found.p_limit)
    assert math.isnan(found.mag_nucleus)


@pytest.mark.parametrize("name", ["AndorT90", "DIPOL"])
def test_the_modulation_is_drawn(name: str) -> None:
    png = plot_modulation(group(name), TARGET, instrument=instrument(name), settings=SETTINGS,
                          reported="ensemble" if name == "AndorT90" else "fit-k")
    with Image.open(BytesIO(png)) as picture:
        assert picture.size == (800, 500)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_scintillation_is_in_the_error_of_a_position_alone_and_cancels_in_a_pair() -> None:
    frames = group("AndorT90")
    positions = positions_of(frames, instrument("AndorT90").telescope)
    # Young 1967, of 0.9 m at 2896 m, 30 s, airmass 1.1; photons make 1e-3.
    air = 0.09 * 90 ** (-2 / 3) * 1.1**1.75 / math.sqrt(60.0) * math.exp(-2896 / 8000)
    alone, paired = positions.beam("T"), positions.beam("T", alone=False)
    assert alone.err / alone.flux == pytest.approx(math.hypot(1e-3, air), rel=1e-3)
    assert paired.err / paired.flux == pytest.approx(1e-3)


def test_the_catalogue_s_error_does_not_average_out_over_the_positions() -> None:
    found = result(group("CAFOS"), "CAFOS")
    assert found.mag_err_common == pytest.approx(0.01 / math.sqrt(4), rel=0.1)
    assert found.mag_err < 0.002
    own = result(group("DIPOL"), "DIPOL")  # whose R is its own: 0.05 mag
    assert own.flags & Flag.OWN_BAND
    assert own.mag_err_common == pytest.approx(math.hypot(0.005, 0.05), rel=0.01)
    assert own.mag_err < 0.002


def test_a_neighbour_s_light_makes_the_magnitude_of_a_group_uncertain() -> None:
    def crowded(frame: MeasuredFrame) -> MeasuredFrame:
        return replace(frame, measurements=tuple(
            replace(m, neighbours=0.2) if m.source == "T" else m for m in frame.measurements))

    alone = result(group("DIPOL"), "DIPOL").mag_err
    found = result([crowded(frame) for frame in group("DIPOL")], "DIPOL").mag_err
    relative = 0.15 * 0.2  # in all positions alike
    assert found == pytest.approx(math.hypot(alone, 2.5 / math.log(10) * relative), rel=0.05)


# Two Wollaston prisms, one after the other: P1 at 0 and P3 at 45 degrees.

PRISMS = {"P1": Beams(offset_px=(24.6, 30.6), tolerance_px=(3.0, 3.0), analyser_deg=0.0,
                      ratio=0.02, ratio_err=0.001),
          "P3": Beams(offset_px=(-0.9, 38.5), tolerance_px=(3.0, 3.0), analyser_deg=45.0,
                      ratio=-0.01, ratio_err=0.001)}


def two_prisms(analysers: dict[str, Beams]) -> Instrument:
    return replace(
        instrument("CAFOS"), analysers=analysers, polarimeter=Polarimeter(
            analyser=Analyser.FIXED, angles_deg=(0.0, 45.0), fewest=2,
            constants=(InstrumentalPolarisation(q0=0.0, q0_err=1e-4, u0=0.0, u0_err=1e-4,
                                                angle_deg=10.0, angle_err_deg=0.5),)))


def behind_prisms(isp: float = 0.0) -> list[MeasuredFrame]:
    """One frame behind each prism, the beams of unequal transmission, stars behind a little dust.
    """
    two = math.radians(2 * (CHI - 10.0))
    frames = []
    for n, (name, beams) in enumerate(PRISMS.items()):
        facts = FrameFacts(
            telescope="CAHA-T220", instrument="CAFOS", kind=FrameKind.SCIENCE, night="2024-03-31",
            jd_start=2460400.5 + n / 1440, exptime_s=30.0, shape=(100, 100), band="R",
            mode="polarimetry", polariser_deg=beams.analyser_deg, beams=2, beam_element=name)
        rows: list[Measurement] = []
        for source, mag, (q, u) in (("T", MAG, (P * math.cos(two), P * math.sin(two))), *(
                (s.name, s.magnitudes["R"][0], (isp, isp)) for s in STARS)):
            m = (q, u)[n]
            light = (1.0, 0.9)[n] * 10 ** (0.4 * (22.0 - mag)) / 2
            ordinary = light * (1 + beams.ratio) * (1 + m)
            extraordinary = light * (1 - beams.ratio) * (1 - m)
            rows += [measurement(source, ordinary + extraordinary),
                     measurement(source, ordinary, "O"), measurement(source, extraordinary, "E")]
        frames.append(MeasuredFrame(
            id=n, facts=facts, measurements=tuple(rows), fwhm_arcsec=2.0, airmass=1.1,
            bjd_tdb=2460400.5, aperture_arcsec=2.5))
    return frames


@pytest.mark.parametrize("known", [True, False])
def test_two_prisms_one_after_the_other_give_q_and_u(known: bool) -> None:
    """The beams' ratio is the instrument's, or shown by the other stars."""
    analysers = PRISMS if known else {
        name: replace(beams, ratio=0.0, ratio_err=NAN) for name, beams in PRISMS.items()}
    polarised = polarise(behind_prisms(), catalogue=CATALOGUE, instrument=two_prisms(analysers),
                         settings=SETTINGS)
    found = next(r for r in polarised.results if r.source == "T")
    assert found.method == "analysers"
    assert (found.p, found.chi_deg) == pytest.approx((P, CHI), abs=5e-4)
    assert found.mag == pytest.approx(MAG, abs=3e-3)
    assert found.q_err > (0.0008 if known else 0.008)  # what the stars' own dust leaves open
    assert not found.flags & Flag.POOR_FIT


def test_one_prism_alone_is_refused_with_the_reason() -> None:
    polarised = polarise(behind_prisms()[:1], catalogue=CATALOGUE, settings=SETTINGS,
                         instrument=two_prisms(PRISMS))
    assert [math.isnan(value.p) for value in polarised.results] == [True]
    assert polarised.refused == (("T", "measured at 1 positions, at least 2 are needed"),)


def test_each_frame_s_pairs_are_those_of_its_prism() -> None:
    tool = two_prisms(PRISMS)
    for name, frame in zip(PRISMS, behind_prisms(), strict=True):
        assert tool.beams_of(frame.facts) == PRISMS[name]
    plain = replace(behind_prisms()[0].facts, beam_element="")
    assert tool.beams_of(plain) == tool.beams


def faint(frames: list[MeasuredFrame], snr: float) -> list[MeasuredFrame]:
    """The group with a target of so many sigmas in each frame."""
    def of(m: Measurement) -> Measurement:
        return m if m.source != "T" else apertures.with_flux(
            replace(m, photon_err=m.flux / snr), m.flux, m.flux / snr)

    return [replace(frame, measurements=tuple(map(of, frame.measurements))) for frame in frames]


def test_a_group_of_frames_that_are_too_faint_each_may_be_detected_together() -> None:
    found = result(faint(group("AndorT90", p=0.0), 2.5), "AndorT90")
    assert found.mag == pytest.approx(MAG, abs=0.01)
    assert found.mag_err == pytest.approx(1.086 / 5.0, rel=0.05)
    assert not found.flags & (Flag.NOT_DETECTED | Flag.UPPER_LIMIT)
    assert math.isnan(found.mag_limit)


def test_a_group_below_three_sigma_has_a_limit() -> None:
    found = result(faint(group("AndorT90", p=0.0), 1.0), "AndorT90")
    assert math.isnan(found.mag)
    assert found.flags & Flag.UPPER_LIMIT
    # Two sigma together: three are brighter by half.
    assert found.mag_limit == pytest.approx(MAG - 2.5 * math.log10(1.5), abs=0.02)
    assert found.flux_mjy == pytest.approx(2.0 * found.flux_mjy_err, rel=0.05)


@pytest.mark.parametrize("name", ["AndorT90", "CAFOS", "DIPOL"])
def test_the_angle_follows_a_camera_that_is_turned_with_its_polariser(name: str) -> None:
    """By 37 degrees: what the instrument sees of chi is that less than before."""
    tool = instrument(name)
    assert tool.sky_angle_deg is not None
    up = tool.sky_angle_deg[0]
    straight, over, turned = (result([replace(frame, sky_angle_deg=up + angle)
                                      for frame in group(name)], name)
                              for angle in (1.0, 180.0, 37.0))
    assert straight.chi_deg == pytest.approx(CHI, abs=0.05)
    assert over.chi_deg == pytest.approx(CHI, abs=0.05)
    assert turned.chi_deg == pytest.approx(CHI + 37.0, abs=0.05)
    assert turned.flags & Flag.FIELD_ROTATED  # until the site's file says where it stands
    assert not (straight.flags | over.flags) & Flag.FIELD_ROTATED


def test_a_camera_that_turned_without_its_polariser_or_within_a_group_is_told() -> None:
    tool = instrument("AndorT90")
    assert tool.polarimeter is not None
    fixed = replace(tool, polarimeter=replace(tool.polarimeter, turns_with_camera=False))
    frames = [replace(frame, sky_angle_deg=37.0) for frame in group("AndorT90")]
    found = polarise(frames, catalogue=CATALOGUE, instrument=fixed, settings=SETTINGS).results[0]
    assert found.flags & Flag.FIELD_ROTATED
    assert found.chi_deg == pytest.approx(CHI, abs=0.05)
    within = [replace(frame, sky_angle_deg=10.0 * n) for n, frame in enumerate(group("AndorT90"))]
    assert result(within, "AndorT90").flags & Flag.FIELD_ROTATED
