"""Commands from Telegram: from whom, what they mean, once each, and whatever else comes in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iop4d import config
from iop4d.alerts.channels.bot_api import BotApi
from iop4d.alerts.channels.bot_commands import BadCommandError, BotCommands, Command, parse_command
from iop4d.alerts.channels.telegram import TelegramChannel
from iop4d.model.errors import Iop4dError
from iop4d.simulator.botserver import TOKEN, BotServer, Fault, bad_request, too_many
from tests.conftest import FakeClock

ANA, GROUP, STRANGER = 7, -5, 99
HOUR, DAY = 3600.0, 86400.0
ME = "iop4d_demo_bot"


@pytest.mark.parametrize(("text", "command"), [
    ("/status", Command(name="status")),
    ("/STATUS@iop4d_demo_bot", Command(name="status")),
    ("/last BL Lac", Command(name="last", source="BL Lac")),
    ("/last@iop4d_demo_bot  3C   273 ", Command(name="last", source="3C 273")),
    ("/mute 12h BL Lac", Command(name="mute", seconds=43200.0, source="BL Lac")),
    ("/mute@iop4d_demo_bot 2d 3C 273", Command(name="mute", seconds=172800.0, source="3C 273")),
    ("/mute 3C 273 90min", Command(name="mute", seconds=5400.0, source="3C 273")),
    ("/mute 1.5h *", Command(name="mute", seconds=5400.0, source="*")),
    ("/mute 1w S5 0716+714", Command(name="mute", seconds=604800.0, source="S5 0716+714")),
    ("/mute 12h\nBL Lac", Command(name="mute", seconds=43200.0, source="BL Lac")),
    ("/unmute BL Lac", Command(name="unmute", source="BL Lac")),
    ("/ack", Command(name="ack")),
    ("/ack #A1B2C3", Command(name="ack", tag="#a1b2c3")),
    ("/ack a1b2c3", Command(name="ack", tag="#a1b2c3")),
    ("/help", Command(name="help")),
    ("good night", None), ("", None), ("/", None), ("see /status", None), ("//", None),
    ("/status@another_bot", None), ("/mute@another_bot", None),
])
def test_what_a_message_means(text: str, command: Command | None) -> None:
    assert parse_command(text, me=ME) == command


@pytest.mark.parametrize(("text", "example"), [
    ("/mute", "/mute 12h BL Lac"), ("/mute BL Lac", "/mute 12h BL Lac"),
    ("/mute 12h", "/mute 12h BL Lac"), ("/mute 0h BL Lac", "/mute 12h BL Lac"),
    ("/mute -3h BL Lac", "/mute 12h BL Lac"), ("/mute 31d BL Lac", "30 days"),
    ("/mute 9999w x", "30 days"), ("/mute nanh x", "/mute 12h BL Lac"),
    ("/last", "/last BL Lac"), ("/unmute", "/unmute BL Lac"),
    ("/ack BL Lac", "/ack #a1b2c3"), ("/ack #a1b2c3d", "/ack #a1b2c3"),
    ("/reboot", "/status"),
])
def test_what_cannot_be_understood_is_answered_with_an_example(text: str, example: str) -> None:
    with pytest.raises(BadCommandError) as refused:
        parse_command(text, me=ME)
    assert example in str(refused.value)


def test_an_answer_to_an_alert_needs_no_tag() -> None:
    assert parse_command("/ack", quoted="R = 12.8 #ffffff\n#a1b2c3") == Command(
        name="ack", tag="#a1b2c3")
    assert parse_command("/ack #000000", quoted="#a1b2c3") == Command(name="ack", tag="#000000")


def test_in_a_group_commands_of_other_bots_are_left_alone() -> None:
    assert parse_command("/reboot", me=ME, alone=False) is None
    with pytest.raises(BadCommandError):
        parse_command(f"/reboot@{ME}", me=ME, alone=False)


@given(st.text(max_size=200), st.sampled_from(["", "/", "/mute ", "/ack ", "/last ", "/mute 1h "]))
def test_any_text_is_understood_refused_or_ignored(text: str, start: str) -> None:
    try:
        command = parse_command(start + text, me=ME)
    except BadCommandError:
        return
    assert command is None or (0.0 <= command.seconds <= 30 * DAY and len(command.source) <= 120
                             and command.source.isprintable())


class FakeReplies:
    """Notes what it is asked; ``BL Lac`` is the only source it knows."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def status(self) -> str:
        self.asked.append(("status",))
        return "3 frames wait."

    async def last(self, source: str) -> str:
        self.asked.append(("last", source))
        if source == "boom":
            raise ZeroDivisionError
        if source != "BL Lac":
            raise Iop4dError(f"no source is named {source}")
        return "BL Lac R = 12.87"

    async def acknowledge(self, tag: str, by: str) -> str:
        self.asked.append(("ack", tag, by))
        return f"{by} looks after it."

    async def mute(self, seconds: float, source: str, by: str) -> str:
        self.asked.append(("mute", seconds, source, by))
        return f"{source} is silent for {seconds / 3600:g} h."

    async def unmute(self, source: str, by: str) -> str:
        self.asked.append(("unmute", source, by))
        return f"{source} is heard again."


