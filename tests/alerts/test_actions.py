"""What people do about alerts, by whatever way they ask: muting and its end, finding an alert."""

from __future__ import annotations

import pytest

from iop4d.alerts import actions
from iop4d.alerts.episodes import tag
from iop4d.model.units import SpanError
from iop4d.store.schema import Alert, Audit, Event, Mute, Source
from tests.alerts.bench import Start, channel, rule
from tests.support.rows import first, rows, update

HOUR = 3600.0


def test_a_mute_ends_by_any_name_though_its_source_is_gone_or_has_another(start: Start) -> None:
    night = start()
    now = night.clock()
    with night.database.write() as tx:
        actions.mute(tx, rule="", source="2200+420", seconds=HOUR, by="Ana", now=now)
        actions.mute(tx, rule="", source="BL Lac C1", seconds=HOUR, by="Ana", now=now)
        update(night.database, Source, Source.name == "BL Lac", name="J2202+4216",
               other_names=["BL Lac"])
        tx.delete(Source).where(Source.name == "BL Lac C1").execute()
        with pytest.raises(actions.ActionError,
                           match="unknown source 'BL Lac C1'; did you mean BL Lac"):
            actions.mute(tx, rule="", source="BL Lac C1", seconds=HOUR, by="Ana", now=now)
        with pytest.raises(actions.ActionError, match="muted: BL Lac, BL Lac C1"):
            actions.unmute(tx, rule="bright", source="BL Lac", by="Ana", now=now)
        assert actions.unmute(tx, rule="", source="bl_lac", by="Ana",
                              now=now) == "BL Lac"
        assert actions.unmute(tx, rule="", source="bllac-c1", by="Ana",
                              now=now) == "BL Lac C1"
    assert len(rows(night.database, Mute, Mute.until > now)) == 0
    assert [row.kind for row in rows(night.database, Event)].count("mute") == 4


def test_an_alert_is_found_by_its_tag_its_source_or_alone(start: Start) -> None:
    night = start(rule(), rule().replace('"bright"', '"other"'), channel())
    night.see_all([12.5, 12.4])
    alert = first(night.database, Alert)
    with night.database.write() as tx:
        assert actions.find(tx, tag(alert)).id == alert.id
        with pytest.raises(actions.ActionError, match="several active alerts match 'BL Lac'"):
            actions.find(tx, "BL Lac")
        newest = max(rows(night.database, Alert), key=lambda row: (row.fired_at, row.id))
        assert actions.find(tx, "").id == newest.id
        update(night.database, Alert, Alert.id != alert.id, state="resolved")
        assert actions.find(tx, "").id == actions.find(tx, "bl lac").id == alert.id
        with pytest.raises(actions.ActionError, match="no active alert matches '#zzzzzz'"):
            actions.find(tx, "#zzzzzz")


@pytest.mark.parametrize(("text", "seconds"), [("12h", 12 * HOUR), ("90min", 5400.0),
                                               ("2d", 48 * HOUR), ("3", 3 * HOUR),
                                               ("366d", 366 * 24 * HOUR)])
def test_lengths_of_time_are_read(text: str, seconds: float) -> None:
    assert actions.duration_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-2h", "0h", "367d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(SpanError, match=r"expected one such as|longer than the maximum"):
        actions.duration_of(text)


def test_what_is_not_active_is_neither_acknowledged_nor_snoozed(start: Start) -> None:
    night = start()
    night.see_all([12.5, 12.5, 13.5, 13.5])
    over = first(night.database, Alert)
    with night.database.write() as tx:
        with pytest.raises(actions.ActionError, match="is not active any more: it is resolved"):
            actions.acknowledge(tx, over, by="Ana", now=night.clock())
        with pytest.raises(actions.ActionError, match="is not active any more: it is resolved"):
            actions.snooze(tx, over, HOUR, by="Ana", now=night.clock())


def test_acknowledging_ends_a_snooze(start: Start) -> None:
    night = start(rule() + "reminder_hours = 1.0\n", channel())
    night.see_all([12.5, 12.5])
    with night.database.write() as tx:
        snoozed = actions.snooze(tx, first(night.database, Alert), HOUR, by="Ana",
                                 now=night.clock())
        assert snoozed.snoozed_until == night.clock() + HOUR
        known = actions.acknowledge(tx, snoozed, by="Ben", now=night.clock(), note="ToO sent")
    assert (known.state, known.acknowledged_by, known.snoozed_until) == (
        "acknowledged", "Ben", None)
    night.clock.advance(2 * HOUR)
    night.tend()
    assert night.state() == "acknowledged"


def test_every_act_on_an_alert_and_every_mute_is_in_the_audit(start: Start) -> None:
    night = start()
    night.see_all([12.5, 12.5])
    now, alert = night.clock(), first(night.database, Alert)
    with night.database.write() as tx:
        snoozed = actions.snooze(tx, alert, HOUR, by="ana", now=now, note="clouds")
        actions.acknowledge(tx, snoozed, by="ben", now=now, note="ours")
        actions.mute(tx, rule="bright", source="BL Lac", seconds=HOUR, by="ana", now=now)
        actions.unmute(tx, rule="bright", source="BL Lac", by="ben", now=now)
        with pytest.raises(actions.ActionError, match="there is no rule 'brigth'; did you mean"):
            actions.mute(tx, rule="brigth", source="", seconds=HOUR, by="ana", now=now,
                         rules=("bright",))
    kept = [(row.by, row.act, row.subject, row.why) for row in rows(night.database, Audit)]
    assert kept == [
        ("ana", "snooze", f"alert {alert.id}", "clouds"),
        ("ben", "acknowledge", f"alert {alert.id}", "ours"),
        ("ana", "mute", "mute bright on BL Lac", ""),
        ("ben", "unmute", "mute bright on BL Lac", "")]
    snooze, acknowledge, *_ = rows(night.database, Audit)
    assert snooze.was["state"] == "firing"
    assert snooze.now == acknowledge.was == {
        "state": "snoozed", "acknowledged_by": "", "snoozed_until": now + HOUR}
    assert acknowledge.now["acknowledged_by"] == "ben"
