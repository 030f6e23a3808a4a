"""What a draft says follows from good results alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from iop4d.alerts.atel.facts import PhotometryFacts, PolarimetryFacts
from iop4d.alerts.atel.gather import NothingToReport, gather, of_alert
from iop4d.model.flags import Flag
from iop4d.store.database import Transaction
from tests.alerts.atel.telegrams import (
    NAME,
    TODAY,
    alert,
    asked,
    flare,
    light,
    measure,
    polarised,
    quiet_past,
    two_cameras,
    without_stars,
)


def test_a_night_is_reported_as_its_mean_with_the_results_it_rests_on(tx: Transaction) -> None:
    facts = flare(tx)
    assert facts.level.mag == pytest.approx(12.9)
    assert facts.level.results == tuple(range(121, 127))
    assert facts.level.n_frames == 6
    assert not facts.is_extreme


def test_a_draft_says_values_with_all_of_their_error_and_knows_the_common_part(
        tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.9, mag_err=0.03, mag_err_common=0.04)
    measure(tx, 0, 9.2, 12.9, **polarised(0.1, 0.004), q=0.1, u=0.0, q0_err=0.003, u0_err=0.0,
            chi_err_common=2.0)
    found = gather(tx, asked(tx))
    assert isinstance(found, PhotometryFacts)
    first, second = found.chosen.points
    assert (first.mag_err, first.common_err) == pytest.approx((0.05, 0.04))
    assert first.own_err == pytest.approx(0.03)
    assert second.p_err == pytest.approx(0.005)
    assert second.chi_err_deg == pytest.approx(math.hypot(1.0, 2.0), rel=0.01)


def test_a_result_of_an_older_version_has_all_of_its_error_for_its_own(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.9, mag_err=0.05, mag_err_common=None)
    found = gather(tx, asked(tx))
    assert isinstance(found, PhotometryFacts)
    assert (found.level.mag_err, found.level.common_err) == pytest.approx((0.05, 0.0))


def test_the_past_is_that_of_thirty_nights_and_their_points(tx: Transaction) -> None:
    past = flare(tx).baseline
    assert past is not None
    assert (past.nights, past.n) == (30, 90)
    assert past.median == pytest.approx(13.5, abs=0.03)
    assert set(past.results) == set(range(1, 91))


def test_a_night_that_varied_is_reported_at_its_brightest(tx: Transaction) -> None:
    quiet_past(tx)
    for k in range(12):
        measure(tx, 0, 9.0 + k / 2, 13.2 - 0.03 * k)
    facts = light(gather(tx, asked(tx)))
    assert facts.is_extreme
    assert facts.level == facts.chosen.brightest
    assert facts.level.mag == pytest.approx(12.87, abs=0.02)


def test_a_night_that_varied_below_its_past_is_reported_at_its_faintest(tx: Transaction) -> None:
    quiet_past(tx, mag=12.0)
    for k in range(12):
        measure(tx, 0, 9.0 + k / 2, 13.2 - 0.03 * k)
    facts = light(gather(tx, asked(tx)))
    assert facts.level == facts.chosen.faintest
    assert not facts.is_brighter


@pytest.mark.parametrize("bad", [
    {"flags": int(Flag.SATURATED)}, {"flags": int(Flag.NO_CALIBRATORS)}, {"mag": None},
    {"withdrawn": True}, {"mag_err": None}, {"human_flags": [{"name": "bad"}]}])
def test_a_bad_point_is_in_no_number(tx: Transaction, bad: dict[str, Any]) -> None:
    quiet_past(tx)
    good = [measure(tx, 0, 9.0 + k / 4, 12.9) for k in range(3)]
    values = {"mag": 11.0} | bad
    measure(tx, 0, 9.1, values.pop("mag"), **values)
    assert light(gather(tx, asked(tx))).level.results == tuple(good)


def test_without_a_good_point_it_is_said_when_the_last_one_was(tx: Transaction) -> None:
    measure(tx, 5, 9.0, 13.5)
    measure(tx, 0, 9.0, 11.0, flags=int(Flag.SATURATED))
    with pytest.raises(NothingToReport, match=r"no good result of BL Lac from .* the last one is "
                                              r"of 2026-11-17 21:00:00 UTC"):
        gather(tx, asked(tx))


def test_a_source_without_any_result_has_none_at_all(tx: Transaction) -> None:
    with pytest.raises(NothingToReport, match="there is none at all"):
        gather(tx, asked(tx))


def test_the_record_names_the_last_point_that_was_as_bright(tx: Transaction) -> None:
    before = measure(tx, 200, 9.0, 12.8)
    record = flare(tx).record
    assert record is not None
    assert record.bright
    assert record.since is not None
    assert record.since.id == before


def test_a_record_of_the_whole_archive_has_no_earlier_point(tx: Transaction) -> None:
    record = flare(tx).record
    assert record is not None
    assert record.since is None
    assert record.first.jd == pytest.approx(TODAY - 80 + 9 / 24)


@pytest.mark.parametrize(("hours", "more"), [
    (5.0, {}), (5.0, {"telescope": "West"}), (9.1, {"telescope": "West"})])
def test_the_record_knows_what_was_as_bright_earlier_in_the_night(
        tx: Transaction, hours: float, more: dict[str, Any]) -> None:
    measure(tx, 200, 9.0, 12.8)
    earlier = measure(tx, 0, hours, 12.7, **more)
    quiet_past(tx)
    for k in range(6):
        measure(tx, 0, 9.0 + k / 5, 12.9)
    facts = light(gather(tx, asked(tx, since_jd=TODAY + 8 / 24)))
    assert facts.record is not None
    assert facts.record.since is not None
    assert facts.record.since.id == earlier
    assert facts.outstanding is None


def test_the_change_is_against_the_preceding_night_with_data(tx: Transaction) -> None:
    change = flare(tx).before
    assert change is not None
    assert change.of.results == (1, 2, 3)
    assert change.days == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(("night", "is_found"), [(4, True), (6, False)])
def test_the_fastest_change_is_one_of_the_last_five_days(tx: Transaction, night: int,
                                                         is_found: bool) -> None:
    for hours, mag in ((9.0, 13.9), (10.0, 13.1)):
        measure(tx, night, hours, mag)
    for before in (night, 2, 0):
        measure(tx, before, 11.0, 13.1)
    assert (light(gather(tx, asked(tx))).fastest is not None) == is_found


def test_the_past_ends_before_the_night_whatever_the_others_are_named(tx: Transaction) -> None:
    """Nights are those of the telescope's own place: one further west may still be going on."""
    measure(tx, 2, 9.0, 13.5)
    measure(tx, 0, 9.0, 12.9)
    measure(tx, 1, 39.0, 11.0, telescope="West")
    past = light(gather(tx, asked(tx))).baseline
    assert past is not None
    assert past.results == (1,)