class Bench:
    """Commands with a stand-in server; whatever they do is a moment to look what is done."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.server = BotServer(folder / "telegram", clock=self.clock)
        (folder / "token").write_text(TOKEN, encoding="utf-8")
        self.replies = FakeReplies()
        self.saved = 0
        self.polls = 0
        self.moment = asyncio.Event()
        self.longest_wait = 50.0
        self.slept: list[float] = []
        self.token_file = folder / "token"

    def commands(self, **more: Any) -> BotCommands:
        channel = TelegramChannel(
            config.TelegramChannel(name="bot", token_file=self.token_file, api_url=self.server.url),
            5.0, clock=self.clock, sleep=self.sleep)
        return BotCommands(**{
            "name": "bot", "api": lambda: Watched(self, channel.api()),
            "send_text": channel.send_text, "replies": self.replies,
            "chats": {str(ANA), str(GROUP)}, "load": self.load, "save": self.save,
            "clock": self.clock, "sleep": self.sleep} | more)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        self.moment.set()
        await asyncio.sleep(0)

    async def load(self) -> int:
        return self.saved

    async def save(self, offset: int) -> None:
        self.saved = offset
        self.moment.set()

    def run(self, done: Callable[[], bool], **more: Any) -> None:
        """Let commands come in until something is done."""
        async def go() -> None:
            stop, self.moment = asyncio.Event(), asyncio.Event()
            loop = asyncio.create_task(self.commands(**more).run(stop))
            async with asyncio.timeout(20):
                while not done():
                    self.moment.clear()
                    await self.moment.wait()
            stop.set()
            async with asyncio.timeout(5):
                await loop

        asyncio.run(go())

    def answers(self, chat: int = ANA) -> list[str]:
        return [message["text"] for message in self.server.said(str(chat))]


class Watched(BotApi):
    """The bot's client, which says when it asks for news."""

    def __init__(self, bench: Bench, api: BotApi) -> None:
        self.__dict__.update(api.__dict__)
        self.bench = bench

    async def get_updates(self, offset: int, *, wait: float) -> list[dict[str, Any]]:
        self.bench.polls += 1
        self.bench.moment.set()
        return await super().get_updates(offset, wait=min(wait, self.bench.longest_wait))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with made.server:
        yield made


def test_commands_are_done_and_answered_in_their_order(bench: Bench) -> None:
    for text in ("/status", "hello", "/last BL Lac", "/mute 12h BL Lac", "/unmute BL Lac"):
        bench.server.hear(ANA, text)
    bench.server.hear(GROUP, "/ack", user="pi", reply_to="BL Lac R = 12.87\n#a1b2c3")
    bench.run(lambda: bench.saved == 7)
    assert bench.replies.asked == [
        ("status",), ("last", "BL Lac"), ("mute", 12 * HOUR, "BL Lac", "ana"),
        ("unmute", "BL Lac", "ana"), ("ack", "#a1b2c3", "pi")]
    assert bench.answers() == ["3 frames wait.", "BL Lac R = 12.87", "BL Lac is silent for 12 h.",
                               "BL Lac is heard again."]
    assert bench.answers(GROUP) == ["pi looks after it."]
    assert bench.server.said(str(GROUP))[0]["reply_to"] == 100_006


