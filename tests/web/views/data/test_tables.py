"""The tables of all data without scripts: filters, orders, pages, columns, files."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from astropy.table import Table
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.store.tables import LISTINGS
from iop4d.web.app import create_app
from iop4d.web.views.data.tables import TABLES
from tests.web.conftest import execute


def rows_of(text: str) -> list[str]:
    return re.findall(r'<tr data-key="([^"]*)"', text)


def test_every_table_has_a_page_with_all_of_its_columns(client: FlaskClient) -> None:
    for table in TABLES:
        page = client.get(f"/data/{table}?columns=all")
        assert page.status_code == 200, table
        for column in LISTINGS[table].columns:
            assert column.words.replace("'", "&#39;") in page.text, (table, column.name)


def test_data_begins_with_the_results(client: FlaskClient) -> None:
    assert rows_of(client.get("/data").text) == rows_of(client.get("/data/results").text)


def test_the_pages_lead_through_all_rows_and_back(client: FlaskClient) -> None:
    address, seen, numbers = "/data/results?limit=5", [], []
    while address:
        text = client.get(address).text
        seen.append(rows_of(text))
        numbers.append(re.search(r"rows (\d+) to (\d+) of (\d+)", text))
        found = re.search(r'<a href="([^"]*)" rel="next"', text)
        address = found[1].replace("&amp;", "&") if found else ""
        back = re.search(r'<a href="([^"]*)" rel="prev"', text)
    everything = [key for page in seen for key in page]
    assert len(everything) == len(set(everything)) == int(numbers[0][3])
    assert [int(found[1]) for found in numbers] == [1 + 5 * page for page in range(len(seen))]
    assert rows_of(client.get(back[1].replace("&amp;", "&")).text) == seen[-2]


def test_a_form_leads_to_an_address_with_its_filled_fields_alone(client: FlaskClient) -> None:
    answer = client.get("/data/results?source=bllac&mag.from=&mag.to=&band.has=R&sort=-mag&"
                        "columns=mag&columns=band&flags.has=&limit=25")
    assert answer.status_code == 303
    where = urlsplit(answer.headers["Location"])
    assert where.path == "/data/results"
    assert parse_qsl(where.query) == [
        ("source", "bllac"), ("band.has", "R"), ("sort", "-mag"), ("columns", "mag"),
        ("columns", "band"), ("limit", "25")]
    page = client.get(answer.headers["Location"]).text
    assert 'name="source" value="bllac"' in page
    assert "Source is bllac" in page
    assert re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?(\w+)', page) == ["Result", "Mag", "Band"]
    assert 'aria-sort="descending"' in page


def test_filters_are_kept_by_the_form_and_each_can_be_removed(client: FlaskClient) -> None:
    page = client.get("/data/frames?state=failed&state=rejected&name.matches=fit$&size=1048576")
    text = page.text
    assert text.count('name="state" value="failed" checked') == 1
    assert '<input type="hidden" name="size" value="1048576">' in text, "no field of the form"
    chips = re.findall(r'class="chip" href="([^"]*)"', text)
    assert len(chips) == 3
    without = client.get(chips[0].replace("&amp;", "&")).text
    assert "name.matches" in without
    assert 'value="failed" checked' not in without


def test_a_period_is_the_filter_of_the_form_and_can_be_removed(client: FlaskClient) -> None:
    """A filter of ``since`` had no field, and its mark could not be removed."""
    answer = client.get("/data/results?since=2001-01-01&until=2035-01-01&band.has=R")
    assert answer.status_code == 303
    assert parse_qsl(urlsplit(answer.headers["Location"]).query) == [
        ("jd_mid.from", "2001-01-01"), ("jd_mid.to", "2035-01-01"), ("band.has", "R")]
    text = client.get(answer.headers["Location"]).text
    assert 'name="jd_mid.from" value="2001-01-01"' in text
    chips = re.findall(r'class="chip" href="([^"]*)"', text)
    assert [chip.count("jd_mid.from") for chip in chips] == [0, 1, 1]
    answer = client.get("/data/results?since=2001-01-01&format=csv")
    assert answer.mimetype == "text/csv", "a file has no form"


@pytest.mark.parametrize("query", ["band=&format=csv", "format=csv&sort=", "mag.from=&format=csv"])
def test_a_file_is_a_file_also_where_fields_are_empty(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/data/results?{query}")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")


@pytest.mark.parametrize(("query", "why"), [
    ("format=pdf", "format: expected csv, ecsv, fits, votable, aavso"),
    ("format=CSV", "format: expected csv"),
    ("magnitude.from=3&format=csv", "magnitude.from: results have no such column"),
    ("mag.from=3&mag.to=2&format=fits", "mag.to: &#39;2&#39; is before"),
    ("magnitude.from=3", "magnitude.from: results have no such column"),
    ("mag.from=16&mag.to=14", "where mag.from begins")])
def test_what_a_table_does_not_know_is_refused_with_the_reason(
        client: FlaskClient, query: str, why: str) -> None:
    answer = client.get(f"/data/results?{query}")
    assert answer.status_code == 400
    assert why.replace("&#39;", "'") in answer.text.replace("&#39;", "'")


def test_a_wrong_filter_is_told_beside_its_field_and_keeps_what_was_written(
        client: FlaskClient) -> None:
    answer = client.get("/data/results?mag.from=bright&band.has=R")
    assert answer.status_code == 400
    assert "&#39;bright&#39; is no number" in answer.text
    assert 'name="mag.from" value="bright" maxlength="300" autocomplete="off" ' \
           'aria-invalid="true"' in answer.text
    assert 'name="band.has" value="R"' in answer.text


def test_results_lead_to_their_pages_and_show_their_flags(client: FlaskClient) -> None:
    text = client.get("/data/results?columns=source,flags,provisional,night,frame_id").text
    assert re.search(r'<th scope="row" class="nowrap"><a href="/results/\d+">\d+</a></th>', text)
    assert '2200+420</a> <small class="quiet">BL Lacertae</small>' in text
    assert '<a href="/sources/2200+420">' in text
    assert re.search(r'<a href="/frames/\d+">\d+</a>', text)
    assert re.search(r'<a href="/nights/[\d-]+">[\d-]+</a>', text)
    assert re.search(r'class="flag" title="[a-z][^"]{20,}">[a-z]', text)
    assert "◔</span> provisional" in text


def test_messages_and_alerts_lead_to_the_page_of_the_alert(client: FlaskClient) -> None:
    text = client.get("/data/messages").text
    assert re.search(r'<a href="/alerts/2">2</a>', text)
    assert "Subject" in text
    alerts = client.get("/data/alerts").text
    assert re.search(r'<th scope="row" class="nowrap"><a href="/alerts/2">2</a></th>', alerts)
    sent = client.get("/data/messages?state=sent&format=csv").text
    assert {line.split(",")[2] for line in sent.splitlines() if line[:1].isdigit()} == {"sent"}
    assert 'href="/data/messages"' in client.get("/messages").text


def test_withdrawn_results_are_in_no_table(filled: Site) -> None:
    execute(filled, "UPDATE result SET withdrawn = TRUE WHERE id = 3")
    try:
        client = create_app(filled).test_client()
        assert "results3" not in rows_of(client.get("/data/results?limit=500").text)
        assert rows_of(client.get("/data/results?id=3").text) == []
    finally:
        execute(filled, "UPDATE result SET withdrawn = FALSE WHERE id = 3")


def test_the_frames_that_were_not_used_and_the_nights_keep_their_addresses(
        client: FlaskClient) -> None:
    page = client.get("/failed").text
    assert "the file is truncated" in page
    assert "Frames not used" in page
    assert len(rows_of(page)) == 5
    assert 'name="state" value="failed" checked' in page
    nights = client.get("/nights").text
    assert rows_of(nights)[0].startswith("nights20")
    assert re.search(r'href="/nights/20[\d-]+"', nights)


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable"])
def test_a_file_has_what_the_table_shows(client: FlaskClient, form: str) -> None:
    address = "/data/results?source=BL+Lac&sort=jd_mid&columns=jd_mid,mag,flags&limit=2"
    page = client.get(address).text
    to = re.search(rf'href="([^"]*format={form})"', page)
    data = client.get(to[1].replace("&amp;", "&")).get_data()
    reading: dict[str, Any] = {
        "csv": {"format": "ascii.csv", "comment": "#"}, "ecsv": {"format": "ascii.ecsv"},
        "fits": {"format": "fits", "hdu": 1}, "votable": {"format": "votable"}}[form]
    table = Table.read(data.decode() if "csv" in form else io.BytesIO(data), **reading)
    assert table.colnames == ["id", "jd_mid", "mag", "flags"]
    assert len(table) == 8, "all rows, not those of one page"
    keys = [f"results{id_}" for id_ in table["id"]]
    assert keys[:2] == rows_of(page)


def test_who_reads_results_alone_has_the_tables_of_results_alone(filled: Site) -> None:
    from dataclasses import replace

    client = create_app(replace(filled, web=replace(filled.web, read="results"))).test_client()
    page = client.get("/data/results")
    assert page.status_code == 200
    assert "/data/calibrators" in page.text
    assert "/data/frames" not in page.text
    assert client.get("/data/frames").status_code == 303


def test_strange_fields_make_no_fault(client: FlaskClient) -> None:
    for query in ("cursor=x", "cursor=" + "A" * 3000, "sort=", "sort=nothing", "columns=nothing",
                  "limit=-5", "limit=x", "page=3", "mag.from=1e999", "nothing=1", "format=x",
                  "id=99999999999999999999", "name.matches=("):
        for table in ("results", "frames"):
            assert client.get(f"/data/{table}?{query}").status_code in (200, 303, 400)


def test_an_aavso_file_names_the_observer_of_the_site_or_of_the_address(own: Site) -> None:
    coded = replace(own, site=replace(own.site, aavso_observer="ABC"))
    client = create_app(coded).test_client()
    assert "#OBSCODE=ABC" in client.get("/data/results?format=aavso").text
    assert "#OBSCODE=XYZ" in client.get("/data/results?format=aavso&observer=XYZ").text


def test_frames_have_their_small_pictures_in_the_list(client: FlaskClient) -> None:
    page = client.get("/data/frames").text
    pictures = re.findall(r'<img[^>]*src="(/frames/\d+/[^"]*)"', page)
    assert len(pictures) > 10
    with client.get(pictures[-1].replace("&amp;", "&")) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")


def test_a_raw_file_is_handed_out_as_it_came(client: FlaskClient, filled: Site) -> None:
    with client.get("/frames/1/raw") as answer:
        path = filled.archive[0].path / str(answer.headers["Content-Disposition"]).rpartition(
            "filename=")[2].strip('"')
        assert answer.data == path.read_bytes()
