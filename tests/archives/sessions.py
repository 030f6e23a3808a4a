"""What tests of FTP and of SFTP share: sessions that are closed, whole files, a loop that beats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from iop4d.archives.session import Session, connect
from iop4d.config import ServerArchive

T = TypeVar("T")


@asynccontextmanager
async def session_of(archive: ServerArchive) -> AsyncIterator[Session]:
    """A session of an archive, closed in the end."""
    session = await connect(archive)
    try:
        yield session
    finally:
        await session.close()


async def whole(session: Session, path: str, offset: int = 0) -> bytes:
    """A file from a byte on."""
    async with session.read(path, offset) as blocks:
        return b"".join([block async for block in blocks])


async def beats_beside(work: Awaitable[T]) -> tuple[T, int]:
    """What some work gives, and how often the loop came to something else meanwhile."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    heart = asyncio.create_task(beat())
    try:
        return await work, beats
    finally:
        heart.cancel()
