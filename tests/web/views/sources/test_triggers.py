"""Triggers on the pages: why a source has priority, when it was triggered, what names no source."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.config.triggers import Triggers
from iop4d.model.units import jd_of_unix
from iop4d.store import status
from iop4d.store.database import Database
from iop4d.system.lock import SiteLock
from iop4d.triggers.receive import receive
from iop4d.web.app import create_app
from iop4d.web.curves.packing import unpacked
from tests.triggers.told import unified
from tests.web import observatory

PRIORITY = "Priority until"


@pytest.fixture
def client(own: Site) -> FlaskClient:
    return create_app(own).test_client()


def told(site: Site, **fields: Any) -> int:
    """A notice of now."""
    with Database(site.database).write() as tx:
        body = unified(alert_datetime=None, text="<Fermi> flare", **fields)
        return int(receive(tx, body, origin="topic x", settings=Triggers(), now=time.time()).row.id)


def test_a_source_and_tonight_say_until_when_it_has_priority_and_why(
        own: Site, client: FlaskClient) -> None:
    assert PRIORITY not in client.get("/sources/BL%20Lac").text
    id_ = told(own)
    page = client.get("/sources/BL%20Lac").text
    assert PRIORITY in page
    assert "&lt;Fermi&gt; flare</a> (5.6 sigma)" in page
    assert f"/data/triggers?id={id_}" in page
    for address in ("/", "/fragments/tonight-sources"):
        tonight = client.get(address).text
        assert "priority until" in tonight
        assert "BL Lacertae</a>: priority until" in tonight, "by the name that people use"
        assert "&lt;Fermi&gt; flare (5.6 sigma)" in tonight
    assert PRIORITY not in client.get("/sources/3C%20454.3").text
    told(own, alert_type="retraction")
    assert PRIORITY not in client.get("/sources/BL%20Lac").text
    assert "priority until" not in client.get("/").text


def test_the_light_curve_has_a_line_at_the_notice(own: Site, client: FlaskClient) -> None:
    def marks(answer: bytes) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = unpacked(answer)[0]["marks"]
        return found

    address = "/api/curves?source=BL%20Lac"
    before = client.get(address)
    assert marks(before.data) == []
    told(own)
    (mark,) = marks(client.get(address, headers={"If-None-Match": before.headers["ETag"]}).data)
    assert (mark["source"], mark["text"]) == ("2200+420", "<Fermi> flare")
    assert mark["jd"] == pytest.approx(jd_of_unix(time.time()), abs=1e-3)
    root = ET.fromstring(client.get("/curves.svg?source=BL%20Lac").data)
    lines = [path for path in root.iter("{http://www.w3.org/2000/svg}path")
             if path.get("class") == "mark"]
    assert lines
    assert {"".join(line.itertext()) for line in lines} == {"<Fermi> flare"}


def test_who_reads_results_alone_reads_nothing_of_triggers(own: Site) -> None:
    told(own)
    site = replace(own, web=replace(own.web, read="results"))
    outsider = create_app(site).test_client()
    assert PRIORITY not in outsider.get("/sources/BL%20Lac").text
    assert unpacked(outsider.get("/api/curves?source=BL%20Lac").data)[0]["marks"] == []
    assert b"mark" not in outsider.get("/curves.svg?source=BL%20Lac").data
    assert outsider.get("/api/v1/triggers").status_code == 401


def test_system_has_the_broker_and_the_notices_that_name_no_source(
        own: Site, client: FlaskClient) -> None:
    assert "d-triggers" not in client.get("/system").text
    told(own, event_name="Nova 1", ra=None, dec=None)
    beat = observatory.heartbeat(own, time.time()) | {"triggers": {
        "name": "triggers", "state": "unreachable", "reason": "no such host", "received": 7,
        "last_at": None, "topics": ["gcn.x"]}}
    with Database(own.database).write() as tx:
        status.beat(tx, beat)
    lock = SiteLock(own.lock)
    for address in ("/system", "/fragments/system/state"):
        page = client.get(address).text
        assert "7 received" in page
        assert "the catalogue does not have Nova 1" in page
    assert "not in the catalogue" in page
    assert "No triggers are received:</strong> no such host" in client.get("/system").text
    assert "no triggers are received" in client.get("/").text
    lock.close()
