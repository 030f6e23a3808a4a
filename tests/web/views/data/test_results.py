"""The page of a result: a page with plots, not a dump."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import Markup

from iop4d.config import Site
from iop4d.store import catalogue
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from iop4d.web import result_charts
from iop4d.web.app import create_app
from tests.web.conftest import add_info, execute
from tests.web.views.data.real_frame import give

USES = [{"source": "2200+420 C", "zero_point": 23.42, "zero_point_err": 0.01, "weight": 1.0,
         "residual": 0.008, "why_not": ""},
        {"source": "2200+420 B", "zero_point": 23.9, "zero_point_err": 0.02, "weight": 0.0,
         "residual": 0.488, "why_not": "saturated"}]


@pytest.fixture
def site(own: Site) -> Site:
    give(own)
    execute(own, "UPDATE result SET calibrators = ? WHERE source = (SELECT source FROM result "
            "WHERE id = 1)", json.dumps(USES))
    return own


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


def test_it_shows_the_source_its_profile_and_its_calibrators(client: FlaskClient) -> None:
    page = client.get("/results/1").text
    for what in ("Radial profile", "Projections along x and along y", "Curve of growth",
                 "Calibrators", "2200+420 C", "saturated",
                 "/frames/1/cutout.png?", "Earlier values", "As text"):
        assert what in page
    assert page.count("<svg class=\"chart\"") == 4
    assert "The settings of this result were not kept." in page


def test_what_a_result_does_not_have_leaves_no_gap_in_its_sentences(
        site: Site, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_charts, "modulation", lambda *_: Markup("<svg></svg>"))
    execute(site, "UPDATE result SET method = 'fit-isp', n_calibrators = 2 WHERE id = 1")
    page = client.get("/results/1").text
    assert "Points: fit, from 1 frame; lines: every method." in page
    assert "from 2 calibrators</dd>" in page
    execute(site, "UPDATE result SET method = '', n_calibrators = 1 WHERE id = 1")
    page = client.get("/results/1").text
    assert "Points: from 1 frame; lines: every method, none of which is reported." in page
    assert "from 1 calibrator</dd>" in page


def test_a_calibrator_has_its_history(client: FlaskClient) -> None:
    page = client.get("/results/1/stars/2200+420%20B").text
    assert "saturated" in page
    assert page.count("<circle") == 4  # of each result of this source, in this band
    assert client.get("/results/1/stars/nothing").status_code == 404
    assert client.get("/results/999/stars/2200+420%20B").status_code == 404


def test_settings_that_are_not_the_defaults_are_named(site: Site, client: FlaskClient) -> None:
    from iop4d.store.provenance import settings_of

    said = settings_of(site)
    said["photometry"]["aperture"] = 2.5
    execute(site, "INSERT INTO meta (key, value) VALUES ('settings/abc', ?)", json.dumps(said))
    add_info(site, Frame.id == 1, settings="abc")
    page = client.get("/results/1").text
    assert "[photometry] aperture" in page
    assert "2.5" in page
    assert page.count("<code>[") == 1


def test_who_reads_results_alone_sees_no_pixels(site: Site) -> None:
    from dataclasses import replace

    shut = replace(site, web=replace(site.web, read="results"))
    page = create_app(shut).test_client().get("/results/1").text
    assert "Curve of growth" in page
    assert "cutout.png" not in page
    assert "Radial profile" not in page


def test_a_result_of_a_source_that_left_the_catalogue_has_its_page(site: Site) -> None:
    with Database(site.database).write() as tx:
        name = catalogue.find(tx, "BL Lac").name
    execute(site, "DELETE FROM source WHERE name = ?", name)
    assert create_app(site).test_client().get("/results/1").status_code == 200


def test_a_plot_is_drawn_once_until_its_result_or_its_file_changes(
        site: Site, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.science import display

    looked: list[int] = []
    kept = display.radial_profile

    def counted(*args: Any) -> Any:
        looked.append(1)
        return kept(*args)

    monkeypatch.setattr(display, "radial_profile", counted)
    client.get("/results/1")
    client.get("/results/1")
    assert len(looked) == 1
    give(site)
    assert "Radial profile" in client.get("/results/1").text
    assert len(looked) == 2
