"""An editor's day in a browser: a calibrator's magnitude is corrected, and magnitudes move; new
calibrators are chosen from a file of Pan-STARRS stars, on the chart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.store import catalogue, events
from iop4d.store.database import Database
from iop4d.store.schema import Result, ResultHistory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, Serving, add_account
from tests.web.views.sources import field

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = field.fill(tmp_path)
    add_account(made)
    return made


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def _calibrate_again(site: Site, step: float) -> None:
    """What the daemon does when the catalogue changed, for the results in R of BL Lac."""
    now = time.time()
    with Database(site.database).write() as tx:
        catalogue.follow(tx, catalogue.version(tx))
        for row in tx.select(Result).where((Result.source == field.NAME) & (Result.band == "R")):
            tx.create(ResultHistory, result=row.id, revision=row.revision + 1, replaced_at=now,
                      was={"mag": row.mag, "p": None})
            tx.set_by_key(Result, row.id, mag=row.mag + step, revision=row.revision + 2,
                          changed_at=now)
        events.emit(tx, "result", now, id=1, source=field.NAME, band="R")


def _submit(browser: Browser, selector: str) -> None:
    """Press a button that leads to another page, and be there."""
    browser.js("window.here = 1")
    browser.js(f"document.querySelector({json.dumps(selector)}).click()")
    browser.wait("!window.here && document.readyState === 'complete'")


def _sign_in(browser: Browser, address: str) -> None:
    browser.open(f"{address}sign-in?back=/sources")
    browser.wait("document.querySelector('[name=password]')")
    browser.js(f"document.querySelector('main [name=name]').value = 'Ana';"
               f"document.querySelector('[name=password]').value = {json.dumps(PASSWORD)}")
    _submit(browser, "main form button")


def test_an_editor_corrects_a_calibrator_and_chooses_new_ones(
        site: Site, serving: Serving, browser: Browser, tmp_path: Path) -> None:
    with Database(site.database, read_only=True).read() as db:
        star = catalogue.load(db).calibrators_of(field.NAME)[0]
    with serving(site) as address:
        _sign_in(browser, address)
        # The list: a tap on a source, then on its calibrators.
        browser.wait(f"document.querySelector('tr[data-key=\"{field.NAME}\"] svg.track')")
        browser.open(f"{address}sources/{field.NAME.replace('+', '%2B')}/calibrators")
        browser.wait("document.querySelector('#check td')")  # it is loaded by itself
        browser.wait("document.querySelectorAll('#chart a.calibrator').length > 2")
        # The magnitude is corrected by 0.05.
        _submit(browser, f"a[aria-label='Edit {star.name}']")
        assert browser.js("document.querySelector('#field-mag_R').value") == (
            f"{star.magnitudes['R'][0]:.10g}")
        browser.js("document.querySelector('#field-mag_R').value = '99'")
        _submit(browser, ".entry button.primary")
        browser.wait("document.querySelector('#field-mag_R[aria-invalid]')")
        browser.js(f"document.querySelector('#field-mag_R').value = "
                   f"'{star.magnitudes['R'][0] + 0.05}'")
        _submit(browser, ".entry button.primary")
        browser.wait("document.querySelector('#progress .banner')")  # no result has moved yet
        browser.wait("document.querySelector('#indicator').textContent === 'live'")
        _calibrate_again(site, 0.01)
        browser.wait("document.querySelector('#progress table')?.textContent.includes('(+0.010)')")
        # New calibrators: from a file, one less than proposed, chosen on the chart.
        table = tmp_path / "ps1.csv"
        table.write_text(field.pan_starrs(), encoding="utf-8")
        browser.open(f"{address}sources/{field.NAME.replace('+', '%2B')}/calibrators")
        browser.wait("document.querySelector('#table')")
        node = browser("Runtime.evaluate", expression="document.querySelector('#table')")
        browser("DOM.setFileInputFiles", files=[str(table)],
                objectId=node["result"]["objectId"])
        _submit(browser, ".chart-form button.primary")
        browser.wait("document.querySelectorAll('#chart a.candidate.chosen').length === 2")
        browser.js("document.querySelector('#chart a.candidate.chosen').dispatchEvent("
                   "new MouseEvent('click', {bubbles: true, cancelable: true}))")
        assert browser.js("document.querySelectorAll('input[name=star]:checked').length") == 1
        chosen = browser.js("document.querySelector('input[name=star]:checked').value")
        _submit(browser, "#candidates button.primary")
        browser.wait(f"document.querySelector('tr[data-star=\"{chosen}\"]')")
        # And back.
        _submit(browser, "#changes form[action$=undo] button")
        browser.leave()
        assert browser.complaints == [
            text for text in browser.complaints if "400 (BAD REQUEST)" in text]
    with Database(site.database, read_only=True).read() as db:
        loaded = catalogue.load(db)
    assert loaded.named(chosen) is None
    corrected = loaded.named(star.name)
    assert corrected is not None
    assert corrected.magnitudes["R"][0] == pytest.approx(star.magnitudes["R"][0] + 0.05)
