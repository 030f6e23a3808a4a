"""Every route by nobody, by every role and by every kind of token: one table says who may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import people, users
from iop4d.store.database import Database
from iop4d.web.app import create_app
from iop4d.web.policy import ACCESS, Access
from tests.support.stores import taken_away
from tests.web import observatory
from tests.web.conftest import OURS, add_account, enter
from tests.web.routes import path_of

#: What each may at most. A token never has more than its account, and no accounts at all.
MAY = {"nobody": Access.SITE, "viewer": Access.OWN, "observer": Access.OBSERVE,
       "editor": Access.EDIT, "admin": Access.ADMINISTER, "token read": Access.OWN,
       "token flag": Access.OBSERVE, "token edit": Access.EDIT,
       "token edit of a viewer": Access.OWN}

#: Who may change what at the least: written down again, so that no line of the policy is loosened
#: by mistake.
CHANGES = {
    "nobody": {"auth.enter", "auth.leave"},
    "viewer": {"accounts.password", "accounts.add_token", "accounts.revoke_token"},
    "observer": {"alerts.alert", "alerts.mute"},
    "editor": {"frames.retry", "rules.check", "rules.save", "rules.change", "drafts.save"},
    "admin": {"accounts.add", "accounts.change", "audit.take_back"}}
_ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}  # from this machine anybody may try frames again


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody who asks."""

    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)

    def status(self, rule: Rule, method: str, *, origin: bool = True) -> int:
        """The status that comes for a route."""
        headers = self.headers | (OURS if origin else {})
        with self.client.open(path_of(rule), method=method, headers=headers,
                              environ_base=_ELSEWHERE) as answer:
            return answer.status_code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("roles")
    made = observatory.site(root / "site", mailbox=root / "mails")
    (made.root / "iop4d.toml").write_text(
        '[[rule]]\nname = "bright"\ncondition = "mag < 13"\n', encoding="utf-8")
    observatory.fill(made)
    for role in Role:
        add_account(made, role.value)
        with Database(made.database).write() as tx:
            users.set_role(tx, role.value, role)
    return made


def callers(site: Site, app: Flask) -> dict[str, Caller]:
    """Everybody of the table, signed in to an application."""
    found = {"nobody": Caller(client=app.test_client())}
    for role in Role:
        found[role.value] = Caller(client=app.test_client())
        assert enter(found[role.value].client, name=role.value).status_code == 303
    with Database(site.database).write() as tx:
        now = time.time()
        tokens = {f"token {scope}": people.add_token(
            tx, "admin", f"{scope} {now}", scope, by="admin", now=now, ends_at=None)
            for scope in people.SCOPES}
        users.set_role(tx, "viewer", Role.EDITOR)
        tokens["token edit of a viewer"] = people.add_token(
            tx, "viewer", f"edit {now}", "edit", by="viewer", now=now, ends_at=None)
        users.set_role(tx, "viewer", Role.VIEWER)
    return found | {name: Caller(client=app.test_client(), headers={
        "Authorization": f"Bearer {sent}"}) for name, sent in tokens.items()}


@pytest.fixture(scope="module")
def stubbed(site: Site) -> tuple[Flask, dict[str, Caller]]:
    """The application with its policy and with views that do nothing, and everybody."""
    app = create_app(site)
    everybody = callers(site, app)
    for endpoint in app.view_functions:
        app.view_functions[endpoint] = lambda **_: "done"
    return app, everybody


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


@pytest.mark.parametrize("name", MAY)
def test_every_route_answers_or_refuses_as_the_table_says(
        name: str, stubbed: tuple[Flask, dict[str, Caller]]) -> None:
    app, everybody = stubbed
    wrong = []
    for rule, method in routes(app):
        status = everybody[name].status(rule, method)
        may = ACCESS[rule.endpoint] <= MAY[name]
        if name.startswith("token") and rule.endpoint.startswith("accounts."):
            may = False
        refused = (303, 401, 403) if name == "nobody" and method == "GET" else (403,)
        if status not in ((200,) if may else refused):
            wrong.append(f"{method} {rule.rule}: {status}")
    assert wrong == []


