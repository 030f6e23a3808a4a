"""The pages behind nginx and Caddy, set up as docs/web.md says: TLS, prefix, forms, stream."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site, SiteInfo
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from tests.real_servers.behind_proxy import Browser, behind, site_with_account
from tests.support.real_servers import running_proxy
from tests.web.conftest import emit, requested, served


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_account(tmp_path / "site")


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_pages_forms_and_the_stream_work_as_documented(kind: str, site: Site,
                                                       tmp_path: Path) -> None:
    with behind(kind, site, tmp_path / kind) as browser:
        page = browser.ask("GET", "/iop4d/")
        assert page.status == 200
        for address in re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text):
            assert address.startswith("/iop4d/")
        for path in ("static/live.js", "static/site.css", "api/status", "sources/BL%20Lac"):
            assert browser.ask("GET", f"/iop4d/{path}").status == 200
        entered = browser.sign_in()
        assert (entered.status, entered.headers["Location"]) == (303, "/iop4d/alerts")
        assert {"Secure", "HttpOnly", "Path=/iop4d"} <= set(
            entered.headers["Set-Cookie"].split("; "))
        assert "Sign out" in browser.ask("GET", "/iop4d/alerts").text
        _check_stream(browser, site)


def _check_stream(browser: Browser, site: Site) -> None:
    connection = browser.connect()
    try:
        connection.request("GET", "/iop4d/events")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        emit(site)
        while b'"kind": "frame"' not in (line := answer.readline()):
            assert line
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_limits_and_rights_go_by_who_asks_the_proxy(kind: str, site: Site, tmp_path: Path) -> None:
    with Database(site.database, read_only=True).read() as db:
        number = int(db.select(Frame).where(Frame.state == "failed").get().id)
    with behind(kind, site, tmp_path / kind) as browser:
        for trick in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"Host": "localhost"},
                      {"Origin": "http://127.0.0.1:8765", "Host": "127.0.0.1:8765"}):
            answer = browser.ask("POST", f"/iop4d/frames/{number}/retry", trick)
            assert answer.status != 303, trick
        assert requested(site) == []
        for part in range(5):
            assert browser.sign_in("wrong", {"X-Forwarded-For": f"203.0.113.{part}"}).status == 403
        assert browser.sign_in(headers={"X-Forwarded-For": "203.0.113.77"}).status == 429


def test_a_plain_nginx_passes_no_rights_of_this_machine_on_and_forms_of_the_url_are_ours(
        site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    with Database(site.database, read_only=True).read() as db:
        number = int(db.select(Frame).where(Frame.state == "failed").get().id)
    url = SiteInfo(url="http://obs.example.org/")
    with served(replace(site, site=url)) as address, running_proxy("nginx", folder, (
            f"server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass {address}; }} }}")) as port:
        browser = Browser(port=port, trusted=None)
        own = address.rstrip("/")
        for origin in ("http://obs.example.org", own, browser.origin):
            answer = browser.ask("POST", f"/frames/{number}/retry", {"Origin": origin})
            assert answer.status == 403
        assert requested(site) == []
        entered = browser.sign_in(headers={"Origin": "http://obs.example.org"}, below="")
        assert entered.status == 303
