"""``iop4d retry``: which frames it asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import iop4d.cli as command_line
from iop4d.cli import cli
from iop4d.cli import frames as command
from iop4d.store.database import Database
from iop4d.store.requests import Progress, answer, progress_of, put
from iop4d.store.schema import Frame, Result, ResultFrame

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
    (("--quarantined", "--archive", "c"), "no archive is named 'c'; there are a, b"),
    (("--quarantined", "--night", "2024-03-15"), "nothing to try again")])
def test_nothing_is_asked_for(site: Path, asked: list[dict[str, Any]], words: tuple[str, ...],
                              said: str) -> None:
    result = CliRunner().invoke(cli, ["retry", *words, "--site", str(site)])
    assert said in result.output + str(result.exception)
    assert asked == []


def _paths_that_are_reduced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list to which `iop4d reduce` adds the paths of frames, which are not reduced."""
    wanted: list[str] = []

    def do(_site: object, _kind: str, content: dict[str, Any]) -> Progress:
        wanted.extend(content["paths"])
        return Progress(counts={"done": 1}, total=1)

    monkeypatch.setattr(command, "do", do)
    return wanted


def test_no_folder_is_passed_over_without_a_word(
        site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that are links, one that loops, and one that may not be read."""
    wanted = _paths_that_are_reduced(monkeypatch)
    folder, other = site / "in", site / "other"
    for place in (folder / "sub", folder / "closed", other):
        place.mkdir(parents=True)
        (place / "a.fit").write_bytes(b"")
    (folder / "linked").symlink_to(other, target_is_directory=True)
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    scandir = os.scandir

    def closed(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", closed)
    result = CliRunner().invoke(cli, ["reduce", str(folder), "--site", str(site)])
    assert wanted == [str(other / "a.fit"), str(folder / "sub" / "a.fit")]
    assert f"{folder / 'closed'}: Permission denied: no frame in it is reduced" in result.output
    assert result.exit_code == 1


def test_a_name_that_is_no_utf8_is_refused_and_the_others_are_reduced(
        site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = _paths_that_are_reduced(monkeypatch)
    folder = site / "in"
    folder.mkdir()
    (folder / "good.fit").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe9toile.fit")).write_bytes(b"")
    result = CliRunner().invoke(cli, ["reduce", str(folder), "--site", str(site)])
    assert wanted == [str(folder / "good.fit")]
    assert "\\xe9toile.fit is not reduced: its name is no UTF-8; rename it" in result.output
    assert result.exit_code == 1


def test_frames_that_are_left_alone_are_no_trouble(
        site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spectra and lamps of a night, and frames without a target: counted, with exit code 0."""
    database = Database(site / "iop4d.db")
    with database.write() as tx:
        tx.update(Frame, reason="an exposure of a calibration lamp: not reduced").where(
            Frame.name == "rejected").execute()
        tx.update(Frame, reason="no target of the catalogue lies in the field").where(
            Frame.name == "done").execute()
        request = put(tx, "reduce", {}, 0.0)
        answer(tx, request, {"frames": [1, 3, 6, 8]})
        for frame, result in ((2, 1), (1, 2)):  # frame 2 is not asked for
            tx.create(Result, id=result, key=str(result), source="s", telescope="t",
                      instrument="i", night="n", mode="m", band="R", jd_mid=1.0, exptime_s=1.0,
                      created_at=0.0, changed_at=0.0)
            tx.create(ResultFrame, result=result, frame=frame)
        ended = progress_of(tx, request, 0.0)
    database.close()
    assert ended is not None
    assert (ended.results, ended.troubles) == (1, ())
    monkeypatch.setattr(command, "do", lambda *_: ended)
    result = CliRunner().invoke(cli, ["retry", "3", "--site", str(site)])
    assert result.exit_code == 0
    assert "2 frames: an exposure of a calibration lamp: not reduced." in result.output
    assert "2 frames: no target of the catalogue lies in the field." in result.output


def test_a_locked_database_is_a_sentence_and_no_traceback(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class OperationalError(Exception):
        """As of the database's library."""

    def locked(**_: object) -> None:
        raise ExceptionGroup("tasks", [OperationalError("database is locked")])

    monkeypatch.setattr(command_line, "cli", locked)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 75
    assert "the database is locked by another program" in capsys.readouterr().err
    monkeypatch.setattr(command_line, "cli", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command_line.main()


@pytest.mark.parametrize(("words", "said"), [
    (("explain", "BLLac"), "'BLLac' is no number; expected the number of a result, as 'iop4d "
                           "results' shows it"),
    (("retry", "x.fits"), "'x.fits' is no number; expected the number of a frame"),
    (("masters", "reject", "0", "--reason", "r"), "'0' is no number; expected the number of a "
                                                  "master, as 'iop4d masters list' shows it"),
    (("triggers", "end", "flare"), "expected the number of a trigger, as 'iop4d triggers' shows"),
])
def test_a_word_for_a_number_is_answered_with_what_shows_the_numbers(
        words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
