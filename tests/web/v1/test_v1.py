"""``/api/v1``: lists with filters and cursors, single things, files, and the description."""

from __future__ import annotations

import io
import json
import random
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.export.forms import FORMS
from iop4d.store.tables import LISTINGS
from iop4d.web.app import create_app
from tests.support.votlint import complaints, needs_votlint
from tests.web.conftest import execute

#: What people, programs and attackers write into an address.
STRANGE = (
    "", " ", "0", "-1", "1", "1.5", "1e9999", "nan", "inf", "99999999999999999999", "١٢٣",
    "x" * 5000, "'", "\"; DROP TABLE result; --", "%", "_", "*", "(((((", "(a+)+$", "[", "\\",
    "\x00", "\x1f", "é", "😀", "\ud7ff", "2026-11-22", "2026-13-45", "9999-12-31",
    "0001-01-01T00:00:00+23:59", "2461000.5", "60000", "yes", "no", "some", "none", "null", "true",
    "edge", "EDGE", "id", "-id", "all", "csv", "fits", "..", "/etc/passwd", "BL Lac", "2200+420",
    "R", "W10", "eyJ9", "a,b", ",".join(["mag"] * 500), "mag,", "json")


def _json(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.text)
    return json.loads(answer.text)


def test_a_list_goes_on_at_its_cursor_to_the_end(client: FlaskClient) -> None:
    rows, following = [], ""
    while following is not None:
        answer = _json(client, f"/api/v1/results?limit=5&total=yes&cursor={following}")
        assert answer["count"] == len(answer["rows"]) <= 5
        rows += answer["rows"]
        following = answer["next"]
    everything = _json(client, "/api/v1/results")["rows"]
    assert rows == everything
    assert answer["total"] == {"count": len(rows), "is_exact": True}
    times = [row["jd_mid"] for row in rows]
    assert times == sorted(times, reverse=True), "the newest first"
    assert set(rows[0]) == {"id", *LISTINGS["results"].given}


def test_filters_columns_and_the_order_are_those_of_the_address(client: FlaskClient) -> None:
    rows = _json(client, "/api/v1/results?source=BL%20Lac&band=R&band=V&sort=mag&columns=mag,flags,"
                         "spectral_index,frame_id")["rows"]
    assert rows
    assert set(rows[0]) == {"id", "mag", "flags", "spectral_index", "frame_id"}
    mags = [row["mag"] for row in rows]
    assert mags == sorted(mags)
    assert isinstance(rows[0]["flags"], list)
    assert isinstance(rows[0]["frame_id"], int)


@pytest.mark.parametrize(("query", "field"), [
    ("results?magnitude.from=3", "magnitude.from"), ("results?mag.from=x", "mag.from"),
    ("frames?cursor=x", "cursor"), ("frames?sort=x", "sort"), ("frames?columns=x", "columns"),
    ("results?limit=x", "limit"), ("results?limit=0", "limit"), ("results?limit=-5", "limit"),
    ("results?total=maybe", "total"), ("results?since=soon", "since"),
    ("nights?since=60000", "since"),
    ("results?until=60000&since=60001", "until"), ("frames?state=fail", "state"),
    ("sources/BL%20Lac/points?source=3C%20454.3", "source"),
    ("sources/BL%20Lac/points?format=csv", "format"), ("frames?format=aavso", "format"),
    ("results?format=pdf", "format"),
    ("frames?name.matches=(", "name.matches")])
def test_what_makes_no_sense_is_answered_with_the_field_and_the_reason(
        client: FlaskClient, query: str, field: str) -> None:
    answer = _json(client, f"/api/v1/{query}", 400)
    assert answer["field"] == field
    assert answer["error"].startswith(f"{field}: ")


