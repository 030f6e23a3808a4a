"""What a summary counts, by nights written by hand."""

from __future__ import annotations

import json
import math

import pytest

from iop4d.alerts.summary import statistics, write
from iop4d.alerts.summary.facts import Failure, KindLine, Latency, NightSummary, TroubleLine
from iop4d.alerts.summary.gather import gather
from iop4d.alerts.summary.plots import plot_requests
from iop4d.config import Site
from iop4d.model.flags import Flag
from iop4d.model.messages import NightPlotRequest
from iop4d.store import health, summaries
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Alert, Outbox
from iop4d.store.status import beat
from tests.alerts.nights import NIGHT, a_night, at, fill_catalogue, frame, jd, result

SINCE, UNTIL = at("2024-03-13T05:05"), at("2024-03-14T05:04")


def gathered(site: Site, database: Database, night: str = NIGHT) -> NightSummary:
    with database.read() as db:
        return gather(db, site, night, since=SINCE, until=UNTIL, now=UNTIL + 1)


def request_of(database: Database) -> NightPlotRequest:
    with database.read() as db:
        [(_, request)] = plot_requests(db, NIGHT)
    return request


@pytest.fixture
def facts(site: Site, database: Database) -> NightSummary:
    a_night(database)
    return gathered(site, database)


def test_a_night_without_anything_is_empty(site: Site, database: Database) -> None:
    facts = gathered(site, database)
    assert facts.is_empty
    assert facts.latency is None
    assert (facts.frames, facts.telescopes, facts.failures) == (0, (), ())


def test_frames_are_counted_by_telescope_and_kind(facts: NightSummary) -> None:
    telescope = next(t for t in facts.telescopes if t.name == "CAHA-T220")
    assert telescope.instruments == ("CAFOS",)
    assert telescope.copies == 1
    assert telescope.kinds == (
        KindLine(kind="bias", frames=3, reduced=3),
        KindLine(kind="science", frames=6, reduced=3, failed=3),
        KindLine(kind="polarimetry", frames=1, open=1))
    assert (facts.frames, facts.failed) == (11, 4)


def test_a_file_in_which_no_night_could_be_read_counts_for_that_in_which_it_came(
        facts: NightSummary, site: Site, database: Database) -> None:
    unread = next(t for t in facts.telescopes if t.name == "archive t220")
    assert unread.kinds == (KindLine(kind="not read", frames=1, failed=1),)
    with database.read() as db:
        later = gather(db, site, "2024-03-14", since=UNTIL, until=UNTIL + 86400, now=UNTIL + 86400)
    assert later.is_empty


def test_failures_are_told_by_reason_the_most_frequent_first(facts: NightSummary) -> None:
    first, *rest = facts.failures
    assert (first.count, first.reason) == (2, "no stars")
    assert [name for _, name in first.frames] == ["cloud-1.fits", "cloud-2.fits"]
    assert {failure.reason for failure in rest} == {"the file is truncated", "not a FITS file"}


def test_of_many_frames_that_failed_alike_five_are_named(site: Site, database: Database) -> None:
    with database.write() as tx:
        for number in range(40):
            frame(tx, f"{number}.fits", state="failed", reason="no stars")
    [failure] = gathered(site, database).failures
    assert isinstance(failure, Failure)
    assert (failure.count, len(failure.frames)) == (40, 5)


def test_magnitudes_are_summed_up_without_what_is_flagged(facts: NightSummary) -> None:
    [source] = facts.sources
    assert (source.name, source.also) == ("BL Lac", "2200+420")
    visual, red = source.bands
    assert (red.band, red.n, red.left_out) == ("R", 2, 1)
    assert red.mag == pytest.approx(12.85)
    assert red.mag_err == pytest.approx(0.02 / math.sqrt(2))
    assert red.scatter == pytest.approx(0.1 / math.sqrt(2))
    assert (red.brightest, red.faintest) == (12.8, 12.9)
    assert (visual.band, visual.n, visual.scatter, visual.before) == ("V", 1, None, "")
    assert ("saturated", 1) in source.flags


def test_the_change_is_from_the_latest_earlier_night_of_the_band(facts: NightSummary) -> None:
    red = facts.sources[0].bands[1]
    assert red.before == "2024-03-10"
    assert red.change == pytest.approx(-0.15)
    assert red.change_err == pytest.approx(math.hypot(0.02 / math.sqrt(2), 0.02))


