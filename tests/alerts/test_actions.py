"""What people do about alerts, by whatever way they ask: muting and its end, finding an alert."""

from __future__ import annotations

import asyncio

import pytest

from iop4d.alerts import actions
from iop4d.alerts.channels.bot_replies import Answers
from iop4d.store.schema import Alert, Event, Mute, Source
from tests.alerts.bench import JD, Start, run_db

HOUR = 3600.0


def test_a_mute_ends_by_any_name_though_its_source_is_gone_or_has_another(start: Start) -> None:
    night = start()
    now = night.clock()
    with night.database.write() as tx:
        actions.mute(tx, rule="", source="2200+420", seconds=HOUR, by="Ana", now=now)
        actions.mute(tx, rule="", source="BL Lac C1", seconds=HOUR, by="Ana", now=now)
        Source.update(name="J2202+4216", other_names=["BL Lac"]).where(
            Source.name == "BL Lac").execute()
        Source.delete().where(Source.name == "BL Lac C1").execute()
        with pytest.raises(actions.ActionError,
                           match="unknown source 'BL Lac C1'; did you mean BL Lac"):
            actions.mute(tx, rule="", source="BL Lac C1", seconds=HOUR, by="Ana", now=now)
        with pytest.raises(actions.ActionError, match="muted: BL Lac, BL Lac C1"):
            actions.unmute(tx, rule="bright", source="BL Lac", now=now)
        assert actions.unmute(tx, rule="", source="bl_lac", now=now) == "BL Lac"
        assert actions.unmute(tx, rule="", source="bllac-c1", now=now) == "BL Lac C1"
    assert Mute.select().where(Mute.until > now).count() == 0
    assert [row.kind for row in Event.select()].count("mute") == 4


def test_without_a_tag_the_alert_that_was_told_last_is_acknowledged(start: Start) -> None:
    night = start()
    with night.database.write():
        for source, fired_at, told_at in (("first", 100.0, 100.0), ("told again", 90.0, 300.0),
                                          ("untold", 400.0, None)):
            Alert.create(rule="bright", source=source, band="R", episode=1, state="firing",
                         condition="mag < 13", fired_jd=JD, fired_at=fired_at, told_at=told_at)
    bot = Answers(database=night.database, run_db=run_db, clock=night.clock)
    for _ in range(2):  # done again after a crash, it changes nothing
        assert "told again R is acknowledged by ana" in asyncio.run(bot.ack("", "ana"))
    assert [row.source for row in Alert.select().where(Alert.state == "acknowledged")] == [
        "told again"]
    with night.database.write():
        Alert.update(state="resolved").execute()
    with pytest.raises(actions.ActionError, match="there are no active alerts"):
        asyncio.run(bot.ack("", "ana"))


def test_the_bot_says_what_is_muted_and_refuses_what_nobody_knows(start: Start) -> None:
    night = start()
    bot = Answers(database=night.database, run_db=run_db, clock=night.clock)

    with pytest.raises(actions.ActionError, match="unknown source 'BLLaz'; did you mean BL Lac"):
        asyncio.run(bot.mute(12.0, "BLLaz", "ana"))
    asyncio.run(bot.mute(12.0, "bllac", "ana"))
    asyncio.run(bot.mute(1.0, "*", "ana"))
    said = asyncio.run(bot.status())
    assert "everything is muted until" in said
    assert "BL Lac is muted until" in said
    assert asyncio.run(bot.unmute("*", "ben")) == "everything is told again, as ben asked."
    assert "everything" not in asyncio.run(bot.status())
    with pytest.raises(actions.ActionError, match="nothing of that name is muted; muted: BL Lac"):
        asyncio.run(bot.unmute("*", "ben"))
