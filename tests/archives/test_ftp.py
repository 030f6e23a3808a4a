"""What FTP servers answer, good ones and odd ones: folders are listed and files are read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iop4d.archives.download import download
from iop4d.archives.session import PathError
from tests.archives.ftp_archive import CONTENT, FILES, MTIME, NIGHT, archive_of
from tests.archives.sessions import beats_beside, session_of, whole
from tests.support.ftp_server import Faults, FtpServer


@pytest.mark.parametrize("plain", [False, True], ids=["mlsd", "list"])
@pytest.mark.parametrize("passive", [False, True], ids=["epsv", "pasv"])
def test_a_good_server_is_listed_and_read(secret: Path, plain: bool, passive: bool) -> None:
    async def main() -> None:
        faults = Faults(no_mlsd=plain, no_epsv=passive)
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive_of(server, secret)) as session:
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
                session_of(archive_of(server, secret)) as session:
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
                session_of(archive_of(server, secret)) as session:
            for entry in (await session.list(NIGHT)).entries:
                target = tmp_path / entry.name
                await download(session, f"{NIGHT}/{entry.name}", entry, target)
                assert target.read_bytes() == FILES[f"{NIGHT}/{entry.name}"][0]
                assert target.stat().st_mtime == entry.mtime
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
                session_of(archive_of(server, secret)) as session:
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
                session_of(archive_of(server, secret)) as session:
            assert len((await session.list(NIGHT)).entries) == 2
            assert await whole(session, f"{NIGHT}/a.fit") == CONTENT
            assert server.commands["EPSV"] == 1
            assert server.commands["PASV"] == 2

    asyncio.run(main())


def test_relative_paths_start_at_the_folder_of_the_login(secret: Path) -> None:
    async def main() -> None:
        files = {f"/home/observer{path}": found for path, found in FILES.items()}
        async with FtpServer(files) as server, session_of(archive_of(server, secret)) as session:
            assert len((await session.list("20221108")).entries) == 2
            assert await whole(session, "20221108/a.fit") == CONTENT

    asyncio.run(main())


def test_a_server_that_names_another_host_for_the_data_is_not_followed(secret: Path) -> None:
    async def main() -> None:
        faults = Faults(no_epsv=True, pasv_host="10,0,0,1")
        async with FtpServer(dict(FILES), faults=faults) as server, \
                session_of(archive_of(server, secret)) as session:
            assert await whole(session, f"{NIGHT}/a.fit") == CONTENT

    asyncio.run(main())


def test_names_that_are_no_text_come_back_as_they_were(secret: Path) -> None:
    async def main() -> None:
        raw = b"type=file;size=2880;modify=20221108000000; \xe9\xff.fit\r\n"
        path = f"{NIGHT}/\xe9\xff.fit"  # as the server hears it, byte for byte
        files = dict(FILES) | {path: (b"b" * 2880, MTIME)}
        async with FtpServer(files, faults=Faults(listing=raw)) as server, \
                session_of(archive_of(server, secret)) as session:
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
                session_of(archive_of(server, secret, timeout=30.0)) as session:
            listing, beats = await beats_beside(session.list(NIGHT))
            assert len(listing.entries) == 50_000
            assert beats > 20

    asyncio.run(main())