def test_withdrawn_points_are_no_earlier_night(site: Site, database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, 13.2, night="2024-03-10")
        result(tx, 0, 11.0, night="2024-03-11", withdrawn=True)
        result(tx, 0, 13.0)
    [band] = gathered(site, database).sources[0].bands
    assert (band.before, band.change) == ("2024-03-10", pytest.approx(-0.2))


def test_the_mean_angle_of_178_and_2_degrees_is_0(facts: NightSummary) -> None:
    [red] = facts.sources[0].polarisation
    assert red.n == 2
    mean, err = 0.1 * math.cos(math.radians(4.0)), 0.01 / math.sqrt(2.0)
    assert red.p == pytest.approx(mean - err**2 / (2.0 * mean), rel=1e-3)  # without noise's bias
    assert red.chi_deg is not None
    assert min(red.chi_deg, 180 - red.chi_deg) == pytest.approx(0.0, abs=1e-6)


def test_a_lone_limit_is_given_as_such(site: Site, database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, None, p=0.01, p_err=0.008, chi_deg=3.0, p_limit=0.024)
    [source] = gathered(site, database).sources
    assert source.polarisation[0].limit == 0.024


def test_limits_of_several_points_are_that_of_their_mean(site: Site, database: Database) -> None:
    with database.write() as tx:
        for n in range(9):
            result(tx, n, None, p=0.01, p_err=0.008, chi_deg=20.0 * n, p_limit=0.024)
    [line] = gathered(site, database).sources[0].polarisation
    assert line.limit is not None
    assert 0.002 < line.limit < 0.01


def test_a_mean_has_both_errors_and_a_change_what_the_nights_do_not_share(
        site: Site, database: Database) -> None:
    with database.write() as tx:
        for n in range(4):
            result(tx, n, 13.2, mag_err=0.01, mag_err_common=0.03, night="2024-03-10")
            result(tx, n, 13.0, mag_err=0.01, mag_err_common=0.03)
    [band] = gathered(site, database).sources[0].bands
    assert band.mag_err == pytest.approx(math.hypot(0.005, 0.03))
    assert band.change_err == pytest.approx(0.005 * math.sqrt(2))
    with database.write() as tx:
        result(tx, 5, 13.0, mag_err=0.005, mag_err_common=0.03, instrument="Other")
    [band] = [b for b in gathered(site, database).sources[0].bands if b.instrument == "Other"]
    assert band.change_err is not None
    assert 0.03 < band.change_err < 0.031


def test_telescopes_and_instruments_stand_apart(site: Site, database: Database) -> None:
    with database.write() as tx:
        for night, off in (("2024-03-10", 0.0), (NIGHT, -0.3)):
            result(tx, 0, 13.0 + off, night=night, telescope="OSN-T090", instrument="AndorT90")
            result(tx, 1, 13.4 + off, night=night, telescope="OSN-T150", instrument="AndorT150")
    facts = gathered(site, database)
    one, two = facts.sources[0].bands
    assert [(b.telescope, b.instrument, round(b.mag or 0.0, 3)) for b in (one, two)] == [
        ("OSN-T090", "AndorT90", 12.7), ("OSN-T150", "AndorT150", 13.1)]
    assert [band.change for band in (one, two)] == [pytest.approx(-0.3)] * 2
    said = write.plain(facts)
    assert "1 point, −0.30 ± 0.03 since 2024-03-10; OSN-T150 AndorT150" in write.text(said)
    for name in ("AndorT90", "AndorT150", "OSN-T090", "OSN-T150"):
        assert name in write.html(said)
    with database.read() as db:
        [(_, request)] = plot_requests(db, NIGHT)
    assert [(one.band, one.camera) for one in request.panels[0].series if not one.before] == [
        ("R", "AndorT150"), ("R", "AndorT90")]


def test_the_points_of_one_instrument_have_no_name_in_the_plot(site: Site,
                                                               database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, 13.0)
        result(tx, 1, 13.1)
    with database.read() as db:
        [(_, request)] = plot_requests(db, NIGHT)
    assert [one.camera for one in request.panels[0].series] == [""]