def test_polarisation_is_that_nearest_in_time_in_the_same_band(tx: Transaction) -> None:
    measure(tx, 0, 9.5, 13.9, band="B", **polarised())
    measure(tx, 0, 8.0, 12.9, **polarised(0.10))
    near = measure(tx, 0, 9.7, 12.9, **polarised(0.12))
    before = measure(tx, 4, 8.0, 13.5, **polarised(0.05))
    facts = flare(tx)
    assert [point.id for point in facts.polarised][:1] == [near]
    assert len(facts.polarised) == 3
    assert facts.polarised_before is not None
    assert facts.polarised_before.id == before


def test_polarisation_that_is_neither_a_detection_nor_a_limit_is_not_announced(
        tx: Transaction) -> None:
    """Three of its random errors, and fewer with what the instrument adds: it has no limit."""
    measure(tx, 0, 10.0, 12.9)
    measure(tx, 0, 10.0, None, **polarised(p=0.03, err=0.009), q=0.03, q_err=0.009, u=0.0,
            u_err=0.009, qu_cov=0.0, q0_err=0.01, u0_err=0.01)
    found = gather(tx, asked(tx))
    assert found.polarised == ()
    assert found.subject == "photometry"
    measure(tx, 0, 12.0, None, **polarised())
    assert [point.jd for point in gather(tx, asked(tx)).polarised] == [TODAY + 0.5]


