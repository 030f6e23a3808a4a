"""``iop4d summary``: what came of a night, shown, written, and sent again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.cli import summary as command
from iop4d.store.database import Database
from iop4d.store.schema import Meta, Outbox, Summary
from tests.alerts.nights import NIGHT, a_night, at
from tests.support.rows import rows as rows_of

SITE = """
[summary]
channels = [{channels}]
[[channel]]
name = "team"
to = ["ana@example.org", "ben@example.org"]
[[archive]]
name = "t220"
telescope = "CAHA-T220"
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site in the morning after the night, at 09:00."""
    (tmp_path / "iop4d.toml").write_text(SITE.format(channels='"team"'), encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    a_night(database)
    database.close()
    monkeypatch.setattr(command.time, "time", lambda: at("2024-03-14T09:00"))
    return tmp_path


def run(root: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["summary", *words, "--site", str(root)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output + str(result.exception or "")


def rows(root: Path, table: Any) -> list[Any]:
    database = Database(root / "iop4d.db")
    try:
        return rows_of(database, table)
    finally:
        database.close()


def test_the_last_night_that_is_over_is_shown(root: Path) -> None:
    text = run(root)
    assert f"night of {NIGHT}" in text
    assert "11 frames, 4 not used" in text
    assert "12.850 ± 0.014 mag" in text


@pytest.mark.parametrize("night", ["2024-03-13", "20240313", "240313", "tonight"])
def test_a_night_is_named_as_observers_do(root: Path, night: str) -> None:
    assert f"night of {NIGHT}" in run(root, night)


def test_a_word_that_is_no_night_is_refused(root: Path) -> None:
    assert "is not a night" in run(root, "someday", code=1)


def test_programs_get_the_facts(root: Path) -> None:
    facts = json.loads(run(root, "--json"))
    assert (facts["night"], facts["frames"], facts["failed"]) == (NIGHT, 11, 4)
    assert facts["sources"][0]["bands"][1]["n"] == 2


def test_to_look_changes_nothing(root: Path) -> None:
    run(root)
    assert (rows(root, Outbox), rows(root, Summary)) == ([], [])


def test_the_page_stands_by_itself(root: Path) -> None:
    page = root / "out" / "night.html"
    run(root, "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in text
    assert "cid:" not in text


def test_a_page_that_cannot_be_written_is_told(root: Path) -> None:
    (root / "file").write_text("")
    assert "cannot be written" in run(root, "--html", str(root / "file" / "a.html"), code=1)


def test_it_is_sent_again_each_time_under_new_ids(root: Path) -> None:
    assert "2 messages" in run(root, "--send")
    run(root, "--send")
    messages = rows(root, Outbox)
    assert [row.recipient for row in messages] == ["ana@example.org", "ben@example.org"] * 2
    assert len({row.message_id for row in messages}) == 4
    [row] = rows(root, Summary)
    assert row.messages == [messages[2].id, messages[3].id]
    assert (root / row.facts["sources"][0]["picture"]).exists()


def test_a_night_that_is_not_over_can_be_sent_and_gets_its_summary_all_the_same(
        root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.time, "time", lambda: at("2024-03-14T01:00"))
    run(root, "tonight", "--send")
    assert len(rows(root, Outbox)) == 2
    assert rows(root, Summary) == []
    assert "not over" in rows(root, Outbox)[0].content["text"]


def test_without_channels_there_is_no_recipient(root: Path) -> None:
    (root / "iop4d.toml").write_text(SITE.format(channels=""), encoding="utf-8")
    assert "there is no recipient" in run(root, "--send", code=1)


def test_an_empty_night_is_a_summary_too(root: Path) -> None:
    assert "Nothing was observed." in run(root, "2024-01-01")
    assert rows(root, Meta)
