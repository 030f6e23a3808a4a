"""A night: its telescopes, sources, summary and frames on one page."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.alerts.summary import write
from iop4d.config import Site
from iop4d.model.flags import NEVER_ALERTS
from iop4d.store import events, pages, tonight
from iop4d.store.database import Database
from iop4d.store.schema import Result
from iop4d.web.app import create_app
from tests.alerts.summary_facts import facts, nothing
from tests.web import observatory

NOW = time.time()
NIGHT = time.strftime("%Y-%m-%d", time.gmtime(NOW - 43200))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A night of frames, summarised; and a night before in which nothing was observed."""
    made = observatory.site(tmp_path_factory.mktemp("night") / "site")
    observatory.fill(made, now=NOW)
    with Database(made.database).write() as tx:
        for of in (replace(facts(url=""), night=NIGHT), nothing(night="2024-03-12")):
            write.post(tx, made, of, now=of.made_at)
    return made


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_a_night_that_is_written_in_another_way_leads_to_its_page(client: FlaskClient) -> None:
    answer = client.get(f"/nights/{NIGHT.replace('-', '')}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/nights/{NIGHT}")
    assert client.get("/nights/monday").status_code == 404


def test_a_night_has_all_of_it_on_one_page(client: FlaskClient) -> None:
    text = client.get(f"/nights/{NIGHT}").text
    order = [text.index(part) for part in (
        'id="telescopes"', "seeing", 'class="timeline"', 'id="sources"', 'class="source-card',
        'id="summary"', "12.871 ± 0.021", 'id="frames"', ">BLLac-0021")]
    assert order == sorted(order)
    assert 'href="/nights/2024-03-12" rel="prev"' not in text, "other nights lie between"
    assert re.search(r'href="/nights/[\d-]+" rel="prev"', text)


def test_the_bands_of_the_points_at_hand_are_those_of_the_table(site: Site) -> None:
    with Database(site.database, read_only=True).read() as db:
        found = tonight.bands(tonight.points(db, NIGHT))
        rows = db.rows(
            "SELECT source, band, COUNT(*), AVG(m), MIN(m), MAX(m), COUNT(m) FROM (SELECT *, CASE "
            f"WHEN flags & {int(NEVER_ALERTS)} = 0 AND human_flags = '[]' AND mode != 'stack' "
            "THEN mag END AS m FROM result WHERE night = ? AND withdrawn = FALSE) AS points "
            "GROUP BY source, band ORDER BY source, band", NIGHT)
    assert len(found) > 3
    for one, (source, band, count, mean, least, most, good) in zip(found, rows, strict=True):
        assert (one.source, one.band, one.count, one.good) == (source, band, count, good)
        assert one.mean == (None if mean is None else pytest.approx(mean))
        assert (one.brightest, one.faintest) == (least, most)


def test_a_night_with_nothing_but_a_summary_has_its_page(client: FlaskClient) -> None:
    text = client.get("/nights/2024-03-12").text
    assert "Nothing was observed." in text
    assert 'id="frames"' not in text
    assert client.get("/nights/2024-03-11").status_code == 404


def test_the_address_in_mails_leads_there(client: FlaskClient) -> None:
    answer = client.get(f"/summaries/{NIGHT}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/nights/{NIGHT}#summary")


def test_a_night_without_a_summary_says_when_there_will_be_one(tmp_path: Path) -> None:
    made = observatory.site(tmp_path)
    observatory.fill(made, now=NOW)
    assert "The summary is made as the night ends." in create_app(made).test_client().get(
        f"/nights/{NIGHT}").text


def test_every_frame_of_a_night_is_on_one_of_its_pages(
        client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(page: int) -> list[str]:
        return re.findall(r'<tr data-key="(f\d+)">',
                          client.get(f"/nights/{NIGHT}?page={page}").text)

    whole = rows(1)
    assert len(whole) > 4
    monkeypatch.setattr(pages, "NIGHT_FRAMES", 4)
    parted = [rows(page) for page in range(1, -(-len(whole) // 4) + 1)]
    assert {len(part) for part in parted[:-1]} == {4}
    assert [row for part in parted for row in part] == whole


def test_what_was_observed_is_written_once_until_something_happens(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = observatory.site(tmp_path / "site")
    observatory.fill(made, now=NOW)
    app, written = create_app(made), []

    @app.context_processor
    def _noted() -> dict[str, str]:
        written.append(1)
        return {}

    client = app.test_client()
    first = client.get(f"/nights/{NIGHT}")
    once = len(written)
    assert client.get(f"/nights/{NIGHT}").text == first.text
    assert len(written) - once == once - 1, "the page, without the part that is kept"
    with Database(made.database).write() as tx:
        tx.update(Result, mag=11.111, changed_at=NOW).where(Result.mag.is_null(False)).execute()
        events.emit(tx, "result", NOW)
    assert "11.111" in client.get(f"/nights/{NIGHT}").text.split('id="frames"')[0]
