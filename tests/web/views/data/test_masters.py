"""The page of a master, and what people may do with it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.web.app import create_app
from tests.web.conftest import OURS, enter, execute, requested
from tests.web.views.data.real_frame import give


@pytest.fixture
def site(own: Site) -> Site:
    path = give(own)
    execute(own, "UPDATE master SET path = ?, frames = '[\"flat-1.fit\"]', "
            "night = (SELECT night FROM frame WHERE id = 1), "
            "left_out = '[\"flat-2.fit: saturated: median 60000 ADU\"]' WHERE id = 1", str(path))
    for number, (night, level) in enumerate((("2025-11-19", 0.99), ("2025-11-20", 1.02)), 2):
        execute(own, "INSERT INTO master (id, key, kind, telescope, instrument, layout, band, "
                "night, exptime_s, state, reason, n_frames, level, scatter, frames, left_out, "
                "masters, revision, changed_at) SELECT ?, ?, kind, telescope, instrument, layout, "
                "band, ?, 0, 'ready', '', 9, ?, 0.002, '[]', '[]', '[]', 1, 0 FROM master "
                "WHERE id = 1", number, f"flat/{number}", night, level)
    return own


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_it_shows_what_it_is_made_of_what_used_it_and_its_past(client: FlaskClient) -> None:
    page = client.get("/masters/1").text
    for what in ("flat-1.fit", "flat-2.fit", "saturated: median 60000 ADU", "Used by",
                 "Over the nights", "BLLac-"):
        assert what in page
    assert page.count("<circle") == 6  # level and scatter of three nights
    assert 'href="/masters/2"' in page
    assert "Reject" not in page  # for editors
    assert client.get("/masters/99").status_code == 404
    assert client.get("/masters/1/image.png").data.startswith(b"\x89PNG")
    assert client.get("/masters/1/image.json").json["unit"] == ""
    assert client.get("/masters/2/image.json").status_code == 404  # it was never built


def test_the_scatter_of_a_flat_is_not_rounded_away_in_the_table(client: FlaskClient) -> None:
    table = client.get("/data/masters?kind=flat").text
    assert 'data-label="Level">1.020<' in table
    assert 'data-label="Scatter">0.002<' in table


@pytest.mark.parametrize(("state", "act", "wanted"), [
    ("ready", "reject", {"reject": [1], "restore": []}),
    ("rejected", "accept", {"reject": [], "restore": [1]}),
    ("refused", "accept", {"reject": [], "restore": [1]})])
def test_an_editor_judges_it_with_a_reason(site: Site, client: FlaskClient, state: str, act: str,
                                           wanted: dict[str, list[int]]) -> None:
    execute(site, "UPDATE master SET state = ? WHERE id = 1", state)
    enter(client)
    assert f"/masters/1/{act}" in client.get("/masters/1").text
    assert client.post(f"/masters/1/{act}", headers=OURS, data={"reason": " "}).status_code == 400
    answer = client.post(f"/masters/1/{act}", headers=OURS, data={"reason": "uneven"})
    assert answer.headers["Location"] == "/masters/1"
    assert requested(site) == [wanted | {"reason": "uneven", "by": "Ana"}]
    assert "Requested" in client.get("/masters/1").text


def test_what_makes_no_sense_is_refused(site: Site, client: FlaskClient) -> None:
    assert client.post("/masters/1/reject", headers=OURS, data={"reason": "x"}).status_code == 403
    enter(client)
    assert client.post("/masters/1/accept", headers=OURS, data={"reason": "x"}).status_code == 409
    execute(site, "UPDATE master SET state = 'rejected' WHERE id = 1")
    assert client.post("/masters/1/reject", headers=OURS, data={"reason": "x"}).status_code == 409
    assert requested(site) == []
