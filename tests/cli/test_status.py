"""``iop4d status`` is short, and says what the daemon does also when the site file is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from iop4d.model.errors import ConfigError
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from iop4d.store.status import beat


def status(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "status", *words])


@pytest.fixture
def cloudy(tmp_path: Path) -> Path:
    """A site with a month of clouds: 600 frames without stars, 40 of other reasons."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        beat(tx, {"state": "running", "pid": 77, "beat_at": 1.0})
        for number in range(640):
            clouds = number < 600
            reason = f"only {number % 7} stars were found" if clouds \
                else f"card {'ABCDEFGHIJKLMNOPQRST'[number % 20]} is missing"
            tx.create(Frame, archive="raw", name=f"{number}.fits", path=f"/raw/{number}.fits",
                      telescope="T", night="2024-01-01", state="failed", reason=reason,
                      size=1, mtime_ns=1, completed_at=1.0, seen_at=1.0,
                      changed_at=1.0)
    database.close()
    return tmp_path


def test_failures_are_grouped_by_their_reasons(cloudy: Path) -> None:
    lines = status(cloudy).output.splitlines()
    assert len(lines) < 60
    place = lines.index("  600 failed: only 4 stars were found")
    assert [line.split()[-1] for line in lines[place + 1:place + 5]] == [
        "/raw/599.fits", "/raw/598.fits", "/raw/597.fits", "more"]
    assert lines[place + 4].strip() == "and 597 more"
    assert "  and 22 for 11 more reasons" in lines
    assert "  'iop4d status --all' lists each." in lines


def test_with_all_and_for_programs_every_frame_is_listed(cloudy: Path) -> None:
    said = status(cloudy, "--all").output
    assert sum("/raw/" in line for line in said.splitlines()) == 640
    assert len(json.loads(status(cloudy, "--json").stdout)["failed"]) == 640


def test_with_a_wrong_site_file_it_says_what_the_daemon_does_and_then_the_line(
        cloudy: Path) -> None:
    (cloudy / "iop4d.toml").write_text("[daemon]\nworkrs = 2\n", encoding="utf-8")
    ended = status(cloudy)
    assert ended.exit_code == 78
    assert "does not run, or hangs" in ended.stdout
    assert "640 failed" in ended.stdout
    assert "the site file is wrong" in ended.stderr
    assert "line 2: daemon.workrs" in ended.stderr


def test_where_nothing_ran_a_wrong_site_file_is_all_there_is_to_say(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("[daemon]\nworkrs = 2\n", encoding="utf-8")
    assert isinstance(status(tmp_path).exception, ConfigError)
