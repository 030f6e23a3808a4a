"""A result with other settings: chosen on its page, shown beside the stored one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.states import Role
from iop4d.store import requests, users
from iop4d.store.database import Database
from iop4d.system.lock import SiteLock
from iop4d.web.app import create_app
from tests.web.conftest import OURS, add_info, enter, execute

TRY = "/results/1/trials"


@pytest.fixture
def client(own: Site) -> FlaskClient:
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.OBSERVER)
    add_info(own, software="1")
    execute(own, "UPDATE result SET instrument = 'CAFOS'")
    execute(own, "UPDATE master SET path = '/masters/flat.fits'")
    signed_in = create_app(own).test_client()
    enter(signed_in)
    return signed_in


def _queued(site: Site) -> list[Any]:
    with Database(site.database, read_only=True).read() as db:
        return requests.queued_trials(db)


def test_without_a_daemon_the_page_says_so_and_requests_nothing(
        own: Site, client: FlaskClient) -> None:
    execute(own, "DELETE FROM meta WHERE key = 'daemon'")
    page = client.post(TRY, headers=OURS, data={"photometry.aperture": "4"},
                       follow_redirects=True).text
    assert "the daemon is not running" in page
    assert "iop4d explain 1 --try" in page
    assert _queued(own) == []


@pytest.mark.parametrize(("form", "said"), [
    ({}, "choose at least one other setting"),
    ({"photometry.aperture": "99"}, "expected 0.5 to 30"),
    ({"without": "nobody"}, "no calibrator of this result"),
    ({"polarimetry.method": "plain"}, "has no settings of [polarimetry]")])
def test_what_cannot_be_tried_is_refused_in_words(
        own: Site, client: FlaskClient, form: dict[str, str], said: str) -> None:
    assert said in client.post(TRY, headers=OURS, data=form, follow_redirects=True).text
    assert _queued(own) == []


def test_the_page_waits_then_shows_both_and_the_stored_result_stays(
        own: Site, client: FlaskClient, hold_lock: Callable[[Site], SiteLock]) -> None:
    hold_lock(own)
    answer = client.post(TRY, headers=OURS, data={"photometry.aperture": "4"})
    assert answer.status_code == 303, answer.text
    place = answer.headers["Location"]
    waiting = client.get(place).text
    assert "A worker computes it" in waiting
    assert 'http-equiv="refresh"' in waiting  # without scripts
    (row,) = _queued(own)
    assert row.content == {"result": 1, "settings": {"photometry.aperture": "4"}, "without": [],
                           "by": "Ana"}
    values = {"mag": 13.40, "mag_err": 0.01, "flags": 0, "calibrators": [], "method": ""}
    with Database(own.database).write() as tx:
        requests.answer(tx, row.id, {"stored": values, "tried": {**values, "mag": 13.42},
                                     "core_s": 0.5})
    shown = client.get(place).text
    assert "+0.0200" in shown
    assert "+2.00" in shown
    assert "hx-trigger=\"every" not in shown
    assert place.rpartition("/")[2] in client.get("/results/1").text.split("Tried before")[1]
    with Database(own.database).write() as tx:
        requests.answer(tx, row.id, {"error": "the raw file was removed"})
    assert "the raw file was removed" in client.get(place).text


def test_who_may_not_act_sees_no_form(own: Site, client: FlaskClient) -> None:
    assert 'name="photometry.aperture"' in client.get("/results/1").text
    nobody = create_app(own).test_client()
    assert 'name="photometry.aperture"' not in nobody.get("/results/1").text
    assert nobody.post(TRY, headers=OURS, data={"photometry.aperture": "4"}).status_code == 403
    assert nobody.get("/trials/999").status_code == 404
