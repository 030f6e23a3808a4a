"""The engine: edges are rows of the transaction that wrote the results."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iop4d.alerts import engine as engine_module
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.episodes import tag
from iop4d.alerts.rules import Edge
from iop4d.model.errors import ConfigError
from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.schema import Alert, AlertStep, Event, Frame, Outbox, Result, ResultFrame
from tests.alerts.bench import JD, AtAnyTime, Night, channel, point, rule, site_of
from tests.conftest import FakeClock
from tests.support.rows import first, rows, update

Start = Callable[..., Night]


@pytest.fixture
def start(tmp_path: Path, clock: FakeClock) -> Iterator[Start]:
    """Begin a night with the parts of a site file."""
    nights: list[Night] = []

    def begin(*parts: str) -> Night:
        nights.append(Night(site_of(tmp_path, *(parts or (rule(), channel()))), clock))
        return nights[-1]

    yield begin
    for night in nights:
        night.database.close()


def test_a_flare_is_one_alert_one_mail_and_one_ending(start: Start) -> None:
    night = start()
    ids = night.see_all([13.5, 12.9, 12.8, 12.7, 13.3, 13.4, 13.5])
    assert night.episodes() == [("resolved", 2, 5)]
    alert = first(night.database, Alert)
    assert (alert.rule, alert.source, alert.band, alert.episode) == ("bright", "BL Lac", "R", 1)
    assert alert.points == ids[1:3]
    assert alert.condition == "mag < 13.0"
    events = rows(night.database, Event, Event.kind == "alert")
    assert [event.content["state"] for event in events] == ["pending", "firing", "resolved"]
    assert [row.state for row in rows(night.database, AlertStep)] == [
        "pending", "firing", "resolved"]
    mail = first(night.database, Outbox)
    assert len(rows(night.database, Outbox)) == 1
    assert (mail.state, mail.channel, mail.recipient, mail.alert_id) == (
        "queued", "team", "ana@example.org", alert.id)


def test_every_recipient_of_every_channel_has_a_mail_with_its_own_id(start: Start) -> None:
    night = start(rule().replace('["team"]', '["team", "boss"]'),
                  channel(to='["ana@example.org", "ben@example.org", "ana@example.org"]'),
                  channel("boss", to='["ana@example.org"]'))
    night.see_all([12.5, 12.5])
    assert [(mail.channel, mail.recipient) for mail in rows(night.database, Outbox)] == [
        ("team", "ana@example.org"), ("team", "ben@example.org"), ("boss", "ana@example.org")]
    ids = {mail.message_id for mail in rows(night.database, Outbox)}
    assert len(ids) == 3
    assert all(i.startswith("<iop4d.") and i.endswith("@example.org>") for i in ids)


def test_the_content_tells_everything_in_plain_values(start: Start) -> None:
    night = start()
    night.see(-60 * 24 * 40, 14.0)  # older than the plot shows
    night.see_all([13.5, 12.9])
    with night.database.write() as tx:
        frame = tx.create(Frame, archive="raw", path="/x", name="x.fit", size=1, mtime_ns=0,
                             state="done", completed_at=0, seen_at=0, changed_at=0)
        newest = point(tx, 2, 12.874, err=0.021, flags=int(Flag.LOW_SNR | Flag.CLOUDS))
        tx.create(ResultFrame, result=newest, frame=frame)
        night.engine.on_results(tx, [newest])
    said = first(night.database, Outbox).content
    alert = first(night.database, Alert)
    assert said["subject"] == f"Firing: BL Lac R = 12.87 ± 0.02; mag < 13.0 [iop4d {said['tag']}]"
    assert said["tag"] == tag(alert)
    assert re.fullmatch("#[0-9a-f]{6}", said["tag"])
    assert [p["mag"] for p in said["points"]] == [12.9, 12.874]
    assert said["points"][-1] == {
        "band": "R", "judged": "", "id": newest, "jd": JD + 2 / 1440,
        "utc": "2025-11-21 00:02:00", "mag": 12.874,
        "mag_err": 0.021, "p": None, "p_err": None, "p_limit": None, "chi": None,
        "chi_err": None,
        "exptime_s": 60.0, "zero_point": 22.31, "zero_point_err": 0.012,
        "n_calibrators": 4, "fwhm_arcsec": 1.9, "airmass": 1.12, "telescope": "T090",
        "instrument": "Andor", "flags": ["low_snr", "clouds"], "provisional": False,
        "frames": ["BLLac_2R.fit"],
        "frame_url": f"https://iop4d.example.org/frames/{frame.id}"}
    assert [mag for _, mag, _ in said["light_curve"]] == [13.5, 12.9, 12.874]
    assert said["links"] == {"source": "https://iop4d.example.org/sources/BL%20Lac",
                             "alerts": f"https://iop4d.example.org/alerts/{alert.id}"}


def test_the_light_curve_of_a_mail_is_bounded(start: Start) -> None:
    night = start()
    with night.database.write() as tx:
        for n in range(300):
            point(tx, n, 13.5)
        update(night.database, Result, Result.jd_mid < JD + 0.1, mag_err=None)
    night.see_all([12.5, 12.5], start=300)
    curve = first(night.database, Outbox).content["light_curve"]
    assert len(curve) == 200
    assert curve[-1][1] == 12.5
    assert [jd for jd, _, _ in curve] == sorted(jd for jd, _, _ in curve)


@pytest.mark.parametrize(("name", "shown"), [("2200+420", "2200+420"), ("*", "2200+420")])
def test_a_mail_calls_the_source_as_people_do(start: Start, name: str, shown: str) -> None:
    night = start(rule(source=name), channel())
    night.see_all([12.5, 12.5])
    said = first(night.database, Outbox).content
    assert (said["source"], said["catalogue_name"]) == (shown, "BL Lac")
    assert said["subject"].startswith(f"Firing: {shown} R = ")
    assert said["links"]["source"].endswith("/sources/BL%20Lac")


@pytest.mark.parametrize("name", ["BL Lac", "bl-lac", "BL_LAC", "bllac", "2200+420", "*"])
def test_a_rule_finds_its_source_by_any_name(start: Start, name: str) -> None:
    night = start(rule(source=name), channel())
    night.see_all([12.5, 12.5])
    assert len(night.episodes()) == 1


def test_only_the_band_and_the_sources_that_a_rule_watches_count(start: Start) -> None:
    night = start(rule(source="*"), channel())
    for n in range(3):
        night.see(n, 12.5, band="B")
        night.see(n, 12.5, source="BL Lac C1")  # a calibrator is no target
        night.see(n, 12.5, source="nobody")
    assert night.episodes() == []


def test_a_source_that_is_added_later_is_watched(start: Start) -> None:
    night = start(rule(source="3c454.3"), channel())
    night.see(0, 12.5, source="3C 454.3")
    with night.database.write() as tx:
        catalogue.save(tx, [Source(name="2251+158", other_names=("3C 454.3",), ra_deg=343.49,
                               dec_deg=16.15, kind=SourceKind.TARGET)])
    for n in range(2):
        night.see(n, 12.5, source="2251+158")
    firing = rows(night.database, Alert, Alert.state == "firing")
    assert [alert.source for alert in firing] == ["2251+158"]


@pytest.mark.parametrize("bad", [
    {"flags": int(Flag.SATURATED)}, {"flags": int(Flag.BLENDED | Flag.CLOUDS)},
    {"flags": int(Flag.OFF_CENTRE)}, {"human_flags": ["bad"]},
])
def test_a_bad_point_neither_fires_nor_stands_in_the_way(start: Start, bad: dict[str, object],
                                                         ) -> None:
    night = start()
    night.see(0, 12.5)
    night.see(1, 12.0, **bad)
    assert night.episodes() == []
    night.see(2, 14.0, **bad)
    night.see(3, None)
    night.see(4, 12.5)
    assert night.episodes() == [("firing", 4, None)]


def test_the_same_results_again_change_nothing(start: Start) -> None:
    night = start()
    ids = night.see_all([13.5, 12.5, 12.5, 12.5])
    for _ in range(3):
        with night.database.write() as tx:
            night.engine.on_results(tx, ids)
    night.see(2, 12.4)
    assert night.episodes() == [("firing", 2, None)]
    assert len(rows(night.database, Outbox)) == 1


def test_who_sends_messages_is_woken_by_what_makes_one_alone(start: Start) -> None:
    night = start()
    woken = []
    for minutes, mag in enumerate([13.5, 12.5, 12.5, 12.4, 13.6]):
        with night.database.write() as tx:
            woken.append(night.engine.on_results(tx, [point(tx, minutes, mag)]))
    assert woken == [False, False, True, False, False]
    assert len(rows(night.database, Outbox)) == 1


def test_a_point_that_fired_an_alert_and_is_measured_again_twice_fires_one_of_its_own(
        start: Start) -> None:
    night = start()
    night.see_all([13.5, 12.5, 12.5, 12.5])
    night.see(2, 13.6)
    night.see(2, 12.4)
    assert [state for state, _, _ in night.episodes()] == ["withdrawn", "firing"]
    assert night.kinds() == ["alert", "withdrawn", "alert"]


def test_a_restart_goes_on_where_the_last_run_ended(start: Start, tmp_path: Path,
                                                    clock: FakeClock) -> None:
    night = start()
    night.see_all([12.5, 12.5])
    night.engine = AtAnyTime(site_of(tmp_path, rule(), channel()), clock)
    night.see_all([12.5, 13.5, 13.5, 12.5, 12.5], start=2)
    assert night.episodes() == [("resolved", 1, 4)]
    night.see_all([12.5, 12.5], start=13 * 60)
    assert night.episodes() == [("resolved", 1, 4), ("firing", 780, None)]
    assert len(rows(night.database, Outbox)) == 2


def test_no_alert_of_an_uncommitted_result(start: Start) -> None:
    night = start()
    night.see(0, 12.5)

    def die_before_the_commit() -> None:
        with night.database.write() as tx:
            night.engine.on_results(tx, [point(tx, 1, 12.5)])
            assert first(night.database, Alert).state == "firing"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_before_the_commit()
    assert [alert.state for alert in rows(night.database, Alert)] == ["pending"]
    assert len(rows(night.database, Outbox)) == 0


@pytest.mark.parametrize("seed", range(5))
def test_points_that_arrive_in_disorder_give_the_same_episodes(start: Start, seed: int) -> None:
    mags = [13.5, 13.1, 12.9, 12.7, 12.6, 12.8, 13.1, 13.3, 13.5, 13.6, 13.6, 13.6]
    night = start()
    pick = random.Random(seed)
    for n in sorted(range(len(mags)), key=lambda n: n + pick.uniform(0, 4)):
        night.see(n, mags[n])
    assert night.episodes() == [("resolved", 3, 8)]
    assert len(rows(night.database, Outbox)) == 1


def test_points_later_than_a_week_make_no_edge(start: Start) -> None:
    night = start()
    night.see(60 * 24 * 8, 13.5)
    night.see_all([12.5, 12.5])
    assert night.episodes() == []
    night.see_all([12.5, 12.5], start=60 * 24 * 2)
    assert len(night.episodes()) == 1


def test_a_rule_that_fails_costs_neither_the_result_nor_the_other_rules(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    night = start(rule(), rule().replace('"bright"', '"other"'), channel())
    night.see(0, 12.5)
    write = AlertEngine._write

    def fail_late(self: AlertEngine, *args: object) -> Alert:
        edge = args[2]
        assert isinstance(edge, Edge)
        alert = write(self, *args)  # type: ignore[arg-type]
        if alert.rule == "bright":
            raise ZeroDivisionError("a bug")
        return alert

    monkeypatch.setattr(engine_module.AlertEngine, "_write", fail_late)
    night.see(1, 12.5)
    assert len(rows(night.database, Result)) == 2
    assert {alert.rule: alert.state for alert in rows(night.database, Alert)} == {
        "bright": "pending", "other": "firing"}
    assert len(rows(night.database, Outbox)) == 1
    event = first(night.database, Event, Event.kind == "alert-error")
    assert event.content == {"rule": "bright", "source": "BL Lac", "band": "R",
                             "reason": "ZeroDivisionError: a bug"}
    monkeypatch.undo()
    night.see(2, 12.5)
    assert {alert.rule: alert.state for alert in rows(night.database, Alert)} == {
        "bright": "firing", "other": "firing"}


def test_a_database_that_fails_is_not_taken_for_a_rule_that_does(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    night = start()
    night.see(0, 12.5)

    def lose_the_transaction(*_: object) -> None:
        night.database.db.connection().execute("ROLLBACK")
        raise OSError("disk full")

    monkeypatch.setattr(engine_module.AlertEngine, "_judge", lose_the_transaction)
    with pytest.raises(Exception, match=r"disk full|savepoint|transaction"):
        night.see(1, 12.5)
    monkeypatch.undo()
    assert len(rows(night.database, Result)) == 1
    assert len(rows(night.database, Event, Event.kind == "alert-error")) == 0


def test_a_wrong_condition_stops_the_start(tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(ConfigError, match=r"\[\[rule\]\] 'bright': condition 'colour < 13.0'"):
        AlertEngine(site_of(tmp_path, rule().replace('"mag <', '"colour <'), channel()), clock)
