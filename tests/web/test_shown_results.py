"""Which numbers the pages show: results that count, and polarisation without the bias of noise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.flags import Flag
from iop4d.store import health, pages, sources, summaries, tonight
from iop4d.store.database import Connection, Database
from iop4d.web.app import create_app
from tests.support.stores import copy_database
from tests.web import observatory
from tests.web.conftest import execute

SOURCE = "3C 454.3"
#: Every page and address that shows results.
LISTS = ("/", "/sources", "/nights", "/nights/{night}", "/sources/3C%20454.3", "/frames/{frame}",
         "/fragments/tonight-sources", "/api/results",
         "/api/sources/3C%20454.3/points", "/curves.svg?source=3C%20454.3",
         "/curves?source=3C%20454.3", "/fragments/points?id={id}",
         "/api/sources/3C%20454.3/nights", "/api/status")


WITHOUT_MAGNITUDES = ("/nights", "/api/status", "/curves?source=3C%20454.3")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = observatory.site(tmp_path_factory.mktemp("numbers"))
    observatory.fill(site, hostile=False)
    return site.root


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Site:
    copy_database(made, tmp_path)
    return observatory.site(tmp_path)


def _newest(site: Site) -> tuple[int, int, str]:
    """The newest result of the source with a polarisation: its id, frame and night."""
    with Database(site.database, read_only=True).read() as db:
        found = sources.find(db, SOURCE)
        assert found is not None
        (row,) = sources.latest_results(db, found[0], 1)
        frame = db.rows("SELECT frame_id FROM resultframe WHERE result_id = ?", row.id)[0][0]
        return row.id, frame, row.night


def _seen(site: Site, path: str) -> str:
    id_, frame, night = _newest(site)
    with create_app(site).test_client().get(path.format(night=night, frame=frame, id=id_)) as page:
        assert page.status_code == 200
        return str(page.text)


@pytest.mark.parametrize("path", [
    "/", "/sources", "/nights/{night}", "/sources/3C%20454.3", "/frames/{frame}",
    "/fragments/tonight-sources", "/api/sources/3C%20454.3/points"])
def test_polarisation_stands_wherever_magnitudes_do_and_has_no_bias(path: str, site: Site) -> None:
    id_, _, _ = _newest(site)
    execute(site, "UPDATE result SET p = 0.1008, p_err = 0.011, p_debiased = 0.0912, "
                  "chi_deg = 77.31, chi_err_deg = 3.2 WHERE id = ?", id_)
    text = _seen(site, path)
    assert re.search(r"9\.12 (±|\\u00b1) 1\.10", text)
    assert re.search(r"77\.3 (±|\\u00b1) 3\.2", text)
    assert "10.08" not in text


@pytest.mark.parametrize("path", [
    "/", "/sources", "/nights/{night}", "/sources/3C%20454.3", "/frames/{frame}",
    "/fragments/tonight-sources", "/api/sources/3C%20454.3/points"])
def test_what_is_not_significant_is_an_upper_limit_without_an_angle(
        path: str, site: Site) -> None:
    id_, _, _ = _newest(site)
    execute(site, "UPDATE result SET p = 0.1008, p_err = 0.0448, p_debiased = 0.0912, "
                  "p_limit = 0.17, chi_deg = 77.31, chi_err_deg = 13.2 WHERE id = ?", id_)
    text = _seen(site, path)
    assert re.search(r"(&lt;|<) 17\.0", text)
    for wrong in ("10.08", "9.12", "77.3"):
        assert wrong not in text


def test_a_limit_is_a_point_of_its_own_in_the_plot(site: Site) -> None:
    id_, _, _ = _newest(site)
    execute(site, "UPDATE result SET p_limit = 0.17 WHERE id = ?", id_)
    bands = create_app(site).test_client().get(f"/api/sources/{SOURCE}/points").json["bands"]
    (columns,) = [columns for columns in bands.values() if id_ in columns["id"]]
    at = columns["id"].index(id_)
    assert (columns["p_limit"][at], columns["p_debiased"][at], columns["p_lo"][at],
            columns["chi"][at]) == (pytest.approx(17.0), None, None, None)
    rows = create_app(site).test_client().get("/api/results?limit=10000").json["results"]
    (row,) = [row for row in rows if row["id"] == id_]
    assert row["p_limit"] == 0.17


@pytest.mark.parametrize("path", LISTS)
def test_withdrawn_results_are_nowhere(path: str, site: Site) -> None:
    id_, frame, night = _newest(site)
    client = create_app(site).test_client()
    path = path.format(night=night, frame=frame, id=id_)
    execute(site, "UPDATE result SET mag = 7.777, mag_err = 0.001, zero_point = 27.777 "
                  "WHERE id = ?", id_)
    shown = client.get(path).text
    execute(site, "UPDATE result SET withdrawn = TRUE, flags = flags | ? WHERE id = ?",
            int(Flag.WITHDRAWN), id_)
    text = client.get(path).text
    assert "7.777" not in text
    # Pages that draw the point without a word of it are other pages then.
    is_drawn = path.startswith("/curves.svg")
    assert shown != text if is_drawn else ("7.777" in shown) == (path not in WITHOUT_MAGNITUDES)
    assert f"/results/{id_}\"" not in text
    assert "withdrawn" in client.get(f"/results/{id_}").text, "who asks for it finds it"


def _points_of_all_nights(db: Connection) -> int:
    nights = [night for (night,) in db.rows("SELECT DISTINCT night FROM result")]
    return sum(len(tonight.points(db, night)) for night in nights)


def test_withdrawn_results_are_not_counted(site: Site) -> None:
    with Database(site.database, read_only=True).read() as db:
        found = sources.find(db, SOURCE)
        assert found is not None
        name = found[0]
        night, before = tonight.last_night(db), sources.count(db, name)
    execute(site, "UPDATE result SET withdrawn = TRUE WHERE source = ?", name)
    with Database(site.database, read_only=True).read() as db:
        assert sources.count(db, name) == 0
        (line,) = [line for line in sources.listed(db) if line.name == name]
        assert (line.count, line.last, line.polarised) == (0, None, None)
        assert name not in summaries.sources(db, night)
        assert all(one.source != name for one in tonight.bands(tonight.points(db, night)))
        assert _points_of_all_nights(db) == 24 - before
    execute(site, "UPDATE result SET withdrawn = TRUE")
    with Database(site.database, read_only=True).read() as db:
        assert _points_of_all_nights(db) == 0
        assert health.zero_points(db, 0.0) == []


def test_the_last_magnitude_is_the_latest_without_a_doubt(site: Site) -> None:
    id_, _, _ = _newest(site)
    execute(site, "UPDATE result SET flags = ? WHERE id = ?", int(Flag.SATURATED), id_)
    with Database(site.database, read_only=True).read() as db:
        (line,) = [line for line in sources.listed(db) if line.last and line.name == "2251+158"]
        assert line.last is not None
        assert line.last.id < id_
        assert not line.last.flags & Flag.SATURATED
    execute(site, "UPDATE result SET flags = ? WHERE source = '2251+158'", int(Flag.SATURATED))
    assert "saturated" in create_app(site).test_client().get("/sources").text


def test_the_night_begins_with_its_latest_frame(client: FlaskClient, filled: Site) -> None:
    with Database(filled.database, read_only=True).read() as db:
        night = tonight.last_night(db)
        found = pages.night_frames(db, night, None, 1).rows
        kinds = pages.night_kinds(db, night)
    read = [line.frame.jd_start for line in found if line.frame.jd_start is not None]
    assert read == sorted(read, reverse=True)
    assert read[0] == max(read)
    assert all(line.frame.jd_start is None for line in found[:len(found) - len(read)])
    assert kinds["science"] == len([line for line in found if line.frame.kind == "science"])
    assert client.get(f"/nights/{night}?kind=bias").text.count("<tr data-key") < len(found)


def test_a_summary_of_many_bands_takes_one_query(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sources and bands a night has: nothing changes between its parts."""
    with Database(site.database, read_only=True).read() as db:
        night = tonight.last_night(db)
        said: list[str] = []
        execute_sql = db._db.execute_sql
        monkeypatch.setattr(db._db, "execute_sql",
                            lambda sql, *values: said.append(sql) or execute_sql(sql, *values))
        assert len(tonight.bands(tonight.points(db, night))) > 3
    assert len(said) == 1


