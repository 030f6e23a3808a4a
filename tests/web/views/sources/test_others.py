"""Points that others measured, on the page of a source: brought, drawn apart, listed, removed."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.store import external
from iop4d.store.database import Database
from iop4d.web.app import create_app
from iop4d.web.curves.packing import array_of, unpacked
from tests.web.conftest import OURS, enter

PAGE = "/sources/BL%20Lac"
TABLE = ("jd,band,mag,mag_err,mag_limit,p,p_err,chi_deg,chi_err_deg\n"
         "2450000.5,R,14.2,0.1,,,,,\n2460000.5,g,,,17.5,,,,\n2461000.5,R,13.1,0.02,,0.1,0.01,45,2\n")


@pytest.fixture
def client(own: Site) -> FlaskClient:
    client = create_app(own).test_client()
    enter(client)
    return client


def bring(client: FlaskClient, text: str = TABLE, name: str = "kait.csv", **form: str) -> Any:
    return client.post(f"{PAGE}/others", headers=OURS, follow_redirects=True, data={
        "origin": "KAIT", "reference": "Li et al. 2003", **form,
        "table": (io.BytesIO(text.encode()), name)})


def curve(client: FlaskClient, words: str = "") -> tuple[dict[str, Any], bytes]:
    return unpacked(client.get(f"/api/curves?source=BL%20Lac{words}").data)


def test_an_editor_brings_a_table_that_the_page_names_with_its_provenance(
        client: FlaskClient, own: Site) -> None:
    page = bring(client).text
    assert "3 points of KAIT added." in page
    row = page[page.index('<section id="others">'):]
    for said in ("KAIT", "Li et al. 2003", "1995-10-10", "2025-11-21", "kait.csv, Ana"):
        assert said in row, said
    assert "Thin cross: of others (KAIT)." in page
    with Database(own.database, read_only=True).read() as db:
        (table,) = external.tables(db, "2200+420")
    assert (table.imported_by, table.times, len(table.sha256)) == ("Ana", "JD", 64)


def test_points_of_others_are_series_of_their_own_beside_ours(client: FlaskClient) -> None:
    before, _ = curve(client)
    bring(client)
    head, octets = curve(client)
    assert before["others"] == []
    assert head["series"] != []
    assert (head["total"], head["extent"]) == (before["total"], before["extent"])
    found = {one["band"]: one for one in head["others"]}
    assert {one["telescope"] for one in head["others"]} == {"KAIT"}
    red, green = found["R"]["columns"], found["g"]["columns"]
    assert array_of(red["y"], octets, 2).tolist() == pytest.approx([14.2, 13.1])
    assert array_of(green["y_limit"], octets, 1).tolist() == pytest.approx([17.5])
    p = array_of(red["p"], octets, 2)
    assert math.isnan(p[0])
    assert p[1] == pytest.approx(10.0)
    assert array_of(red["chi"], octets, 2)[1] % 180.0 == pytest.approx(45.0)


def test_q_and_u_of_others_follow_from_their_p_and_angle(client: FlaskClient) -> None:
    bring(client)
    head, octets = curve(client, "&pol=qu")
    red = next(one for one in head["others"] if one["band"] == "R")["columns"]
    q, u, q_err = (array_of(red[name], octets, 2)[1] for name in ("q", "u", "q_err"))
    # p = 10 % at 45 deg: q = 0, u = 10 %; an angle wrong by 2 deg moves q by 2 p sin(4 deg).
    assert (q, u) == (pytest.approx(0.0, abs=1e-3), pytest.approx(10.0))
    assert q_err == pytest.approx(20.0 * math.radians(2.0), rel=1e-3)


def test_without_the_host_there_is_nothing_of_others_and_dereddened_only_their_p(
        client: FlaskClient) -> None:
    bring(client)
    assert curve(client, "&quantity=nucleus")[0]["others"] == []
    head, octets = curve(client, "&quantity=dereddened")
    (red,) = head["others"]
    assert np.isnan(array_of(red["columns"]["y"], octets, 2)).all()
    assert array_of(red["columns"]["p"], octets, 2)[1] == pytest.approx(10.0)


def test_a_new_table_makes_a_new_answer_and_they_can_be_hidden(client: FlaskClient) -> None:
    bring(client)
    tag = client.get("/api/curves?source=BL%20Lac").headers["ETag"]
    bring(client, TABLE + "2461001.5,R,13.2,0.02,,,,,\n")
    again = client.get("/api/curves?source=BL%20Lac", headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert curve(client, "&others=0")[0]["others"] == []


def test_the_still_picture_has_them_as_thin_crosses_within_the_time_of_our_points(
        client: FlaskClient) -> None:
    before = client.get("/curves.svg?source=BL%20Lac").text
    bring(client)
    after = client.get("/curves.svg?source=BL%20Lac").text
    assert "l6 6m0-6l-6 6" not in before
    # Of three points, that of 1995 would push ours together, and is left out.
    assert "1996" not in after
    assert "1995" not in after
    bring(client, f"jd,band,mag\n{now_of(client)},R,13.3\n")
    assert client.get("/curves.svg?source=BL%20Lac").text.count("l6 6m0-6l-6 6") == 1


def now_of(client: FlaskClient) -> float:
    """The time of the newest point of ours."""
    answer = client.get("/api/v1/results?source=BL+Lac&limit=1&columns=jd_mid")
    return float(answer.get_json()["rows"][0]["jd_mid"])


def test_the_table_of_all_of_them_is_filtered_and_downloaded(client: FlaskClient) -> None:
    bring(client)
    rows = client.get("/api/v1/external?source=bl+lac&columns=all").get_json()["rows"]
    assert [(row["origin"], row["reference"], row["mag"]) for row in rows] == [
        ("KAIT", "Li et al. 2003", 13.1), ("KAIT", "Li et al. 2003", None),
        ("KAIT", "Li et al. 2003", 14.2)]
    text = client.get("/data/external?origin=KAIT&format=csv").text
    assert text.count("\nKAIT") + text.count(",KAIT,") >= 3
    assert "Points that others measured" in client.get("/data/external").text


def test_ours_stay_ours(client: FlaskClient) -> None:
    """No table, file or number of results knows of them."""
    before = json.dumps(client.get("/api/v1/results?source=BL+Lac&total=yes").get_json()["total"])
    bring(client)
    assert json.dumps(client.get(
        "/api/v1/results?source=BL+Lac&total=yes").get_json()["total"]) == before


def test_they_are_removed_by_a_button_and_by_editors_alone(client: FlaskClient, own: Site) -> None:
    bring(client)
    outsider = create_app(own).test_client()
    for path in (f"{PAGE}/others", f"{PAGE}/others/remove"):
        assert outsider.post(path, headers=OURS, data={"table": "1"}).status_code == 403
    page = client.post(f"{PAGE}/others/remove", headers=OURS, data={"table": "1"},
                       follow_redirects=True).text
    assert "The 3 points of KAIT are removed." in page
    assert curve(client)[0]["others"] == []
    again = client.post(f"{PAGE}/others/remove", headers=OURS, data={"table": "x"},
                        follow_redirects=True).text
    assert "There is no external table 0." in again


@pytest.mark.parametrize(("text", "form", "says"), [
    ("a,b\n1,2\n", {}, "kait.csv: no column for the time"),
    ("", {}, "kait.csv holds no table"),
    (TABLE, {"origin": "  "}, "Nothing was added: an origin is needed"),
])
def test_what_is_wrong_with_a_table_is_said(client: FlaskClient, text: str, form: dict[str, str],
                                            says: str) -> None:
    assert says in bring(client, text, **form).text
