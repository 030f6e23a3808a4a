"""The table of the Data page in a browser: a person filters, sorts, pages, chooses columns, and
takes what is shown as a file, which astropy reads."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from astropy.table import Table

from iop4d.config import Site
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

_AXE = Path(__file__).parents[3] / "support" / "vendor" / "axe-core" / "axe.min.js"
_ROWS = "document.querySelectorAll('.tabulator-row').length"


@pytest.fixture(scope="module")
def opened(filled: Site) -> Iterator[tuple[Browser, str]]:
    with served(filled) as address, Browser() as browser:
        browser.look_like(1600, 1000)
        yield browser, address
        browser.leave()


def type_into(browser: Browser, column: str, text: str) -> None:
    """Write into the filter in the head of a column, as a keyboard does."""
    browser.js(f"document.querySelector('.tabulator-col[tabulator-field=\"{column}\"] input')"
               ".focus()")
    browser("Input.insertText", text=text)
    browser.js("document.activeElement.dispatchEvent(new KeyboardEvent('keyup', {key: 'Enter', "
               "keyCode: 13, bubbles: true}))")


def fields(browser: Browser) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(browser.js("location.href")).query)


def count(browser: Browser) -> int:
    return int(browser.js("document.querySelector('h1 .count')?.textContent ?? '0'"))


def test_a_person_filters_sorts_pages_chooses_columns_and_takes_a_file(
        opened: tuple[Browser, str]) -> None:
    browser, address = opened
    browser.open(address + "data/results")
    browser.wait(f"{_ROWS} > 5")
    everything = count(browser)
    assert browser.js(_ROWS) == min(everything, 50)

    type_into(browser, "source", "BL Lac")
    browser.wait("location.search.includes('source=BL')")
    browser.wait(f"{_ROWS} === 8")
    assert count(browser) == 8 < everything

    browser.js("document.querySelector('.tabulator-col[tabulator-field=\"mag\"] "
               ".tabulator-col-title').click()")
    browser.wait("location.search.includes('sort=-mag')")
    browser.wait("document.querySelector('.tabulator-col[tabulator-field=\"mag\"]')"
                 ".dataset.sorted === '▼'")
    mags = [float(text) for text in browser.js(
        "[...document.querySelectorAll('.tabulator-cell[tabulator-field=\"mag\"]')].map("
        "c => c.textContent)")]
    assert mags == sorted(mags, reverse=True)

    type_into(browser, "mag", f"{mags[-1] + 0.01:.3f}..99")
    browser.wait("location.search.includes('mag.to=99')")
    browser.wait(f"{_ROWS} < 8")
    shown = browser.js(_ROWS)
    browser.js("document.querySelector('input[name=columns][value=airmass]').click()")
    browser.wait("location.search.includes('columns=airmass')")
    browser.wait("document.querySelector('.tabulator-cell[tabulator-field=airmass]')")
    assert ("source", "BL Lac") in fields(browser)
    assert ("sort", "-mag") in fields(browser)

    to = browser.js("[...document.querySelectorAll('#files a')].find("
                    "a => a.textContent === 'VOTable').href")
    table = Table.read(io.BytesIO(urllib.request.urlopen(to).read()), format="votable")
    assert len(table) == shown
    assert "airmass" in table.colnames
    assert list(table["mag"]) == sorted(table["mag"], reverse=True)

    # The address alone brings the same table back, and the way back leads to the whole one.
    here = browser.js("location.href")
    browser.open(here)
    browser.wait(f"{_ROWS} === {shown}")
    assert browser.js("document.querySelector('.tabulator-col[tabulator-field=\"source\"] "
                      "input').value") == "BL Lac"
    browser.js("document.querySelector('#asking .chips > a:last-child').click()")
    browser.wait(f"{_ROWS} > 8")
    assert count(browser) == everything
    browser.js("history.back()")
    browser.wait(f"{_ROWS} === {shown}")
    assert browser.complaints == []


def test_pages_follow_each_other_and_a_wrong_filter_is_told(opened: tuple[Browser, str]) -> None:
    browser, address = opened
    browser.open(address + "data/results?limit=5")
    browser.wait(f"{_ROWS} === 5")
    first = browser.js("document.querySelector('.tabulator-row').textContent")
    browser.js("document.querySelector('.pager a[rel=next]').click()")
    browser.wait("location.search.includes('cursor=')")
    browser.wait(f"document.querySelector('.tabulator-row').textContent !== {json.dumps(first)}")
    browser.js("document.querySelector('.pager a[rel=prev]').click()")
    browser.wait(f"document.querySelector('.tabulator-row').textContent === {json.dumps(first)}")
    browser.complaints.clear()
    type_into(browser, "mag", ">bright")
    browser.wait("!document.getElementById('table-wrong').hidden")
    assert "no number" in browser.js("document.getElementById('table-wrong').textContent")
    assert browser.js(_ROWS) == 5


def test_the_number_beside_a_frame_s_picture_is_whole(opened: tuple[Browser, str]) -> None:
    """The picture was higher than its row, and half of the number was cut."""
    browser, address = opened
    browser.open(address + "data/frames?state=done")
    browser.wait("document.querySelector('.tabulator-cell .small')?.complete")
    beyond = browser.js(
        "[...document.querySelectorAll('.tabulator-cell[tabulator-field=id]')].filter("
        "cell => cell.querySelector('.small')).map(cell => cell.querySelector('a')"
        ".getBoundingClientRect().bottom - cell.getBoundingClientRect().bottom)")
    assert len(beyond) > 5
    assert max(beyond) <= 0


def _layouts(browser: Browser) -> float:
    """How often the browser laid out a page."""
    found = {one["name"]: one["value"] for one in browser("Performance.getMetrics")["metrics"]}
    return float(found["LayoutCount"])


def test_a_table_of_all_columns_is_laid_out_at_once_and_cuts_no_value(
        opened: tuple[Browser, str]) -> None:
    browser, address = opened
    browser("Performance.enable")
    browser.open(address + "data/results?columns=all&limit=100")
    browser.wait("document.querySelector('.tabulator-tableholder[role]')")
    columns = browser.js("document.querySelectorAll('.tabulator-col').length")
    assert columns > 60
    # Not once for each column, which took 6 s of a processor with 100 rows.
    assert _layouts(browser) < columns / 2
    cut = ("[...document.querySelectorAll('.tabulator-row .tabulator-cell')].filter("
           "cell => cell.scrollWidth > cell.clientWidth && cell.clientWidth < 400)"
           ".map(cell => cell.textContent)")
    assert browser.js(cut) == []
    # Also of columns that are chosen later.
    browser.js("document.querySelector('input[name=columns][value=frames]').click()")
    browser.wait("!document.querySelector('.tabulator-cell[tabulator-field=frames]')")
    assert browser.js("document.querySelectorAll('.tabulator-cell').length") > 100
    assert browser.js(cut) == []


@pytest.mark.parametrize(("path", "dark"), [("data/results?columns=all&limit=5", False),
                                            ("failed", True), ("data/nights", True),
                                            ("data/results?id=99999", False)])
def test_the_table_shuts_nobody_out(opened: tuple[Browser, str], path: str, dark: bool) -> None:
    browser, address = opened
    browser.look_like(1600, 1000, dark=dark)
    browser.open(address + path)
    browser.wait("document.querySelector('.tabulator-tableholder[role]')")
    browser.js(_AXE.read_text(encoding="utf-8") + "; 0")
    found = json.loads(browser.js(
        "axe.run({resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map("
        "v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))])))"))
    assert found == []
