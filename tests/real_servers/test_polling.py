"""What a watch over real FTP servers takes, and when: slow writers, rewrites, links, folders."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iop4d.archives.known import KnownFiles
from iop4d.archives.server import PolledServer
from iop4d.archives.session import HostError, Session, connect
from iop4d.config import FtpArchive
from iop4d.model.frame import CompleteFile
from tests.archives.sessions import session_of
from tests.real_servers.conftest import NIGHT
from tests.support.real_servers import RealServer, Wanted, running

FTP = ("vsftpd", "proftpd", "pure-ftpd")
_NOW = datetime(2026, 11, 26, 21, tzinfo=UTC).timestamp()
_SIZE = 500_000


class Watch:
    """A watch over a server, and what it delivered: names with the bytes at that moment."""

    def __init__(self, server: RealServer, place: Path, secret: Path, **keys: object) -> None:
        keys = {"poll_interval": 0.5, "poll_interval_day": 0.5, "settle": 2.0, "timeout": 10.0,
                "lookback_nights": 1, "night_folder": "{night:%Y%m%d}"} | keys
        self.archive = FtpArchive(
            name="T", path=place / "raw", host="127.0.0.1", port=server.port, user=server.user,
            password_file=secret, **keys)  # type: ignore[arg-type]
        self.delivered: list[tuple[str, bytes]] = []
        self.known = KnownFiles()
        self.logins = 0
        self.watch = PolledServer(archive=self.archive, known=self.known, deliver=self._deliver,
                                  telescope=None, connect=self._connect, clock=lambda: _NOW)

    async def _connect(self, archive: object) -> object:
        self.logins += 1
        return await connect(archive)  # type: ignore[arg-type]

    async def _deliver(self, _name: str, files: list[CompleteFile]) -> None:
        self.delivered += [(str(file.path.relative_to(self.archive.path / "2026-11-26")),
                            file.path.read_bytes()) for file in files]

    def run_until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Watch until something is so."""
        async def go() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.watch.run(stop))
            deadline = time.monotonic() + seconds
            while not condition():
                assert time.monotonic() < deadline, (self.watch.status, self.delivered)
                assert not task.done(), task.exception()
                await asyncio.sleep(0.05)
            stop.set()
            await asyncio.wait_for(task, 10.0)

        asyncio.run(go())


@contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.fixture
def night(served: Path) -> Path:
    """The night's folder, empty."""
    folder = served / NIGHT
    for path in folder.iterdir():
        path.unlink()
    return folder