@pytest.mark.parametrize("name", MAY)
def test_nothing_is_changed_without_the_origin_of_our_pages_but_by_tokens(
        name: str, stubbed: tuple[Flask, dict[str, Caller]]) -> None:
    app, everybody = stubbed
    looked_at = 0
    for rule, method in routes(app):
        if method != "GET":
            looked_at += 1
            is_token = name.startswith("token") and not rule.endpoint.startswith("accounts.")
            may = is_token and ACCESS[rule.endpoint] <= MAY[name]
            status = everybody[name].status(rule, method, origin=False)
            assert status == (200 if may else 403), (method, rule)
    assert looked_at >= 14


def test_who_may_change_what_is_what_was_meant(stubbed: tuple[Flask, dict[str, Caller]]) -> None:
    app, _ = stubbed
    least = {Access.OPEN: "nobody", Access.OWN: "viewer", Access.OBSERVE: "observer",
             Access.EDIT: "editor", Access.ADMINISTER: "admin"}
    found: dict[str, set[str]] = {name: set() for name in CHANGES}
    for rule, method in routes(app):
        if method != "GET":
            found[least[ACCESS[rule.endpoint]]].add(rule.endpoint)
    assert {name: found[name] & CHANGES[name] for name in CHANGES} == CHANGES
    # What others add is at least for those who observe.
    assert found["nobody"] == CHANGES["nobody"]
    assert found["viewer"] == CHANGES["viewer"]


def test_a_token_that_was_revoked_or_expired_is_refused_everywhere(
        site: Site, stubbed: tuple[Flask, dict[str, Caller]]) -> None:
    app, _ = stubbed
    now = time.time()
    with Database(site.database).write() as tx:
        sent = [people.add_token(tx, "admin", name, "edit", by="admin", now=now - 9.0,
                                 ends_at=ends) for name, ends in (("gone", None), ("old", now - 1))]
        people.revoke_token(tx, "admin", "gone", by="admin", now=now)
    for token in (*sent, "iop4d_invented"):
        for rule, method in routes(app):
            caller = Caller(client=app.test_client(),
                            headers={"Authorization": f"Bearer {token}"})
            assert caller.status(rule, method) == 401, (method, rule)


@pytest.mark.parametrize("name", ["viewer", "admin", "token edit"])
def test_no_form_that_is_sent_empty_is_a_fault_of_the_program(name: str, site: Site) -> None:
    app = create_app(site)
    caller = callers(site, app)[name]
    for rule, method in routes(app):
        if method != "GET" and rule.endpoint not in ("auth.leave", "auth.enter"):
            status = caller.status(rule, method)
            assert status < 500 or status == 503, (method, rule)
            assert status != 200 or rule.endpoint in ("rules.check", "accounts.change"), rule


def test_a_token_s_last_use_is_kept(site: Site) -> None:
    app = create_app(site)
    with Database(site.database).write() as tx:
        sent = people.add_token(tx, "observer", "used", "read", by="observer", now=1.0,
                                ends_at=None)
    before = time.time()
    answer = app.test_client().get("/api/status", headers={"Authorization": f"Bearer {sent}"})
    assert answer.status_code == 200
    with Database(site.database, read_only=True).read() as db:
        (token,) = people.tokens(db, "observer")
        assert before <= token.used_at <= time.time()
        assert not people.use_is_old(db, token.token, time.time())
        assert people.use_is_old(db, token.token, time.time() + 601.0)


def test_a_token_is_not_called_unknown_while_the_database_cannot_be_read(site: Site) -> None:
    with Database(site.database).write() as tx:
        sent = people.add_token(tx, "admin", "program", "read", by="admin", now=time.time(),
                                ends_at=None)
    client = create_app(site).test_client()
    headers = {"Authorization": f"Bearer {sent}"}
    assert client.get("/api/v1/results", headers=headers).status_code == 200
    with taken_away(site.database):
        answer = client.get("/api/v1/results", headers=headers)
    assert answer.status_code == 503, answer.text
    assert "token" not in answer.text
