"""What is large and is text travels compressed to who takes it, and says so."""

from __future__ import annotations

import gzip

import pytest
from flask.testing import FlaskClient

GZIP = {"Accept-Encoding": "gzip, deflate, br"}
PACKED = ("/", "/sources", "/nights", "/alerts", "/frames/1", "/results/1", "/fragments/telescopes",
          "/api/status", "/api/results", "/api/sources/BL%20Lac/points",
          "/curves.svg?source=BL%20Lac", "/static/site.css", "/static/live.js")


@pytest.mark.parametrize("path", PACKED)
def test_a_large_text_is_compressed_for_who_takes_it(path: str, client: FlaskClient) -> None:
    with client.get(path) as answer:
        plain, headers = answer.data, answer.headers
    assert "Content-Encoding" not in headers
    assert "Accept-Encoding" in headers["Vary"]
    with client.get(path, headers=GZIP) as answer:
        packed, headers = answer.data, answer.headers
    assert headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in headers["Vary"]
    assert headers.get("Content-Length") in (None, str(len(packed)))
    assert len(packed) < 0.6 * len(plain)
    # What the time of day or a counter changes is of the same length.
    assert abs(len(gzip.decompress(packed)) - len(plain)) < 50


@pytest.mark.parametrize("path", ["/sign-in", "/healthz", "/frames/1/preview.png", "/frames/1/raw"])
def test_pictures_files_short_answers_and_the_password_page_stay_as_they_are(
        path: str, client: FlaskClient) -> None:
    with client.get(path, headers=GZIP) as answer:
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


def test_who_refuses_it_gets_it_plain(client: FlaskClient) -> None:
    with client.get("/sources", headers={"Accept-Encoding": "gzip;q=0"}) as answer:
        assert b"<!doctype html>" in answer.data


def test_a_kept_style_is_not_sent_again(client: FlaskClient) -> None:
    with client.get("/static/site.css", headers=GZIP) as first:
        tag = first.headers["ETag"]
    with client.get("/static/site.css", headers=GZIP | {"If-None-Match": tag}) as again:
        assert again.status_code == 304
        assert again.data == b""


def test_head_says_what_get_would_and_sends_nothing(client: FlaskClient) -> None:
    for path in ("/sources", "/api/results"):
        with client.head(path, headers=GZIP) as answer:
            assert answer.status_code == 200
            assert answer.data == b""
