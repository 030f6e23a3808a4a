"""The audit: every change on the page is kept, found again, and undone where that is possible."""

from __future__ import annotations

import html
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.alerts import rule_edits
from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.model.states import Role
from iop4d.store import (
    audit,
    catalogue,
    catalogue_changes,
    flagging,
    requests,
    results,
    users,
)
from iop4d.store.database import Database
from iop4d.store.schema import Audit, Mute
from iop4d.web import answers
from iop4d.web.app import create_app
from iop4d.web.policy import ACCESS, Access
from tests.support.rows import rows
from tests.web.conftest import OURS, add_account, enter, firing

SITE = '[[rule]]\nname = "bright"\ncondition = "mag < 13.0"\nconfirm = 3\n'
RULE = {"name": "flares", "condition": "change mag < -0.5", "source": "BL Lac"}


@pytest.fixture
def site(own: Site) -> Site:
    (own.root / "iop4d.toml").write_text(SITE, encoding="utf-8")
    add_account(own, "Ben")
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.ADMIN)
        users.set_role(tx, "Ben", Role.VIEWER)
    return own


@pytest.fixture
def client(site: Site, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(answers, "_SOON", 0.05)
    made = create_app(site, lambda: load_site(site.root)).test_client()
    enter(made)
    return made


def carry_out(site: Site) -> None:
    """Do as the daemon does what is requested about rules."""
    handler = rule_edits.RuleRequests(site.root, time.time, None)
    with Database(site.database).write() as tx:
        for request in requests.queued(tx):
            requests.answer(tx, request.id, handler.act(tx, handler.prepare(request.content)))


#: Every change that the page makes by itself or has the daemon make: the endpoint, its address, the
#: form, and the act and the subject in the audit.
ACTS: list[tuple[str, str, dict[str, str], str, str]] = [
    ("alerts.alert", "/alerts/{alert}/snooze", {"for": "3h"}, "snooze", "alert {alert}"),
    ("alerts.alert", "/alerts/{alert}/acknowledge", {"note": "ToO"}, "acknowledge",
     "alert {alert}"),
    ("alerts.mute", "/mutes", {"rule": "bright", "for": "2d"}, "mute", "mute bright"),
    ("alerts.mute", "/mutes", {"rule": "bright", "source": "", "end": "1"}, "unmute",
     "mute bright"),
    ("rules.save", "/rules", RULE, "add-rule", "rule flares"),
    ("rules.save", "/rules", RULE | {"of": "flares", "confirm": "4"}, "change-rule", "rule flares"),
    ("rules.change", "/rules/flares", {"act": "disable"}, "change-rule", "rule flares"),
    ("rules.change", "/rules/flares", {"act": "remove"}, "remove-rule", "rule flares"),
    ("accounts.add", "/system/accounts", {"name": "Eva", "role": "viewer"}, "add-account",
     "account Eva"),
    ("accounts.change", "/system/accounts/role", {"name": "Eva", "role": "editor"}, "role",
     "account Eva"),
    ("accounts.change", "/system/accounts/password", {"name": "Eva"}, "password", "account Eva"),
    ("accounts.change", "/system/accounts/remove", {"name": "Eva"}, "remove-account",
     "account Eva"),
    ("accounts.add_token", "/account/tokens", {"token": "t", "scope": "read"}, "add-token",
     "token Ana: t"),
    ("accounts.revoke_token", "/account/tokens/revoke", {"token": "t"}, "revoke-token",
     "token Ana: t"),
    ("audit.take_back", "/system/audit/{role}/undo", {}, "role", "account Eva"),
    ("accounts.password", "/account/password",
     {"current": "correct horse", "new": "battery staple", "again": "battery staple"}, "password",
     "account Ana"),
]
#: Changes that have a test of their own, and what is none.
_ELSEWHERE = {"drafts.save", "rules.check", "auth.enter", "auth.leave"}


def test_every_change_on_the_page_is_a_row_of_the_audit(client: FlaskClient, site: Site) -> None:
    alert, role = firing(site), 0
    for number, (_, path, form, act, subject) in enumerate(ACTS):
        if "{role}" in path:
            client.post("/system/accounts", headers=OURS, data={"name": "Eva", "role": "viewer"})
            client.post("/system/accounts/role", headers=OURS,
                        data={"name": "Eva", "role": "observer"})
            role = rows(Database(site.database), Audit)[-1].id
        before = len(rows(Database(site.database), Audit))
        answer = client.post(path.format(alert=alert, role=role), headers=OURS, data=form)
        assert answer.status_code in (200, 303), (number, path, answer.text)
        carry_out(site)
        made = rows(Database(site.database), Audit)[before:]
        assert [(row.by, row.act, row.subject) for row in made] == [
            ("Ana", act, subject.format(alert=alert))], (number, path)
        assert made[0].at == pytest.approx(time.time(), abs=60)


def test_no_change_of_alerts_rules_and_people_is_forgotten_in_that_table(
        client: FlaskClient) -> None:
    mine = {endpoint for endpoint in ACCESS
            if endpoint.partition(".")[0] in ("alerts", "rules", "accounts", "audit")}
    changes = {rule.endpoint for rule in client.application.url_map.iter_rules()
               if "POST" in (rule.methods or ())}
    assert (mine & changes) - _ELSEWHERE == {act[0] for act in ACTS}
    assert all(ACCESS[endpoint] > Access.SITE for endpoint in mine & changes)


def fill(site: Site) -> None:
    with Database(site.database).write() as tx:
        for number in range(120):
            audit.record(tx, at=1_700_000_000.0 + 86400.0 * number, by=("Ana", "bot")[number % 2],
                         act=("flag", "catalogue")[number % 2], subject=f"result {number}",
                         was={"mag": 13.0, "note": "<b>old</b>"}, now={"mag": 12.5},
                         why=f"reason {number}")


def listed(client: FlaskClient, query: str = "") -> list[int]:
    page = client.get(f"/system/audit{query}").text
    return [int(found) for found in re.findall(r"reason (\d+)<", page)]


def test_changes_are_found_by_who_what_and_when(client: FlaskClient, site: Site) -> None:
    fill(site)
    assert listed(client) == list(range(119, 69, -1))
    older = re.search(r'rel="next" href="([^"]+)"', client.get("/system/audit").text)
    assert older is not None
    assert listed(client, html.unescape(older[1])) == list(range(69, 19, -1))
    assert listed(client, "?by=bot") == list(range(119, 19, -2))
    assert listed(client, "?act=flag&since=2024-03-01") == [118, 116, 114, 112, 110, 108]
    assert listed(client, "?until=2023-11-16") == listed(client, "?until=20231116") == [2, 1, 0]
    assert listed(client, "?subject=result+11") == [*range(119, 109, -1), 11]
    page = client.get("/system/audit").text
    assert "&lt;b&gt;old&lt;/b&gt;" in page
    assert '<a href="/results/119">result 119</a>' in page
    assert "since:" in client.get("/system/audit?since=soon").text
    assert "No such change." in client.get("/system/audit?by=nobody").text


def undo(client: FlaskClient, id_: int) -> str:
    assert client.post(f"/system/audit/{id_}/undo", headers=OURS).status_code == 303
    return html.unescape(client.get("/system/audit").text)


def last(site: Site) -> Audit:
    return rows(Database(site.database), Audit)[-1]


def test_a_mute_and_its_end_are_undone(client: FlaskClient, site: Site) -> None:
    client.post("/mutes", headers=OURS, data={"source": "BL Lac", "for": "2d"})
    assert "2200+420 is unmuted." in undo(client, last(site).id)
    assert rows(Database(site.database), Mute, Mute.until > time.time()) == []
    assert "is muted again" in undo(client, last(site).id)
    (mute,) = rows(Database(site.database), Mute, Mute.until > time.time())
    assert mute.until == pytest.approx(time.time() + 2 * 86400, abs=60)


def test_undoing_a_mute_leaves_another_of_the_same_names(client: FlaskClient, site: Site) -> None:
    client.post("/mutes", headers=OURS, data={"source": "BL Lac", "for": "3h"})
    first = last(site).id
    client.post("/mutes", headers=OURS, data={"source": "BL Lac", "for": "1w"})
    assert "2200+420 is unmuted." in undo(client, first)
    (kept,) = rows(Database(site.database), Mute, Mute.until > time.time())
    assert kept.until == pytest.approx(time.time() + 7 * 86400, abs=60)
    assert "this mute has ended already" in undo(client, first)


def test_a_role_is_undone_unless_it_is_another_since(client: FlaskClient, site: Site) -> None:
    def give(role: str) -> int:
        client.post("/system/accounts/role", headers=OURS, data={"name": "Ben", "role": role})
        return last(site).id

    first, second = give("editor"), give("admin")
    assert "Not undone: Ben has another role since" in undo(client, first)
    assert "The role of Ben is editor again." in undo(client, second)


def test_changes_of_rules_are_undone_by_the_daemon(client: FlaskClient, site: Site) -> None:
    def rules() -> list[Any]:
        return [(rule.name, rule.confirm) for rule in load_site(site.root).rule]

    for path, form, now in (
            ("/rules", RULE | {"of": "bright", "name": "brighter"}, [("brighter", 2)]),
            ("/rules/bright", {"act": "remove"}, []),
            ("/rules", RULE, [("bright", 3), ("flares", 2)])):
        client.post(path, headers=OURS, data=form)
        carry_out(site)
        assert rules() == now
        undo(client, last(site).id)
        carry_out(site)
        assert rules() == [("bright", 3)]
    client.post("/rules/bright", headers=OURS, data={"act": "disable"})
    carry_out(site)
    change = last(site).id
    client.post("/rules", headers=OURS, data=RULE | {"of": "bright", "name": "bright"})
    carry_out(site)
    assert "was changed since" in undo(client, change)


def test_what_cannot_be_undone_says_so(client: FlaskClient, site: Site) -> None:
    client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS)
    change = last(site).id
    assert f"/system/audit/{change}/undo" not in client.get("/system/audit").text
    assert "cannot be undone here" in undo(client, change)
    assert client.post("/system/audit/99999/undo", headers=OURS).status_code == 404


def test_flags_that_another_set_are_as_before_and_the_catalogue_has_its_own_page(
        site: Site, client: FlaskClient) -> None:
    with Database(site.database).write() as tx:
        flagging.set_flag(tx, [1, 2], "clouds", note="thin cirrus", by="Ben", now=1700000000.0)
        source = catalogue.find(tx, "BL Lac")
        change = catalogue_changes.edit(tx, source, replace(source, note="a blazar"), by="Ben",
                                        at=1700000001.0)
    page = client.get("/system/audit").text
    assert f'href="/catalogue/changes/{change}"' in page
    flagged = next(row for row in rows(Database(site.database), Audit) if row.subject == "result 1")
    undo = f"/system/audit/{flagged.id}/undo"
    assert undo in page
    said = client.post(undo, headers=OURS, follow_redirects=True).text
    assert "The flags of 2 results are as before" in said
    with Database(site.database, read_only=True).read() as db:
        assert [results.find(db, id_).human_flags for id_ in (1, 2)] == [[], []]
    newest = rows(Database(site.database), Audit)[-1]
    assert (newest.act, newest.by) == (flagging.UNDONE, "Ana")
    again = client.post(undo, headers=OURS, follow_redirects=True).text
    assert "undone already" in again
