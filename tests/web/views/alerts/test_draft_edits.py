"""Texts of telegrams edited on the page: kept beside what was drafted, with what is doubtful."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.edited import doubts, plain
from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.schema import Audit
from iop4d.web.app import create_app
from tests.support.rows import rows
from tests.web.conftest import OURS, add_account, enter
from tests.web.views.alerts.one_draft import NAME, site_with_draft


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_draft(tmp_path / "site")


@pytest.fixture
def client(site: Site) -> FlaskClient:
    add_account(site)
    made = create_app(site).test_client()
    enter(made)
    return made


def text_of(site: Site) -> str:
    return (drafts.folder_of(site) / NAME / "draft.txt").read_text(encoding="utf-8")


def state_of(client: FlaskClient) -> str:
    found = re.search(r'name="state" value="(\w+)"', client.get(f"/drafts/{NAME}").text)
    assert found is not None
    return found[1]


def save(client: FlaskClient, text: str, **more: str) -> tuple[int, str]:
    form = {"text": text, "state": state_of(client)} | more
    answer = client.post(f"/drafts/{NAME}", headers=OURS, data=form)
    return answer.status_code, html.unescape(answer.text)


def test_an_edited_text_is_kept_beside_the_drafted_one(client: FlaskClient, site: Site) -> None:
    drafted = text_of(site)
    edited = drafted.replace("We report", "We announce")
    assert save(client, edited.replace("\n", "\r\n"))[0] == 303
    edited = plain(edited)  # as a browser has it
    assert text_of(site) == edited
    kept = json.loads((drafts.folder_of(site) / NAME / "draft.json").read_text())
    assert kept["text"] == drafted
    page = html.unescape(client.get(f"/drafts/{NAME}").text)
    assert "edited after it was drafted" in page
    assert page.count("We report optical photometry") == 1  # as it was drafted
    assert "Edited by Ana" in page
    (change,) = rows(Database(site.database), Audit)
    assert (change.by, change.act, change.subject) == ("Ana", "draft", f"draft {NAME}")
    assert (change.was, change.now) == (drafted, edited)
    assert save(client, "whatever", drafted="1")[0] == 303
    assert text_of(site) == drafted
    assert "edited after" not in client.get(f"/drafts/{NAME}").text


def test_who_may_not_edit_reads_and_copies(client: FlaskClient, site: Site) -> None:
    outsider = create_app(site).test_client()
    assert "<textarea readonly" in outsider.get(f"/drafts/{NAME}").text
    assert outsider.post(f"/drafts/{NAME}", headers=OURS, data={"text": "x"}).status_code == 403


def test_what_another_person_wrote_meanwhile_is_not_lost(client: FlaskClient, site: Site) -> None:
    old = state_of(client)
    save(client, text_of(site) + "Theirs.\n")
    code, page = save(client, "Mine.", state=old)
    assert (code, "changed by another person meanwhile" in page) == (409, True)
    assert "Mine." in page
    assert text_of(site).endswith("Theirs.\n")


@pytest.mark.parametrize(("text", "why"), [
    ("", "The text is empty."), ("  \n", "The text is empty."),
    ("x" * 64_001, "The text is too long; expected 64000 characters or less.")],
    ids=["nothing", "blanks", "endless"])
def test_an_empty_and_an_endless_text_are_refused(
        client: FlaskClient, site: Site, text: str, why: str) -> None:
    before = text_of(site)
    code, page = save(client, text)
    assert code == 400
    assert why in page
    assert text_of(site) == before
    assert client.post("/drafts/ATel_none_20261122T2130", headers=OURS).status_code == 404


def test_the_page_says_what_is_doubtful_in_an_edited_text(client: FlaskClient,
                                                          site: Site) -> None:
    (number, *_) = (one for one in json.loads(
        (drafts.folder_of(site) / NAME / "draft.json").read_text())["numbers"] if one["results"])
    edited = text_of(site).replace(number["text"], "7.77") + "\u00e9" * 4000
    save(client, edited)
    page = html.unescape(client.get(f"/drafts/{NAME}").text)
    assert re.search(r"The text has \d{4} characters; a telegram has at most 4000\.", page)
    assert f"not in the text any more: {number['text']} ({number['what']})" in page
    assert "Numbers that the draft did not have, whose origin only you know: 7.77." in page
    assert "takes plain ASCII; not that: \u00e9" in page


def test_a_drafted_text_has_no_doubts_and_line_ends_are_of_one_kind() -> None:
    content = {"text": "Title: a\nR = 12.90 +/- 0.02\n", "numbers": [
        {"text": "12.90 +/- 0.02", "what": "R", "results": [1]}]}
    assert doubts(content["text"], content) == []
    assert doubts("Title: " + "t" * 256 + "\nR = 12.90 +/- 0.02\n", content) == [
        "The title has 256 characters; it may have 255."]
    assert plain("a  \r\nb\rc\n\n") == "a\nb\nc\n"


def test_drafts_lead_to_those_beside_them(client: FlaskClient, site: Site) -> None:
    folder = drafts.folder_of(site)
    second = folder / "ATel_BLLac_20261123T2130"
    second.mkdir()
    content = json.loads((folder / NAME / "draft.json").read_text())
    (second / "draft.json").write_text(json.dumps(content | {"name": second.name, "made_at": 2.0}))
    assert f'href="/drafts/{second.name}" rel="prev"' in client.get(f"/drafts/{NAME}").text
    assert f'href="/drafts/{NAME}" rel="next"' in client.get(f"/drafts/{second.name}").text
