"""``iop4d results``: which results it writes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Result_

from iop4d.cli import cli
from iop4d.export.forms import FORMS
from iop4d.store.database import Database
from iop4d.store.schema import Result


@pytest.mark.parametrize(("since", "left"), [
    ("2024-03-14", 1), ("2024-03-13", 2), ("2024-03-14T23:00", 0), ("60383", 1), ("2460383.5", 1)])
def test_a_plain_date_is_a_time_as_elsewhere(tmp_path: Path, since: str, left: int) -> None:
    """2024-03-14 begins at JD 2460383.5."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        for jd in (2460383.0, 2460384.0):
            tx.create(Result, key=str(jd), source="s", telescope="T", instrument="I", mode="x",
                      night="2024-03-13", band="R", jd_mid=jd, exptime_s=1.0, mag=14.0,
                      created_at=1.0, changed_at=1.0)
    database.close()
    ran = CliRunner().invoke(cli, ["--site", str(tmp_path), "results", "--since", since])
    assert ran.exit_code == 0, ran.output
    assert len(ran.stdout.splitlines()) - 1 == left


def test_withdrawn_results_are_not_written(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        for name, withdrawn in (("good", False), ("withdrawn", True), ("good too", False)):
            tx.create(Result, key=name, source=name, telescope="T", instrument="I", mode="x",
                      night="2024-01-01", band="R", jd_mid=1.0, exptime_s=1.0, mag=14.0,
                      withdrawn=withdrawn, created_at=1.0, changed_at=1.0)
    database.close()
    ran = CliRunner().invoke(cli, ["--site", str(tmp_path), "results"])
    assert ran.exit_code == 0, ran.output
    assert [row["source"] for row in csv.DictReader(ran.stdout.splitlines())] == [
        "good", "good too"]


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A site with a result of a source and an instrument that it does not know any more."""
    root = tmp_path / "site"
    root.mkdir()
    (root / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(root / "iop4d.db")
    with database.write() as tx:
        tx.create(Result, key="1", source="Former", telescope="T", instrument="OldCam", mode="x",
                  night="2024-01-01", band="R", jd_mid=2460000.5, exptime_s=1.0, mag=14.0,
                  created_at=1.0, changed_at=1.0)
    database.close()
    return root


def results(root: Path, *words: str) -> Result_:
    return CliRunner().invoke(cli, ["--site", str(root), "results", *words])


@pytest.mark.parametrize("words", [("--source", "Former"), ("--instrument", "OldCam")])
def test_results_outlast_their_source_and_their_instrument(
        former: Path, words: tuple[str, str]) -> None:
    assert len(results(former, *words).stdout.splitlines()) == 2
    ran = results(former, words[0], "Nowhere")
    assert "is named 'Nowhere'" in str(ran.exception)


def test_a_table_is_whole_or_the_file_is_as_it_was(
        former: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, link = tmp_path / "kept.csv", tmp_path / "link.csv"
    assert results(former, "--output", str(kept)).exit_code == 0
    before = kept.read_bytes()
    link.symlink_to(kept)

    def cut_off(*_: object) -> Iterator[bytes]:
        yield b"half of it"
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMS, "csv", replace(FORMS["csv"], write=cut_off))
    for path in (kept, link):
        assert results(former, "--output", str(path)).exit_code == 1
    assert kept.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.csv", "link.csv", "site"]


def test_into_a_device_it_is_written_as_it_comes_and_no_folder_is_made(
        former: Path, tmp_path: Path) -> None:
    assert results(former, "--output", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()
    assert results(former, "--output", str(tmp_path / "no" / "x.csv")).exit_code == 1
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("code", ["A,B", "ABCDEF", "Ä1"])
def test_what_is_no_code_of_an_observer_is_refused(former: Path, code: str) -> None:
    ran = results(former, "--format", "aavso", "--observer", code)
    assert ran.exit_code == 2
    assert "2 to 5 letters or digits" in ran.output
