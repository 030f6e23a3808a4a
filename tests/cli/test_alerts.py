"""``iop4d rules`` and ``iop4d alerts``, as somebody on call uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iop4d.alerts import rule_edits
from iop4d.alerts.episodes import tag
from iop4d.cli import cli
from iop4d.config.load import load_site
from iop4d.model.errors import Iop4dError
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Mute, Source
from tests.alerts.bench import Night, channel, rule
from tests.conftest import FakeClock
from tests.support.rows import first, rows, update

UNIX = 1_763_683_200.0  # JD 2461000.5


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text("# ours\n" + rule() + channel(), encoding="utf-8")
    night = Night(load_site(tmp_path), FakeClock(UNIX))
    night.see_all([13.5, 12.9, 12.8, 13.5, 13.5, 12.5, 12.4])
    night.database.close()
    return tmp_path


def run(site: Path, *words: str) -> Result:
    """Run a command; what it refused with stands behind its output."""
    ran = CliRunner().invoke(cli, ["--site", str(site), *words])
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        assert isinstance(ran.exception, Iop4dError), ran.exception
        ran.output_bytes += str(ran.exception).encode()
    return ran


def test_the_past_is_judged_without_telling_anybody(site: Path) -> None:
    ran = run(site, "rules", "test", "bright", "--since", "2025-11-01")
    assert "evaluated on 7 points of 1 light curve " in ran.output
    assert "It would have fired 1 time." in ran.output  # the second lies in the cooldown
    found = json.loads(run(site, "rules", "test", "bright", "--since", "2025-11-01", "--json",
                           "--condition", "mag < 12.6").output)
    assert [one["value"] for one in found["fired"]] == [12.4]
    never = run(site, "rules", "test", "bright", "--condition", "mag < 3", "--since", "2025-11-01")
    assert "It would have fired 0 times." in never.output
    assert "it has: bright" in run(site, "rules", "test", "nobody").output
    for words, said in (((), "mag < 13.0, until mag > 13.2: evaluated"),
                        (("--condition", "mag < 12.6"), "mag < 12.6, until mag > 13.2: evaluated"),
                        (("--condition", "mag < 14"), "mag < 14.0, until it is no longer met:"),
                        (("--clear", "mag > 13.4"), "mag < 13.0, until mag > 13.4: evaluated"),
                        (("--clear", ""), "mag < 13.0, until it is no longer met: evaluated"),
                        (("--clear", "mag > 12"), "can be met together with the condition")):
        assert said in run(site, "rules", "test", "bright", *words).output
    wrong = run(site, "rules", "test", "bright", "--condition", "magnitude < 3")
    assert "unknown quantity 'magnitude'" in wrong.output


def test_a_rule_is_muted_and_told_again(site: Path) -> None:
    assert "bright is muted until" in run(site, "rules", "mute", "bright", "--for", "2d").output
    assert "muted until" in run(site, "rules").output
    assert "bright is unmuted" in run(site, "rules", "unmute", "bright").output
    assert "nothing of that name" in run(site, "rules", "unmute", "bright").output
    assert "BL Lac is muted" in run(site, "rules", "mute", "--source", "bllac").output
    wrong = run(site, "rules", "mute", "--source", "BL Laz").output
    assert "unknown source 'BL Laz'; did you mean BL Lac" in wrong
    assert "every rule: muted on BL Lac until" in run(site, "rules").output
    assert "everything is muted until" in run(site, "rules", "mute", "--source", "*").output
    assert "every rule: muted until" in run(site, "rules").output
    muted = [line for line in run(site, "status").output.splitlines() if "muted" in line]
    assert [line.split(", until")[0] for line in muted] == ["muted    BL Lac",
                                                            "muted    everything"]
    assert "everything is unmuted" in run(site, "rules", "unmute", "--source", "*").output
    assert "nothing of that name is muted; muted: BL Lac" in run(site, "rules", "unmute").output
    assert len(rows(Database(site / "iop4d.db"), Mute)) == 3


def test_a_rule_muted_on_one_source_is_not_said_to_be_muted(site: Path) -> None:
    database = Database(site / "iop4d.db")
    update(database, Alert, state="firing", resolved_jd=None)
    with database.write() as tx:
        tx.create(Source, name="3C 345", ra_deg=250.7, dec_deg=39.8, kind="target")
    said = run(site, "rules", "mute", "bright", "--source", "3c345").output
    assert "bright on 3C 345 is muted until" in said
    assert "1 active; muted on 3C 345 until" in run(site, "rules").output
    assert "bright on 3C 345, until" in run(site, "status").output


def test_a_rule_that_is_not_there_is_not_muted_and_one_that_is_gone_is_unmuted(site: Path) -> None:
    assert "no rule 'brihgt'; did you mean bright?" in run(site, "rules", "mute", "brihgt").output
    run(site, "rules", "mute", "bright", "--for", "2d")
    text = (site / "iop4d.toml").read_text(encoding="utf-8")
    (site / "iop4d.toml").write_text(text.replace('"bright"', '"other"'), encoding="utf-8")
    assert "bright: muted until" in run(site, "rules").output
    assert "bright is unmuted" in run(site, "rules", "unmute", "bright").output
    assert "muted" not in run(site, "rules").output


def test_a_rule_is_added_to_the_site_file_and_a_wrong_one_is_not(site: Path) -> None:
    before = (site / "iop4d.toml").read_text(encoding="utf-8")
    wrong = run(site, "rules", "add", "flare", "--condition", "change mag < -0.5 mJy")
    assert "the unit 'mJy' does not apply" in wrong.output
    assert (site / "iop4d.toml").read_text(encoding="utf-8") == before
    wrong = run(site, "rules", "add", "flare", "--condition", "mag < 3", "--key", "max_err: 3")
    assert "expected KEY=VALUE" in wrong.output
    dry = run(site, "rules", "add", "flare", "--condition", "mag < 3", "--dry-run", "--key",
              "max_err=0.05", "--key", 'sources=["BL Lac", "3C 345"]').output
    assert "max_err = 0.05" in dry
    assert 'sources = ["BL Lac", "3C 345"]' in dry
    for key, said in (("max_er=3", "a rule has no key 'max_er'; it has name, source"),
                      ("cooldown=3", "the rule's key 'cooldown' is now called 'cooldown_hours'"),
                      ("confirm=0", "the new rule: rule.confirm is 0; expected 1 to 100"),
                      ('band="<b>"', "rule.band is '<b>'; expected the name of a band, such as R"),
                      ("group_wait=1e9", "expected 0 to 86400"),
                      ("host_galaxy=2026-01-31",
                       "the rule's host_galaxy is 2026-01-31; expected text"),
                      ('name="bright"', "expected a name that no other [[rule]] has")):
        wrong = run(site, "rules", "add", "flare", "--condition", "mag < 3", "--key", key)
        assert said in wrong.output
    ran = run(site, "rules", "add", "flare", "--condition", "change mag < -0.5", "--channel",
              "team", "--severity", "high")
    assert ran.exit_code == 0, ran.output
    made = load_site(site).rule[-1]
    assert (made.name, made.condition, made.channels, made.severity) == (
        "flare", "change mag < -0.5", ("team",), "high")
    assert (site / "iop4d.toml").read_text(encoding="utf-8").startswith("# ours\n")


@pytest.mark.parametrize(("words", "said"), [
    (("--source", "tag:tve"), "there is no [[tag]] 'tve'"),
    (("--key", 'instruments=["AndorT9"]'), "there is no instrument 'AndorT9'"),
    (("--channel", "taem"), "expected one of the channels: team; did you mean team?"),
    (("--condition", "unreachable > 1 h", "--source", "rawww"), "there is no archive 'rawww'"),
])
def test_a_rule_that_a_start_would_refuse_is_not_added(site: Path, words: tuple[str, ...],
                                                       said: str) -> None:
    before = (site / "iop4d.toml").read_text(encoding="utf-8")
    wrong = run(site, "rules", "add", "flare", "--condition", "mag < 3", *words)
    assert wrong.exit_code != 0
    assert said in wrong.output
    assert (site / "iop4d.toml").read_text(encoding="utf-8") == before


def test_a_rule_that_another_changes_meanwhile_is_not_overwritten(
        site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(site, "rules", "add", "flare", "--condition", "mag < 12")
    file, made = site / "iop4d.toml", rule_edits.changed_rule

    def later(*given: Any) -> Any:
        monkeypatch.setattr(rule_edits, "changed_rule", made)
        found = made(*given)
        file.write_text(file.read_text(encoding="utf-8").replace("mag < 12", "mag < 11"),
                        encoding="utf-8")
        return found

    monkeypatch.setattr(rule_edits, "changed_rule", later)
    ran = run(site, "rules", "change", "flare", "--key", "enabled=false")
    assert isinstance(ran.exception, Iop4dError)
    assert "'flare' was changed meanwhile" in str(ran.exception)
    assert load_site(site).rule[-1].condition == "mag < 11"
    assert run(site, "rules", "change", "flare", "--key", "enabled=false").exit_code == 0
    assert not load_site(site).rule[-1].enabled


def test_a_rule_that_waits_for_earlier_points_says_so(site: Path) -> None:
    run(site, "rules", "add", "deaf", "--condition", "change mag < -0.5", "--key",
        "window_days=3")
    assert ("; waits: 1 of 1 light curves have fewer than 10 earlier points within 3 days"
            in run(site, "rules").output)
    assert "waits" not in run(site, "rules").output.splitlines()[0]


def test_rules_about_the_system_are_listed_with_what_they_watch(site: Path) -> None:
    run(site, "rules", "add", "quiet", "--condition", "silent > 2 h")
    run(site, "rules", "add", "mail", "--condition", "undelivered > 1 h", "--source", "team")
    said = run(site, "rules").output
    assert "bright: mag < 13.0, BL Lac, R; " in said
    assert "quiet: silent > 2 h, the system, each telescope; " in said
    assert "mail: undelivered > 1 h, team; " in said


def test_a_source_that_is_not_in_the_catalogue_is_told_when_its_rule_is_added(site: Path) -> None:
    ran = run(site, "rules", "add", "flare", "--condition", "mag < 3", "--source", "BL Laz")
    assert "The catalogue does not have: BL Laz; did you mean BL Lac" in ran.output
    assert load_site(site).rule[-1].source == "BL Laz"


def test_an_alert_is_acknowledged_and_snoozed_by_its_tag(site: Path) -> None:
    database = Database(site / "iop4d.db")
    update(database, Alert, state="firing", resolved_jd=None)
    name = tag(first(database, Alert))
    assert f"{name}  firing  bright: BL Lac R" in run(site, "alerts").output
    acknowledged = run(site, "alerts", "ack", name, "--note", "ours").output
    assert acknowledged == f"Acknowledged {name} bright: BL Lac R.\n"
    assert "acknowledged by" in run(site, "alerts").output
    snoozed = run(site, "alerts", "snooze", name, "3h").output
    assert snoozed.startswith(f"Snoozed {name} bright: BL Lac R until")
    assert json.loads(run(site, "alerts", "--json").output)[0]["state"] == "snoozed"
    update(database, Alert, state="resolved")
    assert "No active alerts." in run(site, "alerts").output
    assert "there are no active alerts" in run(site, "alerts", "ack").output
