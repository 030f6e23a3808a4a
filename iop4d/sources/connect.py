"""Open a session with an archive's server, of whatever kind it is."""

from __future__ import annotations

from iop4d.config import Archive
from iop4d.sources.session import Session


async def connect(archive: Archive) -> Session:
    """A logged-in session; raises HostError, LoginError or ConfigError (no secret)."""
    if archive.kind == "sftp":
        from iop4d.sources import sftp  # its libraries weigh 30 MB: only where they are needed

        return await sftp.connect(archive)
    from iop4d.sources import ftp

    return await ftp.connect(archive)
