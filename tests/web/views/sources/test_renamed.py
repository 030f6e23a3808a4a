"""The pages of a source that was renamed."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.source import Source, SourceKind
from iop4d.store import calibrator_history, catalogue, catalogue_changes, former_names, sources
from iop4d.store.database import Database
from iop4d.store.schema import Result
from iop4d.web.app import create_app
from tests.web.conftest import enter

OLD, NEW = "2200+420", "BL Lacertae"


def rename(site: Site, old: str, new: str, *, keep: bool = True) -> None:
    with Database(site.database).write() as tx:
        catalogue_changes.rename(tx, catalogue.find(tx, old), new, by="ana", at=1.0, keep=keep)


def client_of(site: Site, **web: object) -> FlaskClient:
    return create_app(replace(site, web=replace(site.web, **web))).test_client()


def got(site: Site, address: str, name: str) -> tuple[int, str, bytes]:
    """What comes for an address with the name of a source."""
    with client_of(site).get(address.format(quote(name))) as answer:
        return answer.status_code, answer.mimetype, answer.data


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("page", ["sources", "public"])
def test_an_old_address_leads_to_the_new_one_with_all_that_it_asks_for(
        own: Site, page: str, keep: bool) -> None:
    rename(own, OLD, NEW, keep=keep)
    client = client_of(own, public_sources=("*",))
    moved = client.get(f"/{page}/{OLD}?from=2025-11-01&to=2026-01-01&band=R")
    assert (moved.status_code, moved.location) == (
        302, f"/{page}/BL%20Lacertae?from=2025-11-01&to=2026-01-01&band=R")
    assert client.get(moved.location).status_code == 200
    other = client.get(f"/{page}/BL%20Lac?from=2025-11-01&to=2026-01-01")
    assert other.status_code == 200, "its other names are as they were"


@pytest.mark.parametrize("address", [
    "/curves?source={}", "/api/sources/{}/points", "/api/v1/sources/{}", "/curves.svg?source={}",
    "/api/results?source={}", "/alerts?source={}", "/sources/{}/catalogue", "/sources/{}/exposure",
    "/sources/{}/chart"])
def test_what_names_the_old_name_is_about_the_source(own: Site, address: str) -> None:
    before = got(own, address, OLD)
    rename(own, OLD, NEW, keep=False)
    old, new = (got(own, address, name) for name in (OLD, NEW))
    assert before[:2] == old[:2] == new[:2]
    if old[1] != "text/html":
        assert old[2] == new[2]


def test_a_name_that_another_source_was_given_is_that_ones(own: Site) -> None:
    rename(own, OLD, NEW, keep=False)
    with Database(own.database).write() as tx:
        source = catalogue.find(tx, "3C 454.3")
        catalogue_changes.edit(tx, source, replace(source, other_names=(*source.other_names, OLD)),
                               by="ana", at=2.0)
        found = sources.find(tx, OLD)
        assert found is not None
        assert found[0] == "2251+158"
    assert client_of(own).get(f"/sources/{OLD}").status_code == 200, "it is one of its names"


def test_names_are_followed_through_several_changes_and_back(own: Site) -> None:
    rename(own, OLD, "first", keep=False)
    rename(own, "first", "second", keep=False)
    with Database(own.database, read_only=True).read() as db:
        assert former_names.name_now(db, OLD) == "second"
        assert former_names.name_now(db, "First") == "second"
        assert former_names.names_before(db, "second") == ("first", OLD)
        assert former_names.name_now(db, "second") == ""
        assert former_names.name_now(db, "never") == ""
    rename(own, "second", OLD, keep=False)
    with Database(own.database, read_only=True).read() as db:
        assert former_names.name_now(db, OLD) == ""
        assert former_names.name_now(db, "first") == OLD
    assert client_of(own).get(f"/sources/{OLD}").status_code == 200


def test_changes_from_before_are_still_those_of_the_source(own: Site) -> None:
    with Database(own.database).write() as tx:
        source = catalogue.find(tx, OLD)
        catalogue_changes.edit(tx, source, replace(source, note="a blazar"), by="ana", at=1.0)
    rename(own, OLD, NEW)
    with Database(own.database, read_only=True).read() as db:
        assert [one.act for one in catalogue_changes.of_source(db, NEW)] == [
            "rename source", "edit source"]
        (difference,) = catalogue_changes.of_source(db, NEW)[1].differences
        assert difference.now == "a blazar"


def test_a_calibrator_that_is_renamed_keeps_what_it_did(own: Site) -> None:
    with Database(own.database).write() as tx:
        name = "C"
        catalogue.save(tx, [Source(name=name, ra_deg=330.7, dec_deg=42.29, calibrates=(OLD,),
                                   kind=SourceKind.CALIBRATOR)])
        before = calibrator_history.uses_of(tx, OLD, name)
        version = {row.id: row.calibrators for row in tx.select(Result)}
    assert before
    rename(own, name, 'the "new" star, ü')
    with Database(own.database, read_only=True).read() as db:
        after = calibrator_history.uses_of(db, OLD, 'the "new" star, ü')
        assert [replace(use, source=name) for use in after] == before
        assert calibrator_history.uses_of(db, OLD, name) == []
        for row in db.select(Result):
            assert [{**use, "source": name if "new" in use["source"] else use["source"]}
                    for use in row.calibrators] == version[row.id]


def test_a_source_whose_name_is_a_number_has_its_page(own: Site) -> None:
    rename(own, OLD, "3")
    client = client_of(own)
    assert "<h1>3 " in client.get("/sources/3").text
    assert client.get("/sources/2").status_code == 200, "others are found by their ids"


def test_the_page_of_a_source_under_its_old_name_is_not_a_loop(own: Site) -> None:
    client = client_of(own)
    enter(client)
    rename(own, OLD, NEW)
    answer = client.get(f"/sources/{OLD}", follow_redirects=True)
    assert answer.status_code == 200
    assert len(answer.history) == 1


def test_the_page_of_a_removed_source_leads_to_none_that_is_not_there(own: Site) -> None:
    with Database(own.database).write() as tx:
        catalogue_changes.remove(tx, catalogue.find(tx, OLD), by="ana", at=1.0)
    status, _, page = got(own, "/sources/{}", OLD)
    assert status == 200
    assert b"no longer in the catalogue" in page
    for part in ("catalogue", "calibrators", "exposure"):
        assert f'href="/sources/{quote(OLD)}/{part}"'.encode() not in page
