"""Behind a web server that passes requests on, and below a prefix."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask.testing import FlaskClient
from werkzeug.test import create_environ

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.model.errors import ConfigError
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from iop4d.web import auth
from iop4d.web.app import create_app
from iop4d.web.proxy import BehindProxy
from tests.web.conftest import OURS, PASSWORD, enter, firing, requested

AFAR = "203.0.113.9"


def client_of(site: Site, **web: str) -> FlaskClient:
    text = "\n".join(f'{key} = "{value}"' for key, value in web.items())
    return create_app(parse_site(f"[site]\nurl = 'http://obs.example.org'\n[web]\n{text}",
                                 root=site.root)).test_client()


def failed_frame(site: Site) -> int:
    with Database(site.database, read_only=True).read() as db:
        return int(db.select(Frame).where(Frame.state == "failed").get().id)


def retry(client: FlaskClient, number: int, headers: dict[str, str] | None = None,
          address: str = "127.0.0.1", protocol: str = "HTTP/1.1") -> int:
    environ = {"REMOTE_ADDR": address, "SERVER_PROTOCOL": protocol}
    return client.post(f"/frames/{number}/retry", headers=OURS | (headers or {}),
                       environ_overrides=environ).status_code


def test_what_was_passed_on_has_no_right_of_this_machine(own: Site) -> None:
    number, client = failed_frame(own), client_of(own)
    from_afar = {"Origin": "http://obs.example.org", "Host": "obs.example.org"}
    assert retry(client, number, from_afar | {"X-Forwarded-For": AFAR}) == 403
    assert retry(client, number, from_afar) == 403
    for trace in ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
                  "X-Real-IP"):
        assert retry(client, number, {trace: "127.0.0.1"}) == 403, trace
    assert retry(client, number, protocol="HTTP/1.0") == 403
    trusting = client_of(own, trusted_proxy="127.0.0.1")
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": AFAR}, {}):
        assert retry(trusting, number, headers) == 403
    assert requested(own) == []
    assert "Retry" not in client.get(f"/frames/{number}", headers={"Via": "1.1 x"}).text
    assert retry(client, number) == 303


def test_who_is_signed_in_may_retry_from_anywhere_unless_no_browser_may(own: Site) -> None:
    number, client = failed_frame(own), client_of(own)
    assert retry(client, number, address=AFAR) == 403
    enter(client)
    assert retry(client, number, address=AFAR) == 303
    none = client_of(own, allow_retry="none")
    enter(none)
    assert retry(none, number, address=AFAR) == 403


@pytest.mark.parametrize(("trusted", "peer", "forwarded", "seen"), [
    ("", "127.0.0.1", AFAR, "127.0.0.1"), ("127.0.0.1", "127.0.0.1", AFAR, AFAR),
    ("127.0.0.1", "127.0.0.1", f"10.0.0.1, {AFAR}", AFAR),
    ("127.0.0.1", "192.0.2.7", AFAR, "192.0.2.7"),
    ("10.0.0.0/8", "10.1.2.3", AFAR, AFAR), ("10.0.0.0/8", "11.1.2.3", AFAR, "11.1.2.3"),
    ("127.0.0.1", "::ffff:127.0.0.1", AFAR, AFAR), ("::1", "::1", AFAR, AFAR),
    ("127.0.0.1", "127.0.0.1", "", "127.0.0.1")])
def test_the_address_is_the_one_that_the_trusted_proxy_saw(
        trusted: str, peer: str, forwarded: str, seen: str) -> None:
    found: list[str] = []

    def app(environ: WSGIEnvironment, _start: StartResponse) -> list[bytes]:
        found.append(environ["REMOTE_ADDR"])
        return []

    BehindProxy(app, trusted=trusted, prefix="")(create_environ(
        headers={"X-Forwarded-For": forwarded} if forwarded else None,
        environ_overrides={"REMOTE_ADDR": peer}), lambda *_: lambda _: None)
    assert found == [seen]


def test_scheme_and_name_are_those_that_the_trusted_proxy_names(own: Site) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "obs.example.org",
            "X-Forwarded-For": AFAR, "Origin": "https://obs.example.org"}
    entered = {"name": "Ana", "password": PASSWORD, "back": "/alerts"}
    trusting = client_of(own, trusted_proxy="127.0.0.1").post("/sign-in", headers=said,
                                                              data=entered)
    assert trusting.status_code == 303
    assert "Secure" in trusting.headers["Set-Cookie"]
    assert client_of(own).post("/sign-in", headers=said, data=entered).status_code == 403


def test_below_a_prefix_pages_answer_whether_the_proxy_passes_it_on_or_not(own: Site) -> None:
    client = client_of(own, prefix="/iop4d/")
    for told in ("", "/iop4d"):
        answer = client.post(f"{told}/sign-in", headers=OURS, data={
            "name": "Ana", "password": PASSWORD, "back": "/alerts"})
        assert answer.headers["Location"] == "/iop4d/alerts"
        assert "Path=/iop4d" in answer.headers["Set-Cookie"]
        assert 'href="/iop4d/sources"' in client.get(f"{told}/alerts").text
    page = client.get("/iop4d/alerts")
    assert "Sign out" in page.text
    alert = firing(own)
    for path, to in ((f"/alerts/{alert}/acknowledge", "/iop4d/alerts"),
                     (f"/frames/{failed_frame(own)}/retry", f"/iop4d/frames/{failed_frame(own)}"),
                     ("/sign-out", "/iop4d/")):
        assert client.post(f"/iop4d{path}", headers=OURS).headers["Location"] == to
    assert client.get("/iop4dx/alerts").status_code == 404
    assert client.get("/iop4d").status_code == 200


class Addresses(HTMLParser):
    """The addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if value and name in (
            "href", "src", "action", "formaction", "data-live", "data-api", "data-root", "srcset",
            "poster")}


