"""A watched folder for the tests: it runs, something happens, and what was delivered is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iop4d.archives.folder import WatchedFolder
from iop4d.archives.known import KnownFiles
from iop4d.config import FolderArchive
from iop4d.model.frame import CompleteFile


def known(root: Path, *names: str) -> dict[str, tuple[int, int]]:
    """Files that were delivered in an earlier run."""
    for name in names:
        (root / name).write_text(name)
    return {str(root / name): ((root / name).stat().st_size, (root / name).stat().st_mtime_ns)
            for name in names}


class Watched:
    """An archive that runs, and what it delivered.

    ``pauses``: seconds for which a file settles that an event announced, or none did.
    """

    def __init__(self, root: Path, *, polling: bool = False,
                 known: dict[str, tuple[int, int]] | None = None, scan: float = 0.3,
                 filesystem: str = "ext4", pauses: tuple[float, float] = (0.05, 0.15),
                 **keys: Any) -> None:
        self.root = root
        self.delivered: list[str] = []
        self.deliver = self.record
        self.archive = WatchedFolder(
            archive=FolderArchive(name="raw", path=root, polling=polling, **keys),
            known=KnownFiles(known), deliver=self._deliver,
            settle=pauses[0], settle_unannounced=pauses[1], scan_interval=scan, clock=lambda: 0.0,
            filesystem=lambda _: filesystem)

    @property
    def state(self) -> str:
        return str(self.archive.status["state"])

    def wait_for(self, state: str, seconds: float = 30.0) -> str:
        """The reason, once the archive is in a state; from the thread that acts."""
        deadline = time.monotonic() + seconds
        while self.state != state:
            assert time.monotonic() < deadline, self.archive.status
            time.sleep(0.01)
        return str(self.archive.status["reason"])

    async def _deliver(self, name: str, files: list[CompleteFile]) -> None:
        await self.deliver(name, files)

    async def record(self, _: str, files: list[CompleteFile]) -> None:
        """What is done with files that are delivered, unless ``deliver`` is another way."""
        self.delivered += [file.path.name for file in files]

    def run(self, act: Callable[[], None], *, until: int,
            then: float | Callable[[], bool] = 0.3) -> list[str]:
        """Watch; act once it watches; end a little after ``until`` files were delivered.

        ``then``: for how long after that, or what must hold before it ends.
        """
        async def main() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.archive.run(stop))
            async with asyncio.timeout(60):
                while self.archive.status["state"] == "starting":  # noqa: ASYNC110 - a state
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(act)
                while len(self.delivered) < until:  # noqa: ASYNC110 - of something from outside
                    await asyncio.sleep(0.01)
                if callable(then):
                    while not then():  # noqa: ASYNC110 - a state
                        await asyncio.sleep(0.01)
                else:
                    await asyncio.sleep(then)
                stop.set()
                await task
        asyncio.run(main())
        return sorted(self.delivered)
