"""Pages as documents: what Chromium's own print makes of them, sheet by sheet."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest

from iop4d.config import Site
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import Serving
from tests.web.views.sources.many_results import add

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

A4_ACROSS = (842, 595)  # points


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = observatory.site(tmp_path_factory.mktemp("print") / "site")
    observatory.fill(made, hostile=False)
    add(made)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def sheets(browser: Browser) -> list[tuple[int, int]]:
    """The sizes of the sheets of the document that the browser prints, in points."""
    text = base64.b64decode(browser("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert text.startswith(b"%PDF-")
    return [(round(float(wide)), round(float(high))) for wide, high in re.findall(
        rb"/Type /Page\n.*?/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", text, re.DOTALL)]


def on_paper(browser: Browser, wide: int) -> None:
    """Lay the page out as on a sheet so many pixels wide."""
    browser.look_like(wide, 740, dark=True)
    browser("Emulation.setEmulatedMedia", media="print",
            features=[{"name": "prefers-color-scheme", "value": "dark"}])


def test_a_table_of_data_is_a_document_of_sheets_that_lie_across(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    browser.look_like(1280, 900, dark=True)
    with serving(site) as address:
        browser.open(address + "data/results?limit=120")
        browser.wait("document.querySelectorAll('#list tbody tr').length === 120 && "
                     "document.querySelector('.tabulator-row')")
        found = sheets(browser)
        # The heading is on the first sheet of the table, not on one of its own.
        assert set(found) == {A4_ACROSS}
        assert 3 <= len(found) <= 4  # 120 rows, 30 to 40 on a sheet
        on_paper(browser, 1047)
        # Every row as it is chosen, whole, with its head repeated, and nothing of Tabulator's.
        assert browser.js("[...document.querySelectorAll('#list tbody tr')].filter("
                          "row => row.offsetHeight > 4).length") == 120
        assert browser.js("getComputedStyle(document.querySelector('#list thead')).display") == (
            "table-header-group")
        assert browser.js("document.querySelector('.tabulator')?.offsetParent ?? null") is None
        assert browser.js("document.documentElement.scrollWidth") <= 1047
        browser("Emulation.setEmulatedMedia", media="", features=[])
        browser.leave()
    assert browser.complaints == []


def test_the_light_curve_of_a_dark_page_is_printed_as_a_picture_as_wide_as_the_sheet(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    browser.look_like(1280, 900, dark=True)
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait("document.getElementById('curves')?.dataset.drawn", 20)
        browser.js("dispatchEvent(new Event('beforeprint'))")
        on_paper(browser, 700)
        width = "document.querySelector('.on-paper').getBoundingClientRect().width"
        assert 600 < browser.js(width) <= 700
        assert browser.js("document.querySelectorAll('.on-paper path.points').length") > 0
        assert browser.js("document.getElementById('curves').offsetParent") is None
        assert browser.js("document.documentElement.scrollWidth") <= 700
        browser("Emulation.setEmulatedMedia", media="", features=[])
        assert browser.js("getComputedStyle(document.querySelector('.on-paper')).display") == "none"
        browser.js("dispatchEvent(new Event('afterprint'))")
        assert browser.js("document.querySelector('.on-paper')") is None
        assert len(sheets(browser)) >= 1
        browser.leave()
    assert browser.complaints == []
