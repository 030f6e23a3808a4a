"""The pages and addresses of light curves."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.instruments.telescopes import Telescope
from iop4d.store import catalogue
from iop4d.store.database import Database
from iop4d.web.app import create_app
from iop4d.web.curves.packing import array_of, unpacked
from iop4d.web.views.sources import curves as views
from tests.web import observatory
from tests.web.conftest import emit, enter, execute


def test_the_arrays_are_the_points_of_the_source(client: FlaskClient) -> None:
    header, octets = unpacked(client.get("/api/curves?source=3C%20454.3").data)
    points = client.get("/api/sources/3C%20454.3/points").json["bands"]
    assert header["shown"] == header["total"] == sum(len(one["id"]) for one in points.values())
    for series in header["series"]:
        wanted = points[series["band"]]
        columns = {name: array_of(where, octets, series["n"])
                   for name, where in series["columns"].items()}
        assert columns["id"].tolist() == wanted["id"]
        assert columns["y"].tolist() == pytest.approx(wanted["mag"], abs=1e-4)
        assert columns["jd"].tolist() == pytest.approx(wanted["jd"], abs=2e-6)
        assert columns["p"].tolist() == pytest.approx(wanted["p_debiased"], abs=1e-3)
    assert header["sources"][0]["name"] == "2251+158"
    assert header["nights"]
    assert header["pair"] == "B-I"


def test_several_sources_and_a_period_stand_in_one_address(client: FlaskClient) -> None:
    header, _ = unpacked(client.get(
        "/api/curves?source=BL%20Lac&source=3C%20454.3&source=2200%2B420&period=tonight").data)
    assert [one["name"] for one in header["sources"]] == ["2200+420", "2251+158"]
    assert {one["source"] for one in header["series"]} <= {"2200+420", "2251+158"}
    whole, _ = unpacked(client.get("/api/curves?source=BL%20Lac&source=3C%20454.3").data)
    assert whole["total"] > header["total"]
    page = client.get("/curves?source=BL%20Lac&source=3C%20454.3&from=2026-01-01&bands=R"
                      "&pol=qu").text
    assert "2026-01-01T00:00" in page
    assert re.search(r'value="qu" selected', page)
    assert re.search(r'name="bands" value="R" checked', page)
    assert not re.search(r'name="bands" value="V" checked', page)


def test_nothing_is_sent_again_where_nothing_happened(own: Site) -> None:
    client = create_app(own).test_client()
    first = client.get("/api/curves?source=BL%20Lac")
    tag = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/api/curves?source=BL%20Lac", headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    execute(own, "UPDATE result SET mag = 10.0 WHERE source = '2200+420'")
    emit(own, "result", '{"id": 1}')
    assert client.get("/api/curves?source=BL%20Lac", headers=tag).status_code == 200


@pytest.mark.parametrize("query", ["source=nobody", "source=BL%20Lac&from=x",
                                   "source=BL%20Lac&quantity=x"])
def test_what_is_none_is_said(client: FlaskClient, query: str) -> None:
    for path in ("/api/curves", "/curves", "/curves.svg"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code in (400, 404), path


@pytest.mark.parametrize("path", ["/curves?source=BL%20Lac&from=yesterday&bands=R",
                                  "/sources/BL%20Lac?from=yesterday"])
def test_a_page_whose_address_has_a_wrong_date_says_so_and_shows_everything(
        client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "from: &#39;yesterday&#39; is not a time; expected JD" in answer.text
    assert "The whole light curve is shown." in answer.text
    assert '<input name="from" value=""' in answer.text
    assert 'src="/curves.svg?source=2200%2B420"' in answer.text


@pytest.mark.parametrize("path", ["/sources/BL%20Lak", "/curves?source=BLLak",
                                  "/api/sources/BL%20Lak/points", "/api/v1/sources/bl-lak"])
def test_a_name_that_no_source_has_brings_those_that_are_like_it(client: FlaskClient,
                                                                path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "; did you mean " in answer.text
    assert "BL Lac" in answer.text


def test_pages_of_a_source_lead_to_its_neighbours(client: FlaskClient) -> None:
    page = client.get("/sources/BL%20Lac").text
    assert 'rel="prev" href="/sources/0716%2B714"' in page
    assert 'rel="next" href="/sources/2251%2B158"' in page


def test_a_source_without_points_has_a_page(client: FlaskClient) -> None:
    page = client.get("/sources/2200%2B420%20C")
    assert "No point yet" in page.text
    header, _ = unpacked(client.get("/api/curves?source=2200%2B420%20C").data)
    assert (header["total"], header["extent"]) == (0, None)


def test_the_panel_lists_points_and_has_a_form_for_observers_alone(own: Site) -> None:
    client = create_app(own).test_client()
    text = client.get("/fragments/points?id=1,4&id=7&id=x&id=999").text
    assert text.count('data-key="s') == 3
    assert "Set the flag" not in text
    assert "Sign in" in text
    enter(client)
    text = client.get("/fragments/points?id=1,4,7").text
    assert "Set the flag" in text
    assert text.count('type="checkbox" name="result"') == 3


def test_only_results_are_shown_to_who_may_read_results_alone(own: Site) -> None:
    client = create_app(replace(own, web=replace(own.web, read="results"))).test_client()
    for path in ("/curves?source=BL%20Lac", "/api/curves?source=BL%20Lac", "/curves.svg?source=1"):
        assert client.get(path).status_code == 200
    client = create_app(replace(own, web=replace(own.web, read="signed-in"))).test_client()
    assert client.get("/api/curves?source=BL%20Lac").status_code == 401
    assert client.get("/curves?source=BL%20Lac").status_code == 303


def test_more_sources_than_a_plot_has_are_said_to_be_left_out(own: Site) -> None:
    with Database(own.database).write() as tx:
        catalogue.save(tx, [replace(catalogue.find(tx, "BL Lac"), name=f"S{n}", other_names=())
                            for n in range(25)])
    client = create_app(own).test_client()
    address = "/curves?" + "&".join(f"source=S{n}" for n in range(25))
    page = client.get(address).text
    assert "24 sources are the most that one plot has" in page
    assert page.count('form="choice" checked') == 24
    assert "are the most" not in client.get(address.rpartition("&")[0]).text


def test_tonight_begins_at_noon_where_the_telescope_stands(own: Site,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    places = (Telescope(name="Mauna Kea", latitude_deg=19.8, longitude_deg=-155.5),)
    monkeypatch.setattr(views, "telescopes_of", lambda _: places)
    with create_app(own).test_request_context("/curves?period=tonight"):
        begin, _ = views.chosen([]).limits(2461373.2)  # 16:48 UTC, a morning in Hawaii
    assert begin == pytest.approx(2461372.0 + 155.5 / 360.0)


def test_hostile_names_stay_text(client: FlaskClient) -> None:
    for path in ("/curves", "/curves.svg", f"/sources/{observatory.HOSTILE}"):
        text = client.get(path, query_string={"source": observatory.HOSTILE}).text
        assert observatory.HOSTILE not in text, path


def test_values_of_the_catalogue_are_lines_of_their_bands(own: Site) -> None:
    with Database(own.database).write() as tx:
        source = catalogue.find(tx, "BL Lac")
        catalogue.save(tx, [replace(source, magnitudes={"R": (13.9, 0.05)}, p=0.08, chi_deg=30.0)])
    header, _ = unpacked(create_app(own).test_client().get("/api/curves?source=BL%20Lac").data)
    assert header["sources"][0]["lines"] == {"mag": {"R": 13.9}, "p": 8.0, "chi": 30.0}
