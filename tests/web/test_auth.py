"""Signing in, and what it is for: acknowledging and muting, which the daemon then does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from iop4d.alerts import actions
from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.store import requests, status
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Mute, User
from iop4d.web import auth
from iop4d.web.app import create_app
from iop4d.web.views import alerts
from tests.web import observatory

OURS = {"Origin": "http://localhost"}
PASSWORD = "correct horse"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = observatory.site(tmp_path)
    observatory.fill(made)
    with Database(made.database).write():
        User.create(name="Ana", password=generate_password_hash(PASSWORD), made_at=0.0)
    return made


@pytest.fixture
def client(site: Site, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(alerts, "_SOON", 0.05)
    return create_app(site).test_client()


def enter(client: FlaskClient, password: str = PASSWORD, name: str = "Ana", back: str = "/alerts",
          ) -> Any:
    return client.post("/sign-in", headers=OURS,
                       data={"name": name, "password": password, "back": back})


def firing(site: Site) -> int:
    with Database(site.database, read_only=True).connected():
        return int(Alert.get(Alert.state == "firing").id)


def asked(site: Site) -> list[dict[str, Any]]:
    with Database(site.database, read_only=True).read() as db:
        return [request.content for request in requests.queued(db)]


def test_who_is_not_signed_in_looks_and_changes_nothing(client: FlaskClient, site: Site) -> None:
    page = client.get("/alerts")
    assert page.status_code == 200
    assert "<button" not in page.text
    assert client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS).status_code == 403
    assert client.post("/mutes", headers=OURS, data={"rule": "x"}).status_code == 403
    assert asked(site) == []


def test_an_alert_is_acknowledged_by_who_is_signed_in(client: FlaskClient, site: Site) -> None:
    answer = enter(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts")
    assert "Acknowledge" in client.get("/alerts").text
    number = firing(site)
    assert client.post(f"/alerts/{number}/acknowledge", headers=OURS,
                       data={"note": "ToO sent"}).status_code == 303
    (what,) = asked(site)
    with Database(site.database).write() as tx:
        said = actions.act(tx, what, now=time.time(), rules=["bright"])
        assert said.endswith("bright: 2200+420 R is acknowledged: no further reminders are sent.")
        alert = Alert.get_by_id(number)
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "Ana")
    page = client.get("/alerts").text
    assert "acknowledged by Ana" in page
    assert "ToO sent" in page


def test_an_alert_is_snoozed_and_a_source_muted(client: FlaskClient, site: Site) -> None:
    enter(client)
    client.post(f"/alerts/{firing(site)}/snooze", headers=OURS, data={"for": "3h"})
    client.post("/mutes", headers=OURS, data={"source": "BL Lac", "for": "2d"})
    for wrong in ({"source": "x", "for": "soon"}, {}):
        assert client.post("/mutes", headers=OURS, data=wrong).status_code == 400
    wanted = asked(site)
    with Database(site.database).write() as tx:
        said = [actions.act(tx, what, now=time.time(), rules=["bright"]) for what in wanted]
        assert "bright: 2200+420 R is snoozed until" in said[0]
        assert said[1].startswith("2200+420 is muted until")
        assert Alert.get(Alert.state == "snoozed").snoozed_until > time.time() + 3500
        assert Mute.get().by == "Ana"
    assert "Unmute" in client.get("/alerts").text


@pytest.mark.parametrize(("answer", "expected"), [
    ({"said": "#a1b2c3 is acknowledged"}, "#a1b2c3 is acknowledged"),
    ({"error": "the alert is over"}, "Not done: the alert is over"),
    (None, "The daemon has not answered the request yet.")])
def test_who_acts_is_told_what_became_of_it(
        answer: dict[str, str] | None, expected: str, client: FlaskClient, site: Site,
        hold_lock: Callable[[Site], object], monkeypatch: pytest.MonkeyPatch) -> None:
    hold_lock(site)
    enter(client)
    monkeypatch.setattr(alerts, "_answer", lambda *_: answer)
    client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS)
    assert expected in client.get("/alerts").text
    assert expected not in client.get("/alerts").text


@pytest.mark.parametrize("beat", ["stopped", "running", ""])
def test_who_acts_while_no_daemon_runs_is_told_so(client: FlaskClient, site: Site,
                                                  beat: str) -> None:
    with Database(site.database).write() as tx:
        status.beat(tx, status.heartbeat(tx) | {"state": beat} if beat else {})
    enter(client)
    client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS)
    page = client.get("/alerts").text
    assert "The daemon is not running. It carries out the request when it starts." in page
    assert len(asked(site)) == 1


def test_the_daemon_s_answer_is_waited_for(client: FlaskClient, site: Site,
                                           hold_lock: Callable[[Site], object],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    hold_lock(site)
    enter(client)
    monkeypatch.setattr(alerts, "_SOON", 10.0)

    def daemon() -> None:
        waiting: list[Any] = []
        database = Database(site.database)
        while not waiting:
            time.sleep(0.02)
            with database.read() as db:
                waiting = requests.queued(db)
        with database.write() as tx:
            requests.answer(tx, waiting[0].id, {"error": "no"})

    thread = threading.Thread(target=daemon)
    thread.start()
    client.post("/mutes", headers=OURS, data={"rule": "bright"})
    thread.join()
    assert "Not done: no" in client.get("/alerts").text


def test_a_mute_of_everything_can_be_ended(client: FlaskClient, site: Site) -> None:
    enter(client)
    with Database(site.database).write() as tx:
        actions.mute(tx, rule="", source="*", seconds=3600.0, by="Ana", now=time.time())
    assert "every rule until" in " ".join(client.get("/alerts").text.split())
    assert "All alerts are muted" in client.get("/").text
    assert client.get("/api/status").get_json()["muted"][0]["by"] == "Ana"
    client.post("/mutes", headers=OURS, data={"rule": "", "source": "", "end": "1"})
    wanted = asked(site)
    with Database(site.database).write() as tx:
        said = [actions.act(tx, what, now=time.time(), rules=["bright"]) for what in wanted]
    assert said == ["everything is unmuted."]
    assert "every rule until" not in " ".join(client.get("/alerts").text.split())
    assert "All alerts are muted" not in client.get("/").text


def test_a_mistyped_source_or_rule_is_not_muted_though_no_daemon_runs(client: FlaskClient,
                                                                      site: Site) -> None:
    enter(client)
    for wrong, said in (({"source": "BLLaz"}, "did you mean BL Lac"),
                        ({"rule": "brigth"}, "did you mean bright?")):
        answer = client.post("/mutes", headers=OURS, data=wrong)
        assert answer.status_code == 400
        assert said in answer.text
    assert asked(site) == []


def test_the_page_knows_a_rule_as_soon_as_the_site_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "iop4d.toml").write_text(FIRST, encoding="utf-8")
    site = load_site(tmp_path)
    observatory.fill(site)
    client = create_app(site, lambda: load_site(tmp_path)).test_client()
    assert "flares" not in client.get("/alerts").text
    (tmp_path / "iop4d.toml").write_text(
        f'{FIRST}\n[[rule]]\nname = "flares"\ncondition = "mag < 12"\n', encoding="utf-8")
    assert "flares" in client.get("/alerts").text
    (tmp_path / "iop4d.toml").write_text("[nonsense", encoding="utf-8")
    assert "flares" in client.get("/alerts").text


FIRST = """
[[archive]]
name = "t220"
path = "raw"
telescope = "CAHA-T220"
[[rule]]
name = "bright"
condition = "mag < 13"
"""


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
    assert asked(site) == []


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


def test_a_rule_is_tried_on_the_past_by_who_is_signed_in(client: FlaskClient) -> None:
    assert client.get("/rules/bright").status_code == 403
    enter(client)
    page = client.get("/rules/bright?since=365d").text
    assert "The rule would have fired" in page
    assert "Evaluated on" in page
    wrong = client.get("/rules/bright?condition=magnitude+%3C+3").text
    assert "unknown quantity &#39;magnitude&#39;" in wrong
    assert client.get("/rules/nobody").status_code == 404
    assert 'name="clear" value="mag &gt; 13.2"' in client.get("/rules/bright").text
    for asked_for, used in (("condition=mag+%3C+12.5", "mag &gt; 13.2"), ("clear=", ""),
                            ("condition=change+mag+%3C+-0.5", ""),
                            ("clear=mag+%3E+14&since=2025-01-31", "mag &gt; 14")):
        page = client.get(f"/rules/bright?{asked_for}").text
        assert f'name="clear" value="{used}"' in page
        assert "The rule would have fired" in page
    assert "can be met together" in client.get("/rules/bright?clear=mag+%3E+12").text


def test_a_rule_is_added_by_who_is_signed_in_and_a_wrong_one_is_refused(client: FlaskClient,
                                                                        site: Site) -> None:
    (site.root / "iop4d.toml").write_text("# ours\n", encoding="utf-8")
    rule = {"name": "flares", "source": "*", "band": "R", "condition": "change mag < -0.5",
            "clear": "", "severity": "high"}
    assert client.post("/rules", headers=OURS, data=rule).status_code == 403
    enter(client)
    wrong = client.post("/rules", headers=OURS, data=rule | {"condition": "mag < 3 mJy"})
    assert wrong.status_code == 400
    assert "does not apply" in wrong.text
    assert client.post("/rules", headers=OURS, data=rule).status_code == 303
    (what,) = asked(site)
    actions.add_rule(site.root, what["keys"])
    made = load_site(site.root).rule[-1]
    assert (made.name, made.condition, made.severity) == ("flares", "change mag < -0.5", "high")
