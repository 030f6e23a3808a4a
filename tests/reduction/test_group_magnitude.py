"""The magnitudes of groups and their errors, limits, and groups of too few positions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement
from iop4d.model.source import Catalogue
from iop4d.reduction import apertures
from iop4d.reduction.groups import positions_of
from iop4d.reduction.polarise import polarise
from tests.reduction.polarimetry_groups import (
    CATALOGUE,
    MAG,
    SETTINGS,
    STARS,
    TARGET,
    group,
    instrument,
    result,
)


def test_the_error_of_a_polariser_magnitude_is_free_of_the_polarisation() -> None:
    """An old trap: the scatter of the four fluxes was taken for the error of their mean."""
    errors = [result(group("AndorT90", p=p), "AndorT90").mag_err for p in (0.0, 0.1, 0.4)]
    assert errors == pytest.approx([errors[0]] * 3, rel=0.02)
    assert errors[0] < 0.01


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


def test_a_position_of_no_use_has_no_part_in_the_magnitude() -> None:
    frames = group("AndorT90")
    rows = [replace(m, flux=1.5 * m.flux, mag_inst=m.mag_inst - 0.44, flags=int(Flag.BAD_PIXELS))
            if m.source == "T" else m for m in frames[2].measurements]
    frames[2] = replace(frames[2], measurements=tuple(rows))
    found = result(frames, "AndorT90")
    assert found.mag == pytest.approx(MAG, abs=2e-3)
    assert not found.flags & Flag.BAD_PIXELS


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
    # Besides the calibrators' 0.01: 0.05 mag per mag of a colour that is unknown by 0.2.
    assert found.mag_err_common == pytest.approx(math.hypot(0.01 / math.sqrt(4), 0.01), rel=0.1)
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


def test_a_limit_of_a_group_without_polarisation_is_kept() -> None:
    """An old fault: a target of two positions, too faint to be seen, had no result at all."""
    polarised = polarise(faint(group("AndorT90", p=0.0), 1.0)[:2], catalogue=CATALOGUE,
                         instrument=instrument("AndorT90"), settings=SETTINGS)
    (found,) = polarised.results
    assert math.isnan(found.mag)
    assert math.isnan(found.p)
    # 1.4 sigma together: three are brighter by 2.1.
    assert found.mag_limit == pytest.approx(MAG - 2.5 * math.log10(3.0 / math.sqrt(2.0)), abs=0.1)
    assert found.flags & Flag.UPPER_LIMIT
