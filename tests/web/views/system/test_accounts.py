"""Accounts and tokens on the page: one's own, and for admins those of all."""

from __future__ import annotations

import html
import re
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import people, users
from iop4d.store.database import Database
from iop4d.store.schema import ApiToken, Audit
from iop4d.web.app import create_app
from tests.support.rows import rows
from tests.support.stores import contents
from tests.web.conftest import OURS, PASSWORD, add_account, enter

NEW = "battery staple"


@pytest.fixture
def site(empty: Site) -> Site:
    """Ana is the only admin, Ben an observer."""
    for name, role in (("Ana", Role.ADMIN), ("Ben", Role.OBSERVER)):
        add_account(empty, name)
        with Database(empty.database).write() as tx:
            users.set_role(tx, name, role)
    return empty


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


def browser(app: Flask, name: str) -> FlaskClient:
    client = app.test_client()
    assert enter(client, name=name).status_code == 303
    return client


def roles(site: Site) -> dict[str, str]:
    with Database(site.database, read_only=True).read() as db:
        return {name: role.value for name, role in users.roles(db).items()}


def post(client: FlaskClient, path: str, **form: str) -> tuple[int, str]:
    answer = client.post(path, headers=OURS, data=form)
    return answer.status_code, html.unescape(answer.text)


def test_an_admin_makes_an_account_whose_password_is_shown_once(app: Flask, site: Site) -> None:
    ana = browser(app, "Ana")
    code, page = post(ana, "/system/accounts", name="Eva", role="editor")
    shown = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert (code, shown is not None) == (200, True)
    assert shown is not None
    assert shown[1] not in ana.get("/system/accounts").text
    assert enter(app.test_client(), shown[1], "Eva").status_code == 303
    assert roles(site) == {"Ana": "admin", "Ben": "observer", "Eva": "editor"}
    code, page = post(ana, "/system/accounts", name="Leo", role="viewer", password=NEW)
    assert (code, "secret" in page, NEW in page) == (200, False, False)
    for form, said in (({"name": "Eva"}, "there is an account 'Eva' already"),
                       ({"name": ""}, "Expected a name"), ({"name": "x" * 61}, "too long"),
                       ({"name": "Kim", "role": "chief"}, "Unknown role 'chief'"),
                       ({"name": "Kim", "password": "short"}, "too short")):
        code, page = post(ana, "/system/accounts", **({"role": "viewer"} | form))
        assert (code, said.casefold() in page.casefold()) == (400, True), form


def test_a_role_a_password_and_an_account_are_changed_by_an_admin(app: Flask, site: Site) -> None:
    ana, ben = browser(app, "Ana"), browser(app, "Ben")
    assert post(ana, "/system/accounts/role", name="Ben", role="editor")[0] == 303
    assert "Your account" in ben.get("/account").text
    assert "editor" in ben.get("/account").text
    code, page = post(ana, "/system/accounts/password", name="Ben")
    shown = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert shown is not None
    assert ben.get("/account").status_code == 303  # its sessions ended
    assert enter(app.test_client(), shown[1], "Ben").status_code == 303
    assert post(ana, "/system/accounts/remove", name="Ben")[0] == 303
    assert roles(site) == {"Ana": "admin"}
    code, page = post(ana, "/system/accounts/remove", name="Ben")
    assert (code, "there is no account 'Ben'" in page or "There is no account" in page) == (
        400, True)


def test_the_only_admin_is_demoted_or_removed_only_after_a_warning(app: Flask, site: Site) -> None:
    ana = browser(app, "Ana")
    for act, form in (("role", {"role": "viewer"}), ("remove", {})):
        code, page = post(ana, f"/system/accounts/{act}", name="Ana", **form)
        assert (code, "is the only admin" in page, roles(site)["Ana"]) == (400, True, "admin")
        assert 'name="sure"' in page
    assert post(ana, "/system/accounts/role", name="Ana", role="viewer", sure="1")[0] == 303
    assert roles(site)["Ana"] == "viewer"
    assert ana.get("/system/accounts").status_code == 403


