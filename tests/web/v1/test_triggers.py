"""Triggers over the API: who may post one, what it answers, and what is refused."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.model.states import Role
from iop4d.store import catalogue, people, triggers
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database
from iop4d.store.schema import Audit
from iop4d.store.trigger_table import Trigger
from iop4d.web.app import create_app
from tests.support.rows import rows
from tests.web.conftest import add_account
from tests.web.v1.test_v1 import STRANGE


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one source."""
    made = parse_site("", root=tmp_path)
    with Database(made.database).write() as tx:
        catalogue.save(tx, parse("name,other_names,ra,dec,kind\n"
                                 "2200+420,BL Lac,330.68,42.28,target\n"))
    add_account(made, "ana")
    return made


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def token(site: Site, scope: str) -> str:
    with Database(site.database).write() as tx:
        return people.add_token(tx, "ana", scope, scope, by="ana", now=time.time(), ends_at=None)


def post(client: FlaskClient, sent: str, body: Any) -> TestResponse:
    return client.post("/api/v1/triggers", headers={"Authorization": f"Bearer {sent}"},
                       data=body if isinstance(body, bytes) else json.dumps(body))


def test_a_trigger_is_posted_listed_and_known_when_it_comes_again(
        site: Site, client: FlaskClient) -> None:
    sent = token(site, "trigger")
    body = {"source": "BL Lac", "id": 17, "text": "bright in the X-rays", "hours": 5}
    first, again = post(client, sent, body), post(client, sent, body)
    assert (first.status_code, again.status_code) == (201, 200)
    made = first.get_json()
    assert made["content"] == json.dumps(body)
    assert (made["state"], made["origin"]) == ("accepted", "account ana")
    assert made["until"] == pytest.approx(time.time() + 5 * 3600, abs=60)
    (listed,) = client.get("/api/v1/triggers?source=BL%20Lac&columns=all").get_json()["rows"]
    assert listed == {name: made[name] for name in listed}
    assert client.get(f"/api/v1/triggers/{made['id']}").get_json() == made
    (change,) = rows(Database(site.database), Audit, Audit.act == "add-trigger")
    assert (change.by, change.subject, change.why) == (
        "ana", f"trigger {made['id']}", "bright in the X-rays")
    page = client.get("/data/triggers").text
    assert "bright in the X-rays" in page


def test_a_token_of_its_scope_posts_and_reads_and_does_nothing_else(
        site: Site, client: FlaskClient) -> None:
    sent = token(site, "trigger")
    headers = {"Authorization": f"Bearer {sent}"}
    assert client.get("/api/v1/results", headers=headers).status_code == 200
    assert client.post("/results/flag", headers=headers).status_code in (403, 404)
    assert client.post("/alerts/mute", headers=headers).status_code in (403, 404, 405)
    assert post(client, token(site, "read"), {"source": "BL Lac"}).status_code == 403
    assert client.post("/api/v1/triggers", json={"source": "BL Lac"}).status_code in (401, 403)
    with Database(site.database).write() as tx:  # nor more than its account
        people.set_role(tx, "ana", Role.VIEWER, by="ben", now=0.0)
    assert post(client, sent, {"source": "BL Lac"}).status_code == 403
    assert rows(Database(site.database), Trigger) == []


def test_an_unknown_source_is_no_error_and_what_is_no_notice_is_answered_with_the_reason(
        site: Site, client: FlaskClient) -> None:
    sent = token(site, "flag")
    unknown = post(client, sent, {"source": "Nova 1"})
    assert (unknown.status_code, unknown.get_json()["state"]) == (201, "not in the catalogue")
    wrong = post(client, sent, {"ra": 400, "dec": 0})
    assert (wrong.status_code, wrong.get_json()) == (
        400, {"error": "ra is '400'; expected a number from 0 to 360"})
    with Database(site.database).read() as db:
        assert [row.state for row in triggers.unmatched(db)] == [
            "unreadable", "not in the catalogue"], "both are kept"


def test_no_strange_body_makes_a_fault(site: Site, client: FlaskClient) -> None:
    sent, pick = token(site, "trigger"), random.Random(3)
    fields = ("source", "id", "ra", "dec", "hours", "until", "alert_type", "text", "significance",
              "trigger_time", "ra_dec_error", "flux")
    values = [*STRANGE, None, True, 1e300, -1, [], {}, [None], "x" * 9000]
    for _ in range(150):
        body: Any = {name: pick.choice(values) for name in pick.sample(fields, 4)}
        if pick.random() < 0.2:
            body = pick.choice(values)
        answer = post(client, sent, body)
        assert answer.status_code in (200, 201, 400), (body, answer.text)
        json.loads(answer.text, parse_constant=pytest.fail)
    assert post(client, sent, b"[" * 70_000).status_code == 413
    assert client.get("/api/v1/triggers?columns=all&limit=500").status_code == 200
