"""Calibrators on the page: the finding chart, the check, their history, new ones from a file."""

from __future__ import annotations

import re
import threading
import time
from io import BytesIO
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from iop4d.config import Site
from iop4d.fields.star_list import StarTable, from_text
from iop4d.model.errors import Iop4dError
from iop4d.store import catalogue, catalogue_changes
from iop4d.store.database import Database
from iop4d.web.app import create_app
from iop4d.web.remote import RemoteQuestions
from iop4d.web.views.sources import calibrators
from tests.web.conftest import OURS, add_account, enter
from tests.web.views.sources import field

AT = f"/sources/{field.NAME}/calibrators"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = field.fill(tmp_path_factory.mktemp("field"))
    add_account(made)
    return made


@pytest.fixture(scope="module")
def editor(site: Site) -> FlaskClient:
    client = create_app(site).test_client()
    enter(client)
    return client


def serving(site: Site) -> list[str]:
    with Database(site.database, read_only=True).read() as db:
        return [star.name for star in catalogue.load(db).calibrators_of(field.NAME)]


def send(client: FlaskClient, table: str, **fields: str) -> Any:
    return client.post(f"{AT}/find", headers=OURS, data={
        "table": (BytesIO(table.encode()), "ps1.csv"), "radius": "3.5", **fields})


def test_the_chart_shows_the_field_with_a_mark_on_every_star(editor: FlaskClient) -> None:
    text = editor.get(AT).text
    marks = re.findall(r'class="mark (\w+)" data-star="([^"]+)"[^>]*><circle cx="([\d.]+)" '
                       r'cy="([\d.]+)"', text)
    assert ("target", field.NAME, "360.0", "360.0") in marks
    assert len(marks) > 3
    (address,) = re.findall(r'<image[^>]*href="([^"]+)"', text)
    with editor.get(address.replace("&amp;", "&")) as answer:
        assert answer.mimetype == "image/png"
        assert "immutable" in answer.headers["Cache-Control"]
        with Image.open(BytesIO(answer.data)) as picture:
            pixels = np.asarray(picture)
    assert pixels.shape == (720, 720)
    for _, name, x, y in marks:
        spot = pixels[round(float(y)) - 3:round(float(y)) + 4, round(float(x)) - 3:
                      round(float(x)) + 4]
        assert spot.min() < 60, name  # a star is there


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_the_chart_is_printed(editor: FlaskClient, form: str, begins: bytes) -> None:
    with editor.get(f"/sources/{field.NAME}/finding-chart.{form}?field=6") as answer:
        assert answer.status_code == 200
        assert answer.data.startswith(begins)
        assert f'filename="finding-chart-2200-420.{form}"' in answer.headers["Content-Disposition"]


def test_a_source_without_a_frame_has_no_chart_and_says_why(editor: FlaskClient) -> None:
    assert "No finding chart" in editor.get("/sources/3C%20454.3/calibrators").text
    assert editor.get("/sources/3C%20454.3/chart.png").status_code == 404
    assert editor.get(f"/sources/{field.NAME}/chart.png?field=x").status_code == 200


def test_each_calibrator_says_how_it_did_lately(editor: FlaskClient, site: Site) -> None:
    text = editor.get(AT).text
    assert "+0.004" in text
    assert re.search(r'title="too far off">left out \d of \d', text)
    star = serving(site)[0]
    history = editor.get(f"{AT}/history?star={quote(star)}").text
    assert history.count("<circle") == 8
    assert "+0.0040" in history
    assert "It came with a table that was imported" in history
    assert editor.get(f"{AT}/history?star=nobody").status_code == 404


def test_the_check_holds_each_star_against_the_others(editor: FlaskClient, site: Site) -> None:
    text = editor.get(f"{AT}/check").text
    assert "6 frames of 6 nights" in text
    assert text.count("constant") >= len(serving(site)) - 1
    assert "varies</span>" not in text


def test_a_star_is_excluded_and_used_again_with_a_row_of_who_did_it(editor: FlaskClient,
                                                                   site: Site) -> None:
    star = serving(site)[0]
    for act, words in (("exclude", "no longer calibrates"), ("include", "calibrates 2200+420")):
        assert editor.post(AT, headers=OURS, data={
            "act": act, "star": star, "why": "a companion"}).status_code == 303
        assert (star in serving(site)) == (act == "include")
        text = editor.get(AT).text
        assert words in text
        assert "a companion" in text
    assert f'id="star-{star.replace("+", "%2B").replace(" ", "%20")}"' in text


