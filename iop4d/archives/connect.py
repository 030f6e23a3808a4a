"""Open a session with an archive's server, of whatever kind it is."""

from __future__ import annotations

from iop4d.archives.session import Session
from iop4d.config import ServerArchive, SftpArchive


async def connect(archive: ServerArchive) -> Session:
    """A logged-in session; raises HostError, LoginError or ConfigError (no secret)."""
    if isinstance(archive, SftpArchive):
        from iop4d.archives import sftp

        return await sftp.connect(archive)
    from iop4d.archives import ftp

    return await ftp.connect(archive)
