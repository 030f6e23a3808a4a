"""Other services by Apprise: a receiver of JSON stands for them all."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iop4d import config
from iop4d.alerts.channels.apprise import AppriseChannel
from iop4d.alerts.channels.base import Notice, SendError, scrub
from tests.alerts.channels.receiver import Receiver

NEWS = Notice(id="<1@example.org>", kind="alert", subject="BL Lac R = 12.87", at=0.0,
              text="R = 12.87 - *not* _markup_", severity="high")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
installed = pytest.mark.skipif(importlib.util.find_spec("apprise") is None,
                               reason="the extra 'apprise' is not installed")
# The library asks for modules of Python that go away in 3.13, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


@pytest.fixture
def log() -> io.StringIO:
    """What reaches a log that takes everything; it is put right again after each test."""
    text = io.StringIO()
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler(text)]
    root.setLevel(logging.DEBUG)
    return text


def channel(folder: Path, *lines: str, timeout: float = 5.0) -> AppriseChannel:
    (folder / "addresses").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return AppriseChannel(config.AppriseChannel(name="others", to=("ana",),
                                  secret_file=folder / "addresses"), timeout)


def address(receiver: Receiver, tag: str = "ana") -> str:
    return f"{tag} = " + receiver.url.replace("http://", "json://user:secret-word@").split("?")[0]


def send(way: AppriseChannel, to: str = "ana", notice: Notice = NEWS) -> SendError | None:
    """Send a notice; the error, if there is one."""
    try:
        asyncio.run(way.send(notice, to))
    except SendError as error:
        return error
    return None


@installed
def test_a_notice_reaches_the_service_of_its_tag_alone(receiver: Receiver, tmp_path: Path) -> None:
    way = channel(tmp_path, address(receiver), address(receiver, "bob"))
    assert send(way) is None
    [(_, _, body)] = receiver.posts
    said = json.loads(body)
    assert (said["title"], said["message"], said["type"]) == (NEWS.subject, NEWS.text, "warning")


@installed
def test_the_picture_goes_with_it(receiver: Receiver, tmp_path: Path) -> None:
    shown = replace(NEWS, pictures={"light-curve": PNG})
    assert send(channel(tmp_path, address(receiver)), notice=shown) is None
    [attached] = json.loads(receiver.posts[0][2])["attachments"]
    assert attached["filename"] == "light-curve.png"


@installed
@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])  # of the service, of a command
def test_a_refusal_is_temporary_and_says_why(receiver: Receiver, tmp_path: Path,
                                             level: int) -> None:
    logging.getLogger("apprise").setLevel(level)
    receiver.answers = [(503, {}, b"")]
    error = send(channel(tmp_path, address(receiver)))
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, False)
    assert "503" in error.reason


@installed
@pytest.mark.parametrize("line", [
    "bob = json://127.0.0.1:1/", "ana = nosuch://user:secret-word@host/secret-path",
    "ana = discord://secret-path", "secret-path", ""])
def test_a_tag_without_an_address_is_told(tmp_path: Path, line: str, log: io.StringIO) -> None:
    error = send(channel(tmp_path, "# addresses", line))
    assert error is not None
    assert not error.permanent
    assert "'ana = address'" in error.reason
    assert "secret-" not in error.reason + log.getvalue()


@installed
def test_no_password_is_in_a_log_or_an_error(receiver: Receiver, tmp_path: Path,
                                             log: io.StringIO) -> None:
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # as a command does
    receiver.answers = [(401, {}, b"")]
    error = send(channel(tmp_path, address(receiver)))
    assert error is not None
    assert "secret-" not in str(error) + log.getvalue()


@installed
def test_a_service_that_hangs_is_given_up_and_not_crowded(receiver: Receiver,
                                                          tmp_path: Path) -> None:
    receiver.answers = [(0, {}, b"")]
    way = channel(tmp_path, address(receiver), timeout=0.05)

    async def twice() -> list[SendError]:
        errors = []
        for _ in range(2):
            with pytest.raises(SendError) as refused:
                await way.send(NEWS, "ana")
            errors.append(refused.value)
        receiver.release.set()
        return errors

    first, second = asyncio.run(twice())
    assert "did not answer in time" in first.reason
    assert "has not ended yet" in second.reason
    assert not first.permanent
    assert not second.permanent
    assert len(receiver.posts) == 1


def test_without_the_library_it_says_what_to_install(tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    error = send(channel(tmp_path, "ana = json://127.0.0.1:1/"))
    assert error is not None
    assert "iop4d[apprise]" in error.reason
    assert (error.permanent, error.channel_down) == (False, True)


def test_whatever_the_library_raises_is_a_temporary_error(tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no json://user:secret-word@host")

    monkeypatch.setattr(importlib, "import_module", lambda _: Broken())
    error = send(channel(tmp_path, "ana = json://user:secret-word@127.0.0.1:1/"))
    assert error is not None
    assert not error.permanent
    assert "RuntimeError" in error.reason
    assert "secret-word" not in error.reason


@pytest.mark.parametrize("tag", ["", "a:3", "a, b", "ana\nbob", "json://127.0.0.1/"])
def test_what_is_no_tag_is_refused(tmp_path: Path, tag: str) -> None:
    error = send(channel(tmp_path, "ana = json://127.0.0.1:1/"), to=tag)
    assert error is not None
    assert error.permanent


def test_a_missing_secret_is_told(tmp_path: Path) -> None:
    way = channel(tmp_path, "x")
    (tmp_path / "addresses").unlink()
    error = send(way)
    assert error is not None
    assert error.channel_down
    assert "secret_file" in error.reason


def test_pieces_of_addresses_are_hidden() -> None:
    said = scrub("user/token1234 at host", "ana = discord://token1234/abcdefgh?x=y")
    assert said == "user/*** at host"


def test_the_thread_does_not_hold_up_the_loop(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    way, gate, done = channel(tmp_path, "ana = x"), threading.Event(), []
    monkeypatch.setattr(way, "_deliver", lambda *_: done.append(gate.wait(10)))

    async def go() -> None:
        task = asyncio.create_task(way.send(NEWS, "ana"))
        await asyncio.sleep(0)
        gate.set()  # only a loop that goes on comes here
        await task

    asyncio.run(go())
    assert done == [True]
