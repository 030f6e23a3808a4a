"""An evening with alerts in a browser: a rule is tested and changed, an alert acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.alerts import rule_edits
from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.store import requests
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Audit
from iop4d.system.lock import SiteLock
from tests.support.rows import first, rows
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, Serving, add_account, execute, firing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

SITE = """# Ours.
[web]
port = 0
[[archive]]
name = "t220"
path = "raw"
telescope = "T220"
[[rule]]
name = "bright"
condition = "mag < 13.0"     # of winter
clear = "mag > 13.2"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "raw").mkdir()
    (tmp_path / "iop4d.toml").write_text(SITE, encoding="utf-8")
    made = load_site(tmp_path)
    observatory.fill(made, hostile=False)
    add_account(made)
    return made


@pytest.fixture
def daemon(site: Site) -> Iterator[None]:
    """What carries out requests about rules, as the daemon does."""
    stop, lock = threading.Event(), SiteLock(site.lock)
    handler = rule_edits.RuleRequests(site.root, time.time, lambda: None)

    def run() -> None:
        database = Database(site.database)
        while not stop.wait(0.05):
            with database.write() as tx:
                for request in requests.queued(tx):
                    requests.answer(tx, request.id, handler.act(tx, request.content))
        database.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()
    lock.close()


def click(browser: Browser, selector: str) -> None:
    browser.js(f"window.left = true; document.querySelector({selector!r}).click()")


def arrive(browser: Browser, expression: str) -> None:
    """Wait for another page, and for something of it."""
    browser.wait(f"!window.left && document.readyState === 'complete' && ({expression})")


def fill(browser: Browser, name: str, value: str) -> None:
    browser.js(f"(() => {{ const f = document.querySelector('main [name={name}]'); "
               f"f.value = {value!r}; f.dispatchEvent(new Event('change', {{bubbles: true}})); "
               "})()")


def test_a_rule_is_back_tested_and_changed_and_an_alert_acknowledged(
        site: Site, daemon: None, serving: Serving) -> None:
    number = firing(site)
    with serving(site) as address, Browser() as browser:
        browser.look_like(375, 812)
        browser.open(f"{address}sign-in?back=/alerts/{number}")
        browser.wait("document.querySelector('main form button')")
        browser.js(f"document.querySelector('[name=name]').value = 'Ana'; "
                   f"document.querySelector('[name=password]').value = '{PASSWORD}'")
        click(browser, "main form button")

        # The alert, as the link of a mail leads to it.
        arrive(browser, "document.querySelector('svg.curve circle.fired')")
        fill(browser, "note", "ToO sent")
        click(browser, "button.main")
        arrive(browser, "document.body.innerText.includes('acknowledged by Ana')")
        assert browser.js("document.querySelector('#alert').innerText.includes('ToO sent')")
        alert = first(Database(site.database), Alert, Alert.id == number)
        assert (alert.state, alert.acknowledged_by) == ("acknowledged", "Ana")

        # Its rule: back-tested as it is, then with another threshold, and changed.
        browser.look_like(1024, 900)
        browser.open(f"{address}rules")
        browser.wait("document.querySelector('#rules tbody a')")
        browser.open(f"{address}rule-form?rule=bright")
        browser.wait("document.querySelector('#f-condition') && window.htmx")
        fill(browser, "condition", "magnitude < 12")
        browser.wait("document.querySelector('#rule-check').innerText.includes('unknown quantity')")
        fill(browser, "condition", "mag < 14")
        browser.wait("document.querySelector('#rule-check').innerText.includes("
                     "'can be met together')")
        fill(browser, "clear", "mag > 14.2")
        browser.wait("document.querySelector('#rule-check').innerText.includes("
                     "'It fires when mag < 14.0')")
        assert browser.js("document.querySelector('#f-condition').value") == "mag < 14"
        fill(browser, "since", "365d")
        click(browser, "button[name=try]")
        arrive(browser, "document.querySelector('#tested svg.curve circle.fired')")
        assert browser.js("document.querySelector('#tested').innerText.includes("
                          "'The rule would have fired')")
        assert (site.root / "iop4d.toml").read_text(encoding="utf-8") == SITE
        click(browser, ".bar-acts button.main")
        arrive(browser, "location.pathname === '/rules' && "
                        "document.body.innerText.includes('The rule is changed in the site file')")
        text = (site.root / "iop4d.toml").read_text(encoding="utf-8")
        assert text == SITE.replace('"mag < 13.0"     #', '"mag < 14"  #').replace("13.2", "14.2")
        assert [row.act for row in rows(Database(site.database), Audit)] == [
            "acknowledge", "change-rule"]

        # A list that is open learns of what happens elsewhere.
        browser.open(f"{address}alerts")
        browser.wait("document.querySelector('#indicator')?.textContent === 'live'")
        execute(site, "UPDATE alert SET note = 'clouds came' WHERE id = ?", number)
        execute(site, "INSERT INTO event (at, kind, content) VALUES (1.0, 'alert', '{}')")
        browser.wait("document.querySelector('#list').innerText.includes('clouds came')")
        browser.leave()
        assert browser.complaints == []
