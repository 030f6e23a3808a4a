"""Webhooks against a server of their own: what is posted, who can verify it, what comes back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from iop4d import config
from iop4d.alerts.channels.base import Notice, SendError
from iop4d.alerts.channels.webhook import WebhookChannel, sign, write
from tests.alerts.channels.receiver import Receiver
from tests.conftest import FakeClock

DOCS = Path(__file__).resolve().parents[3] / "docs" / "channels.md"
NEWS = Notice(
    id="<iop4d.1.x@example.org>", kind="alert", subject="BL Lac R = 12.87", text="R = 12.87 ± 0.02",
    at=1_700_000_000.0, html="<p>R</p>", pictures={"a": b"\x89PNG"}, severity="high", tag="#a1b2c3",
    link="https://iop4d.example.org/alerts/1",
    facts={"mag": 12.87, "p": float("nan"), "points": ({"jd": 2461000.5, "band": "R"},)})
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def send(url: str, *, notice: Notice = NEWS, timeout: float = 5.0, secret: Path | None = None,
         clock: FakeClock | None = None, **more: Any) -> SendError | None:
    """Post a notice; the error, if there is one."""
    channel = WebhookChannel(config.WebhookChannel(name="hook", url=url, to=("hook",),
                                     secret_file=secret, **more), timeout,
                             clock=clock or FakeClock())
    try:
        asyncio.run(channel.send(notice, "hook"))
    except SendError as error:
        return error
    return None


def test_a_notice_arrives_as_json(receiver: Receiver) -> None:
    assert send(receiver.url) is None
    [(path, headers, body)] = receiver.posts
    assert path == "/hooks/secret-path?key=secret-key"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == receiver.url.split("/")[2]
    assert json.loads(body) == {
        "form": 1, "id": "iop4d.1.x@example.org", "kind": "alert",
        "at": "2023-11-14T22:13:20+00:00", "recipient": "hook", "severity": "high",
        "subject": "BL Lac R = 12.87", "text": "R = 12.87 ± 0.02",
        "link": "https://iop4d.example.org/alerts/1", "tag": "#a1b2c3",
        "facts": {"mag": 12.87, "p": None, "points": [{"jd": 2461000.5, "band": "R"}]}}


@pytest.mark.parametrize(("secret", "key"), [
    (SECRET, b"k" * 24), ("a plain word", b"a plain word")])
def test_it_is_signed(receiver: Receiver, tmp_path: Path, secret: str, key: bytes) -> None:
    (tmp_path / "secret").write_text(secret + "\n", encoding="utf-8")
    assert send(receiver.url, secret=tmp_path / "secret") is None
    _, headers, body = receiver.posts[0]
    assert headers["webhook-id"] == "iop4d.1.x@example.org"
    assert headers["webhook-timestamp"] == "1700000000"
    digest = hmac.digest(key, b"iop4d.1.x@example.org.1700000000." + body, hashlib.sha256)
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks specification's libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}') == \
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_check_that_the_documentation_shows_accepts_it_and_nothing_else(
        receiver: Receiver, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(block for block in code if "def is_genuine" in block), names)
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    clock = FakeClock()
    assert send(receiver.url, secret=tmp_path / "secret", clock=clock) is None
    _, headers, body = receiver.posts[0]
    genuine = names["is_genuine"]
    assert genuine(headers, body, SECRET, now=clock.now + 60)
    assert not genuine(headers, body + b" ", SECRET, now=clock.now)
    assert not genuine(headers, body, "whsec_" + base64.b64encode(b"x" * 24).decode(),
                       now=clock.now)
    assert not genuine(headers, body, SECRET, now=clock.now + 3600)
    assert not genuine(headers | {"webhook-id": "other"}, body, SECRET, now=clock.now)


def test_a_retry_has_the_same_id_and_a_new_time(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    clock = FakeClock()
    receiver.answers = [(503, {}, b"")]
    assert send(receiver.url, secret=tmp_path / "secret", clock=clock) is not None
    clock.advance(60.0)
    assert send(receiver.url, secret=tmp_path / "secret", clock=clock) is None
    first, second = (headers for _, headers, _ in receiver.posts)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_accepted(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {}, b"")]
    assert send(receiver.url) is None


@pytest.mark.parametrize(("status", "permanent", "down"), [
    (400, True, False), (401, False, True), (403, False, False), (404, False, True),
    (407, False, True), (410, True, False),
    (422, True, False), (408, False, False), (425, False, False), (429, False, True),
    (500, False, False), (502, False, True), (503, False, True), (504, False, True),
    (301, False, True), (307, False, True)])
def test_answers_are_told_apart(receiver: Receiver, status: int, permanent: bool,
                                down: bool) -> None:
    receiver.answers = [(status, {"Location": "http://127.0.0.1:1/"}, b"no\x00 such\nthing")]
    error = send(receiver.url)
    assert error is not None
    assert (error.permanent, error.channel_down) == (permanent, down)
    assert f"answered {status}" in error.reason
    assert "\n" not in error.reason
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(("asked", "status", "wait"), [
    ("120", 429, 120.0), ("0", 503, None), (formatdate(1_700_000_090.0, usegmt=True), 503, 90.0),
    (formatdate(1_600_000_000.0, usegmt=True), 503, None), ("9999999999", 429, 86400.0),
    ("soon", 429, None), ("", 503, None), ("-5", 503, None), ("60", 404, None), ("60", 500, 60.0)])
def test_the_wait_that_is_asked_for_is_handed_on(receiver: Receiver, asked: str, status: int,
                                                 wait: float | None) -> None:
    receiver.answers = [(status, {"Retry-After": asked}, b"")]
    error = send(receiver.url)
    assert error is not None
    assert error.retry_after == wait
    assert error.channel_down or wait is None  # all recipients are at one address


@pytest.mark.parametrize(("status", "unsure"), [
    (500, False), (502, True), (503, False), (504, True), (429, False), (404, False)])
def test_what_a_gateway_lost_may_have_arrived(receiver: Receiver, status: int,
                                              unsure: bool) -> None:
    receiver.answers = [(status, {}, b"")]
    error = send(receiver.url)
    assert error is not None
    assert error.unsure is unsure


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret-path", "http://no.invalid/secret-path",
                                 "http://[::bad/secret-path", "http://127.0.0.1:99999/secret-path"])
def test_nobody_there_is_temporary_and_hides_the_path(url: str) -> None:
    error = send(url)
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert "secret" not in error.reason


def test_a_receiver_that_hangs_is_given_up(receiver: Receiver) -> None:
    receiver.answers = [(0, {}, b"")]
    error = send(receiver.url, timeout=0.2)
    assert error is not None
    assert "did not answer in time" in error.reason
    assert (error.permanent, error.channel_down) == (False, True)


def test_an_endless_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.answers = [(400, {}, b"x" * 3_000_000)]
    error = send(receiver.url)
    assert error is not None
    assert len(error.reason) < 300


def test_no_log_and_no_error_holds_the_path_or_the_login(
        receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpcore2")  # which commands make quieter
    receiver.answers = [(500, {}, b"")]
    error = send(receiver.url.replace("http://", "http://ana:secret-word@"))
    logged = "\n".join(f"{r.getMessage()} {r.args} {r.exc_text}" for r in caplog.records)
    assert "connect_tcp" in logged
    assert "secret-" not in logged + str(error) + repr(error)
    login = receiver.posts[0][1]["authorization"].removeprefix("Basic ")
    assert base64.b64decode(login) == b"ana:secret-word"


@pytest.mark.parametrize("content", ["whsec_not base64!", ""])
def test_a_bad_secret_is_told_and_nothing_is_posted(receiver: Receiver, tmp_path: Path,
                                                    content: str) -> None:
    (tmp_path / "secret").write_text(content, encoding="utf-8")
    error = send(receiver.url, secret=tmp_path / "secret")
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert "secret" in error.reason
    assert "not base64!" not in error.reason
    assert receiver.posts == []


def test_odd_facts_are_still_json() -> None:
    odd = replace(NEWS, facts={"a": {1, 2}, "b": float("inf"), "c": Path("/x"), 5: b"\xff"},
                  text="half \ud800 \x00")  # type: ignore[dict-item]
    facts = json.loads(write(odd, "x"))["facts"]
    assert facts["b"] is None
    assert facts["c"] == "/x"
    assert "5" in facts
