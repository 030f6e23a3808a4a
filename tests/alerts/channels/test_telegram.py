"""Telegram against the stand-in: what is said, in which order, how often, and what goes wrong."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from iop4d import config
from iop4d.alerts.channels import bot_api
from iop4d.alerts.channels.base import Notice, SendError
from iop4d.alerts.channels.telegram import (
    CAPTION,
    TEXT,
    RateLimit,
    TelegramChannel,
    fit,
    plainest,
    units,
)
from iop4d.simulator.botserver import (
    TOKEN,
    BotServer,
    Fault,
    bad_request,
    blocked,
    too_many,
)
from tests.conftest import FakeClock

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
NEWS = Notice(id="<iop4d.1@example.org>", kind="alert", subject="BL Lac R = 12.87", at=0.0,
              text="BL Lac R = 12.87 ± 0.02\nmag < 13.0, met by 2 points\n#a1b2c3", tag="#a1b2c3",
              link="https://iop4d.example.org/alerts/1")
SHOWN = replace(NEWS, pictures={"light-curve": PNG})
LONG = replace(NEWS, text="\n".join(f"line {n} of many numbers" for n in range(60)) + "\n#a1b2c3")
LONG_SHOWN = replace(LONG, pictures={"light-curve": PNG})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BotServer]:
    with BotServer(tmp_path / "telegram") as running:
        yield running


class Bot:
    """A channel of which the clock goes on only when it sleeps."""

    def __init__(self, server: BotServer, folder: Path, *, token: str = TOKEN,
                 timeout: float = 5.0, api: str = "") -> None:
        self.clock = FakeClock(1000.0)
        (folder / "token").write_text(f"{token}\n", encoding="utf-8")
        self.slept: list[float] = []
        self.channel = TelegramChannel(
            config.TelegramChannel(name="bot", to=("7",), token_file=folder / "token",
                    api_url=api or server.url),
            timeout, clock=self.clock, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def send(self, notice: Notice = NEWS, to: str = "7") -> SendError | None:
        """Send a notice; the error, if there is one."""
        try:
            asyncio.run(self.channel.send(notice, to))
        except SendError as error:
            return error
        return None


@pytest.fixture
def bot(server: BotServer, tmp_path: Path) -> Bot:
    return Bot(server, tmp_path)


def methods(server: BotServer) -> list[str]:
    return [request.method for request in server.requests]


def test_a_text_goes_out_plain(server: BotServer, bot: Bot) -> None:
    text = "p = 3.2_1 % *not* [a](link) <b> -0.5 `mag`! \u2212 é"
    assert bot.send(replace(NEWS, text=text, tag="")) is None
    assert [m["text"] for m in server.said("7")] == [text]
    assert "parse_mode" not in server.requests[0].fields


def test_a_picture_goes_with_its_text_when_that_is_short(server: BotServer, bot: Bot) -> None:
    assert bot.send(SHOWN) is None
    [message] = server.said("7")
    assert message["text"] == NEWS.text
    assert (server.folder / message["photo"]).read_bytes() == PNG


def test_a_long_text_goes_first_and_its_picture_answers_it(server: BotServer, bot: Bot) -> None:
    assert bot.send(LONG_SHOWN) is None
    text, picture = server.said("7")
    assert (text["text"], text["photo"]) == (LONG.text, "")
    assert (picture["text"], picture["reply_to"]) == ("", text["message_id"])
    assert picture["photo"]


@pytest.mark.parametrize("fault", [
    bad_request("IMAGE_PROCESS_FAILED", method="sendPhoto"), too_many(60, method="sendPhoto"),
    Fault(method="sendPhoto"), Fault(method="sendPhoto", kind="cut")])
def test_a_text_that_was_accepted_stands_whatever_becomes_of_the_picture(
        server: BotServer, bot: Bot, fault: Fault) -> None:
    server.faults.append(fault)
    assert bot.send(LONG_SHOWN) is None
    assert [m["photo"] for m in server.said("7")] == [""]


@pytest.mark.parametrize("fault", [
    bad_request("PHOTO_INVALID_DIMENSIONS", method="sendPhoto"),
    bad_request("not enough rights to send photos to the chat", method="sendPhoto"),
    Fault(code=413, description="Request Entity Too Large", method="sendPhoto")])
def test_a_refused_picture_is_left_out(server: BotServer, bot: Bot, fault: Fault) -> None:
    server.faults.append(fault)
    assert bot.send(SHOWN) is None
    assert [(m["text"], m["photo"]) for m in server.said("7")] == [(NEWS.text, "")]


def test_after_a_picture_did_not_get_through_the_text_goes_first(server: BotServer,
                                                                bot: Bot) -> None:
    server.faults += [Fault(method="sendPhoto", kind="cut"), Fault(method="sendPhoto", kind="cut")]
    error = bot.send(SHOWN)
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert bot.send(SHOWN) is None
    assert [(m["text"], m["photo"]) for m in server.said("7")] == [(NEWS.text, "")]


@pytest.mark.parametrize(("fault", "permanent", "down", "said"), [
    (blocked(), True, False, "blocked by the user"),
    (Fault(code=403, description="Forbidden: bot was kicked from the group chat"), True, False,
     "kicked"),
    (bad_request("chat not found"), True, False, "chat not found"),
    (Fault(), False, False, "500"),
    (Fault(code=502, description="Bad Gateway"), False, True, "502"),
    (Fault(code=401, description="Unauthorized"), False, True, "correct it"),
    (Fault(code=404, description="Not Found"), False, True, "correct it"),
    (Fault(kind="cut"), False, True, "disconnected"),
    (Fault(kind="cut-after"), False, True, "disconnected"),
    (Fault(kind="noise"), False, True, "did not answer as a Bot API does"),
])
@pytest.mark.parametrize("notice", [NEWS, SHOWN], ids=["text", "picture"])
def test_errors_are_told_apart(server: BotServer, bot: Bot, notice: Notice, fault: Fault,
                               permanent: bool, down: bool, said: str) -> None:
    server.faults += [fault, fault]
    error = bot.send(notice)
    assert error is not None
    assert (error.permanent, error.channel_down) == (permanent, down)
    assert said in error.reason


def test_a_server_that_hangs_is_given_up(server: BotServer, tmp_path: Path) -> None:
    server.faults.append(Fault(kind="hang"))
    error = Bot(server, tmp_path, timeout=0.2).send()
    assert error is not None
    assert "did not answer in time" in error.reason
    assert (error.permanent, error.channel_down) == (False, True)


def test_nothing_is_asked_before_the_time_that_the_server_named(server: BotServer,
                                                               bot: Bot) -> None:
    server.faults.append(too_many(30))
    error = bot.send()
    assert error is not None
    assert (error.permanent, error.retry_after, error.channel_down) == (False, 30.0, False)
    bot.clock.advance(20.0)
    again = bot.send()
    assert again is not None
    assert (again.retry_after, again.permanent, len(server.requests)) == (10.0, False, 1)
    assert bot.send(to="8") is None
    bot.clock.advance(10.0)
    assert bot.send() is None
    assert [m["chat"] for m in server.said()] == ["8", "7"]


def test_when_two_chats_are_too_many_the_whole_bot_is_paused(server: BotServer, bot: Bot) -> None:
    server.faults += [too_many(30), too_many(40)]
    bot.send(to="7")
    bot.send(to="8")
    third = bot.send(to="9")
    assert third is not None
    assert third.retry_after == pytest.approx(40.0, abs=1.0)
    assert third.channel_down
    assert len(server.requests) == 2


def test_a_group_that_moved_is_followed(server: BotServer, bot: Bot,
                                        caplog: pytest.LogCaptureFixture) -> None:
    server.gone["-5"] = -1005
    error = bot.send(to="-5")
    assert error is not None
    assert (error.permanent, error.moved_to, error.retry_after) == (False, "-1005", 1.0)
    assert bot.send(to="-5") is None
    assert [m["chat"] for m in server.said()] == ["-1005"]
    assert "write it into the site file" in caplog.text


def test_a_text_that_cannot_be_parsed_is_sent_in_ascii(server: BotServer, bot: Bot) -> None:
    server.faults.append(bad_request("can't parse entities: byte offset 7"))
    assert bot.send() is None
    [message] = server.said()
    assert message["text"].startswith("BL Lac R = 12.87 +/- 0.02\n")
    assert message["text"].isascii()


def test_a_wait_that_is_asked_for_at_the_text_in_ascii_is_kept_too(server: BotServer,
                                                                   bot: Bot) -> None:
    server.faults += [bad_request("can't parse entities"), too_many(30)]
    first, second = bot.send(), bot.send()
    assert first is not None
    assert second is not None
    assert first.retry_after == 30.0
    assert second.retry_after == pytest.approx(30.0, abs=2.0)
    assert len(server.requests) == 2


def test_a_text_that_is_refused_twice_is_given_up(server: BotServer, bot: Bot) -> None:
    server.faults += [bad_request("can't parse entities")] * 2
    error = bot.send()
    assert error is not None
    assert error.permanent
    assert len(server.requests) == 2


@pytest.mark.parametrize("chat", ["", "ana", "7; 8", "-", "@", "7\n8"])
def test_what_is_no_chat_is_asked_of_nobody(server: BotServer, bot: Bot, chat: str) -> None:
    error = bot.send(to=chat)
    assert error is not None
    assert error.permanent
    assert server.requests == []


@pytest.mark.parametrize("text", ["x" * 9000, "🔭" * 5000, "line\n" * 3000, "\ud800 half", "\x00",
                                  "   ", "", "مرحبا \u202e!", "`" * 5000])
def test_odd_texts_get_through(server: BotServer, bot: Bot, text: str) -> None:
    assert bot.send(replace(SHOWN, text=text)) is None
    said = server.said()[0]["text"]
    assert 0 < units(said) <= TEXT
    assert "#a1b2c3" in said


def test_a_text_is_cut_at_a_line_and_keeps_its_foot() -> None:
    text = "\n".join(f"line {n}" for n in range(1000))
    cut = fit(text, 500, foot="https://x/1\n#a1b2c3")
    assert units(cut) <= 500
    lines = cut.split("\n")
    assert lines[-3:] == ["…", "https://x/1", "#a1b2c3"]
    assert text.startswith("\n".join(lines[:-3]) + "\n")


@pytest.mark.parametrize("limit", [CAPTION, TEXT])
def test_what_fits_is_not_cut(limit: int) -> None:
    assert fit("x" * limit, limit) == "x" * limit
    assert fit("x" * (limit + 1), limit) == "x" * (limit - 2) + "…"


def test_the_plainest_text_is_ascii_and_says_the_numbers() -> None:
    assert plainest("R = 12.87 ± 0.02 – é\x07") == "R = 12.87 +/- 0.02 - ?"
    assert plainest("\u200b") == "?"


def test_a_chat_hears_one_message_a_second_and_a_group_twenty_a_minute() -> None:
    clock = FakeClock(0.0)
    times: dict[str, list[float]] = {"7": [], "-7": []}
    for chat, heard in times.items():
        limit = RateLimit(clock)
        for _ in range(60):
            heard.append(clock.now + limit.take_turn(chat))
        assert min(b - a for a, b in pairwise(heard)) >= 1.0 - 1e-6
    assert times["7"][-1] - times["7"][0] == pytest.approx(59.0)
    group = times["-7"]
    assert min(b - a for a, b in zip(group, group[20:], strict=False)) >= 60.0 - 1e-6


def test_a_burst_waits_a_second_between_messages(server: BotServer, bot: Bot) -> None:
    for _ in range(3):
        assert bot.send() is None
    assert bot.slept == pytest.approx([1.0, 1.0])


def test_a_full_group_is_put_off_and_others_are_not(server: BotServer, bot: Bot) -> None:
    for _ in range(20):
        assert bot.send(to="-7") is None
    error = bot.send(to="-7")
    assert error is not None
    assert not error.permanent
    assert error.retry_after == pytest.approx(41.0)
    assert bot.send(to="8") is None


def test_what_is_only_for_information_makes_no_sound(server: BotServer, bot: Bot) -> None:
    bot.send(replace(NEWS, severity="info"))
    bot.send(replace(NEWS, severity="high"))
    assert [m["silent"] for m in server.said()] == [True, False]


def everything_logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{r.getMessage()} {r.args} {r.exc_text}" for r in caplog.records)


@pytest.mark.parametrize("kind", ["", "cut", "noise", "echo"])
def test_the_token_is_in_no_log_and_no_error(server: BotServer, bot: Bot, kind: str,
                                             caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpcore2")  # which commands make quieter
    if kind == "echo":
        server.faults.append(bad_request(f"no route /bot{TOKEN}/sendMessage"))
    elif kind:
        server.faults.append(Fault(kind=kind))
    error = bot.send(SHOWN)
    logged = everything_logged(caplog)
    assert "connect_tcp" in logged
    for text in (logged, str(error), repr(error), repr(error and error.__cause__)):
        assert TOKEN not in text
        assert TOKEN.partition(":")[2] not in text


def test_a_dead_server_is_told_without_the_token(server: BotServer, tmp_path: Path) -> None:
    error = Bot(server, tmp_path, api="http://127.0.0.1:1").send()
    assert error is not None
    assert error.channel_down
    assert re.fullmatch(r"http://127.0.0.1:1: .+", error.reason)


@pytest.mark.parametrize("token", ["", "rubbish", "1:a b", "123456:wrong-but-well-formed"])
def test_a_wrong_token_says_what_to_mend(server: BotServer, tmp_path: Path, token: str) -> None:
    error = Bot(server, tmp_path, token=token).send()
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert "token" in error.reason
    assert "wrong-but" not in error.reason


def test_a_mended_token_needs_no_restart(server: BotServer, tmp_path: Path) -> None:
    bot = Bot(server, tmp_path, token="123456:old-and-revoked")
    assert bot.send() is not None
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    assert bot.send() is None


def test_a_server_that_nobody_vouches_for_never_sees_the_token(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=bot",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
                    str(cert)], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    with BotServer(tmp_path / "telegram", tls=context) as server:
        error = Bot(server, tmp_path).send()
        assert error is not None
        assert (error.permanent, error.channel_down) == (False, True)
        assert "certificate" in error.reason.lower()
        assert server.requests == []
        monkeypatch.setattr(bot_api, "_trust", lambda: ssl.create_default_context(cafile=cert))
        assert Bot(server, tmp_path).send() is None


def test_messages_go_by_the_proxy_that_is_named(server: BotServer, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in serves as the proxy: it sees whole addresses of hosts that do not exist."""
    monkeypatch.setenv("no_proxy", "")
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    named: dict[str, Any] = {"token_file": tmp_path / "token",
                             "api_url": "http://bot.invalid"}
    channel = TelegramChannel(config.TelegramChannel(name="a", proxy=server.url, **named), 5.0)
    asyncio.run(channel.send(NEWS, "7"))
    monkeypatch.setenv("http_proxy", server.url)
    asyncio.run(TelegramChannel(config.TelegramChannel(name="b", **named), 5.0).send(NEWS, "8"))
    assert [m["chat"] for m in server.said()] == ["7", "8"]
