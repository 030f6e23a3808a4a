"""Times that a server tells to the minute, or in another zone than before. In memory."""

from __future__ import annotations

import asyncio
import time
from datetime import date
from pathlib import Path

import pytest

from iop4d.archives.survey import survey_night
from tests.archives.polled import FOLDER, NIGHT, NOW, Bench, FakeServer, FakeSession, looks


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


def test_a_file_written_again_while_the_daemon_was_stopped_is_fetched_at_the_start(
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
    """Summer time ends: all listed times move, and no size. What is new is fetched."""
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