def test_one_thing_comes_with_everything_that_belongs_to_it(client: FlaskClient) -> None:
    frame = _json(client, "/api/v1/frames/1")
    assert frame["info"]["fwhm_arcsec"]
    assert frame["measurements"][0]["snr"] == 201.5
    assert frame["results"][0]["id"] == 1
    result = _json(client, "/api/v1/results/1")
    assert result["calibrators"]
    assert result["history"]
    source = _json(client, "/api/v1/sources/bllac")
    assert source["name"] == "2200+420"
    assert source["calibrated_by"]
    assert source["last"]["mag"]
    alert = _json(client, "/api/v1/alerts/2")
    assert {mail["state"] for mail in alert["messages"]} == {"sent", "queued"}
    messages = _json(client, "/api/v1/messages?alert_id=2&columns=all")["rows"]
    assert [row["id"] for row in messages] == [mail["id"] for mail in alert["messages"]][::-1]
    assert {row["alert_id"] for row in messages} == {2}
    night = _json(client, f"/api/v1/nights/{frame['night']}")
    assert sum(night["states"].values()) == night["frames"]
    for missing in ("frames/999", "masters/999", "groups/5", "jobs/9999", "alerts/99",
                    "nights/2001-01-01", "summaries/x", "sources/nobody", "results/99999"):
        assert "no" in _json(client, f"/api/v1/{missing}", 404)["error"].lower()


def test_a_light_curve_is_one_list_for_each_column(client: FlaskClient) -> None:
    found = _json(client, "/api/v1/sources/BL%20Lac/points?band=R&limit=2")
    assert found["source"] == "2200+420"
    assert {len(column) for column in found["columns"].values()} == {2}
    assert found["columns"]["jd_mid"] == sorted(found["columns"]["jd_mid"], reverse=True)
    rest = _json(client, f"/api/v1/sources/BL%20Lac/points?band=R&cursor={found['next']}")
    assert rest["columns"]["jd_mid"][0] < found["columns"]["jd_mid"][-1]


def test_status_rules_and_instruments_are_there(client: FlaskClient) -> None:
    assert _json(client, "/api/v1/status")["daemon"]["state"] == "running"
    assert "bright" in [rule["name"] for rule in _json(client, "/api/v1/rules")["rows"]]
    there = _json(client, "/api/v1/instruments")["rows"]
    assert {"name": "DIPOL", "telescope": "OSN-T090"} in there


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_list_as_a_file_has_the_same_rows(client: FlaskClient, form: str) -> None:
    rows = _json(client, "/api/v1/results?source=BL%20Lac&mag.is=some&sort=jd_mid")["rows"]
    answer = client.get(f"/api/v1/results?source=BL%20Lac&mag.is=some&sort=jd_mid&format={form}")
    assert answer.status_code == 200
    assert f".{FORMS[form].ending}" in answer.headers["Content-Disposition"]
    data = answer.get_data()
    if form == "aavso":
        lines = [line for line in data.decode().splitlines() if not line.startswith("#")]
        assert [line.split(",")[1] for line in lines] == [f"{r['jd_mid']:.8f}" for r in rows]
        return
    reading: dict[str, Any] = {
        "csv": {"format": "ascii.csv", "comment": "#"}, "ecsv": {"format": "ascii.ecsv"},
        "fits": {"format": "fits", "hdu": 1}, "votable": {"format": "votable"}}[form]
    table = Table.read(data.decode() if "csv" in form else io.BytesIO(data), **reading)
    assert list(table["id"]) == [row["id"] for row in rows]
    assert table["mag"][0] == pytest.approx(rows[0]["mag"], abs=1e-5)


@needs_votlint
def test_votlint_has_nothing_to_say_of_a_download(client: FlaskClient, tmp_path: Path) -> None:
    path = tmp_path / "results.vot"
    for address in ("/api/v1/results?format=votable", "/api/v1/frames?format=votable",
                    "/api/v1/sources?format=votable"):
        path.write_bytes(client.get(address).get_data())
        assert complaints(path) == [], address


def test_withdrawn_results_are_in_no_list_and_no_file(filled: Site) -> None:
    execute(filled, "UPDATE result SET withdrawn = TRUE WHERE id = 1")
    client = create_app(filled).test_client()
    try:
        assert 1 not in [row["id"] for row in _json(client, "/api/v1/results?limit=10000")["rows"]]
        assert "\n1," not in client.get("/api/v1/results?format=csv").text
        assert _json(client, "/api/v1/results?id=1")["rows"] == []
    finally:
        execute(filled, "UPDATE result SET withdrawn = FALSE WHERE id = 1")


