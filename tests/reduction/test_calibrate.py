"""From measurements to magnitudes, without pixels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.instruments.telescopes import T090
from iop4d.model.flags import Flag
from iop4d.model.source import Catalogue, SourceKind
from iop4d.model.uncertainty import mag_total
from iop4d.reduction.calibrate import calibrate, targets_of
from tests.reduction.calibrators import CATALOGUE, STARS, TARGET, frame, result, seen, star


def test_the_magnitude_is_that_of_the_calibrators() -> None:
    found = result(seen("T", -6.5), seen("A", -7.0), seen("B", -6.0), seen("C", -5.0))
    assert found.mag == pytest.approx(13.5)
    assert found.zero_point == pytest.approx(20.0)
    assert found.n_calibrators == 3
    assert found.flags == 0
    zero_err = math.sqrt((0.01**2 + 0.003**2 + 0.001**2) / 3 + 0.001**2)
    assert found.zero_point_err == pytest.approx(zero_err, rel=0.01)
    # The fluxes' errors are its own, the catalogue's is shared.
    assert found.mag_err == pytest.approx(math.hypot(0.003, math.hypot(0.003, 0.001) / math.sqrt(3)
                                                     ), rel=0.01)
    # And a thousandth of the field: flats, and a PSF that changes.
    assert found.mag_err_common == pytest.approx(math.hypot(0.01 / math.sqrt(3), 0.001), rel=1e-3)
    assert mag_total(found) == pytest.approx(math.hypot(0.003, zero_err), rel=0.01)
    assert 1.0 < found.airmass < 2.0


@pytest.mark.parametrize("flag", [Flag.SATURATED, Flag.BLENDED, Flag.EDGE, Flag.NOT_DETECTED,
                                  Flag.OFF_CENTRE, Flag.BAD_PIXELS])
def test_a_flagged_star_never_calibrates(flag: Flag) -> None:
    found = result(seen("T", -6.5), seen("A", -6.0, flags=flag), seen("B", -6.0), seen("C", -5.0))
    assert found.mag == pytest.approx(13.5)
    assert found.n_calibrators == 2
    use = next(use for use in found.calibrators if use.source == "A")
    assert use.weight == 0
    assert str(flag.name).lower().replace("_", " ") in use.why_not


def test_without_calibrators_there_is_no_magnitude() -> None:
    found = result(seen("T", -6.5), seen("A", -7.0, flags=Flag.SATURATED))
    assert math.isnan(found.mag)
    assert math.isnan(found.mag_err)
    assert found.flags == Flag.NO_CALIBRATORS


def test_a_single_calibrator_is_told() -> None:
    found = result(seen("T", -6.5), seen("A", -7.0))
    assert found.mag == pytest.approx(13.5)
    assert found.flags == Flag.FEW_CALIBRATORS


def test_calibrators_that_disagree_are_told_and_raise_the_error() -> None:
    agree = result(seen("T", -6.5), seen("A", -7.0), seen("B", -6.0), seen("C", -5.0))
    found = result(seen("T", -6.5), seen("A", -6.8), seen("B", -6.2), seen("C", -5.0))
    assert found.flags & Flag.CALIBRATORS_DISAGREE
    assert found.zero_point_err > 5 * agree.zero_point_err


def test_each_calibrator_shows_its_own_zero_point_and_the_wrong_one_is_named_from_one_frame(
        ) -> None:
    stars = (*STARS, star("D", 15.0), star("E", 16.5))  # E's catalogue magnitude is 0.5 too faint
    found = result(seen("T", -6.5), seen("A", -7.0), seen("B", -6.0), seen("C", -5.0),
                   seen("D", -5.0), seen("E", -4.0),
                   catalogue=Catalogue(version=1, sources=(TARGET, *stars)))
    uses = {use.source: use for use in found.calibrators}
    assert [uses[name].zero_point for name in "ABCDE"] == pytest.approx([20.0] * 4 + [20.5])
    assert uses["E"].residual == pytest.approx(0.5, abs=1e-3)
    assert uses["A"].residual == pytest.approx(0.0, abs=1e-3)
    assert [uses[name].weight for name in "ABCDE"] == pytest.approx([0.25] * 4 + [0.0])
    assert uses["E"].why_not == "catalogue magnitude off by +0.50 mag against the others"
    assert found.n_calibrators == 4
    assert found.mag == pytest.approx(13.5, abs=1e-3)
    assert not found.flags & Flag.CALIBRATORS_DISAGREE  # the others agree


def test_a_star_that_is_left_out_does_not_hide_that_the_others_disagree() -> None:
    stars = (*STARS, star("D", 15.0), star("E", 20.0))
    found = result(seen("T", -6.5), seen("A", -7.05), seen("B", -6.05), seen("C", -4.96),
                   seen("D", -4.94), seen("E", -4.0),
                   catalogue=Catalogue(version=1, sources=(TARGET, *stars)))
    assert [bool(use.why_not) for use in found.calibrators] == [False] * 4 + [True]
    assert found.flags & Flag.CALIBRATORS_DISAGREE


def test_of_two_that_differ_none_is_named_and_both_show_by_how_much() -> None:
    found = result(seen("T", -6.5), seen("A", -7.2), seen("B", -5.8))
    assert [use.residual for use in found.calibrators] == pytest.approx([0.2, -0.2], abs=1e-3)
    assert [use.weight for use in found.calibrators] == pytest.approx([0.5, 0.5])
    assert not any(use.why_not for use in found.calibrators)
    assert found.flags & Flag.CALIBRATORS_DISAGREE


def test_another_band_and_another_target_s_stars_do_not_count() -> None:
    other = replace(star("D", 10.0), calibrates=("U",))
    blue = replace(star("E", 10.0), magnitudes={"B": (10.0, 0.01)})
    catalogue = Catalogue(version=1, sources=(TARGET, *STARS, other, blue))
    found = result(seen("T", -6.5), seen("A", -7.0), seen("D", -7.0), seen("E", -7.0),
                   catalogue=catalogue)
    assert found.mag == pytest.approx(13.5)
    assert [use.source for use in found.calibrators] == ["A"]


def test_a_flag_of_target_and_frame_is_in_the_result() -> None:
    measured = replace(frame(seen("T", -6.5, flags=Flag.EDGE), seen("A", -7.0), seen("B", -6.0)),
                       flags=int(Flag.POOR_WCS))
    found = calibrate(TARGET, [measured], catalogue=CATALOGUE, telescope=T090)[0]
    assert found.flags == Flag.EDGE | Flag.POOR_WCS


def test_frames_of_a_night_share_their_calibrators() -> None:
    """Star A's catalogue magnitude is off by 0.3; it saturates in every other frame."""
    catalogue = Catalogue(version=1, sources=(TARGET, star("A", 13.3, 0.1), star("B", 14.0, 0.1),
                                              star("C", 15.0, 0.1)))
    frames = [frame(seen("T", -6.5), seen("B", -6.0), seen("C", -5.0), seen(
        "A", -7.0, flags=Flag.SATURATED if n % 2 else Flag(0)), number=n) for n in range(10)]
    found = calibrate(TARGET, frames, catalogue=catalogue, telescope=T090)
    mags = [value.mag for value in found]
    assert max(mags) - min(mags) < 1e-3
    assert [value.n_calibrators for value in found[:2]] == [3, 2]


