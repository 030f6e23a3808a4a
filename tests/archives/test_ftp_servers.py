"""FTP against servers that other people wrote, and the library's own ways that are not used."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.archives.download import download
from iop4d.archives.session import PathError
from iop4d.config import FtpArchive
from iop4d.simulator.servers import ftp_server
from tests.archives.ftp_archive import CONTENT, FILES, MTIME, NIGHT
from tests.archives.sessions import session_of, whole
from tests.support.ftp_server import PASSWORD, USER


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


def test_no_module_uses_the_library_s_own_listings_and_downloads() -> None:
    text = (Path(__file__).parents[2] / "iop4d" / "archives" / "ftp.py").read_text()
    assert not re.search(r"client\.(list|download|quit|stat|context|download_stream)\(", text)
