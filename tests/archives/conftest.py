"""The secret of an archive, what an SFTP server serves, and a server in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.archives.polled import FakeServer
from tests.support.sftp_server import PASSWORD


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file of the password that both kinds of server want."""
    path = tmp_path / "secret"
    path.write_text(f"{PASSWORD}\n")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the SFTP server serves: a night with two frames."""
    night = tmp_path / "served" / "20230313"
    night.mkdir(parents=True)
    (night / "a.fits").write_bytes(bytes(range(256)) * 1000)
    (night / "b.fits").write_bytes(b"b" * 2880)
    os.utime(night / "b.fits", (1_678_700_000, 1_678_700_000))
    return tmp_path / "served"


@pytest.fixture
def server() -> FakeServer:
    """A server in memory, without a file yet."""
    return FakeServer()
