"""Hostile names stay text, every answer carries the policy, and no file leaks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from iop4d.web.app import create_app
from iop4d.web.reader import RefusedError, open_inside
from tests.web import observatory
from tests.web.conftest import FILLED, MISSING, Answers
from tests.web.routes import path_of

_OTHER_SITE = re.compile(r"https?://(?!www\.w3\.org/)[\w.-]+", re.IGNORECASE)


@pytest.mark.parametrize("path", FILLED)
def test_hostile_names_come_out_as_text(path: str, answers: Answers) -> None:
    answer = answers[path]
    if answer.mimetype == "text/html" and not path.endswith("/html"):
        assert observatory.HOSTILE not in answer.text
        assert not re.search(r"<script(?! src=\"/)", answer.text), "an inline script"
        assert not re.search(r"\son\w+=|\sstyle=", answer.text), "an inline handler or style"


def test_the_hostile_names_are_shown_at_all(client: FlaskClient) -> None:
    assert "&lt;script&gt;" in client.get("/failed").text
    assert "&lt;script&gt;" in client.get("/frames/25").text


@pytest.mark.parametrize("path", [*FILLED, *MISSING])
def test_every_answer_carries_the_policy(path: str, answers: Answers) -> None:
    headers = answers[path].headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert re.search(r"script-src '(self|none)'", policy)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    if path.endswith(".eml/html"):
        assert "frame-ancestors 'self'" in policy
        assert policy.endswith("sandbox")
    else:
        assert "frame-ancestors 'none'" in policy
        # Bokeh writes styles into the shadow roots of its plots.
        draws = path.startswith(("/sources/", "/curves")) and ".svg" not in path
        assert ("'unsafe-inline'" in policy) == draws


@pytest.mark.parametrize("path", [p for p in FILLED if p != "/mailbox/0001.eml/html"])
def test_no_page_names_another_site(path: str, answers: Answers) -> None:
    if answers[path].mimetype.startswith("text/"):
        assert not _OTHER_SITE.findall(answers[path].text)


def test_no_script_or_style_of_ours_names_another_site() -> None:
    static = Path(__file__).resolve().parents[2] / "web" / "static"
    for path in filter(Path.is_file, static.iterdir()):
        assert not _OTHER_SITE.findall(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(method: str, filled: Site) -> None:
    app = create_app(filled)
    paths = {path_of(rule) for rule in app.url_map.iter_rules()}
    asks = {path_of(rule) for rule in app.url_map.iter_rules() if method in (rule.methods or ())}
    # Who may ask for what, and from where, is tested in test_roles; here it is nobody.
    assert method == "POST" or not asks
    for path in sorted(paths):
        status = app.test_client().open(path, method=method).status_code
        assert status == (403 if path in asks else 405), path


@pytest.mark.parametrize("what", ["preview.png", "raw", "reduced"])
def test_a_row_that_names_a_file_elsewhere_gives_nothing(what: str, client: FlaskClient) -> None:
    answer = client.get(f"/frames/25/{what}")
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_a_preview_is_served_only_from_inside_the_site(empty: Site, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(observatory.png())
    folder = empty.root / "previews"
    folder.mkdir()
    (folder / "good.png").write_bytes(observatory.png())
    (folder / "text.png").write_text("<script>alert(1)</script>")
    (folder / "link.png").symlink_to(outside)
    (folder / "inner.png").symlink_to(folder / "good.png")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo.png")
    client = create_app(empty).test_client()
    for name, expected in (
            ("good.png", 200), ("text.png", 404), ("link.png", 404), ("inner.png", 404),
            ("out/outside.png", 404), ("../../outside.png", 404), ("fifo.png", 404),
            ("", 404), ("none.png", 404), ("../iop4d.db", 404), ("a\0b", 404)):
        with Database(empty.database).write() as tx:
            id_ = tx.create(Frame, archive="t220", path="", telescope="", night="", name="f",
                            size=1, mtime_ns=1, completed_at=1.0, seen_at=1.0, changed_at=1.0,
                            state="done", preview_path=f"{folder}/{name}").id
        answer = client.get(f"/frames/{id_}/preview.png")
        assert answer.status_code == expected, name
        assert answer.mimetype == ("image/png" if expected == 200 else "text/html")


@pytest.mark.parametrize("path", [
    "/frames/../iop4d.db", "/frames/%2e%2e/x/preview.png", "/static/../app.py",
    "/static/..%2f..%2fapp.py", "/static/%2e%2e/app.py", "/mailbox/..%2f..%2fiop4d.db",
    "/mailbox/%2e%2e%2fsite%2fiop4d.db/html", "/assets/../app.py", "/frames/1%00/raw",
    "/mailbox/.%2f0001.eml"])
def test_no_path_of_an_address_reaches_a_file(path: str, client: FlaskClient) -> None:
    with client.get(path) as answer:
        assert answer.status_code == 404


@pytest.mark.parametrize("path", ["relative.png", "", "/", "/dev/null", "/nowhere/x"])
def test_open_inside_refuses_what_is_not_a_file_of_the_root(path: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        open_inside(path, [tmp_path, Path("/dev")])


@pytest.mark.parametrize("host", ["x" * 300, "..", "a..b", "-", ""])
def test_a_host_that_is_no_name_is_refused_without_a_trace(
        host: str, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """An old fault: status 500, and four tracebacks in the log for each."""
    for path in ("/", "/api/status", "/nothing"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code < 500
    assert not [record for record in caplog.records if record.exc_info]


def test_raw_frames_come_as_attachments(client: FlaskClient) -> None:
    with client.get("/frames/1/raw") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment; filename=BLLac-0000R")
        assert answer.mimetype == "application/octet-stream"
        assert len(answer.data) == 2880


def test_a_mails_html_is_shown_with_its_pictures_and_without_its_scripts(
        client: FlaskClient) -> None:
    page = client.get("/mailbox/0001.eml")
    assert '<iframe sandbox title="' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    html = client.get("/mailbox/0001.eml/html")
    assert 'src="data:image/png;base64,' in html.text
    assert "cid:" not in html.text
    assert "script-src 'none'" in html.headers["Content-Security-Policy"]


def test_a_link_in_the_mailbox_is_not_followed(filled: Site, client: FlaskClient) -> None:
    assert filled.web.mailbox is not None
    link = filled.web.mailbox / "link.eml"
    link.symlink_to("/etc/passwd")
    try:
        assert "root:" not in client.get("/mailbox").text
        assert "root:" not in client.get("/mailbox/link.eml").text
    finally:
        link.unlink()
