"""An SFTP server is taken only for what it is; what it does wrong ends within its timeout."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from iop4d.archives.session import (
    HostError,
    LoginError,
    PathError,
    RemoteError,
    TransferError,
)
from iop4d.archives.sftp import SftpSession, connect
from iop4d.config import SftpArchive
from tests.support.proxy import Proxy, Toxics
from tests.support.sftp_server import PASSWORD, USER, Faults, SftpServer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the server serves: a night with two frames."""
    night = tmp_path / "served" / "20230313"
    night.mkdir(parents=True)
    (night / "a.fits").write_bytes(bytes(range(256)) * 1000)
    (night / "b.fits").write_bytes(b"b" * 2880)
    os.utime(night / "b.fits", (1_678_700_000, 1_678_700_000))
    return tmp_path / "served"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return tmp_path / "password"


def archive_of(server: SftpServer, secret: Path, **keys: Any) -> SftpArchive:
    """The section of the site file that fits the server, unless told otherwise."""
    return replace(
        SftpArchive(name="OSN", host="127.0.0.1", port=server.port, user=USER,
                password_file=secret, host_key=server.fingerprint, timeout=5.0,
                connect_timeout=5.0), **keys)


@asynccontextmanager
async def session_of(archive: SftpArchive) -> AsyncIterator[SftpSession]:
    session = await connect(archive)
    try:
        yield session
    finally:
        await session.close()


async def take(session: SftpSession, path: str = "/20230313/a.fits", offset: int = 0) -> bytes:
    """A file from a byte on."""
    async with session.read(path, offset) as blocks:
        return b"".join([block async for block in blocks])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refused(archive: SftpArchive) -> RemoteError:
    """Why a connection was not made; the message never holds the secret."""
    async def main() -> RemoteError:
        with pytest.raises(RemoteError) as error:
            await connect(archive)
        return error.value
    return told(asyncio.run(main()))


def told(error: RemoteError) -> RemoteError:
    assert PASSWORD not in str(error)
    assert "OSN" in str(error)
    return error


async def fails(archive: SftpArchive) -> RemoteError:
    with pytest.raises(RemoteError) as error:
        await connect(archive)
    return told(error.value)


# Logging in.


def test_a_host_that_known_hosts_or_the_pin_names_lets_in(root: Path, secret: Path,
                                                          tmp_path: Path) -> None:
    async def main() -> None:
        async with SftpServer(root) as server:
            known = server.known_hosts(tmp_path / "known")
            for keys in ({}, {"host_key": "", "known_hosts": known},
                         {"host_key": server.fingerprint + "="}):
                async with session_of(archive_of(server, secret, **keys)) as session:
                    listing = await session.list("/20230313")
                assert sorted(entry.name for entry in listing.entries) == ["a.fits", "b.fits"]
    asyncio.run(main())


