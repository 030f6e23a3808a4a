"""An open page hears of what it shows, and of nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.model.states import FrameState
from iop4d.store import events, frames, results
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Result
from iop4d.web.app import create_app
from iop4d.web.live_names import about, names_of
from iop4d.web.stream import Message
from tests.web import observatory
from tests.web.conftest import emit, execute


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = observatory.site(tmp_path_factory.mktemp("named") / "site")
    observatory.fill(made)
    execute(made, "UPDATE frame SET target = '2200+420' WHERE state = 'done'")
    return made


@pytest.fixture
def client(site: Site) -> Iterator[FlaskClient]:
    with create_app(site).test_client() as made:
        yield made


def heard(client: FlaskClient, path: str, id_: str) -> set[str]:
    """The names of events at which a part of a page is fetched again."""
    page = client.get(path, follow_redirects=True).text
    (tag,) = re.findall(rf'<\w+ [^>]*id="{id_}"[^>]*>', page)
    (trigger,) = re.findall(r'hx-trigger="([^"]*)"', tag)
    return {one.split()[0].removeprefix("iop4d-") for one in trigger.split(", ")}


def of_target(site: Site) -> Frame:
    """A frame of a source."""
    with Database(site.database, read_only=True).read() as db:
        return next(one for one in db.select(Frame).where(Frame.state == "done") if one.target)


def source_of(site: Site) -> str:
    """A source that has results."""
    with Database(site.database, read_only=True).read() as db:
        return str(next(iter(db.select(Result))).source)


@pytest.mark.parametrize("part", ["latest", "nights"])
def test_the_page_of_a_source_hears_of_its_own_results_alone(
        site: Site, client: FlaskClient, part: str) -> None:
    source = source_of(site)
    own = {"id": 7, "source": source, "band": "R", "nights": ["2026-11-27"]}
    names = heard(client, f"/sources/{source}", part)
    assert names & set(names_of("result", own))
    assert names & set(names_of("flag", own))
    assert not names & set(names_of("result", own | {"source": "another"}))
    assert not names & set(names_of("flag", own | {"source": "another"}))
    assert "reset" in names


def test_the_page_of_a_frame_hears_of_itself_and_of_the_results_of_its_source(
        site: Site, client: FlaskClient) -> None:
    frame = of_target(site)
    names = heard(client, f"/frames/{frame.id}", "frame")
    assert names & set(names_of("frame", {"id": frame.id, "night": "2026-11-27"}))
    assert names & set(names_of("result", {"source": frame.target}))
    assert not names & set(names_of("frame", {"id": frame.id + 1, "night": "2026-11-27"}))
    assert not names & set(names_of("result", {"source": "another"}))


def test_the_page_of_a_night_hears_of_that_night_and_of_what_concerns_too_many_to_name(
        site: Site, client: FlaskClient) -> None:
    night = of_target(site).night
    for part in ("observed", "listed"):
        names = heard(client, f"/nights/{night}", part)
        assert names & set(names_of("frame", {"id": 1, "night": night}))
        assert names & set(names_of("result", {"source": "a", "nights": ["2001-01-01", night]}))
        assert names & set(names_of("result", {"source": "a", "nights": ["many"]}))
        assert not names & set(names_of("frame", {"id": 1, "night": "2001-01-01"}))
        assert not names & set(names_of("result", {"source": "a", "nights": ["2001-01-01"]}))


def test_a_page_gets_all_names_of_an_event_and_a_program_the_event_once() -> None:
    message = Message(5, "frame", '{"id":5}', (about("frame", id=3),))
    assert re.findall("event: (.*)", message.encoded(for_page=True).decode()) == [
        "iop4d-frame", f"iop4d-{about('frame', id=3)}"]
    assert message.encoded(for_page=False).decode() == 'id: 5\ndata: {"id":5}\n\n'


def test_what_is_written_says_what_it_is_about(site: Site) -> None:
    with Database(site.database).write() as tx:
        before = events.newest(tx)
        frame = next(iter(tx.select(Frame).where(Frame.state == "done")))
        frames.set_state(tx, frame.id, FrameState.DONE, 1.0)
        rows = list(tx.select(Result))
        results.emit_newest(tx, [row.id for row in rows], 1.0)
        told = [row.content for row in events.after(tx, before, 100)]
    assert told[0] == {"id": frame.id, "state": "done", "night": frame.night}
    assert {(one["source"], one["band"]): set(one["nights"]) for one in told[1:]} == {
        (source, band): {row.night for row in rows if (row.source, row.band) == (source, band)}
        for source, band in {(row.source, row.band) for row in rows}}


def test_a_page_that_polls_hears_the_same_names(site: Site, client: FlaskClient) -> None:
    content = {"id": 3, "state": "done", "night": "2026-11-27"}
    last = emit(site, "frame", json.dumps(content))
    answer = client.get(f"/api/live?page=1&since={last - 1}").get_json()
    assert answer["kinds"] == sorted(names_of("frame", content))
    for _ in range(201):
        emit(site, "mail", "{}")
    assert client.get(f"/api/live?page=1&since={last - 1}").get_json()["kinds"] == ["reset"]
