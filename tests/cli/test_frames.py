"""``iop4d retry``: which frames it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.cli import frames as command
from iop4d.store.database import Database
from iop4d.store.requests import Progress
from iop4d.store.schema import Frame

STATES = ("done", "failed", "rejected", "quarantined", "waiting")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Frames 1 to 5 of one archive and night, 6 to 10 of another."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        for archive, night in (("a", "2024-03-13"), ("b", "2024-03-14")):
            for state in STATES:
                tx.create(Frame, archive=archive, path=f"/{archive}/{state}", name=state,
                          night=night, telescope="T", size=1, mtime_ns=1, state=state,
                          completed_at=0.0, seen_at=0.0, changed_at=0.0)
    database.close()
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def do(_site: object, kind: str, content: dict[str, Any]) -> Progress:
        found.append({kind: content["frames"]})
        n = len(content["frames"])
        return Progress(total=n, ended=n, is_over=True, counts={}, results=0, current="",
                        troubles=())

    monkeypatch.setattr(command, "do", do)
    return found


@pytest.mark.parametrize(("words", "frames"), [
    (("3", "4"), [3, 4]), (("--failed",), [2, 3, 7, 8]), (("--quarantined",), [4, 9]),
    (("--failed", "--quarantined", "--archive", "b"), [7, 8, 9]),
    (("--quarantined", "--night", "2024-03-13"), [4]), (("1", "--quarantined"), [1, 4, 9])])
def test_the_frames_that_are_meant(site: Path, asked: list[dict[str, Any]],
                                   words: tuple[str, ...], frames: list[int]) -> None:
    result = CliRunner().invoke(cli, ["retry", *words, "--site", str(site)])
    assert result.exit_code == 0, result.output
    assert asked == [{"reprocess": frames}]


@pytest.mark.parametrize(("words", "said"), [
    ((), "name the frames"), (("77",), "no frame 77"),
    (("--quarantined", "--archive", "c"), "nothing to try again")])
def test_nothing_is_asked_for(site: Path, asked: list[dict[str, Any]], words: tuple[str, ...],
                              said: str) -> None:
    result = CliRunner().invoke(cli, ["retry", *words, "--site", str(site)])
    assert said in result.output + str(result.exception)
    assert asked == []
