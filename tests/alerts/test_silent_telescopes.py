"""Telescopes and archives that send nothing: by how long, and by an hour of the night."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.alerts import system_measures
from iop4d.archives.nights import any_observes
from iop4d.model.units import jd_of_unix
from iop4d.store.database import Transaction
from iop4d.store.schema import Alert, Outbox
from tests.alerts.bench import point, site_of
from tests.alerts.watched_system import ARCHIVE, DAY, HOUR, Make, frame, measured
from tests.support.rows import last


def test_a_telescope_that_is_silent_by_night_is_told_and_by_day_is_not(system: Make) -> None:
    it = system("silent > 2 h")
    with it.database.write() as tx:
        frame(tx, it.clock() - HOUR)
    it.night = False
    assert it.look(300, every=5) == []
    it.night = True
    assert it.look(120, every=5) == []  # the night has only begun
    assert it.look(12) == [("OSN-T090", "firing")]
    with it.database.write() as tx:
        frame(tx, it.clock())
    assert it.look(12) == [("OSN-T090", "resolved")]


def test_a_telescope_that_was_silent_all_night_has_no_new_frames_in_the_morning(
        system: Make) -> None:
    it = system("silent > 2 h", "notify_resolved = true\ncooldown_hours = 0\n")
    with it.database.write() as tx:
        frame(tx, it.clock() - HOUR)
    assert it.look(150, every=5) == [("OSN-T090", "firing")]
    it.night = False
    assert it.look(12) == [("OSN-T090", "resolved")]
    assert last(it.database, Outbox).content["head"] == (
        "Resolved: OSN-T090 sent no frame: the night is over")
    assert last(it.database, Alert).note == "no frame came: the night is over"
    it.night = True
    assert it.look(150, every=5)[-1] == ("OSN-T090", "firing")
    with it.database.write() as tx:
        frame(tx, it.clock())
    assert it.look(12)[-1] == ("OSN-T090", "resolved")
    assert last(it.database, Outbox).content["head"] == (
        "Resolved: OSN-T090 has new frames again")


def test_an_archive_without_a_telescope_is_silent_by_itself(system: Make) -> None:
    it = system("silent > 2 h", '[[archive]]\nname = "plain"\npath = "plain"\n')
    for minutes, found in ((75, []), (75, [("plain", "firing")])):
        with it.database.write() as tx:
            frame(tx, it.clock())  # of the other archive
        assert it.look(minutes) == found
    with it.database.write() as tx:
        frame(tx, it.clock() + 1.0, archive="plain", telescope="")
    assert it.look(12) == [("plain", "resolved")]


def test_an_archive_without_a_telescope_is_expected_in_its_own_hours(tmp_path: Path) -> None:
    site = site_of(tmp_path, ARCHIVE, '[[archive]]\nname = "plain"\npath = "plain"\n'
                   'observing_hours = "20:00-04:00"\n')
    assert not any_observes(site.archive, {}, "plain", 12 * HOUR)
    assert any_observes(site.archive, {}, "plain", 21 * HOUR)


def test_a_telescope_is_silent_for_the_shorter_of_its_night_and_its_silence(system: Make) -> None:
    it = system("silent > 2 h")
    since = {("observes", "OSN-T090"): it.clock() - 3 * HOUR}
    assert measured(it, "silent", since=dict(since)) == {"OSN-T090": 3.0}  # no frame ever
    with it.database.write() as tx:
        frame(tx, it.clock() - HOUR)
    assert measured(it, "silent", since=dict(since)) == {"OSN-T090": 1.0}
    assert measured(it, "silent", since=dict(since), observes=lambda _: False) == {
        "OSN-T090": 0.0}


def test_a_rule_may_watch_one_telescope(system: Make) -> None:
    it = system("silent > 1 h", 'source = "CAHA-T220"\n')
    assert it.look(200, every=5) == []
    it = system("silent > 1 h", 'source = "OSN-T090"\n')
    assert it.look(200, every=5) == [("OSN-T090", "firing")]


def at(hour: float) -> float:
    """A moment of the evening of 2026-11-22, UTC."""
    return 1795305600.0 + 3600.0 * hour


def test_no_data_by_an_hour_is_told_at_that_hour(system: Make) -> None:
    it = system("no data by 22:00", "notify_resolved = true\n")
    it.clock.now = at(21.5)
    with it.database.write() as tx:
        frame(tx, at(-3.0))  # of the night before
        frame(tx, at(21.0), path="flat", kind="flat")
    assert it.look(25) == []
    assert it.look(25) == [("OSN-T090", "firing")]
    assert "no data tonight" in last(it.database, Outbox).content["subject"]
    assert "not known" in last(it.database, Outbox).content["note"]
    with it.database.write() as tx:
        frame(tx, it.clock(), path="science")
    assert it.look(15) == [("OSN-T090", "resolved")]


@pytest.mark.parametrize(("why", "said"), [
    ("data", "Resolved: OSN-T090 has data"), ("late", "Resolved: OSN-T090 has data"),
    ("day", "Resolved: OSN-T090 sent no frame: the night is over"),
    ("clouds", "Resolved: OSN-T090 sent no frame: other telescopes see clouds")])
def test_no_data_ends_with_what_ended_it(system: Make, why: str, said: str) -> None:
    it = system("no data by 22:00", "notify_resolved = true\n")
    it.clock.now = at(22.5)
    assert it.look(15) == [("OSN-T090", "firing")]
    it.night = why != "day"
    with it.database.write() as tx:
        if why in ("data", "late"):  # recognised long after it was seen
            frame(tx, it.clock() - (0.0 if why == "data" else HOUR))
        if why == "clouds":
            see_clouds(tx)
    assert it.look(15) == [("OSN-T090", "resolved")]
    assert last(it.database, Outbox).content["head"] == said


def see_clouds(tx: Transaction) -> None:
    """Another telescope sees them."""
    for n, zero_point in enumerate((22.0, 22.0, 20.9)):
        point(tx, n, 14.0, telescope="OSN-T150", zero_point=zero_point,
              jd_mid=jd_of_unix(at(20.0 + 0.5 * n)), created_at=at(20.0 + 0.5 * n))


@pytest.mark.parametrize("why", ["data", "day", "clouds"])
def test_no_data_is_not_told_of_nights_with_data_or_clouds(system: Make, why: str) -> None:
    it = system("no data by 22:00")
    it.clock.now = at(22.5)
    with it.database.write() as tx:
        if why == "data":
            frame(tx, at(20.0))
        if why == "clouds":
            see_clouds(tx)
    it.night = why != "day"
    assert it.look(30) == []


@pytest.mark.parametrize(("hour", "zone", "moment"), [
    ("22:00", "UTC", 22.0), ("22:00", "Europe/Madrid", 21.0), ("23:30", "UTC", -0.5),
    ("22:00", "local", 21.0)])
def test_an_hour_is_that_of_its_zone(hour: str, zone: str, moment: float) -> None:
    assert system_measures.last_time(hour, zone, at(22.5), local="Europe/Madrid") == at(moment)


def test_a_telescope_is_told_to_be_silent_though_its_last_frame_is_of_a_clock_that_was_ahead(
        system: Make) -> None:
    it = system("silent > 2 h")
    it.clock.advance(DAY)
    it.look(5)
    with it.database.write() as tx:
        frame(tx, it.clock())
    it.clock.advance(-DAY)
    assert it.look(120) == []
    assert it.look(20) == [("OSN-T090", "firing")]
