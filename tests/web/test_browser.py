"""What a browser makes of the pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.schema import Job, Result
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, Serving, add_account, emit, execute

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("browsed") / "site"
    made = observatory.site(root, mailbox=root / "mails")
    observatory.fill(made)
    assert made.web.mailbox is not None
    observatory.write_mail(made.web.mailbox)
    return made


def _complaints(browser: Browser) -> list[str]:
    """What the browser complained of, but for the preview that is refused on purpose."""
    return [text for text in browser.complaints if "/frames/25/" not in text]


def test_a_new_frame_appears_and_what_was_open_stays_open(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    with serving(site) as address:
        browser.open(address)
        browser.wait("document.querySelector('#indicator')?.textContent === 'live'")
        browser.js("document.querySelector('#telescopes h3 ~ * a').focus(); window.kept = "
                   "document.activeElement; scrollTo(0, 300)")
        execute(site, "UPDATE frame SET object = 'fresh news' WHERE id = 20")
        emit(site, "frame")
        browser.wait("document.querySelector('#telescopes').textContent.includes('fresh news')")
        assert browser.js("document.activeElement === window.kept && scrollY === 300")
        browser.open(address + "system")
        browser.wait("document.querySelector('#indicator')?.textContent === 'live'")
        browser.js("document.getElementById('d-queue').open = false")
        with Database(site.database).write() as tx:
            tx.create(Job, kind="news", key=1, state="queued", changed_at=0.0)
        emit(site, "frame")
        browser.wait("document.querySelector('#d-queue').textContent.includes('news')")
        assert browser.js("document.getElementById('d-queue').open") is False
        browser.leave()
    assert _complaints(browser) == []


@pytest.mark.parametrize("path", ["", "sources", "sources/BL%20Lac", "nights", "frames/1",
                                  "frames/25", "failed", "alerts", "mailbox", "system"])
def test_no_page_scrolls_sideways_on_a_phone(
        path: str, site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    browser.look_like(375, 800)
    with serving(site) as address:
        browser.open(address + path)
        browser.wait("document.readyState === 'complete' && document.querySelector('footer')")
        assert browser.js("document.documentElement.scrollWidth") <= 375
        browser.leave()
    assert _complaints(browser) == []


@pytest.mark.parametrize("width", [375, 1200])
def test_who_is_signed_in_sees_every_field_and_what_became_of_an_act(
        width: int, site: Site, serving: Serving, browser: Browser) -> None:
    add_account(site)
    browser.complaints.clear()
    browser.look_like(width, 800)
    with serving(site) as address:
        browser.open(address + "sign-in?back=/alerts")
        browser.wait("document.querySelector('main form button')")
        browser.js("document.querySelector('input[name=name]').value = 'Ana'; document."
                   f"querySelector('input[name=password]').value = '{PASSWORD}'; document."
                   "querySelector('main form button').click()")
        browser.wait("document.readyState === 'complete' && "
                     "document.querySelector('[formaction$=acknowledge]')")
        browser.js("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert browser.js("document.documentElement.scrollWidth") <= width
        assert browser.js("[...document.querySelectorAll('.fields label')].filter(one => "
                          f"one.getBoundingClientRect().right > {width}).length") == 0
        browser.js("document.querySelector('[formaction$=acknowledge]').click()")
        browser.wait("document.readyState === 'complete' && document.querySelector('.said')")
        seen = browser.js("(({top, bottom}) => top > 0 && bottom < innerHeight)"
                          "(document.querySelector('.said').getBoundingClientRect())")
        assert seen
        browser.leave()
    assert _complaints(browser) == []


def test_a_page_without_a_stream_polls(site: Site, serving: Serving, browser: Browser) -> None:
    browser.look_like(1280, 800)
    with serving(observatory.site(site.root, max_streams=0)) as address:
        browser.open(address)
        browser.wait("document.querySelector('#indicator')?.textContent === 'polling'")
        browser.leave()


def test_on_a_phone_magnitudes_come_first_and_no_table_is_cut(
        site: Site, serving: Serving, browser: Browser) -> None:
    cut = ("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1"
           ").map(e => e.textContent.slice(0, 80))")
    with serving(site) as address:
        browser.look_like(375, 812)
        try:
            for path in ("", "sources", "nights", "alerts", "failed", "sources/3C%20454.3"):
                browser.open(address + path)
                browser.wait("document.readyState === 'complete' && document.querySelector('main')")
                assert browser.js("document.documentElement.scrollWidth") == 375
                # Five bands of calibrators are as wide as they are: a shadow shows that.
                assert [text for text in browser.js(cut) if not text.startswith("Star")] == []
                if not path:
                    tops = browser.js("['tonight-sources', 'trouble'].map(id => document."
                                      "getElementById(id).getBoundingClientRect().top + scrollY)")
                    assert tops[0] < 812 < tops[1]
            browser.leave()
        finally:
            browser.look_like(1200, 900)


@pytest.mark.parametrize("path", ["data/results", "frames/1", "masters/1", "results/1", "alerts"])
def test_on_a_phone_the_pages_of_an_entry_are_one_row(
        path: str, site: Site, serving: Serving, browser: Browser) -> None:
    browser.look_like(375, 812)
    with serving(site) as address:
        browser.open(address + path)
        browser.wait("document.querySelector('nav.pages') && document.readyState === 'complete'")
        assert browser.js("document.querySelector('nav.pages').offsetHeight") < 70
        browser.leave()


def test_a_page_that_cannot_be_updated_says_so_until_it_can(
        tmp_path: Path, serving: Serving, browser: Browser) -> None:
    own = observatory.site(tmp_path / "site")
    observatory.fill(own)
    here = Path(str(own.database))
    away = here.with_name("away")
    with serving(own) as address:
        browser.open(address)
        browser.wait("document.getElementById('indicator')?.textContent === 'live'")
        assert browser.js("document.getElementById('stale').hidden")
        here.rename(away)
        browser.wait("!document.getElementById('stale').hidden", seconds=60)
        said = browser.js("document.getElementById('stale').textContent")
        assert "This page shows the state of 20" in said
        # A connection that read a moment ago may still be there; it finds its files gone.
        assert "nothing has run on this site yet" in said or "database cannot be read" in said
        assert browser.js("document.getElementById('indicator').textContent") == "stale"
        away.rename(here)
        browser.wait("document.getElementById('stale').hidden", seconds=60)


@pytest.mark.parametrize("path", ["data/results", "sources/BL%20Lac", "frames/1"])
def test_on_paper_a_table_is_whole_and_nothing_is_there_to_be_clicked(
        path: str, site: Site, serving: Serving, browser: Browser) -> None:
    browser.leave()  # the page of the test before, whose server is gone
    browser.complaints.clear()
    browser.look_like(1047, 740, dark=True)  # A4 across, within its margins
    with serving(site) as address:
        browser.open(address + path)
        browser.wait("document.querySelector('#print') && !document.querySelector('#print').hidden")
        browser("Emulation.setEmulatedMedia", media="print",
                features=[{"name": "prefers-color-scheme", "value": "dark"}])
        seen = browser.js("""[...document.querySelectorAll('.top, form, button, nav, .actions')]
            .filter((one) => one.offsetParent).map((one) => one.outerHTML.slice(0, 60))""")
        assert seen == []
        assert browser.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        browser.wait("[...document.querySelectorAll('.scroll table')].some("
                     "(one) => one.offsetParent !== null)")
        assert browser.js("""[...document.querySelectorAll('.scroll')].filter(
            (one) => one.scrollWidth > one.clientWidth + 1).length""") == 0
        assert len(browser("Page.printToPDF")["data"]) > 10_000
        browser("Emulation.setEmulatedMedia", media="", features=[])
        browser.leave()
    assert _complaints(browser) == []


def test_a_page_is_fetched_again_for_what_it_shows_and_where_a_part_failed_that_part_alone(
        site: Site, serving: Serving, browser: Browser) -> None:
    def asked(seconds: float) -> list[str]:
        browser.requests.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            browser.js("1")
            time.sleep(0.05)
        return [url for url in browser.requests if "/sources/" in url or "/api/curves" in url
                or "/fragments/" in url]

    with Database(site.database, read_only=True).read() as db:
        source = next(iter(db.select(Result))).source
    with serving(site) as address:
        browser.open(f"{address}sources/{source}")
        browser.wait("document.querySelector('#indicator')?.textContent === 'live'")
        browser.wait("document.querySelector('#curves')?.dataset.drawn || window.iop4dCurves")
        asked(1.5)
        emit(site, "result", '{"id":1,"source":"another","band":"R","nights":["2026-11-27"]}')
        emit(site, "frame", '{"id":1,"night":"2026-11-27"}')
        assert asked(3.0) == []
        emit(site, "result", f'{{"id":1,"source":"{source}","band":"R","nights":["2026-11-27"]}}')
        assert {url.partition("?")[0].rpartition("/")[2] for url in asked(3.0)} == {
            quote(source, safe=""), "curves"}
        browser.open(address)
        browser.wait("document.querySelector('#indicator')?.textContent === 'live'")
        asked(0.5)
        for part in ("telescopes", "trouble"):
            browser.js(_FAILS.replace("PART", part))
        # Another part comes.
        browser.js("setTimeout(() => htmx.trigger(document.body, 'iop4d-catalogue'), 300)")
        assert "/fragments/tonight-sources" in "".join(asked(2.0))
        assert browser.js("document.getElementById('stale').hidden") is False
        browser.requests.clear()
        browser.wait("document.getElementById('stale').hidden", seconds=15)
        fetched = {url.rpartition("/")[2] for url in browser.requests if "/fragments/" in url}
        assert fetched == {"telescopes", "trouble"}
        browser.leave()


_FAILS = """document.dispatchEvent(new CustomEvent("htmx:response:error", {detail: {ctx: {
    sourceElement: document.getElementById("PART"), text: "{}",
    response: {raw: {status: 500, headers: new Headers()}}}}}))"""
