"""What an SFTP server does wrong in a session ends within its timeout."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.archives.session import (
    HostError,
    PathError,
    RemoteError,
    Session,
    TransferError,
    UnreadableError,
)
from tests.archives.sessions import beats_beside, session_of, whole
from tests.archives.sftp_archive import archive_of, fails
from tests.support.proxy import Proxy, Toxics
from tests.support.sftp_server import Faults, SftpServer

FRAME = "/20230313/a.fits"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_entries_tell_size_time_and_kind_and_links_what_they_lead_to(root: Path,
                                                                     secret: Path) -> None:
    night = root / "20230313"
    (night / "link.fits").symlink_to("b.fits")
    (night / "lost.fits").symlink_to("nowhere")
    (root / "20230314").symlink_to("20230313")
    os.mkfifo(night / "pipe.fits")

    async def main() -> None:
        async with SftpServer(root) as server, \
                session_of(archive_of(server, secret)) as session:
            for server.faults.wordless in (False, True):
                listing = await session.list("/20230313/")
                found = {entry.name: entry for entry in listing.entries}
                assert sorted(found) == ["a.fits", "b.fits", "link.fits"]
                assert listing.skipped == 2
                assert set(listing.examples) == {"lost.fits", "pipe.fits"}
                assert (found["b.fits"].size, found["b.fits"].mtime) == (2880, 1_678_700_000)
                assert found["link.fits"].size == 2880
                nights = await session.list("/")
                assert [(entry.name, entry.folder) for entry in sorted(
                    nights.entries, key=lambda entry: entry.name)] == [
                        ("20230313", True), ("20230314", True)]
            assert await session.stat("/20230313/b.fits") == found["b.fits"]
    asyncio.run(main())


def test_hostile_and_undecodable_names_are_listed_and_can_be_asked_for(root: Path,
                                                                       secret: Path) -> None:
    latin = b"\xe9toile.fits"
    Path(os.fsdecode(os.fsencode(root / "20230313") + b"/" + latin)).write_bytes(b"x")
    hostile = [b"../../../evil.fits", b"/etc/passwd", b"a\0b.fits", b"~root", b"-rf", b"\n.fits",
               b"x" * 3000, b"", b".", b"..", b"\xff\xfe", "\u202egpj.fits".encode()]

    async def main() -> None:
        async with SftpServer(root, faults=Faults(extra=hostile)) as server, \
                session_of(archive_of(server, secret)) as session:
            listing = await session.list("/20230313")
            names = {entry.name for entry in listing.entries}
            assert names >= {"../../../evil.fits", "a\0b.fits", "a.fits", "b.fits",
                             "\udce9toile.fits", "\udcff\udcfe", "x" * 3000}
            assert not names & {"", ".", ".."}
            found = await session.stat("/20230313/\udce9toile.fits")
            assert found is not None
            assert found.size == 1
        async with SftpServer(root) as server:
            for encoding, name in (("latin-1", "étoile.fits"), ("gbk", "\udce9toile.fits"),
                                   ("ascii", "\udce9toile.fits"), ("gb18030", "閠oile.fits")):
                async with session_of(archive_of(server, secret, encoding=encoding)) as session:
                    listing = await session.list("/20230313")
                    odd = {e.name for e in listing.entries} - {"a.fits", "b.fits"}
                    assert odd == {name} or len(odd) == 1
                    found = await session.stat(f"/20230313/{odd.pop()}")
                    assert found is not None
    asyncio.run(main())


def test_a_large_folder_is_listed_whole_and_the_loop_goes_on(root: Path, secret: Path) -> None:
    names = [f"frame-{number:06d}.fits".encode() for number in range(5000)]

    async def main() -> None:
        async with SftpServer(root, faults=Faults(extra=names)) as server, \
                session_of(archive_of(server, secret)) as session:
            listing, beats = await beats_beside(session.list("/20230313"))
            assert len(listing.entries) == 5002
            assert beats > 20
    asyncio.run(main())


@pytest.mark.parametrize("piece", [0, 1000])
@pytest.mark.parametrize("offset", [0, 1, 65536, 255_999, 256_000])
def test_a_file_is_read_from_any_byte_on(root: Path, secret: Path, piece: int,
                                         offset: int) -> None:
    content = (root / "20230313" / "a.fits").read_bytes()

    async def main() -> None:
        async with SftpServer(root, faults=Faults(piece=piece)) as server, \
                session_of(archive_of(server, secret)) as session:
            assert await whole(session, FRAME, offset) == content[offset:]
    asyncio.run(main())


def test_a_file_that_is_left_early_leaves_the_session_of_use(root: Path, secret: Path) -> None:
    async def leave(session: Session) -> None:
        async with session.read("/20230313/a.fits") as blocks:
            async for _ in blocks:
                raise ZeroDivisionError

    async def main() -> None:
        async with SftpServer(root) as server, session_of(archive_of(server, secret)) as session:
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    await leave(session)
            assert len((await session.list("/20230313")).entries) == 2
    asyncio.run(main())


def test_what_is_not_there_or_not_to_be_read_leaves_the_session_of_use(root: Path,
                                                                       secret: Path) -> None:
    async def main() -> None:
        async with SftpServer(root) as server, session_of(archive_of(server, secret)) as session:
            for path in ("/20230399", "/\udcff/x\ud800"):
                with pytest.raises(PathError):
                    await session.list(path)
            with pytest.raises(PathError, match="nothing"):
                await session.stat("/20230313/nothing.fits")
            with pytest.raises(PathError):
                await whole(session, "/20230313/nothing.fits")
            assert len((await session.list("/20230313")).entries) == 2
    asyncio.run(main())


def test_a_file_that_ends_early_or_cannot_be_read_is_no_whole_file(root: Path,
                                                                   secret: Path) -> None:
    async def main() -> None:
        for faults in (Faults(short={"a.fits": 100_000}), Faults(short={"a.fits": 0})):
            async with SftpServer(root, faults=faults) as server, \
                    session_of(archive_of(server, secret)) as session:
                with pytest.raises(TransferError, match=r"a\.fits"):
                    await whole(session, FRAME)
        async with SftpServer(root) as server, session_of(archive_of(server, secret)) as session:
            with pytest.raises(TransferError, match="256000 bytes"):
                await whole(session, FRAME, 256_001)
    asyncio.run(main())


def test_what_the_server_fails_to_read_leaves_the_session_of_use(root: Path,
                                                                  secret: Path) -> None:
    async def main() -> None:
        async with SftpServer(root, faults=Faults(failing=True)) as server, \
                session_of(archive_of(server, secret)) as session:
            for _ in range(3):
                with pytest.raises(UnreadableError, match=r"a\.fits: .* the disk is broken"):
                    await whole(session, FRAME)
            assert len((await session.list("/20230313")).entries) == 2
    asyncio.run(main())


def test_a_link_that_the_server_fails_to_follow_holds_up_no_listing(root: Path,
                                                                    secret: Path) -> None:
    (root / "20230313" / "c.fits").symlink_to("a.fits")

    async def main() -> None:
        async with SftpServer(root, faults=Faults(no_stat=True)) as server, \
                session_of(archive_of(server, secret)) as session:
            found = await session.list("/20230313")
            assert len(found.entries) == 2
            assert found.examples == ("c.fits",)
    asyncio.run(main())


# What does not answer.


def test_a_server_that_is_silent_from_the_first_byte_ends_within_the_timeout(
        root: Path, secret: Path) -> None:
    async def main() -> float:
        async with SftpServer(root) as server, Proxy(server.port, Toxics(timeout=True)) as proxy:
            begun = time.monotonic()
            error = await fails(archive_of(server, secret, port=proxy.port, connect_timeout=0.5))
            assert isinstance(error, HostError)
            assert "connect_timeout" in str(error)
            return time.monotonic() - begun
    assert asyncio.run(main()) < 10


def test_a_login_that_stalls_at_any_byte_ends_within_the_timeout(root: Path,
                                                                 secret: Path) -> None:
    async def main() -> None:
        async with SftpServer(root) as server, Proxy(server.port) as proxy:
            archive = archive_of(server, secret, port=proxy.port, connect_timeout=0.25)
            async with session_of(archive):
                login = proxy.sent
            for tenth in range(1, 10):
                proxy.toxics = Toxics(stall=login * tenth // 10, slicer=login // 40)
                begun = time.monotonic()
                assert isinstance(await fails(archive), HostError)
                assert time.monotonic() - begun < 10
    asyncio.run(main())


@pytest.mark.parametrize("silent", ["scandir", "stat", "open", "read"])
def test_a_request_that_is_never_answered_ends_within_the_timeout(root: Path, secret: Path,
                                                                  silent: str) -> None:
    async def ask(session: Session) -> None:
        if silent == "scandir":
            await session.list("/20230313")
        elif silent == "stat":
            await session.stat("/20230313/a.fits")
        else:
            await whole(session, FRAME)

    async def main() -> None:
        async with SftpServer(root, faults=Faults(silent=silent)) as server:
            async with session_of(archive_of(server, secret, timeout=0.3)) as session:
                begun = time.monotonic()
                with pytest.raises(TransferError, match="timed out"):
                    await ask(session)
                assert time.monotonic() - begun < 4
            # The same, but given up from outside.
            async with session_of(archive_of(server, secret)) as session:
                begun = time.monotonic()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(ask(session), 0.2)
                assert time.monotonic() - begun < 4
    asyncio.run(main())


def test_a_line_that_goes_dead_amid_a_file_ends_within_the_timeout(root: Path,
                                                                   secret: Path) -> None:
    async def die(session: Session, proxy: Proxy) -> None:
        async with session.read("/20230313/a.fits") as blocks:
            async for _ in blocks:
                proxy.toxics.timeout = True

    async def main() -> None:
        async with SftpServer(root) as server, \
                Proxy(server.port, Toxics(bandwidth=1e6)) as proxy, \
                session_of(archive_of(server, secret, port=proxy.port, timeout=0.3)) as session:
            begun = time.monotonic()
            with pytest.raises(TransferError):
                await die(session, proxy)
            with pytest.raises(RemoteError):
                await session.list("/20230313")
            await session.close()
            await session.close()
            assert time.monotonic() - begun < 10
    asyncio.run(main())


def test_a_hundred_rounds_of_every_end_leave_no_socket(root: Path, secret: Path,
                                                       tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")

    async def main() -> list[int]:
        counts = []
        async with SftpServer(root) as server, Proxy(server.port) as proxy:
            good = archive_of(server, secret, port=proxy.port)
            for number in range(100):
                proxy.toxics = Toxics(timeout=number % 5 == 4)
                match number % 5:
                    case 0:
                        async with session_of(good) as session:
                            await session.list("/20230313")
                    case 1:
                        await fails(replace(good, host_key="", known_hosts=tmp_path / "known"))
                    case 2:
                        await fails(replace(good, user="nobody"))
                    case 3:
                        server.faults.silent = "read"
                        async with session_of(replace(good, timeout=0.2)) as session:
                            with pytest.raises(TransferError):
                                await whole(session, FRAME)
                        server.faults.silent = ""
                    case _:
                        await fails(replace(good, connect_timeout=0.05))
                if number % 10 == 9:
                    await asyncio.sleep(0.05)
                    counts.append(open_files())
            assert server.logins == 40
        return counts
    counts = asyncio.run(main())
    assert max(counts) <= counts[0] + 2
    assert counts[-1] <= counts[0]
