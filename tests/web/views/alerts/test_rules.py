"""Rules on the page: listed with their state, back-tested, added, changed and removed."""

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

from iop4d.alerts import rule_edits
from iop4d.alerts.conditions import Form, parse_condition
from iop4d.config import Site
from iop4d.config.load import SITE_FILE, load_site
from iop4d.model.errors import ConfigError
from iop4d.store import requests, status
from iop4d.store.database import Database
from iop4d.store.schema import Audit
from iop4d.web import answers
from iop4d.web.app import create_app
from iop4d.web.views.alerts import rules
from tests.support.rows import rows
from tests.web import observatory
from tests.web.conftest import OURS, enter, requested

SITE = """
# Ours.
[[archive]]
name = "t220"
path = "raw"
telescope = "T220"
[[channel]]
name = "team"
to = ["a@example.org"]
[[rule]]
name = "bright"          # the old one
condition = "mag < 13.0"
clear = "mag > 13.2"
channels = ["team"]
"""


@pytest.fixture
def site(own: Site) -> Site:
    """A site of which there is a file, as the page reads it."""
    (own.root / "iop4d.toml").write_text(SITE, encoding="utf-8")
    return own


@pytest.fixture
def client(site: Site, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(answers, "_SOON", 0.05)
    return create_app(site, lambda: load_site(site.root)).test_client()


def carried_out(site: Site) -> list[str]:
    """What the daemon says when it carries out what is requested."""
    handler = rule_edits.RuleRequests(site.root, time.time, None)
    with Database(site.database).write() as tx:
        said = []
        for request in requests.queued(tx):
            answer = handler.act(tx, handler.prepare(request.content))
            requests.answer(tx, request.id, answer)
            said.append(answer["said"])
        return said


def test_a_site_file_that_is_no_utf_8_is_said_on_the_pages_of_rules(
        site: Site, client: FlaskClient) -> None:
    (site.root / SITE_FILE).write_bytes(f"# Stra\xdfe\n{SITE}".encode("latin-1"))
    for page in ("/rules", "/rules/bright", "/rule-form", "/history"):
        assert client.get(page, follow_redirects=True).status_code in {200, 404}, page
    enter(client)
    said = client.get("/rule-form?rule=bright").text
    assert "line 1, cannot be read: it is not UTF-8 text" in said


def test_the_page_knows_a_rule_as_soon_as_the_site_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "iop4d.toml").write_text(FIRST, encoding="utf-8")
    site = load_site(tmp_path)
    observatory.fill(site)
    client = create_app(site, lambda: load_site(tmp_path)).test_client()
    assert "flares" not in client.get("/rules").text
    (tmp_path / "iop4d.toml").write_text(
        f'{FIRST}\n[[rule]]\nname = "flares"\ncondition = "mag < 12"\n', encoding="utf-8")
    assert "flares" in client.get("/rules").text
    (tmp_path / "iop4d.toml").write_text("[nonsense", encoding="utf-8")
    assert "flares" in client.get("/rules").text


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
    assert '<svg class="curve"' in page
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