def test_somebody_who_plays_with_the_demo_writes_by_hand(bench: Bench) -> None:
    with urlopen(f"{bench.server.url}/say", data=b"chat=7&text=%2Flast+BL+Lac") as answer:
        assert answer.status == 200
    bench.run(lambda: bench.saved == 2)
    assert bench.answers() == ["BL Lac R = 12.87"]


def test_a_command_that_comes_while_nobody_waits_ends_the_wait(bench: Bench) -> None:
    def hear_once_asked() -> bool:
        if bench.polls and not heard:
            heard.append(1)
            bench.server.hear(ANA, "/status")
        return bench.saved == 2

    heard: list[int] = []
    bench.run(hear_once_asked)
    assert bench.answers() == ["3 frames wait."]


def test_strangers_are_ignored_and_told_in_the_log_once(bench: Bench,
                                                        caplog: pytest.LogCaptureFixture) -> None:
    for text in ("/status", "/mute 12h *", "/ack"):
        bench.server.hear(STRANGER, text, user="mallory\nroot")
    bench.server.hear(ANA, "/status")
    bench.run(lambda: bench.saved == 5)
    assert bench.replies.asked == [("status",)]
    assert bench.answers(STRANGER) == []
    told = [r.getMessage() for r in caplog.records if "is ignored" in r.getMessage()]
    assert len(told) == 1
    assert 'chat 99 (mallory root)' in told[0]


def test_after_a_restart_nothing_is_done_again(bench: Bench) -> None:
    bench.server.hear(ANA, "/mute 12h BL Lac")
    bench.run(lambda: bench.saved == 2)
    bench.server.hear(ANA, "/status")
    bench.run(lambda: bench.saved == 3)
    assert bench.replies.asked == [("mute", 12 * HOUR, "BL Lac", "ana"), ("status",)]


def test_what_cannot_be_saved_is_not_done_again_and_again(bench: Bench) -> None:
    async def full(_offset: int) -> None:
        raise OSError("no space left on device")

    bench.server.hear(ANA, "/mute 1h BL Lac")
    bench.server.hear(ANA, "/status")
    bench.run(lambda: len(bench.replies.asked) == 2 and len(bench.slept) >= 2, save=full)
    assert bench.replies.asked == [("mute", HOUR, "BL Lac", "ana"), ("status",)]


def test_commands_that_waited_too_long_are_not_done(bench: Bench) -> None:
    bench.server.hear(ANA, "/mute 12h BL Lac", date=bench.clock() - 7200.0)
    bench.server.hear(ANA, "/status", date=bench.clock() - 7200.0)
    bench.run(lambda: bench.saved == 3)
    assert bench.replies.asked == [("status",)]
    assert bench.answers()[0].startswith("This command was sent 120 minutes ago")


