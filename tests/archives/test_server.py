"""The watch over a server: settling, late and changed files, faults, politeness. In memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from iop4d.archives.known import KnownFiles
from iop4d.archives.retry import Breaker
from iop4d.archives.server import PolledServer
from iop4d.archives.session import (
    HostError,
    Listing,
    LoginError,
    PathError,
    RemoteEntry,
    RemoteError,
    TransferError,
    UnreadableError,
)
from iop4d.archives.survey import survey_night
from iop4d.config import FtpArchive
from iop4d.model.frame import CompleteFile

NIGHT, FOLDER = "2026-11-22", "/20261122"
NOW = 1795382400.0  # 2026-11-22T20:00 UTC
SETTLE = 0.05


@dataclass
class FakeServer:
    """Folders in memory, and what goes wrong."""

    files: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    refuses: RemoteError | None = None
    cuts: dict[str, int] = field(default_factory=dict)  # how often a file breaks off half-way
    stalls: set[str] = field(default_factory=set)  # files that never come
    commands: Counter[str] = field(default_factory=Counter)
    open: int = 0
    most: int = 0
    minutes: bool = False  # its listings tell no seconds
    cut_off: str = ""
    unreadable: set[str] = field(default_factory=set)  # paths: its disk is bad there

    def put(self, name: str, content: bytes | None = None, mtime: float = NOW - 60) -> None:
        self.files[f"{FOLDER}/{name}"] = (content or name.encode() * 1000, mtime)

    async def connect(self, _archive: FtpArchive) -> FakeSession:
        self.commands["connect"] += 1
        await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        self.open += 1
        self.most = max(self.most, self.open)
        return FakeSession(self)


class FakeSession:
    """One connection to it."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.ended = False

    async def list(self, path: str) -> Listing:
        self.server.commands["list"] += 1
        await self._live()
        self.server.commands[f"list {path}"] += 1
        if path in self.server.unreadable:
            raise UnreadableError(f"{path}: 451 local error")
        step = 60.0 if self.server.minutes else 1.0
        found = [RemoteEntry(name=name.rpartition("/")[2], size=len(content),
                             mtime=mtime // step * step, precision=step)
                 for name, (content, mtime) in self.server.files.items()
                 if name.rpartition("/")[0] == path]
        inside = {name[len(path) + 1:].partition("/")[0] for name in self.server.files
                  if name.startswith(f"{path}/") and "/" in name[len(path) + 1:]}
        if not found and not inside:
            raise PathError(f"{path}: no such folder")
        folders = [RemoteEntry(name=name, size=0, mtime=None, folder=True)
                   for name in sorted(inside)]
        return Listing(entries=(*found, *folders), cut_off=self.server.cut_off)

    async def stat(self, path: str) -> RemoteEntry | None:
        self.server.commands["stat"] += 1
        await self._live()
        content, mtime = self.server.files[path]
        return RemoteEntry(name=path, size=len(content), mtime=mtime)

    @asynccontextmanager
    async def read(self, path: str, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        self.server.commands[f"read {path}"] += 1
        await self._live()
        if path not in self.server.files:
            raise PathError(f"{path}: no such file")
        if path in self.server.unreadable:
            raise UnreadableError(f"{path}: 451 local error")
        content = self.server.files[path][0][offset:]

        async def blocks() -> AsyncIterator[bytes]:
            if path in self.server.stalls:
                await asyncio.sleep(3600)
            yield content[:len(content) // 2]
            if self.server.cuts.get(path, 0) > 0:
                self.server.cuts[path] -= 1
                self.ended = True
                raise TransferError("the connection was reset")
            yield content[len(content) // 2:]

        yield blocks()

    async def close(self) -> None:
        self.server.open -= 1
        self.ended = True

    async def _live(self) -> None:
        await asyncio.sleep(0)
        if self.server.refuses is not None or self.ended:
            self.ended = True
            raise self.server.refuses or TransferError("the session has ended")


class Bench:
    """An archive on a fake server, and what it delivered."""

    def __init__(self, root: Path, server: FakeServer, known: KnownFiles | None = None,
                 **keys: object) -> None:
        self.server, self.delivered = server, list[CompleteFile]()
        self.known = known if known is not None else KnownFiles()
        keys = {"poll_interval": 0.05, "poll_interval_day": 0.05, "settle": SETTLE,
                "lookback_nights": 1} | keys
        self.archive = FtpArchive(name="T", host="h", path=root / "T", **keys)
        self.remote = PolledServer(
            archive=self.archive, known=self.known, deliver=self.deliver, telescope=None,
            connect=server.connect, clock=lambda: NOW,
            breaker=Breaker(first=0.05, longest=0.4, chance=lambda: 0.5))

    async def deliver(self, _name: str, files: list[CompleteFile]) -> None:
        self.delivered += files

    @property
    def names(self) -> list[str]:
        return sorted(file.path.name for file in self.delivered)

    def run(self, *steps: Callable[[], bool], seconds: float = 20.0) -> None:
        """Run until each condition has come true, in turn."""
        async def go() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.remote.run(stop))
            deadline = time.monotonic() + seconds
            for step in steps:
                while not step():
                    assert time.monotonic() < deadline, self.remote.status
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.005)
            stop.set()
            await asyncio.wait_for(task, 5.0)

        asyncio.run(go())
        assert self.server.open == 0


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


def looks(bench: Bench, more: int) -> Callable[[], bool]:
    """A condition: so many more listings than when it is first asked."""
    begun: list[int] = []

    def came() -> bool:
        begun.append(bench.server.commands["list"])
        return begun[-1] >= begun[0] + more

    return came


def test_a_file_is_fetched_and_lies_in_the_folder_of_its_night(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit", mtime=NOW - 3600)
    server.put("notes.txt")
    bench = Bench(tmp_path, server)
    bench.run(lambda: bool(bench.delivered))
    (file,) = bench.delivered
    assert file.path == tmp_path / "T" / NIGHT / "a.fit"
    assert file.path.read_bytes() == server.files[f"{FOLDER}/a.fit"][0]
    assert file.path.stat().st_mtime == NOW - 3600
    assert not file.announced  # it lay there before the first look


def test_what_comes_while_it_is_watched_is_live_and_what_changes_is_fetched_again(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server)

    def one() -> bool:
        if bench.names == ["a.fit"]:
            server.put("b.fit")
            return True
        return False

    def two() -> bool:
        if bench.names == ["a.fit", "b.fit"]:
            server.put("b.fit", b"another", mtime=NOW)
            return True
        return False

    bench.run(one, two, lambda: bench.names == ["a.fit", "b.fit", "b.fit"], looks(bench, 4))
    assert bench.delivered[1].announced
    assert (tmp_path / "T" / NIGHT / "b.fit").read_bytes() == b"another"
    assert server.commands[f"read {FOLDER}/a.fit"] == 1


def test_a_file_that_still_grows_is_left_alone(server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit", b"1")
    bench = Bench(tmp_path, server, settle=0.3, poll_interval=0.02)
    grown = []

    def growing() -> bool:
        if len(grown) < 40 and server.commands["list"] > 2 * len(grown):
            grown.append(1)
            server.put("a.fit", b"1" * (len(grown) + 1), mtime=NOW - 60 + len(grown))
        return len(grown) == 40

    bench.run(growing, lambda: bool(bench.delivered))
    assert bench.delivered[0].size == 41
    assert len(bench.delivered) == 1


def test_a_transfer_that_breaks_off_is_resumed(server: FakeServer, tmp_path: Path) -> None:
    content = os.urandom(1_000_000)
    server.put("a.fit", content)
    server.cuts[f"{FOLDER}/a.fit"] = 4
    bench = Bench(tmp_path, server)
    bench.run(lambda: bool(bench.delivered))
    assert hashlib.sha256(bench.delivered[0].path.read_bytes()).digest() \
        == hashlib.sha256(content).digest()
    assert [p.name for p in (tmp_path / "T" / NIGHT).iterdir()] == ["a.fit"]


def test_one_file_that_never_comes_holds_up_no_other(server: FakeServer, tmp_path: Path) -> None:
    for name in ("a.fit", "b.fit", "c.fit", "d.fit"):
        server.put(name)
    server.cuts[f"{FOLDER}/b.fit"] = 10**6
    bench = Bench(tmp_path, server)
    bench.run(lambda: bench.names == ["a.fit", "c.fit", "d.fit"], looks(bench, 4))
    assert f"{FOLDER}/b.fit" in bench.remote.status["failing"]
    assert bench.remote.status["state"] == "ok"


def test_what_was_delivered_before_is_not_fetched_again_even_when_it_is_gone_here(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    first = Bench(tmp_path, server)
    first.run(lambda: bool(first.delivered))
    first.delivered[0].path.unlink()
    again = Bench(tmp_path, server, known=first.known)
    again.run(looks(again, 6))
    assert again.delivered == []
    assert server.commands[f"read {FOLDER}/a.fit"] == 1


def test_a_file_that_was_fetched_before_a_crash_is_delivered_without_being_fetched_again(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    first = Bench(tmp_path, server)
    first.run(lambda: bool(first.delivered))
    again = Bench(tmp_path, server)  # the ledger never heard of it
    again.run(lambda: bool(again.delivered), looks(again, 4))
    assert again.names == ["a.fit"]
    assert server.commands[f"read {FOLDER}/a.fit"] == 1


def test_nights_before_are_looked_at_and_those_further_back_are_not(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    server.files["/20261121/late.fit"] = (b"late", NOW - 80000)
    server.files["/20261120/older.fit"] = (b"older", NOW - 170000)
    bench = Bench(tmp_path, server, lookback_nights=1)
    bench.run(lambda: len(bench.names) == 2, looks(bench, 6))
    assert bench.names == ["a.fit", "late.fit"]
    assert (tmp_path / "T" / "2026-11-21" / "late.fit").exists()


def test_only_frames_of_the_sources_asked_for_and_calibration_frames(
        server: FakeServer, tmp_path: Path) -> None:
    for name in ("BLLac-0001R.fit", "bl_lac_2.fits", "Bias-0001.fit", "flatR-1.fit", "M31-1.fit"):
        server.put(name)
    bench = Bench(tmp_path, server, name_prefixes=("BL Lac",))
    bench.run(lambda: len(bench.names) == 4, looks(bench, 4))
    assert "M31-1.fit" not in bench.names


def test_a_dead_server_is_asked_ever_more_rarely_and_all_comes_when_it_is_back(
        server: FakeServer, tmp_path: Path) -> None:
    for number in range(5):
        server.put(f"a{number}.fit")
    server.refuses = HostError("h refused the connection")
    bench = Bench(tmp_path, server)
    began = time.monotonic()

    def dead() -> bool:
        if time.monotonic() - began < 2.0:
            return False
        assert bench.remote.status["state"] == "degraded"
        assert "h refused" in bench.remote.status["reason"]
        assert bench.remote.status["breaker"].startswith("open")
        # 0.05 + 0.1 + 0.2 + 0.4 + 0.4 + ...: eight tries in two seconds, where polls would be 40.
        assert server.commands["connect"] <= 9
        server.refuses = None
        return True

    bench.run(dead, lambda: len(bench.names) == 5)
    assert bench.remote.status["state"] == "ok"
    assert bench.remote.status["breaker"] == "closed"


def test_a_refused_login_is_tried_once_in_the_longest_pause(
        server: FakeServer, tmp_path: Path) -> None:
    server.refuses = LoginError("the login was refused")
    bench = Bench(tmp_path, server)
    began = time.monotonic()
    bench.run(lambda: time.monotonic() - began > 0.3)
    assert server.commands["connect"] == 1


def test_one_session_is_kept_and_a_few_are_opened_for_many_files(
        server: FakeServer, tmp_path: Path) -> None:
    for number in range(40):
        server.put(f"a{number:02d}.fit")
    bench = Bench(tmp_path, server, parallel_downloads=3)
    bench.run(lambda: len(bench.names) == 40, looks(bench, 10))
    assert server.most == 3
    assert server.commands["connect"] == 3
    assert len({file.path for file in bench.delivered}) == 40


def test_a_kept_session_that_the_server_ended_is_opened_anew_without_a_word(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server)

    def ended() -> bool:
        if bench.delivered and bench.remote._session is not None:
            bench.remote._session.ended = True
            server.put("b.fit")
            return True
        return False

    bench.run(ended, lambda: len(bench.names) == 2)
    assert bench.remote.status["state"] == "ok"
    assert server.commands["connect"] == 2


def test_it_stops_at_once_in_the_middle_of_a_transfer(server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    server.stalls = {f"{FOLDER}/a.fit"}
    bench = Bench(tmp_path, server)
    bench.run(lambda: bool(bench.remote.status["fetching"]))
    assert bench.delivered == []


def test_hostile_names_stay_inside_the_folder(server: FakeServer, tmp_path: Path) -> None:
    for name in ("..", "a b.fit", "-rf.fit", "x\udcff.fit", "r\x07ing.fit"):
        server.put(name, b"x")
    bench = Bench(tmp_path, server, file_pattern=r"\.fit$")
    bench.run(lambda: len(bench.names) == 4)
    inside = tmp_path / "T" / NIGHT
    assert all(file.path.parent == inside for file in bench.delivered)
    assert len(list(inside.iterdir())) == 4


def test_raw_files_are_made_read_only_where_that_is_asked_for(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server, make_read_only=True)
    bench.run(lambda: bool(bench.delivered))
    assert bench.delivered[0].path.stat().st_mode & 0o222 == 0


def test_nothing_is_fetched_while_there_is_no_room(server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server)
    full = ["less than 3 GB are free"]
    bench.remote._short = lambda: full[0]
    bench.run(looks(bench, 4))
    assert bench.delivered == []
    assert (bench.remote.status["state"], bench.remote.status["reason"]) == ("paused", full[0])
    full[0] = ""
    again = Bench(tmp_path, server)
    again.run(lambda: again.names == ["a.fit"])


def test_what_lies_in_the_folder_here_never_ends_the_archive(server: FakeServer,
                                                             tmp_path: Path) -> None:
    folder = tmp_path / "T" / NIGHT
    folder.mkdir(parents=True)
    (folder / "gone.fit").symlink_to("/nowhere")
    (folder / "notes.txt").write_text("no frame")
    os.close(os.open(os.fsencode(folder) + b"/\xff.fit", os.O_CREAT))
    server.put("a.fit")
    bench = Bench(tmp_path, server)
    bench.run(lambda: "a.fit" in bench.names)
    assert bench.names == ["a.fit"]


def test_a_folder_that_cannot_be_made_is_told_and_ends_nothing(server: FakeServer,
                                                               tmp_path: Path) -> None:
    (tmp_path / "T").write_text("a file is in the way")
    server.put("a.fit")
    bench = Bench(tmp_path, server)
    bench.run(lambda: bench.remote.status["state"] == "degraded")
    assert "cannot write to the local folder" in bench.remote.status["reason"]


def test_a_file_that_cannot_be_put_here_holds_up_no_other(server: FakeServer,
                                                          tmp_path: Path) -> None:
    (tmp_path / "T" / NIGHT / "aaa.fit").mkdir(parents=True)
    for name in ("aaa.fit", "b.fit", "c.fit"):
        server.put(name)
    bench = Bench(tmp_path, server)
    bench.run(lambda: bench.names == ["b.fit", "c.fit"],
              lambda: f"{FOLDER}/aaa.fit" in bench.remote.status["failing"])
    assert bench.remote.status["state"] == "ok"


def test_frames_in_folders_of_a_night_are_fetched_at_any_depth(server: FakeServer,
                                                               tmp_path: Path) -> None:
    server.put("a.fit")
    server.put("BLLac/b.fit")
    server.put("BLLac/R/c.fit")
    server.put(".trash/d.fit")
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == 3)
    assert {str(f.path.relative_to(tmp_path / "T")) for f in bench.delivered} == {
        f"{NIGHT}/a.fit", f"{NIGHT}/BLLac/b.fit", f"{NIGHT}/BLLac/R/c.fit"}
    assert server.commands[f"list {FOLDER}/.trash"] == 0


def test_one_file_that_can_never_come_costs_no_listings(server: FakeServer,
                                                        tmp_path: Path) -> None:
    """The nights before are not listed for it, and tonight's no more often than it is due."""
    server.put("never.fit")
    server.stalls = set()
    server.cuts = {f"{FOLDER}/never.fit": 10**6}
    bench = Bench(tmp_path, server, poll_interval=0.3, poll_interval_day=0.3, settle=0.01)
    bench.run(lambda: server.commands[f"read {FOLDER}/never.fit"] >= 2, looks(bench, 4))
    assert server.commands["list /20261121"] == 1
    assert bench.remote.status["failing"]


def test_files_and_folders_that_the_server_fails_to_read_hold_up_no_other(
        server: FakeServer, tmp_path: Path) -> None:
    for number in range(5):
        server.put(f"bad{number}.fit")
        server.unreadable.add(f"{FOLDER}/bad{number}.fit")
    server.put("bad/in.fit")
    server.unreadable.add(f"{FOLDER}/bad")
    server.put("good/a.fit")
    bench = Bench(tmp_path, server)
    states = set()
    bench.run(lambda: bool(bench.delivered), looks(bench, 6),
              lambda: states.add(bench.remote.status["state"]) or True,
              lambda: server.put("later.fit") or True, lambda: len(bench.delivered) == 2)
    assert bench.names == ["a.fit", "later.fit"]
    assert states == {"ok"}
    assert server.commands["connect"] <= 2  # one beside the kept one, for several files
    assert len(bench.remote.status["failing"]) == 5
    assert bench.remote.status["cut_off"] == {f"{FOLDER}/bad": f"{FOLDER}/bad: 451 local error"}


def test_a_night_that_the_server_fails_to_read_is_no_night_without_a_folder(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    server.unreadable.add(FOLDER)
    bench = Bench(tmp_path, server)
    bench.run(lambda: bench.remote.status["state"] == "degraded",
              lambda: server.unreadable.clear() or True, lambda: bool(bench.delivered))
    assert bench.names == ["a.fit"]


def test_sessions_for_many_files_are_kept(server: FakeServer, tmp_path: Path) -> None:
    bench = Bench(tmp_path, server, parallel_downloads=2)
    steps = []
    for number in range(5):
        steps += [lambda n=number: server.put(f"{n}a.fit") or server.put(f"{n}b.fit") or True,
                  lambda n=number: len(bench.delivered) == 2 * n + 2]
    bench.run(*steps)
    assert server.commands["connect"] <= 2


def test_an_outage_longer_than_the_look_back_is_made_up_for(
        server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The newest night that is known here is long ago: all nights since are listed, once."""
    known = KnownFiles({str(tmp_path / "T" / "2026-11-10" / "x.fit"): (1, 1)})
    server.files["/20261113/late.fit"] = (b"x" * 2880, NOW - 9e5)
    bench = Bench(tmp_path, server, known)
    bench.run(lambda: bool(bench.delivered), looks(bench, 3))
    assert bench.names == ["late.fit"]
    assert server.commands["list /20261111"] == 1
    assert server.commands["list /20261109"] == 0
    assert "since the night of 2026-11-10: 11 nights more than lookback_nights" in caplog.text


def test_a_listing_that_is_not_whole_is_told(server: FakeServer, tmp_path: Path,
                                             caplog: pytest.LogCaptureFixture) -> None:
    server.put("a.fit")
    server.cut_off = "226-Output truncated to 10000 matches"
    bench = Bench(tmp_path, server)
    bench.run(lambda: bool(bench.delivered), looks(bench, 2))
    assert bench.remote.status["cut_off"] == {FOLDER: server.cut_off}
    assert caplog.text.count("is not whole, the server says '226-Output truncated") == 1


def test_where_listings_tell_minutes_a_file_is_asked_for(server: FakeServer,
                                                         tmp_path: Path) -> None:
    """Its seconds go on while its bytes come, though size and minute stay."""
    server.minutes = True
    server.put("a.fit", b"half" * 720, NOW - 60)
    bench = Bench(tmp_path, server, settle=0.3)
    began = time.monotonic()

    def writes() -> bool:
        gone = time.monotonic() - began
        whole = gone > 1.0
        server.put("a.fit", b"full" * 720 if whole else b"half" * 720,
                   NOW - 60 + min(int(gone * 10), 10))
        return bool(bench.delivered)

    bench.run(writes)
    assert bench.delivered[0].path.read_bytes() == b"full" * 720
    assert bench.delivered[0].mtime_ns == int(NOW - 50) * 10**9


def test_a_file_written_again_within_its_minute_is_fetched_again(
        server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iop4d.archives.standing.MINUTE", 0.3)
    server.minutes = True
    server.put("a.fit", b"1111" * 720, NOW - 60)
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == 1,
              lambda: server.put("a.fit", b"2222" * 720, NOW - 50) or True,
              lambda: len(bench.delivered) == 2)
    assert bench.delivered[1].path.read_bytes() == b"2222" * 720
    asked = server.commands["stat"]
    bench.run(looks(bench, 3))
    assert server.commands["stat"] <= asked + 3


def test_a_file_written_again_while_nobody_looked_is_fetched_at_the_start(
        server: FakeServer, tmp_path: Path) -> None:
    server.minutes = True
    server.put("a.fit", b"1111" * 720, NOW - 59)
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == 1)
    server.put("a.fit", b"2222" * 720, NOW - 50)
    later = Bench(tmp_path, server, bench.known)
    later.run(lambda: len(later.delivered) == 1)
    assert later.delivered[0].path.read_bytes() == b"2222" * 720


@pytest.mark.parametrize("minutes", [True, False])
@pytest.mark.parametrize("hours", [1.0, -2.0, 5.75])
def test_a_server_whose_zone_changes_has_nothing_fetched_again(
        server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, minutes: bool,
        hours: float) -> None:
    """Summer time ends: all listed times move, and no size. What is new comes all the same."""
    server.minutes = minutes
    for number in range(5):
        server.put(f"{number}.fit", mtime=NOW - 86400 - 77.0 * number)
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == 5)
    for name, (content, mtime) in server.files.items():
        server.files[name] = content, mtime + hours * 3600.0
    server.put("new.fit", mtime=NOW - 50)
    server.put("4.fit", b"other" * 500, mtime=NOW - 40)  # this one did change
    later = Bench(tmp_path, server, bench.known)
    later.run(lambda: len(later.delivered) == 2, looks(later, 6))
    assert later.names == ["4.fit", "new.fit"]
    assert [server.commands[f"read {FOLDER}/{n}.fit"] for n in range(4)] == [1, 1, 1, 1]
    assert caplog.text.count("the server's time zone changed") == 1
    assert f"the times of 4 files moved by {hours:+.2f} h" in caplog.text


def test_by_hand_nothing_is_missing_either_where_the_zone_changed(
        server: FakeServer, tmp_path: Path) -> None:
    for number in range(3):
        server.put(f"{number}.fit", mtime=NOW - 90.0 * number)
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == 3)
    for name, (content, mtime) in server.files.items():
        server.files[name] = content, mtime - 3600.0
    night = asyncio.run(survey_night(FakeSession(server), bench.archive, date.fromisoformat(NIGHT),
                                     bench.known))
    assert (len(night.wanted), night.missing) == (3, ())


@pytest.mark.parametrize("moved", [
    [3600.0, 3600.0],  # two may have been written again
    [3600.0, 3660.0, 3720.0, 3780.0],  # all written again in a minute or so
    [3600.0, 3600.0, 3600.0, 60.0, 120.0, 180.0],
    [86400.0 * 2] * 5,
    [86400.0] * 5,  # at the same hour of the next day
    [0.0] * 4 + [900.0] * 4])  # beside others that stand as they were
def test_files_that_were_written_again_are_fetched_again(server: FakeServer, tmp_path: Path,
                                                         moved: list[float]) -> None:
    server.minutes = True
    for number in range(len(moved)):
        server.put(f"{number}.fit", mtime=NOW - 86400 * 3)
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == len(moved))
    for number, more in enumerate(moved):
        server.put(f"{number}.fit", mtime=NOW - 86400 * 3 + more)
    again = sum(more > 0.0 for more in moved)
    later = Bench(tmp_path, server, bench.known)
    later.run(lambda: len(later.delivered) == again)
