"""FTP over TLS with vsftpd, ProFTPD and Pure-FTPd as their packages set them up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iop4d.archives.session import HostError, connect
from iop4d.config import FtpArchive
from tests.archives.sessions import session_of, whole
from tests.real_servers.conftest import MTIME, NIGHT
from tests.support.certificates import certificate
from tests.support.real_servers import RealServer, Wanted, running

FTP = ("vsftpd", "proftpd", "pure-ftpd")


def archive(server: RealServer, secret: Path, **keys: object) -> FtpArchive:
    """The archive of a server."""
    keys = {"host": "127.0.0.1", "port": server.port, "user": server.user, "timeout": 10.0,
            "connect_timeout": 10.0, "password_file": secret} | keys
    return FtpArchive(name="T", path=Path("raw"), **keys)  # type: ignore[arg-type]


@pytest.mark.realserver
@pytest.mark.parametrize(("name", "tls"), [
    (name, tls) for name in FTP for tls in ("none", "explicit", "implicit")
    if (name, tls) != ("pure-ftpd", "implicit")])  # it has none
@pytest.mark.parametrize("newest", ["1.2", "1.3"])
def test_a_night_is_listed_and_fetched(place: Path, served: Path, secret: Path, name: str,
                                       tls: str, newest: str) -> None:
    certificate(place)
    wanted = Wanted(tls=tls, cert=place / "cert.pem", key=place / "key.pem")

    async def main(server: RealServer) -> None:
        found = archive(server, secret, tls=tls, max_tls_version=newest,
                        ca_file=place / "cert.pem" if tls != "none" else None)
        async with session_of(found) as session:
            for _ in range(3):  # each of which has a data connection of its own
                listing = await session.list(NIGHT)
                assert sorted((e.name, e.size) for e in listing.entries) == [
                    ("a.fit", 300_000), ("b c.fit", 2880)]
                for entry in listing.entries:
                    assert await whole(session, f"{NIGHT}/{entry.name}") == (
                        served / NIGHT / entry.name).read_bytes()
            assert await whole(session, f"{NIGHT}/b c.fit", 880) == (
                served / NIGHT / "b c.fit").read_bytes()[880:]
            now = await session.stat(f"{NIGHT}/a.fit")
            assert now is not None
            assert (now.size, now.mtime) == (300_000, MTIME)

    with running(name, place / "server", served, wanted) as server:
        asyncio.run(main(server))


@pytest.mark.realserver
@pytest.mark.parametrize("name", FTP)
@pytest.mark.parametrize(("days", "trusted", "said"), [
    (10, False, "self-signed"), (-1, True, "expired")], ids=["self-signed", "expired"])
def test_a_certificate_that_is_not_right_is_refused(
        place: Path, served: Path, secret: Path, name: str, days: int, trusted: bool,
        said: str) -> None:
    certificate(place, days=days)
    wanted = Wanted(tls="explicit", cert=place / "cert.pem", key=place / "key.pem")

    async def main(server: RealServer) -> None:
        found = archive(server, secret, tls="explicit",
                        ca_file=place / "cert.pem" if trusted else None)
        with pytest.raises(HostError, match=f"not trusted.*{said}.*'ca_file'"):
            await connect(found)

    with running(name, place / "server", served, wanted) as server:
        asyncio.run(main(server))
