"""Heavy answers are paged, sent in parts, and bounded in number."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from waitress.channel import ClientDisconnected

from iop4d.config import Site
from iop4d.web import api, heavy
from iop4d.web.app import create_app
from iop4d.web.heavy import HeavyAnswers
from tests.web.conftest import Serving, execute

HEAVY = ("/api/results", "/api/sources/BL%20Lac/points", "/api/curves?source=BL%20Lac")


@pytest.fixture
def app(filled: Site) -> Flask:
    made = create_app(filled)
    made.extensions[heavy._EXTENSION] = HeavyAnswers(32, wait_s=0.0)
    return made


def test_as_many_as_there_are_places_wait_for_the_one_that_is_made() -> None:
    answers, made, refused = HeavyAnswers(16, wait_s=5.0), [], []
    begin, go_on = threading.Barrier(11), threading.Event()

    def ask() -> None:
        begin.wait()
        with answers.one() as may:
            (made if may else refused).append(time.monotonic())
            if may:
                go_on.wait(5)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    begin.wait()
    end = time.monotonic() + 5
    while len(refused) < 6 and time.monotonic() < end:
        time.sleep(0.01)
    assert (len(made), len(refused)) == (1, 6), "of 16 threads a quarter may be held"
    go_on.set()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (4, 6)
    with answers.one() as may:
        assert may, "a place was not given back"


def test_who_waits_too_long_is_refused_and_gives_the_place_back() -> None:
    answers = HeavyAnswers(8, wait_s=0.01)
    with answers.one() as first, answers.one() as second:
        assert (first, second) == (True, False)
    with answers.one() as again:
        assert again


@pytest.mark.parametrize("path", HEAVY)
def test_what_is_too_many_is_told_when_to_try_again_and_light_pages_go_on(
        path: str, app: Flask) -> None:
    client = app.test_client()
    with app.extensions[heavy._EXTENSION].one():
        answer = client.get(path)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "too many" in answer.json["error"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/sources").status_code == 200
    for _ in range(20):
        with client.get(path) as answer:
            assert answer.status_code == 200
            assert answer.data


def test_who_does_not_read_an_answer_in_parts_takes_none_from_others(
        app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_PART", 1)
    with ExitStack() as open_answers:
        for _ in range(6):
            answer = app.test_client().get("/api/results", buffered=False)
            open_answers.callback(answer.close)
            next(iter(answer.response))
            assert app.test_client().get(HEAVY[1]).status_code == 200
        one_more = app.test_client().get("/api/results", buffered=False)
        open_answers.callback(one_more.close)
        assert app.test_client().get(HEAVY[1]).status_code == 503, "threads are for others too"
    with app.test_client().head("/api/results") as answer:
        assert answer.status_code == 200
    with ExitStack() as held:
        assert all(app.extensions[heavy._EXTENSION].admit(held) for _ in range(7))


@pytest.mark.parametrize(("name", "limit"), [("_LONGEST_SECONDS", 0.0), ("UNREAD", -1)])
def test_an_answer_that_takes_too_long_or_is_not_read_ends_and_gives_its_place_back(
        name: str, limit: float, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy, name, limit)
    with pytest.raises(ClientDisconnected):
        app.test_client().get("/api/results")
    with ExitStack() as held:
        assert all(app.extensions[heavy._EXTENSION].admit(held) for _ in range(7))
        assert app.extensions[heavy._EXTENSION].turn(held)


def test_a_reader_that_stalls_takes_no_large_answer_from_others(
        own: Site, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is more than a server usually keeps for a reader, and there is one place."""
    monkeypatch.setattr(api, "_PART", 1)
    execute(own, "UPDATE result SET human_flags = ?", json.dumps(
        [{"name": "x", "note": "y" * 1_000_000, "by": "", "at": 0.0}]))
    small = replace(own, web=replace(own.web, threads=6))
    with serving(small) as address, ExitStack() as stack:
        where = urlsplit(address)
        deaf = stack.enter_context(socket.socket())
        deaf.settimeout(30)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        deaf.connect((where.hostname, where.port))
        deaf.sendall(b"GET /api/results HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert deaf.recv(12) == b"HTTP/1.1 200"
        end, status = time.monotonic() + 30, 0
        while status != 200 and time.monotonic() < end:
            connection = http.client.HTTPConnection(where.netloc, timeout=30)
            stack.callback(connection.close)
            connection.request("GET", HEAVY[1])
            with connection.getresponse() as answer:
                status = answer.status
                answer.read()
        assert status == 200
        end_of_it = b""
        while piece := deaf.recv(1 << 20):
            end_of_it = (end_of_it + piece)[-20:]
        assert end_of_it.endswith(b"}\n\r\n0\r\n\r\n"), "the answer is whole once it is read"


def _pages(client: FlaskClient, query: str) -> list[dict[str, Any]]:
    pages, following = [], ""
    while True:
        page = client.get(f"/api/results?{query}{following}").json
        assert page["count"] == len(page["results"])
        pages.append(page)
        if page["next"] is None:
            assert not page["truncated"]
            return pages
        assert page["truncated"]
        following = f"&next={page['next']}"


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_pages_of_results_give_each_once_and_in_order(
        size: int, own: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(own, "UPDATE result SET jd_mid = 2460000.123456789 WHERE id % 3 = 0")
    execute(own, "UPDATE result SET withdrawn = TRUE WHERE id = 5")
    monkeypatch.setattr(api, "_PART", 2)
    client = create_app(own).test_client()
    pages = _pages(client, f"limit={size}")
    rows = [row for page in pages for row in page["results"]]
    assert [len(page["results"]) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert rows == sorted(rows, key=lambda row: (row["jd_mid"], row["id"]))
    assert sorted(row["id"] for row in rows) == [id_ for id_ in range(1, 26) if id_ != 5]
    of_source = [row for page in _pages(client, f"limit={size}&source=BL%20Lac&band=R")
                 for row in page["results"]]
    assert of_source == [row for row in rows if (row["source"], row["band"]) == ("2200+420", "R")]


def test_parts_make_the_same_answer_as_one_piece(
        client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with client.get("/api/results") as answer:
        whole = answer.data
    monkeypatch.setattr(api, "_PART", 1)
    with client.get("/api/results", buffered=False) as answer:
        pieces = list(answer.response)
    assert len(pieces) == json.loads(whole)["count"]
    assert b"".join(pieces) == whole
    assert client.get("/api/results?source=BL%20Lac&until=1990-01-01").json == {
        "results": [], "count": 0, "truncated": False, "next": None}


@pytest.mark.parametrize("left", [0, 1])
def test_results_that_are_withdrawn_between_two_parts_leave_valid_json(
        left: int, own: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_PART", 4)
    client = create_app(own).test_client()
    ids = [row["id"] for row in client.get("/api/results").json["results"]]
    with client.get("/api/results", buffered=False) as answer:
        pieces = iter(answer.response)
        text = next(pieces)
        execute(own, "UPDATE result SET withdrawn = TRUE WHERE id NOT IN "
                f"({','.join(str(id_) for id_ in ids[:4 + left])})")
        found = json.loads(text + b"".join(pieces))
    assert [row["id"] for row in found["results"]] == ids[:4 + left]
    assert (found["count"], found["truncated"], found["next"]) == (4 + left, False, None)


@pytest.mark.parametrize("query", [
    "next=x", "next=1", "next=nan,1", "next=inf,2", "next=1,99999999999999999999", "next=,",
    "since=nan", "until=1e999"])
def test_a_place_that_is_none_is_refused(query: str, client: FlaskClient) -> None:
    assert client.get(f"/api/results?{query}").status_code == 400


@pytest.mark.parametrize(("limit", "count"), [("0", 1), ("-5", 1), ("99999999999999999999", 25),
                                              ("x", 25), ("7", 7)])
def test_any_limit_gives_results(limit: str, count: int, client: FlaskClient) -> None:
    assert client.get(f"/api/results?limit={limit}").json["count"] == count


@pytest.mark.parametrize("after", ["nan", "inf", "-inf", "1e309"])
def test_a_time_that_is_none_is_refused(after: str, client: FlaskClient) -> None:
    """``NaN`` and ``Infinity`` are not JSON."""
    assert client.get(f"/api/sources/BL%20Lac/points?after={after}").status_code == 400
