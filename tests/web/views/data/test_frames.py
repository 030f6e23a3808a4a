"""Trying a frame again from its page: for this machine's browsers, and from our own page only."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.store import products
from iop4d.store.database import Database
from iop4d.store.products import Product
from iop4d.store.schema import Frame
from iop4d.web import reader
from iop4d.web.app import create_app
from tests.support.stores import held_by_another, set_version, version_of
from tests.web.conftest import OURS, add_info, enter, execute, requested
from tests.web.views.data.real_frame import give


@pytest.fixture
def site(own: Site) -> Site:
    return own


def frame_of(site: Site, state: str) -> int:
    with Database(site.database, read_only=True).read() as db:
        return int(db.select(Frame).where(Frame.state == state).get().id)


def client_of(site: Site, **web: str) -> FlaskClient:
    text = "\n".join(f'{key} = "{value}"' for key, value in web.items())
    return create_app(parse_site(f"[site]\nurl = 'http://obs.example.org'\n[web]\n{text}",
                                 root=site.root)).test_client()


@pytest.mark.parametrize("state", ["failed", "rejected", "quarantined"])
def test_a_frame_is_tried_again_once_asked_for(site: Site, state: str) -> None:
    number = frame_of(site, state)
    client = client_of(site)
    assert "Retry" in client.get(f"/frames/{number}").text
    answer = client.post(f"/frames/{number}/retry", headers=OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/frames/{number}")
    assert requested(site) == [{"frames": [number], "act": "retry",
                                "by": "a browser of this machine"}]
    assert client.get("/").status_code == 200  # the reader reads on


def test_what_is_done_or_not_there_is_not_tried_again(site: Site) -> None:
    client = client_of(site)
    done = frame_of(site, "done")
    assert "Retry" not in client.get(f"/frames/{done}").text
    assert client.post(f"/frames/{done}/retry", headers=OURS).status_code == 409
    assert client.post("/frames/99999/retry", headers=OURS).status_code == 404
    assert requested(site) == []


@pytest.mark.parametrize("headers", [
    {}, {"Origin": "http://evil.example.org"}, {"Origin": "null"},
    {"Origin": "http://evil.example.org", "Host": "evil.example.org"}])
def test_other_pages_cannot_ask(site: Site, headers: dict[str, str]) -> None:
    number = frame_of(site, "failed")
    assert client_of(site).post(f"/frames/{number}/retry", headers=headers).status_code == 403
    assert requested(site) == []


@pytest.mark.parametrize(("who", "address", "status"), [
    ("local", "127.0.0.1", 303), ("local", "::1", 303), ("local", "192.0.2.7", 403),
    ("all", "192.0.2.7", 303), ("none", "127.0.0.1", 403)])
def test_who_may(site: Site, who: str, address: str, status: int) -> None:
    number = frame_of(site, "failed")
    client = client_of(site, allow_retry=who)
    environ = {"REMOTE_ADDR": address}
    page = client.get(f"/frames/{number}", environ_overrides=environ).text
    assert ("Retry" in page) == (status == 303)
    answer = client.post(f"/frames/{number}/retry", headers=OURS, environ_overrides=environ)
    assert answer.status_code == status
    assert len(requested(site)) == (status == 303)


def test_the_address_of_the_site_file_is_ours_too(site: Site) -> None:
    number = frame_of(site, "failed")
    answer = client_of(site, allow_retry="all").post(f"/frames/{number}/retry", headers={
        "Origin": "http://obs.example.org", "Host": "obs.example.org"})
    assert answer.status_code == 303


def test_a_request_that_cannot_be_written_now_is_said_to_be_so(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BUSY_SECONDS", 0.1)
    number, client = frame_of(site, "failed"), client_of(site)
    with held_by_another(site.database):
        answer = client.post(f"/frames/{number}/retry", headers=OURS)
        assert answer.status_code == 503
        assert "locked by another program" in answer.text
    assert requested(site) == []


def test_a_request_leaves_the_tables_as_they_are(site: Site) -> None:
    """A newer page must not migrate the database under an older daemon that runs."""
    database = Database(site.database)
    set_version(database, 1)
    number = frame_of(site, "failed")
    client_of(site).post(f"/frames/{number}/retry", headers=OURS)
    assert version_of(database) == 1
    database.close()
    assert requested(site) == [{"frames": [number], "act": "retry",
                                "by": "a browser of this machine"}]


def test_the_frames_before_and_after_are_one_click_away(site: Site) -> None:
    page = client_of(site).get("/frames/16").text
    assert 'href="/frames/13" rel="prev"' in page  # of the same target: each third
    assert 'href="/frames/19" rel="next"' in page


def test_the_header_shows_every_card_and_finds_some(site: Site) -> None:
    give(site)
    client = client_of(site)
    page = client.get("/frames/1/header").text
    assert all(card in page for card in ("OBSERVER", "Ana", "HISTORY", "taken by hand", "NAXIS1"))
    found = client.get("/frames/1/header?find=ana").text
    assert "OBSERVER" in found
    assert "NAXIS1" not in found
    assert "EXPTIME" in client.get("/frames/1/header?of=reduced").text
    assert "cannot be read" in client.get("/frames/2/header").text
    assert "no longer exists" in client.get("/frames/25/header").text


def test_the_astrometric_match_is_drawn(site: Site) -> None:
    give(site)
    add_info(site, Frame.id == 1, solution={
        "steps": ["index: none of 6 attempts matched"], "attempts": 2, "log_odds": 43.2,
        "matched": [[100.5, 200.5, 0.1, -0.2]]})
    page = client_of(site).get("/frames/1").text
    for said in ("Astrometric match", "Residuals over the frame", "none of 6 attempts matched",
                 "star list 2", "e<sup>43</sup>", "x 100, y 200: +0.10, -0.20 px"):
        assert said in page, said
    marks = client_of(site).get("/frames/1/marks.json").json
    assert marks["matched"] == [[100.5, 200.5, 0.1, -0.2]]


def test_a_frame_without_anything_has_its_page(site: Site) -> None:
    for state in ("failed", "queued", "rejected"):
        page = client_of(site).get(f"/frames/{frame_of(site, state)}").text
        assert "No job is known" in page
        assert 'id="viewer"' in page


def test_an_editor_leaves_a_frame_out_with_a_reason_and_uses_it_again(site: Site) -> None:
    client = create_app(site).test_client()
    number = frame_of(site, "done")
    address = f"/frames/{number}/ignore"
    assert client.post(address, headers=OURS, data={"reason": "a trail"}).status_code == 403
    enter(client)
    assert address in client.get(f"/frames/{number}").text
    assert client.post(address, headers=OURS).status_code == 400
    assert client.post(address, headers=OURS, data={"reason": "a trail"}).status_code == 303
    assert requested(site) == [{"frames": [number], "reason": "a trail", "by": "Ana"}]
    execute(site, "UPDATE frame SET state = 'rejected', reason = 'ignored by hand: a trail' "
            "WHERE id = ?", number)
    page = client.get(f"/frames/{number}").text
    assert "Use again" in page
    assert address not in page
    assert client.post(address, headers=OURS, data={"reason": "x"}).status_code == 409


def test_a_frame_whose_products_were_removed_says_so_and_how_they_come_back(site: Site) -> None:
    number = frame_of(site, "done")
    database = Database(site.database)
    with database.write() as tx:
        products.forget(tx, Product.REDUCED, [number], 1.0)
    database.close()
    text = client_of(site).get(f"/frames/{number}").get_data(as_text=True)
    assert "The reduced frame was removed" in text
    assert "iop4d reprocess --pruned" in text
    assert "Download the reduced frame" not in text
