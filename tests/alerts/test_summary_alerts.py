"""Each alert is told in one summary: of its own night, or, where it came too late, of the next."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.summary import write
from iop4d.alerts.summary.facts import AlertLine
from iop4d.alerts.summary.gather import alerts_of
from iop4d.alerts.summary.scheduler import SummaryScheduler
from iop4d.config import Site
from iop4d.model.units import SECONDS_A_DAY, utc_of_unix
from iop4d.store.schema import Alert, Meta, Result
from tests.alerts.nights import NIGHT, at, result, summary_site
from tests.alerts.summary_facts import nothing
from tests.alerts.summary_house import House
from tests.conftest import FakeClock
from tests.support.cases import tried

BEFORE, NEXT = "2024-03-12", "2024-03-14"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A site that began on an afternoon some days before."""
    made = House(summary_site(tmp_path), FakeClock(at("2024-03-10T15:00")))
    assert made.look() == []
    return made


def fire(house: House, night: str = NIGHT, *, came: str = "", **more: Any) -> int:
    """An alert on a point of a night, which came then; by default an hour later."""
    with house.database.write() as tx:
        point = result(tx, 0, 12.5, night=night, mode="photometry")
        row = tx.create(Alert, **{
            "rule": "bright", "source": "BL Lac", "band": "R", "state": "firing",
            "episode": tx.select(Alert).count() + 1, "condition": "mag < 13", "points": [point.id],
            "fired_jd": point.jd_mid, "fired_at": at(came or f"{night}T23:00")} | more)
    return int(row.id)


def summed(house: House, moment: str) -> list[str]:
    """Make what is due at a time; the nights that were made."""
    house.clock.now = at(moment)
    return house.look()


def told(house: House) -> dict[str, list[tuple[int, str]]]:
    """The alerts of each summary, with the other nights they are of."""
    return {row.night: [(line["id"], line["night"]) for line in row.facts["alerts"]]
            for row in house.summaries()}


def view(house: House, night: str, *, whole: bool = True) -> list[AlertLine]:
    end = house.scheduler.end
    day = date.fromisoformat(night)
    with house.database.read() as db:
        return list(alerts_of(db, night, since=end(day - timedelta(days=1)), until=end(day),
                              whole=whole))


def test_an_alert_of_the_night_is_reported_in_its_summary(house: House) -> None:
    mine = fire(house)
    summed(house, "2024-03-15T12:00")
    assert told(house)[NIGHT] == [(mine, "")]
    assert told(house)[NEXT] == []


def test_frames_that_came_in_the_morning_before_the_summary_count_for_their_night(
        house: House) -> None:
    """The daemon was off at dawn; the archive is read first, then the summary is made."""
    mine = fire(house, came="2024-03-14T09:00")
    assert NIGHT in summed(house, "2024-03-14T09:10")
    summed(house, "2024-03-15T12:00")
    assert told(house)[NIGHT] == [(mine, "")]
    assert told(house)[NEXT] == []


def test_an_alert_that_came_after_its_summary_is_reported_in_the_next_with_its_night(
        house: House) -> None:
    summed(house, "2024-03-14T05:30")
    late = fire(house, came="2024-03-14T09:00")
    summed(house, "2024-03-15T12:00")
    assert told(house)[NIGHT] == []
    assert told(house)[NEXT] == [(late, NIGHT)]
    house.send()
    [mail] = [mail for _, mail in house.channel.mails if NEXT in mail.subject]
    assert mail.subject.startswith(f"Night {NEXT}: 1 alert (BL Lac), nothing was observed")
    assert f"firing, of the night {NIGHT}" in mail.text


def test_an_old_archive_that_is_read_now_is_reported_in_the_night_in_which_it_came(
        house: House) -> None:
    old = fire(house, "2019-05-01", came="2024-03-13T15:00")
    summed(house, "2024-03-15T12:00")
    assert {night: lines for night, lines in told(house).items() if lines} == {
        NIGHT: [(old, "2019-05-01")]}


def test_an_alert_before_the_first_summary_of_a_site_is_reported_in_it(tmp_path: Path) -> None:
    house = House(summary_site(tmp_path), FakeClock(at("2024-03-13T15:00")))
    house.look()
    early = fire(house, BEFORE, came="2024-03-13T15:01")
    summed(house, "2024-03-14T12:00")
    assert told(house) == {NIGHT: [(early, BEFORE)]}


def test_an_alert_of_a_night_that_gets_no_summary_is_not_lost(house: House) -> None:
    """Off for weeks: only the last nights are made up for."""
    lost = fire(house, "2024-03-11")
    summed(house, "2024-03-30T12:00")
    summed(house, "2024-03-31T12:00")
    assert [lines for lines in told(house).values() if lines] == [[(lost, "2024-03-11")]]


