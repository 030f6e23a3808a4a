"""An SFTP server is accepted only for what it is, and a refusal names the key to look at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from iop4d.archives.session import HostError, LoginError
from iop4d.config import SftpArchive
from tests.archives.sessions import session_of
from tests.archives.sftp_archive import archive_of, fails
from tests.support.sftp_server import PASSWORD, SftpServer


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
    error = asyncio.run(fails(replace(archive, **keys)))
    assert isinstance(error, LoginError)
    assert names in str(error)


def test_known_hosts_that_cannot_be_read_are_told(secret: Path, tmp_path: Path) -> None:
    error = asyncio.run(fails(SftpArchive(name="OSN", host="127.0.0.1", password_file=secret,
                            known_hosts=tmp_path / "nowhere")))
    assert isinstance(error, HostError)
    assert "known_hosts cannot be read" in str(error)


def test_a_host_that_nobody_knows_and_a_port_where_nobody_listens(secret: Path) -> None:
    archive = SftpArchive(name="OSN", host="no-such-host.invalid", password_file=secret)
    error = asyncio.run(fails(archive))
    assert isinstance(error, HostError)
    assert "check the key 'host'" in str(error)
    error = asyncio.run(fails(replace(archive, host="127.0.0.1", port=1)))
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
                                        password_file=secret, connect_timeout=20.0))
            assert isinstance(error, HostError)
            assert "port" in str(error)
    asyncio.run(main())


def test_a_home_that_cannot_be_looked_into_hinders_no_login(
        root: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a service of systemd, which hides the homes."""
    async def main() -> None:
        async with SftpServer(root) as server:
            archive = archive_of(server, secret)
            monkeypatch.setenv("HOME", f"/{'a' * 300}")  # an error whoever looks
            async with session_of(archive) as session:
                assert (await session.list("/20230313")).entries
            unknown = replace(archive, host_key="", known_hosts=None)
            with pytest.raises(HostError, match="known_hosts cannot be read"):
                async with session_of(unknown):
                    pass
    asyncio.run(main())
