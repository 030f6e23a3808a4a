"""Every night gets one summary, whatever dies, hangs, or starts again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from iop4d.alerts.summary import scheduler as module
from iop4d.alerts.summary import write
from iop4d.config import Site
from iop4d.model.messages import NightPlotRequest
from iop4d.model.units import SECONDS_A_DAY
from iop4d.store.database import Connection, Database
from iop4d.store.events import emit
from iop4d.store.schema import Outbox
from tests.alerts.bench import PNG, channel, site_of
from tests.alerts.nights import NIGHT, a_night, at, fill_catalogue, nights_from, summary_site
from tests.alerts.summary_house import House, no_plot
from tests.conftest import FakeClock, in_a_hurry
from tests.support.cases import tried
from tests.support.inline_database import InlineDatabase

OVER = at("2024-03-14T05:30")


class KilledError(BaseException):
    """The power failed."""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A site that began in the afternoon before the night, which is just over."""
    made = House(summary_site(tmp_path), FakeClock(at("2024-03-13T15:00")))
    assert made.look() == []
    made.clock.now = OVER
    return made


def test_a_night_is_summed_up_as_it_ends_and_its_mail_is_sent(house: House) -> None:
    a_night(house.database)
    house.clock.now = house.scheduler.end(date.fromisoformat(NIGHT)) - 1
    assert house.look() == []
    house.clock.advance(1)
    assert house.look() == [NIGHT]
    assert house.wakes == 1
    assert house.send() == 1
    [(to, mail)] = house.channel.mails
    assert to == "ana@example.org"
    assert mail.subject == f"Night {NIGHT}: 11 frames, 1 source, 4 not used [iop4d]"


def test_it_is_made_once_however_often_one_looks(house: House) -> None:
    assert [house.look() for _ in range(4)] == [[NIGHT], [], [], []]
    house.start()
    assert house.look() == []
    assert len(house.messages()) == 1


def test_two_looks_at_a_time_make_it_once(house: House) -> None:
    async def both() -> list[list[str]]:
        return await asyncio.gather(house.scheduler.run_once(), house.scheduler.run_once())

    assert sorted(asyncio.run(both())) == [[], [NIGHT]]


def test_it_comes_when_nothing_was_observed_too(house: House) -> None:
    house.look()
    house.send()
    [(_, mail)] = house.channel.mails
    assert mail.subject.endswith("nothing was observed [iop4d]")


def test_an_empty_night_can_go_without_mail_but_has_its_page(tmp_path: Path) -> None:
    site = site_of(tmp_path, '[summary]\nchannels = ["team"]\nempty_nights = false\n', channel())
    house = House(site, FakeClock(at("2024-03-13T15:00")))
    house.look()
    house.clock.now = OVER
    assert house.look() == [NIGHT]
    assert house.messages() == []
    assert house.summaries()[0].state == "made"


def test_each_recipient_has_a_message_with_an_id_of_its_own(tmp_path: Path) -> None:
    site = summary_site(tmp_path, to='["ana@example.org", "ben@example.org"]')
    house = House(site, FakeClock(at("2024-03-13T15:00")))
    house.look()
    house.clock.now = OVER
    house.look()
    rows = house.messages()
    assert [row.recipient for row in rows] == ["ana@example.org", "ben@example.org"]
    assert len({row.message_id for row in rows} | {row.dedup_key for row in rows}) == 4
    assert house.summaries()[0].messages == [row.id for row in rows]


def test_the_row_says_when_its_messages_are_sent(house: House) -> None:
    house.look()
    assert house.summaries()[0].state == "queued"
    house.clock.advance(5)
    house.send()
    house.look()
    [row] = house.summaries()
    assert (row.state, row.sent_at) == ("sent", OVER + 5)


def test_messages_that_were_given_up_make_it_a_failed_one(house: House) -> None:
    house.look()
    with house.database.write() as tx:
        tx.update(Outbox, state="failed").execute()
    house.look()
    assert house.summaries()[0].state == "failed"