def test_what_fails_is_answered(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.server.hear(ANA, "/last M 31")
    bench.server.hear(ANA, "/last boom")
    bench.server.hear(ANA, "/mute BL Lac")
    bench.run(lambda: bench.saved == 4)
    assert bench.answers() == ["no source is named M 31",
                               "The command failed; the reason is in the daemon's log.",
                               "Give a duration and a source, such as /mute 12h BL Lac or "
                               "/mute 2d 3C 273"]
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_that_is_refused_ends_nothing(bench: Bench) -> None:
    bench.server.faults.append(bad_request("chat not found", method="sendMessage"))
    bench.server.hear(ANA, "/status")
    bench.server.hear(ANA, "/last BL Lac")
    bench.run(lambda: bench.saved == 3)
    assert bench.answers() == ["BL Lac R = 12.87"]


def test_a_group_that_moves_may_go_on_commanding(bench: Bench) -> None:
    bench.server.hear(GROUP, "", more={"migrate_to_chat_id": -1005})
    bench.server.hear(-1005, "/status")
    bench.server.hear(STRANGER, "", more={"migrate_to_chat_id": -1006})
    bench.server.hear(-1006, "/status")
    bench.run(lambda: bench.saved == 5)
    assert bench.replies.asked == [("status",)]
    assert bench.answers(-1005) == ["3 frames wait."]


def test_a_group_whose_move_was_noted_elsewhere_may_command(bench: Bench) -> None:
    noted: dict[str, str] = {str(GROUP): "-1005"}  # an alert learnt it, perhaps long ago

    async def moved() -> set[str]:
        return set(noted.values())

    async def note(old: str, new: str) -> None:
        noted[old] = new

    bench.server.hear(-1005, "/status")
    bench.server.hear(STRANGER, "", more={"migrate_to_chat_id": -1006})
    bench.server.hear(-1006, "/status")
    bench.server.hear(-1005, "", more={"migrate_to_chat_id": -1007})
    bench.run(lambda: bench.saved == 5, moved=moved, note_move=note)
    assert bench.replies.asked == [("status",)]
    assert bench.answers(-1005) == ["3 frames wait."]
    assert noted == {str(GROUP): "-1005", "-1005": "-1007"}


@pytest.mark.parametrize("message", [
    {"chat": None}, {"chat": {}}, {"from": None, "text": None}, {"date": "x"},
    {"chat": {"id": "x"}},
    {"from": {"username": 5}, "text": 7}, {"reply_to_message": {"text": 5}},
    {"sticker": {}, "text": None}])
def test_odd_messages_are_passed_by(bench: Bench, message: dict[str, Any]) -> None:
    bench.server.hear(ANA, "/status", more=message)
    bench.server.hear(ANA, "/last BL Lac")
    bench.run(lambda: bench.saved == 3)
    assert bench.replies.asked[-1] == ("last", "BL Lac")


@pytest.mark.parametrize("faults", [
    [Fault(), Fault(kind="cut"), Fault(kind="noise")],
    [Fault(code=409, description="Conflict: terminated by other getUpdates request")],
    [Fault(code=401, description="Unauthorized")]])
def test_the_api_may_fail_for_a_while(bench: Bench, faults: list[Fault],
                                      caplog: pytest.LogCaptureFixture) -> None:
    bench.server.faults += faults
    bench.server.hear(ANA, "/status")
    caplog.set_level(logging.INFO)
    bench.run(lambda: bench.saved == 2)
    assert bench.slept[:len(faults)] == [2.0, 4.0, 8.0][:len(faults)]
    assert "receives commands again" in caplog.text
    assert TOKEN not in caplog.text


def test_a_lasting_trouble_is_logged_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.token_file.unlink()
    bench.run(lambda: len(bench.slept) >= 12)
    assert len([r for r in caplog.records if "receives no commands" in r.getMessage()]) == 1
    assert max(bench.slept) == 300.0


def test_the_wait_that_the_server_asks_for_is_kept(bench: Bench) -> None:
    bench.server.faults.append(too_many(77))
    bench.server.hear(ANA, "/status")
    bench.run(lambda: bench.saved == 2)
    assert bench.slept[0] == 77.0


def test_a_server_that_never_waits_is_not_asked_all_the_time(bench: Bench) -> None:
    bench.longest_wait = 0.0
    bench.run(lambda: len(bench.slept) >= 3)
    assert set(bench.slept) == {1.0}
    assert bench.polls <= len(bench.slept) + 1


def test_the_stop_ends_a_question_that_is_under_way(bench: Bench) -> None:
    bench.run(lambda: bench.polls == 1)
    assert bench.saved == 0


def test_a_load_that_fails_is_tried_again(bench: Bench) -> None:
    times: list[int] = []

    def load() -> Coroutine[Any, Any, int]:
        times.append(1)
        if len(times) == 1:
            raise OSError("locked")
        return bench.load()

    bench.server.hear(ANA, "/status")
    bench.run(lambda: bench.saved == 2, load=load)
    assert bench.answers() == ["3 frames wait."]
