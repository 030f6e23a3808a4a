"""The list of sources: last values in all bands, filters, sorting, and the altitude tonight."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site, Tag
from iop4d.instruments.telescopes import T090
from iop4d.model.flags import Flag
from iop4d.model.units import jd_of_text, unix_of_jd
from iop4d.store import alerts, catalogue
from iop4d.store.database import Database
from iop4d.store.last_values import bands_of, source_row, source_rows
from iop4d.store.schema import Result
from iop4d.web import visibility
from iop4d.web.app import create_app
from iop4d.web.formats import spelled_once


@pytest.fixture(scope="module")
def client(filled: Site) -> FlaskClient:
    site = replace(filled, tag=(Tag(name="TeV", sources=("BL Lac", "S5 0716+71")),))
    return create_app(site).test_client()


def names(client: FlaskClient, query: str = "") -> list[str]:
    return re.findall(r'<tr data-key="([^"]+)">', client.get(f"/sources?{query}").text)


def test_every_band_of_a_source_has_its_last_value(filled: Site) -> None:
    with Database(filled.database, read_only=True).read() as db:
        rows = {row.name: row for row in source_rows(db)}
        last = rows["2200+420"].last
        assert list(bands_of(rows.values()))[:4] == ["B", "V", "R", "I"]
        assert set(last) == {"R", "B", "V", "I"}
        for band, found in last.items():
            newest = db.get(Result, (Result.source == "2200+420") & (Result.band == band)
                            & (Result.jd_mid > found.jd_mid) & (Result.flags == 0))
            assert newest is None
        assert rows["2251+158"].polarised is not None
        assert "2200+420 C" not in rows  # a calibrator
        assert "2200+420 C" in {row.name for row in source_rows(db, calibrators=True)}


def test_a_source_by_itself_has_the_last_values_of_the_list(filled: Site) -> None:
    with Database(filled.database, read_only=True).read() as db:
        for row in source_rows(db):
            one = source_row(db, row.name, row.entry)
            assert {band: last.id for band, last in one.last.items()} == {
                band: last.id for band, last in row.last.items()}
            assert (one.polarised and one.polarised.id) == (row.polarised and row.polarised.id)
        assert list(source_row(db, "2200+420", None).last) == ["B", "V", "R", "I"]


def test_the_page_of_a_source_begins_with_its_last_values(client: FlaskClient) -> None:
    page = client.get("/sources/BL%20Lac").text
    head = page[page.index('id="lasts"'):page.index('id="choice"')]
    assert head.count('class="big"') == 4
    assert re.search(r"band-R.*\d\d\.\d{3} ± 0\.\d{3}", head)
    assert "ago</time>" in head


def test_a_name_is_not_written_twice_with_other_blanks() -> None:
    assert spelled_once(("BL Lac", "BLLac", "bl-lac", "2200 +420", "TXS 2200+420"), "2200+420") \
        == ["BL Lac", "TXS 2200+420"]


def test_a_good_value_comes_before_a_newer_doubtful_one(own: Site) -> None:
    with Database(own.database).write() as tx:
        rows = list(tx.select(Result).where((Result.source == "2200+420") & (Result.band == "R"))
                    .order_by(Result.jd_mid.desc()))
        tx.update(Result, flags=int(Flag.BAD_PIXELS | Flag.SATURATED)).where(
            Result.id == rows[0].id).execute()
        tx.update(Result, withdrawn=True).where(Result.id == rows[1].id).execute()
        (row,) = [row for row in source_rows(tx) if row.name == "2200+420"]
        assert row.last["R"].id == rows[2].id
        tx.update(Result, flags=int(Flag.SATURATED)).where(Result.source == "2200+420").execute()
        (row,) = [row for row in source_rows(tx) if row.name == "2200+420"]
        assert row.last["R"].id == rows[0].id  # of doubtful ones the newest


def test_the_list_is_filtered_by_text_kind_and_tag(client: FlaskClient) -> None:
    assert {"2200+420", "2251+158", "0716+714"} <= set(names(client))
    assert names(client, "q=bl lac") == ["2200+420"]
    assert set(names(client, "tag=TeV")) == {"2200+420", "0716+714"}
    assert "No source matches this filter" in client.get("/sources?q=nobody").text
    assert "2200+420 C" in names(client, "kind=calibrators")


@pytest.mark.parametrize(("sort", "first"), [
    ("name", "0716+714"), ("mag_R", "0716+714"), ("-mag_R", "2251+158"), ("ra", "0716+714"),
    ("-dec", "0716+714"), ("-p", "2251+158")])
def test_the_list_is_sorted_either_way(client: FlaskClient, sort: str, first: str) -> None:
    found = [name for name in names(client, f"sort={sort}") if "script" not in name]
    assert found[0] == first


def test_a_name_that_another_begins_with_stands_after_it_the_other_way(own: Site) -> None:
    with Database(own.database).write() as tx:
        catalogue.save(tx, [replace(catalogue.find(tx, "BL Lac"), name=name, other_names=())
                            for name in ("3C 454", "3C 454.3 B")])
    client = create_app(own).test_client()
    both = [[name for name in names(client, f"sort={sort}") if name.startswith("3C 454")]
            for sort in ("name", "-name")]
    assert both == [["3C 454", "3C 454.3 B"], ["3C 454.3 B", "3C 454"]]


def test_a_column_is_sorted_the_other_way_by_a_second_tap(client: FlaskClient) -> None:
    text = client.get("/sources?q=&sort=mag_R").text
    assert 'href="?q=&amp;sort=-mag_R"' in text
    assert 'aria-sort="ascending"' in text


def test_every_source_of_the_catalogue_has_its_altitude_tonight(client: FlaskClient) -> None:
    text = client.get("/sources").text
    assert text.count('<svg class="track"') == 3
    assert "from the Moon" in text
    assert "Tonight, 20" in text


def test_tonight_is_the_night_that_runs_or_comes_at_the_telescope() -> None:
    at = unix_of_jd(jd_of_text("2026-11-28T03:00"))
    night = visibility.tonight(T090, at)
    assert night.date == "2026-11-27"
    assert visibility.tonight(T090, at + 12 * 3600).date == "2026-11-28"
    (track,) = visibility.tracks(night, ((330.68, 42.278),))
    assert re.fullmatch(r"5\.\d h above 30° in the dark, highest 8\d° at 1\d:\d\d UTC, "
                        r"\d+° from the Moon", track.words)
    (down,) = visibility.tracks(night, ((330.0, -80.0),))
    assert down.words == "does not rise in the dark"
    drawn = visibility.large(night, track, at)
    assert 'class="now"' in drawn
    assert drawn.count("<polyline") == 2


def test_a_site_has_the_telescopes_of_its_archives_where_their_place_is_known(own: Site) -> None:
    named = replace(own, archive=(replace(own.archive[0], telescope="CAHA-T220"),))
    assert [one.name for one in visibility.telescopes_of(named)] == ["CAHA-T220"]


def test_the_catalogue_is_read_with_tags_of_the_page(own: Site) -> None:
    with Database(own.database).write() as tx:
        catalogue.save(tx, [replace(catalogue.find(tx, "BL Lac"), tags=("fermi",))])
    client = create_app(own).test_client()
    assert names(client, "tag=fermi") == ["2200+420"]
    assert '<a class="tag" href="?tag=fermi">fermi</a>' in client.get("/sources").text


def test_the_page_of_a_source_has_its_alerts(own: Site) -> None:
    client = create_app(own).test_client()
    with Database(own.database, read_only=True).read() as db:
        alert = alerts.active(db)[0]
    page = client.get(f"/sources/{alert.source}").text
    part = page.split('id="alerts"')[1].split("</section>")[0]
    assert f'href="/alerts/{alert.id}">{alert.rule}' in part
    others = {one for one in ("2200+420", "2251+158", "0716+714") if one != alert.source}
    assert all("No alert yet" in client.get(f"/sources/{one}").text for one in others)
    results_only = create_app(replace(own, web=replace(own.web, read="results"))).test_client()
    assert 'id="alerts"' not in results_only.get(f"/sources/{alert.source}").text