def test_plots_are_files_that_the_mail_carries(house: House) -> None:
    a_night(house.database)
    house.look()
    house.send()
    [path] = house.messages()[0].content["pictures"]
    assert path.startswith(f"summaries/{NIGHT}/bl-lac-")
    assert (house.site.root / path).read_bytes() == PNG
    [(_, mail)] = house.channel.mails
    [(cid, picture)] = mail.pictures.items()
    assert picture == PNG
    assert f"cid:{cid}" in mail.html


def test_a_plot_that_cannot_be_made_costs_the_plot_alone(tmp_path: Path) -> None:
    house = House(summary_site(tmp_path), FakeClock(at("2024-03-13T15:00")), plot=no_plot)
    house.look()
    a_night(house.database)
    house.clock.now = OVER
    assert house.look() == [NIGHT]
    assert house.messages()[0].content["pictures"] == []


def test_a_plot_that_hangs_is_not_waited_for(house: House,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_: NightPlotRequest) -> bytes | None:
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr(module, "_PLOT_WAIT", 0.01)
    a_night(house.database)
    house.start(plot=hangs)
    assert house.look() == [NIGHT]


def test_plots_can_be_left_out(tmp_path: Path) -> None:
    site = site_of(tmp_path, "[summary]\nplots = false\n")
    house = House(site, FakeClock(at("2024-03-13T15:00")))
    house.look()
    a_night(house.database)
    house.clock.now = OVER
    house.look()
    assert not (tmp_path / "summaries").exists()


def test_nights_missed_while_the_daemon_was_off_are_made_up_for_but_three(house: House) -> None:
    house.look()
    house.clock.advance(10 * SECONDS_A_DAY)
    house.start()
    assert house.look() == nights_from(date(2024, 3, 21), 3)


def test_a_new_site_has_no_summary_of_the_nights_before_it(tmp_path: Path) -> None:
    house = House(summary_site(tmp_path), FakeClock(OVER))
    assert house.look() == []
    house.clock.advance(SECONDS_A_DAY)
    assert house.look() == ["2024-03-14"]


def test_a_clock_that_was_ahead_at_the_first_start_silences_nothing(tmp_path: Path) -> None:
    house = House(summary_site(tmp_path), FakeClock(at("2036-01-01")))
    house.look()
    house.clock.now = at("2024-03-13T15:00")
    house.look()
    house.clock.now = OVER
    assert house.look() == [NIGHT]


def test_a_night_that_was_summed_up_while_the_clock_was_ahead_is_summed_up_when_it_is_over(
        house: House) -> None:
    """An old fault: the mail of the night was the one of its first hours."""
    house.clock.now = OVER + 0.5 * SECONDS_A_DAY  # it is ten hours before the night's end
    assert house.look() == [NIGHT]
    a_night(house.database)
    house.clock.now = OVER - 10 * 3600.0
    assert house.look() == []
    house.clock.now = OVER
    assert house.look() == [NIGHT]
    assert house.look() == []
    assert [row.content["subject"].split(": ")[1] for row in house.messages()] == [
        "nothing was observed [iop4d]", "11 frames, 1 source, 4 not used [iop4d]"]


def test_a_summary_that_was_right_although_the_clock_was_ahead_is_not_sent_twice(
        house: House) -> None:
    a_night(house.database)
    house.clock.now = OVER + 2 * 3600.0
    assert house.look() == [NIGHT]
    (before,) = house.messages()
    house.clock.now = OVER + 60.0
    assert house.look() == []
    assert [row.id for row in house.messages()] == [before.id]
    (row,) = house.summaries()
    assert row.made_at == house.clock.now
    assert house.look() == []
    assert house.send() == 1


def test_a_clock_that_was_ahead_by_less_than_an_hour_sends_no_summary_twice(house: House) -> None:
    house.clock.advance(1800.0)
    assert house.look() == [NIGHT]
    house.clock.advance(-1700.0)
    assert house.look() == []