def test_an_alert_of_a_summary_that_could_not_be_made_is_reported_in_the_next(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = fire(house)
    summed(house, "2024-03-13T12:00")

    def fail(*_: object) -> None:
        raise RuntimeError("no such number")

    with monkeypatch.context() as broken:
        broken.setattr(SummaryScheduler, "_gather", fail)
        for _ in range(3):
            summed(house, "2024-03-14T06:00")
    [facts] = [row.facts for row in house.summaries() if row.night == NIGHT]
    assert facts["trouble"]
    summed(house, "2024-03-15T12:00")
    assert told(house)[NEXT] == [(mine, NIGHT)]


def test_a_pending_alert_is_told_once_it_fires(house: House) -> None:
    mine = fire(house, state="pending")
    summed(house, "2024-03-14T06:00")
    with house.database.write() as tx:
        tx.update(Alert, state="firing", fired_at=at("2024-03-14T10:00")).where(
            Alert.id == mine).execute()
    summed(house, "2024-03-15T12:00")
    assert (told(house)[NIGHT], told(house)[NEXT]) == ([], [(mine, NIGHT)])


def test_alerts_of_the_system_go_by_when_they_fired(house: House) -> None:
    row = fire(house, points=[], band="", came="2024-03-14T09:00")
    summed(house, "2024-03-15T12:00")
    assert (told(house)[NIGHT], told(house)[NEXT]) == ([], [(row, "")])


def test_an_alert_whose_point_is_gone_goes_by_its_time(house: House) -> None:
    mine = fire(house)
    with house.database.write() as tx:
        tx.delete(Result).execute()
    summed(house, "2024-03-15T12:00")
    assert {night: lines for night, lines in told(house).items() if lines} == {
        NIGHT: [(mine, "")]}


def test_a_point_of_a_clock_that_runs_ahead_is_told_when_it_comes(house: House) -> None:
    odd = fire(house, "2099-01-01", came="2024-03-13T23:00")
    summed(house, "2024-03-15T12:00")
    assert told(house)[NIGHT] == [(odd, "2099-01-01")]


def test_a_summary_that_is_sent_again_tells_its_own_alerts_again_and_no_others(
        house: House) -> None:
    first = fire(house)
    summed(house, "2024-03-14T06:00")
    late = fire(house, came="2024-03-14T09:00")
    summed(house, "2024-03-15T12:00")
    third = fire(house, came="2024-03-15T15:00")
    assert [line.id for line in view(house, NIGHT, whole=False)] == [first, third]
    assert [(line.id, line.night) for line in view(house, NEXT, whole=False)] == [(late, NIGHT)]


def test_whoever_looks_at_a_night_sees_all_its_alerts(house: House) -> None:
    summed(house, "2024-03-14T06:00")
    late = fire(house, came="2024-03-14T09:00")
    summed(house, "2024-03-15T12:00")
    assert [(line.id, line.reported_in) for line in view(house, NIGHT)] == [(late, NEXT)]
    assert view(house, NIGHT, whole=False) == []


def test_where_no_summary_was_ever_made_an_alert_is_seen_in_its_night_alone(
        house: House) -> None:
    """As ``iop4d summary`` shows it of a site whose daemon never ran."""
    with house.database.write() as tx:
        tx.delete(Meta).execute()
    mine = fire(house, came="2024-03-14T09:00")
    assert [line.id for line in view(house, NIGHT)] == [mine]
    assert view(house, NEXT) == []


def test_a_late_alert_makes_news_of_an_empty_night(house: House, site: Site) -> None:
    quiet = summary_site(site.root / "quiet", "empty_nights = false\n")
    line = AlertLine(id=1, rule="bright", source="BL Lac", band="R", condition="mag < 13",
                     utc="2024-03-13 22:00:00", state="firing", night=NIGHT)
    with house.database.write() as tx:
        assert write.post(tx, quiet, nothing(night=BEFORE), now=0.0) == []
        assert len(write.post(tx, quiet, nothing(night=NEXT, alerts=(line,)), now=0.0)) == 1
    said = house.messages()[0].content
    assert "1 alert" in said["subject"]
    assert f"of the night {NIGHT}" in said["html"]


@pytest.mark.parametrize("seed", range(tried(few=1, every=4)))
def test_whatever_comes_when_every_alert_is_told_once(tmp_path: Path, seed: int) -> None:
    """Frames of any night come at any time, and the daemon is off for days."""
    chance = random.Random(seed)
    house = House(summary_site(tmp_path), FakeClock(at("2024-03-10T15:00")))
    house.look()
    fired = []
    for _ in range(60):
        now = house.clock.now
        back = chance.choice((0, 0, 0, 1, 1, 2, 5, 300))
        evening = now - (back + 0.5) * SECONDS_A_DAY
        night = utc_of_unix(evening, "%Y-%m-%d")
        fired.append(fire(house, night, fired_at=now))
        house.clock.now = now + chance.choice((0.01, 0.1, 0.3, 0.3, 1.5, 6.0)) * SECONDS_A_DAY
        if chance.random() < 0.8:
            house.look()
    for _ in range(8):
        house.clock.now += SECONDS_A_DAY
        house.look()
    counts = Counter(id_ for lines in told(house).values() for id_, _ in lines)
    assert counts == Counter(fired)


