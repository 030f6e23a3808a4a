"""Numbers of any size in addresses and queries: never a fault of the program, never broken JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from peewee import FloatField

from iop4d.config import Site
from iop4d.store.schema import TABLES
from iop4d.store.tables import LISTINGS
from iop4d.web import context
from iop4d.web.app import create_app
from tests.support.stores import taken_away
from tests.web.conftest import emit, execute
from tests.web.routes import path_of

LISTED = [f"v1.{name}" for name in LISTINGS]
HUGE = ("9223372036854775808", "99999999999999999999", "9" * 5000, "-1", "1e309", "nan", "\u0663")


def test_ids_of_any_size_are_not_found(client: FlaskClient) -> None:
    numbered = [rule.rule for rule in client.application.url_map.iter_rules()
                if "<int:" in rule.rule and "GET" in (rule.methods or ())]
    assert len(numbered) >= 6
    for rule in numbered:
        for number in HUGE:
            path = re.sub(r"<int:\w+>", number, rule)
            assert client.get(path).status_code == 404, path
    for number in HUGE[:-1]:
        assert client.get(f"/sources/{number}").status_code == 404
        assert client.get(f"/api/sources/{number}/points").status_code == 404


@pytest.mark.parametrize("query", ["/failed?page=", "/alerts?page=", "/summaries?page=",
                                   "/api/live?since=", "/api/sources/BL%20Lac/nights?nights="])
def test_numbers_of_queries_may_be_any(client: FlaskClient, query: str) -> None:
    for number in (*HUGE, "inf", "x", "", "--1", "1_0"):
        assert client.get(query + number).status_code == 200, number


@pytest.mark.parametrize("number", ["9" * 20, "-1", "\u0663", "x", ""])
def test_the_stream_begins_after_any_number(client: FlaskClient, number: str) -> None:
    for answer in (client.get(f"/events?since={number}"),
                   client.get("/events", headers={"Last-Event-ID": number.encode()
                                                  .decode("latin-1")})):
        assert answer.status_code == 200
        answer.close()


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e309", "x"])
def test_times_that_are_none_are_refused(client: FlaskClient, number: str) -> None:
    for query in ("sources/BL%20Lac/points?after=", "results?since=", "results?until="):
        answer = client.get(f"/api/{query}{number}")
        assert answer.status_code == 400, query
        assert answer.json is not None
        assert answer.json["error"]


def test_within_limits() -> None:
    assert context.within("5", 1) == 5
    assert context.within("-5", 1) == 0
    assert context.within("9" * 30, 1) == 2**63 - 1
    assert context.within("7", 1, most=3) == 3
    assert context.within("5.5", 1) == 1


def test_json_has_no_number_that_json_does_not_know(own: Site) -> None:
    app = create_app(own)
    with app.app_context():
        text = app.json.dumps({"b": float("nan"), "a": [float("inf"), 1.5, (2, -float("inf"))]})

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse) == {"b": None, "a": [None, 1.5, [2, None]]}
    assert text.index("b") < text.index("a")


def test_no_answer_has_an_infinite_number_whatever_the_database_has(own: Site) -> None:
    """As an old version or a fault may leave them."""
    for table in TABLES:
        for field in table._meta.sorted_fields:
            if isinstance(field, FloatField) and field.null:
                execute(own, f'UPDATE "{table._meta.table_name}" SET "{field.column_name}" = ?',
                        float("inf"))
    execute(own, 'UPDATE "result" SET calibrators = ?', '[{"source": "C", "zero_point": Infinity}]')
    execute(own, 'UPDATE "frame" SET detector = ?', '{"gain": NaN}')
    emit(own, "result", '{"mag": NaN, "source": "2200+420"}')
    client, seen = create_app(own).test_client(), 0
    for rule in client.application.url_map.iter_rules():
        if rule.rule.startswith("/api/") and "GET" in (rule.methods or ()):
            path = path_of(rule) + "?columns=all" * (rule.endpoint in LISTED)
            answer = client.get(path, buffered=True)
            if answer.mimetype == "application/json" and answer.status_code == 200:
                json.loads(answer.text, parse_constant=lambda said, at=path: pytest.fail(at + said))
                seen += 1
    assert seen > 25
    stream = client.get("/events?since=0")
    first = next(piece for piece in stream.response if b'"mag"' in piece)
    stream.close()
    assert b'"mag": null' in first


_INFO = ("wcs", "n_detected", "n_matched", "wcs_rms_px", "fwhm_px", "fwhm_arcsec", "sky",
         "sky_sigma", "aperture_px", "annulus_px", "airmass", "bjd_tdb", "warnings", "stages",
         "core_s", "latency_s")


def test_a_frame_of_which_little_is_known_has_a_page(own: Site) -> None:
    client = create_app(own).test_client()
    for info in ('{"software": "0.1"}', json.dumps(dict.fromkeys(_INFO)), '{"annulus_px": [7.5]}',
                 '{"bjd_tdb": 2460000.5}', '{"wcs": {"CRVAL1": 1.0}}',
                 '{"stages": {"read": 0.1, "detect": null}}'):
        execute(own, "UPDATE frame SET info = ? WHERE id = 1", info)
        assert client.get("/frames/1").status_code == 200, info


def test_a_result_of_which_little_is_known_has_its_pages(own: Site) -> None:
    execute(own, "UPDATE result SET calibrators = ?", '[{"source": "C"}]')
    execute(own, "UPDATE resulthistory SET was = ?", '{"flags": null}')
    client = create_app(own).test_client()
    for path in ("/frames/1", "/sources/BL%20Lac", "/results/1", "/api/results/1"):
        assert client.get(path).status_code == 200, path


def test_without_a_database_what_has_a_number_or_a_name_is_not_found(own: Site) -> None:
    client = create_app(own).test_client()
    with taken_away(own.database):
        for path in ("/frames/1", "/results/1", "/sources/BL%20Lac", "/nights/2025-11-22",
                     "/frames/1/raw"):
            assert client.get(path).status_code == 404, path
        for path in ("/", "/sources", "/nights", "/sign-in"):
            assert client.get(path).status_code == 200, path
