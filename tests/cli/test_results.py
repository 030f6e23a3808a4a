"""``iop4d results``: which results it writes."""

from __future__ import annotations

import csv
from pathlib import Path

from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.store.database import Database
from iop4d.store.schema import Result


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