def test_a_back_test_of_too_many_results_says_so_and_how_to_make_it(
        client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(client)
    monkeypatch.setattr(rules, "_MOST_TESTED", 2)
    page = html.unescape(client.get("/rules/bright?since=36500d").text)
    assert "The back-test was not made: there are more than 2 results since then" in page
    assert "iop4d rules test bright --since 36500d" in page
    assert "Evaluated on" not in page
    monkeypatch.setattr(rules, "_MOST_TESTED", 10_000)
    assert "Evaluated on" in client.get("/rules/bright?since=36500d").text


def test_a_rule_is_added_by_who_is_signed_in_and_a_wrong_one_is_refused(client: FlaskClient,
                                                                        site: Site) -> None:
    rule = {"name": "flares", "source": "*", "band": "R", "condition": "change mag < -0.5",
            "clear": "", "severity": "high"}
    assert client.post("/rules", headers=OURS, data=rule).status_code == 403
    enter(client)
    wrong = client.post("/rules", headers=OURS, data=rule | {"condition": "mag < 3 mJy"})
    assert wrong.status_code == 400
    assert "does not apply" in wrong.text
    wrong = client.post("/rules", headers=OURS, data=rule | {"source": "tag:tve"})
    assert (wrong.status_code, "there is no [[tag]] &#39;tve&#39;" in wrong.text) == (400, True)
    assert (site.root / "iop4d.toml").read_text(encoding="utf-8") == SITE
    assert client.post("/rules", headers=OURS, data=rule).status_code == 303
    assert carried_out(site) == [
        "The rule is in the site file; it applies when the daemon starts next."]
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
    enter(client)
    good = {"name": "<b>flares</b>", "source": "BL Lac", "band": "V", "condition": "mag < 13",
            "clear": "", "confirm": "3", "cooldown_hours": "7", "severity": "critical"}
    for change, field, said in _REFUSED:
        answer = client.post("/rules", headers=OURS, data=good | change)
        assert answer.status_code == 400, change
        page = html.unescape(answer.text)
        assert "The rule was not added." in page
        assert said in page, change
        assert re.search(rf'name="{field}" [^>]*aria-invalid="true"', answer.text), change
        assert answer.text.count("aria-invalid") == 1
        for name, value in (good | change).items():
            if name != "severity":
                assert re.search(rf'name="{name}"[^>]* value="{re.escape(escape(value))}"',
                                 answer.text), (change, name)
        assert "<option selected>critical" in answer.text
    assert requested(site) == []
    assert client.post("/rules", headers=OURS, data=good).status_code == 303


def test_a_rule_is_changed_by_its_form_and_comments_of_the_file_stay(client: FlaskClient,
                                                                     site: Site) -> None:
    enter(client)
    form = client.get("/rule-form?rule=bright").text
    assert re.search(r'name="condition"[^>]* value="mag &lt; 13.0"', form)
    assert re.search(r'name="channels" value="team" checked', form)
    assert re.search(r'name="enabled" value="true" checked', form)
    for words in ("Maximum error of a point that counts", "Hours between reminders"):
        assert words in form
    sent = {"whole": "1", "of": "bright", "name": "bright", "source": "BL Lac", "band": "R",
            "condition": "mag < 12.5", "clear": "mag > 13.2", "confirm": "3", "enabled": "true",
            "channels": "team", "reject_flags": ["clouds", "low_snr"], "why": "too many"}
    assert client.post("/rules", headers=OURS, data=sent).status_code == 303
    assert carried_out(site) == [
        "The rule is changed in the site file; it applies when the daemon starts next."]
    (rule,) = load_site(site.root).rule
    assert (rule.condition, rule.confirm, rule.source, rule.channels, rule.reject_flags) == (
        "mag < 12.5", 3, "BL Lac", ("team",), ("clouds", "low_snr"))
    text = (site.root / "iop4d.toml").read_text(encoding="utf-8")
    assert 'name = "bright"          # the old one' in text
    assert text.startswith("\n# Ours.")
    (change,) = rows(Database(site.database), Audit)
    assert (change.by, change.act, change.subject, change.why) == (
        "Ana", "change-rule", "rule bright", "too many")
    assert (change.was["condition"], change.now["condition"]) == ("mag < 13.0", "mag < 12.5")


def test_nobody_overwrites_a_rule_that_another_changed_meanwhile(client: FlaskClient,
                                                                 site: Site) -> None:
    enter(client)
    sent = {"whole": "1", "of": "bright", "name": "bright", "source": "BL Lac", "band": "R",
            "clear": "mag > 13.2", "enabled": "true", "channels": "team"}
    found = re.search(r'name="seen" value="(\w+)"', client.get("/rule-form?rule=bright").text)
    assert found
    first, second = (sent | {"seen": found[1], "condition": f"mag < {mag}"} for mag in (12.5, 12))
    assert client.post("/rules", headers=OURS, data=first).status_code == 303
    assert client.post("/rules/bright", headers=OURS, data={"act": "disable"}).status_code == 303
    handler = rule_edits.RuleRequests(site.root, time.time, None)
    with Database(site.database).write() as tx:
        changed, disabled = requests.queued(tx)
        handler.act(tx, handler.prepare(changed.content))
        with pytest.raises(ConfigError, match="'bright' was changed meanwhile"):
            handler.act(tx, handler.prepare(disabled.content))
    answer = client.post("/rules", headers=OURS, data=second)
    assert answer.status_code == 409
    assert "changed by another person meanwhile" in answer.text
    (rule,) = load_site(site.root).rule
    assert rule.condition == "mag < 12.5"


def test_a_rule_is_disabled_enabled_and_removed(client: FlaskClient, site: Site) -> None:
    enter(client)
    for act, enabled in (("disable", False), ("enable", True)):
        assert client.post("/rules/bright", headers=OURS, data={"act": act}).status_code == 303
        carried_out(site)
        assert load_site(site.root).rule[0].enabled is enabled
        assert ('<span class="state">disabled</span>' in client.get("/rules").text) != enabled
    assert client.post("/rules/bright", headers=OURS, data={"act": "dance"}).status_code == 400
    assert client.post("/rules/none", headers=OURS, data={"act": "remove"}).status_code == 404
    client.post("/rules/bright", headers=OURS, data={"act": "remove"})
    assert carried_out(site) == [
        "The rule is removed from the site file; it applies when the daemon starts next."]
    assert load_site(site.root).rule == ()
    assert "The site file has no rule." in client.get("/rules").text


def test_the_form_offers_a_condition_of_each_kind(client: FlaskClient) -> None:
    enter(client)
    page = client.get("/rule-form").text
    offered = re.search(r'<datalist id="conditions">(.*?)</datalist>', page)
    assert offered
    there = [html.unescape(one) for one in re.findall(r"<option>(.*?)</option>", offered[1])]
    assert {parse_condition(one).form for one in there} == set(Form)
    assert "triggered" in there
    assert page.count('list="conditions"') == 2


def test_a_form_is_checked_as_it_is_filled_in_with_the_words_of_the_command(
        client: FlaskClient) -> None:
    enter(client)
    good = {"name": "new", "source": "BL Lac", "condition": "mag < 12"}
    right = client.post("/rule-form/check", headers=OURS, data=good).text
    assert "The rule is right. It fires when mag &lt; 12.0" in right
    for change, said in (({"condition": "magnitude < 3"}, "unknown quantity"),
                         ({"condition": "new source", "confirm": "0"}, "1 to 100"),
                         ({"source": "nobody"}, "The catalogue does not have: nobody")):
        answer = client.post("/rule-form/check", headers=OURS, data=good | change)
        assert (answer.status_code, said in html.unescape(answer.text)) == (200, True), change


def test_a_form_is_back_tested_before_it_is_saved(client: FlaskClient, site: Site) -> None:
    enter(client)
    sent = {"name": "new", "source": "S5 0716+71", "band": "R", "condition": "mag < 14",
            "confirm": "1", "since": "365d", "try": "1"}
    page = client.post("/rules", headers=OURS, data=sent)
    assert page.status_code == 200
    assert "The rule would have fired <strong>1</strong> time." in page.text
    assert '<svg class="curve"' in page.text
    assert 'class="fired" cx=' in page.text
    assert re.search(r'name="since" value="365d"', page.text)
    assert "expected" in client.post("/rules", headers=OURS, data=sent | {"since": "soon"}).text
    assert requested(site) == []


def test_watching_a_source_leads_to_the_form_filled_in(client: FlaskClient) -> None:
    enter(client)
    page = client.get("/rule-form?source=BL+Lac").text
    assert re.search(r'name="source"[^>]* value="BL Lac"', page)
    assert re.search(r'name="name"[^>]* value="BL Lac flares"', page)
    assert re.search(r'name="channels" value="team" checked', page)
    assert client.get("/rule-form?rule=none").status_code == 404


def test_for_what_a_rule_waits_is_found_out_when_asked_for(client: FlaskClient,
                                                           site: Site) -> None:
    (site.root / "iop4d.toml").write_text(SITE + """
[[rule]]
name = "flares"
condition = "change mag < -0.5"
[[rule]]
name = "off"
condition = "change mag < -0.5"
enabled = false
""", encoding="utf-8")
    page = client.get("/rules").text
    assert 'hx-get="/rules?waits=1"' in page
    assert "waits:" not in page
    waits = re.compile("<span class=\"quiet\">waits: 3 of 3 light curves have fewer than 10 ")
    for path in ("/rules?waits=1", "/rules"):
        page = client.get(path).text
        assert len(waits.findall(page)) == 1, path
        assert "hx-get" not in page.split('id="rules"')[1].split(">")[0]


def test_a_wrong_rule_is_listed_and_can_be_mended(client: FlaskClient, site: Site) -> None:
    (site.root / "iop4d.toml").write_text(SITE.replace("mag < 13.0", "magnitude < 13"),
                                          encoding="utf-8")
    client = create_app(load_site(site.root, skip_wrong_rules=True),
                        lambda: load_site(site.root, skip_wrong_rules=True)).test_client()
    enter(client)
    assert "bright is not used." in client.get("/rules").text
    assert 'value="magnitude &lt; 13"' in client.get("/rule-form?rule=bright").text
    client.post("/rules", headers=OURS, data={
        "of": "bright", "name": "bright", "condition": "mag < 13", "channels": "team"})
    carried_out(site)
    assert load_site(site.root).rule[0].condition == "mag < 13"


@pytest.mark.parametrize("act", ["save", "remove"])
def test_a_wrong_rule_with_a_date_in_it_can_be_mended(site: Site, act: str) -> None:
    file = site.root / "iop4d.toml"
    file.write_text(SITE.replace('condition = "mag < 13.0"', "condition = 2026-01-01"),
                    encoding="utf-8")
    client = create_app(load_site(site.root, skip_wrong_rules=True),
                        lambda: load_site(site.root, skip_wrong_rules=True)).test_client()
    enter(client)
    seen = client.get("/rule-form?rule=bright")
    assert seen.status_code == 200
    if act == "save":
        client.post("/rules", headers=OURS, data={
            "of": "bright", "name": "bright", "condition": "mag < 13", "channels": "team"})
    else:
        client.post("/rules/bright", headers=OURS, data={"act": "remove"})
    carried_out(site)
    assert [rule.condition for rule in load_site(site.root).rule] == \
        (["mag < 13"] if act == "save" else [])


DISABLE = {"act": "disable"}


@pytest.mark.parametrize(("answer", "expected"), [
    ({"said": "The rule is there"}, "The rule is there"),
    ({"error": "the disk is full"}, "Not done: the disk is full"),
    (None, "The daemon has not answered the request yet.")])
def test_who_acts_is_told_what_became_of_it(
        answer: dict[str, str] | None, expected: str, client: FlaskClient, site: Site,
        hold_lock: Callable[[Site], object], monkeypatch: pytest.MonkeyPatch) -> None:
    hold_lock(site)
    enter(client)
    monkeypatch.setattr(answers, "answer_to", lambda *_: answer)
    client.post("/rules/bright", headers=OURS, data=DISABLE)
    assert expected in client.get("/rules").text
    assert expected not in client.get("/rules").text


@pytest.mark.parametrize("beat", ["stopped", "running", ""])
def test_who_acts_while_no_daemon_runs_is_told_so(client: FlaskClient, site: Site,
                                                  beat: str) -> None:
    with Database(site.database).write() as tx:
        status.beat(tx, status.heartbeat(tx) | {"state": beat} if beat else {})
    enter(client)
    client.post("/rules/bright", headers=OURS, data=DISABLE)
    page = client.get("/rules").text
    assert "The daemon is not running. It carries out the request when it starts." in page
    assert len(requested(site)) == 1


def test_the_daemon_s_answer_is_waited_for(client: FlaskClient, site: Site,
                                           hold_lock: Callable[[Site], object],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    hold_lock(site)
    enter(client)
    monkeypatch.setattr(answers, "_SOON", 10.0)

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
    client.post("/rules/bright", headers=OURS, data=DISABLE)
    thread.join()
    assert "Not done: no" in client.get("/rules").text


