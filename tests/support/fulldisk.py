"""A site on a small disk that fills up: run in a mount namespace of its own, on a tmpfs.

``python -m tests.support.fulldisk FOLDER FRAMES``: exits with 0 if all went as it should.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from iop4d.simulator.night import NightPlan
from iop4d.simulator.service import Observer, Service
from tests.support.sites import drop, make_site

PLAN = NightPlan(seed=4, frames=3, exptime_s=60.0, n_bias=3, n_flat=3)
MINIMUM_MB = 40


def until(what: str, condition: Callable[[], bool], service: Service,
          seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline or not service.alive:
            raise SystemExit(f"not {what}:\n{service.log()[-3000:]}")
        time.sleep(0.1)


def main(folder: Path, frames: list[Path]) -> None:
    site = make_site(folder / "site", PLAN, more=f"[daemon]\nmin_free_gb = {MINIMUM_MB / 1000}\n")
    service, observer = Service(site, "run"), Observer(site)
    try:
        for path in frames[:-1]:
            drop(path, site / "raw")
        until("done", lambda: observer.wait(len(frames) - 1, seconds=1), service)
        ballast = folder / "ballast"
        with ballast.open("wb") as file:  # until 20 MB are left
            import shutil
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
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
