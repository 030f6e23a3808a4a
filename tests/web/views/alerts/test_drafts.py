"""Drafts on the page: text, figure, and where every number comes from; no file leaks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.gather import gather
from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Result
from iop4d.web.app import create_app
from tests.alerts.atel.telegrams import asked, fill_catalogue, without_stars
from tests.support.rows import update
from tests.web import observatory
from tests.web.views.alerts.one_draft import NAME, site_with_draft


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_draft(tmp_path / "site")


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_the_list_is_empty_at_first(empty: Site) -> None:
    answer = create_app(empty).test_client().get("/drafts")
    assert answer.status_code == 200
    assert "No draft so far" in answer.text


def test_before_there_is_a_database_the_page_answers(tmp_path: Path) -> None:
    answer = create_app(observatory.site(tmp_path / "new")).test_client().get("/drafts")
    assert answer.status_code == 200


def test_drafts_are_listed(client: FlaskClient) -> None:
    text = client.get("/drafts").text
    assert f'href="/drafts/{NAME}"' in text
    assert "Optical brightening of BL Lac" in text
    assert "12.90 ± 0.0" in text or re.search(r"12\.9\d\d ± 0\.0\d\d", text)


@pytest.mark.parametrize(("change", "said"), [
    ({"human_flags": [{"name": "trail"}]}, "Results that it rests on are flagged: "),
    ({"withdrawn": True}, "Results that it rests on are withdrawn: "),
    ({"mag": 13.6, "changed_at": 2.0}, "Results that it rests on are changed since it was made: "),
])
def test_a_draft_that_rests_on_results_that_changed_says_so(
        client: FlaskClient, site: Site, change: dict[str, object], said: str) -> None:
    database = Database(site.database)
    (number, *_) = (n for n in drafts.listed(drafts.folder_of(site))[0].content["numbers"]
                    if n["results"])
    assert "outdated" not in client.get("/drafts").text
    update(database, Result, Result.id == number["results"][0], **change)
    database.close()
    page = client.get(f"/drafts/{NAME}").text
    assert "This draft is outdated." in page
    assert f"{said}{number['results'][0]}." in page
    assert 'A new one: <code>iop4d atel "BL Lac"</code>' in page
    assert "<strong>outdated</strong>" in client.get("/drafts").text


def test_a_draft_of_a_withdrawn_alert_says_so(client: FlaskClient, site: Site) -> None:
    of = {"rule": "flare", "source": "BL Lac", "band": "R", "episode": 1}
    database = Database(site.database)
    with database.write() as tx:
        facts = gather(tx, asked(tx))
        tx.create(Alert, **of, state="withdrawn", condition="mag < 13.0", severity="atel",
                  note="measured again", fired_jd=1.0, fired_at=1.0, points=[])
    database.close()
    kept = drafts.save(drafts.folder_of(site), facts, drafts.compose(site, facts), None,
                       made_at=2.0, alert=of)
    page = client.get(f"/drafts/{kept.name}").text
    assert "The alert was withdrawn: measured again." in page


def test_a_draft_about_polarisation_alone_is_listed_without_a_magnitude(tmp_path: Path) -> None:
    made = observatory.site(tmp_path / "site")
    database = Database(made.database)
    with database.write() as tx:
        fill_catalogue(tx)
        without_stars(tx, 0, 9.5)
        facts = gather(tx, asked(tx))
    database.close()
    drafts.save(drafts.folder_of(made), facts, drafts.compose(made, facts), None, made_at=1.0)
    client = create_app(made).test_client()
    text = client.get("/drafts").text
    assert "Optical polarimetry of BL Lac" in text
    assert '<td class="r num nowrap">–</td>' in text
    assert "was 12.0 +/- 0.4 % (debiased)" in client.get(f"/drafts/{NAME}").text


def test_a_draft_shows_its_text_to_be_copied_and_that_nothing_was_sent(
        client: FlaskClient, site: Site) -> None:
    text = client.get(f"/drafts/{NAME}").text
    kept = (drafts.folder_of(site) / NAME / "draft.txt").read_text()
    line = "We report optical photometry of BL Lac"
    assert line in kept
    assert text.count(line) == 2
    assert "<textarea readonly" in text
    assert "It was not sent" in text
    assert "No authors" in text


def test_every_measured_number_leads_to_its_results(client: FlaskClient, site: Site) -> None:
    text = client.get(f"/drafts/{NAME}").text
    content = json.loads((drafts.folder_of(site) / NAME / "draft.json").read_text())
    for number in content["numbers"]:
        for id_ in number["results"][:12]:
            assert f'href="/results/{id_}"' in text
    assert "more, in the trace" in text
    assert client.get("/results/1").status_code == 200


def test_a_text_that_a_person_changed_is_shown_as_changed(client: FlaskClient,
                                                          site: Site) -> None:
    (drafts.folder_of(site) / NAME / "draft.txt").write_text("Mine.")
    text = client.get(f"/drafts/{NAME}").text
    assert "edited after it was drafted" in text
    assert "Mine." in text


@pytest.mark.parametrize(("file", "mimetype", "begin"), [
    ("draft.txt", "text/plain", b"Title: "), ("draft.json", "application/json", b"{"),
    ("figure.png", "image/png", b"\x89PNG"), ("figure.pdf", "application/pdf", b"%PDF")])
def test_the_files_can_be_had(client: FlaskClient, file: str, mimetype: str,
                              begin: bytes) -> None:
    with client.get(f"/drafts/{NAME}/{file}") as answer:
        assert answer.status_code == 200
        assert answer.mimetype == mimetype
        assert answer.data.startswith(begin)
        assert ("attachment" in answer.headers.get("Content-Disposition", "")) == (
            file != "figure.png")


@pytest.mark.parametrize("path", [
    "/drafts/none", f"/drafts/{NAME}_2", f"/drafts/{NAME}/none", f"/drafts/{NAME}/..%2Fiop4d.db",
    f"/drafts/..%2Fdrafts%2F{NAME}", "/drafts/..", f"/drafts/{NAME}%00", f"/drafts/.{NAME}",
    f"/drafts/{NAME}/../../iop4d.db", "/drafts/%2e%2e/iop4d.toml"])
def test_nothing_else_is_handed_out(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_link_in_place_of_a_draft_or_of_its_files_is_not_followed(client: FlaskClient,
                                                                    site: Site) -> None:
    folder = drafts.folder_of(site)
    (site.root / "secret").write_text("secret")
    (folder / NAME / "figure.pdf").unlink()
    (folder / NAME / "figure.pdf").symlink_to(site.root / "secret")
    assert client.get(f"/drafts/{NAME}/figure.pdf").status_code == 404
    other = "ATel_Other_20261122T2130"
    (folder / NAME).rename(site.root / "elsewhere")
    (folder / other).symlink_to(site.root / "elsewhere")
    assert client.get(f"/drafts/{other}").status_code == 404
    assert client.get(f"/drafts/{other}/draft.txt").status_code == 404


def test_a_broken_draft_is_not_there(client: FlaskClient, site: Site) -> None:
    (drafts.folder_of(site) / NAME / "draft.json").write_text("{")
    assert client.get(f"/drafts/{NAME}").status_code == 404
    assert client.get("/drafts").status_code == 200


def test_hostile_text_stays_text_and_the_policy_is_strict(client: FlaskClient,
                                                          site: Site) -> None:
    path = drafts.folder_of(site) / NAME / "draft.txt"
    path.write_text(f"</textarea>{observatory.HOSTILE}")
    answer = client.get(f"/drafts/{NAME}")
    assert observatory.HOSTILE not in answer.text
    assert answer.text.count("</textarea>") == 1
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! src=\"/)|\son\w+=|\sstyle=", answer.text)
