"""Who reads what: every route has a policy, and what is not for outsiders never reaches them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import users
from iop4d.store.database import Database
from iop4d.web import auth, stream
from iop4d.web.app import create_app
from iop4d.web.context import parts
from iop4d.web.policy import ACCESS, Access
from iop4d.web.reader import Read
from tests.web.conftest import DAEMON_SAYS, OURS, add_account, enter, execute, firing, requested
from tests.web.routes import path_of, routes

READS = {"everybody": Access.SITE, "results": Access.RESULTS, "signed-in": Access.OPEN}
#: What a page about a route's subject would show.
_PRIVATE = re.compile(r"BLLac-0|S50716-0|ana@example|t220|CAFOS|2200\+420|/raw/|mag < 13|87654321|"
                      r"BL Lac|Traceback")
_OF_RESULTS = re.compile(r"ana@example|mag < 13|87654321|Traceback|/raw/|previews/")


def app_of(site: Site, read: str) -> Flask:
    return create_app(replace(site, web=replace(site.web, read=read)))


def test_every_route_has_a_policy_and_every_policy_a_route(filled: Site) -> None:
    app = create_app(filled)
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ACCESS)
    for rule in routes(app, "POST"):
        assert ACCESS[rule.endpoint] in (Access.OWN, Access.OBSERVE, Access.EDIT, Access.ADMINISTER,
                                         Access.OPEN), rule


@pytest.mark.parametrize("read", READS)
def test_who_is_not_signed_in_reads_what_the_site_file_says_at_every_route(
        filled: Site, read: str) -> None:
    app = app_of(filled, read)
    client = app.test_client()
    refused = 0
    for rule in routes(app, "GET"):
        if rule.endpoint in ("api.live_stream", "api.bokeh_script", "metrics.metrics"):
            continue  # who reads metrics has a test of its own
        with client.get(path_of(rule)) as answer:
            text = answer.get_data().decode(errors="replace")
            allowed = ACCESS[rule.endpoint] <= READS[read]
            if not allowed:
                refused += 1
                is_program = rule.rule.startswith(("/api/", "/fragments/", "/events"))
                assert answer.status_code == (401 if is_program else 303), rule
                to = answer.headers.get("Location", "")
                if rule.endpoint == "tonight.live" and read == "results":
                    assert to == "/sources"
                elif not is_program:
                    assert to.startswith("/sign-in?back=/")
                assert not _PRIVATE.search(text), rule
            else:
                leads_on = rule.endpoint == "search.search"
                assert answer.status_code in ((303,) if leads_on else (200, 404, 503)), rule
            if read == "results" and answer.mimetype == "text/html":
                assert not _OF_RESULTS.search(text), rule
    assert (refused > 10) == (read != "everybody")
    assert client.get("/events").status_code == (200 if read == "everybody" else 401)


@pytest.mark.parametrize("read", ["results", "signed-in"])
def test_pages_of_errors_and_the_form_show_outsiders_nothing_of_the_site(filled: Site,
                                                                        read: str) -> None:
    client = app_of(filled, read).test_client()
    for path in ("/sign-in", "/nothing", "/frames/99999999999999999999", "/sign-in?back=/frames/1"):
        text = client.get(path).text
        assert not _PRIVATE.search(text), path
        assert 'href="/frames' not in text
        assert ('href="/sources"' in text) == (read == "results")
        assert "/failed" not in text


def test_who_is_signed_in_reads_everything_and_until_signing_out(own: Site) -> None:
    app = app_of(own, "signed-in")
    client = app.test_client()
    assert client.get("/frames/1").headers["Location"] == "/sign-in?back=/frames/1"
    assert enter(client, back="/frames/1").headers["Location"] == "/frames/1"
    for path in ("/", "/frames/1", "/frames/1/raw", "/api/status", "/fragments/health", "/alerts",
                 "/api/results", "/sources/1"):
        with client.get(path) as answer:
            assert answer.status_code == 200, path
    assert ">System<" in client.get("/").text
    client.post("/sign-out", headers=OURS)
    assert client.get("/frames/1").status_code == 303
    assert client.get("/api/results").status_code == 401


def test_outsiders_change_nothing_that_they_may_not_read(own: Site) -> None:
    client = create_app(replace(own, web=replace(own.web, read="results", allow_retry="all"),
                                )).test_client()
    for path in ("/frames/25/retry", f"/alerts/{firing(own)}/acknowledge", "/mutes", "/rules"):
        assert client.post(path, headers=OURS).status_code == 403
    assert requested(own) == []


def test_results_show_names_of_files_but_not_their_folders(own: Site) -> None:
    add_account(own, "Ben")
    outsider, ana = (app_of(own, "results").test_client() for _ in range(2))
    enter(ana)
    for path in ("/results/1", "/api/results/1"):
        assert str(own.root) not in outsider.get(path).text
        assert str(own.root) in ana.get(path).text
        assert "BLLac-0000R.fit" in outsider.get(path).text


def test_a_route_that_is_forgotten_in_the_table_is_for_admins_alone(own: Site) -> None:
    app = app_of(own, "results")
    app.add_url_rule("/new", "new", lambda: "secret")
    client: FlaskClient = app.test_client()
    assert client.get("/new").status_code == 303
    enter(client)
    assert client.get("/new").status_code == 403
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.ADMIN)
    assert client.get("/new").text == "secret"


def test_the_banner_stands_on_pages_with_results(filled: Site) -> None:
    client = app_of(filled, "results").test_client()
    assert client.get("/fragments/banner").status_code == 200
    assert client.get("/fragments/health").status_code == 401


def test_the_script_asks_for_nothing_where_outsiders_read_nothing() -> None:
    script = (Path(auth.__file__).parent / "static" / "live.js").read_text(encoding="utf-8")
    assert "if (!indicator) return;" in script


def _ended(client: FlaskClient, end: Callable[[], object]) -> bool:
    """Whether an open live stream ends by itself after something happened."""
    with client.get("/events", buffered=False) as answer:
        assert answer.status_code == 200
        lines = iter(answer.response)
        assert next(lines).startswith(b"retry: ")
        assert next(lines) in (b": \n\n", _BEAT)
        end()
        return len(list(islice(lines, 30))) < 30


_BEAT = b'event: beat\ndata: {"daemon":"silent"}\n\n'


@pytest.mark.parametrize("what", ["sign-out", "account", "policy", "nothing"])
def test_an_open_stream_ends_with_the_right_to_read_it(
        what: str, own: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ASK_SECONDS", "_HEARTBEAT_SECONDS", "_LOOK_SECONDS"):
        monkeypatch.setattr(stream, name, 0.02)
    app = app_of(own, "everybody" if what == "policy" else "signed-in")
    client = app.test_client()
    if what != "policy":
        enter(client)
    cookie = client.get_cookie("iop4d")

    def sign_out() -> None:
        other = app.test_client()
        assert cookie is not None
        other.set_cookie("iop4d", cookie.value)
        other.post("/sign-out", headers=OURS)

    def remove() -> None:
        with Database(own.database).write() as tx:
            users.remove(tx, "Ana")

    def restrict() -> None:
        file = parts(app).file
        file._read = Read(site=replace(own, web=replace(own.web, read="signed-in")))

    end = {"sign-out": sign_out, "account": remove, "policy": restrict, "nothing": lambda: None}
    assert _ended(client, end[what]) == (what != "nothing")
    parts(app).hub.close()


@pytest.mark.parametrize("read", READS)
def test_the_reason_of_the_health_check_is_for_who_may_read_the_site(
        own: Site, read: str) -> None:
    execute(own, DAEMON_SAYS, json.dumps(
        {"beat_at": 1.0, "state": "running", "trouble": "/home/x/y.py failed"}))
    client = app_of(own, read).test_client()
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json["daemon"]
    assert ("trouble" in answer.json) == (read == "everybody")
    enter(client)
    assert client.get("/healthz").json["trouble"] == "/home/x/y.py failed"
