"""``iop4d results``: which results it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
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