def test_one_s_own_password_is_changed_and_other_sessions_end(app: Flask) -> None:
    ben, elsewhere = browser(app, "Ben"), browser(app, "Ben")
    for form, said in (({"current": "wrong words"}, "The password is wrong"),
                       ({"new": "short", "again": "short"}, "too short"),
                       ({"again": "battery stable"}, "two new passwords differ")):
        code, page = post(ben, "/account/password",
                          **({"current": PASSWORD, "new": NEW, "again": NEW} | form))
        assert (code, said in page) == (400, True), form
        assert page.count("aria-invalid") == 1
    assert post(ben, "/account/password", current=PASSWORD, new=NEW, again=NEW)[0] == 303
    assert "every other session has ended" in ben.get("/account").text
    assert elsewhere.get("/account").status_code == 303
    assert enter(app.test_client(), name="Ben").status_code == 403
    assert enter(app.test_client(), NEW, "Ben").status_code == 303


def test_wrong_present_passwords_are_counted_as_when_signing_in(app: Flask) -> None:
    ben = browser(app, "Ben")
    said = [post(ben, "/account/password", current="guess", new=NEW, again=NEW)[1]
            for _ in range(11)]
    assert "too many wrong passwords" in said[-1].casefold()
    assert "too many" not in said[0].casefold()


def test_a_token_is_made_shown_once_and_works_until_it_is_revoked(app: Flask, site: Site) -> None:
    ben = browser(app, "Ben")
    page = ben.get("/account").text
    assert 'value="flag"' in page
    assert 'value="edit"' not in page  # beyond an observer
    assert post(ben, "/account/tokens", token="plots", scope="edit")[0] == 400
    _, page = post(ben, "/account/tokens", token="plots", scope="read", expires="30d")
    shown = re.search(r'<code class="secret">(iop4d_[^<]+)</code>', page)
    assert shown is not None
    (kept,) = rows(Database(site.database), ApiToken)
    assert kept.token == people.digest(shown[1])
    assert kept.ends_at == pytest.approx(time.time() + 30 * 86400, abs=60)
    sent = {"Authorization": f"Bearer {shown[1]}"}
    program = app.test_client()
    assert program.get("/api/status", headers=sent).status_code == 200
    assert program.get("/account", headers=sent).status_code == 403
    assert shown[1] not in ben.get("/account").text
    assert post(ben, "/account/tokens", token="plots", scope="read")[0] == 400
    assert post(ben, "/account/tokens/revoke", token="plots")[0] == 303
    assert program.get("/api/status", headers=sent).status_code == 401


def test_tokens_of_others_are_revoked_by_admins_alone(app: Flask, site: Site) -> None:
    ana, ben = browser(app, "Ana"), browser(app, "Ben")
    post(ana, "/account/tokens", token="robot", scope="edit", expires="")
    post(ben, "/account/tokens", token="plots", scope="read", expires="")
    assert post(ben, "/account/tokens/revoke", user="Ana", token="robot")[0] == 403
    assert "plots" in ana.get("/system/accounts").text
    assert post(ana, "/account/tokens/revoke", user="Ben", token="plots", admin="1")[0] == 303
    assert [token.name for token in rows(Database(site.database), ApiToken)] == ["robot"]
    assert post(ana, "/account/tokens/revoke", user="Ben", token="none")[0] == 404


def test_no_password_and_no_token_is_in_the_audit_or_the_database(app: Flask, site: Site) -> None:
    ana = browser(app, "Ana")
    _, page = post(ana, "/account/tokens", token="robot", scope="edit", expires="")
    shown = re.search(r"iop4d_[\w-]{20,}", page)
    assert shown is not None
    post(ana, "/account/password", current=PASSWORD, new=NEW, again=NEW)
    stored = b"".join(kept for _, kept in contents(site.database))
    for secret in (shown[0], NEW, PASSWORD):
        assert secret.encode() not in stored
    assert [row.act for row in rows(Database(site.database), Audit)] == ["add-token", "password"]
