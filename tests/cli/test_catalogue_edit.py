"""``iop4d catalogue remove``, ``rename`` and ``import --dry-run``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from iop4d.store import catalogue
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Measurement, Mute, Series
from iop4d.store.schema import Result as Row
from iop4d.system.lock import SiteLock

TABLE = """name,other_names,ra,dec,kind,calibrates,mag_R,mag_R_err
Target,Other,10.0,20.0,target,,,
Star,,10.01,20.0,calibrator,Target,14.0,0.01
Alone,,50.0,20.0,target,,,
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text(
        '[[rule]]\nname = "r"\ncondition = "mag < 13"\nsource = "Other"\n', encoding="utf-8")
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    assert call(tmp_path, "import", tmp_path / "table.csv").exit_code == 0
    with Database(tmp_path / "iop4d.db").write() as tx:
        tx.create(Row, key="abc/Target/photometry", source="Target", telescope="T",
                  instrument="I", mode="photometry", night="2024-03-13", band="R", jd_mid=2460383.0,
                  exptime_s=1.0, mag=14.0, created_at=1.0, changed_at=1.0)
        tx.create(Series, key="T/I/2024-03-13/R/Target", source="Target", instrument="I",
                  telescope="T", band="R", night="2024-03-13", changed_at=1.0)
        tx.create(Mute, source="Target", until=9e9, made_at=1.0)
        tx.create(Alert, rule="r", source="Target", band="R", episode=1, state="firing",
                  condition="mag < 13", fired_jd=1.0, fired_at=1.0)
    return tmp_path


def call(site: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "catalogue", *map(str, words)])


def names(site: Path) -> dict[str, tuple[str, ...]]:
    with Database(site / "iop4d.db", read_only=True).read() as db:
        return {s.name: s.calibrates for s in catalogue.load(db).sources}


def test_a_source_that_nothing_needs_is_removed(site: Path) -> None:
    with Database(site / "iop4d.db", read_only=True).read() as db:
        before = catalogue.version(db)
    assert call(site, "remove", "alone").stdout == "Alone removed from the catalogue.\n"
    assert list(names(site)) == ["Target", "Star"]
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert catalogue.version(db) > before  # a running daemon follows
    assert "no source is named 'Alone'" in str(call(site, "remove", "Alone").exception)


@pytest.mark.parametrize(("name", "needs"), [
    ("Other", ["1 result of it", "1 calibrator that calibrates it: Star", "the rule 'r'"]),
    ("Star", ["the zero points of Target"])])
def test_what_is_needed_is_removed_only_by_force_and_results_stay(
        site: Path, name: str, needs: list[str]) -> None:
    refused = call(site, "remove", name)
    assert len(names(site)) == 3
    for need in needs:
        assert need in str(refused.exception)
    assert call(site, "remove", name, "--force").exit_code == 0
    assert len(names(site)) == 2
    assert all("Target" not in served for served in names(site).values()) or name == "Star"
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert [row.source for row in db.select(Row)] == ["Target"]


def test_a_source_is_renamed_with_all_that_was_measured_of_it(site: Path) -> None:
    said = call(site, "rename", "Other", "BL Lac")
    assert said.stdout == "Target is now BL Lac, with 1 result.\n"
    assert names(site) == {"BL Lac": (), "Star": ("BL Lac",), "Alone": ()}
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert catalogue.find(db, "Target").other_names == ("Target", "Other")
        (row,), (series,) = db.select(Row), db.select(Series)
        assert (row.source, row.key) == ("BL Lac", "abc/BL Lac/photometry")
        assert (series.source, series.key) == ("BL Lac", "T/I/2024-03-13/R/BL Lac")
        assert [x.source for x in (*db.select(Mute), *db.select(Alert))] == ["BL Lac", "BL Lac"]
        assert not list(db.select(Measurement).where(Measurement.source == "Target"))
    assert call(site, "rename", "BL Lac", "Target").exit_code == 0  # and back
    assert "Target" in names(site)


@pytest.mark.parametrize(("old", "new", "words", "said"), [
    ("Target", "Alone", (), "share a name"), ("Nope", "X", (), "no source is named 'Nope'"),
    ("Target", "*", (), "rules read it as every target"),
    ("Target", "Tag:x", (), "rules read it as those of a tag"),
    ("Target", "_ _", (), "is no name of a source"),
    ("Target", "a/b", (), "is no name of a source"), ("Target", " ", (), "the name is missing"),
    ("Other", "X", ("--forget",), "is named by the rule 'r'")])
def test_a_name_that_cannot_be_is_refused_and_nothing_is_changed(
        site: Path, old: str, new: str, words: tuple[str, ...], said: str) -> None:
    refused = call(site, "rename", old, new, *words)
    assert said in str(refused.exception)
    assert list(names(site)) == ["Target", "Star", "Alone"]
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert [row.key for row in db.select(Row)] == ["abc/Target/photometry"]


def test_a_name_that_results_of_another_have_is_refused(site: Path) -> None:
    assert call(site, "remove", "Target", "--force").exit_code == 0
    refused = call(site, "rename", "Alone", "Target")
    assert "already, of a source that left" in str(refused.exception)


def test_nothing_is_renamed_beside_a_daemon(site: Path) -> None:
    lock = SiteLock(site / "iop4d.lock")
    refused = call(site, "rename", "Target", "X")
    lock.close()
    assert "a daemon runs on this site" in str(refused.exception)
    assert "Target" in names(site)


def test_a_dry_run_of_an_import_changes_nothing(site: Path) -> None:
    (site / "more.csv").write_text(
        "name,ra,dec,kind\nAlone,50.0,21.0,target\nNew,60.0,20.0,target\n"
        "Same place,50.0001,21.0,target\n", encoding="utf-8")
    said = call(site, "import", site / "more.csv", "--dry-run")
    assert said.stdout.splitlines() == [
        "would add 2 sources: New, Same place", "would replace 1 source: Alone"]
    again = call(site, "import", site / "table.csv", "--dry-run").stdout
    assert "3 sources would stay as they are" in again
    assert "arcsec apart: one star under two names" in said.stderr
    assert list(names(site)) == ["Target", "Star", "Alone"]
    (site / "bad.csv").write_text("name,ra,dec,kind\nX,500,20,target\n", encoding="utf-8")
    assert call(site, "import", site / "bad.csv", "--dry-run").exit_code == 1


@pytest.mark.parametrize(("lines", "where"), [
    ('[web]\npublic_sources = ["other"]', "[web] public_sources"),
    ('[[want]]\nsources = ["target"]\nmag_err = 0.01', "[[want]] sources"),
    ('[atel.calibration]\nOther = "the literature"', "[atel.calibration]"),
    ('[atel.related_atels]\ntarget = "14773"', "[atel.related_atels]")])
def test_every_key_of_the_site_file_that_names_a_source_is_listed(
        site: Path, lines: str, where: str) -> None:
    (site / "iop4d.toml").write_text(f"{lines}\n", encoding="utf-8")
    for words in (("remove", "Target"), ("rename", "Target", "X", "--forget")):
        assert where in str(call(site, *words).exception)
    assert call(site, "rename", "Target", "X").exit_code == 0, "Target is one of its names still"
