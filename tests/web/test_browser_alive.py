"""What an open page says when the daemon or the site is gone, what it weighs and asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.status import beat
from iop4d.system.lock import SiteLock
from iop4d.web.server import serve
from tests.alerts.bench import free_port
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import Serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

FIRST_LOAD = 300_000  # bytes, compressed, without plots
PER_MINUTE = 1  # requests of an idle page, besides its stream
LIVE = "document.querySelector('#indicator')?.textContent === 'live'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = observatory.site(tmp_path / "site")
    observatory.fill(made)
    return made


def says(site: Site, now: float, **more: object) -> None:
    """The daemon's heartbeat; it began long ago."""
    with Database(site.database).write() as tx:
        beat(tx, observatory.heartbeat(site, now) | {"started_at": 1.7e9} | more)


@contextmanager
def at_port(site: Site) -> Iterator[None]:
    """The site at its port of the site file."""
    stop, known = threading.Event(), threading.Event()
    thread = threading.Thread(target=serve, args=(site,),
                              kwargs={"stop": stop, "announce": lambda _: known.set()})
    thread.start()
    try:
        assert known.wait(10)
        yield
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(("page", "part"), [("", "health"), ("sources", "banner")])
def test_an_open_page_says_that_the_daemon_is_gone_until_it_is_back(
        site: Site, serving: Serving, browser: Browser, page: str, part: str) -> None:
    said = f"document.getElementById('{part}').textContent.toLowerCase()"
    lock = SiteLock(site.lock)
    says(site, time.time() + 600)
    with serving(site) as address:
        browser.open(address + page)
        browser.wait(LIVE)
        assert "daemon" not in browser.js(said)
        lock.close()  # it was killed
        browser.wait(f"{said}.includes('the daemon does not respond')", seconds=30)
        lock = SiteLock(site.lock)
        browser.wait(f"!{said}.includes('daemon')", seconds=30)
        says(site, time.time() - 9000.0)  # it hangs
        browser.wait(f"{said}.includes('the daemon does not respond')", seconds=30)
        assert "2 h ago" in browser.js(said)
        says(site, time.time(), state="stopped")
        lock.close()
        browser.wait(f"{said}.includes('the daemon is not running')", seconds=30)
        browser.leave()


def test_an_open_page_says_that_the_site_is_gone_and_is_live_again_by_itself(
        site: Site, browser: Browser) -> None:
    site = replace(site, web=replace(site.web, port=free_port()))
    with at_port(site):
        browser.open(f"http://127.0.0.1:{site.web.port}/")
        browser.wait(LIVE)
    browser.wait("document.getElementById('indicator').textContent === 'offline'", seconds=30)
    said = browser.js("document.getElementById('stale').textContent")
    assert "This page shows the state of 20" in said
    assert "the site does not answer" in said
    with at_port(site):
        browser.js("document.dispatchEvent(new Event('visibilitychange'))")  # it is looked at
        browser.wait(f"{LIVE} && document.getElementById('stale').hidden", seconds=30)
        browser.leave()


def test_the_first_load_of_tonight_is_light(site: Site, serving: Serving,
                                            browser: Browser) -> None:
    says(site, time.time())
    sizes: list[tuple[str, int]] = []
    with serving(site) as address:
        browser("Network.clearBrowserCache")
        browser.open(address)
        browser.wait(LIVE)
        browser.wait("performance.getEntriesByType('resource').length > 3")
        sizes = [(name, int(size)) for name, size in browser.js(
            "[...performance.getEntriesByType('navigation'), "
            "...performance.getEntriesByType('resource')].map(e => [e.name, e.transferSize])")]
        browser.leave()
    plots = [size for name, size in sizes if "/preview" in name or "thumbnail" in name]
    assert sum(size for _, size in sizes) - sum(plots) <= FIRST_LOAD, sizes
    assert sum(size for _, size in sizes) > 20_000, "something was loaded"


def test_an_idle_page_asks_for_next_to_nothing(site: Site, serving: Serving, browser: Browser,
                                               hold_lock: Callable[[Site], SiteLock]) -> None:
    hold_lock(site)
    says(site, time.time() + 600)
    with serving(site) as address:
        for page in ("", "sources/BL%20Lac"):
            browser.open(address + page)
            browser.wait(LIVE)
            browser.wait("document.readyState === 'complete'")
            time.sleep(4.0)  # what a page still loads
            browser.js("1")
            browser.requests.clear()
            end = time.monotonic() + 21.0
            while time.monotonic() < end:
                says(site, time.time() + 600)  # the daemon beats, and nothing happens
                time.sleep(1.0)
            browser.js("1")
            asked = [one for one in browser.requests if "/events" not in one]
            assert len(asked) <= PER_MINUTE * 21.0 / 60.0, asked
        browser.leave()
