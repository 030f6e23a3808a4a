"""``iop4d external``: a table of others is imported, listed, replaced and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from iop4d.store import catalogue, external
from iop4d.store.catalogue_edit import rename
from iop4d.store.schema import Audit
from tests.support.rows import rows
from tests.support.stores import database_of, site_of_bl_lac


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return site_of_bl_lac(tmp_path)


def run(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "external", *words])


def table(site: Path, *mags: float) -> str:
    file = site / "asassn.csv"
    file.write_text("jd,filter,mag,mag_err\n" + "".join(
        f"{2460000.5 + day},g,{mag},0.02\n" for day, mag in enumerate(mags)), encoding="utf-8")
    return str(file)


def test_a_table_is_imported_listed_and_removed(site: Path) -> None:
    assert "There are no points of others" in run(site).output
    done = run(site, "import", table(site, 13.5, 13.6), "--source", "bl lac", "--origin", "ASAS-SN",
               "--reference", "Shappee et al. 2014")
    assert done.exit_code == 0, done.output
    said = ("1: 2200+420: 2 points of ASAS-SN, 2023-02-25 to 2023-02-26, times as JD; asassn.csv; "
            "Shappee et al. 2014\n")
    assert done.output == run(site).output == said
    (row,) = json.loads(run(site, "--json").output)
    assert (row["source"], row["origin"], row["count"]) == ("2200+420", "ASAS-SN", 2)
    assert run(site, "remove", "1").output == f"removed: {said}"
    assert "There are no points of others" in run(site).output
    with database_of(site).read() as db:
        assert external.rows(db, "2200+420", since_jd=0, until_jd=1e7) == []
    assert [row.act for row in rows(database_of(site), Audit)] == [
        "external import", "external remove"]
    assert "there is no external table 7" in str(run(site, "remove", "7").exception)


def test_a_newer_table_of_the_same_origin_takes_the_place_of_the_one_before(site: Path) -> None:
    for mags in ((13.5, 13.6), (13.7,)):
        done = run(site, "import", table(site, *mags), "--source", "BL Lac", "--origin", "ASAS-SN")
    assert "2 points of the import before replaced" in done.output
    run(site, "import", table(site, 14.0), "--source", "BL Lac", "--origin", "ATLAS")
    with database_of(site).read() as db:
        found = external.rows(db, "2200+420", since_jd=0, until_jd=1e7)
    assert sorted((row[0], row[3]) for row in found) == [("ASAS-SN", 13.7), ("ATLAS", 14.0)]


def test_points_of_others_go_with_a_source_that_is_renamed(site: Path) -> None:
    run(site, "import", table(site, 13.5), "--source", "BL Lac", "--origin", "ASAS-SN")
    with database_of(site).write() as tx:
        rename(tx, catalogue.find(tx, "BL Lac"), "BL Lacertae")
        assert [row.source for row in external.tables(tx)] == ["BL Lacertae"]
        assert len(external.rows(tx, "BL Lacertae", since_jd=0, until_jd=1e7)) == 1


def test_what_cannot_be_imported_says_why(site: Path) -> None:
    unknown = run(site, "import", table(site, 13.5), "--source", "M 31", "--origin", "x")
    assert unknown.exit_code == 1
    empty = run(site, "import", table(site), "--source", "BL Lac", "--origin", "x")
    assert "it has no rows" in str(empty.exception or empty.output)
    nameless = run(site, "import", table(site, 13.5), "--source", "BL Lac", "--origin", " ")
    assert "an origin is needed" in str(nameless.exception or nameless.output)
