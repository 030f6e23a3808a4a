"""The watch over a server and what fails: the server, a transfer, a folder, the disk. In memory."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from iop4d.archives.known import KnownFiles
from iop4d.archives.session import (
    HostError,
    LoginError,
)
from tests.archives.polled import FOLDER, NIGHT, NOW, Bench, FakeServer, looks


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


def test_a_kept_session_that_the_server_ended_is_opened_again_in_silence(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server)

    def ended() -> bool:
        if not bench.delivered:
            return False
        server.end_sessions()
        server.put("b.fit")
        return True

    bench.run(ended, lambda: len(bench.names) == 2)
    assert bench.remote.status["state"] == "ok"
    assert server.commands["connect"] == 2


def test_it_stops_at_once_in_the_middle_of_a_transfer(server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    server.stalls = {f"{FOLDER}/a.fit"}
    bench = Bench(tmp_path, server)
    bench.run(lambda: bool(bench.remote.status["fetching"]))
    assert bench.delivered == []


def test_nothing_is_fetched_while_there_is_no_room(server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    full = ["less than 3 GB are free"]
    bench = Bench(tmp_path, server, short=lambda: full[0])
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
