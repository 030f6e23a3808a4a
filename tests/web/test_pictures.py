"""Pictures: thumbnails of cards, and which a browser may keep."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

from flask.testing import FlaskClient
from PIL import Image

from iop4d.config import Site
from iop4d.web.app import create_app
from tests.web import observatory
from tests.web.conftest import execute


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


def test_a_modulation_is_kept_where_its_address_has_the_revision(client: FlaskClient) -> None:
    assert "immutable" not in client.get("/results/1/modulation.png?v=1").headers.get(
        "Cache-Control", ""), "it has none"