def test_only_targets_and_standards_have_results() -> None:
    standard = replace(star("S", 10.0), kind=SourceKind.STANDARD)
    catalogue = Catalogue(version=1, sources=(TARGET, *STARS, standard))
    measured = frame(seen("T", -6.5), seen("A", -7.0), seen("S", -8.0))
    assert [s.name for s in targets_of(measured, catalogue)] == ["T", "S"]


def test_an_unknown_telescope_leaves_the_frame_s_own_airmass() -> None:
    found = calibrate(TARGET, [frame(seen("T", -6.5), seen("A", -7.0))], catalogue=CATALOGUE,
                      telescope=None)[0]
    assert (found.airmass, found.bjd_tdb) == (1.1, 2459831.4)


def test_a_calibrator_that_no_other_confirms_makes_an_error_of_two_hundredths_more() -> None:
    found = result(seen("T", -6.5), seen("A", -7.0))
    alone = math.sqrt(0.01**2 + 0.003**2 + 0.001**2 + 0.02**2)
    assert found.zero_point_err == pytest.approx(alone, rel=0.01)
    # It is the star's, so all frames of the night share it.
    assert found.mag_err_common == pytest.approx(math.hypot(0.01, 0.02), rel=0.01)
    assert found.mag_err == pytest.approx(math.hypot(0.003, 0.003, 0.001), rel=0.01)


