"""The pages behind nginx and Caddy, set up as docs/web.md says: TLS, prefix, forms, stream."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from iop4d.config import Site, SiteInfo, Web
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from tests.support.certificates import certificate
from tests.support.real_servers import running_proxy
from tests.web import observatory
from tests.web.conftest import PASSWORD, _serving, add_account, emit, requested

DOCS = Path(__file__).parents[2] / "docs" / "web.md"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came through the proxy."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass(kw_only=True)
class Browser:
    """As a browser asks through a proxy that speaks TLS; remembers its cookie."""

    port: int
    trusted: Path | None
    cookie: str = ""

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        if self.trusted is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=10,
            context=ssl.create_default_context(cafile=str(self.trusted)))

    @property
    def origin(self) -> str:
        """Where its pages come from."""
        return f"http{'s' if self.trusted else ''}://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None,
            **form: str) -> Answer:
        """Send a form, or get a page."""
        connection = self.connect()
        try:
            connection.request(method, path, urlencode(form) if method == "POST" else None, {
                "Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded",
                **({"Origin": self.origin} if method == "POST" else {}), **(headers or {})})
            answer = connection.getresponse()
            if cookie := answer.headers["Set-Cookie"]:
                self.cookie = cookie.partition(";")[0]
            return Answer(status=answer.status, headers=answer.headers,
                          text=answer.read().decode(errors="replace"))
        finally:
            connection.close()

    def sign_in(self, password: str = PASSWORD, headers: dict[str, str] | None = None,
                below: str = "/iop4d") -> Answer:
        """Sign in as Ana."""
        return self.ask("POST", f"{below}/sign-in", headers, name="Ana", password=password,
                        back="/alerts")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = observatory.site(tmp_path / "site")
    observatory.fill(made)
    add_account(made)
    return made


def documented(kind: str) -> str:
    """The example of the documentation."""
    found = re.search(rf"```{kind}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def behind(kind: str, site: Site, folder: Path) -> Iterator[Browser]:
    """The pages behind a proxy that is set up as documented, but for names, ports and folders."""
    web = Web(port=0, trusted_proxy="127.0.0.1", prefix="/iop4d")
    folder.mkdir()
    certificate(folder)
    with _serving(replace(site, web=web)) as address:
        assert address.endswith("/iop4d")
        port = address.split(":")[2].partition("/")[0]
        text = documented(kind).replace("127.0.0.1:8765", f"127.0.0.1:{port}")
        if kind == "nginx":
            text = text.replace("listen 443 ssl", "listen 127.0.0.1:PORT ssl")
            text = re.sub(r"/etc/ssl/obs\.example\.org\.(pem|key)", lambda found: str(
                folder / ("cert.pem" if found[1] == "pem" else "key.pem")), text)
        else:
            text = text.replace("obs.example.org {", "https://127.0.0.1:PORT {\n    tls "
                                f"{folder / 'cert.pem'} {folder / 'key.pem'}")
        with running_proxy(kind, folder, text) as own:
            yield Browser(port=own, trusted=folder / "cert.pem")


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
    with _serving(replace(site, site=url)) as address, running_proxy("nginx", folder, (
            f"server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass {address}; }} }}")) as port:
        browser = Browser(port=port, trusted=None)
        own = address.rstrip("/")
        for origin in ("http://obs.example.org", own, browser.origin):
            answer = browser.ask("POST", f"/frames/{number}/retry", {"Origin": origin})
            assert answer.status == 403
        assert requested(site) == []
        entered = browser.sign_in(headers={"Origin": "http://obs.example.org"}, below="")
        assert entered.status == 303
