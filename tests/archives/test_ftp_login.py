"""What keeps an FTP session from being opened, and that no password is said in clear."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.archives.session import HostError, LoginError, RemoteError, connect
from iop4d.config import FtpArchive
from iop4d.model.errors import ConfigError
from tests.archives.ftp_archive import CONTENT, FILES, NIGHT, archive_of, everything
from tests.archives.sessions import session_of, whole
from tests.support.certificates import certificate
from tests.support.ftp_server import PASSWORD, Faults, FtpServer


def test_user_and_password_go_in_the_archive_s_encoding_and_stay_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("contraseña-€\n", encoding="utf-8")

    async def refused(**keys: object) -> tuple[str, bytes]:
        async with FtpServer(dict(FILES)) as server:
            with pytest.raises(LoginError) as error:
                await connect(archive_of(server, secret, user="muñoz", **keys))
            return str(error.value), server.heard

    said, heard = asyncio.run(refused())
    assert b"USER " + "muñoz\r\nPASS contraseña-€\r\n".encode() in heard
    assert "530 not with '***'" in said
    said, heard = asyncio.run(refused(encoding="latin-1"))
    assert "characters outside the encoding latin-1" in said
    assert "'encoding'" in said
    assert "€" not in said
    assert b"PASS" not in heard


def refusal(found: FtpArchive) -> str:
    with pytest.raises((RemoteError, ConfigError)) as caught:
        asyncio.run(everything(found))
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_every_refusal_names_the_key_to_look_at(secret: Path) -> None:
    async def main() -> None:
        async with FtpServer(dict(FILES)) as server:
            good = archive_of(server, secret)
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
                await connect(archive_of(server, secret))

    asyncio.run(main())


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9\r\n", b"\xff" * 70000,
                                      b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_ftp_server_is_told(secret: Path, greeting: bytes) -> None:
    async def main() -> None:
        async with FtpServer({}, faults=Faults(greeting=greeting)) as server:
            with pytest.raises(HostError, match="'port'"):
                await connect(archive_of(server, secret))

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["explicit", "implicit"])
@pytest.mark.parametrize("newest", ["", "1.2"])
def test_a_trusted_server_is_talked_to_over_tls(secret: Path, tmp_path: Path, kind: str,
                                                newest: str) -> None:
    async def main() -> None:
        context = certificate(tmp_path)
        async with FtpServer(dict(FILES), tls=context, implicit=kind == "implicit") as server:
            found = archive_of(server, secret, tls=kind, max_tls_version=newest,
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
            found = archive_of(server, secret, tls="explicit",
                            ca_file=tmp_path / "cert.pem" if trusted else None)
            with pytest.raises(HostError, match=r"not trusted.*'ca_file'"):
                await connect(found)
            assert b"PASS" not in server.heard

    asyncio.run(main())