def test_a_catalogue_magnitude_without_an_error_has_one_of_three_hundredths() -> None:
    catalogue = Catalogue(version=1, sources=(TARGET, *(
        star(name, mag, math.nan) for name, mag in (("A", 13.0), ("B", 14.0), ("C", 15.0)))))
    found = result(seen("T", -6.5), seen("A", -7.0), seen("B", -6.0), seen("C", -5.0),
                   catalogue=catalogue)
    assert found.zero_point_err == pytest.approx(
        math.sqrt((0.03**2 + 0.003**2 + 0.001**2) / 3), rel=0.01)


@pytest.mark.parametrize(("dimmer", "cloudy"), [(0.4, False), (0.6, True)])
def test_a_zero_point_half_a_magnitude_below_the_night_s_best_is_cloudy(
        dimmer: float, cloudy: bool) -> None:
    frames = [frame(seen("T", -6.5 + off), seen("A", -7.0 + off), seen("B", -6.0 + off),
                    seen("C", -5.0 + off), number=n) for n, off in enumerate((0.0, 0.0, dimmer))]
    found = calibrate(TARGET, frames, catalogue=CATALOGUE, telescope=T090)
    assert [bool(value.flags & Flag.CLOUDS) for value in found] == [False, False, cloudy]


def test_a_frame_in_which_the_calibrators_move_against_each_other_is_unsteady() -> None:
    def unsteady(move: float) -> list[int]:
        """Of ten frames those that are flagged, two stars having moved apart in the fourth."""
        frames = [frame(seen("T", -6.5), seen("A", -7.0 + off), seen("B", -6.0 - off),
                        seen("C", -5.0), seen("D", -4.0), seen("E", -3.0), number=n)
                  for n, off in enumerate([0.0] * 3 + [move] + [0.0] * 6)]
        found = calibrate(TARGET, frames, catalogue=catalogue, telescope=T090)
        return [n for n, value in enumerate(found) if value.flags & Flag.UNSTEADY]

    catalogue = Catalogue(version=1, sources=(TARGET, *STARS, star("D", 16.0), star("E", 17.0)))
    assert unsteady(0.05) == [3]
    assert unsteady(0.002) == []


def test_a_result_has_its_flux_in_mjy_and_the_dust_before_it() -> None:
    target = replace(TARGET, extinction={"R": 0.714, "V": 0.9})
    found = calibrate(target, [frame(seen("T", -6.5), seen("A", -7.0), seen("B", -6.0))],
                      catalogue=CATALOGUE, telescope=T090)[0]
    assert found.flux_mjy == pytest.approx(3080e3 * 10 ** (-0.4 * 13.5))
    assert found.flux_mjy_err == pytest.approx(found.flux_mjy * found.mag_err * 0.921034, rel=1e-5)
    assert found.extinction_mag == 0.714
    assert math.isnan(result(seen("T", -6.5), seen("A", -7.0)).extinction_mag)


def test_a_negative_flux_is_kept_with_its_error() -> None:
    """40 ADU/s below the sky at a zero point of 20: -40 of what a star of magnitude 20 has."""
    dark = replace(seen("T", math.nan), flux=-40.0, flux_err=25.0, mag_inst=math.nan,
                   mag_inst_err=math.nan)
    found = result(dark, seen("A", -7.0), seen("B", -6.0), seen("C", -5.0))
    assert math.isnan(found.mag)
    assert found.flux_mjy == pytest.approx(-40 * 0.0308)
    assert found.flux_mjy_err == pytest.approx(25 * 0.0308)