def test_a_host_whose_key_nobody_knows_is_refused_and_its_fingerprint_told(
        root: Path, secret: Path, tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")

    async def main() -> None:
        async with SftpServer(root) as server:
            error = await fails(archive_of(
                server, secret, host_key="", known_hosts=tmp_path / "known"))
            assert isinstance(error, HostError)
            assert "is unknown" in str(error)
            for word in (server.fingerprint, "host_key", "known_hosts", str(tmp_path / "known")):
                assert word in str(error)
            assert server.logins == 0
    asyncio.run(main())


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_a_host_whose_key_changed_is_refused_whatever_its_kind(
        root: Path, secret: Path, tmp_path: Path, algorithm: str) -> None:
    async def main() -> None:
        async with SftpServer(root) as server:
            known = server.known_hosts(tmp_path / "known")
            before = server.fingerprint
            await server.change_key(algorithm)
            for keys, names in (({"host_key": "", "known_hosts": known}, "has changed"),
                                ({"host_key": before}, f"not that of host_key, {before}")):
                error = await fails(archive_of(server, secret, **keys))
                assert isinstance(error, HostError)
                assert names in str(error)
                assert server.fingerprint in str(error)
            assert server.logins == 0
    asyncio.run(main())


def test_a_host_with_several_keys_shows_the_one_that_is_known(root: Path, secret: Path,
                                                              tmp_path: Path) -> None:
    async def main() -> None:
        async with SftpServer(root) as server:
            await server.change_key("ssh-ed25519", "ecdsa-sha2-nistp256")
            server.host_keys.reverse()
            known = tmp_path / "known"
            known.write_text(f"[127.0.0.1]:{server.port} "
                             f"{server.host_keys[0].export_public_key().decode()}")
            async with session_of(archive_of(server, secret, host_key="", known_hosts=known)):
                assert server.logins == 1
    asyncio.run(main())


def test_a_revoked_key_is_refused(root: Path, secret: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with SftpServer(root) as server:
            known = server.known_hosts(tmp_path / "known")
            known.write_text(f"@revoked {known.read_text()}")
            error = await fails(archive_of(server, secret, host_key="", known_hosts=known))
            assert "known_hosts" in str(error)
    asyncio.run(main())


def test_a_wrong_password_or_user_names_the_keys_to_look_at(root: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("canary-of-a-wrong-one")

    async def main() -> None:
        async with SftpServer(root) as server:
            error = await fails(archive_of(server, wrong))
            assert isinstance(error, LoginError)
            assert "user and password_file" in str(error)
            assert "canary" not in str(error)
    asyncio.run(main())


def test_a_server_that_tells_the_password_in_its_error_does_not_get_it_into_ours(
        root: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tells(_self: SftpServer, user: str, password: str) -> bool:
        raise asyncssh.DisconnectError(11, f"authentication of {user} by {password} failed")

    monkeypatch.setattr(SftpServer, "accepts", tells)

    async def main() -> None:
        async with SftpServer(root) as server:
            error = await fails(archive_of(server, secret))
            assert isinstance(error, LoginError)
            assert "(secret)" in str(error)
    asyncio.run(main())


def test_login_by_key_and_by_a_key_that_the_password_opens(root: Path, tmp_path: Path,
                                                           secret: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "open")
    key.write_private_key(tmp_path / "locked", "pkcs8-pem", passphrase=PASSWORD)

    async def main() -> None:
        async with SftpServer(root, keys=[key], password="another") as server:
            for keys in ({"key_file": tmp_path / "open", "password_file": None},
                         {"key_file": tmp_path / "locked"}):
                async with session_of(archive_of(server, secret, **keys)):
                    pass
            assert server.logins == 2
    asyncio.run(main())


@pytest.mark.parametrize(("keys", "names"), [
    ({"password_file": Path("/nowhere/password")}, "password_file"),
    ({"password_file": None, "password_env": "IOP4D_NOT_SET"}, "password_env"),
    ({"key_file": Path("/nowhere/key")}, "key_file"),
    ({"key_file": Path(__file__)}, "key_file"),
])
def test_a_secret_that_cannot_be_read_is_told_before_anything_is_sent(
        secret: Path, keys: dict[str, Any], names: str) -> None:
    archive = SftpArchive(name="OSN", host="127.0.0.1", port=1, password_file=secret)
    error = refused(replace(archive, **keys))
    assert isinstance(error, LoginError)
    assert names in str(error)


def test_known_hosts_that_cannot_be_read_are_told(secret: Path, tmp_path: Path) -> None:
    error = refused(SftpArchive(name="OSN", host="127.0.0.1", password_file=secret,
                            known_hosts=tmp_path / "nowhere"))
    assert isinstance(error, HostError)
    assert "known_hosts cannot be read" in str(error)


def test_a_host_that_nobody_knows_and_a_port_where_nobody_listens(secret: Path) -> None:
    archive = SftpArchive(name="OSN", host="no-such-host.invalid", password_file=secret)
    error = refused(archive)
    assert isinstance(error, HostError)
    assert "check the key 'host'" in str(error)
    error = refused(replace(archive, host="127.0.0.1", port=1))
    assert isinstance(error, HostError)
    assert "check the keys 'host' and 'port'" in str(error)


def test_a_server_that_is_no_ssh_server_is_told(secret: Path) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 FTP here\r\n" * 2000)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            error = await fails(SftpArchive(name="OSN", host="127.0.0.1", port=port,
                                        password_file=secret, connect_timeout=5.0))
            assert isinstance(error, HostError)
            assert "port" in str(error)
    asyncio.run(main())


# A session.


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
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await asyncio.sleep(0.001)
            beats.append(time.monotonic())

    async def main() -> None:
        async with SftpServer(root, faults=Faults(extra=names)) as server, \
                session_of(archive_of(server, secret)) as session:
            heart = asyncio.create_task(beat())
            listing = await session.list("/20230313")
            heart.cancel()
            assert len(listing.entries) == 5002
    asyncio.run(main())
    assert len(beats) > 20  # the loop went on beside it


@pytest.mark.parametrize("piece", [0, 1000])
@pytest.mark.parametrize("offset", [0, 1, 65536, 255_999, 256_000])
def test_a_file_is_read_from_any_byte_on(root: Path, secret: Path, piece: int,
                                         offset: int) -> None:
    whole = (root / "20230313" / "a.fits").read_bytes()

    async def main() -> None:
        async with SftpServer(root, faults=Faults(piece=piece)) as server, \
                session_of(archive_of(server, secret)) as session:
            assert await take(session, offset=offset) == whole[offset:]
    asyncio.run(main())


def test_a_file_that_is_left_early_leaves_the_session_of_use(root: Path, secret: Path) -> None:
    async def leave(session: SftpSession) -> None:
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
                await take(session, "/20230313/nothing.fits")
            assert len((await session.list("/20230313")).entries) == 2
    asyncio.run(main())


def test_a_file_that_ends_early_or_cannot_be_read_is_no_whole_file(root: Path,
                                                                   secret: Path) -> None:
    async def main() -> None:
        for faults in (Faults(short={"a.fits": 100_000}), Faults(short={"a.fits": 0}),
                       Faults(failing=True)):
            async with SftpServer(root, faults=faults) as server, \
                    session_of(archive_of(server, secret)) as session:
                with pytest.raises(TransferError, match=r"a\.fits"):
                    await take(session)
        async with SftpServer(root) as server, session_of(archive_of(server, secret)) as session:
            with pytest.raises(TransferError, match="256000 bytes"):
                await take(session, offset=256_001)
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
    assert asyncio.run(main()) < 1.5


def test_a_login_that_stalls_at_any_byte_ends_within_the_timeout(root: Path,
                                                                 secret: Path) -> None:
    async def main() -> None:
        async with SftpServer(root) as server, Proxy(server.port) as proxy:
            archive = archive_of(server, secret, port=proxy.port, connect_timeout=0.25)
            async with session_of(archive):
                whole = proxy.sent
            for tenth in range(1, 10):
                proxy.toxics = Toxics(stall=whole * tenth // 10, slicer=whole // 40)
                begun = time.monotonic()
                assert isinstance(await fails(archive), HostError)
                assert time.monotonic() - begun < 1.0
    asyncio.run(main())


@pytest.mark.parametrize("silent", ["scandir", "stat", "open", "read"])
def test_a_request_that_is_never_answered_ends_within_the_timeout(root: Path, secret: Path,
                                                                  silent: str) -> None:
    async def ask(session: SftpSession) -> None:
        if silent == "scandir":
            await session.list("/20230313")
        elif silent == "stat":
            await session.stat("/20230313/a.fits")
        else:
            await take(session)

    async def main() -> None:
        async with SftpServer(root, faults=Faults(silent=silent)) as server:
            async with session_of(archive_of(server, secret, timeout=0.3)) as session:
                begun = time.monotonic()
                with pytest.raises(TransferError, match="timed out"):
                    await ask(session)
                assert time.monotonic() - begun < 1.5
            # The same, but given up from outside.
            async with session_of(archive_of(server, secret)) as session:
                begun = time.monotonic()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(ask(session), 0.2)
                assert time.monotonic() - begun < 3.0
    asyncio.run(main())


def test_a_line_that_goes_dead_amid_a_file_ends_within_the_timeout(root: Path,
                                                                   secret: Path) -> None:
    async def die(session: SftpSession, proxy: Proxy) -> None:
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
            assert time.monotonic() - begun < 4.0
    asyncio.run(main())


def test_a_hundred_rounds_of_every_end_leave_no_socket(root: Path, secret: Path,
                                                       tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")

    async def main() -> list[int]:
        counts = []
        async with SftpServer(root) as server, Proxy(server.port) as proxy:
            good = archive_of(server, secret, port=proxy.port, timeout=0.2, connect_timeout=1.0)
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
                        async with session_of(good) as session:
                            with pytest.raises(TransferError):
                                await take(session)
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
