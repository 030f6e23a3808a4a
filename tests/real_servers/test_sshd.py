"""SFTP with OpenSSH's server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

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
