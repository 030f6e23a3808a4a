"""An archive behind a bad SFTP server, and why a connection to it was not made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iop4d.archives.session import RemoteError, connect
from iop4d.config import SftpArchive
from tests.support.sftp_server import PASSWORD, USER, SftpServer


def archive_of(server: SftpServer, secret: Path, **keys: Any) -> SftpArchive:
    """The section of the site file that fits the server, unless told otherwise."""
    return replace(
        SftpArchive(name="OSN", host="127.0.0.1", port=server.port, user=USER,
                password_file=secret, host_key=server.fingerprint, timeout=20.0,
                connect_timeout=20.0), **keys)


async def fails(archive: SftpArchive) -> RemoteError:
    """Why a connection was not made; the message never holds the secret."""
    with pytest.raises(RemoteError) as error:
        await connect(archive)
    assert PASSWORD not in str(error.value)
    assert "OSN" in str(error.value)
    return error.value
