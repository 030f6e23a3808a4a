"""Links that lead back, and folders that may not be read, on servers that other people wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from iop4d.archives.known import KnownFiles
from iop4d.archives.survey import NightSurvey, survey_night
from iop4d.config import FtpArchive, ServerArchive, SftpArchive
from tests.archives.sessions import session_of
from tests.real_servers.conftest import NIGHT
from tests.support.real_servers import running, running_sshd


@contextmanager
def archive_of(name: str, place: Path, served: Path, secret: Path) -> Iterator[ServerArchive]:
    """An archive on a server of a name that serves a folder."""
    if name == "sshd":
        with running_sshd(place / "server", served) as (ssh, key, known):
            yield SftpArchive(
                name="T", path=place / "raw", host="127.0.0.1", port=ssh.port, user=ssh.user,
                key_file=key, known_hosts=known, night_folder=f"{served}/{{night:%Y%m%d}}",
                timeout=10.0, connect_timeout=10.0)
        return
    with running(name, place / "server", served) as ftp:
        yield FtpArchive(
            name="T", path=place / "raw", host="127.0.0.1", port=ftp.port, user=ftp.user,
            password_file=secret, night_folder="{night:%Y%m%d}", timeout=10.0)


def survey(archive: ServerArchive) -> NightSurvey:
    async def main() -> NightSurvey:
        async with session_of(archive) as session:
            return await survey_night(session, archive, date(2026, 11, 26), KnownFiles())

    return asyncio.run(main())


@pytest.mark.realserver
@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pure-ftpd", "sshd"])
def test_links_to_the_folder_itself_and_above_list_nothing_twice(
        name: str, place: Path, served: Path, secret: Path) -> None:
    """An old fault: SFTP listed 2,585 files of a night of 33, from two such links."""
    night = served / NIGHT
    store = served / "store"
    (night / "loop").symlink_to(".")
    (night / "up").symlink_to("..")
    (night / "one").symlink_to("two")
    (night / "two").symlink_to("one")
    for folder in (store, store / "inner", served / "20261125"):
        folder.mkdir()
        (folder / f"{folder.name}.fit").write_bytes(b"x" * 2880)
    (night / "elsewhere").symlink_to("../store")
    (store / "inner" / "back").symlink_to("..")
    with archive_of(name, place, served, secret) as archive:
        found = survey(archive)
    assert sorted(str(file.local.relative_to(archive.path)) for file in found.wanted) == [
        "2026-11-26/a.fit", "2026-11-26/b c.fit", "2026-11-26/elsewhere/inner/inner.fit",
        "2026-11-26/elsewhere/store.fit"]


@pytest.mark.realserver
@pytest.mark.parametrize("name", ["proftpd", "pure-ftpd", "sshd"])
def test_a_folder_that_may_not_be_read_is_not_said_to_be_absent(
        name: str, place: Path, served: Path, secret: Path) -> None:
    closed = served / NIGHT / "closed"
    closed.mkdir()
    closed.chmod(0)
    with archive_of(name, place, served, secret) as archive:
        found = survey(archive)
        assert len(found.wanted) == 2
        assert found.listing is not None
        assert "ermission denied" in found.listing.cut_off
        assert "closed" in found.listing.cut_off
        (served / NIGHT).chmod(0)
        night = survey(archive)
        (served / NIGHT).chmod(0o755)
        assert night.listing is not None
        assert "ermission denied" in night.listing.cut_off
        (served / NIGHT).rename(served / "other")
        assert survey(archive).listing is None


@pytest.mark.realserver
def test_a_name_with_a_newline_is_kept_under_another(place: Path, served: Path,
                                                     secret: Path) -> None:
    """The listings of FTP have no way to write one; that of SFTP has."""
    (served / NIGHT / "new\nline.fit").touch()
    with archive_of("sshd", place, served, secret) as archive:
        found = [file.local.name for file in survey(archive).wanted]
    assert sum(one.startswith("new_line~") and one.endswith(".fit") for one in found) == 1
