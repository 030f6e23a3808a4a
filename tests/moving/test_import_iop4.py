"""``iop4d import-iop4`` on what IOP4 1.7.4 itself wrote: its database, and dumps of its models."""

from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config import load_site
from iop4d.model.result import NAN, ResultValue
from iop4d.model.source import Source, SourceKind
from iop4d.moving.sources import convert
from iop4d.science.times import bjd_tdb
from iop4d.store import catalogue
from iop4d.store.catalogue import check_names
from iop4d.store.database import Database
from iop4d.store.results import Origin, save_results
from iop4d.store.schema import Audit, Frame
from iop4d.web.app import create_app

DATA = Path(__file__).parent / "data"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """IOP4's data folder: its database, a configuration, and the folder of a telescope."""
    folder = tmp_path / "iop4 data"
    (folder / "raw" / "OSN-T090" / "2022-09-08").mkdir(parents=True)
    with sqlite3.connect(folder / "iop4.db") as db:
        db.executescript((DATA / "iop4_database.sql").read_text(encoding="utf-8"))
    db.close()
    (folder / "config.yaml").write_text(
        f"datadir: {folder}\ndb_path: {folder}/iop4.db\nastrometry_cache_path: /cache\n"
        "caha_address: sftp.example.org\ncaha_user: me\ncaha_password: secret-word\n"
        "osn_t090_address: null\nosn_fnames_patterns:\n- (^Flat.*)\n", encoding="utf-8")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    call("init", str(folder))
    call("--site", str(folder), "catalogue", "import", "builtin:blazars")
    return folder


def call(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def bring(site: Path, path: Path, *more: str) -> str:
    return call("--site", str(site), "import-iop4", str(path), *more)


def rows_of(site: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(call(
        "--site", str(site), "results", "--all-columns"))))


def test_the_database_of_iop4_comes_with_its_results_flags_and_archives(
        site: Path, old: Path) -> None:
    facts = json.loads(bring(site, old / "config.yaml", "--dry-run", "--json"))
    assert (facts["sources_added"], facts["results"]["added"], facts["flagged"]) == (1, 8, 2)
    assert (facts["dry_run"], bool(facts["archives"]["added"])) == (True, True)
    said = bring(site, old / "config.yaml")
    assert "sources added: 1; in the catalogue already: 3" in said
    assert "results added: 8; of all that it has, with a flag set by hand: 2" in said
    assert "1 result left out: no magnitude and no polarisation" in said
    assert "DIPOL: {only_pair: true}" in said
    first, *_, group, weak = rows_of(site)
    assert (first["source"], first["instrument"], first["night"]) == (
        "2200+420", "AndorT90", "2022-09-08")
    # IOP4's time is that of the beginning of an exposure of 60 s.
    assert float(first["jd_mid"]) == pytest.approx(2459831.4 + 30 / 86400, abs=1e-7)
    assert float(first["bjd_tdb"]) == pytest.approx(
        bjd_tdb(float(first["jd_mid"]), 330.68, 42.278), abs=1e-5)
    assert (first["mag"], first["mag_err"], first["mag_nucleus"]) == ("13.35", "0.02", "13.55")
    assert float(first["flux_mjy"]) == pytest.approx(3080e3 * 10 ** (-0.4 * 13.35), rel=1e-4)
    assert float(group["q"]) == pytest.approx(0.125 * math.cos(math.radians(31.0)), abs=1e-5)
    assert float(group["u"]) == pytest.approx(0.125 * math.sin(math.radians(31.0)), abs=1e-5)
    assert float(group["p_debiased"]) < 0.125
    assert float(group["p_nucleus"]) == pytest.approx(0.14 * float(group["p_debiased"]) / 0.125,
                                                      rel=1e-3)
    assert weak["instrument"] == "CAFOS"
    assert float(weak["p_limit"]) > 0.02  # below three sigma
    assert weak["flags"] == "imported;bad polarimetry"
    assert all("imported" in row["flags"] for row in rows_of(site))


def test_good_results_are_those_that_nobody_flagged_in_iop4(site: Path, old: Path) -> None:
    bring(site, old / "iop4.db")
    table = call("--site", str(site), "results", "--good")
    assert "BLLac-0001R.fit" in table
    assert "BLLac-0004R.fit\n" not in table  # bad photometry
    assert "caf-20220918" not in table


