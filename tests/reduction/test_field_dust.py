"""Behind a polariser: what the transparency, the dust and the target itself may fake."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.source import Catalogue, SourceKind
from iop4d.reduction.polarise import polarise
from tests.reduction.polarimetry_groups import (
    CATALOGUE,
    CHI,
    MAG,
    NAMES,
    SETTINGS,
    STARS,
    TARGET,
    P,
    behind_dust,
    group,
    instrument,
    result,
)


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


@pytest.mark.parametrize("field_stars", [10, 0])
def test_without_the_catalogue_s_dust_is_as_observed_less_the_catalogue_s(field_stars: int) -> None:
    """An old fault: of a polariser, all that the field stars share was subtracted instead."""
    frames = group("AndorT90", isp=(0.01, -0.004), field_stars=field_stars)
    known = behind_dust(0.006, 0.002, 0.001)
    found = result(frames, "AndorT90", catalogue=known)
    name = f"{found.method}-isp"
    assert name == ("ensemble-isp" if field_stars else "plain-isp")
    without = result(frames, "AndorT90", replace(SETTINGS, method={"AndorT90": name}),
                     catalogue=known)
    assert without.method == name
    assert (found.q - without.q, found.u - without.u) == pytest.approx((0.006, 0.002), abs=1e-9)
    assert without.q_err == pytest.approx(found.q_err)


def test_the_errors_with_and_without_the_catalogue_s_dust_are_those_of_both_that_know_it() -> None:
    """Under a steady sky the stars show the dust d to z, the error of the instrument's constants,
    and the catalogue to c. As observed the weighted mean of both counts, with its error; what is
    left of that without the catalogue's value is its part of the difference: c c / hypot(c, z)."""
    catalogue_err = 0.002
    known = behind_dust(0.01, -0.004, catalogue_err)
    steady = replace(SETTINGS, transparency_scatter=1e-5)
    frames = group("AndorT90", isp=(0.01, -0.004))
    observed = result(frames, "AndorT90", steady, catalogue=known)
    without = result(frames, "AndorT90", replace(steady, method={"AndorT90": "ensemble-isp"}),
                     catalogue=known)
    polarimeter = instrument("AndorT90").polarimeter
    assert polarimeter is not None
    constants = polarimeter.constants[0]
    err = math.hypot(constants.q0_err, constants.u0_err) / math.sqrt(2.0)  # nearly the same
    both = math.hypot(catalogue_err, err)
    assert observed.q0_err == pytest.approx(catalogue_err * err / both, rel=0.04)
    assert without.q0_err == pytest.approx(catalogue_err**2 / both, rel=0.04)


def test_the_zero_angle_s_error_is_in_the_dust_that_stars_show_not_in_the_catalogue_s() -> None:
    frames = group("AndorT90", isp=(0.02, 0.0))
    tool = instrument("AndorT90")
    assert tool.polarimeter is not None

    def dust(angle_err_deg: float, catalogue: Catalogue) -> ResultValue:
        assert tool.polarimeter is not None
        wide = replace(tool, polarimeter=replace(tool.polarimeter, constants=tuple(
            replace(c, angle_err_deg=angle_err_deg) for c in tool.polarimeter.constants)))
        return polarise(frames, catalogue=catalogue, instrument=wide, settings=SETTINGS).results[0]

    sure, wary = dust(0.0, CATALOGUE), dust(10.0, CATALOGUE)
    assert wary.u_isp_err == pytest.approx(math.hypot(
        sure.u_isp_err, wary.q_isp * math.radians(20.0)))
    assert dust(10.0, behind_dust(0.02, 0.0)).u_isp_err == pytest.approx(1e-5)


def test_the_magnitude_is_free_of_the_dust_that_a_catalogue_gets_wrong() -> None:
    """Against calibrators the target is modulated as the stars show it, at three positions too."""
    frames = group("AndorT90", isp=(0.01, -0.004))[:3]
    for dust in ((0.01, -0.004), (-0.03, 0.03)):
        assert result(frames, "AndorT90", catalogue=behind_dust(*dust)).mag == pytest.approx(
            MAG, abs=2e-3)
