"""``iop4d triggers``: a source is raised by hand or by a notice in a file, and ended."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from tests.support.stores import site_of_bl_lac
from tests.triggers.told import TEXT


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return site_of_bl_lac(tmp_path)


def triggers(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "triggers", *words])


def test_a_source_is_raised_by_hand_listed_and_ended(site: Path) -> None:
    assert "No source is raised" in triggers(site).output
    added = triggers(site, "add", "bl lac", "--hours", "3", "--text", "bright tonight")
    assert added.exit_code == 0, added.output
    assert added.output.startswith("1: 2200+420: priority until ")
    assert "bright tonight; from command of" in triggers(site).output
    (row,) = json.loads(triggers(site, "--json").output)
    assert (row["source"], row["state"]) == ("2200+420", "accepted")
    assert row["until"] == pytest.approx(time.time() + 3 * 3600, abs=60)
    assert "ended by" in triggers(site, "end", "1", "--why", "faint again").output
    assert "No source is raised" in triggers(site).output
    assert "faint again" in triggers(site, "--all").output
    assert triggers(site, "end", "1").output.startswith("not changed: 1: ")


def test_a_notice_in_a_file_is_read_as_one_that_was_sent(site: Path) -> None:
    file = site / "notice.txt"
    file.write_bytes(TEXT)
    first, again = triggers(site, "add", "--notice", str(file)), triggers(
        site, "add", "--notice", str(file))
    assert first.output.startswith("1: 2200+420: was a priority target until 2023-02-26 15:49:32")
    assert again.output == f"known already: {first.output}"
    file.write_bytes(b"{}")
    assert "names no source" in str(triggers(site, "add", "--notice", str(file)).exception)


@pytest.mark.parametrize(("words", "said"), [
    (("add", "bl lak"), "did you mean BL Lac"), (("end", "7"), "no trigger 7"),
])
def test_what_is_not_there_is_named(words: tuple[str, ...], said: str, site: Path) -> None:
    assert said in str(triggers(site, *words).exception)


def test_a_source_and_a_notice_exclude_each_other(site: Path) -> None:
    assert triggers(site, "add").exit_code == 2
    assert triggers(site, "add", "BL Lac", "--notice", str(site / "iop4d.toml")).exit_code == 2
