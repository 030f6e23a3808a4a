"""The pixels of a frame, as the viewer asks for them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.web import heavy
from iop4d.web.app import create_app
from iop4d.web.heavy import HeavyAnswers
from tests.web.conftest import execute
from tests.web.views.data.real_frame import FRAME, SHAPE, STAR, give, sky


@pytest.fixture
def site(own: Site) -> Site:
    give(own)
    return own


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return create_app(site).test_client()


@pytest.mark.parametrize("which", ["reduced", "raw"])
def test_both_images_lie_alike(client: FlaskClient, which: str) -> None:
    said = client.get(f"/frames/{FRAME}/image/{which}.json").json
    assert (said["height"], said["width"], said["unit"]) == (*SHAPE, "ADU")
    assert said["sky"] == pytest.approx(200.0, abs=1.0)
    assert said["zscale"][0] < 200.0 < said["zscale"][1]
    star = client.get(f"{said['pixelAddress']}&x={STAR[0]}&y={STAR[1]}").json
    assert star["value"] == pytest.approx(float(sky()[STAR[1], STAR[0]]), rel=1e-4)


def test_a_tile_is_kept_by_browsers_since_a_new_image_has_another_address(
        client: FlaskClient) -> None:
    said = client.get(f"/frames/{FRAME}/image/reduced.json").json
    address = said["tileAddress"]
    for name, number in (("{level}", 0), ("{column}", 1), ("{row}", 0)):
        address = address.replace(name, str(number))
    answer = client.get(address)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert len(gzip.decompress(answer.data)) == 2 * 256 * (400 - 256)
    assert client.get(address.replace("/1/0?", "/9/9?")).status_code == 404


def test_a_masked_pixel_has_no_value(client: FlaskClient) -> None:
    address = f"/frames/{FRAME}/image/reduced/pixel"
    assert client.get(f"{address}?x=30&y=20").json["value"] is None
    assert client.get(f"{address}?x=4000&y=20").status_code == 404


def test_marks_say_where_sources_lie_and_how_the_sky_does(client: FlaskClient) -> None:
    said = client.get(f"/frames/{FRAME}/marks.json").json
    (mark,) = said["sources"]
    assert (mark["x"], mark["y"], mark["measured"]) == (*STAR, True)
    assert mark["kind"] == "target"
    assert mark["said"].startswith("R 1")
    assert said["aperture"] == 6.0
    assert (said["wcs"]["x0"], said["wcs"]["y0"]) == STAR


def test_pairs_join_the_two_images_of_a_source(site: Site, client: FlaskClient) -> None:
    for beam, x in (("O", 210.0), ("E", 190.0)):
        execute(site, "INSERT INTO measurement (frame_id, source, beam, x, y, flux, flags, "
                "confusion_err, neighbours, growth) SELECT frame_id, source, ?, ?, y, flux, 0, 0, "
                "0, '[]' FROM measurement WHERE frame_id = ? AND beam = ''", beam, x, FRAME)
    said = client.get(f"/frames/{FRAME}/marks.json").json
    assert said["pairs"] == [[210.0, 150.0, 190.0, 150.0]]
    assert sorted(mark["beam"] for mark in said["sources"]) == ["E", "O"]


def test_a_cutout_is_a_picture(client: FlaskClient) -> None:
    answer = client.get(f"/frames/{FRAME}/cutout.png?x=200&y=150&half=15&r=6,10,18")
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert answer.data.startswith(b"\x89PNG")
    for wrong in ("x=nan&y=1", "y=1", "x=1e9&y=1"):
        assert client.get(f"/frames/{FRAME}/cutout.png?{wrong}").status_code == 404
    assert client.get(f"/frames/{FRAME}/cutout.png?x=9000&y=9000").status_code == 404


def test_what_cannot_be_shown_is_said_without_its_folder(site: Site) -> None:
    client = create_app(site).test_client()
    execute(site, "UPDATE frame SET path = '/etc/passwd' WHERE id = ?", FRAME)
    answer = client.get(f"/frames/{FRAME}/image/raw.json")
    assert answer.status_code == 200  # no fault of the page that asks
    assert answer.json == {"wrong": "The image cannot be shown: outside the site."}
    assert client.get(f"/frames/{FRAME}/image/raw/0/0/0").status_code == 404
    assert client.get("/frames/999/image/raw.json").status_code == 404
    assert client.get(f"/frames/{FRAME}/image/other.json").status_code == 404
    assert np.isfinite(sky()).sum() == SHAPE[0] * SHAPE[1] - 1


def test_a_tile_or_pixel_far_beyond_the_image_is_refused_before_it_costs_anything(
        client: FlaskClient) -> None:
    said = client.get(f"/frames/{FRAME}/image/reduced.json").json
    tile = said["tileAddress"].replace("{column}", "1").replace("{row}", "1")
    assert client.get(tile.replace("{level}", "20000000000")).status_code == 404
    for x, y in ((2**63 - 1, 0), (0, 2**63 - 1)):
        assert client.get(f"{said['pixelAddress']}&x={x}&y={y}").status_code == 404


def test_too_many_images_at_once_are_refused_and_light_pages_go_on(site: Site) -> None:
    app = create_app(site)
    client = app.test_client()
    said = client.get(f"/frames/{FRAME}/image/reduced.json").json
    image = f"/frames/{FRAME}/image/reduced"
    images = app.extensions[heavy._IMAGES] = HeavyAnswers(32, wait_s=0.0, at_once=2)
    with images.one() as first, images.one() as second:
        assert (first, second) == (True, True)
        for address in (f"{image}.json", f"{image}/0/0/0", f"{image}.png",
                        f"{image}/pixel?x=1&y=1", f"/frames/{FRAME}/cutout.png?x=50&y=50"):
            answer = client.get(address)
            assert answer.status_code == 503, address
            assert "too many images are being read" in answer.json["error"]
            assert int(answer.headers["Retry-After"]) > 0
        assert client.get(f"/frames/{FRAME}/marks.json").status_code == 200
        assert client.get(f"/frames/{FRAME}").status_code == 200
        assert client.get("/api/results").status_code == 200
    assert client.get(f"{image}.json").json["width"] == said["width"]
