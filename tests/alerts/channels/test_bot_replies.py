"""What a bot answers to commands: the state of the site, results, and what was done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iop4d.alerts import actions
from iop4d.alerts.channels.base import make_channels
from iop4d.alerts.channels.bot_replies import DatabaseReplies, commands_of
from iop4d.simulator.botserver import TOKEN, BotServer
from iop4d.store import channel_state
from iop4d.store.database import Database
from iop4d.store.schema import Alert
from tests.alerts.bench import JD, Night, Start, point, site_of
from tests.conftest import FakeClock
from tests.support.inline_database import InlineDatabase

HOUR = 3600.0


def bot_of(night: Night) -> DatabaseReplies:
    return DatabaseReplies(database=InlineDatabase(night.database), clock=night.clock)


def write_alerts(night: Night) -> None:
    """Three active alerts: when each fired, and when people were notified of it."""
    with night.database.write() as tx:
        for source, fired_at, notified_at in (("first", 100.0, 100.0), ("reminded", 90.0, 300.0),
                                          ("old", 400.0, None)):
            tx.create(Alert, rule="bright", source=source, band="R", episode=1, state="firing",
                      condition="mag < 13", fired_jd=JD, fired_at=fired_at, notified_at=notified_at)


def test_without_a_tag_the_alert_of_the_last_message_is_acknowledged(start: Start) -> None:
    night = start()
    write_alerts(night)
    bot = bot_of(night)
    for _ in range(2):  # done again after a crash, it changes nothing
        assert "reminded R is acknowledged by ana." in asyncio.run(bot.acknowledge("", "ana"))
    with night.database.read() as db:
        assert [row.source for row in db.select(Alert).where(Alert.state == "acknowledged")] == [
            "reminded"]
    with night.database.write() as tx:
        tx.update(Alert, state="resolved").execute()
    with pytest.raises(actions.ActionError, match="there are no active alerts"):
        asyncio.run(bot.acknowledge("", "ana"))


def test_the_status_lists_active_alerts_the_newest_first(start: Start) -> None:
    night = start()
    bot = bot_of(night)
    assert asyncio.run(bot.status()) == "no frame yet\nno active alerts"
    write_alerts(night)
    lines = asyncio.run(bot.status()).splitlines()
    assert [line.split()[3] for line in lines[1:4]] == ["old", "first", "reminded"]
    assert lines[1].startswith("firing: #")
    assert lines[-1] == "3 active alerts"


def test_the_status_names_what_is_muted_and_an_unknown_source_is_refused(start: Start) -> None:
    night = start()
    bot = bot_of(night)
    with pytest.raises(actions.ActionError, match="unknown source 'BLLaz'; did you mean BL Lac"):
        asyncio.run(bot.mute(12 * HOUR, "BLLaz", "ana"))
    assert asyncio.run(bot.mute(12 * HOUR, "bllac", "ana")) == (
        "BL Lac is muted by ana until 2025-11-21 12:10 UTC.")
    asyncio.run(bot.mute(HOUR, "*", "ana"))
    said = asyncio.run(bot.status())
    assert "everything is muted until 2025-11-21 01:10 UTC" in said
    assert "BL Lac is muted until" in said
    assert asyncio.run(bot.unmute("*", "ben")) == "everything is unmuted by ben."
    assert "everything" not in asyncio.run(bot.status())
    with pytest.raises(actions.ActionError, match="nothing of that name is muted; muted: BL Lac"):
        asyncio.run(bot.unmute("*", "ben"))


def test_the_latest_results_of_a_source_come_by_any_of_its_names(start: Start) -> None:
    night = start()
    bot = bot_of(night)
    assert asyncio.run(bot.last("2200+420")) == "BL Lac has no results yet."
    with night.database.write() as tx:
        for n in range(6):
            point(tx, n, 12.5 + n / 10)
        point(tx, 6, 12.0, band="B", p=0.16, p_debiased=0.16, p_err=0.004, chi_deg=41.0,
              chi_err_deg=1.0)
    assert asyncio.run(bot.last("2200+420")).splitlines() == [
        "BL Lac", "2025-11-21 00:06:00 B 12.000 ± 0.020, p 16.0 ± 0.4 %, chi 41 ± 1 deg",
        *(f"2025-11-21 00:0{n}:00 R {12.5 + n / 10:.3f} ± 0.020" for n in (5, 4, 3, 2))]
    with pytest.raises(actions.ActionError, match="unknown source 'M 31'"):
        asyncio.run(bot.last("M 31"))


def test_how_far_a_bot_has_read_is_kept(start: Start) -> None:
    night = start()
    for number in (7, 9):
        with night.database.write() as tx:
            channel_state.keep_next_update(tx, "bot", number)
    with night.database.read() as db:
        assert channel_state.next_update(db, "bot") == 9
        assert channel_state.next_update(db, "other") == 0


def test_commands_follow_a_group_whose_move_an_alert_learnt(tmp_path: Path) -> None:
    """Sending learnt the new id; the daemon was started again; then the new group commands."""
    clock = FakeClock()
    (tmp_path / "token").write_text(TOKEN)
    with BotServer(tmp_path / "telegram", clock=clock) as server:
        site = site_of(tmp_path, (
            '[[channel]]\nname = "bot"\nkind = "telegram"\nto = ["-5"]\ntoken_file = "token"\n'
            f'api_url = "{server.url}"\naccept_commands = true\n'))
        night = Night(site, clock)
        with night.database.write() as tx:
            channel_state.move_recipient(tx, "bot", "-5", "-1005")
        server.hear(-1006, "/status")
        server.hear(-1005, "/status")

        async def scene() -> None:
            stop = asyncio.Event()
            (work,) = commands_of(site, make_channels(site), InlineDatabase(night.database), clock,
                                  stop).values()
            task = asyncio.create_task(work)
            async with asyncio.timeout(10.0):
                while not server.said("-1005"):  # noqa: ASYNC110 - of a server on another thread
                    await asyncio.sleep(0.02)
            stop.set()
            await task

        asyncio.run(scene())
        assert "no active alerts" in server.said("-1005")[0]["text"]
        assert server.said("-1006") == []
        night.database.close()


def test_the_names_to_which_recipients_moved(tmp_path: Path) -> None:
    database = Database(tmp_path / "site.db")
    with database.write() as tx:
        for old, new in (("-1", "-2"), ("-2", "-3"), ("-8", "-9")):
            channel_state.move_recipient(tx, "bot", old, new)
        assert channel_state.moved_recipients(tx, "bot", ["-1", "-7"]) == {"-2", "-3"}
        channel_state.move_recipient(tx, "bot", "-3", "-1")  # round in a circle
        assert channel_state.moved_recipients(tx, "bot", ["-1"]) <= {"-1", "-2", "-3"}
        assert channel_state.moved_recipients(tx, "other", ["-1"]) == set()
    database.close()
