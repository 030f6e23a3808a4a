"""``iop4d rules new`` asks, shows, tests, and writes what somebody agreed to."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli, rule_wizard
from iop4d.config.load import load_site
from iop4d.model.errors import Iop4dError
from tests.alerts.bench import Night, channel, rule
from tests.conftest import FakeClock


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "iop4d.toml").write_text("# ours\n" + rule() + channel(), encoding="utf-8")
    night = Night(load_site(tmp_path), FakeClock())
    night.see_all([13.5, 12.9, 12.8, 13.5, 13.5])
    night.database.close()
    monkeypatch.setattr(rule_wizard, "has_terminal", lambda: True)
    monkeypatch.setattr(rule_wizard, "_DAYS", 36500.0)
    return tmp_path


def answer(site: Path, *answers: str) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "rules", "new"],
                              input="".join(f"{one}\n" for one in answers))


def written(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((site / "iop4d.toml").read_text())["rule"][-1]
    return found


def test_answers_become_a_rule_which_is_tested_on_the_past_and_written(site: Path) -> None:
    ran = answer(site, "3", "12.95", "BL Lac", "R", "2", "high", "team", "bright again", "y")
    assert ran.exit_code == 0, ran.output
    assert 'condition = "mag < 12.95"' in ran.output
    assert "it would have fired 1 time, on 5 points of 1 light curve" in ran.output
    assert written(site) == {
        "name": "bright again", "condition": "mag < 12.95", "source": "BL Lac", "band": "R",
        "confirm": 2, "severity": "high", "channels": ["team"]}
    assert (site / "iop4d.toml").read_text().startswith("# ours\n")
    load_site(site)


def test_only_defaults_make_a_rule_on_flares(site: Path) -> None:
    ran = answer(site, *[""] * 9, "y")
    assert ran.exit_code == 0, ran.output
    found = written(site)
    assert (found["condition"], found["window_days"], found["source"]) == ("change mag < -0.5",
                                                                           14.0, "*")
    assert "5 points could not be judged: the condition needs 10 earlier points" in ran.output
    assert "1 of 1 light curves have fewer than 10 earlier points" in ran.output


def test_a_short_window_asks_for_fewer_points(site: Path) -> None:
    """Half a magnitude in three days, of a source with a few points a night."""
    answer(site, "1", "0.5", "BL Lac", "R", "3", "2", "notice", "team", "fast", "y")
    assert (written(site)["window_days"], written(site)["min_points"]) == (3.0, 4)


@pytest.mark.parametrize(("answers", "condition"), [
    (["9"], "triggered"), (["10", "13.5"], "mag < 13.5 and triggered")])
def test_a_rule_on_triggers_needs_no_window(site: Path, answers: list[str],
                                            condition: str) -> None:
    ran = answer(site, *answers, "BL Lac", "R", "2", "notice", "team", "reported", "y")
    assert ran.exit_code == 0, ran.output
    assert "a trigger: others reported that the source flares" in ran.output
    assert written(site)["condition"] == condition
    assert "window_days" not in written(site)


@pytest.mark.parametrize("last", ["n", ""])
def test_nothing_is_written_without_a_yes(site: Path, last: str) -> None:
    before = (site / "iop4d.toml").read_bytes()
    ran = answer(site, "7", "BL Lac", "R", "30", "2", "notice", "team", "low", last)
    assert "Nothing was written." in ran.output
    assert (site / "iop4d.toml").read_bytes() == before


def test_what_is_wrong_is_said_and_asked_for_again(site: Path) -> None:
    ran = answer(site, "12", "p > 15 and mag < 13", "BL Lac", "R", "14", "2", "notice",
                 "nobody", "none", "bright", "both", "p > 15 % and mag < 13", "y")
    assert ran.exit_code == 0, ran.output
    assert "There is no channel nobody." in ran.output
    assert "A rule 'bright' exists already." in ran.output
    assert "expected p > 15 %" in ran.output
    assert written(site)["condition"] == "p > 15 % and mag < 13"
    assert "channels" not in written(site)


def test_a_source_that_the_catalogue_does_not_have_is_said(site: Path) -> None:
    ran = answer(site, "8", "BL Lca", "R", "1", "notice", "team", "new one", "n")
    assert "The catalogue does not have: BL Lca" in ran.output


def test_without_a_terminal_it_refuses_and_says_what_to_use(site: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    ran = answer(site, "3")
    assert isinstance(ran.exception, Iop4dError)
    assert "needs a terminal; without one, 'iop4d rules add" in str(ran.exception)


def test_it_asks_at_a_real_terminal(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text(rule() + channel(), encoding="utf-8")
    ours, theirs = pty.openpty()
    os.write(ours, b"11\n21:30\n\n\n\n\ny\n")
    ran = subprocess.run([sys.executable, "-m", "iop4d", "--site", str(tmp_path), "rules", "new"],
                         stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert ran.returncode == 0, ran.stderr
    assert 'condition = "no data by 21:30"' in ran.stdout
    assert written(tmp_path)["condition"] == "no data by 21:30"
