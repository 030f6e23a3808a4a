"""Pictures: thumbnails of cards, the light curve without scripts, plots that leave a finger be."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.core.serialization import Deserializer
from flask.testing import FlaskClient
from PIL import Image

from iop4d.config import Site
from iop4d.web.app import create_app
from iop4d.web.lightcurve import LIGHT, Points, plot
from iop4d.web.still_curve import still_curve
from tests.web import observatory
from tests.web.conftest import execute

_SVG = "{http://www.w3.org/2000/svg}"


def test_cards_have_small_pictures_which_a_browser_keeps(own: Site) -> None:
    preview = own.root / "previews" / "large.png"
    preview.write_bytes(observatory.png(3, (800, 600)))
    execute(own, "UPDATE frame SET preview_path = ? WHERE id = 24", str(preview))
    client = create_app(own).test_client()
    (address,) = re.findall(r'src="(/frames/24/[^"]*)"', client.get("/").text)
    answer = client.get(address)
    assert answer.mimetype == "image/jpeg"
    assert "immutable" in answer.headers["Cache-Control"]
    with Image.open(BytesIO(answer.data)) as picture:
        assert picture.size == (352, 264)
    assert len(answer.data) < 0.2 * preview.stat().st_size
    # A new preview is another picture.
    preview.write_bytes(observatory.png(4, (800, 600)))
    execute(own, "UPDATE frame SET changed_at = changed_at + 1 WHERE id = 24")
    assert client.get(address).data != answer.data


def test_a_preview_that_is_no_picture_or_outside_has_no_thumbnail(
        own: Site, tmp_path: Path) -> None:
    preview = own.root / "previews" / "broken.png"
    client = create_app(own).test_client()
    for content in (b"", b"no picture", b"\x89PNG\r\n\x1a\nbroken"):
        preview.write_bytes(content)
        execute(own, "UPDATE frame SET preview_path = ? WHERE id = 24", str(preview))
        assert client.get("/frames/24/thumbnail.jpg").status_code == 404
    outside = tmp_path.parent / "outside.png"
    outside.write_bytes(observatory.png(1))
    execute(own, "UPDATE frame SET preview_path = ? WHERE id = 24", str(outside))
    for path in ("/frames/24", "/frames/26", "/frames/999"):
        assert client.get(f"{path}/thumbnail.jpg").status_code == 404


def _columns(**numbers: list[Any]) -> dict[str, list[Any]]:
    count = len(numbers["t"])
    names = ("jd", "mag", "mag_lo", "mag_hi", "mag_limit", "p_debiased", "p_lo", "p_hi", "p_limit",
             "chi", "chi_lo", "chi_hi")
    return ({name: [None] * count for name in names} | {"fill": [0.9] * count}
            | {name: [1] * count for name in ("id", "frame_id")}
            | {name: [""] * count for name in ("label", "plabel", "telescope", "flags", "frame")}
            | numbers)


def test_without_scripts_the_light_curve_is_a_picture(client: FlaskClient) -> None:
    page = client.get("/sources/3C%20454.3").text
    (inside,) = re.findall(r"<noscript>(.*?)</noscript>", page)
    (address,) = re.findall(r'src="([^"]+)"', inside)
    assert "Loading" not in page
    answer = client.get(address)
    assert answer.mimetype == "image/svg+xml"
    root = ET.fromstring(answer.data)
    points = client.get("/api/sources/3C%20454.3/points").json["bands"]
    wanted = sum(sum(value is not None for value in columns[name]) for columns in points.values()
                 for name in ("mag", "p_debiased", "chi"))
    assert len(root.findall(f".//{_SVG}circle")) == wanted > 10
    words = " ".join(text.text or "" for text in root.findall(f".//{_SVG}text"))
    assert all(title in words for title in ("magnitude", "p [%]", "χ [°]", "● R"))
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", words)) >= 3
    with client.get(f"/api/sources/{observatory.HOSTILE}/light-curve.svg") as hostile:
        assert observatory.HOSTILE not in hostile.text


def test_bright_is_above_and_later_is_on_the_right() -> None:
    root = ET.fromstring(still_curve(Points(source="a", bands={"R": _columns(
        t=[0.0, 86_400_000.0], mag=[15.0, 14.0], mag_lo=[14.9, 13.9], mag_hi=[15.1, 14.1])})))
    first, last = root.findall(f".//{_SVG}circle")
    assert float(last.attrib["cy"]) < float(first.attrib["cy"])
    assert float(last.attrib["cx"]) > float(first.attrib["cx"])


@pytest.mark.parametrize("bands", [
    {}, {"R": _columns(t=[])}, {"R": _columns(t=[1.0])},
    {"R": _columns(t=[1.0], mag=[14.0], mag_lo=[14.0], mag_hi=[14.0])},
    {"R": _columns(t=[1.0], mag_limit=[19.0], p_limit=[17.0])}])
def test_any_points_make_a_picture(bands: dict[str, Any]) -> None:
    assert ET.fromstring(still_curve(Points(source="a", bands=bands))).tag == f"{_SVG}svg"


def test_a_finger_on_the_plot_moves_the_page_and_a_mouse_the_plot(client: FlaskClient) -> None:
    of_mouse = client.get("/api/sources/BL%20Lac/plot").text
    of_finger = client.get("/api/sources/BL%20Lac/plot?touch=1").text
    assert '"active_drag":null' not in of_mouse
    panels = of_finger.count('"name":"Figure"')
    assert of_finger.count('"active_drag":null') == panels + 1


def test_a_saved_plot_has_the_name_of_its_source() -> None:
    drawn = json.dumps(plot(Points(source="BL Lac", bands={
        "R": _columns(t=[1.0], mag=[14.0])}), LIGHT))
    assert '"filename": "BL Lac light curve"' in drawn


def test_a_plot_has_the_points_as_they_are_also_where_it_was_made_before() -> None:
    for mags in ([14.0], [15.25, None, 13.125]):
        columns = _columns(t=[float(k) for k in range(len(mags))], mag=mags,
                           flags=[f"good {k}" for k in range(len(mags))])
        item = plot(Points(source="BL Lac", bands={"R": columns, "B": columns}), LIGHT)
        found = [dict(entries) for entries in _sources(item)]
        assert len(found) == 2
        for data in found:
            array = Deserializer().deserialize(data["mag"])
            np.testing.assert_array_equal(array, np.array(mags, dtype=float))
            assert data["flags"] == columns["flags"]
            assert data["mag"]["shape"] == [len(mags)]


def _sources(part: Any) -> list[Any]:
    """The columns of every source of points in what is to be embedded."""
    if isinstance(part, list):
        return [found for one in part for found in _sources(one)]
    if not isinstance(part, dict):
        return []
    attributes = part.get("attributes", {})
    if str(attributes.get("name")).startswith("points-"):
        return [attributes["data"]["entries"]]
    return [found for one in part.values() for found in _sources(one)]


def test_a_modulation_is_kept_where_its_address_has_the_revision(client: FlaskClient) -> None:
    assert "immutable" not in client.get("/results/1/modulation.png?v=1").headers.get(
        "Cache-Control", ""), "it has none"
