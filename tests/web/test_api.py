"""The addresses for programs give numbers as they are in the database."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.web.app import create_app
from tests.web import observatory
from tests.web.conftest import emit, execute


def _json(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_status_has_daemon_counts_queue_archives_and_failures(client: FlaskClient) -> None:
    status = _json(client, "/api/status")
    assert status["daemon"]["state"] == "running"
    assert status["daemon"]["workers"][0]["job"] == "reduce BLLac-0067R.fit"
    assert status["frames"] == {"done": 24, "failed": 2, "quarantined": 1, "queued": 1,
                                "rejected": 2}
    assert status["queue"]["reduce"] == {"done": 3, "queued": 3, "running": 3, "waiting": 3}
    assert status["archives"][0]["name"] == "t220"
    assert status["failed"]["count"] == 5
    assert "truncated" in str(status["failed"]["frames"])
    assert status["alerts_active"] == 1


def test_results_are_chosen_by_source_band_and_time(client: FlaskClient) -> None:
    everything = _json(client, "/api/results?source=BL%20Lac")["results"]
    assert {row["source"] for row in everything} == {"2200+420"}
    assert len(everything) == 8
    red = _json(client, "/api/results?source=bllac&band=R&band=V")["results"]
    assert {row["band"] for row in red} == {"R", "V"}
    last = everything[-1]["jd_mid"]
    assert len(_json(client, f"/api/results?source=BL%20Lac&since={last - 1e-6}")["results"]) == 1
    assert _json(client, "/api/results?until=1990-01-01")["results"] == []
    assert client.get("/api/results?since=yesterday").status_code == 400
    assert client.get("/api/results?source=nobody").status_code == 404


@pytest.mark.parametrize("field", ["source", "band"])
@pytest.mark.parametrize("path", ["/api/results", "/api/v1/results", "/data/results"])
def test_a_field_that_is_repeated_without_end_is_refused(
        path: str, field: str, client: FlaskClient) -> None:
    many = "&".join(f"{field}=x{number}" for number in range(10_000))
    answer = client.get(f"{path}?{many}")
    assert answer.status_code == 400
    assert f"{field}: expected 200 values at most" in answer.text
    same = "&".join([f"{field}=R"] * 500)
    assert "200 values" not in client.get(f"{path}?{same}").text, "one value, however often"


def test_withdrawn_results_are_not_given_as_good_ones(empty: Site) -> None:
    observatory.fill(empty, hostile=False)
    client = create_app(empty).test_client()
    path = "/api/results?source=BL%20Lac"
    ids = [row["id"] for row in _json(client, path)["results"]]
    execute(empty, "UPDATE result SET withdrawn = TRUE WHERE id = ?", ids[0])
    assert [row["id"] for row in _json(client, path)["results"]] == ids[1:]


def test_points_are_columns_by_band(client: FlaskClient) -> None:
    points = _json(client, "/api/sources/3C%20454.3/points")
    assert list(points["bands"]) == [b for b in "BVRI" if b in points["bands"]]
    columns = points["bands"]["R"]
    assert len({len(values) for values in columns.values()}) == 1
    for mag, low, high, label, p in zip(columns["mag"], columns["mag_lo"], columns["mag_hi"],
                                        columns["label"], columns["p_debiased"], strict=True):
        assert low < mag < high
        assert label == f"{mag:.3f} ± {high - mag:.3f}"
        assert 6 <= p <= 9
    assert columns["t"] == sorted(columns["t"])


def test_nights_of_a_source_have_their_statistics_by_camera(client: FlaskClient) -> None:
    found = _json(client, "/api/v1/sources/BL%20Lac/nights?nights=2")
    assert 0 < len({night["night"] for night in found["nights"]}) <= 2
    for night in found["nights"]:
        mags = night["magnitudes"]
        assert mags["n"] == mags["dof"] + 1
        assert mags["err"] > 0
        assert (mags["p_value"] is None) == (mags["dof"] == 0)
    for camera in found["angles"]:
        chi = [value for _, value, _ in camera["points"]]
        assert all(abs(b - a) <= 90.0 for a, b in pairwise(chi))
    assert "<h2>Nights</h2>" in client.get("/sources/BL%20Lac").text


def test_what_is_not_detected_is_shown_by_its_limit(empty: Site) -> None:
    observatory.fill(empty, hostile=False)
    client = create_app(empty).test_client()
    id_ = _json(client, "/api/results?source=BL%20Lac&band=R")["results"][0]["id"]
    execute(empty, "UPDATE result SET mag = NULL, mag_err = NULL, mag_limit = 19.24 WHERE id = ?",
            id_)
    columns = _json(client, "/api/sources/BL%20Lac/points")["bands"]["R"]
    at = columns["id"].index(id_)
    assert (columns["mag"][at], columns["mag_limit"][at], columns["label"][at]) == (
        None, 19.24, "> 19.2")
    assert [limit for k, limit in enumerate(columns["mag_limit"]) if k != at] == [None] * (
        len(columns["id"]) - 1)
    picture = client.get("/curves.svg?source=BL%20Lac").text
    assert picture.count('class="limits"') == 1
    assert "&gt; 19.2" in client.get(f"/results/{id_}").get_data(as_text=True)


def test_only_points_that_changed_are_given_when_asked(client: FlaskClient) -> None:
    points = _json(client, "/api/sources/BL%20Lac/points")
    newer = _json(client, f"/api/sources/BL%20Lac/points?after={points['changed_at']}")
    assert newer["total"] == 1
    assert newer["changed_at"] == points["changed_at"]


def test_a_point_that_was_withdrawn_leaves_the_plot(empty: Site) -> None:
    observatory.fill(empty, hostile=False)
    client = create_app(empty).test_client()
    before = _json(client, "/api/sources/BL%20Lac/points")
    id_ = before["bands"]["R"]["id"][0]
    execute(empty, "UPDATE result SET withdrawn = TRUE, changed_at = ? WHERE id = ?",
            before["changed_at"] + 1.0, id_)
    assert id_ not in _json(client, "/api/sources/BL%20Lac/points")["bands"]["R"]["id"]
    changed = _json(client, f"/api/sources/BL%20Lac/points?after={before['changed_at'] + 0.5}")
    assert [(band, columns["id"], columns["t"], columns["mag"])
            for band, columns in changed["bands"].items()] == [("R", [id_], [None], [None])]


def test_flagged_points_are_hollow_and_provisional_ones_pale(client: FlaskClient) -> None:
    bands = _json(client, "/api/sources/3C%20454.3/points")["bands"]
    looks = {(fill, "low snr" in flags, "provisional" in flags) for columns in bands.values()
             for fill, flags in zip(columns["fill"], columns["flags"], strict=True)}
    assert {(0.9, False, False), (0.35, False, True)} <= looks
    everything = [_json(client, f"/api/sources/{n}/points")["bands"] for n in (1, 2, 3)]
    assert any(fill == 0.0 for bands in everything for c in bands.values() for fill in c["fill"])


def test_polling_tells_what_kinds_of_things_happened(empty: Site) -> None:
    client = create_app(empty).test_client()
    first = emit(empty, "frame")
    assert _json(client, "/api/live") | {"beat_at": None} == {
        "last_event": first, "kinds": ["frame"], "daemon": "never", "beat_at": None}
    emit(empty, "alert")
    assert _json(client, f"/api/live?since={first}")["kinds"] == ["alert"]


@pytest.mark.parametrize("packed", [True, False])
def test_bokehs_script_comes_from_here(packed: bool, client: FlaskClient) -> None:
    path = next(line.split('"')[1] for line in client.get("/sources/1").text.splitlines()
                if "/assets/bokeh" in line)
    answer = client.get(path, headers={"Accept-Encoding": "gzip" if packed else "identity"})
    assert answer.status_code == 200
    assert (answer.headers.get("Content-Encoding") == "gzip") == packed
    assert "immutable" in answer.headers["Cache-Control"]


def test_results_have_their_flux_and_a_stack_is_named_on_the_page(empty: Site) -> None:
    observatory.fill(empty, hostile=False)
    client = create_app(empty).test_client()
    row = _json(client, "/api/results?source=BL%20Lac")["results"][0]
    execute(empty, "UPDATE result SET mode = 'stack', flux_mjy = -0.5 WHERE id = ?", row["id"])
    (stack,) = [one for one in _json(client, "/api/results?source=BL%20Lac")["results"]
                if one["mode"] == "stack"]
    assert (stack["flux_mjy"], stack["spectral_index"]) == (-0.5, None)
    assert "put together" in client.get("/sources/BL%20Lac").text
    points = _json(client, "/api/sources/BL%20Lac/points")["bands"][row["band"]]
    assert points["frame"][points["id"].index(row["id"])] == (
        f"{len(row['frames'])} frames put together")


@pytest.mark.parametrize(("old", "new"), [
    ("/api/status", "/api/v1/status"), ("/api/results/1", "/api/v1/results/1"),
    ("/api/sources/1/nights", "/api/v1/sources/1/nights")])
def test_an_address_of_the_first_version_is_the_same_code_as_that_of_v1(
        old: str, new: str, client: FlaskClient) -> None:
    views, rules = client.application.view_functions, client.application.url_map.bind("")
    assert views[rules.match(old)[0]] is views[rules.match(new)[0]]
    assert client.get(old).status_code == 200