def test_a_polarisation_whose_modulation_fits_badly_is_not_told(tx: Transaction) -> None:
    measure(tx, 0, 9.8, 12.9, flags=int(Flag.POOR_FIT), **polarised())
    assert flare(tx).polarised == ()


def test_other_bands_and_telescopes_of_the_night_are_told_too(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.9, band="B")
    measure(tx, 0, 9.0, 12.95, telescope="OSN-T150")
    assert [(n.band, n.telescope) for n in flare(tx).others] == [
        ("B", "OSN-T090"), ("R", "OSN-T150")]


def test_two_cameras_of_a_telescope_are_not_averaged(tx: Transaction) -> None:
    facts = two_cameras(tx)
    assert facts.chosen.camera == ("OSN-T090", "AndorT90")
    assert facts.level.mag == pytest.approx(13.50)
    assert not facts.is_extreme
    assert [(n.camera, round(n.mean.mag, 3)) for n in facts.others] == [
        (("OSN-T090", "DIPOL-1"), 13.62)]
    assert [(night.instrument, round(mag, 3)) for night, mag in facts.unlike] == [
        ("DIPOL-1", 0.12)]


def test_a_camera_with_nights_of_its_own_is_compared_with_those_alone(tx: Transaction) -> None:
    past = two_cameras(tx).baseline
    assert past is not None
    assert (past.median, past.n, past.is_mixed) == (pytest.approx(13.50), 5, False)


def test_a_past_of_other_cameras_is_said_to_be_theirs(tx: Transaction) -> None:
    for night in (1, 2, 3):
        measure(tx, night, 9.0, 13.5, instrument="DIPOL-1")
    measure(tx, 0, 9.0, 13.5, instrument="AndorT90")
    assert light(gather(tx, asked(tx))).taken_past == "another instrument"
    measure(tx, 1, 9.5, 13.5, instrument="AndorT90")
    assert light(gather(tx, asked(tx))).taken_past == "several instruments"


def test_an_alert_of_a_camera_is_about_that_one(tx: Transaction) -> None:
    for k in range(5):
        measure(tx, 0, 9.0 + k / 10, 12.9, instrument="AndorT90")
    row = alert(tx, [measure(tx, 0, 9.6, 12.8, instrument="DIPOL-1")])
    facts = light(of_alert(tx, row, called="BL Lac"))
    assert facts.chosen.instrument == "DIPOL-1"


def test_calibrators_are_those_that_entered_the_zero_points(tx: Transaction) -> None:
    assert [star.name for star in flare(tx).calibrators] == [f"{NAME} B", f"{NAME} C"]


def test_without_r_the_draft_is_about_another_band(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.9, band="B")
    measure(tx, 0, 9.5, 13.4, band="V")
    assert light(gather(tx, asked(tx))).chosen.band == "V"
    assert light(gather(tx, asked(tx, band="B"))).chosen.band == "B"


def test_an_alert_is_told_with_what_was_known_when_it_fired(tx: Transaction) -> None:
    quiet_past(tx)
    ids = [measure(tx, 0, 9.0 + k / 10, 12.9) for k in range(4)]
    row = alert(tx, ids[1:3])
    measure(tx, 0, 12.0, 12.0)
    facts = light(of_alert(tx, row, called="BL Lac"))
    assert facts.level.results == tuple(ids[1:3])
    assert facts.called == "BL Lac"


def test_an_alert_is_reported_without_the_polarisation_that_came_later(tx: Transaction) -> None:
    earlier = without_stars(tx, 0, 9.1)
    row = alert(tx, [measure(tx, 0, 9.2, 12.9)])
    without_stars(tx, 0, 9.21)
    facts = of_alert(tx, row, called="BL Lac")
    assert [point.id for point in facts.polarised] == [earlier]