def test_a_word_that_is_neither_excludes_no_star(editor: FlaskClient, site: Site) -> None:
    answer = editor.post("/sources/BL%20Lac/calibrators", headers=OURS, data={
        "star": "2200+420 B", "act": "x"})
    assert answer.status_code == 400
    assert "expected include or exclude" in answer.text


def test_candidates_of_a_file_come_with_their_scatter_on_our_own_frames(
        editor: FlaskClient, site: Site) -> None:
    before = serving(site)
    page = send(editor, field.pan_starrs())
    assert page.status_code == 200, page.text
    assert "3 candidates of 4 entries" in page.text
    rows = re.findall(r'<tr id="star-(\d)".*?</tr>', page.text, re.S)
    assert rows == ["1", "2", "3"]
    assert page.text.count("mag on 6") == 3
    assert page.text.count('varies</span>') == 1
    assert page.text.count('class="mark candidate"') == 3
    boxes = re.findall(r'name="star" value="([^"]+)"( checked)?', page.text)
    assert [bool(checked) for _, checked in boxes] == [False, True, True]  # the brightest varies
    assert serving(site) == before  # nothing is changed by looking
    table = re.findall(r'<textarea name="table"[^>]*>(.*?)</textarea>', page.text, re.S)[0]
    chosen = [name for name, checked in boxes if checked]
    answer = editor.post(f"{AT}/adopt", headers=OURS, data={
        "table": table.replace("&#34;", '"'), "star": chosen})
    assert answer.status_code == 303, answer.text
    assert serving(site) == [*before, *chosen]
    with Database(site.database, read_only=True).read() as db:
        change = catalogue_changes.of_source(db, field.NAME)[0]
    assert (change.act, change.by) == ("add calibrators", "Ana")
    assert "not measured yet" in editor.get(AT).text
    assert editor.post(f"/catalogue/changes/{change.id}/undo", headers=OURS).status_code == 303
    assert serving(site) == before


@pytest.mark.parametrize(("table", "fields", "said"), [
    ("x,y\n1,2\n", {}, "ps1.csv: no column for"), ("", {}, "ps1.csv holds no table"),
    (field.pan_starrs(), {"radius": "200"}, "expected 0.5 to 30 arcmin"),
    (field.pan_starrs().replace("MeanApMagStd", "x"), {}, "the box below skips this check")])
def test_a_table_that_cannot_be_used_is_refused_with_the_reason(
        editor: FlaskClient, table: str, fields: dict[str, str], said: str) -> None:
    answer = send(editor, table, **fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert "/tmp/" not in answer.text


def test_mast_is_asked_only_where_the_site_file_says_so(editor: FlaskClient) -> None:
    assert "Ask MAST" not in editor.get(AT).text
    answer = editor.post(f"{AT}/find", headers=OURS, data={"online": "1"})
    assert answer.status_code == 400
    assert "[web] ask_mast" in answer.text


def test_a_search_at_mast_takes_no_turn_of_others_and_ends(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answers = threading.Event(), threading.Event()

    def slow(*_: Any) -> StarTable:
        asked.set()
        answers.wait(20)
        return from_text(field.pan_starrs(), "MAST")

    monkeypatch.setattr(calibrators, "_may_ask_mast", lambda: True)
    monkeypatch.setattr(calibrators.pan_starrs, "download", slow)
    app = create_app(site)
    app.extensions[calibrators._MAST] = RemoteQuestions("MAST", 0.5)
    client, other = app.test_client(), app.test_client()
    enter(client)
    found: list[Any] = []
    search = threading.Thread(target=lambda: found.append(
        client.post(f"{AT}/find", headers=OURS, data={"online": "1"})))
    search.start()
    assert asked.wait(5)
    assert other.get("/api/results").status_code == 200  # a large answer
    search.join(10)
    assert found[0].status_code == 400
    assert "MAST did not answer: timed out after 0.5 s" in found[0].text
    again = client.post(f"{AT}/find", headers=OURS, data={"online": "1"})
    assert "another search at MAST is under way" in again.text
    answers.set()
    end = time.monotonic() + 5
    while "under way" in (answer := client.post(
            f"{AT}/find", headers=OURS, data={"online": "1"})).text and time.monotonic() < end:
        time.sleep(0.02)
    assert (answer.status_code, "candidate" in answer.text.casefold()) == (200, True)


def test_a_question_for_which_there_is_no_thread_holds_up_no_later_one(
        monkeypatch: pytest.MonkeyPatch) -> None:
    mast = RemoteQuestions("MAST", 5.0)

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        with pytest.raises(Iop4dError, match="MAST is not asked: can't start new thread"):
            mast.ask(lambda: 1)
    assert mast.ask(lambda: 2) == 2
