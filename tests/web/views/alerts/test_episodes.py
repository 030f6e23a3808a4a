"""Episodes of alerts on the page, and what people do about them."""

from __future__ import annotations

import html
import re
import time

import pytest
from flask.testing import FlaskClient

from iop4d.alerts import actions
from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import users
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Audit, Mute
from iop4d.web.app import create_app
from tests.support.rows import rows
from tests.web.conftest import OURS, enter, execute, firing, requested


@pytest.fixture
def site(own: Site) -> Site:
    return own


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_an_alert_is_acknowledged_by_who_is_signed_in(client: FlaskClient, site: Site) -> None:
    answer = enter(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts")
    assert "Acknowledge" in client.get("/alerts").text
    number = firing(site)
    assert client.post(f"/alerts/{number}/acknowledge", headers=OURS,
                       data={"note": "ToO sent", "back": f"/alerts/{number}"}
                       ).headers["Location"] == f"/alerts/{number}"
    with Database(site.database, read_only=True).read() as db:
        alert = db.by_id(Alert, number)
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "Ana")
    for page in (client.get(f"/alerts/{number}").text, client.get("/alerts").text):
        assert "acknowledged by Ana" in page
        assert "ToO sent" in page
    assert requested(site) == []  # no daemon is needed for it


def test_a_point_that_fired_it_is_given_without_its_host_as_the_message_says_it(
        client: FlaskClient, site: Site) -> None:
    """The curve and the threshold are without the host; the list had the other magnitude alone."""
    number = firing(site)
    assert "without the host" not in client.get(f"/alerts/{number}").text
    execute(site, "UPDATE result SET mag_nucleus = 12.741, mag_nucleus_err = 0.008")
    for page in (f"/alerts/{number}", "/alerts"):
        assert "12.741 ± 0.008 without the host" in client.get(page).text


def test_an_alert_is_snoozed_and_a_source_muted(client: FlaskClient, site: Site) -> None:
    enter(client)
    number = firing(site)
    client.post(f"/alerts/{number}/snooze", headers=OURS, data={"for": "3h"})
    assert re.search(r"is snoozed until \d\d", client.get("/alerts").text)
    client.post("/mutes", headers=OURS, data={"source": "BL Lac", "for": "2d"})
    for wrong in ({"source": "x", "for": "soon"}, {}):
        assert client.post("/mutes", headers=OURS, data=wrong).status_code == 400
    (snoozed,) = rows(Database(site.database), Alert, Alert.state == "snoozed")
    assert (snoozed.id, snoozed.snoozed_until > time.time() + 3500) == (number, True)
    (mute,) = rows(Database(site.database), Mute)
    assert (mute.by, mute.source) == ("Ana", "2200+420")
    assert "Unmute" in client.get("/alerts").text
    assert [row.act for row in rows(Database(site.database), Audit)] == ["snooze", "mute"]


def test_what_is_over_is_not_acknowledged(client: FlaskClient, site: Site) -> None:
    enter(client)
    number = firing(site)
    execute(site, "UPDATE alert SET state = 'resolved' WHERE id = ?", number)
    answer = client.post(f"/alerts/{number}/acknowledge", headers=OURS)
    assert (answer.status_code, "it is resolved" in answer.text) == (409, True)
    assert client.post("/alerts/999/snooze", headers=OURS).status_code == 404
    assert client.post(f"/alerts/{number}/snooze", headers=OURS,
                       data={"for": "soon"}).status_code == 400
    assert rows(Database(site.database), Audit) == []


def test_a_viewer_reads_an_alert_and_is_told_who_may_act(client: FlaskClient, site: Site) -> None:
    with Database(site.database).write() as tx:
        users.set_role(tx, "Ana", Role.VIEWER)
    enter(client)
    number = firing(site)
    page = client.get(f"/alerts/{number}").text
    assert "Observers can acknowledge" in page
    assert "<button" not in page.split('id="alert"')[1].split("</section>")[0]
    assert client.post(f"/alerts/{number}/acknowledge", headers=OURS).status_code == 403


