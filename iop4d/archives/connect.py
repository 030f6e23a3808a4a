"""Open a session with an archive's server, of whatever kind it is."""

from __future__ import annotations

from iop4d.archives.session import Session
from iop4d.config import Archive


async def connect(archive: Archive) -> Session:
    """A logged-in session; raises HostError, LoginError or ConfigError (no secret)."""
    if archive.kind == "sftp":
        from iop4d.archives import sftp

        return await sftp.connect(archive)
    from iop4d.archives import ftp

    return await ftp.connect(archive)
