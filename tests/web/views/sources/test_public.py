"""Public pages of sources: of those that the site file names, and nothing else of the site."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.web.app import create_app
from tests.web.conftest import execute

PAGE = "/public/BL%20Lac?from=2020-01-01&to=2099-01-01"
#: What is for operators, or for who is signed in.
_PRIVATE = re.compile(r"\.fit|t220|Sign in|daemon|/frames/|/results/|flagged by|low snr|<script")


def client_of(site: Site, *names: str, read: str = "signed-in") -> FlaskClient:
    return create_app(replace(site, web=replace(
        site.web, public_sources=names, read=read))).test_client()


@pytest.mark.parametrize("names", [("BL Lac",), ("bllac", "3C 273"), ("2200+420",), ("*",)])
def test_a_source_that_is_named_has_a_page_that_everybody_reads(
        filled: Site, names: tuple[str, ...]) -> None:
    answer = client_of(filled, *names).get(PAGE)
    assert answer.status_code == 200
    assert "Means of nights" in answer.text
    assert answer.text.count("<th scope=\"row\"") >= 4
    assert not _PRIVATE.search(answer.text)
    (address,) = re.findall(r'<img class="still" src="([^"]+)"', answer.text)
    picture = client_of(filled, *names).get(address.replace("&amp;", "&"))
    assert picture.mimetype == "image/svg+xml"
    assert picture.text.count('class="points"') >= 4


@pytest.mark.parametrize("names", [(), ("3C 454.3",)])
def test_every_other_source_has_none(filled: Site, names: tuple[str, ...]) -> None:
    client = client_of(filled, *names, read="everybody")
    for path in (PAGE, "/public/BL%20Lac/light-curve.svg?from=2020-01-01&to=2099-01-01",
                 "/public/nobody"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "points" not in answer.text


def test_on_a_phone_the_picture_is_narrow_and_the_nights_are_cards(filled: Site) -> None:
    client = client_of(filled, "*")
    page = client.get(PAGE).text
    (address,) = re.findall(r'<source media="[^"]+" srcset="([^"]+)"', page)
    assert 'viewBox="0 0 440 ' in client.get(address.replace("&amp;", "&")).text
    assert '<table class="stack">' in page
    assert page.count('data-label="mag"') >= 4


def test_a_night_has_the_date_of_its_evening_wherever_the_telescope_stands(own: Site) -> None:
    # Of Hawaii: the night of the 27th lasts until 16 h UTC of the 28th.
    execute(own, "UPDATE result SET jd_mid = 2461373.12, night = '2026-11-27' "
                 "WHERE source = '2200+420'")
    page = client_of(own, "*").get(PAGE).text
    assert set(re.findall(r'<th scope="row" class="nowrap">([^<]*)<', page)) == {"2026-11-27"}


def test_a_common_error_that_is_not_known_is_not_written_as_zero(own: Site) -> None:
    execute(own, "UPDATE result SET mag_err_common = NULL")
    assert "± 0.000" not in client_of(own, "*").get(PAGE).text
    assert "± 0.000" not in client_of(own, read="everybody").get("/sources/BL%20Lac").text
    execute(own, "UPDATE result SET mag_err_common = 0.0001, changed_at = changed_at + 1")
    assert "± 0.001</td>" in client_of(own, "*").get(PAGE).text


def test_an_address_without_times_leads_to_one_that_stays(filled: Site) -> None:
    answer = client_of(filled, "*").get("/public/BL%20Lac")
    assert answer.status_code == 302
    assert re.fullmatch(r"/public/2200\+420\?from=20\d\d-\d\d-\d\dT\d\d:\d\d&to=[\dT:-]+",
                        answer.headers["Location"].replace("%3A", ":").replace("%2B", "+"))


def test_flagged_and_withdrawn_points_are_not_on_it(own: Site) -> None:
    client = client_of(own, "*")
    count = client.get(PAGE.replace("?", "/light-curve.svg?")).text.count("M")
    execute(own, "UPDATE result SET human_flags = '[{\"name\": \"bad\"}]' WHERE id = "
                 "(SELECT MAX(id) FROM result WHERE source = '2200+420' AND flags = 0)")
    assert client.get(PAGE.replace("?", "/light-curve.svg?")).text.count("M") < count
    execute(own, "UPDATE result SET withdrawn = TRUE WHERE source = '2200+420'")
    assert "No result in this time" in client.get(PAGE).text