def test_who_reads_results_alone_learns_of_no_folder(filled: Site) -> None:
    from dataclasses import replace

    client = create_app(replace(filled, web=replace(filled.web, read="results"))).test_client()
    for path in ("results", "results/1", "sources", "sources/1", "calibrators", "openapi.json",
                 "sources/1/points"):
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, path
        assert "/raw/" not in answer.text
    for path in ("frames", "frames/1", "jobs", "alerts", "status", "rules", "measurements"):
        assert client.get(f"/api/v1/{path}").status_code == 401, path


def test_the_description_names_every_address_and_every_field(client: FlaskClient) -> None:
    said = _json(client, "/api/v1/openapi.json")
    assert said["openapi"] == "3.1.0"
    routes = {rule.rule.replace("<int:id_>", "{id}").replace("<night>", "{night}")
              .replace("<path:key>", "{name}")
              for rule in client.application.url_map.iter_rules()
              if rule.rule.startswith("/api/v1/")}
    assert set(said["paths"]) == routes
    names = [said["paths"][path]["get"]["operationId"] for path in said["paths"]]
    assert len(names) == len(set(names))
    for listing in LISTINGS.values():
        fields = {field["name"] for field in said["paths"][f"/api/v1/{listing.name}"]["get"][
            "parameters"]}
        for column in listing.columns:
            assert {f"{column.name}.{way}" if way else column.name
                    for way in column.operators} <= fields
        properties = said["components"]["schemas"][listing.one.capitalize()]["properties"]
        assert set(properties) == set(listing.by_name)


def test_rows_are_as_the_description_says(client: FlaskClient) -> None:
    said = _json(client, "/api/v1/openapi.json")
    kinds = {"number": (int, float), "integer": int, "string": str, "boolean": bool,
             "null": type(None), "array": list}
    for listing in LISTINGS.values():
        properties = said["components"]["schemas"][listing.one.capitalize()]["properties"]
        for row in _json(client, f"/api/v1/{listing.name}?columns=all")["rows"]:
            for name, value in row.items():
                wanted = properties[name].get("type")
                if wanted is not None:
                    allowed = [wanted] if isinstance(wanted, str) else wanted
                    assert any(isinstance(value, kinds[kind]) for kind in allowed), (name, value)
                if "enum" in properties[name]:
                    assert value in properties[name]["enum"], (listing.name, name)


def test_no_strange_value_of_any_field_makes_a_fault(client: FlaskClient) -> None:
    """The description's fields with what nobody should write into them: never status 500."""
    pick = random.Random(14)
    for path, said in _json(client, "/api/v1/openapi.json")["paths"].items():
        get = said["get"]
        fields = get.get("parameters", [])
        ways = {field["name"].partition(".")[2] + str(field["schema"].get("type")): field
                for field in pick.sample(fields, len(fields))}
        asked = [[field] for field in ways.values()] * 2
        asked += [pick.sample(fields, min(len(fields), 4)) for _ in range(6)]
        for some in asked:
            chosen = [(field["name"], pick.choice([*STRANGE, *field["schema"].get("enum", [])]))
                      for field in some if field["in"] == "query"]
            address = path
            for field in fields:
                if field["in"] == "path":
                    address = address.replace(
                        f"{{{field['name']}}}", pick.choice(["1", "BL Lac", "2026-11-22", "٣"])
                        if pick.random() < 0.5 else pick.choice(
                            [value for value in STRANGE if value not in ("", "/etc/passwd", "..")]))
            if pick.random() < 0.3:
                chosen *= 3
            answer = client.get(address, query_string=chosen, buffered=True)
            assert answer.status_code in (200, 308, 400, 404), (address, chosen, answer.text)
            if answer.mimetype == "application/json":
                json.loads(answer.text, parse_constant=pytest.fail)


def test_the_page_for_people_says_what_every_address_gives_and_takes(client: FlaskClient) -> None:
    page = unescape(client.get("/api").text)
    described = client.get("/api/v1/openapi.json").json["paths"]
    for path, methods in described.items():
        assert f"<code>{path}</code>" in page
        for said in methods.values():
            assert said["summary"] in page
    assert '<th scope="row"><code>mag.from</code></th>' in page
    assert '<a href="/api/v1/results?limit=10">Try it</a>' in page
    assert '<a href="/api/v1/status">Try it</a>' in page
