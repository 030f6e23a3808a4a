"""``iop4d atel``: a draft on the screen and in a folder, and nothing sent."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iop4d.alerts.atel import figure
from iop4d.alerts.atel.figure import FigureRequest, Pictures
from iop4d.cli import cli
from iop4d.model.errors import Iop4dError
from iop4d.store.database import Database
from tests.alerts.atel.telegrams import TODAY, fill_catalogue, measure, quiet_past

NOW = (TODAY + 1.0 - 2440587.5) * 86400.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A flare of last night after a quiet past; figures are not drawn."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        fill_catalogue(tx)
        quiet_past(tx, 3)
        measure(tx, 0, 9.0, 12.9)
    database.close()
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(figure, "draw", lambda _: Pictures(png=b"\x89PNG", pdf=b"%PDF"))
    return tmp_path


def run(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["atel", *words, "--site", str(site)])


def test_the_text_is_printed_alone_and_the_rest_beside_it(site: Path) -> None:
    done = run(site, "BL Lac")
    folder = site / "drafts" / "ATel_BLLac_20261122T2100"
    assert done.exit_code == 0, done.output
    assert done.stdout == (folder / "draft.txt").read_text()
    assert done.stdout.startswith("Title: Optical brightening of BL Lac\n")
    assert f"Figure: {folder / 'figure.png'}" in done.stderr
    assert "Nothing was sent." in done.stderr
    assert "! No authors" in done.stderr


@pytest.mark.parametrize(("typed", "called"), [
    ("bllac", "BL Lac"), ("2200+420", "BL Lacertae"), ("BL LACERTAE", "BL Lacertae")])
def test_a_source_is_called_as_it_was_asked_for(site: Path, typed: str, called: str) -> None:
    assert run(site, typed).stdout.startswith(f"Title: Optical brightening of {called}\n")


def test_as_json_there_are_the_numbers_with_their_results(site: Path) -> None:
    content: dict[str, Any] = json.loads(run(site, "BL Lac", "--json").stdout)
    magnitude = next(n for n in content["numbers"] if n["what"] == "R magnitude")
    assert magnitude["results"] == [10]
    assert Path(content["folder"], "draft.json").exists()


def test_related_telegrams_are_named(site: Path) -> None:
    assert "Related to: ATel #14773, ATel #15056\n" in run(
        site, "BL Lac", "--related", "14773, #15056").stdout


def test_it_can_be_kept_elsewhere(site: Path, tmp_path: Path) -> None:
    run(site, "BL Lac", "--out", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "ATel_BLLac_20261122T2100" / "draft.txt").exists()
    assert not (site / "drafts").exists()


def test_a_second_draft_of_the_same_is_the_first_one(site: Path) -> None:
    run(site, "BL Lac")
    assert "The same draft was made before." in run(site, "BL Lac").stderr
    assert len(list((site / "drafts").iterdir())) == 1


def test_nothing_to_report_is_said_with_the_time_of_the_last_result(site: Path) -> None:
    done = run(site, "BL Lac", "--since", "2h")
    assert isinstance(done.exception, Iop4dError)
    assert "nothing to report: no good result of BL Lac" in str(done.exception)
    assert "2026-11-22 21:00:00" in str(done.exception)
    assert not (site / "drafts").exists()


@pytest.mark.parametrize(("words", "said"), [
    (("nobody",), "no source is named 'nobody'"),
    (("BL Lac", "--since", "soon"), "--since: 'soon' is not a time"),
    (("BL Lac", "--related", "1,x"), "--related has 'x'")])
def test_what_is_wrong_is_said(site: Path, words: tuple[str, ...], said: str) -> None:
    assert said in str(run(site, *words).exception)


def test_a_folder_that_cannot_be_written_is_named(site: Path) -> None:
    (site / "drafts").write_text("a file")
    error = run(site, "BL Lac").exception
    assert isinstance(error, Iop4dError)
    assert "--out" in str(error)


def test_help_says_that_nothing_is_sent() -> None:
    assert "It is never sent" in CliRunner().invoke(cli, ["atel", "--help"]).output


def test_the_figure_shows_the_past_and_points_what_is_new(
        site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[FigureRequest] = []

    def draw(request: FigureRequest) -> Pictures:
        drawn.append(request)
        return Pictures(png=b"\x89PNG", pdf=b"%PDF")

    monkeypatch.setattr(figure, "draw", draw)
    run(site, "BL Lac", "--since", "1d")
    assert [point.is_new for point in drawn[0].points] == [False] * 9 + [True]