def test_each_camera_says_how_a_constant_source_would_scatter(site: Site,
                                                              database: Database) -> None:
    with database.write() as tx:
        for n, mag in enumerate((13.0, 13.1, 13.0, 13.1)):
            result(tx, n, mag, mag_err=0.01, mag_err_common=0.02, instrument="One")
            result(tx, n, 13.05, mag_err=0.01, instrument="Two")
            result(tx, n, 12.0, mag_err=0.01, instrument="One", flags=int(Flag.SATURATED))
    facts = gathered(site, database)
    one, two = facts.sources[0].cameras
    assert (one.instrument, two.instrument) == ("One", "Two")
    assert one.magnitudes is not None
    assert one.magnitudes["chi2"] == pytest.approx(4 * 25.0)
    assert one.magnitudes["common"] == pytest.approx(0.02)
    assert (one.magnitudes["p_value"] or 0.0) < 1e-6
    assert one.magnitudes["fvar"] == pytest.approx(0.0525, abs=0.002)
    assert two.magnitudes is not None
    assert two.magnitudes["p_value"] == 1.0
    assert two.polarisation is None
    said = write.text(write.plain(facts))
    assert "R One: mean 13.050 ± 0.005 random, ± 0.020 common, chi2 100.0 of 3" in said
    assert "F_var 5.2 ± 0.5 %" in said
    assert write.html(write.plain(facts)).count("for a constant") == 2


def test_the_angle_of_a_camera_s_night_is_continued_across_180(site: Site,
                                                               database: Database) -> None:
    with database.write() as tx:
        for n, chi in enumerate((160.0, 175.0, 10.0, 25.0)):
            result(tx, n, None, p=0.1, p_err=0.002, chi_deg=chi, chi_err_deg=0.6)
    facts = gathered(site, database)
    [camera] = facts.sources[0].cameras
    assert camera.polarisation is not None
    assert camera.polarisation["turn_deg"] == pytest.approx(45.0)
    assert "χ turned by +45.0 ± 0.8°" in write.text(write.plain(facts))
    with database.read() as db:
        [angles] = statistics.unwrapped_angles(
            summaries.of_source(db, facts.sources[0].name, nights=5))
    assert [round(chi) for _, chi, _ in angles["points"]] == [160, 175, 190, 205]


def test_of_a_source_so_many_results_of_whole_nights_are_read(database: Database) -> None:
    with database.write() as tx:
        for n, night in enumerate(["2022-09-06"] * 2 + ["2022-09-07"] * 3 + ["2022-09-08"] * 4):
            result(tx, n, 13.0, night=night)
        assert [len(summaries.of_source(tx, "BL Lac", nights, most=most)) for nights, most in (
            (5, 9), (5, 8), (5, 7), (5, 6), (5, 1), (2, 9), (0, 9))] == [9, 7, 7, 4, 4, 7, 0]


def test_a_weighted_mean_trusts_the_better_point(site: Site, database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, 13.0, mag_err=0.01)
        result(tx, 1, 14.0, mag_err=0.1)
    mean = gathered(site, database).sources[0].bands[0].mag
    assert mean == pytest.approx((13 * 1e4 + 14 * 1e2) / (1e4 + 1e2))


def test_what_a_human_flagged_is_left_out(site: Site, database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, 13.0)
        result(tx, 1, 17.0, human_flags=[{"name": "trailed"}])
    [source] = gathered(site, database).sources
    assert (source.bands[0].n, source.bands[0].left_out, source.bands[0].mag) == (1, 1, 13.0)
    assert source.flags == (("flagged by hand", 1),)


def test_sources_without_calibrators_are_named_with_what_the_catalogue_has(
        facts: NightSummary) -> None:
    [line] = facts.uncalibrated
    assert (line.source, line.band, line.points, line.in_catalogue) == ("BL Lac", "B", 1, 0)


def test_calibrators_that_could_not_be_used_are_counted(site: Site, database: Database) -> None:
    fill_catalogue(database)
    with database.write() as tx:
        result(tx, 0, None, flags=int(Flag.NO_CALIBRATORS))
    [line] = gathered(site, database).uncalibrated
    assert (line.band, line.in_catalogue) == ("R", 1)


def test_latency_is_of_science_frames_that_are_done(facts: NightSummary) -> None:
    assert facts.latency == Latency(frames=3, median=2.0, most=pytest.approx(2.9), longest=3.0)


def test_calibration_frames_count_for_no_latency(site: Site, database: Database) -> None:
    with database.write() as tx:
        frame(tx, "flat.fits", kind="flat", info={"latency_s": 99.0})
        frame(tx, "BLLac.fits", info={"latency_s": 2.0})
    latency = gathered(site, database).latency
    assert latency is not None
    assert (latency.frames, latency.longest) == (1, 2.0)


