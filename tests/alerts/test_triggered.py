"""Rules on triggers: met while a notice from elsewhere raises the source, and named in messages."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.backtest import backtest
from iop4d.config.load import parse_site
from iop4d.config.triggers import Triggers
from iop4d.model.errors import ConfigError
from iop4d.model.units import unix_of_jd
from iop4d.store import triggers, unjudged
from iop4d.store.schema import Alert, Outbox
from iop4d.store.trigger_table import Trigger
from iop4d.triggers.receive import receive
from tests.alerts.bench import JD, MINUTE, Night, Start, changed, channel
from tests.support.rows import last, rows
from tests.triggers.told import unified


def told(night: Night, n: float, hours: float = 1.0, **fields: Any) -> Trigger:
    """A notice written ``n`` minutes after JD; what it touches is judged again, as the daemon
    does it."""
    at = unix_of_jd(JD + n * MINUTE)
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    with night.database.write() as tx:
        row = receive(tx, unified(alert_datetime=moment, hours=hours, **fields), origin="topic x",
                      settings=Triggers(), now=max(at, night.clock())).row
        night.engine.on_results(tx, unjudged.take(tx))
    return row


def states(night: Night) -> list[str]:
    return [row.state for row in rows(night.database, Alert) if row.state != "inactive"]


@pytest.mark.parametrize("condition", ["triggered", "mag < 14 and triggered",
                                       "(triggered and mag < 14)"])
def test_a_rule_fires_at_points_while_a_trigger_lasts(start: Start, condition: str) -> None:
    night = start(changed(condition), channel())
    night.see_all([13.5, 13.5])
    assert states(night) == [], "nothing was triggered yet"
    told(night, 10)
    night.see_all([13.5, 13.5], start=20)
    assert states(night) == ["firing"]
    night.see_all([13.5, 13.5], start=75)  # its hour is over
    assert states(night) == ["resolved"]


def test_each_of_both_conditions_must_be_met(start: Start) -> None:
    night = start(changed("mag < 13 and triggered"), channel())
    told(night, 0)
    night.see_all([13.5, 13.5])
    assert states(night) == []
    night.see_all([12.9, 12.9], start=5)
    assert states(night) == ["firing"]
    assert "R = 12.9" in last(night.database, Outbox).content["subject"]


def test_a_point_of_polarisation_alone_is_triggered_too(start: Start) -> None:
    night = start(changed("p > 15 % and triggered"), channel())
    told(night, 0)
    for n in range(2):
        night.see(n + 1, None, p=0.2, p_debiased=0.2, p_err=0.005, mode="polarimetry",
                  chi_deg=30.0, chi_err_deg=1.0)
    assert states(night) == ["firing"]


def test_points_that_were_there_before_the_notice_are_judged_when_it_comes(start: Start) -> None:
    night = start(changed("mag < 14 and triggered"), channel())
    night.see_all([13.5, 13.5], start=10)
    told(night, 0)
    assert states(night) == ["firing"]


def test_an_alert_is_withdrawn_with_its_trigger(start: Start) -> None:
    night = start(changed("mag < 14 and triggered"), channel())
    told(night, 0)
    night.see_all([13.5, 13.5])
    told(night, 0, alert_type="retraction")
    assert states(night) == ["withdrawn"]


def test_a_trigger_that_a_person_ended_was_one_until_then(start: Start) -> None:
    night = start(changed("mag < 14 and triggered"), channel())
    row = told(night, 0)
    night.see_all([13.5, 13.5], start=5)
    with night.database.write() as tx:
        triggers.change(tx, row, 0.0, state="ended", until=unix_of_jd(JD + 10 * MINUTE))
        night.engine.on_results(tx, unjudged.take(tx))
    assert states(night) == ["firing"]
    night.see_all([13.5, 13.5], start=15)
    assert states(night) == ["resolved"]


def test_a_message_names_the_triggers_that_lasted_whatever_its_rule(start: Start) -> None:
    night = start(changed("mag < 14"), channel())
    told(night, 0, text="Fermi-LAT Monitor BLLac", id="1")
    told(night, -120, text="long over", id="2")
    told(night, 0, text="of another", id="3", event_name="3C 345", ra=250.7, dec=39.8)
    night.see_all([13.5, 13.5])
    content = last(night.database, Outbox).content
    assert content["triggers"] == [
        "Fermi-LAT Monitor BLLac, 5.6 sigma, notice of 2025-11-21 00:00 UTC, "
        "priority until 2025-11-21 01:00 UTC"]


def test_a_rule_on_triggers_can_be_back_tested(start: Start) -> None:
    night = start(changed("mag < 14 and triggered"), channel())
    told(night, 10)
    night.see_all([13.5] * 4)
    night.see_all([13.5] * 2, start=20)
    compiled = night.engine.compiled("bright")
    assert compiled is not None
    with night.database.read() as db:
        found = backtest(db, night.engine, compiled, -math.inf)
    (row,) = [one for one in rows(night.database, Alert) if one.state == "firing"]
    assert [one.fired_jd for one in found.fired] == [row.fired_jd]


@pytest.mark.parametrize(("condition", "said"), [
    ("triggered > 1", "unknown quantity 'triggered'"), ("not triggered", "a quantity"),
    ("mag < 14 and trigered", "expected a quantity"), ("triggered mag < 14", "expected a quantity"),
])
def test_what_is_no_condition_is_refused(condition: str, said: str, start: Start) -> None:
    with pytest.raises(ConfigError, match=said):
        start(changed(condition), channel())


def test_a_clear_condition_does_not_apply(tmp_path: Path) -> None:
    from iop4d.alerts.check import check_rules

    site = parse_site(changed("triggered", clear="triggered") + channel(), root=tmp_path)
    with pytest.raises(ConfigError, match="can be met together"):
        check_rules(site)