def test_a_night_that_cannot_be_summed_up_is_told_and_holds_up_no_other(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = module.gather

    def fails(db: Connection, site: Site, night: str, **times: float) -> Any:
        if night == NIGHT:
            raise RuntimeError("no such number")
        return gather(db, site, night, **times)

    monkeypatch.setattr(module, "gather", fails)
    house.clock.advance(SECONDS_A_DAY)
    assert house.look() == ["2024-03-14"]
    assert house.look() == []
    assert house.look() == [NIGHT]
    told = house.messages()[-1].content
    assert told["subject"].endswith("the summary could not be made [iop4d]")
    assert "no such number" in told["text"]


def test_a_site_without_channels_has_its_page(tmp_path: Path) -> None:
    house = House(site_of(tmp_path), FakeClock(at("2024-03-13T15:00")))
    house.look()
    house.clock.now = OVER
    assert house.look() == [NIGHT]
    assert (house.messages(), house.summaries()[0].state) == ([], "made")


class Deaths(InlineDatabase):
    """Has the process die, now and then, as it is about to use the database or a worker.

    It may be before or after what is done there, or within the transaction.
    """

    def __init__(self, database: Database, seed: int) -> None:
        super().__init__(database)
        self.pick = random.Random(seed)
        self.left = -1
        self.count = 0

    def soon(self) -> None:
        self.left = self.pick.randrange(7)

    def _step(self) -> None:
        if self.left == 0:
            self.left = -1
            self.count += 1
            raise KilledError
        self.left -= self.left > 0

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._step()
        found = await super().run(function, *args, **kwargs)
        self._step()
        return found

    def emit(self, *args: Any, **content: Any) -> None:
        """The last that is done within the transaction."""
        self._step()
        emit(*args, **content)

    async def plot(self, _: NightPlotRequest) -> bytes | None:
        await asyncio.sleep(0)
        self._step()
        return PNG


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_season_of_restarts_and_blocked_loops_gives_one_letter_a_night(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = summary_site(tmp_path, to='["ana@example.org", "ben@example.org"]')
    # The clocks of the place change on the last day of March.
    first, nights = tried(few=(date(2024, 3, 15), 30), every=(date(2024, 2, 1), 120))
    house = House(site, FakeClock(at(f"{first}T12:00")))
    deaths = Deaths(house.database, 2024)
    monkeypatch.setattr(write, "emit", deaths.emit)
    house.start(database=deaths, plot=deaths.plot)
    in_a_hurry(house.database)
    fill_catalogue(house.database)
    house.look()
    end = house.scheduler.end
    for number in range(nights):
        due = end(first + timedelta(days=number))
        _live_through(house, deaths, due)
        house.send()
        if number % 20 == 0:
            house.clock.now -= deaths.pick.uniform(0, 0.9) * 3600  # set back, in good order
            house.look()
    assert house.nights() == nights_from(first, nights)
    sent = Counter((to, str(mail.id)) for to, mail in house.channel.mails)
    assert len(sent) == sum(sent.values()) == 2 * nights
    assert Counter(to for to, _ in sent) == {"ana@example.org": nights, "ben@example.org": nights}
    assert deaths.count > nights / 4
    offsets = {datetime.fromtimestamp(end(date.fromisoformat(night)), ZoneInfo("Europe/Madrid"))
               .utcoffset() for night in house.nights()}
    assert len(offsets) == 2, "the clocks of the place changed in between"


def _live_through(house: House, deaths: Deaths, due: float) -> None:
    """The hours about the end of a night: every second night the daemon dies within 5 s of it.

    On every third the loop hangs, so that it looks hours too late.
    """
    late = deaths.pick.uniform(0, 9) * 3600 if deaths.pick.random() < 1 / 3 else 0.0
    looks = sorted({due - 60, *(due + deaths.pick.uniform(-5, 5) for _ in range(3)), due + 6})
    for moment in [due - 60, due + late] if late else looks:
        house.clock.now = max(house.clock.now, moment)
        if abs(moment - due) < 5 and deaths.pick.random() < 0.5:
            deaths.soon()
        try:
            house.look()
        except KilledError:
            house.start(database=deaths, plot=deaths.plot)
        if moment >= due + 6 or late:
            deaths.left = -1
            house.look()
