"""Every page in a browser, on a phone, a small and a large screen, light and dark.

No complaint of the browser, nothing wider than the screen, nothing that axe-core finds wrong. With
IOP4D_EVERY_SCREEN set (``make every-screen``) all six are tried; else a light phone alone, on
which a page is cut first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import users
from iop4d.store.database import Database
from iop4d.web.app import create_app
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, add_account, enter, served
from tests.web.routes import path_of, routes
from tests.web.views.data import real_frame

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),  # some seventy pages, also on a machine that does much else
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

_AXE = Path(__file__).parents[1] / "support" / "vendor" / "axe-core" / "axe.min.js"
_SCREENS = [(width, dark) for width in (375, 1024, 1600) for dark in (False, True)]
_SHOWN = _SCREENS if os.environ.get("IOP4D_EVERY_SCREEN") else [(375, False)]
#: Pages by themselves, shown inside others.
_PARTS = ("/fragments/", "/mailbox/0001.eml/html")
#: What axe finds that no reader meets: Bokeh's own toolbar stands in shadow roots of its own.
_AXE_OPTIONS = {"resultTypes": ["violations"], "exclude": [["#curves"], [".bk-Figure"]]}


def _site(root: Path) -> Site:
    made = observatory.site(root, mailbox=root / "mails")
    observatory.fill(made)
    real_frame.give(made)
    assert made.web.mailbox is not None
    observatory.write_mail(made.web.mailbox)
    add_account(made)
    with Database(made.database).write() as tx:
        users.set_role(tx, "Ana", Role.ADMIN)
    return made


def _pages(app: Flask) -> list[str]:
    """The address of every page that answers with HTML."""
    client = app.test_client()
    enter(client)
    found = []
    for rule in routes(app, "GET"):
        path = path_of(rule)
        if path.startswith(("/events", *_PARTS)) or rule.endpoint == "static":
            continue
        with client.get(path) as answer:
            if answer.status_code == 200 and answer.mimetype == "text/html":
                found.append(path)
    return sorted(set(found))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, str, list[str]]]:
    """A browser in which an admin is signed in, the site's address, and its pages."""
    site = _site(tmp_path_factory.mktemp("pages") / "site")
    pages = _pages(create_app(site))
    with served(site) as address, Browser() as browser:
        browser.open(address + "sign-in")
        browser.wait("document.querySelector('main form button')")
        browser.js("document.querySelector('input[name=name]').value = 'Ana'; document."
                   f"querySelector('input[name=password]').value = '{PASSWORD}'; document."
                   "querySelector('main form button').click()")
        browser.wait("document.querySelector('.who button')")
        yield browser, address.rstrip("/"), pages
        browser.leave()


@pytest.mark.parametrize(("width", "dark"), _SHOWN)
def test_no_page_complains_or_is_cut_or_shuts_anybody_out(
        width: int, dark: bool, opened: tuple[Browser, str, list[str]]) -> None:
    browser, address, pages = opened
    assert len(pages) > 15
    axe = _AXE.read_text(encoding="utf-8")
    browser.look_like(width, 812 if width < 600 else 1000, dark=dark)
    wrong: list[str] = []
    for path in pages:
        browser.complaints.clear()
        browser.open(address + path)
        browser.wait("document.readyState === 'complete' && document.querySelector('footer') "
                     f"&& location.href.startsWith('{address}')")
        if (wide := browser.js("document.documentElement.scrollWidth")) > width:
            wrong.append(f"{path}: {wide} px wide")
        browser.js(axe + "; 0")
        found = json.loads(browser.js(
            f"axe.run({json.dumps({'exclude': _AXE_OPTIONS['exclude']})}, "
            "{resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map("
            "v => [v.id, v.nodes.map(n => n.html.slice(0, 160))])))"))
        wrong += [f"{path}: {name}: {nodes}" for name, nodes in found]
        # The preview of this frame is refused on purpose.
        wrong += [f"{path}: {text}" for text in browser.complaints if "/frames/25/" not in text]
    assert not wrong, "\n".join(wrong)


def test_tables_and_a_light_curve_are_there_without_scripts(
        opened: tuple[Browser, str, list[str]]) -> None:
    browser, address, pages = opened
    browser("Emulation.setScriptExecutionDisabled", value=True)
    browser.look_like(1024, 900)
    try:
        for path in pages:
            browser.open(address + path)
            browser.wait("document.readyState === 'complete' && document.querySelector('footer') "
                         f"&& location.href.startsWith('{address}')")
            # Nothing waits for a script to be shown: no section of a page is empty.
            empty = browser.js(
                "[...document.querySelectorAll('main section')].filter(e => !e.hidden && "
                "!e.innerText.trim() && !e.querySelector('img, svg, iframe')).map(e => e.id)")
            assert empty == [], path
        browser.open(address + "/sources/BL%20Lac")
        browser.wait("document.readyState === 'complete' && document.querySelector('#curves')")
        drawn = "[...document.querySelectorAll('#curves img, #curves svg, noscript img')]"
        assert browser.js(f"{drawn}.some(e => e.getBoundingClientRect().height > 100 && "
                          "(e.localName === 'svg' || e.naturalWidth > 0))")
        assert browser.js("document.querySelectorAll('main table tbody tr').length") > 3
    finally:
        browser("Emulation.setScriptExecutionDisabled", value=False)
