"""What is said of a server's name that cannot be looked up: whose fault that may be."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from iop4d.archives.ftp_login import errors_named
from iop4d.archives.session import HostError
from iop4d.config import FtpArchive, SftpArchive
from tests.archives.sftp_archive import fails

NO_NETWORK = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
SAID = [(NO_NETWORK, "no name server answers: this machine may have no network"),
        (NO_NAME, "no name server knows this name")]


@pytest.mark.parametrize(("error", "said"), SAID)
def test_of_ftp(error: OSError, said: str) -> None:
    archive = FtpArchive(name="a", host="ftp.example.org")
    with pytest.raises(HostError) as found, errors_named(archive, None):
        raise error
    assert f"cannot resolve host name ftp.example.org: {said}; check the key 'host' of" in str(
        found.value)


@pytest.mark.parametrize(("error", "said"), SAID)
def test_of_sftp(monkeypatch: pytest.MonkeyPatch, secret: Path, error: OSError, said: str) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("asyncssh.connect", refuse)
    archive = SftpArchive(name="OSN", host="sftp.example.org", password_file=secret)
    found = asyncio.run(fails(archive))
    assert isinstance(found, HostError)
    assert f"cannot resolve host name sftp.example.org: {said}; check the key 'host'" in str(found)
