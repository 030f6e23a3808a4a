"""FTP transfers that stall, break, lie or are cancelled: none counts as whole or stays open."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import time
from pathlib import Path

import pytest

from iop4d.archives.download import download
from iop4d.archives.session import (
    HostError,
    PathError,
    RemoteError,
    Session,
    TransferError,
    UnreadableError,
)
from tests.archives.ftp_archive import CONTENT, FILES, MTIME, NIGHT, archive_of, everything
from tests.archives.sessions import session_of, whole
from tests.support.ftp_server import STALLS, Faults, FtpServer


def sockets() -> int:
    return sum("socket" in str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir()
               if fd.is_symlink())


def test_a_file_that_the_server_fails_to_read_leaves_the_session_of_use(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES)) as server, \
                session_of(archive_of(server, secret)) as session:
            for faults in (Faults(answer="451 Failure reading local file."),
                           Faults(short=1000, ending="451 Failure reading local file.")):
                server.script[f"{NIGHT}/a.fit"] = [faults]
                with pytest.raises(UnreadableError, match="451 Failure reading local file"):
                    await whole(session, f"{NIGHT}/a.fit")
                server.script[f"{NIGHT}/a.fit"] = [Faults()]
                assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            assert server.connections == 1

    asyncio.run(main())


def test_a_full_disk_here_is_no_fault_of_the_server(secret: Path) -> None:
    async def put_on_a_full_disk(session: Session) -> None:
        async with session.read(f"{NIGHT}/a.fit") as blocks:
            async for _ in blocks:
                raise OSError(errno.ENOSPC, "No space left on device")

    async def main() -> None:
        async with FtpServer(dict(FILES)) as server, \
                session_of(archive_of(server, secret)) as session:
            with pytest.raises(OSError, match="No space left") as full:
                await put_on_a_full_disk(session)
            assert full.value.errno == errno.ENOSPC

    asyncio.run(main())


@pytest.mark.parametrize("where", STALLS)
def test_a_server_that_stalls_is_given_up_in_time(secret: Path, where: str) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=Faults(stall=where)) as server:
            began = time.monotonic()
            kind = HostError if where in ("banner", "USER", "PASS") else TransferError
            with pytest.raises(kind, match=r"127\.0\.0\.1"):
                await everything(archive_of(server, secret, timeout=1.0, connect_timeout=1.0))
            assert time.monotonic() - began < 10.0  # three limits of a second, on a busy machine

    asyncio.run(main())


def test_nothing_is_left_open_after_a_hundred_rounds_of_faults(secret: Path) -> None:
    async def main() -> None:
        faults = Faults()
        async with FtpServer(dict(FILES), faults=faults) as server:
            found = archive_of(server, secret, timeout=0.05, connect_timeout=0.5)
            before = sockets()
            for number in range(100):
                faults.stall = ("data", "end", "MLSD", "", "")[number % 5]
                faults.cut, faults.cuts = (1000, 1) if number % 5 == 3 else (-1, 0)
                faults.answer = "426 no" if number % 5 == 4 else ""
                with pytest.raises(RemoteError):
                    await everything(found)
            for task in [*server.tasks]:
                task.cancel()
            await asyncio.sleep(0.2)
            assert sockets() <= before + 1

    asyncio.run(main())


def test_a_transfer_that_is_cut_anywhere_is_resumed_to_the_same_bytes(
        secret: Path, tmp_path: Path) -> None:
    async def main(part: int) -> None:
        came = [0]
        faults = Faults(cut=part * len(CONTENT) // 10, cuts=1, read=lambda: came[-1])
        async with FtpServer(dict(FILES), faults=faults) as server:
            target = tmp_path / f"{part}.fit"
            for _ in range(2):
                async with session_of(archive_of(server, secret)) as session:
                    entry = (await session.list(NIGHT)).entries[0]
                    try:
                        await download(session, f"{NIGHT}/a.fit", entry, target,
                                       progress=came.append)
                        break
                    except TransferError:
                        assert not target.exists()
            assert hashlib.sha256(target.read_bytes()).digest() \
                == hashlib.sha256(CONTENT).digest()
            assert server.sent <= 1.1 * len(CONTENT) + 65536 + 4096
            assert target.stat().st_mtime == MTIME

    for part in range(10):
        asyncio.run(main(part))


@pytest.mark.parametrize("faults", [
    Faults(short=1000), Faults(ending="426 aborted"), Faults(ending="451 local error"),
    Faults(answer="421 too many"), Faults(answer="426 no"), Faults(answer="451 no"),
    Faults(answer="550 no"), Faults(cut=1000, cuts=9)],
    ids=["short", "426 after", "451 after", "421", "426", "451", "550", "cut"])
def test_a_transfer_that_is_not_whole_is_never_taken(secret: Path, tmp_path: Path,
                                                     faults: Faults) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive_of(server, secret)) as session:
            entry = (await session.list(NIGHT)).entries[0]
            of_file = faults.answer[:3] in ("550", "451") or faults.ending.startswith("451")
            with pytest.raises(PathError if of_file else TransferError):
                await download(session, f"{NIGHT}/a.fit", entry, tmp_path / "a.fit")
            assert not (tmp_path / "a.fit").exists()

    asyncio.run(main())


def test_a_cancelled_transfer_leaves_nothing_open(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=Faults(stall="data")) as server:
            found = archive_of(server, secret, timeout=60.0)
            for _ in range(5):
                task = asyncio.create_task(everything(found))
                while server.commands["RETR"] == 0:  # noqa: ASYNC110 - the server's own count
                    await asyncio.sleep(0.01)
                server.commands.clear()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(main())


def test_a_transfer_can_be_cancelled_at_any_moment(secret: Path) -> None:
    """Also at the very one at which an answer of the server arrives."""
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=Faults(stall="data")) as server:
            found = archive_of(server, secret, timeout=60.0, connect_timeout=60.0)
            turns = 0
            while server.commands["RETR"] < 20:
                task = asyncio.create_task(everything(found))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task}, timeout=5.0)
                assert task.cancelled(), f"after {turns} turns of the loop"
                turns += 1

    asyncio.run(main())
