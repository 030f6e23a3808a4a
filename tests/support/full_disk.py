"""A site on a small disk that fills up: run in a mount namespace of its own, on a tmpfs.

``python -m tests.support.full_disk FOLDER``: exits with 0 if all went as it should. The workers are
stubs: what fills the disk is a file of ours.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from iop4d.simulator.servers import free_port
from iop4d.simulator.service import Observer, Service
from tests.support.daemon_under_test import WORKER
from tests.support.sites import drop, make_stub_site, write_corpus
from tests.support.trial import DAEMON, STUB_WORKER

_FILES = 10  # masters of bias and flat, and two science frames
_MINIMUM_MB = 40


def until(what: str, condition: Callable[[], bool], service: Service,
          seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline or not service.alive:
            raise SystemExit(f"not {what}:\n{service.log()[-3000:]}")
        time.sleep(0.1)


def main(folder: Path) -> None:
    """Fill the disk between one frame and the last."""
    frames = write_corpus(folder / "corpus", _FILES)
    site = make_stub_site(folder / "site", _FILES, port=free_port(), dead=free_port())
    config = site / "iop4d.toml"
    config.write_text(config.read_text(encoding="utf-8").replace(
        "[daemon]", f"[daemon]\nmin_free_gb = {_MINIMUM_MB / 1000}"), encoding="utf-8")
    service = Service(site, "run", module=DAEMON, environ={WORKER: STUB_WORKER})
    observer = Observer(site)
    try:
        for path in frames[:-1]:
            drop(path, site / "raw")
        until("done", lambda: observer.wait(len(frames) - 1, seconds=1), service)
        ballast = folder / "ballast"
        with ballast.open("wb") as file:  # until 20 MB are left
            while shutil.disk_usage(folder).free > 20_000_000:
                file.write(bytes(1 << 20))
                file.flush()
        until("paused", lambda: bool(observer.status()["daemon"].get("paused")), service)
        drop(frames[-1], site / "raw")
        until("taken in", lambda: observer.status()["frames"].get("queued") == 1, service)
        time.sleep(6)
        if observer.ended() != len(frames) - 1:
            raise SystemExit("something was begun on a full disk")
        ballast.unlink()
        until("resumed", lambda: observer.wait(len(frames), seconds=1), service)
        until("told", lambda: not observer.status()["daemon"].get("paused"), service)
        if set(observer.status()["frames"]) != {"done"}:
            raise SystemExit(f"frames: {observer.status()['frames']}")
    finally:
        code = service.stop()
    raise SystemExit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
