"""Signing in, and what needs it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.web import auth
from iop4d.web.app import create_app
from tests.web.conftest import OURS, PASSWORD, enter, firing, requested


@pytest.fixture
def site(own: Site) -> Site:
    return own


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_who_is_not_signed_in_looks_and_changes_nothing(client: FlaskClient, site: Site) -> None:
    page = client.get("/alerts")
    assert page.status_code == 200
    assert "<button" not in page.text
    assert client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS).status_code == 403
    assert client.post("/mutes", headers=OURS, data={"rule": "x"}).status_code == 403
    assert requested(site) == []


def test_a_wrong_password_is_refused_and_many_are_put_off(client: FlaskClient) -> None:
    for _ in range(5):
        assert enter(client, "wrong").status_code == 403
    assert enter(client).status_code == 429
    assert enter(client, name="nobody").status_code == 403


def test_wrong_passwords_are_forgotten_and_of_many_names_only_the_latest_are_known() -> None:
    now = 0.0
    tried = auth.WrongPasswords(most=100, clock=lambda: now)
    for index in range(1000):
        tried.add(f"name {index}")
    for _ in range(5):
        tried.add("name 999")
    assert len(tried) == 100
    assert tried.are_too_many("name 999")
    assert not tried.are_too_many("name 998")
    now = 61.0
    assert not tried.are_too_many("name 999")
    tried.add("another")
    assert len(tried) == 1


def test_each_site_counts_wrong_passwords_for_itself(client: FlaskClient, site: Site) -> None:
    for _ in range(5):
        enter(client, "wrong")
    assert enter(client).status_code == 429
    assert enter(create_app(site).test_client()).status_code == 303


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


@pytest.mark.parametrize("back", ["https://evil.example.org", "//evil.example.org", "/\\evil", ""])
def test_nobody_is_sent_elsewhere(client: FlaskClient, back: str) -> None:
    assert enter(client, back=back).headers["Location"] == "/"


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