def test_archives_are_named_where_they_lie_and_no_password_is_copied(
        site: Path, old: Path) -> None:
    bring(site, old / "config.yaml")
    archives = {archive.name: archive for archive in load_site(site, has_indexes=False).archive}
    assert archives["t090"].path == old / "raw" / "OSN-T090"
    assert archives["caha"].kind == "sftp"
    assert "secret-word" not in (site / "iop4d.toml").read_text(encoding="utf-8")
    assert "has an archive of it already" in bring(site, old / "config.yaml")


@pytest.mark.parametrize("name", ["iop4_dump.json", "iop4_catalogue.yaml"])
def test_a_dump_is_read_as_the_database_is(site: Path, old: Path, name: str) -> None:
    bring(site, old / "iop4.db")
    before = rows_of(site)
    said = bring(site, DATA / name)
    assert "sources added: 0; in the catalogue already: 4" in said
    assert "results added: 0" in said
    assert rows_of(site) == before


def test_a_source_that_is_here_keeps_its_values_and_gets_the_other_names(
        site: Path, old: Path) -> None:
    with Database(load_site(site, has_indexes=False).database).read() as db:
        before = {one.name: one for one in catalogue.load(db).sources}
    bring(site, old / "iop4.db")
    with Database(load_site(site, has_indexes=False).database).read() as db:
        now = {one.name: one for one in catalogue.load(db).sources}
        audit = list(db.select(Audit, Audit.why).tuples())
    assert set(now) - set(before) == {"AT2023xyz"}
    assert now["AT2023xyz"].tags == ("tde",)
    assert now["AT2023xyz"].ra_deg == pytest.approx(15.5125)  # 01:02:03 is an hour, no number
    star = now["2200+420 B"]
    assert "BL Lac B" in star.other_names
    assert star.magnitudes == before["2200+420 B"].magnitudes
    assert ("from IOP4",) in audit


def test_a_dry_run_writes_nothing(site: Path, old: Path) -> None:
    text = (site / "iop4d.toml").read_bytes()
    said = bring(site, old / "config.yaml", "--dry-run")
    assert "results that would be added: 8" in said
    assert rows_of(site) == []
    assert (site / "iop4d.toml").read_bytes() == text


def test_a_light_curve_goes_on_across_the_change_without_doubled_points(
        site: Path, old: Path) -> None:
    """A frame that iop4d reduces takes the place of IOP4's result; one it did before, too."""
    database = Database(load_site(site, has_indexes=False).database)
    measure(database, "BLLac-0002R.fit", 2459831.4103)
    assert "1 result left out: measured by iop4d" in bring(site, old / "iop4.db")
    measure(database, "BLLac-0001R.fit", 2459831.4003)
    measure(database, "BLLac-0099R.fit", 2459832.4)
    files = [row["frames"] for row in rows_of(site) if row["mode"] == "photometry"]
    assert len(set(files)) == len(files) == 7
    ours = {row["frames"] for row in rows_of(site) if "imported" not in row["flags"]}
    assert ours == {"BLLac-0001R.fit", "BLLac-0002R.fit", "BLLac-0099R.fit"}
    bring(site, old / "iop4.db")  # again: what was replaced does not come back
    assert [row["frames"] for row in rows_of(site) if row["mode"] == "photometry"] == files


def measure(database: Database, name: str, jd: float) -> None:
    value = ResultValue(source="2200+420", band="R", mode="photometry", jd_mid=jd, bjd_tdb=jd,
                        exptime_s=60.0, mag=13.3, mag_err=0.01, zero_point=20.8,
                        zero_point_err=0.01, n_calibrators=3, fwhm_arcsec=2.0, airmass=NAN, flags=0)
    with database.write() as tx:
        frame = tx.create(Frame, archive="t090", path=f"/raw/{name}", telescope="OSN-T090",
                          night="2022-09-08", name=name, size=1, mtime_ns=1, state="done",
                          completed_at=1.0, seen_at=1.0, changed_at=1.0)
        save_results(tx, Origin(key=f"OSN-T090/2022-09-08/{name}", telescope="OSN-T090",
                                instrument="AndorT90", night="2022-09-08",
                                frames=((frame.id, name),)), (value,), now=1.0)