@pytest.mark.realserver
@pytest.mark.parametrize("name", FTP)
def test_a_file_whose_size_was_set_first_is_taken_when_all_its_bytes_are_there(
        place: Path, night: Path, secret: Path, name: str) -> None:
    whole = os.urandom(_SIZE)

    def write() -> None:
        with (night / "slow.fit").open("wb", buffering=0) as file:
            file.truncate(_SIZE)
            for part in range(7):
                file.write(whole[part * _SIZE // 7:(part + 1) * _SIZE // 7])
                time.sleep(0.8)

    with running(name, place / "server", night.parent) as server, _meanwhile(write):
        watch = Watch(server, place, secret)
        watch.run_until(lambda: bool(watch.delivered))
    assert [(n, len(content)) for n, content in watch.delivered] == [("slow.fit", _SIZE)]
    assert watch.delivered[0][1] == whole
    assert watch.logins == 1


@pytest.mark.realserver
@pytest.mark.parametrize("name", FTP)
def test_a_time_is_told_to_the_second_by_the_clock_of_the_listings(
        place: Path, night: Path, secret: Path, name: str) -> None:
    moments = [float(time.time() // 1) - past for past in (0, 1, 59, 61, 3601)]
    for number, moment in enumerate(moments):
        (night / f"{number}.fit").write_bytes(b"x" * 2880)
        os.utime(night / f"{number}.fit", (moment, moment))

    async def main(watch: Watch) -> None:
        async with session_of(watch.archive) as session:
            listed = {e.name: e for e in (await session.list(NIGHT)).entries}
            for number, moment in enumerate(moments):
                told = await session.stat(f"{NIGHT}/{number}.fit")
                assert told is not None
                assert told.mtime is not None
                entry = listed[f"{number}.fit"]
                assert entry.mtime is not None
                assert 0.0 <= told.mtime - entry.mtime < entry.precision
                assert told.mtime % 60.0 == moment % 60.0

    options = ("use_localtime=YES",) if name == "vsftpd" else ()
    with running(name, place / "server", night.parent, Wanted(options=options),
                 timezone="Europe/Madrid") as server:
        asyncio.run(main(Watch(server, place, secret)))


@pytest.mark.realserver
@pytest.mark.parametrize(("name", "option"), [
    ("vsftpd", "idle_session_timeout=3"), ("proftpd", "TimeoutIdle 3")])
def test_a_server_that_ends_idle_sessions_soon_fails_no_file(
        place: Path, night: Path, secret: Path, name: str, option: str,
        caplog: pytest.LogCaptureFixture) -> None:
    """An old fault: the first file on a second session that had ended waited for half a minute."""
    def write(burst: int) -> None:
        for number in range(6):
            (night / f"{burst}-{number}.fit").write_bytes(os.urandom(_SIZE))

    def write_later() -> None:
        while len(watch.delivered) < 6:
            time.sleep(0.05)
        time.sleep(6.0)  # in which listings keep one session alone from being idle
        write(1)

    write(0)
    with running(name, place / "server", night.parent, Wanted(options=(option,))) as server:
        watch = Watch(server, place, secret)
        with _meanwhile(write_later):
            watch.run_until(lambda: len(watch.delivered) == 12)
    assert len({name for name, _ in watch.delivered}) == 12
    assert watch.logins > 2  # a second session was there, and ended
    assert [record.message for record in caplog.records if "failed" in record.message] == []


@pytest.mark.realserver
@pytest.mark.parametrize("name", FTP)
def test_links_and_folders_are_followed(place: Path, night: Path, secret: Path,
                                        name: str) -> None:
    store = night.parent / "store"
    (store / "more").mkdir(parents=True)
    (store / "x.fit").write_bytes(b"x" * 5760)
    (store / "more" / "y.fit").write_bytes(b"y" * 2880)
    (night / "link.fit").symlink_to("../store/x.fit")
    (night / "gone.fit").symlink_to("../store/nothing.fit")
    (night / "BLLac").symlink_to("../store/more")
    (night / "inner").mkdir()
    (night / "inner" / "z.fit").write_bytes(b"z" * 2880)
    (night / "inner" / "up").symlink_to("..")
    with running(name, place / "server", night.parent) as server:
        watch = Watch(server, place, secret, settle=0.2)
        watch.run_until(lambda: len(watch.delivered) >= 3)
    assert {(n, content[:1], len(content)) for n, content in watch.delivered
            if not n.startswith("inner/up")} == {
        ("link.fit", b"x", 5760), ("BLLac/y.fit", b"y", 2880), ("inner/z.fit", b"z", 2880)}


@pytest.mark.realserver
def test_pure_ftpd_s_cut_listing_is_told(place: Path, night: Path, secret: Path) -> None:
    for number in range(120):
        (night / f"{number:03d}.fit").write_bytes(b"x")

    async def main(watch: Watch) -> None:
        async with session_of(watch.archive) as session:
            listing = await session.list(NIGHT)
            assert len(listing.entries) < 120
            assert "truncated to 100 matches" in listing.cut_off

    with running("pure-ftpd", place / "server", night.parent,
                 Wanted(options=("--limitrecursion", "100:3"))) as server:
        asyncio.run(main(Watch(server, place, secret)))


@pytest.mark.realserver
@pytest.mark.parametrize("name", FTP)
def test_a_busy_hour_costs_few_logins(place: Path, night: Path, secret: Path, name: str) -> None:
    """A frame a second, and one that nobody may read: each look uses the sessions there are."""
    (night / "never.fit").write_bytes(b"x" * 2880)
    (night / "never.fit").chmod(0)
    if name != "pure-ftpd" and os.geteuid() == 0:
        (night / "never.fit").unlink()  # root may read all

    def write() -> None:
        for number in range(5):
            for half in "ab":
                (night / f"{number}{half}.fit").write_bytes(os.urandom(2880))
            time.sleep(0.8)

    with running(name, place / "server", night.parent) as server, _meanwhile(write):
        watch = Watch(server, place, secret, settle=0.5, parallel_downloads=2)
        watch.run_until(lambda: len(watch.delivered) >= 10)
    assert watch.logins <= 2


@asynccontextmanager
async def session_of_first(archive: FtpArchive) -> AsyncIterator[Session]:
    """The first session: a server of one client may still hold the connection that tried it."""
    for _ in range(50):
        try:
            async with session_of(archive) as session:
                yield session
                return
        except HostError:
            await asyncio.sleep(0.2)
    raise AssertionError("no connection in ten seconds")


@pytest.mark.realserver
def test_a_full_server_says_so(place: Path, night: Path, secret: Path) -> None:
    with running("vsftpd", place / "server", night.parent,
                 Wanted(options=("max_clients=1",))) as server:
        watch = Watch(server, place, secret)

        async def main() -> None:
            async with session_of_first(watch.archive):
                with pytest.raises(HostError, match=r"takes no connection now \(421"):
                    await connect(watch.archive)

        asyncio.run(main())
