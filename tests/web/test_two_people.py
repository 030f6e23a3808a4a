"""Two people at one site, each in a browser of their own: who is late, undoes, leaves, may no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import catalogue, people, users
from iop4d.store.database import Database
from iop4d.store.schema import Result
from tests.web.browser import CHROMIUM, Browser
from tests.web.conftest import PASSWORD, Serving, add_account

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")]

PAGE = "sources/BL%20Lac"
SAID = "document.querySelector('main .banner.said')?.textContent || ''"
PANEL = "document.querySelector('#selected [data-said]')?.textContent || ''"


@pytest.fixture(scope="module")
def browsers() -> Iterator[tuple[Browser, Browser]]:
    """Two that run, each with a profile of its own."""
    with ExitStack() as opened:
        yield opened.enter_context(Browser()), opened.enter_context(Browser())


@pytest.fixture
def both(own: Site, browsers: tuple[Browser, Browser]) -> tuple[Browser, Browser]:
    """A browser of Ana's and one of Ben's, not signed in yet; both are editors."""
    add_account(own, "Ben")
    for one in browsers:
        one.leave()
        one("Network.clearBrowserCookies")
        one.complaints.clear()
        one.requests.clear()
        one.look_like(1280, 900)
    return browsers


def enter(browser: Browser, name: str, address: str, path: str = PAGE) -> None:
    browser.open(f"{address}sign-in?back=/{path}")
    browser.wait("document.querySelector('main form button')")
    browser.js(f"document.querySelector('input[name=name]').value = '{name}'; document."
               f"querySelector('input[name=password]').value = '{PASSWORD}'; document."
               "querySelector('main form button').click()")
    browser.wait("document.querySelector('.who button') && document.readyState === 'complete'")


def marks(site: Site, id_: int) -> list[tuple[str, str]]:
    """The flags that people set on a result: name and who."""
    with Database(site.database, read_only=True).read() as db:
        return [(mark["name"], mark["by"]) for mark in db.by_id(Result, id_).human_flags]


def choose(browser: Browser, id_: int) -> None:
    """Choose a point of the light curve, as a click does."""
    browser.wait("document.getElementById('curves')?.dataset.drawn")
    browser.js(f"iop4dCurves.choose([{id_}])")
    browser.wait("document.querySelector('#selected button[value=set]')")


def flag(browser: Browser, name: str, why: str) -> str:
    """Flag what is chosen; what the page says then."""
    browser.js(f"document.querySelector('#selected input[name=flag]').value = '{name}';"
               f"document.querySelector('#selected input[name=note]').value = '{why}';"
               "document.querySelector('#selected button[value=set]').click()")
    browser.wait(PANEL)
    return str(browser.js(PANEL))


def newest(site: Site) -> int:
    with Database(site.database, read_only=True).read() as db:
        return int(db.select(Result).where(Result.source == "2200+420").order_by(
            Result.jd_mid.desc()).get().id)


def test_who_saves_a_source_late_sees_what_the_other_one_changed_and_decides(
        own: Site, serving: Serving, both: tuple[Browser, Browser]) -> None:
    ana, ben = both
    field = "document.getElementById('field-redshift')"
    save = "document.querySelector('.save button')"
    with serving(own) as address:
        for browser, name in ((ana, "Ana"), (ben, "Ben")):
            enter(browser, name, address, f"{PAGE}/catalogue")
            browser.wait(field)
        ana.js(f"{field}.value = '0.07'; {save}.click()")
        ana.wait("document.querySelector('#changes article') && "
                 "document.readyState === 'complete'")
        ben.js(f"{field}.value = '0.08'; {save}.click()")
        ben.wait("document.getElementById('wrong')")
        said = ben.js("document.getElementById('wrong').textContent")
        assert "changed by another person meanwhile" in said
        assert "redshift is 0.07, yours 0.08" in said
        assert ben.js(f"{field}.value") == "0.08"
        with Database(own.database, read_only=True).read() as db:
            assert catalogue.find(db, "BL Lac").redshift == 0.07
        ben.js(f"{save}.click()")  # he saw it, and means his own
        ben.wait("!document.getElementById('wrong') && document.querySelector('#changes article')"
                 " && document.readyState === 'complete'")
        with Database(own.database, read_only=True).read() as db:
            assert catalogue.find(db, "BL Lac").redshift == 0.08
        changes = ben.js("document.getElementById('changes').textContent")
        assert "Ben" in changes
        assert "0.07 → 0.08" in changes
        ana.leave()
        ben.leave()


def test_each_undoes_the_own_flag_and_never_the_other_ones(
        own: Site, serving: Serving, both: tuple[Browser, Browser]) -> None:
    ana, ben = both
    id_ = newest(own)
    undo = "document.querySelector('#selected form.undo button').click()"
    with serving(own) as address:
        enter(ana, "Ana", address)
        enter(ben, "Ben", address)
        choose(ana, id_)
        assert flag(ana, "trailed", "a satellite") == "1 result flagged 'trailed'."
        # Ben's plot has it without being loaded again.
        ben.wait("window.iop4dCurves?.sources().some(known => known.columns.id && "
                 f"known.columns.state[[...known.columns.id].indexOf({id_})] & 2)")
        choose(ben, id_)
        assert "trailed" in ben.js("document.querySelector('#selected tbody').textContent")
        assert flag(ben, "clouds", "thin ones") == "1 result flagged 'clouds'."
        ana.wait("document.querySelector('#selected form.undo')")
        ana.js(undo)
        ana.wait(f"({PANEL}).startsWith('Undone')")
        assert "1 result changed since and stay as they are" in ana.js(PANEL)
        assert marks(own, id_) == [("trailed", "Ana"), ("clouds", "Ben")]
        ben.wait("document.querySelector('#selected form.undo')")
        ben.js(undo)
        ben.wait(f"({PANEL}).startsWith('Undone: 1 result as before')")
        assert marks(own, id_) == [("trailed", "Ana")]
        ana.leave()
        ben.leave()


def test_signing_out_ends_ones_own_session_alone_and_a_page_left_open_says_so(
        own: Site, serving: Serving, both: tuple[Browser, Browser]) -> None:
    ana, ben = both
    id_ = newest(own)
    with serving(own) as address:
        enter(ana, "Ana", address)
        enter(ben, "Ben", address)
        choose(ana, id_)
        # In another tab of hers.
        assert ana.js("fetch('/sign-out', {method: 'POST'}).then(answer => answer.ok)")
        said = flag(ana, "trailed", "a satellite")
        assert said.startswith("Sign in first")
        assert marks(own, id_) == []
        choose(ben, id_)
        assert flag(ben, "clouds", "thin ones") == "1 result flagged 'clouds'."
        assert marks(own, id_) == [("clouds", "Ben")]
        ana.leave()
        ben.leave()


def test_whose_role_is_taken_away_meanwhile_is_refused_in_words_and_changes_nothing(
        own: Site, serving: Serving, both: tuple[Browser, Browser]) -> None:
    ana, ben = both
    id_ = newest(own)
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.ADMIN)
    with serving(own) as address:
        enter(ben, "Ben", address)
        choose(ben, id_)
        enter(ana, "Ana", address, "system/accounts")
        ana.js("(() => { const row = [...document.querySelectorAll('tr, article, form')].find("
               "one => one.textContent.includes('Ben') && one.querySelector('select[name=role]'));"
               "row.querySelector('select[name=role]').value = 'viewer';"
               "(row.querySelector('button[value=role]') || row.querySelector('button')).click()"
               "})()")
        ana.wait(f"({SAID}).length > 0")
        with Database(own.database, read_only=True).read() as db:
            assert people.role_of(db, "Ben") is Role.VIEWER
        said = flag(ben, "clouds", "thin ones")
        assert said.startswith("Your account is that of a viewer; this is for observers.")
        assert marks(own, id_) == []
        ben.open(address + PAGE)
        ben.wait("document.getElementById('curves')?.dataset.drawn && "
                 "document.querySelector('#latest')")
        assert ben.js("document.querySelectorAll('input[name=result]').length") == 0
        ana.leave()
        ben.leave()
