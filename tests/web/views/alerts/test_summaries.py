"""The pages of summaries: the same that was mailed, inside the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.alerts.summary import write
from iop4d.alerts.summary.facts import NightSummary
from iop4d.config import Site, Web
from iop4d.store.database import Database
from iop4d.store.schema import Outbox, Summary
from iop4d.web.app import create_app
from tests.alerts.nights import summary_site
from tests.alerts.summary_facts import HOSTILE, PICTURE, facts, nothing, source
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import Serving
from tests.web.observatory import png

NIGHT = facts().night


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with three summaries: a full one, one of an empty night, one that failed."""
    made = replace(summary_site(tmp_path), web=Web(port=0))
    database = Database(made.database)
    with database.write() as tx:
        for of in (facts(url=""), nothing(night="2024-03-12"),
                   nothing(night="2024-03-14", trouble="RuntimeError: no such number")):
            write.post(tx, made, of, now=of.made_at)
        tx.update(Outbox, last_error="450 busy").execute()
    (tmp_path / PICTURE).parent.mkdir(parents=True)
    (tmp_path / PICTURE).write_bytes(png(3, (936, 400)))
    yield made
    database.close()


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def rewrite(of: NightSummary, site: Site) -> None:
    with Database(site.database).write() as tx:
        write.post(tx, site, of, now=of.made_at, again="x")


def test_the_list_has_every_night_the_latest_first(client: FlaskClient) -> None:
    text = client.get("/summaries").text
    assert re.findall(r'href="/summaries/([\d-]+)"', text) == [
        "2024-03-14", "2024-03-13", "2024-03-12"]
    assert "queued" in text


def test_an_empty_site_says_when_there_will_be_one(tmp_path: Path) -> None:
    site = summary_site(tmp_path)
    Database(site.database).close()
    assert "No summary yet" in create_app(site).test_client().get("/summaries").text


def test_before_there_is_a_database_the_page_answers(tmp_path: Path) -> None:
    assert create_app(summary_site(tmp_path)).test_client().get("/summaries").status_code == 200


@pytest.mark.parametrize("words", [
    "12.871 ± 0.021", "12.800 to 12.950", "−0.32", "12.31 ± 0.25 %", "21.0 ± 0.6", "2.40 %",
    "provisional", "low snr 2", "the catalogue has none", "no stars", "mag &lt; 13.0", "no route",
    "450 busy", "95 % within", "4 ready, 1 refused", "numpy 2.4", "CAFOS",
    "1 duplicate or superseded file", "ana@example.org", 'href="/frames/7"',
    'href="/nights/2024-03-12"',
    'href="/nights/2024-03-14"', f'src="/{PICTURE}"'])
def test_the_page_says_what_the_mail_says(words: str, client: FlaskClient) -> None:
    answer = client.get(f"/summaries/{NIGHT}")
    assert answer.headers["Location"] == f"/nights/{NIGHT}#summary"
    assert words in client.get(f"/nights/{NIGHT}").text


def test_an_empty_night_and_one_that_failed_have_their_pages(client: FlaskClient) -> None:
    assert "Nothing was observed." in client.get("/nights/2024-03-12").text
    assert "no such number" in client.get("/nights/2024-03-14").text


def test_the_plot_is_served(client: FlaskClient) -> None:
    answer = client.get(f"/{PICTURE}")
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", [
    "/summaries/2001-01-01", "/summaries/x", f"/summaries/{NIGHT}/none.png",
    f"/summaries/{NIGHT}/../../iop4d.db", f"/summaries/{NIGHT}/%2e%2e%2fiop4d.db",
    "/summaries/../../x.png", f"/summaries/{NIGHT}/notes.txt"])
def test_what_is_not_there_or_not_a_plot_is_not_found(path: str, client: FlaskClient) -> None:
    assert client.get(path).status_code == 404


def test_a_link_in_a_plots_place_is_not_followed(site: Site, client: FlaskClient) -> None:
    (site.root / "secret.png").write_bytes(png())
    (site.root / PICTURE).with_name("link.png").symlink_to(site.root / "secret.png")
    assert client.get(f"/summaries/{NIGHT}/link.png").status_code == 404


def test_a_file_that_is_no_picture_is_not_handed_out(site: Site, client: FlaskClient) -> None:
    (site.root / PICTURE).write_text("<html>")
    assert client.get(f"/{PICTURE}").status_code == 404


def test_hostile_names_stay_text_and_nothing_is_inline(site: Site, client: FlaskClient) -> None:
    rewrite(facts(sources=(source(name=HOSTILE, also=HOSTILE),)), site)
    text = client.get(f"/nights/{NIGHT}").text
    assert "&lt;script&gt;" in text
    assert not re.search(r"<script(?! src=\"/)", text)
    assert not re.search(r"\son\w+=|\sstyle=", text)


def test_the_row_is_that_of_the_night(site: Site, client: FlaskClient) -> None:
    rewrite(facts(site="New Name", active=4), site)
    with Database(site.database, read_only=True).read() as db:
        assert db.select(Summary).count() == 3
    assert "4 alerts still active" in client.get(f"/nights/{NIGHT}").text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [375, 1200])
def test_a_browser_shows_all_of_it_without_scrolling_sideways(
        width: int, site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    browser.look_like(width, 800)
    with serving(site) as address:
        for path in ("summaries", f"summaries/{NIGHT}"):
            browser.open(address + path)
            browser.wait("document.querySelector('main h1')?.textContent.match(/Summaries|Night/)"
                         " && document.readyState === 'complete'")
            assert browser.js("document.documentElement.scrollWidth") <= width
            assert browser.js("[...document.querySelectorAll('main .scroll')].every("
                              "box => box.scrollWidth <= box.clientWidth)"), path
        browser.leave()  # or it asks for news when the server is gone
    assert browser.complaints == []