@pytest.mark.parametrize("query", [
    "SELECT * FROM result WHERE source = 'a' AND withdrawn = FALSE ORDER BY jd_mid DESC LIMIT 1",
    "SELECT * FROM result WHERE source = 'a' AND withdrawn = FALSE AND p IS NOT NULL "
    "ORDER BY jd_mid DESC, id DESC LIMIT 1",
    "SELECT * FROM result WHERE withdrawn = FALSE ORDER BY jd_mid, id LIMIT 100",
    "SELECT * FROM result WHERE withdrawn = FALSE AND source IN ('a') AND jd_mid >= 1 "
    "ORDER BY jd_mid, id LIMIT 100",
    "SELECT night, COUNT(*), COUNT(DISTINCT source) FROM result WHERE withdrawn = FALSE "
    "GROUP BY night",
    "SELECT night, state, COUNT(*) FROM frame WHERE night != '' GROUP BY night, state"])
@pytest.mark.sqlite
def test_what_the_pages_ask_is_in_the_order_of_an_index(query: str, empty: Site) -> None:
    with Database(empty.database).read() as db:
        plan = " ".join(row[3] for row in db.rows("EXPLAIN QUERY PLAN " + query))
    assert "INDEX" in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan
    assert "TEMP B-TREE FOR GROUP BY" not in plan
