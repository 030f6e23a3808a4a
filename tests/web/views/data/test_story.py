"""What an editor does with frames and masters in a browser, beside a daemon that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.simulator.servers import free_port
from iop4d.simulator.service import Observer, Service
from iop4d.store.database import Database
from iop4d.store.schema import Audit, Frame, Master
from tests.support.daemon_under_test import WORKER
from tests.support.rows import first, rows
from tests.support.sites import drop, make_stub_site, write_corpus
from tests.support.trial import DAEMON, STUB_WORKER
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, Serving, add_account
from tests.web.views.data.real_frame import give

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

_FILES = 48  # a night, and the biases and flats of the next one
_SCIENCE = 3  # frames of it that are enough


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def sign_in(browser: Browser, address: str) -> None:
    browser.open(address + "sign-in")
    browser.wait("document.querySelector('main form button')")
    browser.js("document.querySelector('input[name=name]').value = 'Ana'; document."
               f"querySelector('input[name=password]').value = '{PASSWORD}'; document."
               "querySelector('main form button').click()")
    browser.wait("document.querySelector('.who button')")


def until(browser: Browser, expression: str) -> None:
    """Wait for what the page shows in the end, and load it again now and then, as people do."""
    for _ in range(12):
        with suppress(TimeoutError):
            browser.wait(expression, 5.0)
            return
        browser.js("location.assign(location.href)")
    raise TimeoutError(browser.js("location.href + ' ' + document.body.innerText")[:2000])


def test_an_editor_retries_a_frame_and_rejects_a_flat_and_sees_frames_redone(
        tmp_path: Path, serving: Serving, browser: Browser) -> None:
    folder = make_stub_site(tmp_path / "site", _FILES, port=free_port(), dead=free_port())
    corpus = write_corpus(tmp_path / "corpus", _FILES)
    poison = next(path for path in corpus if path.name.startswith("science"))
    good = poison.read_text(encoding="utf-8")
    poison.write_text(json.dumps(json.loads(good) | {"fault": "exit"}), encoding="utf-8")
    science = [path for path in corpus if path.name.startswith("science")]
    dropped = [path for path in corpus if path not in science[_SCIENCE:]]
    for path in dropped:
        drop(path, folder / "raw")
    site = load_site(folder)
    site = replace(site, web=replace(site.web, port=0))
    add_account(site)
    daemon, observer = Service(folder, "run", module=DAEMON, environ={WORKER: STUB_WORKER}), \
        Observer(folder)
    try:
        assert observer.wait(len(dropped), seconds=60, service=daemon), daemon.log()[-2000:]
        database = Database(site.database, read_only=True)
        failed = first(database, Frame, Frame.name == poison.name)
        assert failed.state in ("failed", "quarantined"), failed.reason
        flat = first(database, Master, (Master.kind == "flat") & (Master.night == "2022-09-01"))
        with serving(site) as address:
            sign_in(browser, address)
            # The cause is removed, as the daemon cannot see, and the frame tried again.
            raw = folder / "raw" / poison.name
            was = raw.stat()
            mended = tmp_path / "mended"
            mended.write_text(good.ljust(was.st_size), encoding="utf-8")
            os.utime(mended, ns=(was.st_atime_ns, was.st_mtime_ns))
            mended.replace(raw)
            browser.open(f"{address}frames/{failed.id}")
            browser.wait("document.querySelector('form[action$=\"/retry\"] button')")
            browser.js("document.querySelector('form[action$=\"/retry\"] button').click()")
            until(browser, "document.querySelector('#frame .lead .state-done')")
            # Every frame of its night used this flat.
            browser.open(f"{address}masters/{flat.id}")
            browser.wait("document.querySelector('form[action$=\"/reject\"] button')")
            assert browser.js("document.querySelector('#master').innerText.includes('used')")
            browser.js("document.querySelector('input[name=reason]').value = 'the lamp moved';"
                       "document.querySelector('form[action$=\"/reject\"] button').click()")
            until(browser, "document.querySelector('#master .lead .state-rejected')")
            assert "the lamp moved" in browser.js("document.querySelector('.lead').innerText")
            # They are reduced again with the next night's, and say so.
            browser.open(f"{address}frames/{failed.id}")
            until(browser, "document.querySelector('#frame .lead .state-provisional')")
            browser.leave()
        other = first(database, Master, (Master.kind == "flat") & (Master.id != flat.id))
        redone = first(database, Frame, Frame.id == failed.id)
        assert [other.id, other.revision] in redone.masters
        assert [row.act for row in rows(database, Audit)][-2:] == ["retry", "reject"]
        database.close()
    finally:
        daemon.stop()


def test_the_viewer_zooms_stretches_reads_pixels_and_blinks(
        own: Site, serving: Serving, browser: Browser) -> None:
    give(own)
    browser.complaints.clear()
    browser.look_like(1024, 900)
    canvas = "document.querySelector('#viewer canvas')"
    key = f"(key => {canvas}.dispatchEvent(new KeyboardEvent('keydown', {{key}})))"
    with serving(own) as address:
        browser.open(f"{address}frames/1")
        browser.wait("document.querySelector('#viewer')?.dataset.shown === 'reduced'")
        shown = canvas + ".getContext('2d').getImageData(0, 0, {0}.width, {0}.height).data".replace(
            "{0}", canvas)
        bright = f"(() => {{ const d = {shown}; let n = 0; for (let i = 0; i < d.length; i += 4) " \
                 "n += d[i] > 240; return n; })()"
        whole = browser.js(bright)
        assert whole > 0
        browser.js(f"{key}('+'); {key}('+'); {key}('+')")
        browser.wait(f"{bright} > {1.5 * whole}")  # the star is larger
        # The star is in the middle: what lies there is its brightest pixel, also by the keyboard.
        readout = "document.querySelector('.readout')"
        browser.wait(f"/ 9[0-9]{{3}}/.test({readout}.innerText)")
        assert browser.js(f"{readout}.getAttribute('aria-live')") == "polite"
        where = browser.js(f"{readout}.innerText.split(' ·')[0]")
        step = f"{canvas}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'ArrowRight', " \
               "shiftKey: true}))"
        browser.js(step)
        x, y = (int(part.split()[1]) for part in where.split(", "))
        browser.wait(f"{readout}.innerText.startsWith('x {x + 1}, y {y} ·')")
        browser.js(step.replace("Right", "Left"))
        browser.js(f"(() => {{ const c = {canvas}, b = c.getBoundingClientRect(); c.dispatchEvent("
                   "new PointerEvent('pointermove', {bubbles: true, clientX: b.left + b.width / 2 "
                   "+ 2, clientY: b.top + b.height / 2 - 2})); })()")
        browser.wait("/ 9[0-9]{3}/.test(document.querySelector('.readout').innerText)")
        said = browser.js("document.querySelector('.readout').innerText")
        assert "22:02:43" in said  # its place on the sky
        assert "2200+420" in said
        browser.js("document.querySelectorAll('.viewbar select')[2].value = 'full'; document."
                   "querySelectorAll('.viewbar select')[2].dispatchEvent(new Event('change'))")
        assert float(browser.js("document.querySelector('#viewer').dataset.cuts.split(' ')[1]")) \
            > 9000
        browser.js(f"{key}('b')")
        browser.wait("document.querySelector('#viewer')?.dataset.shown === 'raw'")
        browser.js(f"{key}('b')")
        # An image that comes is there to be chosen, also while events never cease.
        browser.js("""const list = document.getElementById("viewer-images");
            const now = JSON.parse(list.dataset.images);
            list.dataset.images = JSON.stringify([...now, {...now[0], name: "x", label: "Later"}]);
            setInterval(() => document.dispatchEvent(
                new CustomEvent("htmx:after:swap", {detail: {}})), 200);""")
        browser.wait("document.querySelector('#viewer .viewbar').textContent.includes('Later')")
        assert browser.complaints == []
        browser.leave()
