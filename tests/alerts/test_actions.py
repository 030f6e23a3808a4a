"""What people do about alerts, by whatever way they ask: muting and its end, finding an alert."""

from __future__ import annotations

import pytest

from iop4d.alerts import actions
from iop4d.store.schema import Event, Mute, Source
from tests.alerts.bench import Start

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
