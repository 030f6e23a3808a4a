"""Groups from measurements to results: polariser and plate, choices, traps of old."""

from __future__ import annotations

import math
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iop4d.model.flags import Flag
from iop4d.model.source import Catalogue
from iop4d.reduction import plots
from iop4d.reduction.plots import plot_modulation
from tests.reduction.polarimetry_groups import (
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


def test_a_position_with_a_cosmic_ray_is_left_out() -> None:
    frames = group("DIPOL")
    rows = [replace(m, flux=2 * m.flux, flags=int(Flag.BAD_PIXELS))
            if (m.source, m.beam) == ("T", "O") else m for m in frames[5].measurements]
    frames[5] = replace(frames[5], measurements=tuple(rows))
    found = result(frames, "DIPOL")
    assert found.p == pytest.approx(P, abs=3e-4)
    assert found.flags & Flag.MISSING_ANGLES


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


def test_the_method_of_a_source_is_found_by_any_of_its_names() -> None:
    """A source that was renamed keeps its method, as its rules and tags."""
    renamed = Catalogue(version=2, sources=(replace(TARGET, other_names=("PKS 2251+158",)), *STARS))
    found = result(group("DIPOL"), "DIPOL", replace(
        SETTINGS, method={"DIPOL": "fit-k", "DIPOL/pks2251+158": "sum"}), catalogue=renamed)
    assert found.method == "sum"


def test_the_constants_are_those_of_the_date_of_the_frames() -> None:
    """An old trap: one set of constants for all dates."""
    for jd in (2460100.5, 2460400.5):
        assert result(group("DIPOL", jd=jd), "DIPOL").p == pytest.approx(P, abs=3e-4)


def test_frames_may_come_in_any_order() -> None:
    frames = group("CAFOS", clear=(1.0, 0.9, 0.95, 1.0) * 4)
    assert result(frames[::-1], "CAFOS") == result(frames, "CAFOS")


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


@pytest.mark.parametrize(("name", "reported", "dust"), [
    ("AndorT90", "ensemble", None), ("AndorT90", "plain", None), ("AndorT90", "ensemble-isp", None),
    ("AndorT90", "ensemble-isp", (0.03, 0.01)), ("AndorT90", "plain-isp", (0.03, 0.01)),
    ("CAFOS", "fit-k-isp", (0.03, 0.01))])
def test_what_is_drawn_lies_on_the_curve_of_what_is_reported(
        name: str, reported: str, dust: tuple[float, float] | None,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """An old fault: points as observed, or as the stars see them, beside a curve without the dust.
    """
    lower: list[Any] = []
    monkeypatch.setattr(plots, "_dress", lambda _, axes, *__: lower.append(axes))
    target = TARGET if dust is None else behind_dust(*dust).sources[0]
    plots.plot_modulation(group(name, isp=(0.005, 0.002)), target, instrument=instrument(name),
                          settings=SETTINGS, reported=reported)
    left = lower[0].lines[0].get_ydata()
    assert len(left) == 4
    assert np.abs(left).max() < 0.3  # percent; the product of dust and source is left out