def test_a_page_of_an_alert_has_its_light_curve_its_messages_and_what_is_near(
        client: FlaskClient, site: Site) -> None:
    number = firing(site)
    with Database(site.database).write() as tx:
        alert = tx.by_id(Alert, number)
        tx.create(Alert, rule="older", source=alert.source, band="V", episode=1, state="resolved",
                  condition="mag < 14", fired_jd=alert.fired_jd - 1.0,
                  fired_at=alert.fired_at - 9.0, resolved_jd=alert.fired_jd - 0.5,
                  resolved_at=alert.fired_at - 5.0)
    page = client.get(f"/alerts/{number}").text
    assert '<svg class="curve"' in page
    assert page.count('class="fired" cx=') == len(alert.points)
    assert 'class="threshold"' in page
    assert "threshold: mag &lt; 13.0" in page
    assert "450 mailbox busy" in page
    assert re.search(r'<a href="/alerts/\d+">#[0-9a-f]{6} older</a>', page)
    older = re.search(r'<a href="/alerts/(\d+)" rel="next">', page)
    assert older is not None
    assert f'href="/alerts/{number}" rel="prev"' in client.get(f"/alerts/{older[1]}").text
    assert client.get("/alerts/999").status_code == 404
    assert page.count("<svg") > client.get("/alerts/999").text.count("<svg")


def test_episodes_are_listed_by_state_rule_and_source(client: FlaskClient, site: Site) -> None:
    assert client.get("/alerts?state=active").text.count("<article") == 1
    assert "No such alert." in client.get("/alerts?state=withdrawn").text
    assert "No such alert." in client.get("/alerts?rule=none").text
    assert client.get("/alerts?rule=bright&state=active").text.count("<article") == 1
    whole = client.get("/alerts").text.count("<article")
    assert client.get("/alerts?state=nonsense").text.count("<article") == whole


def test_messages_are_listed_by_channel_and_state(client: FlaskClient) -> None:
    def listed(query: str) -> str:
        return client.get(f"/messages{query}").text.split('id="list"')[1]

    every = listed("")
    assert "450 mailbox busy" in every
    assert "450 mailbox busy" not in listed("?state=sent")
    assert listed("?channel=nonsense&state=x").count("<tr") == every.count("<tr") > 2
    assert re.search(r'Queued <span class="count">\d', client.get("/messages").text)


def test_a_mute_of_everything_can_be_ended(client: FlaskClient, site: Site) -> None:
    enter(client)
    with Database(site.database).write() as tx:
        actions.mute(tx, rule="", source="*", seconds=3600.0, by="Ana", now=time.time())
    assert "every rule until" in " ".join(client.get("/alerts").text.split())
    assert "All alerts are muted" in client.get("/").text
    assert client.get("/api/status").get_json()["muted"][0]["by"] == "Ana"
    client.post("/mutes", headers=OURS, data={"rule": "", "source": "", "end": "1"})
    assert "every rule until" not in (page := " ".join(client.get("/alerts").text.split()))
    assert "everything is unmuted." in page
    assert "All alerts are muted" not in client.get("/").text


def test_a_mistyped_source_or_rule_is_not_muted(client: FlaskClient, site: Site) -> None:
    enter(client)
    for wrong, said in (({"source": "BLLaz"}, "did you mean BL Lac"),
                        ({"rule": "brigth"}, "did you mean bright?")):
        answer = client.post("/mutes", headers=OURS, data=wrong)
        assert answer.status_code == 400
        assert said in answer.text
    assert rows(Database(site.database), Mute) == []


def test_a_refused_mute_keeps_its_fields(client: FlaskClient, site: Site) -> None:
    enter(client)
    for change, field, said in (
            ({"source": "nobody"}, "source", "nknown source"), ({"rule": "x"}, "rule", "no rule"),
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
