"""SFTP with OpenSSH's server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iop4d.archives.session import LoginError
from iop4d.config import SftpArchive
from tests.archives.sessions import session_of, whole
from tests.real_servers.conftest import MTIME, NIGHT
from tests.support.real_servers import running_sshd


@pytest.mark.realserver
def test_a_night_is_listed_links_are_followed_and_files_come_whole(place: Path,
                                                                   served: Path) -> None:
    (served / NIGHT / "link.fit").symlink_to("a.fit")
    (served / NIGHT / "gone.fit").symlink_to("nothing.fit")
    (served / NIGHT / "inner").mkdir()

    async def main(archive: SftpArchive) -> None:
        async with session_of(archive) as session:
            listing = await session.list(f"{served}/{NIGHT}")
            found = {e.name: (e.size, e.mtime, e.folder) for e in listing.entries}
            assert found["a.fit"] == (300_000, MTIME, False)
            assert found["link.fit"] == (300_000, MTIME, False)
            assert found["inner"][2]
            assert "gone.fit" not in found
            for name in ("a.fit", "b c.fit", "link.fit"):
                assert await whole(session, f"{served}/{NIGHT}/{name}") == (
                    served / NIGHT / name).read_bytes()
            now = await session.stat(f"{served}/{NIGHT}/link.fit")
            assert now is not None
            assert (now.size, now.mtime) == (300_000, MTIME)

    with running_sshd(place / "server", served) as (server, key, known):
        asyncio.run(main(SftpArchive(
            name="T", path=Path("raw"), host="127.0.0.1", port=server.port, user=server.user,
            key_file=key, known_hosts=known, timeout=10.0, connect_timeout=10.0)))


@pytest.mark.realserver
@pytest.mark.parametrize("option", ['expiry-time="20200101"', 'from="192.0.2.1"', "#"])
def test_a_key_that_has_expired_or_is_for_another_host_is_said_to_be_refused(
        place: Path, served: Path, option: str) -> None:
    async def main(archive: SftpArchive) -> None:
        async with session_of(archive):
            pass

    with running_sshd(place / "server", served) as (server, key, known):
        authorized = place / "server" / "authorized"
        authorized.write_text(f"{option} {authorized.read_text()}", encoding="utf-8")
        with pytest.raises(LoginError, match=r"key_file; a key may have expired"):
            asyncio.run(main(SftpArchive(
                name="T", path=Path("raw"), host="127.0.0.1", port=server.port, user=server.user,
                key_file=key, known_hosts=known, timeout=10.0, connect_timeout=10.0)))
