"""The catalogue entry of a source: the form, what it refuses, and what a change leaves behind."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.source import Source
from iop4d.model.states import Role
from iop4d.store import audit, catalogue, users
from iop4d.store.catalogue_cells import cells_of
from iop4d.store.database import Database
from iop4d.store.schema import Audit, Result
from iop4d.system.lock import SiteLock
from iop4d.web.app import create_app
from iop4d.web.markdown import markdown
from tests.web import observatory
from tests.web.conftest import OURS, add_account, enter, requested

AT = "/sources/BL%20Lac/catalogue"


@pytest.fixture
def editor(own: Site) -> FlaskClient:
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.EDITOR)
    client = create_app(own).test_client()
    assert enter(client).status_code == 303
    return client


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, FlaskClient]:
    """A site that refuses whatever its tests send."""
    made = observatory.site(tmp_path_factory.mktemp("refusing"))
    observatory.fill(made, frames=3)
    add_account(made)
    client = create_app(made).test_client()
    enter(client)
    return made, client


def source(site: Site, name: str = "BL Lac") -> Source:
    with Database(site.database, read_only=True).read() as db:
        return catalogue.find(db, name)


def form(site: Site, name: str = "BL Lac", **changed: str) -> dict[str, str]:
    return {column: text for column, text in cells_of(source(site, name)).items()
            if column != "name"} | changed


def post(client: FlaskClient, path: str, **fields: str) -> Any:
    return client.post(path, data=fields, headers=OURS)


def test_a_change_is_saved_with_who_made_it_and_can_be_undone(own: Site,
                                                             editor: FlaskClient) -> None:
    answer = post(editor, AT, **form(
        own, ra="22:02:43.30", tags="TeV; monitored", mag_R="14.1", mag_R_err="0.02",
        redshift="0.069", note="See **Villata** et al.", add_band="C", add_mag="9.5",
        add_mag_err="0.1", why="a better place"))
    assert answer.status_code == 303, answer.text
    found = source(own)
    assert found.ra_deg == pytest.approx(330.680417, abs=1e-6)
    assert (found.tags, found.magnitudes["R"], found.magnitudes["C"]) == (
        ("TeV", "monitored"), (14.1, 0.02), (9.5, 0.1))
    assert found.redshift == 0.069
    with Database(own.database, read_only=True).read() as db:
        (row,) = audit.of_subject(db, "source 2200+420")
    assert (row.by, row.act, row.why) == ("Ana", "edit source", "a better place")
    text = editor.get(AT).text
    assert "<strong>Villata</strong>" in text
    assert "No daemon runs: the results follow this change when it is started." in text
    assert "nothing → TeV;monitored" in text
    undone = post(editor, f"/catalogue/changes/{row.id}/undo")
    assert undone.status_code == 303
    assert source(own).tags == ()
    assert post(editor, f"/catalogue/changes/{row.id}/undo").status_code == 409


@pytest.mark.parametrize(("field", "value", "said"), [
    ("dec", "95", "Dec is 95, expected -90 to 90 degrees."),
    ("ra", "north", "RA is &#39;north&#39;, expected degrees or sexagesimal."),
    ("ra", "25:00:00", "RA is 25:00:00, expected 0 to 24 hours, or 0 to 360 degrees."),
    ("dec", "", "Dec is missing, expected degrees or sexagesimal."),
    ("chi", "400", "χ is 400, expected -180 to 360."),
    ("calibrates", "BL Lac", "2200+420 cannot calibrate itself."),
    ("mag_R", "99.99", "Magnitude in R is 99.99, which is no magnitude of a star"),
    ("redshift", "x", "Redshift is &#39;x&#39;, expected a number."),
    ("calibrates", "nobody", "Unknown target: nobody"),
    ("other_names", "3C 454.3", "share a name"), ("p", "5", "5.21 % is 0.0521"),
    ("add_band", "R2", "Expected the letters of a band"), ("tags", "x" * 600, "too long")])
def test_a_refused_form_keeps_its_fields_and_says_which_is_wrong(
        refusing: tuple[Site, FlaskClient], field: str, value: str, said: str) -> None:
    own, editor = refusing
    answer = post(editor, AT, **form(own, **{field: value, "why": "my reason",
                                             "note": "what I typed"}))
    assert answer.status_code == 400
    assert said in answer.text
    assert re.search(rf'id="field-{field}"[^>]*aria-invalid="true" '
                     rf'aria-describedby="wrong-{field}"', answer.text)
    assert "what I typed" in answer.text
    assert 'value="my reason"' in answer.text
    assert source(own).note == ""
    with Database(own.database, read_only=True).read() as db:
        assert db.get(Audit, Audit.act == "edit source") is None


def test_a_source_at_the_place_of_another_is_said_to_be_one_star_under_two_names(
        own: Site, editor: FlaskClient) -> None:
    new = {"kind": "target", "ra": "22:02:43.29", "dec": "+42:16:39.9"}
    assert post(editor, "/catalogue/new", **new | {"name": "Twin"}).status_code == 303
    for path in ("/sources/Twin/catalogue", AT):
        assert "one star under two names" in editor.get(path).text
    assert "one star under" not in editor.get("/sources/3C%20454.3/catalogue").text
    missing = post(editor, "/catalogue/new", **new | {"name": " "})
    assert "The name is missing." in missing.text


def test_all_wrong_fields_are_named_at_once(refusing: tuple[Site, FlaskClient]) -> None:
    own, editor = refusing
    text = post(editor, AT, **form(own, dec="95", mag_V="0", redshift="x")).text
    assert text.count('aria-invalid="true"') == 3


def test_a_form_of_before_another_change_is_refused(own: Site, editor: FlaskClient) -> None:
    page = editor.get(AT).text
    stamp = re.findall(r'name="stamp" value="(\w+)"', page)[0]
    assert post(editor, AT, **form(own, redshift="0.07", stamp=stamp)).status_code == 303
    late = post(editor, AT, **form(own, redshift="0.08", stamp=stamp))
    assert late.status_code == 409
    assert ("changed by another person meanwhile, and is now different from the form: "
            "redshift is 0.07, yours 0.08.") in late.text
    assert source(own).redshift == 0.07
    stamp = re.findall(r'name="stamp" value="(\w+)"', late.text)[0]
    assert post(editor, AT, **form(own, redshift="0.08", stamp=stamp)).status_code == 303
    assert source(own).redshift == 0.08


def test_a_source_is_added_renamed_and_removed(own: Site, editor: FlaskClient) -> None:
    new = {"name": "Mrk 421", "ra": "11:04:27.31", "dec": "+38:12:31.8", "kind": "target"}
    assert post(editor, "/catalogue/new", **new).headers["Location"] == (
        "/sources/Mrk%20421/catalogue")
    assert "share a name" in post(editor, "/catalogue/new", **new | {"name": "mrk421"}).text
    assert "is no name of a source" in post(editor, "/catalogue/new", **new | {"name": "a/b"}).text
    renamed = post(editor, "/sources/Mrk%20421/catalogue/rename", name="1101+384")
    assert renamed.status_code == 303, renamed.text
    assert source(own, "Mrk 421").name == "1101+384"
    assert post(editor, "/sources/1101+384/catalogue/remove").status_code == 303
    with pytest.raises(Exception, match="no source is named"):
        source(own, "1101+384")
    needed = post(editor, "/sources/BL%20Lac/catalogue/remove")
    assert needed.status_code == 400
    assert "needed by" in needed.text
    assert post(editor, "/sources/BL%20Lac/catalogue/remove", force="on").status_code == 303
    assert editor.get(AT).status_code == 404


def test_no_source_is_renamed_beside_a_daemon(own: Site, editor: FlaskClient) -> None:
    lock = SiteLock(own.lock)
    refused = post(editor, "/sources/BL%20Lac/catalogue/rename", name="X")
    lock.close()
    assert refused.status_code == 400
    assert "A daemon runs on this site" in refused.text
    assert source(own).name == "2200+420"


def test_frames_of_what_moved_are_reduced_again(own: Site, editor: FlaskClient) -> None:
    assert post(editor, AT, **form(own, ra="330.6805")).status_code == 303
    with Database(own.database, read_only=True).read() as db:
        (row,) = audit.of_subject(db, "source 2200+420")
    assert post(editor, f"/catalogue/changes/{row.id}/reduce-again").status_code == 303
    (content,) = requested(own)
    assert len(content["frames"]) == 8
    assert content["by"] == "Ana"


def test_who_may_not_change_the_catalogue_reads_it(own: Site) -> None:
    with Database(own.database).write() as tx:
        users.set_role(tx, "Ana", Role.OBSERVER)
    client = create_app(own).test_client()
    enter(client)
    text = client.get(AT).text
    assert "22:02:43.30" in text
    assert "<textarea" not in text
    assert post(client, AT, **form(own, redshift="1")).status_code == 403
    assert client.get("/catalogue/new").status_code in (303, 403)


@pytest.mark.parametrize("text", [
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://evil/x.png)",
    "<img src=x onerror=alert(1)>", "# heading", "[x](data:text/html,y)"])
def test_a_note_brings_no_code_no_pictures_and_no_headings(text: str) -> None:
    html = markdown(text)
    assert not re.search(r"<(script|img|h1)|javascript:[^)]*\"|data:[^)]*\"", html)


def test_a_note_is_markdown() -> None:
    assert markdown("*a* [b](https://c.org)\n- d") == (
        '<p><em>a</em> <a rel="noopener nofollow" href="https://c.org">b</a></p>\n<ul>\n'
        "<li>d</li>\n</ul>\n")
    assert markdown(None) == ""


def test_the_page_of_a_source_of_an_odd_name_answers(editor: FlaskClient) -> None:
    assert post(editor, "/catalogue/new", name="<b>x<|b>", ra="1", dec="1",
                kind="target").status_code == 303
    page = editor.get("/sources/%3Cb%3Ex%3C|b%3E/catalogue")
    assert page.status_code == 200
    assert "<b>x<" not in page.text


def test_an_added_source_that_is_needed_by_now_is_not_taken_out_by_undoing(
        own: Site, editor: FlaskClient) -> None:
    answer = post(editor, "/catalogue/new", name="New", kind="target", ra="10:00:00",
                  dec="+10:00:00")
    assert answer.status_code == 303, answer.text
    with Database(own.database).write() as tx:
        (row,) = audit.of_subject(tx, "source New")
        tx.update(Result, source="New").where(Result.id == 1).execute()
    undone = post(editor, f"/catalogue/changes/{row.id}/undo")
    assert undone.status_code == 409
    assert "New is needed by now (1 result of it" in html.unescape(undone.text)
