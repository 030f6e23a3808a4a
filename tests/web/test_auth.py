"""Signing in, and what needs it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import Forbidden
from werkzeug.security import generate_password_hash

from iop4d.config import Site, SiteInfo
from iop4d.model.states import Role
from iop4d.store import users
from iop4d.store.database import Database
from iop4d.web import api, auth
from iop4d.web.app import create_app
from tests.web import observatory
from tests.web.conftest import OURS, PASSWORD, add_account, enter, firing, requested


@pytest.fixture
def site(own: Site) -> Site:
    return own


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_who_is_not_signed_in_looks_and_changes_nothing(client: FlaskClient, site: Site) -> None:
    page = client.get("/alerts")
    assert page.status_code == 200
    assert re.findall(r"<button[^>]*>", page.text) == [
        '<button type="button" id="print" class="link" hidden>']  # by which nothing is changed
    assert client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS).status_code == 403
    assert client.post("/mutes", headers=OURS, data={"rule": "x"}).status_code == 403
    assert requested(site) == []


def test_a_wrong_password_is_refused_and_many_are_put_off(client: FlaskClient) -> None:
    for _ in range(5):
        assert enter(client, "wrong").status_code == 403
    answer = enter(client)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert enter(client, name="nobody").status_code == 403


def test_each_site_counts_wrong_passwords_for_itself(client: FlaskClient, site: Site) -> None:
    for _ in range(5):
        enter(client, "wrong")
    assert enter(client).status_code == 429
    assert enter(create_app(site).test_client()).status_code == 303


def from_(address: str, client: FlaskClient, password: str) -> int:
    data = {"name": "Ana", "password": password}
    return client.post("/sign-in", headers=OURS, data=data,
                       environ_overrides={"REMOTE_ADDR": address}).status_code


def test_who_tries_wrong_passwords_locks_nobody_out(site: Site) -> None:
    app = create_app(site)
    for _ in range(12):
        from_("203.0.113.9", app.test_client(), "wrong")
    assert from_("203.0.113.9", app.test_client(), PASSWORD) == 429
    assert from_("198.51.100.1", app.test_client(), PASSWORD) == 303


def test_who_signed_in_before_enters_from_the_address_and_the_browser_of_then(site: Site) -> None:
    app = create_app(site)
    browser = app.test_client()
    assert from_("198.51.100.1", browser, PASSWORD) == 303
    browser.post("/sign-out", headers=OURS)
    for _ in range(6):
        from_("203.0.113.9", app.test_client(), "wrong")
        from_("198.51.100.1", app.test_client(), "wrong")
    assert from_("198.51.100.1", create_app(site).test_client(), PASSWORD) == 303
    assert from_("198.51.100.1", app.test_client(), PASSWORD) == 303
    assert from_("203.0.113.9", app.test_client(), PASSWORD) == 429
    assert from_("203.0.113.9", browser, PASSWORD) == 303


def test_a_form_of_any_size_is_refused_before_it_is_read(client: FlaskClient) -> None:
    for data in ({"name": "x" * 4_000_000}, {"name": "Ana", "password": "x" * 100_000}):
        assert client.post("/sign-in", headers=OURS, data=data).status_code == 413
    assert enter(client, name="x" * 2000).status_code == 403
    assert enter(client, "x" * 2000).status_code == 403


def signed_in_still(site: Site, cookie: str) -> bool:
    copy = create_app(site).test_client()
    copy.set_cookie("iop4d", cookie)
    changed = copy.post("/mutes", headers=OURS, data={"source": "*"}).status_code
    return (changed, "Sign out" in copy.get("/alerts").text) == (303, True)


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("iop4d")
    assert cookie is not None
    return str(cookie.value)


def test_a_session_ends_with_the_account_the_password_and_on_signing_out_for_copies_too(
        site: Site) -> None:
    database = Database(site.database)

    def changed(how: str, client: FlaskClient) -> None:
        if how == "out":
            client.post("/sign-out", headers=OURS)
            return
        with database.write() as tx:
            if how == "password":
                quick = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1")
                users.save(tx, "Ana", quick, now=0.0)
            else:
                users.remove(tx, "Ana")

    for how in ("out", "password", "account"):
        client, other = create_app(site).test_client(), create_app(site).test_client()
        enter(client)
        enter(other)
        cookie = cookie_of(client)
        assert signed_in_still(site, cookie)
        changed(how, client)
        assert not signed_in_still(site, cookie), how
        assert signed_in_still(site, cookie_of(other)) == (how == "out")
    add_account(site)
    assert not signed_in_still(site, cookie), "an account of the same name is another account"


def test_a_cookie_of_before_with_the_name_alone_lets_nobody_in(site: Site) -> None:
    app = create_app(site)
    client = app.test_client()
    with client.session_transaction() as session:
        session["name"] = "Ana"
    assert client.post("/mutes", headers=OURS, data={"source": "*"}).status_code == 403


def test_a_session_is_over_after_two_weeks_whatever_the_cookie_says(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = create_app(site).test_client()
    enter(client)
    cookie, now = cookie_of(client), time.time()
    monkeypatch.setattr(auth.time, "time", lambda: now + 13.9 * 86400)
    assert signed_in_still(site, cookie)
    monkeypatch.setattr(auth.time, "time", lambda: now + 14.1 * 86400)
    assert not signed_in_still(site, cookie)


def test_the_database_keeps_no_cookie_and_few_sessions(site: Site) -> None:
    client = create_app(site).test_client()
    enter(client)
    with client.session_transaction() as session:
        token = session["token"]
    database = Database(site.database)
    with database.write() as tx:
        assert all(token not in str(row) for row in tx.rows('SELECT * FROM "websession"'))
        hashed = users.password_of(tx, "Ana")
        assert hashed is not None
        for number in range(60):
            assert users.open_session(tx, "Ana", hashed, token=f"t{number}", address="a",
                                      ends_at=2.0, now=1.0)
        assert tx.rows('SELECT COUNT(*) FROM "websession"') == [(50,)]
        assert users.person_of_session(tx, "t59", 1.0) == users.Person(
            name="Ana", role=Role.EDITOR)
        assert not users.open_session(tx, "Ana", "another", token="x", address="a", ends_at=2.0,
                                      now=1.0)


def test_a_form_of_another_page_is_refused(client: FlaskClient, site: Site) -> None:
    enter(client)
    path = f"/alerts/{firing(site)}/acknowledge"
    assert client.post(path, headers={"Origin": "https://evil.example.org"}).status_code == 403
    assert client.post(path).status_code == 403
    assert client.post("/sign-in", data={"name": "Ana", "password": PASSWORD}).status_code == 403
    assert requested(site) == []


@pytest.mark.parametrize(("name", "status"), [
    ("evil.example.org", 403), ("evil.example.org:8765", 403), ("localhost", 303),
    ("localhost:8765", 303), ("127.0.0.1:8765", 303), ("[::1]:8765", 303)])
def test_a_foreign_name_that_points_to_this_machine_is_refused(client: FlaskClient, name: str,
                                                               status: int) -> None:
    answer = client.post("/sign-in", base_url=f"http://{name}", headers={"Origin": f"http://{name}"},
                         data={"name": "Ana", "password": PASSWORD})
    assert answer.status_code == status


_ELSEWHERE = (
    "https://evil.example.org", "//evil.example.org", "/\\evil", "", "/\t/evil.example.org",
    "/\n/evil.example.org", "/\r\nSet-Cookie: a=b", "\t//evil.example.org",
    "/\\\t/evil.example.org",
    "javascript:alert(1)", "http:evil.example.org", "///evil.example.org", "/%09/evil.example.org",
    "/x//evil.example.org", "/./../evil", "evil.example.org", "/sources/\x00", "/nothing", "/[",
    "//[", "/alerts\\@evil.example.org", "/\u2028/evil.example.org", "/mutes", "/sources/\ud800")


def test_nobody_is_sent_elsewhere(site: Site) -> None:
    app = create_app(site)
    with app.test_request_context():
        assert auth.page_of_ours("/sources?endpoint=x&tag=TeV") == "/sources?tag=TeV"
        for back in _ELSEWHERE:
            assert auth.page_of_ours(back) == "/", back
    client = app.test_client()
    assert enter(client, back=_ELSEWHERE[4]).headers["Location"] == "/"
    for back in ("/%09/evil.example.org", "/%0a/evil.example.org", "//evil.org"):
        assert 'name="back" value="/"' in client.get(f"/sign-in?back={back}").text


def test_who_signed_in_is_back_on_the_page_of_before(site: Site) -> None:
    with create_app(site).test_request_context():
        for back, to in (
                ("/alerts", "/alerts"), ("/sources/BL Lac", "/sources/BL%20Lac"),
                ("/frames/1", "/frames/1"), ("/sources/π", "/sources/%CF%80"),
                ("/sources/a//evil.example.org", "/sources/a//evil.example.org"),
                ("/alerts?page=2", "/alerts?page=2")):
            assert auth.page_of_ours(back) == to


@pytest.mark.parametrize(("url", "host", "origin", "ours"), [
    ("", "localhost:8765", "https://localhost:8765", False),
    ("", "localhost:80", "http://localhost", True),
    ("https://obs.example.org/iop4d/", "127.0.0.1:8765", "https://obs.example.org", True),
    ("https://obs.example.org/iop4d/", "obs.example.org", "https://obs.example.org", True),
    ("https://obs.example.org/iop4d/", "127.0.0.1:8765", "http://obs.example.org", False),
    ("https://obs.example.org/iop4d/", "127.0.0.1:8765", "https://obs.example.org:444", False),
    ("https://obs.example.org/iop4d/", "evil.org", "http://evil.org", False),
    ("", "localhost", "http://[", False), ("", "localhost", "http://localhost:x", False),
    ("", "localhost", "null", False), ("", "localhost", "", False)])
def test_a_form_comes_from_the_same_scheme_name_and_port_or_from_the_sites_own_url(
        tmp_path: Path, url: str, host: str, origin: str, ours: bool) -> None:
    app = create_app(Site(root=tmp_path, site=SiteInfo(url=url)))
    with app.test_request_context(base_url=f"http://{host}", headers={"Origin": origin}):
        if ours:
            auth.refuse_other_pages()
        else:
            with pytest.raises(Forbidden):
                auth.refuse_other_pages()


def test_the_form_is_there_before_a_database_is(tmp_path: Path) -> None:
    client = create_app(observatory.site(tmp_path / "new")).test_client()
    page = client.get("/sign-in")
    assert (page.status_code, 'type="password"' in page.text) == (200, True)
    assert "iop4d users add" in page.text
    answer = enter(client)
    assert answer.status_code == 403
    assert "There is no account yet" in answer.text


def test_signing_out_ends_it_and_the_cookie_is_for_us_alone(client: FlaskClient,
                                                            site: Site) -> None:
    cookie = enter(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    client.post("/sign-out", headers=OURS)
    assert client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS).status_code == 403


def test_a_session_outlives_a_restart_and_the_key_is_readable_by_its_owner_alone(
        client: FlaskClient, site: Site) -> None:
    cookie = enter(client).headers["Set-Cookie"].split(";")[0]
    again = create_app(site).test_client()
    again.set_cookie("iop4d", cookie.partition("=")[2])
    assert "Sign out" in again.get("/alerts").text
    assert (site.root / "web.key").stat().st_mode & 0o077 == 0


def test_a_session_lasts_for_two_weeks(site: Site) -> None:
    assert create_app(site).permanent_session_lifetime.total_seconds() == 14 * 86400


@pytest.mark.parametrize("path", [
    f"/assets/bokeh-{api.BOKEH}.min.js", "/static/live.js", "/frames/1/preview.png",
    "/frames/1/thumbnail.jpg", "/"])
def test_no_answer_but_that_to_the_form_sets_the_cookie(client: FlaskClient, path: str) -> None:
    """What browsers and caches keep must hand nobody another's session."""
    assert "Set-Cookie" in enter(client).headers
    with client.get(path) as answer:
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        if "public" in answer.headers["Cache-Control"]:
            assert "Cookie" not in answer.vary
    assert "sign-out" in client.get("/").text


@pytest.mark.parametrize(("path", "said"), [
    ("/frames/1/raw", "private, no-cache"), ("/static/live.js", "no-cache")])
def test_no_shared_cache_keeps_a_file_of_the_site(client: FlaskClient, path: str,
                                                  said: str) -> None:
    with client.get(path) as answer:
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, said)
