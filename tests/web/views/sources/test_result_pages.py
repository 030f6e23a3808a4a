"""The table of results on the page of a source: all of them, by pages, as the plot chooses them."""

from __future__ import annotations

import re
import time
from itertools import chain

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.units import jd_of_unix, utc_of_jd
from iop4d.store.database import Database
from iop4d.store.schema import Result
from iop4d.store.table import is_filled
from iop4d.web.app import create_app
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import Serving, enter, execute
from tests.web.views.sources.many_results import SOURCE, add


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = observatory.site(tmp_path_factory.mktemp("pages") / "site")
    observatory.fill(made)
    add(made)
    return made


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def ids(page: str) -> list[int]:
    """The results of the table, in its order."""
    table = page[page.index('<section id="latest"'):page.index('<section id="nights"')]
    return [int(found) for found in re.findall(r'<tr data-key="r(\d+)"', table)]


def link(page: str, rel: str) -> str:
    """Where a link of the pager leads; empty if there is none."""
    table = page[page.index('aria-label="Pages of the results"'):]
    found = re.search(rf'href="([^"#]*)#latest" rel="{rel}"', table[:table.index("</nav>")])
    return found[1].replace("&amp;", "&") if found else ""


def expected(site: Site, *conditions: object) -> list[int]:
    with Database(site.database, read_only=True).read() as db:
        rows = db.select(Result).where((Result.source == SOURCE) & (Result.withdrawn == False),  # noqa: E712 - SQL
                                       *conditions)
        return [row.id for row in sorted(rows, key=lambda row: (-row.jd_mid, -row.id))]


def all_pages(client: FlaskClient, address: str) -> list[list[int]]:
    """The results of each page from the newest on."""
    found = []
    while address:
        page = client.get(address).text
        found.append(ids(page))
        address = link(page, "next") if "Pages of the results" in page else ""
    return found


def test_every_result_stands_on_one_of_the_pages_in_order(client: FlaskClient, site: Site) -> None:
    pages = all_pages(client, "/sources/BL%20Lac")
    assert [len(page) for page in pages[:-1]] == [60] * (len(pages) - 1)
    assert list(chain(*pages)) == expected(site)
    assert len(pages) == 3


def test_a_page_leads_back_to_newer_results_and_to_the_newest(client: FlaskClient) -> None:
    first = client.get("/sources/BL%20Lac").text
    second = client.get(link(first, "next")).text
    third = client.get(link(second, "next")).text
    assert link(first, "prev") == ""
    assert link(third, "next") == ""
    assert ids(client.get(link(third, "prev")).text) == ids(second)
    assert ids(client.get(link(second, "prev")).text) == ids(first)
    newest = re.search(r'href="([^"#]*)#latest">⇤ newest', third)
    assert newest is not None
    assert ids(client.get(newest[1]).text) == ids(first)


def test_a_page_stays_where_it_is_while_new_results_come(own: Site) -> None:
    add(own)
    client = create_app(own).test_client()
    address = link(client.get("/sources/BL%20Lac").text, "next")
    before = ids(client.get(address).text)
    add_one = Database(own.database)
    with add_one.write() as tx:
        row = tx.get(Result, Result.key == "more/0")
        tx.create(Result, **row.__data__ | {"id": None, "key": "newest", "jd_mid": row.jd_mid + 4})
    assert ids(client.get(address).text) == before


def test_the_table_has_what_the_light_curve_shows_and_its_address_keeps_that(
        client: FlaskClient, site: Site) -> None:
    only = "bands=V&instruments=CAFOS&period=30d"
    wanted = expected(site, Result.band == "V", Result.instrument == "CAFOS",
                      Result.jd_mid > jd_of_unix(time.time()) - 30)
    assert list(chain(*all_pages(client, f"/sources/BL%20Lac?{only}"))) == wanted
    page = client.get(f"/sources/BL%20Lac?{only}").text
    for word in ("bands=V", "instruments=CAFOS", "period=30d"):
        assert word in link(page, "next")
    assert f"{len(wanted)} results of {len(expected(site))}" in page
    rows = re.search(r'href="(/data/results\?[^"]*)">with filters', page)
    assert rows is not None
    for word in ("source=2200%2B420", "band=V", "instrument=CAFOS", "jd_mid.from="):
        assert word in rows[1]


def test_a_period_of_its_own_and_points_without_flags(client: FlaskClient, site: Site) -> None:
    since = jd_of_unix(time.time()) - 6.0
    text = utc_of_jd(since, "%Y-%m-%dT%H:%M")
    assert len(expected(site, Result.jd_mid < since)) > 5
    for words, wanted in (
            (f"to={text}", expected(site, Result.jd_mid <= since)),
            ("flagged=0", expected(site, Result.flags == 0, ~is_filled(Result.human_flags)))):
        found = list(chain(*all_pages(client, f"/sources/BL%20Lac?{words}")))
        assert len(set(found) ^ set(wanted)) <= 2, words  # the text has whole minutes
    none = client.get("/sources/BL%20Lac?to=1990-01-01").text
    assert "results is like this" in none


def test_a_limit_is_in_the_table_without_flagged_points_as_it_is_in_the_plot(own: Site) -> None:
    add(own, 2)
    newest = expected(own, Result.flags == 0)[0]
    execute(own, "UPDATE result SET mag = NULL, mag_limit = 19.0, flags = 512 WHERE id = ?", newest)
    client = create_app(own).test_client()
    assert newest in ids(client.get("/sources/BL%20Lac?flagged=0").text)
    execute(own, "UPDATE result SET human_flags = '[{\"name\": \"bad\"}]', changed_at = 9e9 "
                 "WHERE id = ?", newest)
    assert newest not in ids(create_app(own).test_client().get(
        "/sources/BL%20Lac?flagged=0").text)


@pytest.mark.parametrize("text", [
    "x", "1", "nan_3", "2460000.5_x", "2460000.5_99999999999999999999"])
def test_a_place_that_is_none_is_refused(client: FlaskClient, text: str) -> None:
    assert client.get(f"/sources/BL%20Lac?before={text}").status_code == 400


def test_flags_lead_back_to_the_page_on_which_they_were_set(own: Site) -> None:
    add(own)
    client = create_app(own).test_client()
    enter(client)
    page = client.get(link(client.get("/sources/BL%20Lac?bands=V").text, "next") or
                      "/sources/BL%20Lac?bands=V").text
    back = re.search(r'name="back" value="([^"]*)"', page[page.index('id="latest"'):])
    assert back is not None
    assert ids(client.get(back[1].replace("&amp;", "&")).text) == ids(page)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
def test_in_a_browser_the_table_follows_the_plot(site: Site, serving: Serving) -> None:
    with serving(site) as address, Browser() as browser:
        browser.look_like(1280, 900)
        browser.open(address + "sources/BL%20Lac")
        browser.wait("document.getElementById('curves')?.dataset.drawn", 20)
        bands = ("[...new Set([...document.querySelectorAll('#latest .band')].map("
                 "band => band.textContent))].join()")
        assert len(browser.js(bands).split(",")) > 1
        browser.js("document.querySelectorAll('input[name=bands]').forEach("
                   "box => { if (box.checked && box.value !== 'V') box.click() })")
        browser.wait(f"{bands} === 'V'")
        browser.js("document.querySelector('#latest a[rel=next]').click()")
        browser.wait("new URLSearchParams(location.search).get('before') && "
                     f"document.readyState === 'complete' && {bands} === 'V'")
        browser.leave()
        assert browser.complaints == []
