"""A file is there as a whole, with the right bytes, or not at all; little is sent twice."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.archives import download as module
from iop4d.archives.download import OVERLAP, Limiter, download, part_of, sweep
from iop4d.archives.session import (
    Listing,
    PathError,
    RemoteEntry,
    RemoteError,
    TakenError,
    TransferError,
)
from iop4d.archives.sftp import connect
from iop4d.config import SftpArchive
from tests.support.proxy import Proxy, Toxics
from tests.support.sftp_server import PASSWORD, USER, SftpServer

PATH = "/20230313/a.fits"
MTIME = 1_678_700_000.0
WHOLE = random.Random(1).randbytes(1_000_000)
ENTRY = RemoteEntry(name="a.fits", size=len(WHOLE), mtime=MTIME)


class FakeSession:
    """One file in memory; every reading ends after so many bytes, if told so."""

    def __init__(self, content: bytes = WHOLE, *, mtime: float | None = MTIME) -> None:
        self.content, self.mtime = content, mtime
        self.breaks: list[int] = []  # bytes after which the next readings break off
        self.tells = True  # whether it can tell how a file is now
        self.sent = 0
        self.block = 10_000

    async def list(self, path: str) -> Listing:
        raise NotImplementedError

    async def stat(self, path: str) -> RemoteEntry | None:
        if not self.tells:
            return None
        return RemoteEntry(name="a.fits", size=len(self.content), mtime=self.mtime)

    @asynccontextmanager
    async def read(self, path: str, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        if path != PATH:
            raise PathError("no such file")
        yield self._blocks(offset, self.breaks.pop(0) if self.breaks else len(self.content))

    async def _blocks(self, offset: int, most: int) -> AsyncIterator[bytes]:
        end = min(len(self.content), offset + most)
        for at in range(offset, end, self.block):
            block = self.content[at:min(end, at + self.block)]
            self.sent += len(block)
            yield block
        if end < len(self.content):
            raise TransferError("the line broke")

    async def close(self) -> None:
        pass


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "2023-03-13" / "a.fits"


def fetch(session: FakeSession, target: Path, entry: RemoteEntry = ENTRY) -> int:
    return asyncio.run(download(session, PATH, entry, target))


def breaks(session: FakeSession, target: Path, entry: RemoteEntry = ENTRY) -> str:
    """Fetch what cannot be fetched; what was told."""
    with pytest.raises(TransferError) as error:
        fetch(session, target, entry)
    return str(error.value)


def files(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_comes_with_its_time_and_nothing_beside_it(target: Path) -> None:
    seen: list[int] = []
    came = asyncio.run(download(FakeSession(), PATH, ENTRY, target, progress=seen.append))
    assert came == len(WHOLE)
    assert target.read_bytes() == WHOLE
    assert target.stat().st_mtime == MTIME
    assert files(target) == ["a.fits"]
    assert seen == sorted(seen)
    assert seen[-1] == len(WHOLE)


def test_an_empty_file_comes_too_and_one_without_time(target: Path) -> None:
    assert fetch(FakeSession(b"", mtime=None), target,
                 replace(ENTRY, size=0, mtime=None)) == 0
    assert target.read_bytes() == b""


def test_a_new_version_replaces_the_old_as_a_whole(target: Path) -> None:
    fetch(FakeSession(), target)
    with target.open("rb") as old:
        session = FakeSession(WHOLE[::-1], mtime=MTIME + 60)
        fetch(session, target, replace(ENTRY, mtime=MTIME + 60))
        assert old.read() == WHOLE
    assert target.read_bytes() == WHOLE[::-1]


@pytest.mark.parametrize("tenth", range(1, 10))
def test_what_came_is_not_sent_again(target: Path, tenth: int) -> None:
    session = FakeSession()
    session.breaks = [len(WHOLE) * tenth // 10]
    breaks(session, target)
    assert not target.exists()
    assert files(target) == [part_of(target, PATH, ENTRY).name]
    assert fetch(session, target) == len(WHOLE) * (10 - tenth) // 10 + OVERLAP
    assert target.read_bytes() == WHOLE
    assert session.sent == len(WHOLE) + OVERLAP


def test_a_line_that_breaks_at_every_step_gets_there(target: Path) -> None:
    session = FakeSession()
    session.breaks = [OVERLAP + 50_000] * 30
    rounds = 0
    while not target.exists():
        with suppress(TransferError):
            fetch(session, target)
        rounds += 1
    assert rounds == 19  # the first brings the overlap's bytes more
    assert target.read_bytes() == WHOLE


def test_a_break_at_the_last_byte_costs_the_overlap_only(target: Path) -> None:
    session = FakeSession()
    part = part_of(target, PATH, ENTRY)
    part.parent.mkdir(parents=True)
    part.write_bytes(WHOLE)
    assert fetch(session, target) == OVERLAP
    assert target.read_bytes() == WHOLE


@pytest.mark.parametrize("spoilt", [WHOLE[:400_000 - 1] + b"?", b"?" + WHOLE[1:1000], WHOLE + b"?",
                                    bytes(400_000)])
def test_a_part_whose_end_is_not_the_files_is_begun_anew(target: Path, spoilt: bytes) -> None:
    part = part_of(target, PATH, ENTRY)
    part.parent.mkdir(parents=True)
    part.write_bytes(spoilt)
    fetch(FakeSession(), target)
    assert target.read_bytes() == WHOLE
    assert files(target) == ["a.fits"]


def test_a_part_of_another_version_is_thrown_away(target: Path) -> None:
    old = FakeSession()
    old.breaks = [500_000]
    breaks(old, target)
    beside = target.with_name(".a.fits.gz.0123456789ab.part")
    beside.write_bytes(b"of another file")
    newer = FakeSession(WHOLE[:500_000] + WHOLE[:500_000], mtime=MTIME + 1)
    fetch(newer, target, replace(ENTRY, mtime=MTIME + 1))
    assert newer.sent == len(WHOLE)
    assert target.read_bytes() == newer.content
    assert files(target) == [beside.name, "a.fits"]


def test_a_short_file_is_not_taken_and_its_part_is_kept(target: Path) -> None:
    session = FakeSession(WHOLE[:700_000])
    assert "700000 of 1000000" in breaks(session, target)
    assert files(target) == [part_of(target, PATH, ENTRY).name]
    session.content = WHOLE
    assert fetch(session, target) == 300_000 + OVERLAP


def test_a_file_that_grew_or_was_replaced_is_not_taken(target: Path) -> None:
    assert "longer" in breaks(FakeSession(WHOLE + b"more"), target)
    assert files(target) == []
    assert "changed" in breaks(FakeSession(mtime=MTIME + 1), target)
    assert files(target) == []

    class Grows(FakeSession):
        async def stat(self, path: str) -> RemoteEntry | None:
            self.content += b"more"
            return await super().stat(path)
    assert "changed" in breaks(Grows(), target)
    assert files(target) == []


def test_times_are_compared_as_precisely_as_they_are_told(target: Path) -> None:
    by_minutes = replace(ENTRY, mtime=MTIME - MTIME % 60, precision=60.0)
    fetch(FakeSession(), target, by_minutes)
    assert "changed" in breaks(FakeSession(mtime=MTIME + 60), target, by_minutes)
    fetch(FakeSession(mtime=None), target)
    unable = FakeSession(mtime=MTIME + 5)
    unable.tells = False
    fetch(unable, target)


def test_a_file_that_is_not_there_leaves_nothing_here(target: Path) -> None:
    with pytest.raises(PathError):
        asyncio.run(download(FakeSession(), "/elsewhere", ENTRY, target))
    assert files(target) == []


def test_a_full_disk_is_told_as_it_is(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "_compare_or_write", full)
    with pytest.raises(OSError, match="No space") as error:
        fetch(FakeSession(), target)
    assert error.value.errno == errno.ENOSPC
    monkeypatch.undo()
    fetch(FakeSession(), target)
    assert target.read_bytes() == WHOLE


def test_a_download_that_is_given_up_goes_on_later(target: Path) -> None:
    session = FakeSession()

    async def main() -> None:
        slow = Limiter(1e6, burst=0.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(download(session, PATH, ENTRY, target, limiter=slow), 0.2)
    asyncio.run(main())
    assert not target.exists()
    fetch(session, target)
    assert target.read_bytes() == WHOLE
    assert session.sent < len(WHOLE) + OVERLAP + 2 * session.block


def test_the_limit_holds_for_all_downloads_together() -> None:
    now = 0.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def main() -> None:
        nonlocal now
        limiter = Limiter(1000.0, burst=0.5, clock=lambda: now, sleep=sleep)
        await limiter.take(500)  # of the burst
        assert slept == []
        await limiter.take(1000)
        await limiter.take(1000)
        assert slept == [1.0, 2.0]
        now = 2.0
        await limiter.take(500)
        assert slept[2:] == [0.5]
        now = 100.0
        await limiter.take(1500)
        assert slept[3:] == [1.0]
        await Limiter(0.0, clock=lambda: now, sleep=sleep).take(10**9)
        assert len(slept) == 4
    asyncio.run(main())


def test_old_parts_that_nobody_wants_are_swept(tmp_path: Path) -> None:
    night = tmp_path / "2023-03-13"
    night.mkdir()
    names = [".a.fits.0123456789ab.part", ".b.fits.0123456789ab.part", ".c.fits.0123456789ab.part",
             "d.part", ".e.part", "f.fits"]
    for name in names:
        (night / name).write_bytes(b"x")
        os.utime(night / name, (1000.0, 1000.0))
    os.utime(night / names[2], (4000.0, 4000.0))
    gone = sweep(tmp_path, wanted=["b.fits"], clock=lambda: 4601.0)
    assert [path.name for path in gone] == [names[0]]
    assert sorted(path.name for path in night.iterdir()) == sorted(names[1:])


# Over a real server, and a line that breaks.


class Line:
    """An SFTP server behind a proxy, and tries to fetch one file over it."""

    def __init__(self, tmp_path: Path, size: int) -> None:
        self.served = tmp_path / "served"
        self.served.mkdir()
        self.remote = self.served / "a.fits"
        self.remote.write_bytes(random.Random(2).randbytes(size))
        os.utime(self.remote, (MTIME, MTIME))
        self.entry = RemoteEntry(name="a.fits", size=size, mtime=MTIME)
        self.target = tmp_path / "raw" / "a.fits"
        (tmp_path / "password").write_text(PASSWORD)
        self.password = tmp_path / "password"

    def archive(self, server: SftpServer, proxy: Proxy) -> SftpArchive:
        return SftpArchive(
            name="OSN", host="127.0.0.1", port=proxy.port, user=USER, timeout=20.0,
            password_file=self.password, host_key=server.fingerprint, connect_timeout=20.0)

    async def fetch(self, server: SftpServer, proxy: Proxy, *, most: int = 40) -> int:
        """Try until it is here; the tries."""
        archive = self.archive(server, proxy)
        for number in range(1, most):
            with suppress(RemoteError):
                session = await connect(archive)
                try:
                    await download(session, "/a.fits", self.entry, self.target)
                    return number
                finally:
                    await session.close()
        raise AssertionError("it never came")

    @property
    def is_whole(self) -> bool:
        return (hashlib.sha256(self.target.read_bytes()).digest()
                == hashlib.sha256(self.remote.read_bytes()).digest())


@pytest.mark.parametrize("kind", ["limit_data", "reset_peer"])
@pytest.mark.parametrize("tenth", range(1, 11))
def test_a_line_that_is_cut_at_any_tenth_is_resumed(tmp_path: Path, tenth: int,
                                                    kind: str) -> None:
    size = 4_000_000
    line = Line(tmp_path, size)

    async def main() -> None:
        toxics = Toxics(cuts=1, **{kind: size * tenth // 10})
        async with SftpServer(line.served) as server, Proxy(server.port, toxics) as proxy:
            assert await line.fetch(server, proxy) == 2
            # What goes over the line is the file, encrypted, and two logins.
            assert proxy.sent <= 1.1 * size + OVERLAP
    asyncio.run(main())
    assert line.is_whole


def test_a_line_that_is_cut_again_and_again_is_resumed_each_time(tmp_path: Path) -> None:
    line = Line(tmp_path, 2_000_000)

    async def main() -> None:
        toxics = Toxics(reset_peer=300_000, slicer=7001)
        async with SftpServer(line.served) as server, Proxy(server.port, toxics) as proxy:
            assert await line.fetch(server, proxy) > 5
    asyncio.run(main())
    assert line.is_whole


def test_files_that_come_over_one_session_at_a_time_do_not_mind_each_other(
        tmp_path: Path) -> None:
    line = Line(tmp_path, 3_000_000)

    async def main() -> None:
        async with SftpServer(line.served) as server, Proxy(server.port) as proxy:
            session = await connect(line.archive(server, proxy))
            slow = asyncio.create_task(download(
                session, "/a.fits", line.entry, tmp_path / "b.fits", limiter=Limiter(1e5)))
            wrong = asyncio.create_task(download(
                session, "/c.fits", line.entry, tmp_path / "c.fits"))
            first = asyncio.create_task(download(
                session, "/a.fits", line.entry, line.target))
            await asyncio.wait({wrong})
            slow.cancel()
            assert await first == line.entry.size
            results = await asyncio.gather(slow, wrong, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.CancelledError, PathError]
            await session.close()
    asyncio.run(main())
    assert line.is_whole


def test_a_slow_and_far_line_gets_there(tmp_path: Path) -> None:
    line = Line(tmp_path, 300_000)

    async def main() -> None:
        toxics = Toxics(latency=0.02, bandwidth=1e6, slicer=20_000, slow_close=0.1)
        async with SftpServer(line.served) as server, Proxy(server.port, toxics) as proxy:
            assert await line.fetch(server, proxy) == 1
    asyncio.run(main())
    assert line.is_whole


def test_a_file_that_grows_or_is_rewritten_on_the_server_is_refused(tmp_path: Path) -> None:
    line = Line(tmp_path, 1_000_000)
    content = line.remote.read_bytes()

    async def refused(server: SftpServer, proxy: Proxy) -> None:
        with pytest.raises(AssertionError):
            await line.fetch(server, proxy, most=3)
        assert files(line.target) == []

    async def main() -> None:
        async with SftpServer(line.served) as server, Proxy(server.port) as proxy:
            line.remote.write_bytes(content + b"more")
            await refused(server, proxy)
            line.remote.write_bytes(content[::-1])
            os.utime(line.remote, (MTIME + 30, MTIME + 30))
            await refused(server, proxy)
            line.entry = replace(line.entry, mtime=MTIME + 30)
            assert await line.fetch(server, proxy) == 1
    asyncio.run(main())
    assert line.is_whole


def test_a_file_that_another_process_downloads_is_left_to_it(target: Path) -> None:
    """Two at once, of the same listing or of one that tells more: one takes it, neither fails."""
    class Slow(FakeSession):
        begun: asyncio.Event

        async def _blocks(self, offset: int, most: int) -> AsyncIterator[bytes]:
            async for block in super()._blocks(offset, most):
                self.begun.set()
                await asyncio.sleep(0.001)
                yield block

    async def main(other: RemoteEntry) -> None:
        slow = Slow()
        slow.begun = asyncio.Event()
        first = asyncio.create_task(download(slow, PATH, ENTRY, target))
        await slow.begun.wait()
        with pytest.raises(TakenError, match=r"a\.fits is being downloaded by another process"):
            await download(FakeSession(), PATH, other, target)
        assert await first == len(WHOLE)

    for other in (ENTRY, replace(ENTRY, mtime=MTIME // 60 * 60, precision=60.0)):
        target.unlink(missing_ok=True)
        asyncio.run(main(other))
        assert target.read_bytes() == WHOLE
        assert files(target) == [target.name]


def test_a_download_leaves_the_time_to_the_second_where_the_listing_told_minutes(
        target: Path) -> None:
    entry = replace(ENTRY, mtime=MTIME // 60 * 60, precision=60.0)
    asyncio.run(download(FakeSession(), PATH, entry, target))
    assert target.stat().st_mtime == MTIME
