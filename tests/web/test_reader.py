"""A site file that changes while the pages are served, rightly or wrongly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.model.errors import ConfigError
from iop4d.store import status
from iop4d.store.database import Database
from iop4d.web.app import create_app
from iop4d.web.reader import LiveSite
from tests.web import observatory
from tests.web.conftest import add_account, enter

FIRST = '[site]\nname = "Calar Bajo"\n[[rule]]\nname = "bright"\ncondition = "mag < 13.0"\n'
SECOND = '[[rule]]\nname = "very bright"\ncondition = "mag < 12.0"\n'
Write = Callable[[str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    observatory.fill(observatory.site(tmp_path))
    (tmp_path / "iop4d.toml").write_text(FIRST, encoding="utf-8")
    return tmp_path


@pytest.fixture
def write(root: Path) -> Write:
    """Writes the site file as an editor does: beside it, then in its place."""
    def replaced(text: str) -> None:
        fresh = root / "iop4d.toml.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(root / "iop4d.toml")
    return replaced


@pytest.fixture
def client(root: Path) -> FlaskClient:
    add_account(load_site(root))
    client = create_app(load_site(root), lambda: load_site(root)).test_client()
    enter(client)
    return client


def test_a_new_rule_is_listed_tried_and_can_be_muted_at_once(client: FlaskClient,
                                                             write: Write) -> None:
    assert "very bright" not in client.get("/alerts").text
    assert client.get("/rules/very%20bright").status_code == 404
    write(FIRST + SECOND)
    assert '<a href="/rules/very%20bright">very bright</a>' in client.get("/rules").text
    assert "<option>very bright</option>" in client.get("/alerts").text
    assert "mag &lt; 12.0" in client.get("/rules/very%20bright").text
    write(SECOND)
    assert client.get("/rules/bright").status_code == 404


def test_a_page_that_starts_with_a_wrong_rule_leaves_it_out_and_says_why(root: Path) -> None:
    rules = "".join(f'[[rule]]\nname = "{name}"\nsource = "{source}"\ncondition = "mag < 13"\n'
                    for name, source in (("typo", "tag:tve"), ("sound", "*")))
    (root / "iop4d.toml").write_text(FIRST + rules, encoding="utf-8")
    site = load_site(root)
    client = create_app(site, lambda: load_site(root)).test_client()
    page = client.get("/system").text
    assert "The rule typo is wrong and is not used:</strong> Sign in to read why." in page
    assert "tve" not in page, "a value of the site file, which may be a secret"
    add_account(site)
    enter(client)
    page = client.get("/system").text
    assert "there is no [[tag]] &#39;tve&#39;" in page
    assert "sound" in client.get("/alerts").text


@pytest.mark.parametrize(("wrong", "why"), [
    (SECOND.replace("condition", "conditon"), "no such key"),
    (SECOND.replace("mag <", "magnitude <"), "unknown quantity &#39;magnitude&#39;"),
    ("[[rule", "not valid TOML")])
def test_a_wrong_file_is_not_taken_and_every_page_says_so_and_system_why(
        client: FlaskClient, write: Write, wrong: str, why: str) -> None:
    write(FIRST + wrong)
    for path in ("/system", "/fragments/system/wrong"):
        page = client.get(path).text
        assert "Site file rejected, this page still uses the previous one:" in page
        assert why in page
    for path in ("/", "/alerts", "/fragments/banner", "/nothing"):
        page = client.get(path).text.casefold()
        assert "the changed site file is wrong and not used" in page, path
        assert why.casefold() not in page
    assert "<option>bright</option>" in client.get("/alerts").text
    write(FIRST + SECOND)
    assert "Site file rejected" not in client.get("/system").text
    page = client.get("/alerts").text
    assert "<option>very bright</option>" in page


def test_a_file_that_is_gone_is_said_to_be(client: FlaskClient, root: Path) -> None:
    (root / "iop4d.toml").unlink()
    assert "no iop4d.toml in" in client.get("/system").text
    assert "<option>bright</option>" in client.get("/alerts").text


def test_name_channels_mailbox_and_cookie_go_by_the_new_file(client: FlaskClient, root: Path,
                                                             write: Write) -> None:
    assert client.get("/mailbox").status_code == 404
    assert 'href="/mailbox"' not in client.get("/").text
    write('[site]\nname = "Alto"\nurl = "https://alto.example.org"\n[web]\nmailbox = "mails"\n'
          '[[channel]]\nname = "night team"\nto = ["ana@example.org"]\n')
    observatory.write_mail(root / "mails")
    page = client.get("/rule-form").text
    assert "<title>A new rule · Alto</title>" in page
    assert 'value="night team"' in page
    assert 'href="/mailbox"' in page
    assert client.get("/mailbox/0001.eml").status_code == 200
    assert "Secure" in enter(client).headers["Set-Cookie"]


def test_a_daemon_that_has_not_read_the_new_file_is_named(client: FlaskClient, root: Path,
                                                          write: Write,
                                                          hold_lock: Callable[[Site], object],
                                                          ) -> None:
    hold_lock(load_site(root))
    waits = "The daemon has not read the changed site file yet."
    write(FIRST + SECOND)
    assert waits in client.get("/fragments/banner").text
    site = load_site(root)
    beat = observatory.heartbeat(observatory.site(root), time.time())
    with Database(site.database).write() as tx:
        status.beat(tx, beat | {"started_at": time.time() + 1.0})
    assert waits not in client.get("/fragments/banner").text


def test_many_threads_read_a_changed_file_once(root: Path, write: Write) -> None:
    reads = []

    def load() -> Site:
        reads.append(threading.get_ident())
        time.sleep(0.05)
        return load_site(root)

    held = LiveSite(load_site(root), load)
    held.now()
    write(FIRST + SECOND)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(held.now().site.rule)))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 8
    assert len(reads) == 2


def test_what_is_written_while_it_is_read_is_seen_by_the_next_look(root: Path,
                                                                   write: Write) -> None:
    def load() -> Site:
        site = load_site(root)
        if len(site.rule) == 1:
            write(FIRST + SECOND)
        return site

    held = LiveSite(load_site(root), load)
    assert len(held.now().site.rule) == 1
    assert len(held.now().site.rule) == 2


def test_a_site_without_a_file_stays_as_it_is(tmp_path: Path) -> None:
    site = observatory.site(tmp_path)
    assert LiveSite(site).now().site is site

    def refuse() -> Site:
        raise ConfigError("line 7")

    held = LiveSite(site, refuse)
    assert (held.now().site, held.now().wrong) == (site, "line 7")
