"""What people request about alerts and rules on the page, which the daemon then does."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from iop4d.alerts import actions
from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.store import requests, status
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Mute
from iop4d.web.app import create_app
from iop4d.web.views.alerts import episodes as alerts
from tests.web import observatory
from tests.web.conftest import OURS, enter, firing, requested


@pytest.fixture
def site(own: Site) -> Site:
    return own


@pytest.fixture
def client(site: Site, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(alerts, "_SOON", 0.05)
    return create_app(site).test_client()


def test_an_alert_is_acknowledged_by_who_is_signed_in(client: FlaskClient, site: Site) -> None:
    answer = enter(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts")
    assert "Acknowledge" in client.get("/alerts").text
    number = firing(site)
    assert client.post(f"/alerts/{number}/acknowledge", headers=OURS,
                       data={"note": "ToO sent"}).status_code == 303
    (what,) = requested(site)
    with Database(site.database).write() as tx:
        said = actions.act(tx, what, now=time.time(), rules=["bright"])
        assert said.endswith("bright: 2200+420 R is acknowledged: no further reminders are sent.")
        alert = tx.by_id(Alert, number)
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
    wanted = requested(site)
    with Database(site.database).write() as tx:
        said = [actions.act(tx, what, now=time.time(), rules=["bright"]) for what in wanted]
        assert "bright: 2200+420 R is snoozed until" in said[0]
        assert said[1].startswith("2200+420 is muted until")
        (snoozed,) = tx.select(Alert).where(Alert.state == "snoozed")
        assert snoozed.snoozed_until > time.time() + 3500
        assert [mute.by for mute in tx.select(Mute)] == ["Ana"]
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
    assert len(requested(site)) == 1


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
    wanted = requested(site)
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
    assert requested(site) == []


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


def test_a_rule_is_tried_on_the_past_by_who_is_signed_in(client: FlaskClient) -> None:
    assert client.get("/rules/bright").headers["Location"] == "/sign-in?back=/rules/bright"
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
    wrong = client.post("/rules", headers=OURS, data=rule | {"source": "tag:tve"})
    assert (wrong.status_code, "there is no [[tag]] &#39;tve&#39;" in wrong.text) == (400, True)
    assert (site.root / "iop4d.toml").read_text(encoding="utf-8") == "# ours\n"
    assert client.post("/rules", headers=OURS, data=rule).status_code == 303
    (what,) = requested(site)
    actions.add_rule(site.root, what["keys"])
    made = load_site(site.root).rule[-1]
    assert (made.name, made.condition, made.severity) == ("flares", "change mag < -0.5", "high")


#: What is wrong in a form for a rule, the field at which it is said, and a word of what is said.
_REFUSED = (
    ({"source": "nosuchsource"}, "source", "The catalogue does not have: nosuchsource"),
    ({"source": "BLLaz"}, "source", "did you mean"), ({"name": ""}, "name", "needs a name"),
    ({"name": "x" * 5000}, "name", "too long"), ({"name": "a\tb"}, "name", "cannot be printed"),
    ({"name": "bright"}, "name", "exists already"), ({"confirm": "two"}, "confirm", "a number"),
    ({"confirm": "0"}, "confirm", "expected"), ({"cooldown_hours": "nan"}, "cooldown_hours", ""),
    ({"condition": "magnitude < 3"}, "condition", "unknown quantity"),
    ({"condition": "mag < " + "1" * 5000}, "condition", "too long"),
    ({"clear": "mag > 12"}, "clear", "clear"), ({"source": "tag:tve"}, "source", "[[tag]]"))


def test_a_refused_form_keeps_its_fields_and_says_by_the_field_what_is_wrong(
        client: FlaskClient, site: Site) -> None:
    (site.root / "iop4d.toml").write_text("# ours\n", encoding="utf-8")
    enter(client)
    good = {"name": "<b>flares</b>", "source": "BL Lac", "band": "V", "condition": "mag < 13",
            "clear": "", "confirm": "3", "cooldown_hours": "7", "severity": "critical"}
    for change, field, said in _REFUSED:
        answer = client.post("/rules", headers=OURS, data=good | change)
        assert answer.status_code == 400, change
        page = html.unescape(answer.text)
        assert "The rule was not added." in page
        assert said in page, change
        assert re.search(rf'<input name="{field}" [^>]*aria-invalid="true"', answer.text), change
        assert answer.text.count("aria-invalid") == 1
        for name, value in (good | change).items():
            if name != "severity":
                assert f'name="{name}" value="{escape(value)}"' in answer.text, (change, name)
        assert "<option selected>critical" in answer.text
        assert 'id="add-rule" open' in answer.text
    assert requested(site) == []
    assert client.post("/rules", headers=OURS, data=good).status_code == 303


def test_a_refused_mute_keeps_its_fields(client: FlaskClient, site: Site) -> None:
    enter(client)
    for change, field, said in (
            ({"source": "nobody"}, "source", "unknown source"), ({"rule": "x"}, "rule", "no rule"),
            ({"for": "soon"}, "for", "not a duration"), ({"for": "99999w"}, "for", "longer than"),
            ({"source": "y" * 5000}, "source", "too long")):
        form = {"rule": "bright", "source": "BL Lac", "for": "2d"} | change
        answer = client.post("/mutes", headers=OURS, data=form)
        assert answer.status_code == 400
        assert said in html.unescape(answer.text)
        assert re.search(rf'name="{field}" [^>]*aria-invalid="true"', answer.text)
        if field != "rule":
            assert "<option selected>bright</option>" in answer.text
        if field != "for":
            assert "<option selected>2d</option>" in answer.text
        assert f'name="source" value="{form["source"]}"' in answer.text
    assert requested(site) == []