def test_an_alert_of_another_telescope_is_about_that_one(tx: Transaction) -> None:
    for k in range(5):
        measure(tx, 0, 9.0 + k / 10, 12.9)
    row = alert(tx, [measure(tx, 0, 9.6, 12.8, telescope="OSN-T150")])
    assert light(of_alert(tx, row, called="BL Lac")).chosen.telescope == "OSN-T150"


def test_an_alert_whose_points_were_all_flagged_since_has_nothing_to_report(
        tx: Transaction) -> None:
    row = alert(tx, [measure(tx, 0, 9.0, 12.9, human_flags=[{"name": "bad"}])])
    with pytest.raises(NothingToReport):
        of_alert(tx, row, called="BL Lac")


def test_what_was_left_out_is_said_with_its_flags(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 11.0, flags=int(Flag.SATURATED | Flag.EDGE))
    measure(tx, 0, 9.1, 11.0, flags=int(Flag.SATURATED), human_flags=[{"name": "bad"}])
    with pytest.raises(NothingToReport, match=r"UTC \(2 left out: saturated 2, edge 1, flagged by "
                                              r"hand 1\); there is none at all"):
        gather(tx, asked(tx))


def test_a_source_without_comparison_stars_is_told_by_its_polarisation(tx: Transaction) -> None:
    before = without_stars(tx, 4, 9.0, 0.05)
    first, last = without_stars(tx, 0, 9.0, 0.10), without_stars(tx, 0, 10.0, 0.12)
    far, near = without_stars(tx, 0, 8.0, band="V"), without_stars(tx, 0, 9.8, band="V")
    facts = gather(tx, asked(tx))
    assert isinstance(facts, PolarimetryFacts)
    assert [point.id for point in facts.polarised] == [last, first]
    assert [point.id for point in facts.others] == [near]
    assert facts.polarised_before is not None
    assert facts.polarised_before.id == before
    assert {point.id for point in facts.curve} == {before, first, last, far, near}
    assert (facts.band, facts.jd) == ("R", pytest.approx(TODAY + 10 / 24))


@pytest.mark.parametrize("bad", [
    {"flags": int(Flag.POOR_FIT)}, {"flags": int(Flag.SATURATED)}, {"withdrawn": True},
    {"human_flags": [{"name": "bad"}]}, {"p_err": None}, {"p": 0.005, "p_limit": None}])
def test_a_bad_polarisation_is_nothing_to_report(tx: Transaction, bad: dict[str, Any]) -> None:
    without_stars(tx, 0, 9.0, **bad)
    with pytest.raises(NothingToReport):
        gather(tx, asked(tx))


def test_an_alert_on_p_alone_is_about_the_point_that_fired_it(tx: Transaction) -> None:
    first, fired = without_stars(tx, 0, 9.0, 0.10), without_stars(tx, 0, 10.0, 0.12)
    row = alert(tx, [first, fired])
    without_stars(tx, 0, 11.0, 0.3)
    facts = of_alert(tx, row, called="BL Lac")
    assert isinstance(facts, PolarimetryFacts)
    assert facts.polarised[0].id == fired


def test_a_polarisation_without_magnitude_stands_beside_the_magnitudes(tx: Transaction) -> None:
    near = without_stars(tx, 0, 9.5)
    assert [point.id for point in flare(tx).polarised] == [near]


def test_a_magnitude_of_a_group_that_lacks_calibrators_in_a_frame_is_not_drawn(
        tx: Transaction) -> None:
    good = measure(tx, 0, 9.0, 12.9)
    partly = measure(tx, 0, 9.1, 11.0, flags=int(Flag.NO_CALIBRATORS), **polarised())
    drawn = {point.id: point.mag for point in gather(tx, asked(tx)).curve}
    assert drawn[good] == 12.9
    assert math.isnan(drawn[partly])


def test_the_same_results_give_the_same_facts(tx: Transaction) -> None:
    assert repr(flare(tx)) == repr(gather(tx, asked(tx)))  # NaN is unlike itself
