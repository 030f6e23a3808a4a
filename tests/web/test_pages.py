"""Every page answers, on an empty site, on a populated one, and in trouble."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pysqlite3
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from iop4d.cli import cli
from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.flagging import set_flag
from iop4d.system.lock import SiteLock
from iop4d.web import reader
from iop4d.web.app import create_app
from iop4d.web.policy import ACCESS, Access
from tests.web import observatory
from tests.web.conftest import DAEMON_SAYS, FILLED, PAGES, PROGRAMS, Answers, execute

HoldLock = Callable[[Site], SiteLock]


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS])
def test_every_page_answers_before_there_is_a_database(path: str, tmp_path: Path) -> None:
    site = observatory.site(tmp_path, mailbox=tmp_path / "mails")
    answer = create_app(site).test_client().get(path)
    expected = 503 if path.startswith(
        ("/fragments/", "/api/live", "/api/results", "/healthz")) else 200
    assert answer.status_code == expected
    assert not Path(str(site.database)).exists()


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS])
def test_every_page_answers_on_an_empty_site(path: str, empty: Site) -> None:
    assert create_app(empty).test_client().get(path).status_code == (
        503 if path == "/healthz" else 200)  # no daemon runs here


@pytest.mark.parametrize("path", FILLED)
def test_every_page_answers_on_a_populated_site(path: str, answers: Answers) -> None:
    assert answers[path].status == 200


def test_an_empty_page_tells_where_to_drop_frames(empty: Site) -> None:
    text = create_app(empty).test_client().get("/").text
    assert "No frame yet" in text
    assert str(empty.archive[0].path) in text


@pytest.mark.parametrize("path", ["/frames/999", "/sources/nobody", "/nights/2001-01-01",
                                  "/nights/x", "/mailbox/none.eml", "/fragments/x", "/nothing",
                                  "/frames/999/raw", "/api/sources/nobody/points"])
def test_what_is_not_there_is_not_found(path: str, client: FlaskClient) -> None:
    assert client.get(path).status_code == 404


def test_there_is_no_mailbox_unless_the_site_file_names_one(tmp_path: Path) -> None:
    client = create_app(observatory.site(tmp_path)).test_client()
    assert client.get("/mailbox").status_code == 404
    assert "Mailbox" not in client.get("/").text


def test_the_live_page_shows_what_an_observer_asks(client: FlaskClient) -> None:
    text = client.get("/").text
    assert re.search(r"1[0-9]\.\d{3} ± 0\.0\d\d", text), "a magnitude with its error"
    for words in ("Working, with trouble.", "The channel team fails.", "1 archive,", "seeing",
                  "the file is truncated", "firing", "450 mailbox busy", "provisional", "T220",
                  "BL Lac"):
        assert words in text
    for words in ("reduce BLLac-0067R.fit", "450 mailbox busy"):
        assert words in client.get("/system").text


def test_a_frame_shows_its_whole_story(client: FlaskClient) -> None:
    text = client.get("/frames/1").text
    for words in ("CRVAL1", "astrometry", "611.0", "187", "newer exists", "202", "Measurements",
                  "23.410 ± 0.010", "Earlier values of the results"):
        assert words in text


def test_a_flag_by_hand_is_shown_by_name_with_who_set_it_and_why(own: Site) -> None:
    with Database(own.database).write() as tx:
        set_flag(tx, [1], "trailed", note="a satellite", by="Ana", now=0.0)
    client = create_app(own).test_client()
    for path in ("/frames/1", "/sources/BL%20Lac"):
        flag = '<span class="flag" title="flagged by hand by Ana: a satellite">trailed</span>'
        assert flag in client.get(path).text
    assert "flag by hand trailed (by Ana): a satellite" in client.get("/results/1").text
    (flagged, *_) = client.get("/api/results?source=BL%20Lac").json["results"]
    assert flagged["human_flags"][0]["name"] == "trailed"


def test_a_night_lists_its_frames_of_one_state(client: FlaskClient) -> None:
    night = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 43200))
    text = client.get(f"/nights/{night}?state=failed").text
    assert "S50716-0044R.fit" in text
    assert "BLLac-0031V.fit" not in text


def beat(site: Site, age: float, state: str = "running") -> None:
    execute(site, DAEMON_SAYS,
            json.dumps({"beat_at": time.time() - age, "state": state, "pid": 7}))


@pytest.mark.parametrize(("age", "state", "locked", "expected", "banner"), [
    (1, "running", True, "running", ""),
    (1, "stopping", True, "stopping", "The daemon is stopping."),
    (1, "stopped", True, "starting", "The daemon is starting."),
    (1, "stopped", False, "stopped", "The daemon is not running."),
    (1, "running", False, "silent", "The daemon does not respond."),
    (16, "running", True, "silent", "The daemon does not respond.")])
def test_page_health_check_api_and_command_agree_on_whether_the_daemon_runs(
        age: float, state: str, locked: bool, expected: str, banner: str, empty: Site,
        hold_lock: HoldLock) -> None:
    beat(empty, age, state)
    if locked:
        hold_lock(empty)
    (empty.root / "iop4d.toml").write_text("")
    client = create_app(empty).test_client()
    health = client.get("/healthz")
    assert health.json == {"daemon": expected}
    assert health.status_code == (200 if expected == "running" else 503)
    assert client.get("/api/live").json["daemon"] == expected
    assert client.get("/api/status").json["daemon"]["state"] == expected
    said = CliRunner().invoke(cli, ["--site", str(empty.root), "status", "--json"]).stdout
    assert json.loads(said)["daemon"]["state"] == expected
    page = client.get("/system").text
    assert f"state-{expected}" in page
    assert (banner or "state-running") in page
    assert ("<strong>The daemon" in page) == bool(banner)
    assert ("<strong>The daemon" in client.get("/alerts").text) == bool(banner)
    head = {"running": "Working", "stopping": "Stopping", "starting": "Starting"}
    assert f"<strong>{head.get(expected, 'Not working')}.</strong>" in client.get("/").text


def test_a_daemon_whose_workers_do_not_start_is_not_well(empty: Site, hold_lock: HoldLock) -> None:
    hold_lock(empty)
    execute(empty, DAEMON_SAYS,
            json.dumps({"beat_at": time.time(), "state": "running", "pid": 7,
                        "trouble": "no worker process starts: exit code 1"}))
    client = create_app(empty).test_client()
    health = client.get("/healthz")
    assert (health.status_code, health.json) == (503, {
        "daemon": "running", "trouble": "no worker process starts: exit code 1"})
    assert "reduces nothing:</strong> no worker process starts: exit code 1" in client.get(
        "/system").text
    assert "No frame is reduced." in client.get("/").text


def test_a_site_whose_daemon_never_ran_says_so(empty: Site) -> None:
    client = create_app(empty).test_client()
    assert client.get("/healthz").json == {"daemon": "never"}
    assert "The daemon has never run on this site." in client.get("/").text


def test_a_degraded_archive_is_announced_on_every_page_and_why_on_system(
        empty: Site, hold_lock: HoldLock) -> None:
    hold_lock(empty)
    execute(empty, DAEMON_SAYS,
            f'{{"beat_at": {time.time()}, "state": "running", "archives": [{{"name": "t220", '
            '"path": "/x", "state": "degraded", "reason": "the mount hangs"}]}')
    client = create_app(empty).test_client()
    assert "archive t220 is degraded" in client.get("/nights").text
    assert "the mount hangs" not in client.get("/nights").text
    assert "the mount hangs" in client.get("/system").text


@pytest.mark.sqlite  # whose lock holds up readers, too; a server's does not
def test_a_locked_database_is_said_to_be_locked(
        empty: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BUSY_SECONDS", 0.2)
    client = create_app(empty).test_client()
    connection = pysqlite3.connect(str(empty.database), isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        answer = client.get("/")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "locked" in answer.text
        health = client.get("/healthz")
        assert (health.status_code, health.json) == (503, {"daemon": "silent"})
        assert time.monotonic() - begun < 2
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    assert client.get("/").status_code == 200


def test_an_error_says_nothing_of_the_daemon_for_which_nothing_was_read(
        client: FlaskClient) -> None:
    page = client.get("/sources/nobody").text
    assert "Not found" in page
    assert "The daemon is" not in page


def test_an_error_of_a_page_is_told_without_its_trace(
        filled: Site, caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch) -> None:
    app: Flask = create_app(filled)
    monkeypatch.setitem(ACCESS, "broken", Access.OPEN)

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("secret")

    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret" in caplog.text
