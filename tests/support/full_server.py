"""A PostgreSQL server whose small disk fills up amid a night: run in a mount namespace of its own.

``python -m tests.support.full_server FOLDER``, a tmpfs: exits with 0 if all went as it should.
The workers are stubs; what fills the disk is a file of ours.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from iop4d.config.store import VARIABLE
from iop4d.simulator.servers import free_port
from iop4d.simulator.service import Observer, Service
from tests.support.daemon_under_test import WORKER
from tests.support.full_disk import until
from tests.support.postgresql import PostgresServer
from tests.support.sites import drop, make_stub_site, write_corpus
from tests.support.trial import DAEMON, STUB_WORKER

_FILES = 40  # more outcomes than find room in pages that a table has already
_BEFORE = 10


def main(disk: Path) -> None:
    """Fill the server's disk between one frame and the last ones."""
    (disk / "server").mkdir()
    server = PostgresServer(disk / "server")
    server.start()
    os.environ[VARIABLE] = server.url
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames = write_corpus(folder / "corpus", _FILES)
        site = make_stub_site(folder / "site", _FILES, port=free_port(), dead=free_port())
        service = Service(site, "run", module=DAEMON, environ={WORKER: STUB_WORKER})
        observer = Observer(site)
        try:
            for path in frames[:_BEFORE]:
                drop(path, site / "raw")
            until("done", lambda: observer.wait(_BEFORE, seconds=1), service)
            _fill(disk / "ballast")
            for path in frames[_BEFORE:]:
                drop(path, site / "raw")
            until("said", lambda: "the database server cannot write" in service.log(), service)
            _fill(disk / "more")  # what a process of the server's left since
            time.sleep(5)  # more than one try
            if observer.ended() >= len(frames):  # a few find room in pages that were there
                raise SystemExit("no outcome waits for room: the disk was not full")
            for name in ("ballast", "more"):
                (disk / name).unlink()
            until("resumed", lambda: observer.wait(len(frames), seconds=1), service)
            if set(observer.status()["frames"]) != {"done"}:
                raise SystemExit(f"frames: {observer.status()['frames']}")
        finally:
            code = service.stop()
            server.stop()
    raise SystemExit(code)


def _fill(path: Path) -> None:
    """Write until the disk takes no more."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


if __name__ == "__main__":
    main(Path(sys.argv[1]))