def test_the_pages_of_imported_results_say_where_they_are_from(site: Path, old: Path) -> None:
    bring(site, old / "iop4.db")
    client = create_app(load_site(site, has_indexes=False)).test_client()
    page = client.get("/results/1").text
    assert "IOP4" in page
    assert "iop4d IOP4" not in page
    assert "imported" in page
    assert client.get("/sources/2200+420").status_code == 200
    assert client.get("/nights/2022-09-08").status_code == 200


@pytest.mark.parametrize(("name", "content", "says"), [
    ("a.db", b"SQLite format 3\x00", "cannot be read as a database"),
    ("a.json", b"[{", "neither JSON nor YAML"),
    ("a.json", b"[]", "no catalogue of IOP4"),
    ("a.yaml", b"just: words", "is no dump of IOP4"),
    ("a.yaml", b"datadir: /nowhere", "which is not there"),
    ("a.yaml", b"a: [b", "is no YAML"),
    ("a.txt", b"\xff\xfe\x00", "neither JSON nor YAML"),
])
def test_what_is_not_of_iop4_is_refused_in_a_line(
        site: Path, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = CliRunner().invoke(cli, ["--site", str(site), "import-iop4", str(tmp_path / name)])
    assert isinstance(done.exception, Exception)
    assert says in str(done.exception)


def test_a_data_folder_of_iop4_leads_to_its_database(site: Path, old: Path, tmp_path: Path) -> None:
    assert "results added: 8; " in bring(site, old)
    done = CliRunner().invoke(cli, ["--site", str(site), "import-iop4", str(tmp_path / "site")])
    assert "is a folder without a file iop4.db: give IOP4's configuration" in str(done.exception)


def test_a_name_that_two_sources_have_in_iop4_stays_with_the_first() -> None:
    row = {"srctype": "blazar", "calibrates": ()}
    here = Source(name="Here", ra_deg=10.0, dec_deg=20.0, kind=SourceKind.TARGET)
    found = convert([
        row | {"name": "New", "other_names": "X", "ra_hms": "03:00:00", "dec_dms": "+10:00:00"},
        row | {"name": "Here", "other_names": "X;Y", "ra_hms": "00:40:00", "dec_dms": "+20:00:00"},
    ], [here])
    names = {source.name: source.other_names for source in found.new}
    assert names["New"] == ("X",)
    assert names["Here"] == ("Y",)
    check_names(tuple(found.new))


@pytest.mark.parametrize(("model", "change", "says"), [
    ("astrosource", {"name": None}, "a source without a name: left out: the name is missing"),
    ("astrosource", {"calibrates": 1}, "results added: 8"),
    ("epoch", {"night": None}, "8 results left out: no time, telescope, night"),
    ("epoch", {"night": "8/9/2022"}, "8 results left out: no time, telescope, night"),
    ("epoch", {"telescope": None}, "8 results left out: no time, telescope, night"),
    ("rawfit", {"filename": None}, "8 results left out: no raw files"),
    ("rawfit", {"juliandate": "x"}, "results added: 8"),
    ("photopolresult", {"juliandate": "soon"}, "8 results left out: no time"),
    ("photopolresult", {"juliandate": 1e300}, "8 results left out: no time"),
    ("photopolresult", {"instrument": None}, "8 results left out: no time"),
    ("photopolresult", {"band": ["R"]}, "8 results left out: no time"),
    ("photopolresult", {"obsmode": ["R"]}, "8 results left out: observed as ['R']"),
    ("photopolresult", {"mag": math.nan, "p": None}, "9 results left out: no magnitude and no"),
    ("photopolresult", {"mag": 99.99}, "9 results left out: a magnitude that cannot be"),
    ("photopolresult", {"p": "much", "mag": None}, "9 results left out: no magnitude and no"),
    ("photopolresult", {"p": -0.1}, "9 results left out: a degree of polarisation"),
    ("photopolresult", {"flags": "bad"}, "results added: 8; of all that it has, with a flag set "
                                         "by hand: 0"),
    ("photopolresult", {"astrosource": {"a": 1}}, "9 results left out: its source was left out"),
    ("photopolresult", {"astrosource": []}, "9 results left out: its source was left out"),
    ("photopolresult", {"epoch": ["OSN-T090"]}, "8 results left out: no time, telescope, night"),
])
def test_a_row_with_a_field_that_is_null_or_wrong_is_left_out_with_its_reason(
        site: Path, tmp_path: Path, model: str, change: dict[str, object], says: str) -> None:
    rows = json.loads((DATA / "iop4_dump.json").read_text(encoding="utf-8"))
    for row in rows:
        if row["model"] == f"iop4api.{model}":
            row["fields"] |= change
    (tmp_path / "dump.json").write_text(json.dumps(rows), encoding="utf-8")
    said = bring(site, tmp_path / "dump.json")
    assert says in said
    before = rows_of(site)
    assert "results added: 0" in bring(site, tmp_path / "dump.json")
    assert rows_of(site) == before


@pytest.mark.parametrize(("model", "field", "says"), [
    ("astrosource", "name", "a source without a name: left out: the name is missing"),
    ("epoch", "night", "8 results left out: no time, telescope, night"),
    ("rawfit", "filename", "8 results left out: no raw files"),
    ("photopolresult", "instrument", "8 results left out: no time, telescope, night, instrument"),
    ("photopolresult", "flags", "results added: 8"),
    ("photopolresultreducedfitrelation", "photopolresult", "8 results left out: no raw files"),
])
def test_a_row_without_a_field_is_left_out_with_its_reason(
        site: Path, tmp_path: Path, model: str, field: str, says: str) -> None:
    """It ended in a traceback."""
    rows = json.loads((DATA / "iop4_dump.json").read_text(encoding="utf-8"))
    for row in rows:
        if row["model"] == f"iop4api.{model}":
            del row["fields"][field]
    (tmp_path / "dump.json").write_text(json.dumps(rows), encoding="utf-8")
    assert says in bring(site, tmp_path / "dump.json")


def test_numbers_that_stand_as_text_are_read(site: Path, tmp_path: Path) -> None:
    """The magnitude was lost, and its point came without one."""
    rows = json.loads((DATA / "iop4_dump.json").read_text(encoding="utf-8"))
    for row in rows:
        if row["model"] == "iop4api.photopolresult":
            row["fields"] = {name: str(value) if isinstance(value, float) else value
                             for name, value in row["fields"].items()}
    (tmp_path / "dump.json").write_text(json.dumps(rows), encoding="utf-8")
    bring(site, tmp_path / "dump.json")
    texts = rows_of(site)
    assert texts[0]["mag"] == "13.35"
    assert "results added: 0" in bring(site, DATA / "iop4_dump.json")
    assert rows_of(site) == texts


def test_a_text_that_is_not_utf8_keeps_no_row_away(site: Path, old: Path) -> None:
    with sqlite3.connect(old / "iop4.db") as db:
        db.execute("UPDATE iop4api_astrosource SET comment = CAST(x'ff41' AS TEXT)")
    db.close()
    assert "results added: 8" in bring(site, old / "iop4.db")


def _dump(tmp_path: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    rows = json.loads((DATA / "iop4_dump.json").read_text(encoding="utf-8"))
    change(rows)
    (tmp_path / "dump.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path / "dump.json"


def _of(rows: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["model"] == f"iop4api.{model}"]


def test_of_a_group_and_the_larger_one_that_it_became_the_larger_comes(
        site: Path, tmp_path: Path) -> None:
    """Both had one place here: each import changed it to one, then to the other."""
    def part(rows: list[dict[str, Any]]) -> None:
        group = next(row for row in _of(rows, "photopolresult") if row["fields"]["p"] is not None)
        links = [row for row in _of(rows, "photopolresultreducedfitrelation")
                 if row["fields"]["photopolresult"] == group["pk"]]
        rows.append({**group, "pk": 900, "fields": group["fields"] | {"p": 0.2}})
        rows.extend({**row, "pk": 900 + at, "fields": row["fields"] | {"photopolresult": 900}}
                    for at, row in enumerate(links[:-1]))

    dump = _dump(tmp_path, part)
    said = bring(site, dump)
    assert "results added: 8" in said
    assert "1 result left out: another one begins with the same raw file" in said
    before = rows_of(site)
    assert 0.2 not in [float(row["p"] or 0.0) for row in before]
    again = bring(site, dump)
    assert "8 results here already, unchanged" in again
    assert "changed since" not in again
    assert rows_of(site) == before


def test_errors_that_are_none_are_unknown_and_p_without_its_angle_stays(
        site: Path, tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in _of(rows, "photopolresult"):
            row["fields"] |= {"mag_err": -1.0, "p_err": 0.0, "mag_zp_err": 0.0}
            if row["fields"]["p"] is not None:
                row["fields"]["chi"] = None

    bring(site, _dump(tmp_path, spoil))
    found = rows_of(site)
    assert {(row["mag_err"], row["p_err"], row["zero_point_err"]) for row in found} == {
        ("", "", "")}
    assert [row["p"] for row in found if row["mode"] == "polarimetry"] == ["0.125", "0.02"]
    assert all(row["q"] == row["p_debiased"] == "" for row in found)


def test_every_key_of_the_configuration_comes_or_is_named(site: Path, old: Path) -> None:
    with (old / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("nthreads: 4\nlog_level: 20\nastrometry_timeout: 20\nray_use_cluster: false\n"
                   "iop4admin:\n  force_rebuild_finding_charts: true\n")
    said = " ".join(bring(site, old / "config.yaml", "--dry-run").split())
    assert "no counterpart: log_level, astrometry_timeout, iop4admin" in said
    assert "set [daemon] workers" in said
    assert "secret-word" not in said


def test_what_iop4_could_not_read_is_left_out_and_what_is_unknown_here_is_named(
        site: Path, tmp_path: Path) -> None:
    """A band of the name ERROR came as a band."""
    def spoil(rows: list[dict[str, Any]]) -> None:
        first, second, third, *_ = [row["fields"] for row in _of(rows, "photopolresult")
                                    if row["fields"]["mag"] is not None]
        first["band"], second["instrument"] = "ERROR", "FooCam"
        third["astrosource"] = ["Mrk 999"]

    said = " ".join(bring(site, _dump(tmp_path, spoil)).split())
    assert "results added: 6" in said
    assert "1 result left out: no time, telescope, night, instrument or band" in said
    assert "1 result left out: its source Mrk 999 was left out, or is gone from" in said
    assert "1 result of FooCam, which is no instrument of this site" in said
    assert "ERROR" not in {row["band"] for row in rows_of(site)}


def test_an_imported_result_names_its_raw_files(site: Path, old: Path) -> None:
    bring(site, old / "iop4.db")
    names = rows_of(site)[0]["frames"]
    assert f"none of this site; raw files of IOP4: {names}" in call("--site", str(site), "explain",
                                                                     "1")
    page = create_app(load_site(site, has_indexes=False)).test_client().get("/results/1").text
    assert names in page


def test_paths_of_the_configuration_may_be_relative_or_have_variables(
        site: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder became one of the site's."""
    monkeypatch.setenv("OLD", str(old))
    for said in (".", "$OLD", f"{old.parent}/./iop4 data"):
        (old / "config.yaml").write_text(f'datadir: "{said}"\n', encoding="utf-8")
        facts = json.loads(bring(site, old / "config.yaml", "--dry-run", "--json"))
        assert facts["results"]["added"] == 8
    (old / "config.yaml").write_text(
        'datadir: .\nosn_t090_address: 192.0.2.1\nosn_t090_user: "a\\tb"\n', encoding="utf-8")
    bring(site, old / "config.yaml")
    (archive,) = (one for one in load_site(site, has_indexes=False).archive if one.name == "t090")
    assert archive.path == old / "raw" / "OSN-T090"


@pytest.mark.parametrize("said", ["null", "[a]", "5", "''"])
def test_a_configuration_whose_folder_is_none_is_refused(
        site: Path, tmp_path: Path, said: str) -> None:
    (tmp_path / "c.yaml").write_text(f"datadir: {said}\n", encoding="utf-8")
    done = CliRunner().invoke(cli, ["--site", str(site), "import-iop4", str(tmp_path / "c.yaml")])
    assert "datadir is" in str(done.exception)
    assert "expected a path" in str(done.exception)
