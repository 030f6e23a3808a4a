"""System: what runs, the log, and the site file as it was read."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from iop4d.config import EmailChannel, Site, Want
from iop4d.model.states import Role
from iop4d.store import users
from iop4d.store.database import Database
from iop4d.store.status import beat
from iop4d.web.app import create_app
from iop4d.web.views.system.log import marked
from tests.web.conftest import enter
from tests.web.observatory import heartbeat

LINES = [
    {"at": 1000.0, "level": "info", "text": "reduce BLLac-1R.fit: done in 200 ms", "frames": [7],
     "telescope": "T220"},
    {"at": 1001.0, "level": "warning", "text": "reduce <b>-2R.fit: too few stars", "frames": [8],
     "telescope": "T220"},
    {"at": 1002.0, "level": "error", "text": "archive osn: no answer", "telescope": "T150"}]


@pytest.fixture
def admin(own: Site) -> FlaskClient:
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.ADMIN)
    (own.root / "logs").mkdir()
    (own.root / "logs" / "daemon.jsonl").write_text("".join(
        json.dumps(line) + "\n" for line in LINES))
    client = create_app(own).test_client()
    enter(client)
    return client


def test_workers_of_other_machines_are_shown_with_their_host_and_why_none_works(
        own: Site, hold_lock: Callable[[Site], object]) -> None:
    hold_lock(own)
    why = "the Dask scheduler tls://server:8786 is unreachable: connection refused"
    now = time.time()
    worker = {"pid": 0, "host": "node1", "state": "idle", "job": "", "since": now, "jobs": 3,
              "rss_mb": 0}
    with Database(own.database).write() as tx:
        beat(tx, heartbeat(own, now) | {"trouble": why, "workers": [worker], "engine": {
            "name": "engine", "state": "unreachable", "reason": why}})
    text = create_app(own).test_client().get("/system").text
    assert ">node1: " in text
    assert why in text


def test_the_page_says_what_runs_and_in_which_versions(
        own: Site, hold_lock: Callable[[Site], object]) -> None:
    hold_lock(own)
    site = replace(own, want=(Want(sources=("BL Lac", "nowhere"), mag_err=0.01),),
                   channel=(EmailChannel(name="team", to=("a@b.org",)),))
    text = create_app(site).test_client().get("/system").text
    for words in ("reduce BLLac-0067R.fit", "413", platform.python_version(), "SQLite",
                  "From arrival to result", ["24", "frames", "in", "the", "last", "day"][0], "team",
                  "names <strong>nowhere</strong>, which is not in the catalogue"):
        assert words in text
    assert "a@b.org" not in text


def test_the_log_is_searched_by_level_telescope_frame_and_words(admin: FlaskClient) -> None:
    whole = admin.get("/system/log").text
    assert whole.index("no answer") < whole.index("too few stars") < whole.index("BLLac-1R")
    assert "&lt;b&gt;-2R.fit" in whole
    assert 'href="/frames/7"' in whole
    found = admin.get("/system/log?level=warning&telescope=T220").text
    assert "too few stars" in found
    assert "BLLac-1R" not in found
    assert "no answer" not in found
    assert "BLLac-1R" in admin.get("/system/log?frame=7").text
    assert "too few" not in admin.get("/fragments/system/log?frame=7").text
    assert "<mark>TOO FEW</mark>".lower() in admin.get("/system/log?text=TOO+FEW").text
    assert "No such message" in admin.get("/system/log?text=nothing").text


@pytest.mark.parametrize("query", ["level=x", "frame=-1", "frame=99999999999999999999",
                                   "before=nan", "before=x", "text=%00", "service=../x"])
def test_whatever_is_asked_of_the_log_has_an_answer(query: str, admin: FlaskClient) -> None:
    assert admin.get(f"/system/log?{query}").status_code == 200


def test_a_frame_leads_to_its_messages(admin: FlaskClient) -> None:
    assert 'href="/system/log?frame=7&amp;level=debug"' in admin.get("/frames/7").text


def test_what_was_searched_for_is_marked_in_any_case_and_stays_text() -> None:
    assert marked("A<b> a", "a") == "<mark>A</mark>&lt;b&gt; <mark>a</mark>"
    assert marked("x", "") == "x"
    assert marked("Straße", "STRASSE") == "Straße"


def test_the_site_file_is_shown_to_admins(admin: FlaskClient) -> None:
    text = admin.get("/system/site-file").text
    assert "&#34;Calar Bajo&#34;" in text
    assert "mag &lt; 13.0" in text


@pytest.mark.parametrize("path", ["/system/log", "/system/site-file", "/fragments/system/log"])
def test_the_log_and_the_site_file_are_for_admins_alone(path: str, own: Site) -> None:
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.EDITOR)
    client = create_app(own).test_client()
    assert client.get(path).status_code in (303, 401)
    enter(client)
    assert client.get(path).status_code in (401, 403)
    assert ">Log<" not in client.get("/system").text
