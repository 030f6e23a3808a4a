"""An archive behind a bad FTP server, and what the server holds."""

from __future__ import annotations

import os
from pathlib import Path

from iop4d.config import FtpArchive
from tests.archives.sessions import session_of, whole
from tests.support.ftp_server import USER, FtpServer

NIGHT = "/20221108"
MTIME = 1667900000.0
CONTENT = os.urandom(200_000)
FILES = {f"{NIGHT}/a.fit": (CONTENT, MTIME), f"{NIGHT}/b c.fit": (b"b" * 2880, MTIME + 60)}


def archive_of(server: FtpServer, secret: Path, **keys: object) -> FtpArchive:
    """The section of the site file that fits the server, unless told otherwise."""
    keys = {"host": "127.0.0.1", "port": server.port, "timeout": 20.0, "connect_timeout": 20.0,
            "user": USER, "password_file": secret} | keys
    return FtpArchive(name="T", path=Path("raw"), **keys)


async def everything(found: FtpArchive) -> None:
    """Log in, list, and fetch a file."""
    async with session_of(found) as session:
        await session.list(NIGHT)
        await whole(session, f"{NIGHT}/a.fit")