def test_alerts_of_the_system_are_those_that_fired_since_the_last_summary(site: Site,
                                                            database: Database) -> None:
    with database.write() as tx:
        for episode, fired in enumerate((SINCE - 1, SINCE, UNTIL - 1, UNTIL)):
            tx.create(Alert, rule="silent", source="osn", band="", episode=episode, points=[],
                         state="firing" if episode == 3 else "resolved", condition="no_data > 2",
                         fired_jd=jd("2024-03-13T22:00"), fired_at=fired)
    facts = gathered(site, database)
    assert len(facts.alerts) == 2
    assert facts.alerts[0].utc == "2024-03-13 22:00:00"
    assert facts.active == 1


def test_troubles_of_archives_and_channels_are_told(site: Site, database: Database) -> None:
    with database.write() as tx:
        beat(tx, {"archives": [
            {"name": "fine", "state": "ok", "reason": ""},
            {"name": "osn", "state": "down", "reason": "no route to host"},
            {"name": "caha", "state": "ok", "reason": "", "failing": {"a.fits": "3 times: short"}},
        ]})
        for number in range(2):
            tx.create(Outbox, dedup_key=str(number), channel="team", recipient="a", message_id="m",
                          content={}, state="queued", last_error="450 busy", created_at=0.0)
    facts = gathered(site, database)
    assert facts.archives == (
        TroubleLine(name="caha", state="ok", reason="a.fits failed 3 times: short"),
        TroubleLine(name="osn", state="down", reason="no route to host"))
    assert facts.channels == (
        TroubleLine(name="team", state="2 messages waiting", reason="450 busy"),)


def test_a_message_that_waits_for_its_first_attempt_is_no_trouble(site: Site,
                                                                 database: Database) -> None:
    with database.write() as tx:
        tx.create(Outbox, dedup_key="new", channel="team", recipient="a", message_id="m",
                  content={}, state="queued", created_at=0.0)
    assert gathered(site, database).channels == ()


def given_up(tx: Transaction, number: int, when: float, **more: object) -> None:
    tx.create(Outbox, **{
        "dedup_key": f"lost {number}", "channel": "team", "recipient": "ana@example.org",
        "message_id": "m", "content": {}, "state": "failed", "created_at": when - 3600.0,
        "last_error": "550 no such user", "given_up_at": when} | more)


def test_messages_that_were_given_up_in_the_night_are_told_with_whom_and_why(
        site: Site, database: Database) -> None:
    with database.write() as tx:
        for number, when in enumerate((SINCE - 1, SINCE, UNTIL - 1, UNTIL)):
            given_up(tx, number, when)
        given_up(tx, 4, UNTIL - 1, recipient="ben@example.org", last_error="given up after 3 days: "
                 "450 busy")
        given_up(tx, 5, UNTIL - 1, state="sent")
    facts = gathered(site, database)
    assert facts.channels == (
        TroubleLine(name="team", state="2 messages to ana@example.org not delivered",
                reason="550 no such user"),
        TroubleLine(name="team", state="1 message to ben@example.org not delivered",
                reason="given up after 3 days: 450 busy"))
    assert ("channel team, 2 messages to ana@example.org not delivered: 550 no such user"
            in write.text(write.plain(facts)))


def test_a_polarisation_without_calibrators_counts(site: Site, database: Database) -> None:
    bare = {"flags": int(Flag.NO_CALIBRATORS), "chi_deg": 20.0, "chi_err_deg": 1.0}
    with database.write() as tx:
        result(tx, 0, None, night="2024-03-11", p=0.08, p_err=0.002, **bare)
        result(tx, 0, None, p=0.12, p_err=0.004, **bare)
        result(tx, 5, None, p=0.9, p_err=0.004, chi_deg=3.0, chi_err_deg=1.0,
               flags=int(Flag.NO_CALIBRATORS | Flag.SATURATED))
    [source] = gathered(site, database).sources
    [line] = source.polarisation
    assert (line.n, line.left_out, line.p, line.chi_deg) == (1, 1, 0.12, 20.0)
    assert source.bands == ()
    request = request_of(database)
    assert request.before == "2024-03-11"
    assert [point[1::2] for s in request.panels[0].series for point in s.points] == [
        (pytest.approx(12.0), True), (pytest.approx(90.0), False), (pytest.approx(8.0), True)]


def test_a_group_of_which_one_frame_lacks_calibrators_counts_by_its_polarisation_alone(
        site: Site, database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, 13.0, p=0.10, p_err=0.004, chi_deg=20.0)
        result(tx, 5, 14.0, p=0.12, p_err=0.004, chi_deg=20.0, flags=int(Flag.NO_CALIBRATORS))
    facts = gathered(site, database)
    [source] = facts.sources
    assert (source.bands[0].n, source.bands[0].left_out, source.bands[0].mag) == (1, 1, 13.0)
    assert (source.polarisation[0].n, source.polarisation[0].left_out) == (2, 0)
    assert facts.uncalibrated == ()  # it has a magnitude
    mags, p, _ = request_of(database).panels
    assert [point[3] for point in mags.series[0].points] == [True, False]
    assert [point[3] for point in p.series[0].points] == [True, True]


