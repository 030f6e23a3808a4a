"""What a browser makes of light curves, as an observer uses them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.config import Site
from iop4d.config.triggers import Triggers
from iop4d.model.external import ExternalPoint, PointTable
from iop4d.store import external
from iop4d.store.database import Database
from iop4d.store.schema import Result
from iop4d.triggers.receive import receive
from tests.triggers.told import unified
from tests.web import observatory
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, Serving, add_account, emit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

DRAWN = "document.getElementById('curves')?.dataset.drawn"
#: Where a point of the first panel is on the screen, by its place in a series.
PLACE = """(() => {
  const panel = iop4dCurves.panels()[0], view = Bokeh.index.find_one(panel.figure);
  const box = view.el.getBoundingClientRect(), { x_scale, y_scale } = view.frame;
  const red = panel.mine.filter(known => known.columns.id && known.series.band === "R");
  return JSON.stringify(red.flatMap(({ columns }) => [...columns.x].map((x, i) => [
    box.left + x_scale.compute(x), box.top + y_scale.compute(columns.y[i]), columns.id[i]])));
})()"""
#: The mean of the last night in R.
MEAN = ("(() => { const night = iop4dCurves.head().nights.find(one => one.band === 'R');"
        "return night.columns.y.at(-1) })()")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = observatory.site(tmp_path_factory.mktemp("curves") / "site")
    observatory.fill(made, frames=60)
    add_account(made)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        opened.look_like(1280, 900)
        yield opened


def drag(browser: Browser, *path: tuple[float, float]) -> None:
    """Draw with the mouse."""
    def mouse(kind: str, place: tuple[float, float], **more: Any) -> None:
        browser("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **more)

    mouse("mousePressed", path[0], button="left", clickCount=1)
    for place in path[1:]:
        mouse("mouseMoved", place, button="left", buttons=1)
        time.sleep(0.02)
    mouse("mouseReleased", path[-1], button="left", clickCount=1)


def enter_as_ana(browser: Browser, address: str) -> None:
    """Sign in, to the page of a source."""
    browser.open(address + "sign-in?back=/sources/BL%20Lac")
    browser.wait("document.querySelector('main form button')")
    browser.js("document.querySelector('input[name=name]').value = 'Ana'; document."
               f"querySelector('input[name=password]').value = '{PASSWORD}'; document."
               "querySelector('main form button').click()")


def human_flags(site: Site) -> dict[int, list[str]]:
    with Database(site.database, read_only=True).read() as db:
        return {row.id: [mark["name"] for mark in row.human_flags]
                for row in db.select(Result) if row.human_flags and row.source == "2200+420"}


def new_point(site: Site, mag: float) -> None:
    """Another red point of BL Lac, as the daemon would write it."""
    with Database(site.database).write() as tx:
        row = tx.get(Result, (Result.source == "2200+420") & (Result.band == "R"))
        assert row is not None
        tx.create(Result, **row.__data__ | {
            "id": None, "key": f"new/{mag}", "jd_mid": row.jd_mid + 0.01, "mag": mag,
            "changed_at": time.time()})
    emit(site, "result", '{"id":1,"source":"2200+420","band":"R"}')


def test_points_are_selected_with_a_lasso_and_flagged_the_mean_changes_and_it_is_undone(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    with serving(site) as address:
        enter_as_ana(browser, address)
        browser.wait(DRAWN, 20)
        browser.js("document.querySelector('[data-tool=lasso]').click();"
                   "document.getElementById('curves').scrollIntoView()")
        before, places = browser.js(MEAN), json.loads(browser.js(PLACE))
        # A small lasso about the last point but one in R, and the last.
        (x0, y0, _), (x1, y1, _) = sorted(places)[-2:]
        left, right = min(x0, x1) - 9, max(x0, x1) + 9
        top, low = min(y0, y1) - 9, max(y0, y1) + 9
        drag(browser, (left, top), (left, low), (right, low), (right, top), (left + 3, top))
        browser.wait("document.querySelector('#selected tbody tr')")
        chosen = browser.js("Number(document.getElementById('curves').dataset.chosen)")
        assert chosen >= 2
        assert f"{chosen} points selected" in browser.js(
            "document.querySelector('#selected').textContent")
        browser.js("document.querySelector('#selected input[name=note]').value = 'a plane';"
                   "document.querySelector('#selected button[value=set]').click()")
        browser.wait("document.querySelector('#selected [data-said]')?.textContent.includes("
                     "\"flagged 'bad'\")")
        browser.wait(f"Math.abs({MEAN} - {before}) > 1e-4")
        flagged = human_flags(site)
        assert len(flagged) == chosen
        browser.wait("document.querySelector('#selected button[value=undo]')")
        browser.js("document.querySelector('#selected button[value=undo]').click()")
        browser.wait(f"Math.abs({MEAN} - {before}) < 1e-6")
        assert human_flags(site) == {}
        # The same with the keyboard: a box of the table below, and the form there.
        browser.js("document.querySelector('#latest input[name=result]').focus()")
        browser("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", text=" ")
        browser("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space")
        assert browser.js("document.querySelector('#latest input[name=result]').checked")
        browser.leave()
    assert browser.complaints == []


def test_new_points_come_by_themselves_and_the_zoom_is_kept(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    browser.requests.clear()
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        browser.wait("document.querySelector('#indicator').textContent === 'live'")
        count = "iop4dCurves.head().total"
        before = browser.js(count)
        browser.js("iop4dCurves.panels()[0].y_range.setv({start: 13.5, end: 13.1})")
        new_point(site, 10.0)
        browser.wait(f"{count} === {before + 1}")
        assert json.loads(browser.js("(range => JSON.stringify([range.start, range.end]))("
                                     "iop4dCurves.panels()[0].y_range)")) == [13.5, 13.1]
        # The table below has it, too.
        browser.wait("document.querySelector('#latest').textContent.includes('10.000 ±')")
        browser.leave()
    assert browser.complaints == []
    assert all(r.startswith((address, "data:", "blob:", "about:")) for r in browser.requests)


def test_what_is_chosen_is_drawn_at_once_and_stands_in_the_address(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    change = ("((name, value) => {{ const field = document.getElementById('choice').elements[name];"
              "field.value = value; field.dispatchEvent(new Event('change', {{bubbles: true}})) }})"
              "('{}', '{}')")
    names = "iop4dCurves.panels().map(panel => panel.source + ' ' + panel.name).join()"
    with serving(site) as address:
        browser.open(address + "curves?source=BL%20Lac&source=3C%20454.3&axis=mjd")
        browser.wait(DRAWN, 20)
        assert browser.js(names).split(",") == [
            "2200+420 y", "2200+420 c", "2251+158 y", "2251+158 p", "2251+158 chi", "2251+158 c"]
        assert 61000 < browser.js("iop4dCurves.range().start") < 99000
        browser.js(change.format("pol", "qu"))
        browser.wait(f"{names}.includes('2251+158 q,2251+158 u')")
        browser.js(change.format("axis", "jd"))
        browser.wait("iop4dCurves.range().start > 2461000")
        query = browser.js("location.search")
        assert "pol=qu" in query
        assert "axis=jd" in query
        assert query.count("source=") == 2
        shown = ("iop4dCurves.sources().filter(known => known.series.band === 'R')"
                 ".every(known => known.renderers.every(one => one.visible === {}))")
        browser.js("document.querySelector('#choice input[value=R]').click()")
        browser.wait(shown.format("false"))
        assert "bands=B%2CV%2CI" in browser.js("location.search")
        browser.open(address + "curves" + query)
        browser.wait(DRAWN, 20)
        assert "2251+158 q" in browser.js(names)
        browser.js("document.querySelector('[data-act=png]').click()")
        browser.wait("document.getElementById('curves').dataset.saved?.endsWith('.png')")
        browser.leave()
    assert browser.complaints == []


def test_all_bands_are_no_choice_and_none_is_all(
        site: Site, serving: Serving, browser: Browser) -> None:
    boxes = "[...document.querySelectorAll('#choice input[type=checkbox][name=bands]')]"
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        # Who opens this address later sees bands that come meanwhile, too.
        assert browser.js("location.search") == ""
        browser.js(f"{boxes}.slice(1).forEach(box => box.click())")
        browser.wait("new URLSearchParams(location.search).get('bands') === 'B'")
        browser.js(f"{boxes}[0].click()")
        browser.wait(f"location.search === '' && {boxes}.every(box => box.checked)")
        browser.leave()


def test_an_angle_across_180_degrees_is_drawn_beside_the_others_and_told_as_it_is(
        tmp_path: Path, serving: Serving, browser: Browser) -> None:
    own = observatory.site(tmp_path / "site")
    observatory.fill(own, frames=3)
    with Database(own.database).write() as tx:
        row = tx.get(Result, Result.source == "2200+420")
        assert row is not None
        for number, chi in enumerate((176.0, 179.97, 3.2)):
            tx.create(Result, **row.__data__ | {
                "id": None, "key": f"chi{number}", "mode": "polarimetry", "mag": None,
                "source": "3C 345", "jd_mid": row.jd_mid + number / 10, "p": 0.1, "p_err": 0.002,
                "p_debiased": 0.1, "q": 0.1, "u": 0.0, "q_err": 0.002, "u_err": 0.002,
                "chi_deg": chi, "chi_err_deg": 0.5})
    place = """((number) => {
      const panel = iop4dCurves.panels().at(-1), view = Bokeh.index.find_one(panel.figure);
      const box = view.el.getBoundingClientRect(), { x_scale, y_scale } = view.frame;
      const { columns } = panel.mine.find(one => one.columns.id);
      return JSON.stringify([box.left + x_scale.compute(columns.x[number]),
                             box.top + y_scale.compute(columns.chi[number])]);
    })"""
    with serving(own) as address:
        browser.open(address + "sources/3C%20345")
        browser.wait(DRAWN, 20)
        # It has no magnitude: a panel of them would be empty.
        assert browser.js("iop4dCurves.panels().map(panel => panel.name).join()") == "p,chi"
        browser.js("document.getElementById('curves').scrollIntoView({block: 'center'})")
        for number, said in ((1, "χ 0.0 ± 0.5° (drawn at 180°)"),
                             (2, "χ 3.2 ± 0.5° (drawn at 183°)"), (0, "χ 176.0 ± 0.5°")):
            x, y = json.loads(browser.js(f"{place}({number})"))
            browser("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
            browser.wait("document.querySelector('.tip:not([hidden])')?.textContent.includes("
                         f"{json.dumps(said)})")
        browser.leave()


def test_what_is_said_of_a_wrong_date_goes_with_it_and_a_missing_quantity_is_said(
        site: Site, serving: Serving, browser: Browser) -> None:
    said = "document.getElementById('curves-said').textContent"
    change = ("((name, value) => {{ const field = document.getElementById('choice').elements[name];"
              "field.value = value; field.dispatchEvent(new Event('change', {{bubbles: true}})) }})"
              "('{}', '{}')")
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        browser.wait(f"{said}.endsWith(' points.')")
        usual = browser.js(said)
        browser.js(change.format("from", "yesterday"))
        browser.wait(f"{said}.includes('is not a time')")
        browser.js(change.format("from", ""))
        browser.wait(f"{said} === '{usual}'")
        browser.js(change.format("quantity", "nucleus"))
        browser.wait(f"{said} === '{usual} None of them has a value of mag without host.'")
        browser.leave()


#: How many pixels of the first panel have much ink.
INK = """(() => {
  const panel = iop4dCurves.panels()[0], view = Bokeh.index.find_one(panel.figure);
  const { left, top, width, height } = view.frame.bbox;
  const { data } = view.canvas_view.primary.canvas.getContext("2d").getImageData(
    left + 2, top + 2, width - 4, height - 4);
  return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3] > 128)
    .filter(Boolean).length;
})()"""


def test_points_of_all_bands_and_means_of_nights_are_pale_beside_a_chosen_one(
        site: Site, serving: Serving, browser: Browser) -> None:
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        browser.wait(f"{INK} > 400")
        before = browser.js(INK)
        browser.js("iop4dCurves.choose([iop4dCurves.sources().find(one => one.columns.id)"
                   ".columns.id[0]])")
        browser.wait(f"{INK} < {0.4 * before}")
        browser.js("iop4dCurves.choose([])")
        browser.wait(f"{INK} > {0.9 * before}")
        browser.leave()


def test_without_scripts_there_are_no_buttons_that_do_nothing(
        site: Site, serving: Serving, browser: Browser) -> None:
    shown = ("[...document.querySelectorAll('#tools button')]"
             ".filter(one => getComputedStyle(one).display !== 'none').length")
    with serving(site) as address:
        browser("Emulation.setScriptExecutionDisabled", value=True)
        try:
            browser.open(address + "sources/BL%20Lac")
            browser.wait("document.querySelector('#curves img.still')?.complete")
            assert browser.js(shown) == 0
            assert browser.js("document.querySelectorAll('#tools a').length") == 2
        finally:
            browser("Emulation.setScriptExecutionDisabled", value=False)
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        assert browser.js(shown) == 7
        browser.leave()


def test_a_finger_on_the_light_curve_scrolls_the_page(
        site: Site, serving: Serving, browser: Browser) -> None:
    with serving(site) as address:
        browser("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
        browser.look_like(375, 812)
        try:
            browser.open(address + "sources/BL%20Lac")
            browser.wait(DRAWN, 20)
            browser.js("document.getElementById('curves').scrollIntoView({block: 'center'})")
            before = browser.js("scrollY")
            for kind, y in (("touchStart", 0), *(("touchMove", -20 * k) for k in range(1, 11)),
                            ("touchEnd", None)):
                browser("Input.dispatchTouchEvent", type=kind, touchPoints=[]
                        if y is None else [{"x": 187, "y": 450 + y}])
                time.sleep(0.02)
            browser.wait(f"scrollY > {before + 100}")
            assert browser.js("document.documentElement.scrollWidth") == 375
        finally:
            browser.leave()
            browser("Emulation.setTouchEmulationEnabled", enabled=False)
            browser.look_like(1280, 900)


def test_a_long_curve_is_thinned_and_zooming_brings_its_points_back(
        tmp_path: Path, serving: Serving, browser: Browser) -> None:
    own = observatory.site(tmp_path / "site")
    observatory.fill(own, frames=3)
    with Database(own.database).write() as tx:
        row = tx.get(Result, Result.source == "2200+420")
        assert row is not None
        columns = row.__data__ | {"id": None}
        tx.insert_many(Result, [])
        for number in range(9000):
            tx.create(Result, **columns | {"key": f"m{number}", "mag": 14 + number % 100 / 100,
                                           "jd_mid": row.jd_mid + number / 100})
    with serving(own) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        assert browser.js("iop4dCurves.head().shown") < 6500
        assert "Zoom in to see all of them" in browser.js(
            "document.getElementById('curves-said').textContent")
        browser.js("(range => range.setv({start: range.start + 5 * 86400e3, "
                   "end: range.start + 15 * 86400e3}))(iop4dCurves.range())")
        browser.wait("iop4dCurves.head().shown === iop4dCurves.head().total && "
                     "iop4dCurves.head().total > 900")
        browser.leave()


#: Pixels of the first panel after its time axis was moved by so many of them, step by step: those
#: with ink while it moves, at rest, and those that differ; and whether a picture was moved.
MOVED = """(async (steps) => {
  const panel = iop4dCurves.panels()[0], view = Bokeh.index.find_one(panel.figure);
  const range = iop4dCurves.range(), { canvas } = view.canvas_view.primary;
  const wait = (ms) => new Promise(done => setTimeout(done, ms));
  const ink = () => {
    const { left, top, width, height } = view.frame.bbox;
    const { data } = canvas.getContext("2d").getImageData(left + 2, top + 2, width - 4, height - 4);
    return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3] > 128);
  };
  for (const by of steps) {
    const wide = (range.end - range.start) / view.frame.bbox.width * by, count = view._render_count;
    range.setv({ start: range.start + wide, end: range.end + wide });
    while (view._render_count === count) await new Promise(requestAnimationFrame);
  }
  const moving = ink(), isPicture = !!view.picture;
  await wait(600);
  const rest = ink();
  return JSON.stringify([moving.filter(Boolean).length, rest.filter(Boolean).length,
    moving.filter((has, i) => has !== rest[i]).length, isPicture, !!view.picture]);
})"""


def test_the_picture_of_a_light_curve_that_shows_seven_centuries_can_be_saved(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        browser.js("iop4dCurves.range().setv({start: Date.UTC(1700, 0), end: Date.UTC(2400, 0)})")
        browser.js("document.querySelector('[data-act=png]').click()")
        browser.wait("performance.getEntriesByType('resource').some("
                     "one => one.name.includes('from=2415021.0') && one.responseStatus === 200)")
        browser.leave()
    assert browser.complaints == []


def test_a_light_curve_that_is_moved_shows_its_points_as_it_does_at_rest(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        browser.wait("iop4dCurves.head().shown > 0")
        time.sleep(1.0)  # the strip below draws it once more
        # The last one leaves the picture that was made at first.
        for steps in ([40], [-90], [900, 900, -1700]):
            moving, rest, differing, moved, kept = json.loads(browser.js(f"{MOVED}({steps})"))
            assert moved, steps
            assert not kept, steps  # of a plot at rest nothing is held
            assert moving > 0.9 * rest
            assert differing < 0.1 * max(rest, 2000), (steps, moving, rest, differing)
            assert rest > 400
        browser.leave()
    assert browser.complaints == []


def test_what_is_ticked_stays_with_its_row_when_rows_come_above_it(
        tmp_path: Path, serving: Serving, browser: Browser) -> None:
    own = observatory.site(tmp_path / "site")
    observatory.fill(own, frames=60)
    add_account(own)
    with serving(own) as address:
        enter_as_ana(browser, address)
        browser.wait("document.querySelector('#latest tbody input[name=result]') && "
                     "document.getElementById('indicator').textContent === 'live'")
        first = browser.js("(box => { box.checked = true; return box.value })"
                           "(document.querySelector('#latest tbody input[name=result]'))")
        with Database(own.database).write() as tx:
            row = tx.get(Result, Result.id == int(first))
            assert row is not None
            for n in range(1, 13):
                tx.create(Result, **row.__data__ | {
                    "id": None, "key": f"above/{n}", "jd_mid": row.jd_mid + 0.01 * n,
                    "changed_at": time.time()})
        emit(own, "result", '{"id":1,"source":"2200+420","band":"R"}')
        browser.wait("document.querySelector('#latest tbody input[name=result]').value !== "
                     f"'{first}'")
        ticked = "[...document.querySelectorAll('#latest input[name=result]:checked')]"
        assert browser.js(f"{ticked}.map(box => box.value)") == [first]
        browser.leave()


def test_a_trigger_is_a_line_with_its_text(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    spans = ("iop4dCurves.panels()[0].figure.center.filter(one => one.dimension === 'height'"
             " && one.location !== undefined).length")
    with serving(site) as address:
        with Database(site.database).write() as tx:
            receive(tx, unified(alert_datetime=None, text="Fermi-LAT flare"), origin="topic x",
                    settings=Triggers(), now=time.time())
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        assert browser.js(spans) == 1
        assert browser.js("iop4dCurves.panels()[0].figure.center.map(one => one.text)"
                          ".filter(Boolean).join()") == "Fermi-LAT flare"
        assert browser.js("document.querySelector('#raised').textContent.includes('Priority')")
        browser.leave()
    assert browser.complaints == []


def test_points_of_others_are_drawn_apart_named_and_hidden_by_their_box(
        site: Site, serving: Serving, browser: Browser) -> None:
    browser.complaints.clear()
    with Database(site.database).write() as tx:
        newest = tx.select(Result).where(Result.source == "2200+420").order_by(
            Result.jd_mid.desc()).get().jd_mid
        external.save(tx, "2200+420", PointTable(
            points=[ExternalPoint(band="R", jd=newest - 0.001, mag=13.3, mag_err=0.01, p=0.1,
                                  chi_deg=20.0)], sha256="0" * 64, times="JD", left_out={}),
            origin="KAIT", reference="", file="kait.csv", by="Ana", now=time.time())
    shown = ("iop4dCurves.sources().filter(one => one.other)"
             ".map(one => one.renderers.map(drawn => drawn.visible).join()).join('|')")
    with serving(site) as address:
        browser.open(address + "sources/BL%20Lac")
        browser.wait(DRAWN, 20)
        assert browser.js("document.getElementById('curves').dataset.others") == "KAIT"
        assert browser.js(shown) == "true,true,true"
        x, y = json.loads(browser.js("""(() => {
          const panel = iop4dCurves.panels()[0], view = Bokeh.index.find_one(panel.figure);
          const box = view.el.getBoundingClientRect(), { x_scale, y_scale } = view.frame;
          const { columns } = iop4dCurves.sources().find(one => one.other);
          return JSON.stringify([box.left + x_scale.compute(columns.x[0]),
                                 box.top + y_scale.compute(columns.y[0])]);
        })()"""))
        browser("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        browser.wait("document.querySelector('.tip:not([hidden])')?.textContent.includes('KAIT')")
        # A lasso about everything takes ours alone, which can be flagged.
        assert browser.js("iop4dCurves.choose([1e9]); Number("
                          "document.getElementById('curves').dataset.chosen || 0)") == 0
        browser.js("document.querySelector('input[type=checkbox][name=others]').click()")
        browser.wait(f"{shown} === 'false,false,false'")
        assert browser.js("new URLSearchParams(location.search).get('others')") == "0"
        browser.leave()
    assert browser.complaints == []