def test_every_address_of_every_page_is_below_the_prefix(filled: Site) -> None:
    """Walked from the first page on, over everything that it leads to."""
    site = parse_site(f"[web]\nprefix = '/obs/iop4d'\nmailbox = '{filled.web.mailbox}'",
                      root=filled.root)
    client = create_app(site).test_client()
    seen: set[str] = set()
    waiting = {f"/obs/iop4d/{path}" for path in ("", "sign-in", "nothing", "mailbox/0001.eml")}
    kinds: dict[str, int] = {}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        kind = re.sub(r"\d+|(?<=sources/).*|(?<=nights/).*", "N", path.partition("?")[0])
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 2 or "/static/" in path or "/assets/" in path:
            continue
        with client.get(path) as answer:
            if answer.mimetype != "text/html" or path.endswith("/html"):
                continue
            page = Addresses()
            page.feed(answer.get_data(as_text=True))
        for address in page.found:
            if address[0] in "?#" or address == "reload":
                continue
            assert address == "/obs/iop4d" or address.startswith("/obs/iop4d/"), (path, address)
            assert "data:" not in address
            waiting |= {address.partition("#")[0]} - seen
    assert len(kinds) > 25


def test_the_scripts_ask_below_the_prefix() -> None:
    for script in ("live.js", "curves.js"):
        text = (Path(auth.__file__).parent / "static" / script).read_text(encoding="utf-8")
        assert not re.search(r"(fetch|EventSource)\(\s*[\"'`]/", text), script


@pytest.mark.parametrize(("key", "value"), [
    ("trusted_proxy", "proxy.example.org"), ("trusted_proxy", "*"), ("trusted_proxy", "300.0.0.1"),
    ("prefix", "iop4d"), ("prefix", "//evil.example.org"), ("prefix", "/a b"), ("prefix", "/.."),
    ("prefix", "/"), ("prefix", "/a\\\\b"), ("prefix", "http://x/")])
def test_what_is_no_proxy_and_no_prefix_is_refused(own: Site, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"web.{key}( is|: expected)"):
        client_of(own, **{key: value})