def test_an_archive_that_was_away_and_came_back_is_told(site: Site, database: Database) -> None:
    hour = 3600.0
    away = {"name": "osn", "state": "down", "reason": "no route to host"}
    back = {"name": "osn", "state": "ok", "reason": ""}
    with database.write() as tx:
        for begins, ends in ((SINCE - hour, SINCE + hour), (SINCE + 3 * hour, SINCE + 5 * hour)):
            health.note_outages(tx, [back], begins - 2.0)
            health.note_outages(
                tx, [{"name": "osn", "state": "down", "reason": "timed out"}], begins)
            health.note_outages(tx, [away], begins + 2.0)
            health.note_outages(tx, [{"name": "osn", "state": "starting"}], begins + 4.0)
            health.note_outages(tx, [back], ends)
        beat(tx, {"archives": [back]})
    [trouble] = gathered(site, database).archives
    assert (trouble.name, trouble.state) == ("osn", "ok")
    assert trouble.reason.startswith("in trouble 2 times, for 3.0 h in total, until ")
    assert trouble.reason.endswith(" UTC: no route to host")
    with database.read() as db:
        assert not gather(db, site, "2024-03-15", since=UNTIL, until=UNTIL + 86400, now=0).archives


def test_an_archive_that_is_away_still_counts_to_the_end(database: Database) -> None:
    with database.write() as tx:
        health.note_outages(
            tx, [{"name": "osn", "state": "down", "reason": "no route"}], UNTIL - 1800.0)
        found = health.outages(tx, SINCE, UNTIL)["osn"]
        assert (found.times, found.seconds, found.until) == (1, 1800.0, None)
        health.note_outages(tx, [], UNTIL)  # taken out of the site file
        assert health.outages(tx, UNTIL + 1.0, UNTIL + 2.0) == {}


def test_facts_are_plain_values(facts: NightSummary) -> None:
    assert json.loads(json.dumps(write.plain(facts)))["frames"] == 11


def test_a_lone_point_is_shown_beside_the_night_before(database: Database) -> None:
    fill_catalogue(database)
    with database.write() as tx:
        result(tx, 0, 13.2, night="2024-03-09")
        for minute in range(3):
            result(tx, minute, 13.1, night="2024-03-11")
        result(tx, 0, 13.0)
    request = request_of(database)
    assert request.before == "2024-03-11"
    [panel] = request.panels
    assert [(s.before, len(s.points)) for s in panel.series] == [(False, 1), (True, 3)]


def test_points_that_are_not_alone_stand_by_themselves(database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, 13.1, night="2024-03-11")
        result(tx, 0, 13.0)
        result(tx, 1, 13.0)
    request = request_of(database)
    assert request.before == ""
    assert all(not series.before for panel in request.panels for series in panel.series)


def test_literature_values_are_those_of_the_source_itself(database: Database) -> None:
    a_night(database)
    mags, p, chi = request_of(database).panels
    assert (mags.literature, mags.downwards) == ((("R", 13.5),), True)
    assert p.literature == (("", 8.0),)
    assert chi.literature[0][1] % 180 == pytest.approx(20.0)


def test_angles_are_drawn_on_the_same_side_of_180_degrees(database: Database) -> None:
    a_night(database)
    chi = request_of(database).panels[2]
    angles = [value for series in chi.series for _, value, _, _ in series.points]
    assert max(angles) - min(angles) == pytest.approx(4.0)


def test_a_flagged_point_is_drawn_as_such(database: Database) -> None:
    a_night(database)
    red = next(s for s in request_of(database).panels[0].series if s.band == "R" and not s.before)
    assert [sound for *_, sound in red.points] == [True, True, False]


def test_a_source_without_numbers_has_no_plot(database: Database) -> None:
    with database.write() as tx:
        result(tx, 0, None)
    with database.read() as db:
        assert list(plot_requests(db, NIGHT)) == []


def test_thousands_of_points_are_thinned(database: Database) -> None:
    with database.write() as tx:
        for minute in range(1201):
            result(tx, minute / 10, 13.0)
    [panel] = request_of(database).panels
    assert 300 < len(panel.series[0].points) <= 500
