"""FTP against servers that stall, cut, lie and pretend, and against a plain good one."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.archives.download import download
from iop4d.archives.session import (
    HostError,
    LoginError,
    PathError,
    RemoteError,
    Session,
    TransferError,
    UnreadableError,
    connect,
)
from iop4d.config import FtpArchive
from iop4d.model.errors import ConfigError
from iop4d.simulator.servers import ftp_server
from tests.archives.sessions import beats_beside, session_of, whole
from tests.support.certificates import certificate
from tests.support.ftp_server import PASSWORD, STALLS, USER, Faults, FtpServer

NIGHT = "/20221108"
MTIME = 1667900000.0
CONTENT = os.urandom(200_000)
FILES = {f"{NIGHT}/a.fit": (CONTENT, MTIME), f"{NIGHT}/b c.fit": (b"b" * 2880, MTIME + 60)}


def archive(server: FtpServer, secret: Path, **keys: object) -> FtpArchive:
    keys = {"host": "127.0.0.1", "port": server.port, "timeout": 20.0, "connect_timeout": 20.0,
            "user": USER, "password_file": secret} | keys
    return FtpArchive(name="T", path=Path("raw"), **keys)


def sockets() -> int:
    return sum("socket" in str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir()
               if fd.is_symlink())


@pytest.mark.parametrize("plain", [False, True], ids=["mlsd", "list"])
@pytest.mark.parametrize("passive", [False, True], ids=["epsv", "pasv"])
def test_a_good_server_is_listed_and_read(secret: Path, plain: bool, passive: bool) -> None:
    async def main() -> None:
        faults = Faults(no_mlsd=plain, no_epsv=passive)
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive(server, secret)) as session:
            for _ in range(2):
                listing = await session.list(NIGHT)
                assert [(e.name, e.size) for e in listing.entries] == [
                    ("a.fit", 200_000), ("b c.fit", 2880)]
            assert server.commands["MLSD"] == (1 if plain else 2)
            assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            assert await whole(session, f"{NIGHT}/b c.fit", 880) == b"b" * 2000
            now = await session.stat(f"{NIGHT}/a.fit")
            assert now is not None
            assert (now.size, now.mtime) == (200_000, None if plain else MTIME)

    asyncio.run(main())


def test_what_is_not_there_is_told_and_the_session_goes_on(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES)) as server, \
                session_of(archive(server, secret)) as session:
            for _ in range(3):
                with pytest.raises(PathError, match="no such folder"):
                    await session.list("/20221109")
                with pytest.raises(PathError, match="no such file"):
                    await whole(session, f"{NIGHT}/gone.fit")
                with pytest.raises(PathError):
                    await session.stat(f"{NIGHT}/gone.fit")
            assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            assert server.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("faults", [
    Faults(no_mlsd=True, after={"SIZE": "550 Permission denied."}),
    Faults(no_mlsd=True, after={"MDTM": "550 MDTM: Operation not permitted"}),
    Faults(no_mlsd=True, after={"MDTM": "213 29 Nov 2026"}),
    Faults(no_mlsd=True, after={"SIZE": "213 unknown"}),
    Faults(after={"MLST": "550 MLST: Operation not permitted"}),
    Faults(after={"MLST": "250 here it is"}),
], ids=["size", "mdtm", "odd mdtm", "odd size", "mlst", "odd mlst"])
def test_a_file_comes_from_a_server_that_forbids_to_ask_for_its_size_or_time(
        secret: Path, tmp_path: Path, faults: Faults) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive(server, secret)) as session:
            for entry in (await session.list(NIGHT)).entries:
                target = tmp_path / entry.name
                await download(session, f"{NIGHT}/{entry.name}", entry, target)
                assert target.read_bytes() == FILES[f"{NIGHT}/{entry.name}"][0]
                assert target.stat().st_mtime == entry.mtime
            assert server.connections == 1

    asyncio.run(main())


def test_a_file_that_the_server_fails_to_read_leaves_the_session_of_use(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES)) as server, \
                session_of(archive(server, secret)) as session:
            for faults in (Faults(answer="451 Failure reading local file."),
                           Faults(short=1000, ending="451 Failure reading local file.")):
                server.script[f"{NIGHT}/a.fit"] = [faults]
                with pytest.raises(UnreadableError, match="451 Failure reading local file"):
                    await whole(session, f"{NIGHT}/a.fit")
                server.script[f"{NIGHT}/a.fit"] = [Faults()]
                assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            assert server.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("answer", ["451 local error in processing", "502 no SIZE here",
                                    "213 unknown"])
def test_a_link_of_which_the_server_tells_nothing_holds_up_no_listing(secret: Path,
                                                                      answer: str) -> None:
    listing = (b"-rw-r--r-- 1 obs obs 2880 Nov 08 10:00 a.fit\r\n"
               b"lrwxrwxrwx 1 obs obs 12 Nov 08 10:00 b.fit -> /store/b.fit\r\n")

    async def main() -> None:
        faults = Faults(no_mlsd=True, listing=listing, after={"SIZE": answer})
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive(server, secret)) as session:
            found = await session.list(NIGHT)
            assert [entry.name for entry in found.entries] == ["a.fit"]
            assert server.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("faults", [
    Faults(refuse_epsv="550 not here"), Faults(refuse_epsv="425 cannot"), Faults(closed_epsv=True),
], ids=["550", "425", "closed"])
def test_where_epsv_leads_nowhere_pasv_is_asked(secret: Path, faults: Faults) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive(server, secret)) as session:
            assert len((await session.list(NIGHT)).entries) == 2
            assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            assert server.commands["EPSV"] == 1
            assert server.commands["PASV"] == 2

    asyncio.run(main())


def test_user_and_password_go_in_the_archive_s_encoding_and_stay_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("contraseña-€\n", encoding="utf-8")

    async def refused(**keys: object) -> tuple[str, bytes]:
        async with FtpServer(dict(FILES)) as server:
            with pytest.raises(LoginError) as error:
                await connect(archive(server, secret, user="muñoz", **keys))
            return str(error.value), server.heard

    said, heard = asyncio.run(refused())
    assert b"USER " + "muñoz\r\nPASS contraseña-€\r\n".encode() in heard
    assert "530 not with '***'" in said
    said, heard = asyncio.run(refused(encoding="latin-1"))
    assert "characters outside the encoding latin-1" in said
    assert "'encoding'" in said
    assert "€" not in said
    assert b"PASS" not in heard


def test_a_full_disk_here_is_no_fault_of_the_server(secret: Path) -> None:
    async def put_on_a_full_disk(session: Session) -> None:
        async with session.read(f"{NIGHT}/a.fit") as blocks:
            async for _ in blocks:
                raise OSError(errno.ENOSPC, "No space left on device")

    async def main() -> None:
        async with FtpServer(dict(FILES)) as server, \
                session_of(archive(server, secret)) as session:
            with pytest.raises(OSError, match="No space left") as full:
                await put_on_a_full_disk(session)
            assert full.value.errno == errno.ENOSPC

    asyncio.run(main())


def test_relative_paths_start_at_the_folder_of_the_login(secret: Path) -> None:
    async def main() -> None:
        files = {f"/home/observer{path}": found for path, found in FILES.items()}
        async with FtpServer(files) as server, session_of(archive(server, secret)) as session:
            assert len((await session.list("20221108")).entries) == 2
            assert await whole(session, "20221108/a.fit") == CONTENT

    asyncio.run(main())


async def everything(found: FtpArchive) -> None:
    """Log in, list, and fetch a file."""
    async with session_of(found) as session:
        await session.list(NIGHT)
        await whole(session, f"{NIGHT}/a.fit")


@pytest.mark.parametrize("where", STALLS)
def test_a_server_that_stalls_is_given_up_in_time(secret: Path, where: str) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=Faults(stall=where)) as server:
            began = time.monotonic()
            kind = HostError if where in ("banner", "USER", "PASS") else TransferError
            with pytest.raises(kind, match=r"127\.0\.0\.1"):
                await everything(archive(server, secret, timeout=1.0, connect_timeout=1.0))
            assert time.monotonic() - began < 10.0  # three limits of a second, on a busy machine

    asyncio.run(main())


def test_nothing_is_left_open_after_a_hundred_rounds_of_faults(secret: Path) -> None:
    async def main() -> None:
        faults = Faults()
        async with FtpServer(dict(FILES), faults=faults) as server:
            found = archive(server, secret, timeout=0.05, connect_timeout=0.5)
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
                async with session_of(archive(server, secret)) as session:
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
                session_of(archive(server, secret)) as session:
            entry = (await session.list(NIGHT)).entries[0]
            of_file = faults.answer[:3] in ("550", "451") or faults.ending.startswith("451")
            with pytest.raises(PathError if of_file else TransferError):
                await download(session, f"{NIGHT}/a.fit", entry, tmp_path / "a.fit")
            assert not (tmp_path / "a.fit").exists()

    asyncio.run(main())


def test_a_server_that_names_another_host_for_the_data_is_not_followed(secret: Path) -> None:
    async def main() -> None:
        faults = Faults(no_epsv=True, pasv_host="10,0,0,1")
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive(server, secret)) as session:
            assert await whole(session, f"{NIGHT}/a.fit") == CONTENT

    asyncio.run(main())


def test_a_cancelled_transfer_leaves_nothing_open(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES), faults=Faults(stall="data")) as server:
            found = archive(server, secret, timeout=60.0)
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
            found = archive(server, secret, timeout=60.0, connect_timeout=60.0)
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


def test_names_that_are_no_text_come_back_as_they_were(secret: Path) -> None:
    async def main() -> None:
        raw = b"type=file;size=2880;modify=20221108000000; \xe9\xff.fit\r\n"
        path = f"{NIGHT}/\xe9\xff.fit"  # as the server hears it, byte for byte
        files = dict(FILES) | {path: (b"b" * 2880, MTIME)}
        async with FtpServer(files, faults=Faults(listing=raw)) as server, \
                session_of(archive(server, secret)) as session:
            (entry,) = (await session.list(NIGHT)).entries
            assert entry.name == "\udce9\udcff.fit"
            assert await whole(session, f"{NIGHT}/{entry.name}") == b"b" * 2880
            with pytest.raises(PathError, match=r"a\\r\\nDELE b.fit: FTP has no way"):
                await whole(session, f"{NIGHT}/a\r\nDELE b.fit")
            assert server.commands["DELE"] == 0
            assert await whole(session, f"{NIGHT}/{entry.name}") == b"b" * 2880
            assert server.connections == 1

    asyncio.run(main())


def test_fifty_thousand_entries_do_not_hold_up_the_loop(secret: Path) -> None:
    lines = b"".join(b"type=file;size=2880;modify=20221108000000; frame-%06d.fit\r\n" % n
                     for n in range(50_000))

    async def main() -> None:
        async with FtpServer(dict(FILES), faults=Faults(listing=lines)) as server, \
                session_of(archive(server, secret, timeout=30.0)) as session:
            listing, beats = await beats_beside(session.list(NIGHT))
            assert len(listing.entries) == 50_000
            assert beats > 20

    asyncio.run(main())


# What keeps a session from being opened.


def refusal(found: FtpArchive) -> str:
    with pytest.raises((RemoteError, ConfigError)) as caught:
        asyncio.run(everything(found))
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_every_refusal_names_the_key_to_look_at(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES)) as server:
            good = archive(server, secret)
            wrong = secret.with_name("wrong")
            wrong.write_text("wrong-password")
            cases = [
                (replace(good, password_file=wrong), LoginError, "'user'"),
                (replace(good, port=1), HostError, "'port'"),
                (replace(good, host="nowhere.invalid"), HostError, "'host'"),
                (replace(good, tls="explicit"), HostError, "'tls'"),
                (replace(good, tls="implicit"), HostError, "'tls'"),
            ]
            for found, kind, words in cases:
                with pytest.raises(kind, match=words) as caught:
                    await everything(found)
                assert "archive 'T'" in str(caught.value)
                assert "wrong-password" not in str(caught.value)
            # No password was said in clear to a server that had been asked for encryption.
            assert server.heard.count(b"PASS ") == 1

    asyncio.run(main())
    found = FtpArchive(name="T", path=Path("raw"), host="127.0.0.1",
                    password_file=secret.with_name("gone"))
    assert "password_file cannot be read" in refusal(found)


def test_a_server_that_is_full_says_so(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer({}, faults=Faults(greeting=b"421 Too many connections\r\n")) as server:
            with pytest.raises(HostError, match=r"takes no connection now \(421 Too many"):
                await connect(archive(server, secret))

    asyncio.run(main())


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9\r\n", b"\xff" * 70000,
                                      b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_ftp_server_is_told(secret: Path, greeting: bytes) -> None:
    async def main() -> None:
        async with FtpServer({}, faults=Faults(greeting=greeting)) as server:
            with pytest.raises(HostError, match="'port'"):
                await connect(archive(server, secret))

    asyncio.run(main())


# Encryption.


@pytest.mark.parametrize("kind", ["explicit", "implicit"])
@pytest.mark.parametrize("newest", ["", "1.2"])
def test_a_trusted_server_is_talked_to_over_tls(secret: Path, tmp_path: Path, kind: str,
                                                newest: str) -> None:
    async def main() -> None:
        context = certificate(tmp_path)
        async with FtpServer(dict(FILES), tls=context, implicit=kind == "implicit") as server:
            found = archive(server, secret, tls=kind, max_tls_version=newest,
                            ca_file=tmp_path / "cert.pem")
            async with session_of(found) as session:
                assert len((await session.list(NIGHT)).entries) == 2
                assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            if kind == "explicit":
                assert b"PASS" not in server.heard

    asyncio.run(main())


@pytest.mark.parametrize(("name", "days", "trusted"), [
    ("127.0.0.1", 10, False), ("127.0.0.1", -1, True), ("other.example.org", 10, True)],
    ids=["self-signed", "expired", "another host's"])
def test_a_certificate_that_is_not_right_is_refused(secret: Path, tmp_path: Path, name: str,
                                                    days: int, trusted: bool) -> None:
    async def main() -> None:
        context = certificate(tmp_path, name=name, days=days)
        async with FtpServer(dict(FILES), tls=context) as server:
            found = archive(server, secret, tls="explicit",
                            ca_file=tmp_path / "cert.pem" if trusted else None)
            with pytest.raises(HostError, match=r"not trusted.*'ca_file'"):
                await connect(found)
            assert b"PASS" not in server.heard

    asyncio.run(main())


# Other people's servers.


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    (folder / NIGHT[1:]).mkdir(parents=True)
    for path, (content, mtime) in FILES.items():
        (folder / path[1:]).write_bytes(content)
        os.utime(folder / path[1:], (mtime, mtime))
    return folder


@pytest.fixture
def pyftpd(served: Path) -> Iterator[int]:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import ThreadedFTPServer

    known = DummyAuthorizer()
    known.add_user(USER, PASSWORD, str(served))
    handler = type("Handler", (FTPHandler,), {"authorizer": known})
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.address[1]
    server.close_all()
    thread.join(10)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_server_of_another_make(pyftpd: int, secret: Path, tmp_path: Path) -> None:
    async def main() -> None:
        found = FtpArchive(name="T", host="127.0.0.1", port=pyftpd, user=USER,
                        password_file=secret, path=tmp_path)
        async with session_of(found) as session:
            entries = {e.name: e for e in (await session.list(NIGHT)).entries}
            assert entries["a.fit"].mtime == MTIME
            await download(session, f"{NIGHT}/a.fit", entries["a.fit"], tmp_path / "a.fit")
            assert await whole(session, f"{NIGHT}/a.fit", 100_000) == CONTENT[100_000:]
            with pytest.raises(PathError):
                await session.list("/20221109")
        assert (tmp_path / "a.fit").read_bytes() == CONTENT

    asyncio.run(main())


def test_a_server_of_the_library_s_own(served: Path, tmp_path: Path) -> None:
    server = ftp_server(served, PASSWORD)
    server.start()
    try:
        (tmp_path / "secret").write_text(PASSWORD)
        found = FtpArchive(name="T", host="127.0.0.1", port=server.port, path=tmp_path,
                        user="observer", password_file=tmp_path / "secret")

        async def main() -> None:
            async with session_of(found) as session:
                entries = {e.name: e for e in (await session.list(NIGHT)).entries}
                assert await whole(session, f"{NIGHT}/a.fit", 100_000) == CONTENT[100_000:]
                await download(session, f"{NIGHT}/a.fit", entries["a.fit"], tmp_path / "a.fit")

        asyncio.run(main())
    finally:
        server.stop()
    assert (tmp_path / "a.fit").read_bytes() == CONTENT


def test_nobody_uses_the_library_s_own_listings_and_downloads() -> None:
    text = (Path(__file__).parents[2] / "iop4d" / "archives" / "ftp.py").read_text()
    assert not re.search(r"client\.(list|download|quit|stat|context|download_stream)\(", text)
